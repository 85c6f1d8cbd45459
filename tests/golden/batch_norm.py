"""torch.nn.BatchNorm1d/2d/3d in float64, on values that float32 holds too.
Run: python3 tests/golden/batch_norm.py"""

import torch
from golden import File

file = File(__file__)
torch.manual_seed(1)

LAYERS = {
    "1d": (torch.nn.BatchNorm1d, (6, 3)),
    "1d_positions": (torch.nn.BatchNorm1d, (4, 3, 5)),
    "2d": (torch.nn.BatchNorm2d, (3, 3, 2, 4)),
    "3d": (torch.nn.BatchNorm3d, (2, 3, 2, 2, 3)),
}


def draw(*shape):
    return torch.randn(shape, dtype=torch.float32).double()


for kind, (layer_of, shape) in LAYERS.items():
    x1, x2, dy = draw(*shape) * 1.5 + 0.5, draw(*shape) - 2, draw(*shape)
    weight, bias = draw(3), draw(3)
    for name, tensor in (("x1", x1), ("x2", x2), ("dy", dy), ("weight", weight), ("bias", bias)):
        file.put(f"{kind}/{name}", tensor)

    def run(layer, x, name):
        """Forward and backward, written under `name`."""
        x = x.clone().requires_grad_()
        layer.zero_grad()
        y = layer(x)
        y.backward(dy)
        file.put(f"{name}/y", y)
        file.put(f"{name}/dx", x.grad)
        if layer.affine:
            file.put(f"{name}/dweight", layer.weight.grad)
            file.put(f"{name}/dbias", layer.bias.grad)

    # Where the channel lies last in memory PyTorch finds the same, so one set of numbers serves.
    other = x1.movedim(1, -1).contiguous().movedim(-1, 1)
    assert torch.allclose(layer_of(3).double()(x1), layer_of(3).double()(other), atol=1e-12)

    for affine in (True, False):
        for momentum in (0.1, None, 0.3):
            layer = layer_of(3, affine=affine, momentum=momentum).double()
            if affine:
                with torch.no_grad():
                    layer.weight.copy_(weight)
                    layer.bias.copy_(bias)
            name = f"{kind}/momentum{momentum}"
            if momentum == 0.1:  # neither the output in training nor a gradient depends on it
                run(layer, x1, f"{kind}/{'affine' if affine else 'plain'}/train")
                layer(x2)
                layer.eval()
                run(layer, x1, f"{kind}/{'affine' if affine else 'plain'}/eval")
            else:
                layer(x1)
                layer(x2)
            if affine:  # the record does not depend on that
                file.put(f"{name}/running_mean", layer.running_mean)
                file.put(f"{name}/running_var", layer.running_var)
                file.put(f"{name}/num_batches_tracked", layer.num_batches_tracked)

file.save()

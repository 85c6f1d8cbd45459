"""Three models trained for 30 steps with PyTorch 2.15: initial weights for a seed, each loss, and all
parameters and buffers at the end, in float64. Run: python3 tests/golden/training.py

`gap` is how far PyTorch's own training in float32 ends from that, relative to the largest value of
each tensor: what rounding grows to in 30 steps.
"""

import torch
import torch.nn.functional as F
from golden import File
from torch import nn

STEPS = 30
file = File(__file__)


def perceptron():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def normalised():
    return nn.Sequential(
        nn.Linear(5, 6), nn.BatchNorm1d(6, momentum=None), nn.ReLU(), nn.Linear(6, 2), nn.BatchNorm1d(2, affine=False))


def images():
    return nn.Sequential(
        nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 7, bias=False), nn.BatchNorm1d(7, momentum=0.3), nn.ReLU(), nn.Linear(7, 4))


# x and target hold three batches, taken in turn.
def train(model, x, target, loss_of, options):
    optimizer = torch.optim.SGD(model.parameters(), **options)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model(x[step % 3]), target[step % 3])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return {"losses": torch.stack(losses)} | {f"final/{name}": t for name, t in model.state_dict().items()}


def put(name, model_of, x, target, loss_of, **options):
    file.put(f"{name}/x", x)
    file.put(f"{name}/target", target)
    ends = []
    for dtype in (torch.float64, torch.float32):
        torch.manual_seed(42)
        model = model_of()
        if not ends:
            for path, tensor in model.state_dict().items():
                file.put(f"{name}/initial/{path}", tensor)
        model.to(dtype)
        to = target.to(dtype) if target.is_floating_point() else target
        ends.append(train(model, x.to(dtype), to, loss_of, options))
    wide, narrow = ends
    gap = 0
    for path, tensor in wide.items():
        file.put(f"{name}/{path}", tensor)
        if tensor.is_floating_point():
            gap = max(gap, ((narrow[path] - tensor).abs().max() / tensor.abs().max()).item())
    file.put(f"{name}/gap", torch.tensor(gap, dtype=torch.float64))


def draw(*shape):
    """Multiples of 1/64: float32 holds them too."""
    return torch.round(torch.randn(shape).double() * 64) / 64


torch.manual_seed(4)
put("perceptron", perceptron, draw(3, 16, 4), draw(3, 16, 3), F.mse_loss, lr=0.05, momentum=0.9)
put("normalised", normalised, draw(3, 8, 5) + 1, draw(3, 8, 2), F.mse_loss,
    lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.01)
put("images", images, draw(3, 6, 2, 3, 3) * 2, torch.randint(4, (3, 6)), F.cross_entropy,
    lr=0.1, momentum=0.5, dampening=0.2, weight_decay=0.001)

file.save()

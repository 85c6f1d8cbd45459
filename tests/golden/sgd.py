"""torch.optim.SGD over five steps with given gradients, in float64 on values that float32 holds.
Run: python3 tests/golden/sgd.py"""

import torch
from golden import File

STEPS = 5

file = File(__file__)
torch.manual_seed(2)
start = torch.randn(2, 3).double()
gradients = torch.randn(STEPS, 2, 3).double()
gradients[3] = 0  # a zero gradient still decays
file.put("start", start)
file.put("gradients", gradients)

CASES = {
    "plain": dict(lr=0.1),
    "momentum": dict(lr=0.1, momentum=0.9),
    "dampening": dict(lr=0.1, momentum=0.9, dampening=0.3),
    "weight_decay": dict(lr=0.1, weight_decay=0.05),
    "nesterov": dict(lr=0.1, momentum=0.8, nesterov=True),
    "maximize": dict(lr=0.1, maximize=True),
    "maximize_momentum_decay": dict(lr=0.05, momentum=0.9, weight_decay=0.1, maximize=True),
    "nesterov_decay_maximize": dict(lr=0.05, momentum=0.7, weight_decay=0.1, nesterov=True, maximize=True),
    "momentum_dampening_decay": dict(lr=0.02, momentum=0.5, dampening=0.5, weight_decay=0.2),
    "momentum_of_one": dict(lr=0.01, momentum=1.0),
    "dampening_alone": dict(lr=0.1, dampening=0.9),
    "lr_zero": dict(lr=0.0, momentum=0.9),
}

for name, options in CASES.items():
    p = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([p], **options)
    path = []
    for g in gradients:
        p.grad = g.clone()
        optimizer.step()
        path.append(p.detach().clone())
    file.put(f"{name}/path", torch.stack(path))
    buffer = optimizer.state[p].get("momentum_buffer")
    if buffer is not None:
        file.put(f"{name}/momentum_buffer", buffer)

# Two groups with options of their own; the first has no gradient at steps 0 and 2, and the second's
# lr is halved after step 1.
a, b = start.clone().requires_grad_(), (-start).clone().requires_grad_()
optimizer = torch.optim.SGD([{"params": [a], "weight_decay": 0.1, "momentum": 0.9}, {"params": [b], "lr": 0.2}], lr=0.05)
paths = [], []
for step, g in enumerate(gradients):
    a.grad = None if step in (0, 2) else g.clone()
    b.grad = 2 * g
    if step == 2:
        optimizer.param_groups[1]["lr"] /= 2
    optimizer.step()
    for path, p in zip(paths, (a, b)):
        path.append(p.detach().clone())
file.put("groups/a", torch.stack(paths[0]))
file.put("groups/b", torch.stack(paths[1]))

file.save()

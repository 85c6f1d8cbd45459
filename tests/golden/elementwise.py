"""Values and gradients of element-wise functions at ordinary and at awkward points.
Run: python tests/golden/elementwise.py"""

import torch
import torch.nn.functional as F
from golden import File

file = File(__file__)
inf, nan = float("inf"), float("nan")
POINTS = [-inf, -100, -21, -3, -1, -0.5, -1e-6, 0, 1e-6, 0.3, 0.5, 1, 2.5, 19, 21, 100, inf, nan]
PAIRS = [-inf, -2, -1, -0.5, 0, 0.5, 1, 2, inf, nan]


def put(name, f, *inputs):
    """Computes in double, then rounds: in float32 PyTorch's gelu(-3) is off by 1e-4 of its value."""
    leaves = [x.double().requires_grad_() for x in inputs]
    y = f(*leaves)
    gradients = torch.autograd.grad(y.sum(), leaves)
    file.put(name, y.to(inputs[0].dtype))
    for i, gradient in enumerate(gradients):
        file.put(f"{name}/d{i}", gradient.to(inputs[0].dtype))


UNARY = {
    name: getattr(torch, name)
    for name in ("exp expm1 log log1p sqrt rsqrt reciprocal square abs sign sin cos tanh erf sigmoid relu neg").split()
} | {
    "gelu": F.gelu, "silu": F.silu, "softplus": F.softplus, "clamp": lambda x: x.clamp(-0.7, 0.4),
    "pow0": lambda x: x**0, "pow1": lambda x: x**1, "pow2": lambda x: x**2, "pow3": lambda x: x**3,
    "pow2.5": lambda x: x**2.5, "pow-1": lambda x: x**-1, "2pow": lambda x: 2**x, "0pow": lambda x: 0**x,
}
BINARY = {name: getattr(torch, name) for name in "add sub mul div maximum minimum pow".split()}

for dtype, suffix in ((torch.float32, "32"), (torch.float64, "64")):
    x = torch.tensor(POINTS, dtype=dtype)
    file.put(f"points{suffix}", x)
    for name, f in UNARY.items():
        put(name + suffix, f, x)

pairs = torch.tensor(PAIRS, dtype=torch.float64)
a, b = [t.flatten() for t in torch.meshgrid(pairs, pairs, indexing="ij")]
file.put("a", a)
file.put("b", b)
for name, f in BINARY.items():
    put(name, f, a, b)

file.save()

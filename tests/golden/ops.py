"""Every op: its value, and its gradients to each floating input, as PyTorch 2.15 computes them.
Run: python3 tests/golden/ops.py

An op has the name of its line in tests/core/ops/table.h; the test reads inputs, dy, y and gradients
from the file, so that a case is added here alone. All is computed in float64, on inputs that float32
holds too: in float32 PyTorch's own gelu(-3) is off by 1e-4 of its value.
"""

import warnings
import zlib

import torch
import torch.nn.functional as F
from golden import File

file = File(__file__)
inf, nan = float("inf"), float("nan")
warnings.simplefilter("ignore")  # of the variance of one value, of losses that broadcast: both are meant


# ---- inputs: multiples of 1/64, so that the file is short and both dtypes hold them ----


def even(x):
    return torch.round(x.double() * 64) / 64


def reals(*shape):
    return lambda: even(torch.rand(shape) * 4 - 2)


def positive(*shape):
    return lambda: even(torch.rand(shape) * 2 + 0.5)


def below(n, *shape):
    return lambda: torch.randint(n, shape)


def values(*numbers):
    x = torch.tensor(numbers)
    return lambda: x.float().double() if x.is_floating_point() else x


# ---- cases ----


def case(op, name, f, *inputs):
    """Writes one call of f. Seeded by its name, so that a line more leaves the others as they are."""
    name = f"{op}/{name}"
    torch.manual_seed(zlib.crc32(name.encode()))
    leaves = [draw() for draw in inputs]
    if name.endswith("/expanded"):
        leaves = [x[:1].expand_as(x).clone() if x.dim() else x for x in leaves]
    for i, x in enumerate(leaves):
        file.put(f"{name}/x{i}", x)
        if x.is_floating_point():
            x.requires_grad_()
    y = f(*leaves)
    y = y.long() if y.dtype == torch.bool else y
    file.put(f"{name}/y", y)
    if y.requires_grad:
        dy = positive(*y.shape)() * (2 * torch.randint(2, y.shape) - 1)
        file.put(f"{name}/dy", dy)
        wanted = [x for x in leaves if x.requires_grad]
        dx = iter(torch.autograd.grad(y, wanted, dy, allow_unused=True, materialize_grads=True))
        for i, x in enumerate(leaves):
            if x.requires_grad:
                file.put(f"{name}/dx{i}", next(dx))


def op(name, f, *inputs, **more):
    """f of its inputs; of the same with one row repeated; and `more` cases, name=[inputs]."""
    case(name, "plain", f, *inputs)
    case(name, "expanded", f, *inputs)
    for also, others in more.items():
        case(name, also, f, *others)


POINTS = values(-inf, -100, -21, -3, -1, -0.5, -1e-6, -0.0, 0, 1e-6, 0.3, 0.5, 1, 2.5, 19, 21, 100, inf, nan)
NUMBERS = [-inf, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, inf, nan]
LEFT = values(*[a for a in NUMBERS for _ in NUMBERS])
RIGHT = values(*[b for _ in NUMBERS for b in NUMBERS])
INTEGERS = values(-(2**63), -3, -1, 0, 1, 2, 7, 2**32, 2**63 - 1)
SMALL = [-(2**63), -3, -1, 0, 1, 2, 2**63 - 1]
LEFT_INT = values(*[a for a in SMALL for _ in SMALL])
RIGHT_INT = values(*[b for _ in SMALL for b in SMALL])


def unary(name, f, draw=reals, **more):
    op(name, f, draw(3, 4), points=[POINTS], scalar=[draw()], empty=[draw(0, 4)], **more)


def binary(name, f, left=reals, right=reals, integers=True):
    op(name, f, left(3, 4), right(3, 4), points=[LEFT, RIGHT], column_and_row=[left(3, 1), right(4)],
       matrix_and_scalar=[left(2, 3), right()], row_and_cube=[left(4), right(2, 3, 4)], empty=[left(0, 4), right(4)])
    if integers:
        case(name, "int64", f, LEFT_INT, RIGHT_INT)


# ---- arithmetic ----

binary("add", lambda a, b: a + b)
binary("sub", lambda a, b: a - b)
binary("mul", lambda a, b: a * b)
binary("div", lambda a, b: a / b, right=positive)
unary("neg", lambda x: -x, int64=[INTEGERS])
unary("x + 2", lambda x: x + 2, int64=[INTEGERS])
unary("2 - x", lambda x: 2 - x, int64=[INTEGERS])
unary("x * 3", lambda x: x * 3, int64=[INTEGERS])
unary("x / 3", lambda x: x / 3, int64=[INTEGERS])
unary("2 / x", lambda x: 2 / x, positive, int64=[INTEGERS])
unary("x * x", lambda x: x * x, int64=[INTEGERS])
binary("maximum", torch.maximum)
binary("minimum", torch.minimum)
binary("pow", torch.pow, left=positive, integers=False)
case("pow", "int64", torch.pow, values(-3, -1, 0, 1, 2, 3, 2, -3, 7), values(3, 5, 0, 9, 62, 41, 64, 0, 1))
unary("pow(x, 3)", lambda x: x**3, int64=[INTEGERS])
unary("pow(x, 2)", lambda x: x**2, int64=[INTEGERS])
unary("pow(x, 1)", lambda x: x**1, int64=[INTEGERS])
unary("pow(x, 0)", lambda x: x**0, int64=[INTEGERS])
unary("pow(x, 2.5)", lambda x: x**2.5, positive)
unary("pow(x, -1)", lambda x: x**-1.0, positive)
unary("pow(x, -0.5)", lambda x: x ** torch.tensor(-0.5, dtype=x.dtype), positive)  # a number -0.5 means rsqrt()
unary("pow(2, x)", lambda x: 2**x)
unary("pow(0, x)", lambda x: 0**x)
op("remainder", lambda a, b: torch.remainder(0.125 * a + 2.375, 1 + b / 64), reals(3, 4), positive(3, 4))
op("x % 0.7", lambda x: (0.125 * x + 1) % 0.7, reals(3, 4))
op("where", lambda m, a, b: torch.where(m != 0, a, b), below(2, 3, 4), reals(3, 4), reals(3, 4),
   broadcast=[below(2, 3, 1), reals(4), reals(2, 1, 1)], nan=[values(0, 1, 5, -1), values(nan, 1.0, inf, nan), values(2.0, nan, nan, nan)])

# ---- of one element ----

for name in "exp expm1 sin cos tanh erf sigmoid".split():
    unary(name, getattr(torch, name), int64=[values(-3, -1, 0, 1, 2)])
for name in "log log1p sqrt rsqrt reciprocal".split():
    unary(name, getattr(torch, name), positive, int64=[values(0, 1, 2, 7)])
for name in "square abs sign relu".split():
    unary(name, getattr(torch, name), int64=[INTEGERS])
unary("gelu", F.gelu)
unary("leaky_relu", lambda x: F.leaky_relu(x, 0.2))
unary("silu", F.silu)
unary("softplus", F.softplus)
unary("floor", lambda x: torch.floor(x) * x)
unary("softplus, beta 2, threshold 3", lambda x: F.softplus(x, 2, 3))
unary("softplus, also above 20", lambda x: F.softplus(x * 11))
unary("clamp", lambda x: x.clamp(-1, 0.5))
unary("clamp, crossed", lambda x: x.clamp(0.5, -1))

# ---- reduction ----

TIES = values([2.0, 2, 1], [3, 0, 0], [-inf, -inf, -inf], [inf, 1, inf], [1, nan, nan])
FAR = values([-inf, 0, 1], [-1000, 1000, 0], [-inf, -inf, -inf], [inf, 1, 2], [inf, inf, 0], [nan, 1, 2])
LARGE = values([1000.0, 1000, 999])
matrix, cube = reals(3, 4), reals(2, 3, 4)
WRAPS = values([2**63 - 1, 1], [2, 3])

op("sum", torch.sum, cube, scalar=[reals()], empty=[reals(0, 3)], int64=[WRAPS])
op("sum {0}", lambda x: x.sum(0), matrix, scalar=[reals()])
op("sum {1}", lambda x: x.sum(1), cube, empty=[reals(2, 0, 3)], int64=[WRAPS])
op("sum {0, -1}, keepdim", lambda x: x.sum((0, -1), True), cube, empty=[reals(0, 2, 3)])
op("mean", torch.mean, cube, scalar=[reals()], empty=[reals(0, 3)], ties=[TIES])
op("mean {1}", lambda x: x.mean(1), cube, empty=[reals(2, 0, 3)])
op("mean {-1}, keepdim", lambda x: x.mean(-1, True), matrix, scalar=[reals()])
op("mean {0, 2}, keepdim", lambda x: x.mean((0, 2), True), cube)
op("var", torch.var, matrix, one=[reals(1)], scalar=[reals()], empty=[reals(0, 3)])
op("var {1}", lambda x: x.var(1), matrix, one=[reals(3, 1)], empty=[reals(0, 3)], ties=[TIES])
op("var {0}, biased, keepdim", lambda x: x.var(0, correction=0, keepdim=True), matrix, one=[reals(1, 2)], empty=[reals(0, 3)], scalar=[reals()])
op("var {1}, correction 3", lambda x: x.var(1, correction=3), matrix, as_many=[reals(2, 3)], more=[reals(2, 2)])
op("std {1}", lambda x: x.std(1), matrix)
op("var_mean {0}", lambda x: x.var(0) * x.mean(0), matrix)
op("prod", torch.prod, reals(2, 3), empty=[reals(0, 3)], scalar=[reals()], one_zero=[values(2.0, 0, 4)], zeros=[values(0.0, 3, 0)], int64=[WRAPS])
op("prod {1}", lambda x: x.prod(1), cube, empty=[reals(2, 0, 3)])
op("prod {0, 2}, keepdim", lambda x: x.prod(2, True).prod(0, True), reals(2, 3, 2))
op("norm", lambda x: torch.linalg.vector_norm(x), matrix, scalar=[reals()], empty=[reals(0, 3)], zeros=[values(0.0, 0, 0)])
op("norm {1}", lambda x: x.norm(2, 1), matrix, zeros=[values([0.0, 0], [3, 4])])
op("norm 1 {0, 2}, keepdim", lambda x: x.norm(1, (0, 2), True), cube)
op("norm 3 {-1}", lambda x: x.norm(3, -1), matrix, zeros=[values([0.0, 0], [3, 4])])
op("norm 1.5 {0}", lambda x: x.norm(1.5, 0), matrix)
op("norm 0 {1}", lambda x: x.norm(0, 1) * x.sum(1), matrix, zeros=[values([0.0, 0], [3, 0])])
op("norm inf {1}", lambda x: x.norm(inf, 1), matrix)
op("norm -inf {1}", lambda x: x.norm(-inf, 1), matrix)
op("cumsum 1", lambda x: x.cumsum(1), matrix, empty=[reals(3, 0)], int64=[WRAPS])
op("cumsum 0", lambda x: x.cumsum(0), cube, scalar=[reals()])
op("chunk 1", lambda x: x.chunk(2, 1)[0] * x.chunk(2, 1)[1], matrix)
op("amax {2}", lambda x: x.amax(2), cube, empty=[reals(2, 0, 3)], int64=[below(3, 2, 3, 4)])
op("amin {0, 2}, keepdim", lambda x: x.amin((0, 2), True), cube)
op("amax {-1}", lambda x: x.amax(-1), matrix, ties=[TIES], scalar=[reals()])
op("amin {-1}", lambda x: x.amin(-1), matrix, ties=[TIES], scalar=[reals()])
op("logsumexp {1}", lambda x: x.logsumexp(1), matrix, far=[FAR], empty=[reals(3, 0)], int64=[values([0, 1], [-3, 7])])
op("logsumexp {-1}", lambda x: x.logsumexp(-1), matrix, scalar=[reals()])
op("logsumexp {0, 2}, keepdim", lambda x: x.logsumexp((0, 2), True), cube)
op("softmax 1", lambda x: x.softmax(1), matrix, far=[FAR], large=[LARGE], empty=[reals(3, 0)])
op("softmax 0", lambda x: x.softmax(0), cube, far=[FAR], scalar=[reals()])
op("log_softmax -1", lambda x: x.log_softmax(-1), matrix, scalar=[reals()], far=[FAR], large=[LARGE], empty=[reals(3, 0)])

# ---- products ----

op("matmul 2 x 2", torch.matmul, matrix, reals(4, 2), one=[reals(1, 1), reals(1, 1)], int64=[WRAPS, WRAPS])
op("matmul 2 x 2, no inner", torch.matmul, reals(3, 0), reals(0, 2))
op("matmul 1 x 1", torch.matmul, reals(4), reals(4), empty=[reals(0), reals(0)])
op("matmul 2 x 1", torch.matmul, matrix, reals(4), empty=[reals(3, 0), reals(0)])
op("matmul 1 x 2", torch.matmul, reals(4), reals(4, 2), empty=[reals(4), reals(4, 0)])
op("matmul 3 x 2", torch.matmul, cube, reals(4, 2))
op("matmul 2 x 3", torch.matmul, matrix, reals(2, 4, 2))
op("matmul 3 x 1", torch.matmul, cube, reals(4))
op("matmul 1 x 3", torch.matmul, reals(3), cube)
op("matmul of batches that broadcast", torch.matmul, reals(2, 1, 3, 4), reals(3, 4, 2), no_batch=[reals(0, 1, 3, 4), reals(3, 4, 2)])
op("linear", F.linear, matrix, reals(2, 4), reals(2))
op("linear, no bias", F.linear, matrix, reals(2, 4))
op("linear of rank 3", F.linear, cube, reals(2, 4), reals(2))
op("linear of rank 1", F.linear, reals(4), reals(2, 4), reals(2))
op("linear, no features", F.linear, reals(3, 0), reals(2, 0), reals(2), no_outputs=[reals(3, 4), reals(0, 4), reals(0)])

# ---- joining and picking ----

op("cat 0", lambda a, b: torch.cat([a, b, a]), matrix, reals(2, 4))
op("cat -1", lambda a, b: torch.cat([a, b], -1), matrix, reals(3, 2), empty=[reals(3, 4), reals(3, 0)])
op("cat 1 with [0]", lambda a, b, c: torch.cat([a, b, a, c], 1), reals(0), matrix, reals(3, 2))
op("stack 1", lambda a, b: torch.stack([a, b], 1), matrix, matrix)
op("stack -1", lambda a, b: torch.stack([a, b], -1), matrix, matrix, scalars=[reals(), reals()])
op("index_select 0", lambda x, i: x.index_select(0, i), matrix, below(3, 2), by_scalar=[matrix, below(3)],
   of_scalar=[reals(), below(1, 1)], scalars=[reals(), below(1)])
op("index_select 1 of a cube", lambda x, i: x.index_select(2, i), cube, below(4, 3))
op("index_select 1", lambda x, i: x.index_select(1, i), matrix, below(4, 6), none=[matrix, below(4, 0)])
op("gather 0", lambda x, i: x.gather(0, i), matrix, below(3, 2, 3), by_scalar=[reals(3), below(3)], of_scalar=[reals(), below(1, 5)], scalars=[reals(), below(1)])
op("gather -1", lambda x, i: x.gather(-1, i), matrix, below(4, 3, 6))

# ---- losses and normalisation ----

op("mse_loss", F.mse_loss, matrix, matrix, empty=[reals(0, 4), reals(0, 4)], scalar=[reals(), reals()])
op("mse_loss, sum", lambda x, t: F.mse_loss(x, t, reduction="sum"), matrix, matrix, empty=[reals(0, 4), reals(0, 4)])
op("mse_loss, none", lambda x, t: F.mse_loss(x, t, reduction="none"), matrix, matrix, empty=[reals(0, 4), reals(0, 4)])
op("mse_loss, none, broadcast", lambda x, t: F.mse_loss(x, t, reduction="none"), reals(3, 1), reals(4))
op("mse_loss, broadcast", F.mse_loss, matrix, reals(4))
op("cross_entropy", F.cross_entropy, matrix, below(4, 3), far=[FAR, values(0, 0, 0, 0, 0, 0)], empty=[reals(0, 4), below(4, 0)],
   certain=[values([1000.0, 0], [-1000, 0], [80, -80]), values(0, 1, 1)], impossible=[values([0, -inf], [0, 1.0]), values(1, 1)])


def batch_norm(training, eps=1e-5):
    """By the batch, or by a record of mean 0.3 and variance 1.7. x, weight, bias -> y"""
    return lambda x, weight=None, bias=None: F.batch_norm(
        x, *[None if training else torch.full((3,), value, dtype=x.dtype) for value in (0.3, 1.7)], weight, bias, training, eps=eps)


batch, per_channel = reals(4, 3, 2), positive(3)
op("batch_norm by the batch", batch_norm(True), batch, per_channel, per_channel)
op("batch_norm by the batch, plain", batch_norm(True), batch)
op("batch_norm by the batch, (N, C)", batch_norm(True, eps=0.1), reals(4, 3), per_channel)
op("batch_norm by the record", batch_norm(False), batch, per_channel, per_channel)
op("batch_norm by the record, bias alone", lambda x, b: batch_norm(False)(x, None, b), batch, per_channel)

# ---- views and copies ----

op("reshape", lambda x: x.reshape(x.shape[1] * 2, 4), cube)
op("view", lambda x: x.view(4, x.shape[1] * 2), cube)
op("flatten", lambda x: x.flatten(0, 1), cube)
case("flatten of a scalar", "plain", torch.flatten, reals())
op("flatten of dimension 0", lambda x: x.flatten(0, 0), matrix, scalar=[reals()])
op("transpose", lambda x: x.transpose(0, -1), cube, scalar=[reals()])
op("t", torch.t, matrix, vector=[reals(3)], scalar=[reals()])
op("permute", lambda x: x.permute(2, 0, -2), cube)
op("unsqueeze", lambda x: x.unsqueeze(1), matrix)
op("squeeze", lambda x: x.squeeze(1), reals(3, 1, 4), other=[reals(3, 2)])
op("squeeze -1", lambda x: x.squeeze(-1), reals(3, 1), other=[reals(1, 3)], scalar=[reals()])
op("expand", lambda x: x.expand(2, 3, -1), reals(1, 4))
op("select", lambda x: x[-1], matrix)
op("select 1", lambda x: x.select(1, 2), matrix)
op("slice", lambda x: x[..., 1:4:2], cube)
op("slice to nothing", lambda x: x[:, 3:2], matrix)
op("slice beyond the ends", lambda x: x[:, -9:99:3], matrix)
op("clone", torch.clone, matrix)
op("contiguous", lambda x: x.contiguous(), matrix)

# ---- in place ----

INPLACE = [matrix, reals(4)]
op("add_", lambda x, y: x.clone().add_(y), *INPLACE)
op("sub_", lambda x, y: x.clone().sub_(y), *INPLACE)
op("mul_", lambda x, y: x.clone().mul_(y), *INPLACE)
op("div_", lambda x, y: x.clone().div_(y), matrix, positive(4))
op("x += x", lambda x: (y := x * 2).add_(y), matrix)
op("x *= w, then x *= x[0]", lambda x, w: (x * 2).mul_(w).mul_(x.square()), *INPLACE)
op("add_ 2, mul_ 3", lambda x: x.clone().add_(2).mul_(3), matrix)
op("sub_ 2, div_ 3", lambda x: x.clone().sub_(2).div_(3), matrix)
op("clamp_", lambda x: x.clone().clamp_(-1, 0.5), matrix)
op("copy_", lambda x, y: x.clone().mul_(2).copy_(y), *INPLACE)
op("fill_", lambda x: x.clone().fill_(3) * x, matrix)
op("zero_", lambda x: x.clone().zero_() + x, matrix)

# ---- without a gradient ----

for sign, f in {"==": torch.eq, "!=": torch.ne, "<": torch.lt, "<=": torch.le, ">": torch.gt, ">=": torch.ge}.items():
    binary(sign, f)
    case(f"x {sign} 1", "points", lambda x: f(x, 1), POINTS)
    case(f"1 {sign} x", "points", lambda x: f(torch.tensor(1.0), x), POINTS)
mask = below(2, 3, 4)
op("logical_and", torch.logical_and, mask, below(3, 3, 4), floats=[LEFT, RIGHT])
op("logical_or", torch.logical_or, mask, below(3, 3, 4), floats=[LEFT, RIGHT])
op("logical_xor", torch.logical_xor, mask, below(3, 3, 4), floats=[LEFT, RIGHT])
op("logical_not", torch.logical_not, mask, points=[POINTS])
op("&", lambda a, b: a & b, mask, mask)
op("|", lambda a, b: a | b, mask, mask)
op("!", lambda x: 1 - x, mask)
op("isnan", torch.isnan, matrix, points=[POINTS])
op("isinf", torch.isinf, matrix, points=[POINTS])
op("isfinite", torch.isfinite, matrix, points=[POINTS])
op("argmin 1", lambda x: x.argmin(1), matrix, ties=[TIES], int64=[values([3, 7, 7], [-1, -1, -2])])
op("argmin 0, keepdim", lambda x: x.argmin(0, keepdim=True), cube, empty=[reals(3, 0)], scalar=[reals()])
op("argmax 1", lambda x: x.argmax(1), matrix, ties=[TIES], int64=[values([3, 7, 7], [-1, -1, -2])])
op("argmax 0, keepdim", lambda x: x.argmax(0, keepdim=True), cube, empty=[reals(3, 0)], scalar=[reals()])
op("one_hot", lambda i: F.one_hot(i, 4), below(4, 3), matrix=[below(4, 2, 3)], scalar=[below(4)])

# ---- from nothing ----

for dtype in (torch.float32, torch.float64):
    name = str(dtype).removeprefix("torch.")
    case(f"arange(0, 1, 0.1) {name}", "plain", lambda: torch.arange(0, 1, 0.1, dtype=dtype))
    case(f"arange(1, 1.3, 0.1) {name}", "plain", lambda: torch.arange(1, 1.3, 0.1, dtype=dtype))
    case(f"arange(2, -1, -0.3) {name}", "plain", lambda: torch.arange(2, -1, -0.3, dtype=dtype))
    case(f"linspace(-0.3, 0.7, 11) {name}", "plain", lambda: torch.linspace(-0.3, 0.7, 11, dtype=dtype))
    case(f"linspace(2, 1, 1) {name}", "plain", lambda: torch.linspace(2, 1, 1, dtype=dtype))
    case(f"eye(3) {name}", "plain", lambda: torch.eye(3, dtype=dtype))
case("arange(7, -2, -3) int64", "plain", lambda: torch.arange(7, -2, -3))
case("linspace(0, 10, 4) int64", "plain", lambda: torch.linspace(0, 10, 4, dtype=torch.int64))

file.save()

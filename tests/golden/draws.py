"""What PyTorch 2.15 draws for a seed. Run: python3 tests/golden/draws.py"""

import torch
from golden import File

file = File(__file__)
SEED = 42
DTYPES = (torch.float32, torch.float64)


def put(name, draw):
    """The draw, and the number after it: as many have been taken from the sequence."""
    torch.manual_seed(SEED)
    file.put(name, draw())
    file.put(f"{name}/next", torch.rand(1))


for dtype in DTYPES:
    suffix = str(dtype).removeprefix("torch.")
    for n in (0, 1, 2, 15, 16, 17, 33):  # the sequence turns over after 624 draws; below, too
        put(f"rand {n} {suffix}", lambda: torch.rand(n, dtype=dtype))
        put(f"randn {n} {suffix}", lambda: torch.randn(n, dtype=dtype))
    put(f"rand 5x7x20, the end {suffix}", lambda: torch.rand(5, 7, 20, dtype=dtype)[4, 6])

# 2^28 is where the draws become wide.
for low, high in ((0, 1), (-2, 3), (0, 2**28 - 1), (0, 2**28), (-5, 2**40), (-(2**63), 2**63 - 1)):
    put(f"randint {low} {high}", lambda: torch.randint(low, high, (2, 4)))
for n in (0, 1, 2, 10, 100):
    put(f"randperm {n}", lambda: torch.randperm(n))

# One kind after the other, where randn keeps a spare number.
torch.manual_seed(SEED)
for i, draw in enumerate([
    lambda: torch.rand(3), lambda: torch.randn(5), lambda: torch.randint(0, 9, (4,)), lambda: torch.randn(1),
    lambda: torch.randn(3, dtype=torch.float64), lambda: torch.randn(17), lambda: torch.rand(2, dtype=torch.float64),
    lambda: torch.randn(2), lambda: torch.randperm(6), lambda: torch.nn.Linear(3, 2).weight, lambda: torch.rand(1),
]):
    file.put(f"sequence/{i}", draw())

file.save()

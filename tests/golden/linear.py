"""The weights that torch.nn.Linear of PyTorch 2.15 draws for a seed.
Run: python3 tests/golden/linear.py"""

import torch
from golden import File
from torch import nn

file = File(__file__)


def checksum(tensor):
    """FNV-1a of the bytes, as a signed number: for weights too many to write down."""
    value = 0xCBF29CE484222325
    for byte in tensor.detach().numpy().tobytes():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return torch.tensor(value - 2**64 if value >= 2**63 else value)


def put_all(name, model):
    for path, tensor in model.state_dict().items():
        file.put(f"{name}/{path}", tensor)


# Sizes below and above 16, where PyTorch's normal numbers change their order: uniform ones must not.
for seed in (0, 42, 2**63 + 11):
    for size in ((1, 1), (10, 5), (7, 3), (64, 2), (0, 4), (3, 0), (1, 17), (31, 1)):
        torch.manual_seed(seed)
        put_all(f"seed{seed}/{size[0]}to{size[1]}", nn.Linear(*size))

for size in ((300, 700), (784, 129), (1, 5000), (4097, 1)):
    torch.manual_seed(1)
    layer = nn.Linear(*size)
    file.put(f"checksum/{size[0]}to{size[1]}/weight", checksum(layer.weight))
    file.put(f"checksum/{size[0]}to{size[1]}/bias", checksum(layer.bias))

torch.manual_seed(7)
file.put("without_bias/weight", nn.Linear(4, 3, bias=False).weight)
file.put("without_bias/next", nn.Linear(2, 1).weight)  # no bias was drawn in between

torch.manual_seed(3)
put_all("sequential", nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)))

torch.manual_seed(5)
put_all("nested", nn.Sequential(
    nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 3, bias=False), nn.BatchNorm1d(3))),
    nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 2))))

file.save()

"""The weights that torch.nn.Linear draws for a seed. Run: python3 tests/golden/linear.py"""

import torch
from golden import File

file = File(__file__)

# Sizes below and above 16, where PyTorch's normal numbers change their order: uniform ones must not.
for seed in (0, 42, 2**63 + 11):
    for size in ((1, 1), (10, 5), (7, 3), (64, 2), (0, 4)):
        torch.manual_seed(seed)
        layer = torch.nn.Linear(*size)
        name = f"seed{seed}/{size[0]}to{size[1]}"
        file.put(f"{name}/weight", layer.weight)
        file.put(f"{name}/bias", layer.bias)

torch.manual_seed(7)
file.put("without_bias/weight", torch.nn.Linear(4, 3, bias=False).weight)
file.put("without_bias/next", torch.nn.Linear(2, 1).weight)  # no bias was drawn in between

torch.manual_seed(3)
model = torch.nn.Sequential(
    torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.ReLU(), torch.nn.Linear(6, 2))
for name, tensor in model.state_dict().items():
    file.put(f"sequential/{name}", tensor)

file.save()

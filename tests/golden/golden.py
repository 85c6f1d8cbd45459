"""What the scripts in this folder share: PyTorch 2.15, and the file format that
tests/support/golden.h reads.

One tensor a line: name, dtype, shape, values in row-major order, with as many digits as bring the
same bits back.
"""

import os

import torch

assert torch.__version__.startswith("2.15."), f"these numbers are PyTorch 2.15's, not {torch.__version__}'s"

DTYPES = {torch.float32: ("float32", "%.9g"), torch.float64: ("float64", "%.17g"), torch.int64: ("int64", "%d")}


class File:
    def __init__(self, script):
        self.lines = [f"# Written by {os.path.basename(script)} with PyTorch {torch.__version__}."]
        self.path = os.path.splitext(script)[0] + ".txt"

    def put(self, name, tensor):
        tensor = tensor.detach().contiguous()
        dtype, spec = DTYPES[tensor.dtype]
        shape = "x".join(map(str, tensor.shape)) or "scalar"
        values = " ".join(spec % v for v in tensor.flatten().tolist())
        self.lines.append(f"{name}: {dtype} {shape} {values}".rstrip())

    def save(self):
        with open(self.path, "w") as file:
            file.write("\n".join(self.lines) + "\n")

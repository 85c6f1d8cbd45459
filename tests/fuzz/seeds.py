#!/usr/bin/env python3
"""Writes the seeds of the fuzz target into corpus/: programs in the bytes that fuzz.cpp reads.

A name stands for the number of that call; a number for itself. The place for a result follows
the arguments. In the pool at first: 0 float32 [3, 4], 1 float64 [2, 3] transposed, 2 int64 [2, 3],
3 [3, 1] and 5 [3] that require a gradient, 4 [2, 3, 2] with steps, 6 a float64 scalar, 7 [0, 3].
"""

import pathlib
import re

here = pathlib.Path(__file__).parent
text = (here / "tensor_calls.cpp").read_text() + (here / "model_calls.cpp").read_text()
calls = re.findall(r'^ {6}\{"([^"]+)", (?:exact|rounded|effect),', text, re.MULTILINE)
number = {name: i for i, name in enumerate(calls)}

TABLE = 255  # then the number of the op in the tests' table, and its tensors
NONE = 255  # an undefined tensor
MIN, MAX = 220, 222  # as an index or a size: the smallest and the largest integer

seeds = {
    "create": ["full", 2, 3, 4, 5, 0, 0, 0, "arange", 4, 9, 5, 0, 0, 1, "eye", 7, 1, 0, 2],
    "create_absurd": ["zeros", 2, MAX, MAX, 0, 0, 0, "linspace", 4, 5, MIN, 0, 0, 0, "randperm", MAX, 0],
    "views": ["reshape", 0, 2, 8, 10, 1, "permute", 4, 3, 6, 4, 5, 2, "slice", 2, 5, 4, 8, 6, 3, "t", 1, 4],
    "views_absurd": ["select", 0, MIN, MAX, "slice", 0, 4, MIN, MAX, MAX, 1, "expand", 3, 2, 7, MAX, 2],
    "empty_sizes": ["zeros", 3, MAX, 0, 4, 0, 0, 0, "cat", 2, 0, 0, 4, 1, "print", 0, 1, "sum", 0, 0, 0, 1],
    "in_place": ["add_", 0, 3, 0, "clone", 0, 1, "mul_", 1, 1, 1, "copy_", 1, 0, 1, "clamp_", 1, 2, 6, 1],
    "in_place_in_graph": ["x + scalar", 5, 5, 0, "mul_", 0, 5, 0, "backward of the sum", 0, 0, 0],
    "in_place_through_view": ["x + scalar", 5, 5, 0, "slice", 0, 4, 4, 6, 5, 1, "fill_", 1, 4, 1],
    "backward": [TABLE, 2, 3, 5, 0, "backward of the sum", 0, 0, 0, "its grad", 3, 1],
    "backward_twice": [TABLE, 2, 3, 5, 0, "backward of the sum", 0, 1, 0, "backward of the sum", 0, 0, 0],
    "second_order": [TABLE, 10, 5, 0, "sum", 0, 0, 0, 1, "grad()", 1, 1, 1, 5, 0, 0, 1, 0, 2,
                     "backward of the sum", 2, 0, 0],
    "hooks": ["register_hook", 5, 1, "register_hook", 3, 5, TABLE, 2, 3, 5, 0, "backward of the sum", 0, 0, 0],
    "hook_throws": ["register_hook", 5, 3, TABLE, 2, 3, 5, 0, "backward of the sum", 0, 0, 0],
    "set_grad": ["set_grad", 5, 5, "its grad", 5, 0, "add_", 0, 0, 0, "set_grad", 5, NONE],
    "retain_grad": ["x + scalar", 5, 5, 0, "retain_grad", 0, 0, "backward of the sum", 0, 0, 0],
    "no_grad": ["grad mode", 1, "mul_", 5, 5, 5, "grad mode", 0, "requires_grad_", 0, 1, 0],
    "reduce": ["var", 4, 2, 5, 6, 5, 1, 0, "argmax", 4, 6, 1, 1, "logsumexp", 4, 1, 3, 0, 2],
    "products": ["t", 0, 1, "matmul", 0, 1, 2, "linear", 0, 0, 5, 3, "matmul", 4, 4, 3],
    "picking": ["gather", 0, 5, 2, 0, "index_select", 0, 4, 2, 1, "one_hot", 2, 7, 2, "stack", 2, 0, 0, 4, 3],
    "batch_norm": ["batch_norm", 0, NONE, NONE, NONE, NONE, 1, 5, 255, 0],
    "train": ["SGD", 0, 0, 1, 133, 0, 0, 0, 0, "net(x)", 0, 1, "backward of the sum", 1, 0, 0, "step",
              "net(x)", 0, 1, "backward of the sum", 1, 0, 0, "step", "sgd.zero_grad", 1],
    "modes": ["net(x)", 0, 1, "stats mode", 1, "net(x)", 0, 1, "stats mode", 2, "net(x)", 0, 1, "train", 0,
              "net(x)", 0, 1, "freeze", 0, 0, "reset_running_stats"],
    "untracked": ["build a net", 4, 3, 0, 0, 0, 1, 0, "net(x)", 0, 1, "stats mode", 2, "stats mode", 0,
                  "net(x)", 0, 1],
    "load": ["net.load_state_dict", 3, 0, 5, 1, "net.load_state_dict", 5, 0, 0, 0, "buffer copy_", 1, 5],
    "records": ["net(x)", 0, 1, "snapshot_stats", "select_stats", 1, "net(x)", 0, 1, "SelectStats", 0,
                "AccumulateStats", 2, 0, 0, 1, "restore_stats", "estimate", 2, 0, 0, "copy_stats", 3, 0, 0, 0, 0, 0],
    "audit": ["net(x)", 0, 1, "snapshot_stats", "net(x)", 0, 1, "audit_stats", 2, 0, 0, 0],
    "guard": ["StatsGuard", 2, 0, 1, "StatsGuard", 1, 0, 1, "net(x)", 0, 1],
    "convert": ["net.to", 1, "to", 0, 1, 0, "net(x)", 0, 1, "net.to", 2, "to", 0, 2, 1],

    # once failed
    "var_correction": ["var", 4, 1, 4, MIN, 0, 0],
    "print_huge_empty": ["zeros", 2, MAX, 0, 0, 0, 0, "print", 0, 0],
    "chunk_one_part": [TABLE, 78, 3, 0],
    "reduce_huge_empty": ["zeros", 2, 0, MAX, 0, 0, 0, "sum", 0, 1, 5, 0, 0],
}

for name, program in seeds.items():
    values = bytes(number[x] if isinstance(x, str) else x for x in program)
    (here / "corpus" / name).write_bytes(values)

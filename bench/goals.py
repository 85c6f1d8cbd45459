"""What the rows have to reach. A row passes at its ratio to libtorch, or at 97 % of its limit."""

from typing import NamedTuple


class Goal(NamedTuple):
    ratio: float  # libtorch's time over Cairn's, at least
    share: float = 0.97  # the limit's time over Cairn's, which also suffices
    dlib: float = 0  # dlib's time over Cairn's, at least
    least_share: float = 0  # the limit's time over Cairn's, which the row needs besides


GOALS = {
    "simple_step": Goal(25, dlib=2, least_share=0.40),
    "simple_infer": Goal(12),
    "linear_infer_b1": Goal(5),
    "mlp_s": Goal(2.2, dlib=1, least_share=0.88),
    "mlp_s_bn": Goal(2.6, least_share=0.88),
    "mlp_m": Goal(1.05, dlib=1, least_share=0.95),
    "mlp_m_bn": Goal(1.08, least_share=0.95),
    "mlp_l": Goal(1.02, least_share=0.95),
    "bn1d_32x64_train_fb": Goal(10),
    "bn1d_32x64_eval_fb": Goal(10),
    "bn1d_4096x1024_train_f": Goal(1.3),
    "bn1d_4096x1024_train_fb": Goal(2),
    "bn1d_4096x1024_eval_fb": Goal(1.3),
    "bn1d_256x64x256_train_fb": Goal(2.4),
    "bn1d_256x64x256_eval_fb": Goal(1.3),
    "bn2d_32x64x56x56_train_f": Goal(3.5),
    "bn2d_32x64x56x56_train_fb": Goal(2.5),
    "bn2d_32x64x56x56_eval_f": Goal(1.1),
    "bn2d_32x64x56x56_eval_fb": Goal(1.3),
    "bn2d_32x512x7x7_train_fb": Goal(3.5),
    "bn3d_8x32x16x28x28_train_fb": Goal(2.8),
    "linear_512x1024x1024": Goal(1.0),
    "matmul_2048": Goal(1.0),
    "add_1e7": Goal(5),
    "exp_1e7": Goal(5),
    "sum_1e7": Goal(1.2),
    "sum_dim0_4096sq": Goal(1.8),
    "sum_dim1_4096sq": Goal(1.1),
    "bias_add_4096sq": Goal(4),
    "transpose_copy_4096sq": Goal(2),
    "add_transposed_4096sq": Goal(6),
    "add_1000": Goal(6),
    "mse_1e7": Goal(4),
    "chain_sq_exp_1e6": Goal(2),
    "sgd_100x1000": Goal(12),
    "sgd_10x1e6": Goal(1.7),
    "tiny_graph": Goal(28),
    "scalar_chain_1000": Goal(20),
}

# Work of growing size, in time a unit: the sizes, and how much a unit may cost in all of them
# compared with the smallest. For norms and layers over batches a unit is a sample, and its cost
# may only fall. A long chain leaves the caches, so its units may cost three times as much.
GROWTH = {
    "chain": ((1000, 10_000, 100_000, 1_000_000), 3),
    "grad": ((100, 1000, 10_000), 1.3),
    "sequential": ((10, 100, 1000), 1.3),
    "load": ((10, 100, 1000, 8000), 1.3),
    "sgd_tensors": ((10, 100, 1000, 10_000), 1.3),
    "bn_batch": ((2, 8, 32, 128, 512, 4096), 1.3),
    "linear_batch": ((1, 8, 32, 128, 512, 4096), 1.3),
}

# Rows whose heap is compared: the bytes at the peak of one run, above those at its start.
MEMORY = {"mlp_m_bn": 1, "bn2d_32x64x56x56_train_fb": 1, "chain_100000": 100_000}

FLOPS = {"matmul_2048": 2 * 2048**3}

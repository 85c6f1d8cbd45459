// A batch of two channels whose statistics are short numbers, and the records that follow from it.
#pragma once

#include "support/stats.h"

#include <cairn/core/ops.h>
#include <cairn/nn/batch_norm.h>

namespace cairn::test::two_channels {

/// Means 2 and 6, biased variances 1 and 4, unbiased 4/3 and 16/3.
inline Tensor batch() { return tensor({{1, 4}, {1, 4}, {3, 8}, {3, 8}}); }

/// With this eps, y is ±1 where the batch normalises, and x itself where a record of (0, 1) does.
inline const nn::BatchNormOptions exact{.eps = 0};
inline const nn::BatchNormOptions exact_untracked{.eps = 0, .track_running_stats = false};
inline Tensor by_batch() { return tensor({{-1, -1}, {-1, -1}, {1, 1}, {1, 1}}); }

inline const Record initial = initial_record(2);
/// 0.1 of the batch in float: 0.2f, 0.6f, 0.9 + 0.4/3, 0.9 + 1.6/3.
inline const Record after_one{
    {0.2f, 0.6f},
    {static_cast<float>(0.9 + 0.1 * 4 / 3), static_cast<float>(0.9 + 0.1 * 16 / 3)},
    1};

}  // namespace cairn::test::two_channels

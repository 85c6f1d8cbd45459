// The passes over memory that batch normalisation makes; raw pointers and sizes only.
// All arithmetic is in double and rounded once. Results do not depend on the number of threads.
#pragma once

#include <cstdint>

namespace cairn::kernels {

/// (rows, channels, columns): batch, channel, and all positions joined.
struct ChannelSizes {
  int64_t rows, channels, columns;
};

/// One operand of these sizes.
template <class T>
struct ChannelData {
  T* data;
  int64_t row_stride, channel_stride, column_stride;
};

/// How many doubles of workspace channel_moments and channel_products want.
int64_t workspace_size(const ChannelSizes& n);

/// mean[c], what of it is lost in rounding, and the biased var[c] of each channel. At least one
/// value a channel.
template <class T>
void channel_moments(const ChannelSizes& n, const ChannelData<const T>& x, double* mean,
                     double* rest, double* var, double* workspace);

/// sum[c] = Σ g and product[c] = Σ g (x - mean[c]).
template <class T>
void channel_products(const ChannelSizes& n, const ChannelData<const T>& g,
                      const ChannelData<const T>& x, const double* mean, double* sum,
                      double* product, double* workspace);

/// y = (x - mean[c]) scale[c] + shift[c]
template <class T>
void channel_affine(const ChannelSizes& n, const ChannelData<const T>& x, const double* mean,
                    const double* scale, const double* shift, const ChannelData<T>& y);

/// dx = scale[c] (g - offset[c] - (x - mean[c]) slope[c])
template <class T>
void channel_input_gradient(const ChannelSizes& n, const ChannelData<const T>& g,
                            const ChannelData<const T>& x, const double* mean, const double* scale,
                            const double* offset, const double* slope, const ChannelData<T>& dx);

}  // namespace cairn::kernels

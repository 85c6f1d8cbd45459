// All of Cairn.
#pragma once

#include <cairn/core/autograd.h>
#include <cairn/core/format.h>
#include <cairn/core/machine.h>
#include <cairn/core/ops.h>
#include <cairn/core/random.h>
#include <cairn/core/record.h>
#include <cairn/core/state_dict.h>
#include <cairn/core/tensor.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/clone.h>
#include <cairn/nn/external.h>
#include <cairn/nn/init.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>
#include <cairn/nn/loss.h>
#include <cairn/nn/module.h>
#include <cairn/nn/nan_guard.h>
#include <cairn/nn/parameter.h>
#include <cairn/nn/stats.h>
#include <cairn/nn/stats_audit.h>
#include <cairn/optim/optimizer.h>
#include <cairn/optim/sgd.h>

// Calls of autograd, modules, optimizers and statistics.
#include "fuzz/calls.h"

#include <fmt/format.h>

namespace cairn::fuzz {
namespace {

nn::BatchNormOptions norm_options(Program& p) {
  nn::BatchNormOptions options;
  if (p.flag()) options.eps = p.real();
  if (p.flag()) options.momentum = p.flag() ? std::optional(p.real()) : std::nullopt;
  options.affine = !p.flag();
  options.track_running_stats = !p.flag();
  options.check_finite = p.flag();
  return options;
}

optim::SGDOptions sgd_options(Program& p) {
  optim::SGDOptions options{.lr = 0.1};
  for (double* value :
       {&options.lr, &options.momentum, &options.dampening, &options.weight_decay}) {
    if (p.flag()) *value = p.real();
  }
  options.nesterov = p.flag();
  options.maximize = p.flag();
  return options;
}

BackwardOptions backward_options(Args& a) {
  BackwardOptions options{.retain_graph = a.p.flag(), .create_graph = a.p.flag()};
  if (options.create_graph && a.world.differentiable_walks-- <= 0) options.create_graph = false;
  return options;
}

Tensor hook(uint8_t kind, const Tensor& g) {
  switch (kind % 6) {
    case 0:
      return {};
    case 1:
      return g * 2;
    case 2:
      return g.sum();  // of another shape
    case 3:
      throw Error("hook: thrown");
    case 4:
      return g.to(DType::float64);
    default: {
      const GradMode enabled(true);
      const Tensor x = g.detach().requires_grad_();
      return grad({(x * x).sum()}, {x})[0];
    }
  }
}

Buffer& buffer(Args& a) {
  nn::BatchNorm1d& norm = a.world.net->norm;
  return *a.p.one_of({&norm.running_mean, &norm.running_var, &norm.num_batches_tracked});
}

}  // namespace

std::vector<Call> model_calls() {
  using enum Call::Kind;
  return {
      // autograd
      {"requires_grad_", effect,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.requires_grad_(a.p.flag());
       }},
      {"backward", effect,
       [](Args& a) {
         const Tensor x = a.tensor();
         const Tensor g = a.p.flag() ? a.tensor() : Tensor();
         x.backward(g, backward_options(a));
         return Tensor();
       }},
      {"backward of the sum", effect,
       [](Args& a) {
         const Tensor x = a.tensor().sum();
         x.backward({}, backward_options(a));
         return Tensor();
       }},
      {"grad()", effect,
       [](Args& a) {
         const std::vector<Tensor> y = a.tensors(), x = a.tensors(), g = a.tensors();
         const BackwardOptions o = backward_options(a);
         const std::vector<Tensor> dx = grad(y, x,
                                             {.grad_outputs = g,
                                              .retain_graph = o.retain_graph,
                                              .create_graph = o.create_graph,
                                              .allow_unused = a.p.flag()});
         for (std::size_t i = 0; i < x.size(); ++i)
           expect(!dx[i].defined() || dx[i].shape() == x[i].shape(),
                  "a gradient has its input's shape", "grad()");
         return dx[0];
       }},
      {"set_grad", effect,
       [](Args& a) {
         Tensor x = a.tensor();
         x.set_grad(a.tensor());
         return Tensor();
       }},
      {"its grad", effect, [](Args& a) { return a.tensor().grad(); }},
      {"retain_grad", effect,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.retain_grad();
       }},
      {"register_hook", effect,
       [](Args& a) {
         Tensor x = a.tensor();
         const uint8_t kind = a.p.byte();
         HookHandle handle = x.register_hook([kind](const Tensor& g) { return hook(kind, g); });
         if (kind > 200) handle.remove();
         return Tensor();
       }},
      {"grad mode", effect,
       [](Args& a) {
         a.world.grad_enabled = !a.p.flag();
         return Tensor();
       }},

      // modules
      {"build a net", effect,
       [](Args& a) {
         const int64_t in = a.p.size(), out = a.p.size();
         Net net(in, out, norm_options(a.p));
         if (in * out <= most_elements) {
           a.world.sgd.reset();
           a.world.net.emplace(std::move(net));
         }
         return Tensor();
       }},
      {"net(x)", effect, [](Args& a) { return (*a.world.net)(a.tensor()); }},
      {"norm(x)", effect, [](Args& a) { return a.world.net->norm(a.tensor()); }},
      {"train", effect,
       [](Args& a) {
         a.world.net->train(a.p.flag());
         return Tensor();
       }},
      {"stats mode", effect,
       [](Args& a) {
         a.world.net->norm.set_stats_mode(
             a.p.one_of({nn::StatsMode::track, nn::StatsMode::hold, nn::StatsMode::frozen}));
         return Tensor();
       }},
      {"reset_running_stats", effect,
       [](Args& a) {
         a.world.net->norm.reset_running_stats();
         return Tensor();
       }},
      {"freeze", effect,
       [](Args& a) {
         buffer(a).requires_grad_(a.p.flag());
         return Tensor();
       }},
      {"unfreeze", effect,
       [](Args& a) {
         buffer(a).unfreeze();
         return Tensor();
       }},
      {"buffer copy_", effect,
       [](Args& a) {
         Buffer& b = buffer(a);
         b.copy_(a.tensor());
         return Tensor();
       }},
      {"a buffer", effect, [](Args& a) { return buffer(a).tensor(); }},
      {"a parameter", effect,
       [](Args& a) {
         const std::vector<Tensor> all = a.world.net->parameters();
         return Tensor(all.at(a.p.byte() % all.size()));
       }},
      {"net.to", effect,
       [](Args& a) {
         a.world.net->to(a.p.dtype());
         return Tensor();
       }},
      {"net.requires_grad_", effect,
       [](Args& a) {
         a.world.net->requires_grad_(a.p.flag());
         return Tensor();
       }},
      {"net.zero_grad", effect,
       [](Args& a) {
         a.world.net->zero_grad();
         return Tensor();
       }},
      {"net.load_state_dict", effect,
       [](Args& a) {
         StateDict dict = a.world.net->state_dict();
         const char* const name =
             a.p.one_of({"linear.weight", "linear.bias", "norm.weight", "norm.running_var",
                         "norm.num_batches_tracked", "other"});
         if (a.p.flag())
           dict.erase(name);
         else
           dict[name] = a.tensor();
         a.world.net->load_state_dict(dict, {.strict = a.p.flag()});
         return Tensor();
       }},
      {"mse_loss", rounded,
       [](Args& a) {
         const Tensor x = a.tensor(), y = a.tensor();
         return nn::MSELoss(
             {.reduction = a.p.one_of({Reduction::mean, Reduction::sum, Reduction::none}),
              .broadcast = a.p.flag()})(x, y);
       }},

      // optimizers
      {"SGD", effect,
       [](Args& a) {
         const std::vector<Tensor> params = a.p.flag() ? a.tensors() : a.world.net->parameters();
         a.world.sgd = std::make_unique<optim::SGD>(params, sgd_options(a.p));
         return Tensor();
       }},
      {"add_group", effect,
       [](Args& a) {
         const std::vector<Tensor> params = a.tensors();
         if (a.world.sgd) {
           const optim::SGDOptions o = sgd_options(a.p);
           a.world.sgd->add_group(params,
                                  {.lr = o.lr, .momentum = o.momentum, .nesterov = o.nesterov});
         }
         return Tensor();
       }},
      {"step", effect,
       [](Args& a) {
         if (a.world.sgd) a.world.sgd->step();
         return Tensor();
       }},
      {"sgd.zero_grad", effect,
       [](Args& a) {
         if (a.world.sgd) a.world.sgd->zero_grad({.set_to_none = a.p.flag()});
         return Tensor();
       }},
      {"a group's options", effect,
       [](Args& a) {
         if (a.world.sgd)
           static_cast<optim::SGDOptions&>(a.world.sgd->groups()[0]) = sgd_options(a.p);
         return Tensor();
       }},
      {"lr by group", effect,
       [](Args& a) {
         if (a.world.sgd) a.world.sgd->lr(a.p.flag() ? 0 : 1) = a.p.flag() ? 0.01 : -1;
         return Tensor();
       }},
      {"move the SGD", effect,
       [](Args& a) {
         if (a.world.sgd) {
           optim::SGD moved = std::move(*a.world.sgd);
           *a.world.sgd = std::move(moved);
         }
         return Tensor();
       }},
      {"sgd.load_state_dict", effect,
       [](Args& a) {
         if (!a.world.sgd) return Tensor();
         StateDict dict = a.world.sgd->state_dict();
         dict[a.p.one_of({"groups.0.lr", "groups.0.nesterov", "state.0.momentum_buffer",
                          "state.1.momentum_buffer", "other"})] = a.tensor();
         a.world.sgd->load_state_dict(dict);
         return Tensor();
       }},

      // randomness
      {"set_state", effect,
       [](Args& a) {
         default_generator().set_state(a.p.flag() ? default_generator().state() : a.tensor());
         return Tensor();
       }},

      // statistics
      {"select_stats", effect,
       [](Args& a) {
         nn::select_stats(*a.world.net, a.p.one_of({"main", "clean", "", "a.b"}),
                          {.create = a.p.flag()});
         return Tensor();
       }},
      {"add_stats", effect,
       [](Args& a) {
         nn::add_stats(*a.world.net, a.p.one_of({"clean", "noisy"}));
         return Tensor();
       }},
      {"erase_stats", effect,
       [](Args& a) {
         nn::erase_stats(*a.world.net, a.p.one_of({"clean", "noisy"}));
         return Tensor();
       }},
      {"rename_stats", effect,
       [](Args& a) {
         nn::rename_stats(*a.world.net, a.p.one_of({"clean", "noisy"}),
                          a.p.one_of({"clean", "night", "main"}));
         return Tensor();
       }},
      {"copy a record", effect,
       [](Args& a) {
         nn::copy_stats(*a.world.net, a.p.one_of({"main", "clean"}), a.p.one_of({"main", "noisy"}),
                        {.create = a.p.flag()});
         return Tensor();
       }},
      {"clone", effect,
       [](Args& a) {
         const nn::BatchNorm1d copy = nn::clone(a.world.net->norm);
         return copy.running_mean.clone();
       }},
      {"SelectStats", effect,
       [](Args& a) {
         const nn::SelectStats guard(*a.world.net, a.p.one_of({"main", "noisy", "a.b"}),
                                     {.create = a.p.flag()});
         return Tensor();
       }},
      {"StatsGuard", effect,
       [](Args& a) {
         const nn::StatsGuard guard(
             *a.world.net,
             a.p.one_of({nn::StatsMode::track, nn::StatsMode::hold, nn::StatsMode::frozen}));
         return (*a.world.net)(a.tensor());
       }},
      {"AccumulateStats", effect,
       [](Args& a) {
         const nn::AccumulateStats guard(*a.world.net);
         Tensor y;
         for (const Tensor& x : a.tensors()) y = (*a.world.net)(x);
         return y;
       }},
      {"estimate", effect,
       [](Args& a) {
         nn::estimate_running_stats(*a.world.net, a.tensors());
         return Tensor();
       }},
      {"snapshot_stats", effect,
       [](Args& a) {
         a.world.snapshot = nn::snapshot_stats(*a.world.net);
         return Tensor();
       }},
      {"restore_stats", effect,
       [](Args& a) {
         nn::restore_stats(*a.world.net, a.world.snapshot);
         return Tensor();
       }},
      {"copy_stats", effect,
       [](Args& a) {
         const Net other(4, a.p.size(), norm_options(a.p));
         nn::copy_stats(other, *a.world.net);
         return Tensor();
       }},
      {"audit_stats", effect,
       [](Args& a) {
         return tensor(
             to_string(nn::audit_stats(*a.world.net, a.world.snapshot, a.tensors())).size());
       }},
  };
}

}  // namespace cairn::fuzz

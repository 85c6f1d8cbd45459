// The base of the optimizers. It owns the groups, the checks, the steps and the saved state. Each
// optimizer adds its options, the names of its state and its arithmetic.
#pragma once

#include <cairn/core/autograd.h>
#include <cairn/core/load_plan.h>
#include <cairn/core/state_dict.h>

#include <array>
#include <span>
#include <vector>

namespace cairn::optim {

using cairn::ZeroGradOptions;

/// Base of the optimizers. They can be moved; a moved-from one throws Error when it is used.
class CAIRN_API Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Takes a step for every parameter that has a gradient. The gradients do not change. After a
  /// throw nothing has changed.
  virtual void step() = 0;

  /// Drops every parameter's gradient.
  virtual void zero_grad(const ZeroGradOptions& options = {}) = 0;

  virtual std::size_t group_count() const = 0;
  /// The learning rate of a group, which a scheduler reads and sets. The reference is good until a
  /// group is added.
  virtual double& lr(std::size_t group) = 0;

  /// Copies of all options and all state, as groups.<group>.<option> and state.<parameter>.<name>.
  virtual StateDict state_dict() const = 0;
  /// Throws Error unless the values are those of an optimizer over as many parameters of the same
  /// shapes. The Error lists every difference. After a throw nothing has changed.
  virtual void load_state_dict(const StateDict& values) = 0;
  /// Adds the same load, or its problems, to a plan of a larger load. Until plan.commit(), do not
  /// move the optimizer and do not add a group.
  virtual void plan_load(LoadPlan& plan, const StateDict& values) = 0;

 protected:
  Optimizer() = default;
  Optimizer(Optimizer&&) noexcept = default;
  Optimizer& operator=(Optimizer&&) noexcept = default;
};

/// What an optimizer keeps for each parameter, by PyTorch's name: a tensor of the parameter's shape
/// and dtype, or a single float64, such as a count of steps.
struct StateName {
  const char* name;
  bool single = false;
};

/// What all optimizers share. A Rule, such as SGDRule, has what one optimizer adds. Rules belong to
/// Cairn's own sources; an optimizer outside derives from Optimizer.
template <class Rule>
class CAIRN_API OptimizerOf : public Optimizer {
 public:
  using Options = typename Rule::Options;
  using GroupOptions = typename Rule::GroupOptions;

  /// Parameters with their own options, which may be changed between steps.
  class Group : public Options {
   public:
    /// One tensor for each of Rule::state_names, undefined until a step needs it.
    using State = std::array<Tensor, std::size(Rule::state_names)>;

    Group(const Group&) = default;
    Group& operator=(const Group&) = delete;  // it would replace the parameters
    ~Group() = default;
    const std::vector<Tensor>& params() const { return params_; }
    const std::vector<State>& state() const { return state_; }  ///< one for each of params()

   private:
    friend class OptimizerOf;
    Group(const Options& options, const std::vector<Tensor>& params)
        : Options(options), params_(params), state_(params.size()) {}

    std::vector<Tensor> params_;
    std::vector<State> state_;
  };

  /// An option that is not given is the one that the optimizer was built with, as in PyTorch.
  /// Throws Error for an empty list, for options out of range, and for a parameter that is not a
  /// floating leaf, is a buffer, is expanded or read-only, or is in a group already. A leaf need
  /// not require a gradient: step() skips what has none.
  void add_group(const std::vector<Tensor>& params, const GroupOptions& options = {});
  std::span<Group> groups() { return check_in_use(), groups_; }
  std::span<const Group> groups() const { return check_in_use(), groups_; }

  std::size_t group_count() const override { return groups().size(); }
  double& lr(std::size_t group) override;
  void step() override;
  void zero_grad(const ZeroGradOptions& options = {}) override;
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& values) override;
  void plan_load(LoadPlan& plan, const StateDict& values) override;

 protected:
  OptimizerOf(const std::vector<Tensor>& params, const Options& options) : built_with_(options) {
    add(params, options);
  }

 private:
  void add(const std::vector<Tensor>& params, const Options& options);
  void check_in_use() const;

  Options built_with_;
  std::vector<Group> groups_;  // empty in a moved-from optimizer
};

}  // namespace cairn::optim

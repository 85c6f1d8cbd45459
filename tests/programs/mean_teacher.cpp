// I want to learn from a few labelled and many unlabelled examples: a student agrees with a teacher
// that is the moving average of the student.
#include <cairn/cairn.h>

#include "expect.h"

#include <numbers>

using namespace cairn;

struct Net : nn::Module {
  nn::Linear& fc1 = child("fc1", nn::Linear(2, 32));
  nn::BatchNorm1d& norm = child("norm", nn::BatchNorm1d(32));
  nn::Linear& fc2 = child("fc2", nn::Linear(32, 2));
  Tensor forward(const Tensor& x) override { return fc2(norm(fc1(x)).relu()); }
};

// Two half circles that reach into each other; the first half of the rows is class 0.
Tensor moons(int64_t n) {
  const Tensor angle = std::numbers::pi * rand({n});
  const Tensor upper = stack({cos(angle), sin(angle)}, 1);
  const Tensor lower = stack({1 - cos(angle), 0.5 - sin(angle)}, 1);
  return cat({upper, lower}) + 0.08 * randn({2 * n, 2});
}

Tensor labels(int64_t n) { return cat({zeros({n}), ones({n})}).to(DType::int64); }

double accuracy(Net& model, const Tensor& x, const Tensor& y) {
  const NoGrad guard;
  model.eval();
  return (model(x).argmax(1) == y).to(DType::float64).mean().item<double>();
}

int main() {
  manual_seed(4);
  Net student, teacher;
  nn::copy_state(student, teacher);
  teacher.requires_grad_(false);
  teacher.eval();

  const Tensor x = moons(20), y = labels(20);  // all that is labelled
  const Tensor x_test = moons(300), y_test = labels(300);
  const double at_first = accuracy(teacher, x_test, y_test);

  const double keep = 0.98;
  const int steps = 1000;
  optim::SGD opt(student.parameters(), {.lr = 0.1, .momentum = 0.9});
  Tensor average = student.fc1.weight.detach().clone();
  for (int step = 0; step < steps; ++step) {
    student.train();
    const Tensor unlabelled = moons(32);
    Tensor target;
    {
      const NoGrad guard;
      target = teacher(unlabelled + 0.05 * randn({64, 2})).softmax(1);
    }
    const Tensor logits = student(cat({x, unlabelled + 0.05 * randn({64, 2})}));
    const Tensor loss = cross_entropy(logits.slice(0, 0, 40), y) +
                        2 * mse_loss(logits.slice(0, 40, 104).softmax(1), target);
    opt.zero_grad();
    loss.backward();
    opt.step();

    const NoGrad guard;
    std::vector<Tensor> to = teacher.parameters(), from = student.parameters();
    for (std::size_t i = 0; i < to.size(); ++i) to[i].mul_(keep).add_(from[i] * (1 - keep));
    nn::copy_stats(student, teacher);
    average = average * keep + student.fc1.weight * (1 - keep);
  }

  const double result = accuracy(teacher, x_test, y_test);
  fmt::print("the teacher's accuracy: {:.3f} at first, {:.3f} after training\n", at_first, result);
  expect(result > 0.85, "the teacher's accuracy is only {}", result);
  expect(allclose(teacher.fc1.weight, average), "the teacher is not the student's average");
  expect(!teacher.fc1.weight.grad().defined(), "the teacher was given a gradient");
  expect(teacher.norm.num_batches_tracked.item<int>() == steps,
         "the teacher has {} batches in its statistics, the student saw {}",
         teacher.norm.num_batches_tracked.item<int>(), steps);
}

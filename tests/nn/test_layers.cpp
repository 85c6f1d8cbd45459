#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/nn/clone.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

TEST_CASE("relu layer: negative values become zero") {
  CHECK(equal(ReLU()(tensor({-1, 0, 2})), tensor({0, 0, 2})));
}

TEST_CASE("flatten: it joins all but the batch, or the dimensions it is told") {
  CHECK(Flatten()(zeros({2, 3, 4, 5})).shape() == Shape{2, 60});
  CHECK(Flatten({.start_dim = 0})(zeros({2, 3})).shape() == Shape{6});
  CHECK(Flatten({.start_dim = 1, .end_dim = 2})(zeros({2, 3, 4, 5})).shape() == Shape{2, 12, 5});
  CHECK(equal(Flatten()(tensor({{{1, 2}, {3, 4}}})), tensor({{1, 2, 3, 4}})));
}

TEST_CASE("sequential: it calls its modules in order") {
  Sequential m{Linear(1, 1), ReLU()};
  {
    const NoGrad guard;
    for (Tensor& p : m.parameters()) p.fill_(-1);
  }
  CHECK(equal(m(tensor({{3}, {-5}})), tensor({{0}, {4}})));
}

TEST_CASE("sequential: modules are found by number, from the end too, and may be named") {
  Sequential m{Linear(1, 2), ReLU()};
  Linear& head = m.push_back("head", Linear(2, 1));
  m.push_back(ReLU());
  CHECK(m.size() == 4);
  CHECK(&m[2] == &head);
  CHECK(&m[-2] == &head);
  CHECK(m[0].kind() == "Linear");
  CHECK(m.named_parameters()[2].first == "head.weight");
  CHECK(m.named_children()[3].first == "3");
  CHECK_ERROR_MENTIONS(m[4], "Sequential:", "there is no module 4 of 4");
  CHECK_ERROR_MENTIONS(m[-5], "Sequential:", "there is no module -5 of 4");
  CHECK_ERROR_MENTIONS(m.push_back("head", ReLU()), "child:", "'head' is taken");
  CHECK(m.size() == 4);
}

TEST_CASE("sequential: extend() moves the modules of another one to the end") {
  Sequential m{Linear(1, 2), ReLU()};
  Sequential more{Linear(2, 3), ReLU()};
  more.push_back("head", Linear(3, 1));
  Linear& head = more.at<Linear>(2);
  m.extend(std::move(more));
  CHECK(m.size() == 5);
  CHECK(&m[4] == &head);
  CHECK(m.state_dict().contains("2.weight"));
  CHECK(m.state_dict().contains("head.bias"));
  CHECK(m(zeros({2, 1})).shape() == Shape{2, 1});
  CHECK_ERROR_MENTIONS(m[2](zeros({2, 9})), "linear '2':");  // it has the new name
  CHECK(more.size() == 0);  // NOLINT(bugprone-use-after-move, clang-analyzer-cplusplus.Move)

  Sequential taken;
  taken.push_back("head", ReLU());
  CHECK_ERROR_MENTIONS(m.extend(std::move(taken)), "child:", "'head' is taken");
  CHECK(taken.size() == 1);  // NOLINT(bugprone-use-after-move): it was not moved
  CHECK(m.size() == 5);
  CHECK_ERROR_MENTIONS(m.extend(std::move(m)), "Sequential:", "extend() by itself");
}

TEST_CASE("sequential: replace() puts a module in the place of another one") {
  Sequential m{Linear(1, 2), ReLU(), Linear(2, 3)};
  struct Shares : Module {
    using Module::child;
  } shares;
  Linear& shared = shares.child("old", m.at<Linear>(2));
  Linear& head = m.replace(-1, Linear(2, 5));
  CHECK(&m[2] == &head);
  CHECK(m(zeros({2, 1})).shape() == Shape{2, 5});
  CHECK(m.named_parameters()[2].first == "2.weight");
  CHECK_ERROR_MENTIONS(head(zeros({2, 9})), "linear '2':");
  CHECK(shared(zeros({2, 2})).shape() == Shape{2, 3});  // the old one lives on elsewhere
  CHECK_ERROR_MENTIONS(m.replace(3, ReLU()), "Sequential:", "there is no module 3 of 3");
  m.replace(0, Linear(1, 2));
  Sequential copy = clone(m);
  CHECK(equal(copy(ones({2, 1})), m(ones({2, 1}))));
}

TEST_CASE("sequential: at<M>() gives a module by its type, or says what stands there") {
  Sequential m{Linear(1, 2), Sequential{ReLU()}};
  CHECK(&m.at<Linear>(0) == &m[0]);
  CHECK(&m.at<Module>(-1) == &m[1]);
  const Sequential& as_const = m;
  static_assert(std::is_same_v<decltype(as_const.at<Linear>(0)), const Linear&>);
  static_assert(std::is_same_v<decltype(as_const[0]), const Module&>);
  CHECK(&as_const.at<Sequential>(1).at<ReLU>(0) == &m.at<Sequential>(1)[0]);
  CHECK_ERROR_MENTIONS(m.at<ReLU>(0), "Sequential:", "module 0 is a Linear, not a ReLU");
  CHECK_ERROR_MENTIONS(m.at<Linear>(-1), "Sequential:", "module -1 is a Sequential, not a Linear");
  CHECK_ERROR_MENTIONS(m.at<Linear>(2), "Sequential:", "there is no module 2 of 2");
}

TEST_CASE("sequential: without modules it returns its input") {
  Sequential m;
  const Tensor x = tensor({1, 2});
  CHECK(equal(m(x), x));
}

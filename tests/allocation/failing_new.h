// operator new, replaced by one that counts and can be told to fail. Cairn's own blocks come from
// it too where the pools are bypassed.
#pragma once

#include <cstdint>

namespace cairn::test {

/// How many blocks were had from operator new and not given back.
int64_t live_blocks();

enum class Failing { once, from_then_on };

/// While it lives the k-th allocation of the program, counted from 1, fails; or all from it on.
class FailingNew {
 public:
  FailingNew(int64_t k, Failing how);
  ~FailingNew();
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;

  /// Has an allocation failed? If not, there were fewer than k.
  bool struck() const;
};

}  // namespace cairn::test

// The toolkit around batch norm: all of its work or none.
#include "support/world.h"

#include <cairn/nn/stats.h>
#include <cairn/nn/stats_audit.h>

using namespace cairn;
using namespace cairn::test;

namespace {

// Restores the record of the model's one layer, spoilt.
template <class F>
void spoilt(World& w, F spoil) {
  nn::StatsSnapshot snapshot = nn::snapshot_stats(w.net);
  spoil(snapshot.layers[0].records[0]);
  nn::restore_stats(w.net, snapshot);
}

}  // namespace

TEST_CASE("bad input: the statistics of a whole model change together or not at all") {
  static constexpr BadCall calls[] = {
      {"set_stats_mode: frozen normalises by the record, and there is none in the layer itself; "
       "turn tracking on first, or leave them out with a predicate",
       [](World& w) { nn::set_stats_mode(w.bare, nn::StatsMode::frozen); }},
      {"StatsGuard: frozen normalises by the record, and there is none in the layer itself; turn "
       "tracking on first, or leave them out with a predicate",
       [](World& w) { const nn::StatsGuard guard(w.bare, nn::StatsMode::frozen); }},
      {"BatchNorm2d: it was moved from",
       [](World& w) { nn::set_stats_mode(w.moved_from_batch_norm, nn::StatsMode::hold); }},
      {"select_stats: a record's name is part of a path; '' is empty or has a dot",
       [](World& w) { nn::select_stats(w.net, ""); }},
      {"select_stats: a record's name is part of a path; 'a.b' is empty or has a dot",
       [](World& w) { nn::select_stats(w.net, "a.b"); }},
      {"SelectStats: a record's name is part of a path; 'a.b' is empty or has a dot",
       [](World& w) { const nn::SelectStats guard(w.net, "a.b"); }},
      {"select_stats: there is no record 'nigth' in '1.0'; the records are 'main'; add it with "
       "add_stats(), or with {.create = true}",
       [](World& w) { nn::select_stats(w.net, "nigth"); }},
      {"SelectStats: there is no record 'nigth' in '1.0'; the records are 'main'; add it with "
       "add_stats(), or with {.create = true}",
       [](World& w) { const nn::SelectStats guard(w.net, "nigth"); }},
      {"add_stats: a record's name is part of a path; 'a.b' is empty or has a dot",
       [](World& w) { nn::add_stats(w.net, "a.b"); }},
      {"erase_stats: no layer has a record 'night'; the records are 'main'",
       [](World& w) { nn::erase_stats(w.net, "night"); }},
      {"erase_stats: every layer keeps its record 'main'; name another one",
       [](World& w) { nn::erase_stats(w.net, "main"); }},
      {"rename_stats: every layer keeps its record 'main'; name another one",
       [](World& w) { nn::rename_stats(w.net, "main", "day"); }},
      {"rename_stats: no layer has a record 'night'; the records are 'main'",
       [](World& w) { nn::rename_stats(w.net, "night", "day"); }},
      {"copy_stats: there is no record 'night' in '1.0'; the records are 'main'; add it with "
       "add_stats(), or with {.create = true}",
       [](World& w) { nn::copy_stats(w.net, "main", "night"); }},
      {"set_stats_mode: Linear has no batch norm; use {.allow_none = true} if that is meant",
       [](World& w) { nn::set_stats_mode(w.last, nn::StatsMode::hold); }},
      {"set_stats_mode: the predicate chooses none of the batch norms '1.0'; use {.allow_none = "
       "true} if that is meant",
       [](World& w) {
         nn::set_stats_mode(w.net, nn::StatsMode::hold, [](auto&, auto&) { return false; });
       }},
      {"estimate_running_stats: no layer keeps a record: the layer itself; turn tracking on first",
       [](World& w) { nn::estimate_running_stats(w.bare, {w.x}); }},
      {"audit_stats: Linear has no batch norm; use {.allow_none = true} if that is meant",
       [](World& w) { nn::audit_stats(w.last); }},
      {"restore_stats: nothing was loaded, because\n  the layer itself: the model has no batch "
       "norm there",
       [](World& w) { nn::restore_stats(w.net, nn::snapshot_stats(nn::BatchNorm1d(4))); }},
      {"restore_stats: nothing was loaded, because\n  '1.0': a record of shapes [5], [4] and [], "
       "the layer's are [4], [4] and []",
       [](World& w) { spoilt(w, [](auto& record) { record.mean = zeros({5}); }); }},
      {"restore_stats: nothing was loaded, because\n  '1.0': a tensor of its record is undefined",
       [](World& w) { spoilt(w, [](auto& record) { record.mean = Tensor(); }); }},
      {"BatchNorm2d: it was moved from",
       [](World& w) { nn::snapshot_stats(w.moved_from_batch_norm); }},
      {"copy_stats: nothing was loaded, because\n  the layer itself: the model has no batch norm "
       "there\n  '1.0': the other model has no record there",
       [](World& w) { nn::copy_stats(w.norm, w.net); }},
      {"copy_stats: nothing was loaded, because\n  the layer itself: the other model has no "
       "record there",
       [](World& w) { nn::copy_stats(w.bare, w.norm); }},
      {"estimate_running_stats: there is no batch to estimate from",
       [](World& w) { nn::estimate_running_stats(w.net, std::vector<Tensor>{}); }},
      {"audit_stats: the snapshot's record of '1.0' has channels [2], the layer [4]",
       [](World& w) {
         nn::StatsSnapshot snapshot = nn::snapshot_stats(w.net);
         snapshot.layers[0].records[0].mean = zeros({2});
         nn::audit_stats(w.net, snapshot);
       }},
  };
  check_bad_calls(calls);
}

// The streams of a running node: the version that its shards route by, and how it becomes another
// one while they run.
#pragma once

#include <memory>
#include <vector>

#include "control/config/config.h"
#include "dataplane/ledger/ledger_file.h"
#include "dataplane/shard/mailbox.h"

namespace penstock {

// Of the control thread. It outlives the shards.
class LiveStreams {
 public:
  // `room`: how many names the ledger has a place for. A stream keeps its place, and its books, as
  // long as the node runs, also when it was left out for a while.
  LiveStreams(std::span<const StreamConfig> streams, std::size_t room);

  [[nodiscard]] const StreamPlaces& places() const { return places_; }
  [[nodiscard]] const Routing& newest() const { return *versions_.back(); }
  // Of a shard that is about to start, by the newest version.
  [[nodiscard]] Mailbox& join();

  // kNoSpace: the ledger has no places for them.
  [[nodiscard]] Result<> check_room(std::span<const StreamConfig> streams) const;
  // These from now on; there is room for them. Places that are new get their names in the ledger.
  void change(std::span<const StreamConfig> streams, LedgerFile& ledger);
  // Tells shards of the newest version, hears from them, and frees the versions that none of them
  // has any more. True: with this step all of them have the newest.
  bool step();

 private:
  struct Member {
    Mailbox mailbox;
    const Routing* told;  // of one version at a time
    const Routing* uses;
  };
  [[nodiscard]] std::vector<std::size_t> give_places(std::span<const StreamConfig> streams,
                                                     StreamPlaces& places) const;
  void hear(Member& member);

  StreamPlaces places_;
  std::vector<std::unique_ptr<const Routing>> versions_;  // the newest at the end
  std::vector<std::unique_ptr<Member>> members_;
  bool settled_ = true;  // all shards have the newest
};

}  // namespace penstock

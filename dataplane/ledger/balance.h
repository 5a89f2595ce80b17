// Whether the books balance, and where they do not.
#pragma once

#include <string>
#include <vector>

#include "dataplane/ledger/ledger_file.h"

namespace penstock {

// One side of an account that does not equal the other.
struct Imbalance {
  std::string account;  // "port lan0 of shard 0"
  std::string law;      // "received packets = decoded + ignored + malformed + held"
  std::uint64_t left;
  std::uint64_t right;
};

// Sums over all shards, by name.
struct PortBooks {
  std::string name;
  PortAccount account;
  DeviceGauges device;
};
struct FrameBooks {
  std::string name;  // of the door
  FrameAccount account;
};
struct MessageBooks {
  std::string name;
  MessageAccount account;
};

struct Books {
  std::vector<PortBooks> ports;
  std::vector<FrameBooks> frames;
  std::vector<MessageBooks> doors;
  std::vector<MessageBooks> streams;
  std::vector<MessageBooks> shards;
  MessageAccount total;  // of all shards
  std::vector<Imbalance> imbalances;

  [[nodiscard]] bool balanced() const { return imbalances.empty(); }
};

// Checks the law of every account, and that doors and their shard say the same.
[[nodiscard]] Books take_books(const LedgerSnapshot& snapshot);

[[nodiscard]] Tally dropped(const MessageAccount& account);

}  // namespace penstock

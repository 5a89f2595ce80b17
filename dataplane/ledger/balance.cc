#include "dataplane/ledger/balance.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace penstock {
namespace {

void add(MessageAccount& sum, const MessageAccount& other) {
  sum.offered += other.offered;
  sum.in_flight += other.in_flight;
  sum.malformed += other.malformed;
  sum.empty += other.empty;
  for (std::size_t i = 0; i < kMessageFates; ++i) sum.fates[i] += other.fates[i];
}

void add(PortAccount& sum, const PortAccount& other) {
  sum.received += other.received;
  sum.held += other.held;
  sum.sent += other.sent;
  sum.unsent += other.unsent;
  for (std::size_t i = 0; i < kPacketFates; ++i) sum.fates[i] += other.fates[i];
}

void add(FrameAccount& sum, const FrameAccount& other) {
  sum.received += other.received;
  sum.held += other.held;
  sum.sent += other.sent;
  sum.lost += other.lost;
  sum.sessions += other.sessions;
  for (std::size_t i = 0; i < kFrameFates; ++i) sum.fates[i] += other.fates[i];
}

template <class Fates>
Tally sum_of(const Fates& fates) {
  Tally sum;
  for (const Tally& fate : fates) sum += fate;
  return sum;
}

void expect_equal(Books& books, const std::string& account, const std::string& law, Tally left,
                  Tally right) {
  if (left.count != right.count) {
    books.imbalances.push_back({account, law, left.count, right.count});
  }
  if (left.bytes != right.bytes) {
    books.imbalances.push_back({account, law + ", in bytes", left.bytes, right.bytes});
  }
}

void check_port(Books& books, const AccountSnapshot& account, const PortAccount& port) {
  Tally right = sum_of(port.fates);
  right += port.held;
  expect_equal(books, fmt::format("port {} of shard {}", account.name, account.shard),
               "received packets = decoded + answered + ignored + malformed + held", port.received,
               right);
}

void check_frames(Books& books, const AccountSnapshot& account, const FrameAccount& frames) {
  Tally right = sum_of(frames.fates);
  right += frames.held;
  expect_equal(books, fmt::format("frames of door {} of shard {}", account.name, account.shard),
               "received frames = taken + answered + ignored + malformed + held", frames.received,
               right);
}

void check_messages(Books& books, const std::string& name, const MessageAccount& messages) {
  Tally right = sum_of(messages.fates);
  right += messages.in_flight;
  expect_equal(books, name, "offered messages = stored + dropped + in flight", messages.offered,
               right);
}

// The books of one name over all shards; made when it first appears, in that order.
template <class B>
class BooksByName {
 public:
  explicit BooksByName(std::vector<B>& all) : all_(all) {}
  B& of(const std::string& name) {
    const auto [at, fresh] = places_.try_emplace(name, all_.size());
    if (fresh) all_.emplace_back().name = name;
    return all_[at->second];
  }

 private:
  std::vector<B>& all_;
  std::map<std::string, std::size_t> places_;
};

}  // namespace

Tally dropped(const MessageAccount& account) {
  Tally sum;
  for (std::size_t i = 0; i < kMessageFates; ++i) {
    if (kMessageFateInfo[i].of == FateClass::kDropped) sum += account.fates[i];
  }
  return sum;
}

Books take_books(const LedgerSnapshot& snapshot) {
  Books books;
  BooksByName ports(books.ports);
  BooksByName frames_of(books.frames);
  BooksByName doors(books.doors);
  BooksByName streams(books.streams);
  std::map<std::uint16_t, MessageAccount> doors_of_shard;
  for (const AccountSnapshot& account : snapshot.accounts) {
    switch (account.kind) {
      case AccountKind::kPort: {
        const auto port = account.as<PortAccount>();
        check_port(books, account, port);
        add(ports.of(account.name).account, port);
        break;
      }
      case AccountKind::kFrames: {
        const auto frames = account.as<FrameAccount>();
        check_frames(books, account, frames);
        add(frames_of.of(account.name).account, frames);
        break;
      }
      case AccountKind::kDoor:
      case AccountKind::kStream: {
        const auto messages = account.as<MessageAccount>();
        const bool door = account.kind == AccountKind::kDoor;
        check_messages(
            books,
            fmt::format("{} {} of shard {}", door ? "door" : "stream", account.name, account.shard),
            messages);
        add((door ? doors : streams).of(account.name).account, messages);
        if (door) add(doors_of_shard[account.shard], messages);
        break;
      }
      case AccountKind::kShard: {
        const auto messages = account.as<MessageAccount>();
        check_messages(books, fmt::format("shard {}", account.shard), messages);
        books.shards.push_back({fmt::format("{}", account.shard), messages});
        add(books.total, messages);
        break;
      }
      case AccountKind::kDevice: ports.of(account.name).device = account.as<DeviceGauges>(); break;
      case AccountKind::kShardGauges:
      case AccountKind::kLogEdge:
      case AccountKind::kVolume: break;
    }
  }
  for (const MessageBooks& shard : books.shards) {
    const auto at_doors = doors_of_shard.find(static_cast<std::uint16_t>(std::stoul(shard.name)));
    if (at_doors == doors_of_shard.end()) continue;
    const std::string name = fmt::format("doors of shard {}", shard.name);
    expect_equal(books, name, "offered at its doors = offered to the shard",
                 at_doors->second.offered, shard.account.offered);
    expect_equal(books, name, "in flight of its doors = in flight in its log",
                 at_doors->second.in_flight, shard.account.in_flight);
  }
  return books;
}

}  // namespace penstock

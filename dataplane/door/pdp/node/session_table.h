// The open sessions of a shard: places of fixed number, found by connection.
//
// A connection's number is  shard 8 bits | place 24 bits | random 32 bits:  so a frame finds its
// session without a search, also from another shard, and a stranger has to guess.
#pragma once

#include <vector>

#include "dataplane/door/pdp/node/secrets.h"
#include "dataplane/door/pdp/node/session.h"

namespace penstock::pdp {

// One thread. All memory is taken by the constructor.
class SessionTable {
 public:
  static constexpr std::size_t kSessionsMax = std::size_t{1} << 24U;

  // `producers`: capacity of the log's ProducerTable.
  SessionTable(std::size_t capacity, std::size_t producers, unsigned shard, Secrets& secrets);

  // The open session of this connection, or nullptr.
  [[nodiscard]] Session* find(std::uint64_t connection) {
    const std::uint64_t slot = slot_of(connection);
    if (slot >= sessions_.size() || connection == 0) return nullptr;
    Session& session = sessions_[slot];
    return session.connection == connection ? &session : nullptr;
  }
  [[nodiscard]] Session* of_producer(ProducerIndex producer) {
    const std::uint32_t slot = slots_[producer.value];
    return slot == kNone ? nullptr : &sessions_[slot];
  }

  // A fresh session with a connection; there is a free place.
  [[nodiscard]] Session& open(ProducerIndex producer);
  // The same session under a new connection: the old one is not found any more.
  void renew(Session& session) { session.connection = new_connection(session.slot); }
  void close(Session& session);

  // The n-th place: check its connection.
  [[nodiscard]] Session& at(std::size_t slot) { return sessions_[slot]; }
  [[nodiscard]] std::size_t capacity() const { return sessions_.size(); }
  [[nodiscard]] std::size_t open_sessions() const { return sessions_.size() - free_.size(); }

  [[nodiscard]] static unsigned shard_of(std::uint64_t connection) {
    return static_cast<unsigned>(connection >> 56U);
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  [[nodiscard]] static std::uint64_t slot_of(std::uint64_t connection) {
    return connection >> 32U & (kSessionsMax - 1);
  }
  [[nodiscard]] std::uint64_t new_connection(std::uint32_t slot);

  unsigned shard_;
  Secrets& secrets_;
  std::vector<Session> sessions_;
  std::vector<std::uint32_t> free_;   // places
  std::vector<std::uint32_t> slots_;  // by ProducerIndex: the place of its session
};

}  // namespace penstock::pdp

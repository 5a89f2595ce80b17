#include "dataplane/door/pdp/node/session_table.h"

#include "base/check.h"

namespace penstock::pdp {

SessionTable::SessionTable(std::size_t capacity, std::size_t producers, unsigned shard,
                           Secrets& secrets)
    : shard_(shard), secrets_(secrets), sessions_(capacity), slots_(producers, kNone) {
  CHECK_LE(capacity, kSessionsMax);
  CHECK_LT(shard, 256U);
  free_.reserve(capacity);
  for (std::size_t i = capacity; i > 0; --i) {
    sessions_[i - 1].slot = static_cast<std::uint32_t>(i - 1);
    free_.push_back(static_cast<std::uint32_t>(i - 1));
  }
}

std::uint64_t SessionTable::new_connection(std::uint32_t slot) {
  const std::uint64_t random = (secrets_.next() & 0xFFFF'FFFFU) | 1U;  // never 0
  return std::uint64_t{shard_} << 56U | std::uint64_t{slot} << 32U | random;
}

Session& SessionTable::open(ProducerIndex producer) {
  CHECK(!free_.empty());
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  CHECK_EQ(slots_[producer.value], kNone);
  slots_[producer.value] = slot;
  Session& session = sessions_[slot];
  session = Session{};
  session.slot = slot;
  session.producer = producer;
  session.connection = new_connection(slot);
  return session;
}

void SessionTable::close(Session& session) {
  CHECK_NE(session.connection, 0U);
  CHECK_EQ(session.held.frames, 0U);
  slots_[session.producer.value] = kNone;
  session.connection = 0;
  free_.push_back(session.slot);
}

}  // namespace penstock::pdp

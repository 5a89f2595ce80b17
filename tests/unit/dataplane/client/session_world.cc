#include "tests/unit/dataplane/client/session_world.h"

#include "base/check.h"

namespace penstock::client::test {

SessionWorld::SessionWorld(const SessionOptions& session_options,
                           const FakeNodeOptions& node_options,
                           const NetworkOptions& network_options, std::uint64_t seed)
    : network(network_options),
      node(node_options, seed + 1),
      rng(seed),
      core(std::make_unique<SessionCore>(session_options, *this, rng)) {}

bool SessionWorld::append(const std::string& subject, std::size_t bytes) {
  const std::uint64_t number = subjects.size();
  Bytes payload(std::max(bytes, sizeof number));
  for (std::size_t i = 0; i < payload.size(); ++i) {
    payload[i] = static_cast<std::byte>(number * 31 + i);
  }
  store(payload, 0, number);
  const Appended appended = core->append({.subject = subject, .payload = payload}, number, now);
  CHECK(appended == Appended::kDone || appended == Appended::kFull);
  if (appended != Appended::kDone) return false;
  subjects.push_back(subject);
  return true;
}

void SessionWorld::on_report(const DeliveryReport& report) {
  CHECK_EQ(report.opaques.size(), report.messages);
  for (const std::uint64_t number : report.opaques) {
    CHECK_LT(number, subjects.size());
    const bool is_new =
        reports.emplace(number, Reported{report.outcome, report.may_be_stored, report.reason})
            .second;
    CHECK(is_new);
  }
}

void SessionWorld::send(bool to_node, std::span<const std::byte> bytes) {
  if (bytes.size() > network.datagram_bytes_max) return;
  if (!node_is_there) return;
  const int copies = rng.chance(network.doubled_per_million) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (rng.chance(network.lost_per_million)) continue;
    const auto jitter =
        static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(network.jitter_ns) + 1));
    under_way_.emplace((now + network.delay_ns + jitter).value,
                       Sent{to_node, Bytes(bytes.begin(), bytes.end())});
  }
}

void SessionWorld::poll() {
  std::array<SessionCore::Datagram, 16> out;
  std::size_t count = 0;
  do {
    count = core->poll(out, now);
    for (std::size_t i = 0; i < count; ++i) send(true, out[i]);
  } while (count == out.size());
}

void SessionWorld::deliver() {
  while (!under_way_.empty() && under_way_.begin()->first <= now.value) {
    const Sent sent = std::move(under_way_.extract(under_way_.begin()).mapped());
    if (sent.to_node) {
      node.receive(sent.bytes);
    } else {
      core->receive(sent.bytes, now);
    }
  }
  node.answer();
  for (const Bytes& bytes : node.said) send(false, bytes);
  node.said.clear();
}

bool SessionWorld::step(MonotonicNanos end) {
  CHECK_LT(++steps, 5'000'000U);
  poll();
  MonotonicNanos next = core->next_deadline();
  if (!under_way_.empty()) next = std::min(next, MonotonicNanos(under_way_.begin()->first));
  if (makes_durable) {
    for (const auto& [number, session] : node.sessions) {
      if (session.durable != session.received) next = std::min(next, next_durable_);
    }
  }
  if (next >= end) {
    now = std::max(now, end);
    return false;
  }
  now = std::max(now, next);
  if (makes_durable && now >= next_durable_) {
    node.make_durable(rng.chance(500'000));
    next_durable_ = now + durable_every_ns;
  }
  deliver();
  return true;
}

std::vector<std::uint64_t> SessionWorld::stored_numbers() {
  std::vector<std::uint64_t> numbers;
  for (const auto& [session_number, session] : node.sessions) {
    for (const StoredMessage& message : session.stored) {
      const std::uint64_t number = number_of(message);
      CHECK_LT(number, subjects.size());
      CHECK_EQ(message.subject, subjects[number]);
      numbers.push_back(number);
    }
  }
  return numbers;
}

std::uint64_t number_of(const StoredMessage& message) {
  const auto bytes = std::as_bytes(std::span(message.payload));
  CHECK_GE(bytes.size(), sizeof(std::uint64_t));
  const auto number = load<std::uint64_t>(bytes);
  for (std::size_t i = sizeof number; i < bytes.size(); ++i) {
    CHECK_EQ(static_cast<unsigned>(bytes[i]), (number * 31 + i) & 0xFFU);
  }
  return number;
}

}  // namespace penstock::client::test

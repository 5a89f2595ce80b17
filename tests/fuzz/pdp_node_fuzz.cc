// Whatever producers say behind their handshake, and whenever: each message is taken once, the
// books add up, marks only grow and stay within what came, and answers go where they may.
#include <algorithm>

#include "base/check.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/lib/pdp_node.h"

using namespace penstock;
using namespace penstock::pdp;

namespace {

// What a producer knows of its session.
struct Client {
  std::string name;
  bool sealed = false;
  std::uint64_t first = 0;  // where the log began to know the session
  std::uint64_t given = 0;  // it never spoke of a sequence from here on
  std::uint64_t connection = 0;
  Level level = Level::kNone;
  std::vector<std::byte> open;  // the last OPEN
  OpenBody opened{};
  bool deaf = false;  // an answer may not have come: its view is not the node's
  AckBody told{};     // the highest marks of this connection
  std::vector<std::uint16_t> proved;
  Address from;
  ChallengeBody challenge{};
  Address challenged;
  SealKey producer_key{};
  SealKey node_key{};
  std::uint64_t packet = 0;
  std::uint64_t node_packet = 0;
  std::vector<std::byte> last;  // the last frame
};

class Fuzzed : KeptFrames, NodeOnNoDrive {
 public:
  explicit Fuzzed(fuzz::FuzzInput& input) : NodeOnNoDrive(outbox_, node_options()), input_(input) {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      clients_[i].name = fmt::format("session {}", i);
      clients_[i].sealed = i == 0;
      clients_[i].from.port = clients_[i].challenged.port = static_cast<std::uint16_t>(i + 1);
    }
  }

  void run() {
    while (!input_.empty()) {
      const auto what = input_.number<std::uint8_t>();
      Client& client = clients_[what / 64];
      step(client, what % 64);
      check();
    }
    end();
  }

 private:
  static const KeyRing& keys() {
    static const KeyRing ring = KeyRing::parse("k " + std::string(64, '7'), "keys").value();
    return ring;
  }
  static NodeOptions node_options() {
    NodeOptions options = default_options();
    options.hold_bytes = 64 * kKiB;
    options.credit_bytes = 32 * 1024;
    options.keys = &keys();
    return options;
  }

  void step(Client& client, unsigned what) {
    switch (what % 16) {
      case 0: return open(client);
      case 1: return again(client);
      case 2: return skip(client);
      case 3: return close(client);
      case 4: return ping(client);
      case 5: return respond(client);
      case 6: return ask(client);
      case 7: return say_anything(client);
      case 8: return turn();
      case 9: return control();
      case 10: return clock_.advance(std::int64_t{1} << input_.number<std::uint8_t>() % 37U);
      default: return data(client, what / 16);
    }
  }

  // ---- What producers say -----------------------------------------------------------------------

  void say(Client& client, std::span<const std::byte> frame, Address from) {
    if (const auto decoded = decode_frame(frame, Sender::kProducer)) note_given(client, *decoded);
    deliver(frame, from);
    asked_bytes_ = frame.size();
    listen(from);
  }
  template <class Body>
  void say(Client& client, FrameType type, const Body& body, std::span<const std::byte> behind = {},
           Address from = {}) {
    std::vector<std::byte> frame(sizeof(FrameHeader) + sizeof body + behind.size() +
                                 (client.sealed ? sizeof(Trailer) : 0));
    std::ranges::copy(behind, frame.begin() + sizeof(FrameHeader) + sizeof body);
    encode_frame(frame, type, client.connection, body, client.sealed);
    if (client.sealed) sealer_.seal(frame, client.producer_key, ++client.packet);
    client.last = frame;
    say(client, frame, from.port == Address{}.port ? client.from : from);
  }

  static void note_given(Client& client, const Frame& frame) {
    std::uint64_t end = 0;
    if (frame.header.type == FrameType::kOpen) end = body_of<OpenBody>(frame).oldest;
    if (frame.header.type == FrameType::kClose) end = body_of<CloseBody>(frame).next;
    if (frame.header.type == FrameType::kData || frame.header.type == FrameType::kSkip) {
      const auto data = body_of<DataBody>(frame);
      end = data.sequence + data.message_count;
    }
    client.given = std::max(client.given, end);
  }

  // A sequence near the one that the node takes next, or anywhere.
  std::uint64_t sequence(const Client& client) {
    const auto delta = input_.number<std::int8_t>();
    if (delta == 127) return input_.number<std::uint64_t>() % kProducerSequenceEnd;
    const std::uint64_t next = next_of(client).value_or(0);
    const auto back = static_cast<std::uint64_t>(std::max(-delta, 0));
    return std::min(
        next - std::min(next, back) + static_cast<std::uint64_t>(std::max<int>(delta, 0)),
        kProducerSequenceEnd - 256);
  }
  Address place(const Client& client, std::uint8_t bits) const {
    if ((bits & 7U) != 7) return client.from;
    return {.port = static_cast<std::uint16_t>(1000 + (bits >> 3U) % 4)};
  }

  void open(Client& client) {
    const auto bits = input_.number<std::uint8_t>();
    const Address from = place(client, bits);
    if ((bits & 0x80U) == 0) make_open(client, from, bits);
    if (client.open.empty()) return;
    const bool known = next_of(client).has_value();
    opening_ = &client;
    client.deaf = client.deaf || outbox_.full;
    say(client, client.open, from);
    opening_ = nullptr;
    if (!known) client.first = next_of(client).value_or(0);
  }
  void make_open(Client& client, Address from, std::uint8_t bits) {
    std::vector<std::byte> frame(kHelloBytesMin);
    Nonce nonce{};
    store(std::span(nonce), 0, ++nonces_);
    encode_frame(frame, FrameType::kHello, 0, HelloBody{.nonce = nonce, .sent_us = 3});
    cookie_ = {};
    say(client, frame, from);
    const std::string name = (client.sealed ? "k" : "") + client.name;
    const std::uint64_t oldest =
        (bits & 0x40U) == 0 ? next_of(client).value_or(0) : sequence(client);
    client.opened = {.nonce = nonce,
                     .issued_ns = cookie_.issued_ns,
                     .cookie = cookie_.cookie,
                     .oldest = oldest,
                     .next = oldest,
                     .level = static_cast<Level>(bits >> 4U & 3U),
                     .frame_bytes_max = 1400,
                     .key_bytes = client.sealed,
                     .name_bytes = static_cast<std::uint8_t>(client.name.size())};
    client.open.assign(sizeof(FrameHeader) + sizeof(OpenBody) + name.size() +
                           (client.sealed ? sizeof(Trailer) : 0),
                       {});
    std::ranges::copy(std::as_bytes(std::span(name)),
                      client.open.begin() + sizeof(FrameHeader) + sizeof(OpenBody));
    encode_frame(client.open, FrameType::kOpen, 0, client.opened, client.sealed);
    if (client.sealed) {
      sealer_.seal(client.open, open_key(key(), nonce, cookie_.cookie), 0);
    }
  }

  void data(Client& client, unsigned kind) {
    constexpr std::array<std::string_view, 4> kSubjects = {"app.log", "app.b.c", "other", "app..x"};
    const std::uint64_t first = sequence(client);
    const auto bits = input_.number<std::uint8_t>();
    const std::uint32_t count = 1 + bits % 8;
    const std::string_view subject = kSubjects[kind == 3 ? bits >> 6U : 0];
    auto messages = lay_out_messages(first, count, subject, std::array{8, 40, 150, 9}[kind % 4]);
    if (kind == 3 && (bits & 0x20U) != 0) {
      messages[input_.number<std::uint16_t>() % messages.size()] ^= input_.number<std::byte>();
    }
    say(client, FrameType::kData, DataBody{first, count, bits}, messages,
        kind == 2 ? place(client, bits) : client.from);
  }
  void skip(Client& client) {
    const std::uint64_t first = sequence(client);
    say(client, FrameType::kSkip, DataBody{first, 1U + input_.number<std::uint8_t>() % 8U, 5});
  }
  void close(Client& client) {
    say(client, FrameType::kClose, CloseBody{.next = sequence(client)});
  }
  void ping(Client& client) {
    const std::vector<std::byte> zeros(8 + input_.number<std::uint8_t>());
    say(client, FrameType::kPing, PingBody{.sent_us = 9}, zeros);
  }
  void respond(Client& client) {
    ChallengeBody body = client.challenge;
    if (input_.number<std::uint8_t>() % 8 == 0) ++body.token;
    say(client, FrameType::kResponse, body, {}, client.challenged);
    if (body.token != client.challenge.token || client.challenge.token == 0) return;
    client.proved.push_back(client.challenged.port);
    client.from = client.challenged;
  }
  void ask(Client& client) {
    const auto subject = input_.bytes(1 + input_.number<std::uint8_t>() % 16);
    if (subject.empty()) return;
    say(client, FrameType::kSubject,
        SubjectBody{.request = 4, .subject_bytes = static_cast<std::uint16_t>(subject.size())},
        subject);
  }
  void again(Client& client) {
    const std::vector<std::byte> frame = client.last;
    say(client, frame, place(client, input_.number<std::uint8_t>()));
  }
  // A frame of any type and body, with its connection, its seal and its length put right.
  void say_anything(Client& client) {
    const auto type = static_cast<FrameType>(input_.number<std::uint8_t>() % kFrameTypes);
    const auto body = input_.bytes(input_.number<std::uint8_t>());
    std::vector<std::byte> frame(sizeof(FrameHeader) + body.size() +
                                 (client.sealed ? sizeof(Trailer) : 0));
    std::ranges::copy(body, frame.begin() + sizeof(FrameHeader));
    store(std::span(frame), 0,
          FrameHeader{.magic = kMagic,
                      .version = kVersion,
                      .type = type,
                      .flags = client.sealed ? kSealed : std::uint16_t{0},
                      .length = static_cast<std::uint16_t>(frame.size()),
                      .connection = client.connection});
    if (client.sealed) sealer_.seal(frame, client.producer_key, ++client.packet);
    say(client, frame, client.from);
  }
  void control() {
    const auto bits = input_.number<std::uint8_t>();
    ring_.hold = (bits & 1U) != 0;
    ring_.hold_flushes = (bits & 2U) != 0;
    outbox_.full = (bits & 4U) != 0;
    muted_ = muted_ || outbox_.full;
    if ((bits & 8U) != 0) log_->seal();
    if (bits == 0xFF) node_->go_away(100);
    listen({});
  }

  // ---- What the node says -----------------------------------------------------------------------

  Client* client_of(std::uint64_t connection) {
    const auto found = std::ranges::find(clients_, connection, &Client::connection);
    return found == clients_.end() ? nullptr : &*found;
  }
  // `asked`: from where the node was spoken to last.
  void listen(Address asked) {
    for (const auto& sent : outbox_.sent) {
      const auto frame = decode_frame(sent.bytes, Sender::kNode);
      CHECK(frame.has_value());
      hear(sent, *frame, asked);
    }
    outbox_.sent.clear();
  }
  void hear(const KeepingOutbox::Sent& sent, const Frame& frame, Address asked) {
    const FrameType type = frame.header.type;
    if (type == FrameType::kCookie) cookie_ = body_of<CookieBody>(frame);
    if (type == FrameType::kAccept) accepted(frame, asked);
    if (frame.header.connection == 0 || type == FrameType::kReset) return answered(sent, asked);
    Client* client = client_of(frame.header.connection);
    if (client == nullptr) {  // of a connection whose ACCEPT found no buffer
      CHECK(std::ranges::any_of(clients_, &Client::deaf));
      return;
    }
    CHECK_EQ(frame.sealed, client->sealed);
    if (frame.sealed) {
      CHECK_GT(frame.packet, client->node_packet);
      client->node_packet = frame.packet;
      CHECK(sealer_.verify(sent.bytes, client->node_key));
    }
    if (type == FrameType::kChallenge) {
      client->challenge = body_of<ChallengeBody>(frame);
      client->challenged = asked;
      return answered(sent, asked);
    }
    CHECK_NE(std::ranges::count(client->proved, sent.to.port), 0);
    if (type == FrameType::kAck) acknowledged(*client, frame);
    if (type == FrameType::kClosed) {
      const auto closed = body_of<ClosedBody>(frame);
      CHECK_GE(closed.received, client->told.received);
      CHECK_GE(closed.durable, client->told.durable);
      CHECK_LE(closed.received, client->given);
    }
  }
  // To an address that may not be proved: no more than it said.
  void answered(const KeepingOutbox::Sent& sent, Address asked) const {
    CHECK_EQ(sent.to.port, asked.port);
    CHECK_LE(sent.bytes.size(), asked_bytes_);
  }

  void accepted(const Frame& frame, Address from) {
    CHECK(opening_ != nullptr);
    Client& client = *opening_;
    const auto body = body_of<AcceptBody>(frame);
    CHECK(body.nonce == client.opened.nonce);
    CHECK_EQ(body.session, number_of(client).value);
    CHECK(body.next == next_of(client));
    if (client.connection != frame.header.connection) {  // else it was said again
      client.connection = frame.header.connection;
      client.told = {};
      client.proved = {from.port};
      client.from = from;
      client.challenge = {};
      client.packet = client.node_packet = 0;
      const OpenBody& opened = client.opened;
      client.producer_key =
          producer_frames_key(key(), opened.nonce, opened.cookie, body.node_nonce);
      client.node_key = node_frames_key(key(), opened.nonce, opened.cookie, body.node_nonce);
    }
    client.level = client.opened.level;
    client.deaf = outbox_.full;
    grow(client, {.received = body.next, .durable = body.durable, .limit = body.limit});
  }
  void acknowledged(Client& client, const Frame& frame) {
    const auto ack = body_of<AckBody>(frame);
    CHECK_GE(ack.written, client.told.written);
    grow(client, ack);
    client.told.written = ack.written;
    CHECK_LE(ack.credit_bytes, node_options().credit_bytes);
    const AckRanges ranges(frame);
    if (ranges.size() != 0) CHECK_LE(ranges[ranges.size() - 1].end, client.given);
  }
  static void grow(Client& client, const AckBody& ack) {
    CHECK_GE(ack.received, client.told.received);
    CHECK_GE(ack.durable, client.told.durable);
    CHECK_GE(ack.limit, client.told.limit);
    CHECK_LE(ack.received, client.given);
    client.told.received = ack.received;
    client.told.durable = ack.durable;
    client.told.limit = ack.limit;
  }

  // ---- What has to be so at any time ------------------------------------------------------------

  static const ProducerKey& key() { return *keys().find("k"); }
  static SessionNumber number_of(const Client& client) {
    return SessionNumber(
        session_number(client.sealed ? "k" : "", std::as_bytes(std::span(client.name))));
  }
  // As the log has it.
  std::optional<std::uint64_t> next_of(const Client& client) const {
    const auto index = log_->producers().find(number_of(client));
    if (!index) return std::nullopt;
    return log_->producers().at(*index).next;
  }

  void check() {
    listen({});
    CHECK(frames_.received == frames_accounted());
    const Tally messages = messages_accounted();  // brings them up to date
    CHECK(shard_.offered == messages);
    // Each sequence that was passed is a message that was offered once, or lost.
    std::uint64_t passed = 0;
    for (const Client& client : clients_) {
      const std::uint64_t next = next_of(client).value_or(client.first);
      passed += next - client.first;
      CHECK_LE(next, client.given);
      const bool limited = client.level != Level::kNone && client.connection != 0 && !muted_;
      if (limited) CHECK_LE(next, client.told.limit);
    }
    CHECK_EQ(passed, shard_.offered.count + frames_.lost.count);
  }
  // Who is silent is forgotten, with all that was held for him; what was taken is stored.
  void end() {
    ring_.hold = ring_.hold_flushes = outbox_.full = false;
    settle();
    clock_.advance(61 * kNanosPerSecond);
    sweep();
    listen({});
    check();
    CHECK_EQ(frames_.sessions, 0U);
    CHECK(frames_.held == Tally{});
    CHECK(shard_.in_flight == Tally{});
  }

  fuzz::FuzzInput& input_;
  std::array<Client, 4> clients_;
  Client* opening_ = nullptr;
  std::size_t asked_bytes_ = 0;  // of the frame said last
  bool muted_ = false;           // a limit may have been granted and not told
  CookieBody cookie_{};
  std::uint16_t nonces_ = 0;
  Sealer sealer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::FuzzInput input(data, size);
  Fuzzed(input).run();
  return 0;
}

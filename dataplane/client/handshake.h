// The opening of a session: HELLO until a COOKIE comes, OPEN until ACCEPT or REFUSE does.
//
// Each opening has a nonce of its own; when its cookie gets too old another one is begun. A
// repeated OPEN is the same frame to the byte: its seal has packet number 0 each time, and two
// frames under one number would give the key away.
#pragma once

#include "base/rng.h"
#include "dataplane/client/repeat_timer.h"
#include "dataplane/client/session_options.h"

namespace penstock::client {

inline constexpr std::int64_t kOpenAgainNs = 250 * kNanosPerMilli;
inline constexpr std::int64_t kOpenAgainMaxNs = 8 * kNanosPerSecond;
inline constexpr std::int64_t kCookieAgeMaxNs = 10 * kNanosPerSecond;
inline constexpr std::int64_t kOpeningsApartNs = kNanosPerSecond;
inline constexpr std::size_t kShardSuffixBytes = 4;

// A producer's clock as frames carry it; 0 has another meaning there.
[[nodiscard]] inline std::uint32_t stamp_of(MonotonicNanos now) {
  return std::max(static_cast<std::uint32_t>(now.value / 1000), std::uint32_t{1});
}
// The time since a stamp that came back, if it can be one of the last half hour.
[[nodiscard]] inline std::optional<std::int64_t> since(std::uint32_t stamp, MonotonicNanos now) {
  const std::uint32_t elapsed = stamp_of(now) - stamp;
  if (stamp == 0 || elapsed > 0x7FFFFFFFU) return std::nullopt;
  return std::int64_t{elapsed} * 1000;
}

struct HeldRange {
  std::uint64_t oldest = 0;
  std::uint64_t next = 0;
};

// What seals the frames of an opened connection.
struct ConnectionKeys {
  pdp::SealKey producer{};
  pdp::SealKey node{};
};

// One thread. Nothing allocates but the constructor.
class Handshake {
 public:
  Handshake(const SessionOptions& options, Rng& rng, pdp::Sealer& sealer);

  [[nodiscard]] bool is_on() const { return timer_.is_on(); }
  // Begins an opening, not before `from`; what was under way of another is given up.
  void start(MonotonicNanos from);
  void stop() { timer_.stop(); }

  // The frame to say now, or an empty one; it stays as it is until the next call. `held` is what
  // an OPEN would say.
  [[nodiscard]] std::span<const std::byte> poll(MonotonicNanos now, const HeldRange& held);
  [[nodiscard]] MonotonicNanos deadline() const { return timer_.deadline(); }

  // Each: false if it answers nothing that was said.
  [[nodiscard]] bool on_cookie(const pdp::CookieBody& cookie, MonotonicNanos now);
  // Tries again after retry_ms, with 0 no more.
  [[nodiscard]] bool on_refuse(const pdp::RefuseBody& refuse, MonotonicNanos now);
  // Of the ACCEPT that was, or might be, taken.
  [[nodiscard]] ConnectionKeys keys(const pdp::AcceptBody& accept) const;

  // Whether an ACCEPT or REFUSE of that nonce is waited for.
  [[nodiscard]] bool answers(const pdp::Nonce& nonce) const {
    return is_on() && begun_ && has_cookie_ && nonce == nonce_;
  }
  [[nodiscard]] const pdp::CookieBody& cookie() const { return cookie_; }
  // Whether the shard that the cookie came from is that of the session's name.
  [[nodiscard]] bool suits_shard() const;
  [[nodiscard]] std::span<const std::byte> session_name() const {
    return std::span(name_).first(name_bytes_);
  }
  [[nodiscard]] std::string_view key_name() const { return {key_name_.data(), key_name_bytes_}; }
  [[nodiscard]] bool has_key() const { return key_name_bytes_ != 0; }

 private:
  void begin(MonotonicNanos now);
  void suit_shard();
  void write_hello(MonotonicNanos now);
  void write_open(const HeldRange& held);

  Rng& rng_;
  pdp::Sealer& sealer_;
  pdp::ProducerKey key_;
  pdp::Level level_;
  std::uint16_t frame_bytes_max_;
  std::array<std::byte, pdp::kNameBytesMax> name_{};
  std::size_t name_bytes_;
  bool name_is_chosen_;
  std::array<char, pdp::kNameBytesMax> key_name_{};
  std::size_t key_name_bytes_;

  RepeatTimer timer_;
  pdp::Nonce nonce_{};
  bool has_cookie_ = false;
  bool begun_ = false;  // nonce_ is of this opening
  pdp::CookieBody cookie_{};
  MonotonicNanos cookie_came_;
  std::array<std::byte, pdp::kHelloBytesMin> frame_{};
  std::size_t frame_bytes_ = 0;  // of the OPEN that is repeated; 0: it is not written yet
};

}  // namespace penstock::client

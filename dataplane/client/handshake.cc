#include "dataplane/client/handshake.h"

#include <algorithm>

namespace penstock::client {
namespace {

// Tries for one of so many shards: enough for all but one producer in 10^27.
constexpr std::uint32_t kTriesPerShard = 64;

pdp::Nonce random_nonce(Rng& rng) {
  pdp::Nonce nonce;
  store(nonce, 0, rng.next());
  store(nonce, sizeof(std::uint64_t), rng.next());
  return nonce;
}

}  // namespace

Handshake::Handshake(const SessionOptions& options, Rng& rng, pdp::Sealer& sealer)
    : rng_(rng),
      sealer_(sealer),
      key_(options.key),
      level_(options.level),
      frame_bytes_max_(static_cast<std::uint16_t>(options.path.frame_bytes_max)),
      name_bytes_(options.name.size() + (options.suits_shard ? kShardSuffixBytes : 0)),
      name_is_chosen_(!options.suits_shard),
      key_name_bytes_(options.key_name.size()) {
  CHECK(!options.name.empty());
  CHECK_LE(name_bytes_, name_.size());
  CHECK_LE(key_name_bytes_, key_name_.size());
  std::ranges::copy(options.name, name_.begin());
  std::ranges::copy(options.key_name, key_name_.begin());
}

void Handshake::start(MonotonicNanos from) {
  timer_.start(from, kOpenAgainNs, kOpenAgainMaxNs);
  // What answered an opening before answers none to come: its ACCEPT has keys that were used.
  begun_ = has_cookie_ = false;
  nonce_ = {};
}

void Handshake::begin(MonotonicNanos now) {
  nonce_ = random_nonce(rng_);
  begun_ = true;
  has_cookie_ = false;
  cookie_came_ = now;
}

std::span<const std::byte> Handshake::poll(MonotonicNanos now, const HeldRange& held) {
  if (!timer_.is_due(now)) return {};
  const bool too_old = has_cookie_ && now - cookie_came_ >= kCookieAgeMaxNs;
  if (!begun_ || too_old) begin(now);
  if (!has_cookie_) {
    write_hello(now);
    timer_.said(now);
    return frame_;
  }
  if (frame_bytes_ == 0) write_open(held);
  timer_.said(now);
  return std::span(frame_).first(frame_bytes_);
}

void Handshake::write_hello(MonotonicNanos now) {
  frame_.fill(std::byte{0});
  pdp::encode_frame(std::span(frame_), pdp::FrameType::kHello, 0,
                    pdp::HelloBody{.nonce = nonce_, .sent_us = stamp_of(now)});
  frame_bytes_ = 0;
}

void Handshake::write_open(const HeldRange& held) {
  suit_shard();
  const std::size_t head = sizeof(pdp::FrameHeader) + sizeof(pdp::OpenBody);
  const std::size_t trailer = has_key() ? sizeof(pdp::Trailer) : 0;
  frame_bytes_ = head + key_name_bytes_ + name_bytes_ + trailer;
  const auto frame = std::span(frame_).first(frame_bytes_);
  std::ranges::copy(std::as_bytes(std::span(key_name())), frame.subspan(head).begin());
  std::ranges::copy(session_name(), frame.subspan(head + key_name_bytes_).begin());
  pdp::encode_frame(frame, pdp::FrameType::kOpen, 0,
                    pdp::OpenBody{.nonce = nonce_,
                                  .issued_ns = cookie_.issued_ns,
                                  .cookie = cookie_.cookie,
                                  .oldest = held.oldest,
                                  .next = held.next,
                                  .level = level_,
                                  .frame_bytes_max = frame_bytes_max_,
                                  .key_bytes = static_cast<std::uint8_t>(key_name_bytes_),
                                  .name_bytes = static_cast<std::uint8_t>(name_bytes_),
                                  .reserved = 0},
                    has_key());
  if (has_key()) sealer_.seal(frame, pdp::open_key(key_, nonce_, cookie_.cookie), 0);
}

bool Handshake::on_cookie(const pdp::CookieBody& cookie, MonotonicNanos now) {
  if (!is_on() || !begun_ || has_cookie_ || cookie.nonce != nonce_) return false;
  has_cookie_ = true;
  cookie_ = cookie;
  cookie_came_ = now;
  timer_.start(now, kOpenAgainNs, kOpenAgainMaxNs);
  return true;
}

void Handshake::suit_shard() {
  if (name_is_chosen_) return;
  name_is_chosen_ = true;
  const std::size_t at = name_bytes_ - kShardSuffixBytes;
  for (std::uint32_t suffix = 0; suffix < kTriesPerShard * cookie_.shards; ++suffix) {
    store(std::span(name_), at, suffix);
    if (suits_shard()) return;
  }
}

bool Handshake::suits_shard() const {
  return pdp::session_number(key_name(), session_name()) % cookie_.shards == cookie_.shard;
}

bool Handshake::on_refuse(const pdp::RefuseBody& refuse, MonotonicNanos now) {
  if (!answers(refuse.nonce)) return false;
  stop();
  if (refuse.retry_ms != 0) start(now + refuse.retry_ms * kNanosPerMilli);
  return true;
}

ConnectionKeys Handshake::keys(const pdp::AcceptBody& accept) const {
  return {
      .producer = pdp::producer_frames_key(key_, nonce_, cookie_.cookie, accept.node_nonce),
      .node = pdp::node_frames_key(key_, nonce_, cookie_.cookie, accept.node_nonce),
  };
}

}  // namespace penstock::client

// What a shard calls in its loop takes no memory. Counted by jemalloc, which also sees what OpenSSL
// takes; where a sanitizer's malloc stands in its place, only that all of it runs.
#include <gtest/gtest.h>

#include "dataplane/door/pdp/cookie.h"
#include "dataplane/door/pdp/key_ring.h"
#include "dataplane/door/pdp/run_check.h"
#include "tests/unit/dataplane/door/pdp/vectors.h"

extern "C" int mallctl(const char* name, void* old_value, std::size_t* old_bytes, void* new_value,
                       std::size_t new_bytes) __attribute__((weak));

namespace penstock::pdp {
namespace {

std::uint64_t malloc_bytes() {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof bytes;
  if (mallctl != nullptr) mallctl("thread.allocated", &bytes, &size, nullptr, 0);
  return bytes;
}

TEST(PdpAllocations, AreCounted) {
  const std::uint64_t before = malloc_bytes();
  const Sealer sealer;
  EXPECT_TRUE(mallctl == nullptr || malloc_bytes() > before);
}

TEST(PdpAllocations, AreMadeByConstructorsOnly) {
  constexpr int kRounds = 1000;
  const auto data = vectors::load_vectors("data").at(3);
  const auto frame = vectors::frame_of(data);
  const auto keys = KeyRing::parse("a " + std::string(64, '7'), "keys");
  Sealer sealer;
  CookieJar jar(CookieSecret{});
  std::vector<std::byte> sealed(2000);
  const Nonce nonce{};

  const std::uint64_t before = malloc_bytes();
  int failed = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto packet = static_cast<std::uint64_t>(i);
    const ProducerKey& key = *keys->find("a");
    const Tag cookie = jar.make({.issued_ns = packet});
    const SealKey keys_made[] = {open_key(key, nonce, cookie),
                                 producer_frames_key(key, nonce, cookie, nonce),
                                 node_frames_key(key, nonce, cookie, nonce)};
    const SealKey& seal_key = keys_made[i % 3];
    encode_frame(sealed, FrameType::kPing, session_number("a", nonce), PingBody{}, true);
    sealer.seal(sealed, seal_key, packet + 1);
    const auto decoded = decode_frame(frame, Sender::kProducer);
    const bool good =
        jar.check({.issued_ns = packet}, cookie, MonotonicNanos(i + 1)) == CookieFate::kRight &&
        sealer.verify(sealed, seal_key) && !sealer.verify(sealed, keys_made[(i + 1) % 3]) &&
        decode_frame(sealed, Sender::kProducer) && decoded &&
        check_run(messages_of(*decoded), body_of<DataBody>(*decoded).message_count) &&
        keys->find("b") == nullptr;
    if (!good) ++failed;
  }
  EXPECT_EQ(malloc_bytes(), before);
  EXPECT_EQ(failed, 0);
  fmt::print("FIGURE name=pdp_allocations cases={} failed={}\n", kRounds, HasFailure() ? 1 : 0);
}

}  // namespace
}  // namespace penstock::pdp

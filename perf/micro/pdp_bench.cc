// What a PDP frame costs before its messages are copied: the frame itself, its run, its seal.
#include "base/check.h"
#include "dataplane/door/pdp/run_check.h"
#include "dataplane/door/pdp/seal.h"
#include "perf/micro/counted.h"

namespace penstock::micro {
namespace {

constexpr std::string_view kSubject = "metrics.eu.host1.cpu";

// Messages that have `bytes` each in the frame, but for the first, which carries the subject too.
std::vector<std::byte> run_of(std::size_t messages, std::size_t bytes) {
  std::vector<std::byte> run;
  for (std::size_t i = 0; i < messages; ++i) {
    MessageHeader header{};
    header.payload_length = static_cast<std::uint32_t>(bytes - sizeof header);
    header.subject_length = static_cast<std::uint16_t>(i == 0 ? kSubject.size() : 0);
    const std::size_t at = run.size();
    run.resize(at + message_bytes(header.subject_length, 0, 0, header.payload_length));
    store(run, at, header);
    if (i == 0) std::memcpy(run.data() + sizeof header, kSubject.data(), kSubject.size());
  }
  return run;
}

void pdp_run_check(benchmark::State& state) {
  const auto messages = static_cast<std::uint32_t>(state.range(0));
  const auto run = run_of(messages, static_cast<std::size_t>(state.range(1)));
  CHECK(pdp::check_run(run, messages).has_value());
  for (auto _ : state) benchmark::DoNotOptimize(pdp::check_run(run, messages));
  count(state, {.items = messages, .bytes = run.size()});
}
BENCHMARK(pdp_run_check)->Args({17, 64})->Args({32, 256})->Args({128, 64});

// The least that taking them costs.
void pdp_run_copied(benchmark::State& state) {
  const auto messages = static_cast<std::size_t>(state.range(0));
  const auto run = run_of(messages, static_cast<std::size_t>(state.range(1)));
  auto copy = run;
  for (auto _ : state) {
    std::memcpy(copy.data(), run.data(), run.size());
    benchmark::ClobberMemory();
  }
  count(state, {.items = messages, .bytes = run.size()});
}
BENCHMARK(pdp_run_copied)->Args({17, 64})->Args({32, 256})->Args({128, 64});

// A DATA frame of so many messages of 64 bytes.
std::vector<std::byte> frame_of(std::uint32_t messages, bool sealed) {
  const auto run = run_of(messages, 64);
  std::vector<std::byte> frame(pdp::kDataHeadBytes + run.size() +
                               (sealed ? sizeof(pdp::Trailer) : 0));
  std::memcpy(frame.data() + pdp::kDataHeadBytes, run.data(), run.size());
  pdp::encode_frame(frame, pdp::FrameType::kData, 1,
                    pdp::DataBody{.sequence = 1, .message_count = messages, .sent_us = 1}, sealed);
  return frame;
}

void pdp_frame_decode(benchmark::State& state) {
  const auto frame = frame_of(17, false);
  CHECK(pdp::decode_frame(frame, pdp::Sender::kProducer).has_value());
  for (auto _ : state) {
    benchmark::DoNotOptimize(pdp::decode_frame(frame, pdp::Sender::kProducer));
  }
  count(state, {.bytes = frame.size()});
}
BENCHMARK(pdp_frame_decode);

// Of frames one after the other with the same key, or (1) each with another one.
void pdp_seal_verify(benchmark::State& state) {
  auto frame = frame_of(static_cast<std::uint32_t>(state.range(0)), true);
  pdp::Sealer sealer;
  pdp::SealKey keys[2] = {};
  keys[1][0] = std::byte{static_cast<std::uint8_t>(state.range(1))};
  sealer.seal(frame, keys[0], 1);
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sealer.verify(frame, keys[i++ % 2]));
  count(state, {.bytes = frame.size()});
}
BENCHMARK(pdp_seal_verify)->Args({17, 0})->Args({17, 1})->Args({136, 0})->Args({136, 1});

}  // namespace
}  // namespace penstock::micro

// What a PDP frame costs before its messages are copied: the frame itself, its run, its seal.
#include "base/check.h"
#include "dataplane/door/pdp/run_check.h"
#include "dataplane/door/pdp/wire.h"
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

}  // namespace
}  // namespace penstock::micro

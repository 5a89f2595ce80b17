// Datagrams of packed lines, split into messages by their front door.

#include "base/check.h"
#include "dataplane/door/door.h"
#include "perf/micro/counted.h"

namespace penstock::micro {
namespace {

struct Counter {
  void offer(std::size_t /*origin*/, CaptureSetId /*set*/, const MessageView& message) {
    benchmark::DoNotOptimize(message);
    ++messages;
  }
  void offer_uncaptured(std::size_t /*origin*/, MessageFate /*why*/,
                        const MessageView& /*message*/) {}
  std::size_t messages = 0;
};

void lines_split(benchmark::State& state) {
  const auto subject =
      SubjectTemplate::compile("lines.{door}", subject_variables(DoorProtocol::kLine));
  Rng rng(1);
  const Routing routing(
      {
          {"all", {SubjectFilter::parse(">").value()}}
  },
      rng);
  StreamRouter router(routing, [](auto) { return CaptureSetId(0); });
  MessageAccount account;
  Door door({.name = "lines", .protocol = DoorProtocol::kLine, .subject = subject.value()}, router,
            account);
  const std::string packed = lines(size_of(state));
  Datagram datagram;
  datagram.payload = bytes_of(packed);
  Counter counter;
  for (auto _ : state) door.take(datagram, counter);
  const std::size_t each = packed.size() / (size_of(state) + 1);
  CHECK_EQ(counter.messages, each * state.iterations());
  count(state, {.items = each, .bytes = packed.size()});
}
BENCHMARK(lines_split)->Arg(100);

}  // namespace
}  // namespace penstock::micro

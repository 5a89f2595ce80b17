// The books: what counting a packet costs, and what publishing them to other processes does.

#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "dataplane/ledger/ledger_file.h"
#include "perf/micro/counted.h"

namespace penstock::micro {
namespace {

void ledger_count(benchmark::State& state) {
  PortAccount account;
  auto fate = PacketFate::kDecoded;
  benchmark::DoNotOptimize(fate);
  for (auto _ : state) {
    account.received.add(256);
    account[fate].add(1, 256);
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(account);
  }
  count(state, {.bytes = 2 * sizeof(Tally)});
}
BENCHMARK(ledger_count);

// The same four words, under no name.
void count_four_words(benchmark::State& state) {
  std::array<std::uint64_t, 4> words{};
  for (auto _ : state) {
    for (std::uint64_t& word : words) word += 256;
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(words);
  }
  count(state, {.bytes = sizeof words});
}
BENCHMARK(count_four_words);

// The accounts of a shard with one port and two doors.
void ledger_publish(benchmark::State& state) {
  const std::vector<AccountSpec> shard{
      {AccountKind::kPort,        0, "lan0"  },
      {AccountKind::kDoor,        0, "syslog"},
      {AccountKind::kDoor,        0, "lines" },
      {AccountKind::kShard,       0, "0"     },
      {AccountKind::kShardGauges, 0, "0"     },
      {AccountKind::kLogEdge,     0, "main"  }
  };
  std::filesystem::create_directories("build/perf");
  const auto ledger =
      LedgerFile::create("build/perf/micro.ledger", "micro", {{}, shard}, {{}, 0}, {});
  CHECK(ledger.has_value());
  for (auto _ : state) (*ledger)->area(1).publish();
  std::size_t bytes = 0;
  for (const AccountSpec& account : shard) bytes += account_bytes(account.kind);
  count(state, {.items = shard.size(), .bytes = bytes});
}
BENCHMARK(ledger_publish);

// Streams whose books changed, one after the other of so many.
void ledger_publish_stream(benchmark::State& state) {
  const std::size_t streams = size_of(state);
  std::vector<StreamBook> file(streams);
  StreamBooks books(file);
  std::size_t place = 0;
  for (auto _ : state) {
    books.at(place).offered.add(1);
    books.publish(place);
    place = place + 1 == streams ? 0 : place + 1;
  }
  count(state, {.bytes = sizeof(MessageAccount)});
}
BENCHMARK(ledger_publish_stream)->Arg(1)->Arg(10'000);

}  // namespace
}  // namespace penstock::micro

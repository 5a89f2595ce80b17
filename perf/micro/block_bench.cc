// Messages into blocks: laid out, and with the checksum that seals a block. Beside both, what must
// be done at the least: the same messages behind a header of 16 bytes, copied, and checksummed.

#include <cstring>

#include "base/crc32c.h"
#include "perf/micro/blocks.h"
#include "storage/format/block.h"

namespace penstock::micro {
namespace {

enum class Seal : bool { kNo, kYes };

void build(benchmark::State& state, std::uint32_t sets, Seal seal) {
  Blocks blocks;
  Source source(size_of(state));
  std::size_t messages = 0;
  for (auto _ : state) {
    Block* block = blocks.fill(source, sets);
    messages = block->total.messages;
    if (seal == Seal::kYes) benchmark::DoNotOptimize(finish_block(block->bytes, block->header));
    blocks.give_back(block);
  }
  count(state, {.items = messages, .bytes = messages * size_of(state)});
}

void copy(benchmark::State& state, Seal seal) {
  constexpr std::size_t kHeader = 16;
  const PageBuffer memory = allocate_pages(kBlocks * kBlockBytes);
  Source source(size_of(state));
  std::size_t next = 0;
  std::size_t messages = 0;
  for (auto _ : state) {
    std::byte* const block = memory.get() + next * kBlockBytes;
    next = (next + 1) % kBlocks;
    std::size_t at = 0;
    for (messages = 0; at + kHeader + size_of(state) <= kBlockBytes; ++messages) {
      const std::uint64_t header[2] = {size_of(state), messages};
      std::memcpy(block + at, header, kHeader);
      const auto message = source.next();
      std::memcpy(block + at + kHeader, message.data(), message.size());
      at += kHeader + message.size();
    }
    if (seal == Seal::kYes) benchmark::DoNotOptimize(crc32c({block, at}));
    benchmark::ClobberMemory();
  }
  count(state, {.items = messages, .bytes = messages * size_of(state)});
}

void block_append(benchmark::State& state) { build(state, 1, Seal::kNo); }
void block_append_and_seal(benchmark::State& state) { build(state, 1, Seal::kYes); }
void copy_with_header(benchmark::State& state) { copy(state, Seal::kNo); }
void copy_with_header_and_crc32c(benchmark::State& state) { copy(state, Seal::kYes); }
BENCHMARK(block_append)->Arg(64)->Arg(256)->Arg(1024);
BENCHMARK(copy_with_header)->Arg(64)->Arg(256)->Arg(1024);
BENCHMARK(block_append_and_seal)->Arg(64)->Arg(256)->Arg(1024);
BENCHMARK(copy_with_header_and_crc32c)->Arg(64)->Arg(256)->Arg(1024);

// Runs of a producer: 17 messages of 64 bytes, laid out by it. Beside them, what must be done at
// the least: the same bytes copied, and checksummed.
constexpr std::uint32_t kRunMessages = 17;
constexpr std::size_t kRunBytes = 1440;

void runs(benchmark::State& state, Seal seal) {
  Blocks blocks;
  Source source(kRunBytes);
  std::size_t count_runs = 0;
  for (auto _ : state) {
    Block* block = blocks.fill_runs(source, kRunMessages);
    count_runs = block->notes;
    if (seal == Seal::kYes) benchmark::DoNotOptimize(finish_block(block->bytes, block->header));
    blocks.give_back(block);
  }
  count(state, {.items = count_runs, .bytes = count_runs * kRunBytes});
}

void copy_runs(benchmark::State& state, Seal seal) {
  const PageBuffer memory = allocate_pages(kBlocks * kBlockBytes);
  Source source(kRunBytes);
  std::size_t next = 0;
  constexpr std::size_t kRuns = kBlockBytes / kRunBytes;
  for (auto _ : state) {
    std::byte* const block = memory.get() + next * kBlockBytes;
    next = (next + 1) % kBlocks;
    for (std::size_t i = 0; i < kRuns; ++i) {
      std::memcpy(block + i * kRunBytes, source.next().data(), kRunBytes);
    }
    if (seal == Seal::kYes) benchmark::DoNotOptimize(crc32c({block, kRuns * kRunBytes}));
    benchmark::ClobberMemory();
  }
  count(state, {.items = kRuns, .bytes = kRuns * kRunBytes});
}

void run_append(benchmark::State& state) { runs(state, Seal::kNo); }
void run_append_and_seal(benchmark::State& state) { runs(state, Seal::kYes); }
void run_copy(benchmark::State& state) { copy_runs(state, Seal::kNo); }
void run_copy_and_crc32c(benchmark::State& state) { copy_runs(state, Seal::kYes); }
BENCHMARK(run_append);
BENCHMARK(run_copy);
BENCHMARK(run_append_and_seal);
BENCHMARK(run_copy_and_crc32c);

// A run for each message: what streams that take turns cost.
void run_for_each_message(benchmark::State& state) { build(state, 2, Seal::kNo); }
BENCHMARK(run_for_each_message)->Arg(256);

// One full block, again and again.
void block_seal(benchmark::State& state) {
  Blocks blocks;
  Source source(256);
  Block* block = blocks.fill(source);
  for (auto _ : state) benchmark::DoNotOptimize(finish_block(block->bytes, block->header));
  count(state, {.bytes = block->header.length});
}
BENCHMARK(block_seal);

void run_read(benchmark::State& state) {
  Blocks blocks;
  Source source(size_of(state));
  Block* block = blocks.fill(source);
  finish_block(block->bytes, block->header);
  for (auto _ : state) {
    BlockReader reader(block->bytes.first(block->header.length));
    RunReader run(reader.next_run());
    while (const auto message = run.next()) benchmark::DoNotOptimize(message->payload);
    CHECK(run.ok());
  }
  count(state, {.items = block->total.messages, .bytes = block->header.length});
}
BENCHMARK(run_read)->Arg(64)->Arg(256)->Arg(1024);

}  // namespace
}  // namespace penstock::micro

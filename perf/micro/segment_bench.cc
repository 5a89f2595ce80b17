// The index that closes a segment: laid out and checksummed by the writer, checked by a reader.

#include "perf/micro/blocks.h"
#include "storage/log/segment_writer.h"

namespace penstock::micro {
namespace {

constexpr std::uint64_t kSegmentBytes = 16 * kMiB;

// A segment full of blocks of one page: the longest index that it can have.
class FullSegment {
 public:
  FullSegment() {
    SegmentHeader header{};
    header.generation = 1;
    header.segment_bytes = kSegmentBytes;
    writer_.begin(header, {}, {});
    const PageBuffer page = allocate_pages(kPageBytes);
    Block block;
    block.bytes = {page.get(), kPageBytes};
    block.header.length = kPageBytes;
    block.header.used = sizeof(BlockHeader);
    BlockSequence sequence;
    while (writer_.has_room(kPageBytes)) {
      writer_.place(block, sequence, sequence, block.header.crc);
      ++sequence;
    }
  }
  [[nodiscard]] std::span<const std::byte> close() {
    writer_.end();
    return writer_.close(0, UnixNanos(1));
  }
  [[nodiscard]] const SegmentFooter& footer() const { return writer_.footer(); }

 private:
  CaptureTable captures_;
  ProducerTable producers_{0};
  SegmentWriter writer_{kSegmentBytes, kBlockBytes, captures_, producers_};
};

void segment_index_written(benchmark::State& state) {
  FullSegment segment;
  std::size_t bytes = 0;
  for (auto _ : state) bytes = segment.close().size();
  count(state, {.items = segment.footer().block_count, .bytes = bytes});
}
BENCHMARK(segment_index_written);

void segment_index_read(benchmark::State& state) {
  FullSegment segment;
  const auto bytes = segment.close();
  for (auto _ : state) {
    CHECK(decode_segment_index(bytes, segment.footer()).has_value());
  }
  count(state, {.items = segment.footer().block_count, .bytes = bytes.size()});
}
BENCHMARK(segment_index_read);

}  // namespace
}  // namespace penstock::micro

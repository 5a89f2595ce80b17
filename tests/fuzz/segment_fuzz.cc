// Segment header, footer and index: raw, and with a good checksum over whatever they say.
#include "storage/format/segment.h"
#include "tests/fuzz/fuzz_page.h"

using namespace penstock;

namespace {

void check_index(fuzz::FuzzInput& input) {
  SegmentFooter footer{};
  footer.index_position = input.number<std::uint32_t>();
  footer.block_count = input.number<std::uint16_t>();
  footer.partition_count = input.number<std::uint16_t>();
  footer.producer_count = input.number<std::uint16_t>();
  const auto bytes = input.rest();
  footer.index_crc = crc32c(bytes) ^ (footer.block_count == 0xFFFF ? 1U : 0U);
  const auto index = decode_segment_index(bytes, footer);
  if (!index) return;
  CHECK_EQ(index->blocks.size(), footer.block_count);
  CHECK_EQ(index->partitions.size(), footer.partition_count);
  CHECK_EQ(index->producers.size(), footer.producer_count);
  for (const ProducerEntry& producer : index->producers) {
    CHECK_LE(producer.next_sequence, kProducerSequenceEnd);
  }
  std::uint64_t position = 1;
  for (const IndexEntry& block : index->blocks) {
    CHECK_EQ(block.position, position);
    position += block.pages;
  }
  CHECK_EQ(position, footer.index_position);
  for (const PartitionEntry& partition : index->partitions) {
    CHECK_LE(partition.first_offset, partition.next_offset);
    if (partition.first_offset == partition.next_offset) continue;
    CHECK_LE(partition.first_block, partition.last_block);
    CHECK_LT(partition.last_block, footer.block_count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::FuzzInput input(data, size);
  const bool sealed = input.number<std::uint8_t>() % 2 == 1;
  const auto bytes = input.rest();
  const fuzz::Page header = sealed ? fuzz::sealed_page_of<SegmentHeader>(bytes, kSegmentHeaderMagic)
                                   : fuzz::page_of(bytes);
  fuzz::check_page(header, decode_segment_header, encode_segment_header);
  const fuzz::Page footer = sealed ? fuzz::sealed_page_of<SegmentFooter>(bytes, kSegmentFooterMagic)
                                   : fuzz::page_of(bytes);
  fuzz::check_page(footer, decode_segment_footer, encode_segment_footer);
  check_index(input);
  return 0;
}

// The processor's limit for storing messages: copies messages of one size from an 8 MiB buffer into
// blocks of 256 KiB, each behind a 16-byte header, and checksums every full block with CRC32C. No
// network, no drive, no format: what any recorder that copies once and checksums must do at least.
//
//   copy_crc BYTES SECONDS    prints messages a second of processor time

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

#include "base/crc32c.h"

namespace {

constexpr std::size_t kSourceBytes = 8U << 20U;
constexpr std::size_t kBlockBytes = 256U << 10U;
constexpr std::size_t kBlocks = 32;
constexpr std::size_t kHeaderBytes = 16;

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: copy_crc BYTES SECONDS\n");
    return 2;
  }
  const std::string_view size_text = argv[1];
  const std::string_view seconds_text = argv[2];
  std::size_t size = 0;
  double seconds = 0;
  std::from_chars(size_text.data(), size_text.data() + size_text.size(), size);
  std::from_chars(seconds_text.data(), seconds_text.data() + seconds_text.size(), seconds);
  std::vector<std::byte> source(kSourceBytes, std::byte{'x'});
  std::vector<std::byte> blocks(kBlockBytes * kBlocks);
  const std::clock_t start = std::clock();
  std::uint64_t messages = 0;
  std::uint64_t sequence = 0;
  std::uint32_t crc = 0;
  std::size_t from = 0;
  double elapsed = 0;
  while (elapsed < seconds) {
    for (std::size_t b = 0; b < kBlocks; ++b) {
      std::byte* const block = blocks.data() + b * kBlockBytes;
      std::size_t at = 0;
      while (at + kHeaderBytes + size <= kBlockBytes) {
        if (from + size > kSourceBytes) from = 0;
        const std::uint64_t header[2] = {size, sequence++};
        std::memcpy(block + at, header, sizeof header);
        std::memcpy(block + at + kHeaderBytes, source.data() + from, size);
        at += kHeaderBytes + size;
        from += size;
        ++messages;
      }
      crc ^= penstock::crc32c({block, at});
    }
    elapsed = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  }
  std::printf("%.0f\n", static_cast<double>(messages) / elapsed);
  return crc == 0x12345678 ? 1 : 0;  // the checksums are used, so they are computed
}

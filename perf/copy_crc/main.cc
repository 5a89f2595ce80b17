// The processor's limit for storing messages: copies messages of one size from an 8 MiB buffer into
// blocks of 256 KiB, each behind a 16-byte header, and checksums every full block with CRC32C. No
// network, no drive, no format: what any recorder that copies once and checksums must do at least.
// With PACKET the messages lie in packets of so many bytes, each behind a header that says how long
// it is and of which of 1,024 streams, and each stream numbers its own.
//
//   copy_crc BYTES SECONDS [PACKET]    prints messages a second of processor time

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/crc32c.h"
#include "perf/arguments.h"

namespace {

using penstock::number_of;

constexpr std::size_t kSourceBytes = 8U << 20U;
constexpr std::size_t kBlockBytes = 256U << 10U;
constexpr std::size_t kBlocks = 32;
constexpr std::size_t kStreams = 1024;
constexpr std::size_t kPacketStride = 2048;

struct Header {
  std::uint32_t bytes;
  std::uint32_t stream;
  std::uint64_t sequence;
};

struct Copier {
  std::vector<std::byte> blocks = std::vector<std::byte>(kBlockBytes * kBlocks);
  std::size_t block = 0;
  std::size_t at = 0;
  std::uint32_t crc = 0;

  void put(const Header& header, const std::byte* payload) {
    if (at + sizeof header + header.bytes > kBlockBytes) {
      crc ^= penstock::crc32c({blocks.data() + block * kBlockBytes, at});
      block = (block + 1) % kBlocks;
      at = 0;
    }
    std::byte* const to = blocks.data() + block * kBlockBytes + at;
    std::memcpy(to, &header, sizeof header);
    std::memcpy(to + sizeof header, payload, header.bytes);
    at += sizeof header + header.bytes;
  }
};

// Passes over the source once; returns the messages.
std::uint64_t copy_plain(const std::vector<std::byte>& source, std::uint32_t bytes,
                         std::uint64_t sequence, Copier& copier) {
  std::uint64_t messages = 0;
  for (std::size_t from = 0; from + bytes <= source.size(); from += bytes, ++messages) {
    copier.put({.bytes = bytes, .stream = 0, .sequence = sequence + messages},
               source.data() + from);
  }
  return messages;
}

std::uint64_t copy_packets(const std::vector<std::byte>& source, std::size_t packet_bytes,
                           std::vector<std::uint64_t>& sequences, Copier& copier) {
  std::uint64_t messages = 0;
  for (std::size_t packet = 0; packet < source.size(); packet += kPacketStride) {
    const std::byte* from = source.data() + packet;
    const std::byte* const end = from + packet_bytes;
    while (from + sizeof(Header) <= end) {
      Header header{};
      std::memcpy(&header, from, sizeof header);
      if (header.bytes == 0 || header.bytes > static_cast<std::size_t>(end - from)) break;
      header.sequence = sequences[header.stream % kStreams]++;
      copier.put(header, from + sizeof header);
      from += sizeof header + header.bytes;
      ++messages;
    }
  }
  return messages;
}

// Packets full of messages, of a stream each.
std::vector<std::byte> make_packets(std::uint32_t bytes, std::size_t packet_bytes) {
  std::vector<std::byte> source(kSourceBytes, std::byte{'x'});
  std::uint32_t random = 1;
  for (std::size_t packet = 0; packet < source.size(); packet += kPacketStride) {
    std::size_t at = 0;
    for (; at + sizeof(Header) + bytes <= packet_bytes; at += sizeof(Header) + bytes) {
      random = random * 1664525 + 1013904223;
      const Header header{.bytes = bytes, .stream = random >> 16U, .sequence = 0};
      std::memcpy(source.data() + packet + at, &header, sizeof header);
    }
    const Header none{};
    if (at + sizeof none <= packet_bytes) {
      std::memcpy(source.data() + packet + at, &none, sizeof none);
    }
  }
  return source;
}

}  // namespace

int main(int argc, char** argv) {
  const auto bytes = argc < 3 ? 0 : number_of<std::uint32_t>(argv[1]);
  const auto seconds = argc < 3 ? 0 : number_of<double>(argv[2]);
  const bool packed = argc > 3;
  const auto packet_bytes = packed ? number_of<std::size_t>(argv[3]) : kPacketStride;
  if (bytes == 0 || bytes > kBlockBytes / 2 || !(seconds > 0) || packet_bytes > kPacketStride ||
      (packed && packet_bytes < sizeof(Header) + bytes)) {
    std::fprintf(stderr, "usage: copy_crc BYTES SECONDS [PACKET]\n");
    return 2;
  }
  const auto source = packed ? make_packets(bytes, packet_bytes)
                             : std::vector<std::byte>(kSourceBytes, std::byte{'x'});
  std::vector<std::uint64_t> sequences(kStreams);
  Copier copier;
  const std::clock_t start = std::clock();
  std::uint64_t messages = 0;
  double elapsed = 0;
  while (elapsed < seconds) {
    messages += packed ? copy_packets(source, packet_bytes, sequences, copier)
                       : copy_plain(source, bytes, messages, copier);
    elapsed = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  }
  std::printf("%.0f\n", static_cast<double>(messages) / elapsed);
  return copier.crc == 0x12345678 ? 1 : 0;  // the checksums are used, so they are computed
}

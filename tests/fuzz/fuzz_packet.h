// Packets in the shapes in which devices hand them over. EAL must run.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include <rte_mbuf.h>

#include "base/check.h"
#include "dataplane/frame/checksum.h"
#include "dataplane/frame/wire.h"

namespace penstock::fuzz {

enum class Shape : std::uint8_t {
  kOneBuffer,
  kTwoBuffers,   // cut in the middle
  kManyBuffers,  // of 16 bytes each, the first one empty
  kExact,        // memory of just that size, so that AddressSanitizer sees a read past its end
};

class PacketMaker {
 public:
  PacketMaker()
      : pool_(
            rte_pktmbuf_pool_create("fuzz", 2047, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY)) {
    CHECK(pool_ != nullptr);
  }

  // `repaired`: with good IPv4 and ICMP checksums if it is IPv4 without tags and options.
  [[nodiscard]] rte_mbuf* make(std::span<const std::byte> bytes, Shape shape, bool repaired) {
    std::vector<std::byte> frame(
        bytes.begin(), bytes.begin() + std::min<std::ptrdiff_t>(std::ssize(bytes), kFrameBytes));
    if (repaired) repair(frame);
    switch (shape) {
      case Shape::kOneBuffer: return chain(frame, frame.size() + 1);
      case Shape::kTwoBuffers: return chain(frame, frame.size() / 2 + 1);
      case Shape::kManyBuffers: {
        rte_mbuf* first = alloc();
        CHECK_EQ(rte_pktmbuf_chain(first, chain(frame, 16)), 0);
        return first;
      }
      case Shape::kExact: return exact(frame);
    }
    return nullptr;
  }
  [[nodiscard]] unsigned in_use() const { return rte_mempool_in_use_count(pool_); }

 private:
  static constexpr std::ptrdiff_t kFrameBytes = 2000;

  static void repair(std::span<std::byte> frame) {
    constexpr std::size_t kIp = 14;
    constexpr std::size_t kIcmp = kIp + 20;
    if (frame.size() < kIcmp || octet(&frame[kIp]) != 0x45) return;
    store_be16(&frame[kIp + 10], 0);
    store(&frame[kIp + 10], checksum_finish(checksum_add(0, frame.subspan(kIp, 20))));
    const std::size_t end = std::min<std::size_t>(frame.size(), kIp + load_be16(&frame[kIp + 2]));
    if (octet(&frame[kIp + 9]) != 1 || end < kIcmp + 4) return;
    store_be16(&frame[kIcmp + 2], 0);
    store(&frame[kIcmp + 2], checksum_finish(checksum_add(0, frame.subspan(kIcmp, end - kIcmp))));
  }

  [[nodiscard]] rte_mbuf* alloc() {
    rte_mbuf* buffer = rte_pktmbuf_alloc(pool_);
    CHECK(buffer != nullptr);
    return buffer;
  }

  [[nodiscard]] rte_mbuf* chain(std::span<const std::byte> frame, std::size_t piece) {
    rte_mbuf* whole = nullptr;
    do {
      const auto part = frame.first(std::min(piece, frame.size()));
      frame = frame.subspan(part.size());
      rte_mbuf* buffer = alloc();
      std::ranges::copy(std::as_bytes(part), reinterpret_cast<std::byte*>(rte_pktmbuf_append(
                                                 buffer, static_cast<std::uint16_t>(part.size()))));
      if (whole == nullptr) {
        whole = buffer;
      } else {
        CHECK_EQ(rte_pktmbuf_chain(whole, buffer), 0);
      }
    } while (!frame.empty());
    return whole;
  }

  [[nodiscard]] rte_mbuf* exact(std::span<const std::byte> frame) {
    struct Outside {
      std::vector<std::byte> bytes;
      rte_mbuf_ext_shared_info info{};
    };
    auto* outside = new Outside{
        {frame.begin(), frame.end()}
    };
    outside->bytes.shrink_to_fit();
    outside->info.free_cb = [](void*, void* self) { delete static_cast<Outside*>(self); };
    outside->info.fcb_opaque = outside;
    rte_mbuf_ext_refcnt_set(&outside->info, 1);
    rte_mbuf* packet = alloc();
    rte_pktmbuf_attach_extbuf(packet, outside->bytes.data(), RTE_BAD_IOVA,
                              static_cast<std::uint16_t>(frame.size()), &outside->info);
    packet->data_off = 0;
    packet->data_len = static_cast<std::uint16_t>(frame.size());
    packet->pkt_len = packet->data_len;
    return packet;
  }

  rte_mempool* pool_;
};

}  // namespace penstock::fuzz

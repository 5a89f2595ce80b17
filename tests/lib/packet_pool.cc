#include "tests/lib/packet_pool.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include <rte_errno.h>

#include "base/check.h"

namespace penstock::test {
namespace {

// Memory of its own: the bytes, and what DPDK keeps about them.
struct Outside {
  std::unique_ptr<std::byte[]> bytes;
  rte_mbuf_ext_shared_info info{};
};

void free_outside(void* /*bytes*/, void* outside) { delete static_cast<Outside*>(outside); }

void fill(rte_mbuf* packet, std::span<const std::byte> bytes) {
  char* place = rte_pktmbuf_append(packet, static_cast<std::uint16_t>(bytes.size()));
  CHECK(place != nullptr);
  if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
}

}  // namespace

PacketPool::PacketPool(unsigned buffers, unsigned buffer_bytes) {
  static unsigned pools = 0;
  pool_ = rte_pktmbuf_pool_create(fmt::format("test.{}", pools++).c_str(), buffers, 0, 0,
                                  static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + buffer_bytes),
                                  SOCKET_ID_ANY);
  CHECK(pool_ != nullptr);
}

PacketPool::~PacketPool() { rte_mempool_free(pool_); }

rte_mbuf* PacketPool::packet(std::span<const std::byte> bytes) { return chained(bytes, {}); }

rte_mbuf* PacketPool::chained(std::span<const std::byte> bytes, std::span<const std::size_t> cuts) {
  rte_mbuf* whole = nullptr;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t to = i == cuts.size() ? bytes.size() : cuts[i];
    rte_mbuf* buffer = rte_pktmbuf_alloc(pool_);
    CHECK(buffer != nullptr);
    fill(buffer, bytes.subspan(from, to - from));
    if (whole == nullptr) {
      whole = buffer;
    } else {
      CHECK_EQ(rte_pktmbuf_chain(whole, buffer), 0);
    }
    from = to;
  }
  return whole;
}

rte_mbuf* PacketPool::exact(std::span<const std::byte> bytes) {
  auto outside = std::make_unique<Outside>();
  outside->bytes = std::make_unique<std::byte[]>(bytes.size());
  std::ranges::copy(bytes, outside->bytes.get());
  outside->info.free_cb = free_outside;
  outside->info.fcb_opaque = outside.get();
  rte_mbuf_ext_refcnt_set(&outside->info, 1);
  rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
  CHECK(packet != nullptr);
  const auto size = static_cast<std::uint16_t>(bytes.size());
  rte_pktmbuf_attach_extbuf(packet, outside->bytes.get(), RTE_BAD_IOVA, size, &outside->info);
  packet->data_off = 0;
  packet->data_len = size;
  packet->pkt_len = size;
  static_cast<void>(outside.release());  // free_outside() deletes it
  return packet;
}

Bytes content(const rte_mbuf& packet) {
  Bytes bytes;
  for (const rte_mbuf* buffer = &packet; buffer != nullptr; buffer = buffer->next) {
    const auto* data = rte_pktmbuf_mtod(buffer, const std::byte*);
    bytes.insert(bytes.end(), data, data + buffer->data_len);
  }
  return bytes;
}

}  // namespace penstock::test

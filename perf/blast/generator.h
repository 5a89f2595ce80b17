// Sends the templates from one queue, at a rate or flat out.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/port/port.h"
#include "perf/blast/packet_template.h"

struct rte_mempool;

namespace penstock::blast {

struct Sent {
  std::uint64_t messages = 0;
  std::uint64_t message_bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t packet_bytes = 0;
  std::uint64_t refused = 0;  // times that the queue was full and a packet had to wait
  double seconds = 0;
  bool stuck = false;  // given up: the receiver took nothing for seconds
};

// One thread. Packets are made once for each buffer and only stamped again when the device has let
// go of them, so that the generator costs little more than the device's own copy.
class Generator {
 public:
  Generator(const Options& options, std::vector<PacketTemplate> templates, PortQueue& queue);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Runs until the count or the time is reached or `stop` turns true.
  Sent run(const volatile bool& stop);

 private:
  struct Buffer {
    rte_mbuf* packet;
    const PacketTemplate* made;
  };
  std::uint32_t next_burst(std::span<rte_mbuf*> burst, std::uint64_t budget);
  void send_all(std::span<rte_mbuf*> burst, const volatile bool& stop);

  const Options& options_;
  std::vector<PacketTemplate> templates_;
  PortQueue& queue_;
  rte_mempool* pool_ = nullptr;
  std::vector<Buffer> buffers_;
  std::size_t next_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t messages_each_ = 1;
  Sent sent_;
};

}  // namespace penstock::blast

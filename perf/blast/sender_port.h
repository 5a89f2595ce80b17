// The DPDK port that penstock-blast sends from: its environment, its start, its link.
#pragma once

#include <memory>

#include "dataplane/port/port.h"
#include "perf/blast/options.h"

namespace penstock::blast {

// What the port has to carry.
struct SenderNeeds {
  std::size_t packet_bytes = 0;         // of the longest, from its Ethernet header on
  std::uint32_t buffers = 2048 + 1024;  // of the port's own
  std::uint32_t buffer_bytes = 2048;
  std::uint64_t memory_bytes = 0;  // of buffers besides the port's
};

// Starts DPDK and the port, and waits for its link if the options say so. The error says what to
// change.
[[nodiscard]] Result<std::unique_ptr<Port>> start_sender_port(const Options& options,
                                                              const SenderNeeds& needs,
                                                              const volatile bool& stop);

// Whether the peer reads our packets where they are: memif with zero-copy=yes.
[[nodiscard]] bool shares_packets(const Options& options);

// What the device itself says that it sent: some take packets and drop them.
[[nodiscard]] std::uint64_t packets_of_device(const std::string& device);

}  // namespace penstock::blast

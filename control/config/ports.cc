#include "control/config/ports.h"

#include <algorithm>
#include <numeric>

namespace penstock {

std::vector<unsigned> shards_of(const PortConfig& port, const Config& config) {
  if (!port.shards.empty()) return port.shards;
  std::vector<unsigned> all(config.shards.size());
  std::iota(all.begin(), all.end(), 0U);
  return all;
}

Result<DevicePlan> device_of(const PortConfig& port, const Config& config) {
  // A file without shards is wrong in another place.
  const std::size_t queues = std::max<std::size_t>(shards_of(port, config).size(), 1);
  return plan_device(port.device, {.queues = static_cast<unsigned>(queues),
                                   .mtu = port.mtu,
                                   .receive_descriptors = port.receive_descriptors,
                                   .buffer_bytes = port.buffer_bytes});
}

}  // namespace penstock

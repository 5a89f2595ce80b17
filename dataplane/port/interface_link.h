// Whether the link of an AF_PACKET or AF_XDP port's interface is up: DPDK 22.11's drivers say so
// once, when they start, and never look again.
#pragma once

#include <optional>
#include <string>

namespace penstock {

// One thread, which is not a shard's: each question is a few system calls.
class InterfaceLink {
 public:
  // `device` as the configuration has it.
  explicit InterfaceLink(const std::string& device);

  // Nothing for a device whose driver knows better.
  [[nodiscard]] std::optional<bool> up() const;

 private:
  bool asked_ = false;
  unsigned interface_ = 0;  // its number: the name may change
};

}  // namespace penstock

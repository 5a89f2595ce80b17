// Which front door listens where.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/door/door.h"

namespace penstock {

// "10.0.0.2:514", "[fd00::2]:514", "*:514".
struct ListenAddress {
  std::optional<IpAddress> address;  // none: every address
  std::uint16_t port = 0;
};
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

class DoorMap {
 public:
  DoorMap() : first_(std::make_unique<std::array<std::uint16_t, 65536>>()) { first_->fill(kNone); }

  // kAlreadyExists when another door listens there.
  [[nodiscard]] Result<> add(const ListenAddress& where, Door& door);

  // The door for a datagram's destination; an exact address beats `*`. nullptr: none listens there.
  [[nodiscard]] Door* find(const Datagram& datagram) const {
    std::uint16_t i = (*first_)[datagram.destination_port];
    Door* any = nullptr;
    for (; i != kNone; i = entries_[i].next) {
      const Entry& entry = entries_[i];
      if (!entry.address) {
        any = entry.door;
      } else if (*entry.address == datagram.destination) {
        return entry.door;
      }
    }
    return any;
  }

 private:
  static constexpr std::uint16_t kNone = 0xFFFF;
  struct Entry {
    std::optional<IpAddress> address;
    Door* door;
    std::uint16_t next;
  };
  std::unique_ptr<std::array<std::uint16_t, 65536>> first_;  // by port: its first entry
  std::vector<Entry> entries_;
};

}  // namespace penstock

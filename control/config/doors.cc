#include "control/config/doors.h"

#include <algorithm>

#include "dataplane/door/door_map.h"
#include "dataplane/frame/port_addresses.h"

namespace penstock {

DoorProtocol protocol_of(const DoorConfig& door) {
  if (door.kind == DoorKind::kSyslog) return DoorProtocol::kSyslog;
  if (door.kind == DoorKind::kPdp) return DoorProtocol::kPdp;
  return door.framing == LineFraming::kLine ? DoorProtocol::kLine : DoorProtocol::kLineDatagram;
}

Result<SubjectTemplate> subject_of(const DoorConfig& door) {
  const DoorProtocol protocol = protocol_of(door);
  const std::string_view text = door.subject.empty() ? default_subject(protocol) : door.subject;
  return SubjectTemplate::compile(text, subject_variables(protocol));
}

std::size_t remembered_sessions(const std::vector<DoorConfig>& doors) {
  const auto door = std::ranges::find(doors, DoorKind::kPdp, &DoorConfig::kind);
  return door == doors.end() ? 0 : door->pdp.remembered;
}

bool wants_multicast(const Config& config, const PortConfig& port) {
  const auto is_v6 = [](const std::string& text) {
    const auto own = parse_port_address(text);
    return own && !own->address.is_v4();
  };
  const auto is_group = [](const std::string& text) {
    const auto where = parse_listen_address(text);
    return where && where->address && where->address->is_multicast();
  };
  return std::ranges::any_of(port.addresses, is_v6) ||
         std::ranges::any_of(config.doors, [&](const DoorConfig& door) {
           return std::ranges::any_of(door.listen, is_group);
         });
}

}  // namespace penstock

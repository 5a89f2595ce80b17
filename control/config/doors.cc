#include "control/config/doors.h"

namespace penstock {

DoorProtocol protocol_of(const DoorConfig& door) {
  if (door.kind == DoorKind::kSyslog) return DoorProtocol::kSyslog;
  return door.framing == LineFraming::kLine ? DoorProtocol::kLine : DoorProtocol::kLineDatagram;
}

Result<SubjectTemplate> subject_of(const DoorConfig& door) {
  const DoorProtocol protocol = protocol_of(door);
  const std::string_view text = door.subject.empty() ? default_subject(protocol) : door.subject;
  return SubjectTemplate::compile(text, subject_variables(protocol));
}

}  // namespace penstock

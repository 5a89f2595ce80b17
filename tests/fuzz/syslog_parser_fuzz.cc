// Whatever a sender writes: the parser ends, its views lie within the message, its numbers have
// names.
#include "base/check.h"
#include "dataplane/door/syslog_parser.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message = fuzz::text_of(fuzz::FuzzInput(data, size).rest());
  const SyslogHeader header = parse_syslog(message);
  for (const std::string_view field : {header.host, header.app}) {
    CHECK(fuzz::lies_in(field, message));
    CHECK_EQ(field.find(' '), std::string_view::npos);
  }
  CHECK_LT(header.facility, 24);
  CHECK_LT(header.severity, 8);
  CHECK(!facility_name(header.facility).empty());
  CHECK(!severity_name(header.severity).empty());
  if (header.format == SyslogFormat::kNone) CHECK(header.malformed);
  if (!header.malformed) CHECK_NE(message.find('<'), std::string_view::npos);
  return 0;
}

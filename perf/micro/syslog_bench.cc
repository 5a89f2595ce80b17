// What a syslog message says of itself, in both forms.

#include "base/check.h"
#include "dataplane/door/syslog_parser.h"
#include "perf/micro/counted.h"

namespace penstock::micro {
namespace {

void parse(benchmark::State& state, const std::string& message, SyslogFormat format) {
  CHECK(parse_syslog(message).format == format && !parse_syslog(message).malformed);
  for (auto _ : state) benchmark::DoNotOptimize(parse_syslog(message));
  count(state, {.bytes = message.size()});
}

void syslog_rfc5424(benchmark::State& state) {
  parse(state, text(256, "<134>1 2026-01-01T00:00:00.000000Z host1 blast 4711 - - "),
        SyslogFormat::kRfc5424);
}
BENCHMARK(syslog_rfc5424);

void syslog_rfc3164(benchmark::State& state) {
  parse(state, text(256, "<134>Jan  1 00:00:00 host1 blast[4711]: "), SyslogFormat::kRfc3164);
}
BENCHMARK(syslog_rfc3164);

}  // namespace
}  // namespace penstock::micro

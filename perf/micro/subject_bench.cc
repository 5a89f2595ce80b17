// Subjects: made from a template and what a sender wrote, which is cleaned on the way.

#include "dataplane/door/door.h"
#include "perf/micro/counted.h"

namespace penstock::micro {
namespace {

void subject_rendered(benchmark::State& state) {
  const auto made = SubjectTemplate::compile(default_subject(DoorProtocol::kSyslog),
                                             subject_variables(DoorProtocol::kSyslog));
  SubjectValues values{};
  values[static_cast<std::size_t>(SubjectVariable::kFacility)] = "local0";
  values[static_cast<std::size_t>(SubjectVariable::kSeverity)] = "info";
  values[static_cast<std::size_t>(SubjectVariable::kHost)] = "web-7.example.org";
  values[static_cast<std::size_t>(SubjectVariable::kApp)] = "nginx";
  SubjectBuffer subject;
  for (auto _ : state) {
    subject.clear();
    made->render(values, subject);
    benchmark::DoNotOptimize(subject);
  }
  count(state, {.bytes = subject.view().size()});
}
BENCHMARK(subject_rendered);

// The same subject, copied.
void subject_copied(benchmark::State& state) {
  const std::string_view whole = "syslog.local0.info.web-7_example_org.nginx";
  SubjectBuffer subject;
  for (auto _ : state) {
    subject.clear();
    subject.append_literal(whole);
    benchmark::DoNotOptimize(subject);
  }
  count(state, {.bytes = whole.size()});
}
BENCHMARK(subject_copied);

void subject_cleaned(benchmark::State& state) {
  const std::string host = text(size_of(state), "web-7.example.org ");
  SubjectBuffer subject;
  for (auto _ : state) {
    subject.clear();
    subject.append_token(host);
    benchmark::DoNotOptimize(subject);
  }
  count(state, {.bytes = host.size()});
}
BENCHMARK(subject_cleaned)->Arg(64);

}  // namespace
}  // namespace penstock::micro

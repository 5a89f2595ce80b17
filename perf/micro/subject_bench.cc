// Subjects: made from a template and what a sender wrote, which is cleaned on the way.

#include <fmt/format.h>

#include "base/check.h"
#include "dataplane/door/door.h"
#include "dataplane/subject/subject_matcher.h"
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

// Subjects that each match one of so many filters.
void subject_matched(benchmark::State& state) {
  const std::size_t filters = size_of(state);
  std::vector<SubjectMatcher::Entry> entries;
  std::vector<std::string> subjects;
  for (std::uint32_t i = 0; i < filters; ++i) {
    const std::string host = fmt::format("metrics.region{}.*.host{}", i % 16, i);
    entries.push_back({SubjectFilter::parse(host + ".>").value(), i});
    subjects.push_back(fmt::format("metrics.region{}.dc{}.host{}.cpu.user", i % 16, i % 7, i));
  }
  Rng rng(1);
  const SubjectMatcher matcher(entries, rng);
  for (std::size_t i = subjects.size(); i > 1; --i) {
    std::swap(subjects[i - 1], subjects[rng.below(i)]);
  }
  std::size_t at = 0;
  std::uint64_t found = 0;
  for (auto _ : state) {
    const std::string& subject = subjects[at];
    at = at + 1 == subjects.size() ? 0 : at + 1;
    matcher.match(subject, [&](std::uint32_t value) {
      benchmark::DoNotOptimize(value);
      ++found;
    });
  }
  CHECK_EQ(found, static_cast<std::uint64_t>(state.iterations()));
  count(state, {.bytes = subjects.front().size()});
}
BENCHMARK(subject_matched)->Arg(1)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace penstock::micro

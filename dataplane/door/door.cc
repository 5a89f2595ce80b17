#include "dataplane/door/door.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/rng.h"
#include "dataplane/door/syslog_parser.h"

namespace penstock {
namespace {

using enum SubjectVariable;
constexpr std::array kLineVariables{kDoor, kPort, kSource};
constexpr std::array kSyslogVariables{kDoor, kPort, kSource, kFacility, kSeverity, kHost, kApp};

void set(SubjectValues& values, SubjectVariable variable, std::string_view value) {
  values[static_cast<std::size_t>(variable)] = value;
}

// What a route depends on, gathered to look it up.
class Key {
 public:
  // Facility, severity, length of the host, source, host, app.
  static constexpr std::size_t kBytesMax = 3 + sizeof(IpAddress) + 2 * kTokenBytesMax;

  void add(std::span<const std::byte> bytes) {
    std::ranges::copy(bytes, bytes_.data() + size_);  // an absent host or app is null
    size_ += bytes.size();
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  void add(std::uint8_t number) { add(std::as_bytes(std::span(&number, 1))); }
  [[nodiscard]] std::span<const std::byte> view() const { return std::span(bytes_).first(size_); }

 private:
  std::array<std::byte, kBytesMax> bytes_;
  std::size_t size_ = 0;
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::span<const SubjectVariable> subject_variables(DoorProtocol protocol) {
  if (protocol == DoorProtocol::kSyslog) return kSyslogVariables;
  return kLineVariables;
}

std::string_view default_subject(DoorProtocol protocol) {
  return protocol == DoorProtocol::kSyslog ? "syslog.{facility}.{severity}.{host}.{app}"
                                           : "lines.{door}";
}

Door::Door(DoorOptions options, StreamRouter& router, MessageAccount& account)
    : options_(std::move(options)),
      router_(router),
      account_(account),
      uses_source_(options_.subject.uses(kSource)),
      port_text_(std::to_string(options_.port)),
      routes_vary_(options_.protocol == DoorProtocol::kSyslog || uses_source_),
      cache_(Key::kBytesMax, options_.subject.bytes_max(), Rng::from_kernel().next(),
             routes_vary_ ? kRoutesKept : 0) {
  renew_routes();
}

void Door::renew_routes() {
  version_ = router_.version();
  cache_.clear();
  if (routes_vary_) return;
  SubjectValues values{};
  const Route route = render(values, {});
  fixed_subject_ = route.subject;
  fixed_ = {fixed_subject_, route.set};
}

Route Door::render(SubjectValues& values, const IpAddress& source) {
  std::array<char, INET6_ADDRSTRLEN> source_text{};
  set(values, kDoor, options_.name);
  set(values, kPort, port_text_);
  if (uses_source_) {
    const bool v4 = source.is_v4();
    inet_ntop(v4 ? AF_INET : AF_INET6, source.bytes.data() + (v4 ? 12 : 0), source_text.data(),
              source_text.size());
    set(values, kSource, source_text.data());
  }
  options_.subject.render(values, subject_);
  return {subject_.view(), router_.match(subject_.view())};
}

const Route& Door::route_source(const Datagram& datagram) {
  const std::span key(datagram.source.bytes);
  if (const Route* known = cache_.find(key)) [[likely]]
    return *known;
  SubjectValues values{};
  return *cache_.keep(key, render(values, datagram.source));
}

const Route& Door::route_syslog(const Datagram& datagram, MessageFlag& flags) {
  const SyslogHeader header = parse_syslog(text_of(datagram.payload));
  if (header.malformed) flags = MessageFlag::kMalformed;
  const std::string_view host = header.host.substr(0, kTokenBytesMax);
  const std::string_view app = header.app.substr(0, kTokenBytesMax);
  Key key;
  key.add(header.facility);
  key.add(header.severity);
  key.add(static_cast<std::uint8_t>(host.size()));
  if (uses_source_) key.add(datagram.source.bytes);
  key.add(host);
  key.add(app);
  if (const Route* known = cache_.find(key.view())) [[likely]]
    return *known;
  SubjectValues values{};
  set(values, kFacility, facility_name(header.facility));
  set(values, kSeverity, severity_name(header.severity));
  set(values, kHost, host);
  set(values, kApp, app);
  return *cache_.keep(key.view(), render(values, datagram.source));
}

}  // namespace penstock

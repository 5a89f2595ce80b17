// A front door: turns the datagrams of one protocol into messages and says where each belongs.
#pragma once

#include <cstring>
#include <string>

#include "dataplane/frame/datagram.h"
#include "dataplane/ledger/account.h"
#include "dataplane/subject/route_cache.h"
#include "dataplane/subject/stream_router.h"
#include "dataplane/subject/subject_template.h"

namespace penstock {

enum class DoorProtocol : std::uint8_t {
  kSyslog,        // one RFC 5424 or RFC 3164 message a datagram
  kLine,          // one message a line; its LF or CRLF is not part of it
  kLineDatagram,  // one message a datagram, as it is
  kPdp,           // of the shard's PdpNode: the door is where it listens and its name
};

struct DoorOptions {
  std::size_t number = 0;  // origin in the books
  std::string name;
  DoorProtocol protocol = DoorProtocol::kSyslog;
  std::uint16_t port = 0;  // for {port}; 0 if it listens on several
  SubjectTemplate subject;
};

// The variables that a protocol's subject template may use, and the template it has by default.
[[nodiscard]] std::span<const SubjectVariable> subject_variables(DoorProtocol protocol);
[[nodiscard]] std::string_view default_subject(DoorProtocol protocol);

// One thread. Sink is an Intake or a test's stand-in:
//   void offer(std::size_t origin, CaptureSetId set, const MessageView& message);
//   void offer_uncaptured(std::size_t origin, MessageFate why, const MessageView& message);
// Nothing is allocated after construction.
class Door {
 public:
  // The router and the account outlive the door.
  Door(DoorOptions options, StreamRouter& router, MessageAccount& account);

  [[nodiscard]] const std::string& name() const { return options_.name; }
  [[nodiscard]] std::size_t number() const { return options_.number; }
  [[nodiscard]] DoorProtocol protocol() const { return options_.protocol; }

  // The messages of a datagram, in order, each offered once.
  template <class Sink>
  void take(const Datagram& datagram, Sink& sink) {
    if (version_ != router_.version()) [[unlikely]]
      renew_routes();
    switch (options_.protocol) {
      case DoorProtocol::kSyslog: take_syslog(datagram, sink); break;
      case DoorProtocol::kLine: take_lines(datagram, sink); break;
      case DoorProtocol::kLineDatagram: take_whole(datagram, sink); break;
      case DoorProtocol::kPdp: CHECK(false);
    }
  }

 private:
  static constexpr std::size_t kRoutesKept = 4096;

  template <class Sink>
  void take_syslog(const Datagram& datagram, Sink& sink) {
    if (datagram.payload.empty()) return account_.empty.add(0);
    MessageFlag flags = MessageFlag::kNone;
    const Route& route = route_syslog(datagram, flags);
    if (flags != MessageFlag::kNone) account_.malformed.add(datagram.payload.size());
    offer(sink, route, message_of(datagram, datagram.payload, flags));
  }

  template <class Sink>
  void take_lines(const Datagram& datagram, Sink& sink) {
    if (datagram.payload.empty()) return account_.empty.add(0);
    const Route& route = route_line(datagram);
    auto rest = datagram.payload;
    while (!rest.empty()) {
      const auto* end = static_cast<const std::byte*>(std::memchr(rest.data(), '\n', rest.size()));
      const std::size_t length =
          end == nullptr ? rest.size() : static_cast<std::size_t>(end - rest.data());
      auto line = rest.first(length);
      rest = rest.subspan(end == nullptr ? length : length + 1);
      if (!line.empty() && line.back() == std::byte{'\r'} && end != nullptr) {
        line = line.first(line.size() - 1);
      }
      if (line.empty()) {
        account_.empty.add(0);
        continue;
      }
      offer(sink, route, message_of(datagram, line, MessageFlag::kNone));
    }
  }

  template <class Sink>
  void take_whole(const Datagram& datagram, Sink& sink) {
    if (datagram.payload.empty()) return account_.empty.add(0);
    offer(sink, route_line(datagram), message_of(datagram, datagram.payload, MessageFlag::kNone));
  }

  static MessageView message_of(const Datagram& datagram, std::span<const std::byte> payload,
                                MessageFlag flags) {
    MessageView message;
    message.received = datagram.received;
    message.payload = payload;
    message.flags = flags;
    return message;
  }
  template <class Sink>
  void offer(Sink& sink, const Route& route, MessageView message) {
    message.subject = route.subject;
    if (route.set) [[likely]] {
      sink.offer(options_.number, *route.set, message);
    } else {
      sink.offer_uncaptured(options_.number, route.set.error(), message);
    }
  }

  void renew_routes();
  const Route& route_syslog(const Datagram& datagram, MessageFlag& flags);
  const Route& route_line(const Datagram& datagram) {
    return uses_source_ ? route_source(datagram) : fixed_;
  }
  const Route& route_source(const Datagram& datagram);
  Route render(SubjectValues& values, const IpAddress& source);

  DoorOptions options_;
  StreamRouter& router_;
  MessageAccount& account_;
  bool uses_source_;
  std::string port_text_;
  bool routes_vary_;       // with what the sender says or who it is
  SubjectBuffer subject_;  // of the last render()
  RouteCache cache_;
  std::uint64_t version_ = 0;  // of the router, that the routes are of
  std::string fixed_subject_;
  Route fixed_;  // of a line door whose subject does not depend on the sender
};

}  // namespace penstock

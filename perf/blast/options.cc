#include "perf/blast/options.h"

#include <algorithm>
#include <map>

#include <CLI/CLI.hpp>

#include "dataplane/client/path_mtu.h"
#include "storage/format/message.h"

namespace penstock::blast {
namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 62U;
constexpr std::size_t kPacketBytes = 1500;      // what fills an Ethernet frame
constexpr std::size_t kLongPacketBytes = 9000;  // what the longest frame over IPv4 fills
constexpr std::size_t kFramesMin = 4;
constexpr std::size_t kFramesMost = 1024;
constexpr std::size_t kFramesOfAll = 16'384;

// CLI11's own write out the whole range of a double when they refuse.
CLI::Validator zero_or_more() {
  return {[](std::string& text) {
            double number = 0;
            const bool good = CLI::detail::lexical_cast(text, number) && number >= 0;
            return good ? std::string{} : text + " is not 0 or more";
          },
          ""};
}

CLI::Validator more_than_zero() {
  return {[](std::string& text) {
            double number = 0;
            const bool good = CLI::detail::lexical_cast(text, number) && number > 0;
            return good ? std::string{} : text + " is not more than 0";
          },
          ""};
}

void add_target_options(CLI::App& app, Options& o) {
  app.add_option("--device", o.device,
                 "DPDK device string, such as net_memif1,role=client,socket=/run/m")
      ->type_name("DEVICE")
      ->required();
  app.add_option("--count", o.count,
                 "end after this many messages; this or --seconds must be given")
      ->check(CLI::Range(std::uint64_t{1}, kMost).description(""))
      ->type_name("N");
  app.add_option("--seconds", o.seconds, "end after this time")
      ->check(more_than_zero())
      ->type_name("S");
  app.add_option("--rate", o.rate, "messages a second; 0: flat out")
      ->check(zero_or_more())
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--to", o.to,
                 "receiver; with --pdp the port is 7373 unless said otherwise, and IPv6 is written "
                 "[ADDRESS]:PORT")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  app.add_option("--from", o.from, "sender's first address")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--to-ethernet", o.to_ethernet, "receiver's Ethernet address (default: broadcast)")
      ->type_name("ADDRESS");
}

void add_message_options(CLI::App& app, Options& o) {
  app.add_option("--sources", o.sources, "senders to act as, 1 to 65536")
      ->check(CLI::Range(1, 65536).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--payload",
         [&o](const std::string& kind) {
           o.payload = kind == "line" ? PayloadKind::kLine : PayloadKind::kSyslog;
         },
         "plain lines, or syslog by RFC 5424")
      ->check(CLI::IsMember({"line", "syslog"}).description(""))
      ->type_name("line|syslog")
      ->default_str("line");
  app.add_option("--size", o.size,
                 "bytes of a message, 17 to 60000; syslog needs 72 or more, for its header")
      ->check(CLI::Range(17, 60000).description(""))
      ->type_name("BYTES")
      ->capture_default_str();
  app.add_option("--packed", o.packed,
                 "pack lines into datagrams of up to this many bytes; 0: one message a datagram, "
                 "but with --pdp frames of up to 1472 bytes, over IPv6 1452")
      ->check(CLI::Range(0, 60000).description(""))
      ->type_name("BYTES")
      ->capture_default_str();
  app.add_flag("--checksums,!--no-checksums", o.checksums,
               "make UDP checksums, or leave them out (default: make them)");
}

void add_process_options(CLI::App& app, Options& o) {
  app.add_option("--batch", o.batch, "packets of a burst, 1 to 256")
      ->check(CLI::Range(1, 256).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--core", o.core, "core to send from (default: any)")
      ->check(CLI::Range(0, 1023).description(""))
      ->type_name("N");
  app.add_option("--file-prefix", o.file_prefix, "tells this DPDK process from others on the host")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option(
         "--linger", o.linger,
         "seconds that the port stays after the last packet: a memif peer loses what it has "
         "not taken when the port goes")
      ->check(zero_or_more())
      ->type_name("S")
      ->capture_default_str();
  app.add_flag("!--no-wait", o.wait_for_link,
               "start even if the link is down; otherwise it is waited for, up to 20 seconds");
  app.add_flag("--json", o.json,
               "print the counts as one JSON object: messages, message_bytes, packets, "
               "packet_bytes, refused, seconds, messages_per_second; with --pdp also acknowledged, "
               "failed, frames_resent, latency_us and more");
  app.add_flag("--progress", o.progress, "print a line a second on standard error");
}

void add_pdp_options(CLI::App& app, Options& o) {
  app.add_flag("--pdp", o.pdp,
               "send acknowledged messages of sessions (docs/pdp.md) instead of datagrams");
  static const std::map<std::string, pdp::Level> kLevels{
      {"none",     pdp::Level::kNone    },
      {"received", pdp::Level::kReceived},
      {"written",  pdp::Level::kWritten },
      {"durable",  pdp::Level::kDurable },
  };
  app.add_option_function<std::string>(
         "--acks", [&o](const std::string& level) { o.level = kLevels.at(level); },
         "how far a message is when it is acknowledged")
      ->check(CLI::IsMember({"none", "received", "written", "durable"}).description(""))
      ->type_name("none|received|written|durable")
      ->default_str("durable");
  app.add_option("--sessions", o.sessions, "sessions that share the messages, 1 to 100000")
      ->check(CLI::Range(1, 100'000).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--idle-sessions", o.idle_sessions,
                 "further sessions that are only kept open, up to 1000000")
      ->check(CLI::Range(0, 1'000'000).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--frames", o.frames,
                 "frames that a session holds until they are acknowledged, 4 to 65536; 0: 16384 "
                 "divided by the sessions, at most 1024")
      ->check(CLI::Range(0, 65'536).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--fill", o.fill_us, "microseconds that a frame waits for more messages")
      ->check(zero_or_more())
      ->type_name("US")
      ->capture_default_str();
  app.add_flag("--yield", o.yield,
               "give the core to others after each turn: for one that also takes the interrupts of "
               "the node's drive");
  app.add_option("--subject", o.subject, "subject of all messages")
      ->type_name("SUBJECT")
      ->capture_default_str();
  app.add_option("--key-name", o.key_name, "seal with the producer's key of this name")
      ->type_name("NAME");
  app.add_option("--key-file", o.key_file, "file that the key stands in")->type_name("FILE");
  app.add_option("--histogram", o.histogram,
                 "write how long acknowledgements took, in microseconds, as HdrHistogram's "
                 "programs read it")
      ->type_name("FILE");
}

// What only one of both kinds of load knows.
void check_plain(const CLI::App& app) {
  for (const char* option : {"--acks", "--sessions", "--idle-sessions", "--frames", "--fill",
                             "--yield", "--subject", "--key-name", "--key-file", "--histogram"}) {
    if (app.count(option) != 0) throw CLI::RequiresError(option, "--pdp");
  }
}

void check_pdp(const CLI::App& app, Options& o) {
  for (const char* option : {"--sources", "--payload", "--checksums", "--batch"}) {
    if (app.count(option) != 0) throw CLI::ExcludesError(option, "--pdp");
  }
  if (app.count("--key-name") != app.count("--key-file")) {
    throw CLI::RequiresError("--key-name", "--key-file");
  }
  if (app.count("--to") == 0) o.to = "10.77.0.2:7373";
  if (std::ranges::count(o.to, ':') > 1 && !o.to.starts_with('[')) o.to = "[" + o.to + "]";
  if (o.to.ends_with(']') || o.to.find(':') == std::string::npos) o.to += ":7373";
  const std::size_t most = kLongPacketBytes - pdp_headers_bytes(o);
  if (o.packed != 0 && (o.packed < pdp::kSmallFrameBytesMax || o.packed > most)) {
    throw CLI::ValidationError(
        "--packed", "frames of PDP have 1232 to " + std::to_string(most) + " bytes at most");
  }
  if (o.subject.empty() || o.subject.size() > kSubjectBytesMax) {
    throw CLI::ValidationError("--subject", "has 1 to 1024 bytes");
  }
  const std::size_t trailer = o.key_name.empty() ? 0 : sizeof(pdp::Trailer);
  if (pdp::kDataHeadBytes + message_bytes(o.subject.size(), 0, 0, o.size) + trailer >
      pdp_frame_bytes(o)) {
    throw CLI::ValidationError("--size", "does not fit into a frame; lower it or raise --packed");
  }
}

// What CLI11 cannot judge option by option.
void check_together(const CLI::App& app, Options& o) {
  if (app.count("--count") == 0 && app.count("--seconds") == 0) {
    throw CLI::RequiredError("--count or --seconds");
  }
  if (o.pdp) return check_pdp(app, o);
  check_plain(app);
  if (o.packed != 0 && o.payload == PayloadKind::kSyslog) {
    throw CLI::ValidationError("--packed",
                               "syslog over UDP carries one message a datagram (RFC 5426); "
                               "leave it out or use --payload line");
  }
  if (o.packed != 0 && o.packed < o.size + 1) {
    throw CLI::ValidationError("--packed",
                               "holds not even one message of --size and its newline; raise it "
                               "or lower --size");
  }
}

}  // namespace

std::size_t pdp_headers_bytes(const Options& options) {
  return options.to.starts_with('[') ? client::kIpv6UdpBytes : client::kIpv4UdpBytes;
}

std::size_t pdp_frame_bytes(const Options& options) {
  return options.packed == 0 ? kPacketBytes - pdp_headers_bytes(options) : options.packed;
}

std::size_t pdp_frames(const Options& options) {
  if (options.frames != 0) return std::max(options.frames, kFramesMin);
  return std::clamp(kFramesOfAll / options.sessions, kFramesMin, kFramesMost);
}

Parsed parse_options(int argc, char** argv) {
  CLI::App app{
      "Sends numbered UDP messages from a DPDK port as fast as asked, and says exactly how many.\n"
      "Each message begins with its number in 16 hexadecimal digits, from 0 on; with --payload "
      "syslog\n"
      "that is how the text behind the syslog header begins. With --pdp they are acknowledged, "
      "sent again\n"
      "when they are lost, and the time until their acknowledgement is measured: from when each "
      "was to be\n"
      "sent with --rate, else from when its session took it.",
      "penstock-blast"};
  app.set_help_flag("-h,--help", "print the options and end");
  Parsed parsed;
  add_target_options(app, parsed.options);
  add_message_options(app, parsed.options);
  add_pdp_options(app, parsed.options);
  add_process_options(app, parsed.options);
  try {
    app.parse(argc, argv);
    check_together(app, parsed.options);
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace penstock::blast

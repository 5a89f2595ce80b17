#include "perf/blast/options.h"

#include <map>

#include <CLI/CLI.hpp>

namespace penstock::blast {

Parsed parse_options(int argc, char** argv) {
  CLI::App app{
      "Sends sequence-stamped UDP messages from a DPDK port as fast as asked, and says exactly how "
      "many.\n"
      "Each message begins with its sequence number in 16 hexadecimal digits (in syslog: the "
      "message part).",
      "penstock-blast"};
  Parsed parsed;
  Options& o = parsed.options;
  const std::map<std::string, PayloadKind> kinds{
      {"line",   PayloadKind::kLine  },
      {"syslog", PayloadKind::kSyslog}
  };
  app.add_option("--device", o.device,
                 "DPDK device string, such as net_memif1,role=client,socket=/run/m")
      ->required();
  app.add_option("--to", o.to, "receiver's address and UDP port")->capture_default_str();
  app.add_option("--from", o.from, "sender's first address")->capture_default_str();
  app.add_option("--to-ethernet", o.to_ethernet,
                 "receiver's Ethernet address (default: broadcast)");
  app.add_option("--payload", o.payload, "plain lines, or syslog by RFC 5424")
      ->transform(CLI::CheckedTransformer(kinds, CLI::ignore_case).description(""))
      ->type_name("line|syslog")
      ->default_str("line");
  app.add_option("--size", o.size, "bytes of a message")
      ->capture_default_str()
      ->check(CLI::Range(17, 60000));
  app.add_option("--packed", o.packed,
                 "pack lines into datagrams of up to this many bytes (0: one message a datagram)")
      ->check(CLI::Range(0, 60000));
  app.add_option("--sources", o.sources, "number of senders to act as")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  auto* count = app.add_option("--count", o.count, "messages to send");
  auto* seconds = app.add_option("--seconds", o.seconds, "how long to send");
  app.add_option("--rate", o.rate, "messages a second (0: flat out)");
  app.add_flag("--checksums,!--no-checksums", o.checksums, "UDP checksums (default: on)");
  app.add_option(
         "--linger", o.linger,
         "seconds that the port stays after the last packet: a memif peer loses what it has "
         "not taken when the port goes")
      ->capture_default_str();
  app.add_flag("!--no-wait", o.wait_for_link, "start even if the link is down");
  app.add_option("--core", o.core, "core to send from (default: any)");
  app.add_option("--file-prefix", o.file_prefix, "tells this DPDK process from others")
      ->capture_default_str();
  app.add_option("--batch", o.batch, "packets of a burst")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_flag("--json", o.json, "print the counts as one JSON object");
  app.add_flag("--progress", o.progress, "print a line a second on standard error");
  try {
    app.parse(argc, argv);
    if (count->count() == 0 && seconds->count() == 0) {
      throw CLI::RequiredError("--count or --seconds");
    }
    if (o.packed != 0 && o.payload == PayloadKind::kSyslog) {
      throw CLI::ValidationError("--packed",
                                 "syslog over UDP carries one message a datagram (RFC 5426)");
    }
    if (o.packed != 0 && o.packed < o.size + 1) {
      throw CLI::ValidationError("--packed",
                                 "must hold at least one message of --size and its newline");
    }
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace penstock::blast

#include "perf/blast/options.h"

#include <CLI/CLI.hpp>

namespace penstock::blast {
namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 62U;

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
  app.add_option("--to", o.to, "receiver")->type_name("ADDRESS:PORT")->capture_default_str();
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
                 "pack lines into datagrams of up to this many bytes; 0: one message a datagram")
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
               "packet_bytes, refused, seconds, messages_per_second");
  app.add_flag("--progress", o.progress, "print a line a second on standard error");
}

// What CLI11 cannot judge option by option.
void check_together(const CLI::App& app, const Options& o) {
  if (app.count("--count") == 0 && app.count("--seconds") == 0) {
    throw CLI::RequiredError("--count or --seconds");
  }
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

Parsed parse_options(int argc, char** argv) {
  CLI::App app{
      "Sends numbered UDP messages from a DPDK port as fast as asked, and says exactly how many.\n"
      "Each message begins with its number in 16 hexadecimal digits, from 0 on; with --payload "
      "syslog\n"
      "that is how the text behind the syslog header begins.",
      "penstock-blast"};
  app.set_help_flag("-h,--help", "print the options and end");
  Parsed parsed;
  add_target_options(app, parsed.options);
  add_message_options(app, parsed.options);
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

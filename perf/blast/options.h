// What penstock-blast is asked to send.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/door/pdp/wire.h"

namespace penstock::blast {

enum class PayloadKind : std::uint8_t { kLine, kSyslog };

struct Options {
  std::string device;                // DPDK device string
  std::string to = "10.77.0.2:514";  // address and UDP port
  std::string from = "10.77.0.1";
  std::string to_ethernet;  // empty: broadcast, which every port takes
  PayloadKind payload = PayloadKind::kLine;
  std::uint32_t size = 256;   // bytes of a message
  std::uint32_t packed = 0;   // messages of one datagram: as many as fit into this many bytes
  std::uint32_t sources = 1;  // sending addresses and, in syslog, host names
  std::uint64_t count = 0;    // messages; 0: until `seconds`
  double seconds = 0;
  double rate = 0;        // messages a second; 0: flat out
  bool checksums = true;  // UDP checksums; false leaves them out, as RFC 768 allows
  bool wait_for_link = true;
  double linger = 0.5;  // seconds the port stays after the last packet
  int core = -1;
  std::string file_prefix = "penstock-blast";
  std::uint32_t batch = 32;  // packets of a burst

  bool pdp = false;  // acknowledged messages of sessions, instead of plain datagrams
  pdp::Level level = pdp::Level::kDurable;
  std::size_t sessions = 1;       // that are loaded
  std::size_t idle_sessions = 0;  // that are only kept open
  std::size_t frames = 0;         // held by a loaded session; 0: by their number
  bool yield = false;             // gives the core away after each turn
  double fill_us = 0;             // that a frame waits for more messages
  std::string subject = "blast.load";
  std::string key_file;
  std::string key_name;
  std::string histogram;  // file; empty: none

  bool json = false;
  bool progress = false;  // a line a second on standard error
};

// Of IP and UDP in front of a frame of PDP.
[[nodiscard]] std::size_t pdp_headers_bytes(const Options& options);
// The longest frame of PDP, and how many of them a loaded session holds.
[[nodiscard]] std::size_t pdp_frame_bytes(const Options& options);
[[nodiscard]] std::size_t pdp_frames(const Options& options);

// Parses the command line; prints help or the error and gives the exit code when there is nothing
// to do.
struct Parsed {
  Options options;
  std::optional<int> exit_code;
};
[[nodiscard]] Parsed parse_options(int argc, char** argv);

}  // namespace penstock::blast

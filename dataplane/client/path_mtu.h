// The longest frame that the path takes, found by PINGs of that length (RFC 8899, docs/pdp.md).
//
// It begins with what every path takes and tries the usual lengths upwards; the first one that
// stays unanswered ends the search for ten minutes. When long frames vanish while a short PING is
// answered it goes back to the beginning.
#pragma once

#include <array>

#include "dataplane/client/rtt_estimator.h"
#include "dataplane/door/pdp/wire.h"

namespace penstock::client {

inline constexpr std::size_t kIpv4UdpBytes = 28;
inline constexpr std::size_t kIpv6UdpBytes = 48;
inline constexpr std::int64_t kSearchAgainNs = 600 * kNanosPerSecond;
inline constexpr std::int64_t kProbeTimeoutMinNs = 50 * kNanosPerMilli;
inline constexpr unsigned kProbesPerLength = 3;
inline constexpr std::uint32_t kLongFramesLost = 3;  // in a row: perhaps the path takes no such
// Of IP packets: what every path takes, a tunnel over Ethernet, Ethernet, two clouds, jumbo frames.
inline constexpr std::array<std::size_t, 6> kUsualMtus = {1280, 1400, 1500, 3900, 8896, 9000};

struct PathMtuOptions {
  std::size_t headers_bytes = kIpv4UdpBytes;          // of IP and UDP
  std::size_t frame_bytes_first = 0;                  // known to be taken; 0: what every path takes
  std::size_t frame_bytes_max = pdp::kFrameBytesMax;  // of this end
};

// One thread.
class PathMtu {
 public:
  explicit PathMtu(const PathMtuOptions& options);

  // The longest frame to send, trailer included.
  [[nodiscard]] std::size_t frame_bytes() const { return frame_bytes_; }

  // Of IP and UDP, on the path of the connection to come.
  void set_headers_bytes(std::size_t bytes);
  // A connection begins: the other end takes frames of at most so many bytes. What was found out
  // holds on the same path only.
  void start(std::size_t peer_frame_bytes_max, bool same_path, MonotonicNanos now);

  // The length of the PING to send now; 0: none. It is under way then.
  [[nodiscard]] std::size_t poll(MonotonicNanos now, const RttEstimator& rtt);
  [[nodiscard]] MonotonicNanos deadline() const {
    return long_lost_ >= kLongFramesLost ? std::min(deadline_, ask_again_) : deadline_;
  }

  // A PING of that length was answered.
  void answered(std::size_t probe_bytes, MonotonicNanos now);
  // The system refused to send so many bytes: this end's own link takes less.
  void refused(std::size_t bytes, MonotonicNanos now);

  // Of frames longer than every path takes.
  void long_frames_lost(std::uint32_t frames) { long_lost_ += frames; }
  void long_frame_arrived() { long_lost_ = 0; }

  [[nodiscard]] bool is_searching() const { return probed_bytes_ != 0; }
  [[nodiscard]] std::uint32_t fallbacks() const { return fallbacks_; }

 private:
  void search(MonotonicNanos now);
  void end_search(std::size_t failed_bytes, MonotonicNanos now);
  void fall_back(MonotonicNanos now);

  PathMtuOptions options_;
  std::size_t least_bytes_ = 0;  // what every path takes
  std::size_t first_bytes_ = 0;  // what is taken at the start
  std::size_t frame_bytes_ = 0;
  std::size_t ceiling_bytes_;     // of both ends, and below what failed
  std::size_t peer_bytes_ = 0;    // 0: no connection yet
  std::size_t probed_bytes_ = 0;  // under way; 0: nothing is searched
  unsigned probes_ = 0;           // sent of that length
  std::uint32_t long_lost_ = 0;   // in a row
  MonotonicNanos ask_again_;      // whether the path is alive
  std::uint32_t fallbacks_ = 0;
  MonotonicNanos deadline_ = kNever;
};

}  // namespace penstock::client

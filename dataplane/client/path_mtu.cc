#include "dataplane/client/path_mtu.h"

#include <algorithm>

namespace penstock::client {

PathMtu::PathMtu(const PathMtuOptions& options)
    : options_(options), ceiling_bytes_(options.frame_bytes_max) {
  CHECK_GE(options.frame_bytes_max, pdp::kSmallFrameBytesMax);
  CHECK_LE(options.frame_bytes_max, pdp::kFrameBytesMax);
  set_headers_bytes(options.headers_bytes);
}

void PathMtu::set_headers_bytes(std::size_t bytes) {
  CHECK_LE(bytes, kIpv6UdpBytes);
  options_.headers_bytes = bytes;
  least_bytes_ = std::min(kUsualMtus.front() - bytes, options_.frame_bytes_max);
  first_bytes_ = options_.frame_bytes_first == 0
                     ? least_bytes_
                     : std::min(options_.frame_bytes_first, options_.frame_bytes_max);
  frame_bytes_ = first_bytes_;
}

void PathMtu::start(std::size_t peer_frame_bytes_max, bool same_path, MonotonicNanos now) {
  peer_bytes_ = std::max(peer_frame_bytes_max, pdp::kSmallFrameBytesMax);
  if (!same_path) {
    frame_bytes_ = first_bytes_;
    long_lost_ = 0;
  }
  frame_bytes_ = std::min(frame_bytes_, peer_bytes_);
  ceiling_bytes_ = std::min(options_.frame_bytes_max, peer_bytes_);
  search(now);
}

// The next usual length above what is known to be taken, or the ceiling where that is lower.
void PathMtu::search(MonotonicNanos now) {
  probes_ = 0;
  probed_bytes_ = 0;
  deadline_ = kNever;
  for (const std::size_t mtu : kUsualMtus) {
    const std::size_t bytes = mtu - options_.headers_bytes;
    if (bytes > frame_bytes_ && bytes <= ceiling_bytes_) {
      probed_bytes_ = bytes;
      deadline_ = now;
      return;
    }
  }
}

void PathMtu::end_search(std::size_t failed_bytes, MonotonicNanos now) {
  ceiling_bytes_ = std::min(ceiling_bytes_, failed_bytes - 1);
  probed_bytes_ = 0;
  deadline_ = now + kSearchAgainNs;
}

std::size_t PathMtu::poll(MonotonicNanos now, const RttEstimator& rtt) {
  if (peer_bytes_ == 0) return 0;
  if (long_lost_ >= kLongFramesLost && now >= ask_again_) {
    ask_again_ = now + std::max(rtt.timeout_ns(), kProbeTimeoutMinNs);
    return pdp::kPingBytesMin;
  }
  if (now < deadline_) return 0;
  if (probed_bytes_ == 0) {
    ceiling_bytes_ = std::min(options_.frame_bytes_max, peer_bytes_);
    search(now);
    if (probed_bytes_ == 0) return 0;
  }
  if (probes_ == kProbesPerLength) {
    end_search(probed_bytes_, now);
    return 0;
  }
  ++probes_;
  deadline_ = now + std::max(rtt.timeout_ns(), kProbeTimeoutMinNs);
  return probed_bytes_;
}

void PathMtu::answered(std::size_t probe_bytes, MonotonicNanos now) {
  if (probe_bytes <= least_bytes_) {
    if (long_lost_ >= kLongFramesLost) fall_back(now);
    return;
  }
  if (probe_bytes != probed_bytes_ || probes_ == 0) return;
  frame_bytes_ = probe_bytes;
  search(now);
}

void PathMtu::refused(std::size_t bytes, MonotonicNanos now) {
  if (bytes <= least_bytes_) return;
  if (bytes <= frame_bytes_) {
    fall_back(now);
    ceiling_bytes_ = std::min(ceiling_bytes_, bytes - 1);
    search(now);
    return;
  }
  if (bytes == probed_bytes_) end_search(bytes, now);
}

void PathMtu::fall_back(MonotonicNanos now) {
  long_lost_ = 0;
  if (frame_bytes_ <= least_bytes_) return;
  ++fallbacks_;
  ceiling_bytes_ = std::max(frame_bytes_ - 1, least_bytes_);
  frame_bytes_ = least_bytes_;
  search(now);
  if (probed_bytes_ == 0) deadline_ = now + kSearchAgainNs;
}

}  // namespace penstock::client

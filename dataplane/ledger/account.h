// The books as they lie in memory: plain counters, written by one thread, no atomics. A shard keeps
// its accounts privately and publishes them (ledger_file.h) as a whole, so that a reader sees them
// balance.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/ledger/fates.h"

namespace penstock {

struct Tally {
  std::uint64_t count = 0;  // packets or messages
  std::uint64_t bytes = 0;  // of frames or of payload

  constexpr void add(std::uint64_t n) {
    ++count;
    bytes += n;
  }
  constexpr void add(std::uint64_t n, std::uint64_t b) {
    count += n;
    bytes += b;
  }
  constexpr Tally& operator+=(const Tally& other) {
    count += other.count;
    bytes += other.bytes;
    return *this;
  }
  constexpr bool operator==(const Tally&) const = default;
};

// One queue of one port, in packets and bytes of frames:
//   received = sum(fates) + held
struct PortAccount {
  Tally received;
  Tally held;  // fragments waiting for their rest, now
  std::array<Tally, kPacketFates> fates{};
  Tally sent;    // packets of our own making; outside of the law
  Tally unsent;  // those that the device did not take

  [[nodiscard]] Tally& operator[](PacketFate f) { return fates[static_cast<std::size_t>(f)]; }
};

// A front door of kind "pdp", in frames and bytes of UDP payload:
//   received = sum(fates) + held
struct FrameAccount {
  Tally received;
  Tally held;  // frames that came before their turn, now
  std::array<Tally, kFrameFates> fates{};
  Tally sent;  // frames of the node's; outside of the law
  Tally lost;  // messages that producers numbered and that never came; outside of the law
  std::uint64_t sessions = 0;  // open now

  [[nodiscard]] Tally& operator[](FrameFate f) { return fates[static_cast<std::size_t>(f)]; }
};

// A shard, one of its front doors, or one of its streams, in messages and bytes of payload:
//   offered = sum(fates) + in_flight
struct MessageAccount {
  Tally offered;
  Tally in_flight;  // taken, not yet durable, now
  std::array<Tally, kMessageFates> fates{};
  Tally malformed;  // marked by the front door; outside of the law: they are kept like any other
  Tally empty;      // datagrams or lines without a message; outside of the law

  [[nodiscard]] Tally& operator[](MessageFate f) { return fates[static_cast<std::size_t>(f)]; }
};

// What a shard says of itself. Counters grow, gauges are of this moment.
struct ShardGauges {
  std::uint64_t loops = 0;
  std::uint64_t busy_loops = 0;   // loops that did something
  std::uint64_t busy_cycles = 0;  // TSC cycles spent in busy loops
  std::uint64_t idle_cycles = 0;
  std::uint64_t longest_loop_cycles = 0;
  std::uint64_t tsc_hz = 0;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_sealed = 0;
  std::uint64_t blocks_durable = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t segments_taken = 0;
  std::uint64_t segments_closed = 0;
  std::uint64_t segments_poisoned = 0;
  std::uint64_t write_errors = 0;
  std::uint64_t flush_errors = 0;
  std::uint64_t last_errno = 0;
};

// The live edge of a shard's log, for readers in other processes (LogWatermarks).
struct LogEdge {
  std::uint64_t next_sequence = 0;
  std::uint64_t written_sequence = 0;
  std::uint64_t durable_sequence = 0;
  std::uint64_t segment = 0;
  std::uint64_t slot = 0;
  std::uint64_t generation = 0;
  std::uint64_t position = 0;  // pages; a reader may read the segment up to here
};

// A port as its device counts it, over all queues; read by the control thread.
struct DeviceGauges {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t missed = 0;     // its ring was full, in the NIC or in the kernel: we were too slow
  std::uint64_t errors = 0;     // refused by the device
  std::uint64_t no_buffer = 0;  // no packet buffer left
  std::uint64_t link_up = 0;
};

// A volume as its keeper sees it.
struct VolumeGauges {
  std::uint64_t full = 0;  // 1: a log waits for a slot and there is none
  std::uint64_t slots = 0;
  std::uint64_t free_slots = 0;
  std::uint64_t quarantined_slots = 0;
  std::uint64_t retired_segments = 0;
  std::uint64_t segment_bytes = 0;
};

struct FieldInfo {
  std::string_view name;
  std::string_view help;
};

// Names of the fields of an account, in the order of their 64-bit words; a Tally is one name, two
// words.
[[nodiscard]] std::span<const FieldInfo> shard_gauge_fields();
[[nodiscard]] std::span<const FieldInfo> log_edge_fields();
[[nodiscard]] std::span<const FieldInfo> device_gauge_fields();
[[nodiscard]] std::span<const FieldInfo> volume_gauge_fields();

}  // namespace penstock

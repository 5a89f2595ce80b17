// Between a log (a shard's thread) and its volume's keeper (a control thread): slots to fill one
// way, what became of them the other way. Bounded; nobody waits for anybody.
#pragma once

#include <atomic>

#include "base/spsc_ring.h"
#include "storage/format/segment.h"
#include "storage/volume/volume_device.h"

namespace penstock {

// A free slot, allocated and written once, header durable as SlotState::kFree, footer page blank.
struct ReadySlot {
  SlotIndex slot;
  SlotFile file;
  SegmentSequence oldest;  // oldest segment of the log that is kept now
};

// Why a log has no slot: by the drive's room or by its fault.
enum class Shortage : std::uint8_t { kNone, kFull, kFailed };

// What a log reports about a slot that it has.
struct SegmentEvent {
  enum class Kind : std::uint8_t {
    kTaken,     // header is durable: the slot now holds segment `header.sequence`
    kClosed,    // footer is durable
    kPoisoned,  // a write failed: closed at its last good block, without a footer
    kVoid,  // it holds nothing that counts: none of its blocks is durable, or it was never begun
  };
  Kind kind;
  SlotFile file;  // with kClosed, kPoisoned, kVoid: the ring has let go of it, close it
  SegmentHeader header;
  SegmentFooter footer;  // kClosed only
};

struct SegmentChannel {
  static constexpr std::size_t kReadyMax = 8;
  static constexpr std::size_t kEventsMax = 256;
  SpscRing<ReadySlot> ready{kReadyMax};             // keeper -> log
  SpscRing<SegmentEvent> events{kEventsMax};        // log -> keeper
  std::atomic<Shortage> shortage{Shortage::kNone};  // the keeper has no slot to give
};

}  // namespace penstock

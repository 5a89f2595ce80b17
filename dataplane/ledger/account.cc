#include "dataplane/ledger/account.h"

#include <type_traits>

namespace penstock {
namespace {

constexpr std::array<FieldInfo, 17> kShardGauges{
    {
     {"loops", "turns of the shard's loop"},
     {"busy_loops", "turns that received, wrote or sealed something"},
     {"busy_cycles", "TSC cycles spent in busy turns"},
     {"idle_cycles", "TSC cycles spent in idle turns, without its pauses"},
     {"longest_loop_cycles", "TSC cycles of the longest busy turn"},
     {"tsc_hz", "TSC cycles a second"},
     {"blocks", "blocks of memory that the shard has"},
     {"blocks_free", "of these, free now"},
     {"blocks_sealed", "blocks handed to the drive"},
     {"blocks_durable", "blocks on stable storage"},
     {"bytes_written", "bytes of blocks handed to the drive, padding included"},
     {"segments_taken", "segments begun"},
     {"segments_closed", "segments closed with index and footer"},
     {"segments_poisoned", "segments given up after a failed write or flush"},
     {"write_errors", "writes that failed"},
     {"flush_errors", "flushes that failed"},
     {"last_errno", "errno of the last failed write or flush; 0: none failed"},
     }
};

constexpr std::array<FieldInfo, 7> kLogEdge{
    {
     {"next_sequence", "sequence that the next sealed block gets"},
     {"written_sequence", "all blocks before this one are written"},
     {"durable_sequence", "all blocks before this one are on stable storage"},
     {"segment", "sequence of the segment that holds the last durable block"},
     {"slot", "slot of that segment"},
     {"generation", "generation of that segment"},
     {"position", "pages of that segment that may be read"},
     }
};

constexpr std::array<FieldInfo, 6> kDevice{
    {
     {"device_packets", "packets that the device says it received"},
     {"device_bytes", "bytes that the device says it received"},
     {"device_missed",
         "packets dropped because the device's ring was full, in the NIC or in the kernel"},
     {"device_errors", "packets that the device refused as broken"},
     {"device_no_buffer", "packets dropped because no packet buffer was free"},
     {"link_up", "1: the link is up"},
     }
};

constexpr std::array<FieldInfo, 6> kVolume{
    {
     {"volume_full", "1: a shard waits for a segment and there is none"},
     {"slots", "slots of the volume"},
     {"free_slots", "slots that hold nothing"},
     {"quarantined_slots", "slots with an unreadable header, kept for inspection"},
     {"retired_segments", "segments deleted by retention since the start"},
     {"segment_bytes", "size of a segment"},
     }
};

static_assert(sizeof(ShardGauges) == kShardGauges.size() * 8, "a name for each field");
static_assert(sizeof(LogEdge) == kLogEdge.size() * 8, "a name for each field");
static_assert(sizeof(DeviceGauges) == kDevice.size() * 8, "a name for each field");
static_assert(sizeof(VolumeGauges) == kVolume.size() * 8, "a name for each field");
static_assert(std::is_trivially_copyable_v<PortAccount>);
static_assert(std::is_trivially_copyable_v<MessageAccount>);

}  // namespace

std::span<const FieldInfo> shard_gauge_fields() { return kShardGauges; }
std::span<const FieldInfo> log_edge_fields() { return kLogEdge; }
std::span<const FieldInfo> device_gauge_fields() { return kDevice; }
std::span<const FieldInfo> volume_gauge_fields() { return kVolume; }

}  // namespace penstock

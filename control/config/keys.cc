#include "control/config/keys.h"

#include "control/config/setters.h"
#include "dataplane/port/device.h"
#include "storage/format/segment.h"

namespace penstock {
namespace {

constexpr std::uint64_t kAnySize = 1ULL << 60U;
constexpr std::int64_t kDay = 86'400 * kNanosPerSecond;

template <class T, std::size_t N>
Section<T> section(std::string_view name, const KeyRow<T> (&rows)[N]) {
  return {name, rows};
}

}  // namespace

const Section<NodeConfig>& node_section() {
  using T = NodeConfig;
  static const KeyRow<T> rows[] = {
      {{"node.name", "string", "\"penstock\"",
        "what this node is called in logs and in its ledger"},
       set_text(&T::name)},
      {{"node.runtime_dir", "path", "\"/run/penstock\"",
        "where the running node keeps its ledger; made when it is missing"},
       set_text(&T::runtime_dir)},
      {{"node.memory_limit", "size", "0",
        "refuse a configuration that can take more memory than this; 0: no limit"},
       set_size(&T::memory_limit, 0, kAnySize)},
  };
  static const auto all = section("node", rows);
  return all;
}

const Section<DpdkConfig>& dpdk_section() {
  using T = DpdkConfig;
  static const KeyRow<T> rows[] = {
      {{"dpdk.hugepages", "choice", "\"auto\"",
        "\"auto\": plain pages, with a warning, when there are not enough; \"require\"; \"never\""},
       set_choice(&T::hugepages, {{"auto", Hugepages::kAuto},
                                  {"require", Hugepages::kRequire},
                                  {"never", Hugepages::kNever}})},
      {{"dpdk.memory", "size", "\"256MiB\"", "for packet buffers and DPDK's own tables"},
       set_size(&T::memory, 16 * kMiB, 1024 * kGiB)},
      {{"dpdk.main_core", "integer", "-1", "core of the control thread; -1: any"},
       set_number(&T::main_core, -1, 1023)},
      {{"dpdk.file_prefix", "string", "\"\"",
        "tells this node's DPDK from others on the host; empty: the node's name"},
       set_text(&T::file_prefix)},
      {{"dpdk.extra_args", "list of strings", "[]", "further EAL arguments, passed on as they are"},
       set_texts(&T::extra_args)},
  };
  static const auto all = section("dpdk", rows);
  return all;
}

const Section<PortConfig>& port_section() {
  using T = PortConfig;
  static const KeyRow<T> rows[] = {
      {{"port.name", "string", "", "what the port is called in logs and in the ledger"},
       set_text(&T::name)},
      {{"port.device", "string", "",
        "PCI address (\"0000:3b:00.0\") or DPDK virtual device (\"net_af_xdp0,iface=eth1\")"},
       set_text(&T::device)},
      {{"port.addresses", "list of strings", "[]",
        "its IP addresses with prefix lengths; without any it takes every packet, as a mirror "
        "port"},
       set_texts(&T::addresses)},
      {{"port.shards", "list of integers", "[]",
        "the shards that poll it, one queue each, counted from 0; empty: all"},
       set_numbers(&T::shards, 63)},
      {{"port.mtu", "integer", "1500", "largest IP packet, in bytes"},
       set_number(&T::mtu, 576, 65'000)},
      {{"port.receive_descriptors", "integer", "1024", "of each queue"},
       set_number(&T::receive_descriptors, 64, 32'768)},
      {{"port.transmit_descriptors", "integer", "512", "of each queue"},
       set_number(&T::transmit_descriptors, 64, 32'768)},
      {{"port.buffers", "integer", "8192", "packet buffers of each queue"},
       set_number(&T::buffers, 512, 4'194'304)},
      {{"port.buffer_bytes", "size", "0",
        "the longest packet that fits in one buffer, from 2KiB; 0: as the MTU and device want"},
       set_size(&T::buffer_bytes, 0, kBufferBytesMax)},
      {{"port.promiscuous", "boolean", "false", "take frames for other Ethernet addresses as well"},
       set_flag(&T::promiscuous)},
      {{"port.verify_checksums", "boolean", "true", "in software where the device does not"},
       set_flag(&T::verify_checksums)},
      {{"port.answer_limit", "integer", "1000",
        "ARP and neighbour answers a second and queue, and as many echoes; 0: none, the port is "
        "mute"},
       set_number(&T::answer_limit, 0, 10'000'000)},
      {{"port.fragments", "integer", "1024",
        "fragmented datagrams put together at once, a queue; 0: fragments are refused"},
       set_number(&T::fragments, 0, 65'536)},
      {{"port.fragment_timeout", "duration", "\"1s\"", "how long a fragment waits for the rest"},
       set_duration(&T::fragment_timeout_ns, 1'000'000, 120 * kNanosPerSecond)},
  };
  static const auto all = section("port", rows);
  return all;
}

const Section<ShardConfig>& shard_section() {
  using T = ShardConfig;
  static const KeyRow<T> rows[] = {
      {{"shard.core", "integer", "-1",
        "the core it polls on; -1: chosen, never one that takes a drive's interrupts"},
       set_number(&T::core, -1, 1023)},
      {{"shard.volume", "string", "\"\"", "the volume of its log; empty: the only one"},
       set_text(&T::volume)},
      {{"shard.poll", "choice", "\"auto\"",
        "\"busy\", \"adaptive\" (an idle shard sleeps), or \"auto\": busy on an isolated core"},
       set_choice(&T::poll, {{"auto", PollMode::kAuto},
                             {"busy", PollMode::kBusy},
                             {"adaptive", PollMode::kAdaptive}})},
      {{"shard.coalesce", "duration", "\"20us\"",
        "after a few packets that nobody waits for a queue is left alone this long: more at once "
        "cost less; \"0\": never"},
       set_duration(&T::coalesce_ns, 0, 1'000'000)},
  };
  static const auto all = section("shard", rows);
  return all;
}

const Section<VolumeConfig>& volume_section() {
  using T = VolumeConfig;
  static const KeyRow<T> rows[] = {
      {{"volume.name", "string", "", "what the volume is called in logs and in the ledger"},
       set_text(&T::name)},
      {{"volume.kind", "choice", "\"stored\"",
        "\"stored\", or \"null\": keeps nothing, for measuring without a drive"},
       set_choice(&T::kind, {{"stored", VolumeKind::kStored}, {"null", VolumeKind::kNull}})},
      {{"volume.path", "path", "\"\"", "a directory (made when missing) or a block device"},
       set_text(&T::path)},
      {{"volume.segment_bytes", "size", "\"256MiB\"",
        "size of a segment; fixed when the volume is made"},
       set_size(&T::segment_bytes, kSegmentBytesMin, kSegmentBytesMax)},
      {{"volume.capacity", "size", "0",
        "of all segments, at least 3 for each shard; 0: as much as there is"},
       set_size(&T::capacity, 0, kAnySize)},
      {{"volume.ready_segments", "integer", "2", "written once ahead of need, for each log"},
       set_number(&T::ready_segments, 1, 8)},
      {{"volume.durability", "choice", "\"sync\"",
        "\"sync\": each write completes on stable storage; \"flush\": a flush follows the writes"},
       set_choice(&T::durability,
       {{"sync", DurabilityConfig::kSync}, {"flush", DurabilityConfig::kFlush}})},
      {{"volume.block_bytes", "size", "\"256KiB\"", "largest write; a message must fit in it"},
       set_size(&T::block_bytes, kBlockBytesMin, kBlockBytesMax)},
      {{"volume.memory", "size", "\"32MiB\"", "of blocks, for each shard that writes here"},
       set_size(&T::memory, 1 * kMiB, 1024 * kGiB)},
      {{"volume.queue_depth", "integer", "8", "writes in flight, for each shard"},
       set_number(&T::queue_depth, 1, 256)},
      {{"volume.linger", "duration", "\"2ms\"", "a message waits no longer for its block to fill"},
       set_duration(&T::linger_ns, 1'000, 60 * kNanosPerSecond)},
      {{"volume.kernel_polling", "boolean", "false",
        "a kernel thread submits the writes (SQPOLL); wants a core of its own"},
       set_flag(&T::kernel_polling)},
      {{"volume.retention.max_bytes", "size", "0",
        "delete a log's oldest segments beyond this; 0: no such rule"},
       set_size_at<T>([](T& v) -> std::uint64_t& { return v.retention.max_bytes; }, 0, kAnySize)},
      {{"volume.retention.max_age", "duration", "\"0\"",
        "delete segments whose last message is older; \"0\": no such rule"},
       set_duration_at<T>([](T& v) -> std::int64_t& { return v.retention.max_age_ns; }, 0,
       100 * 365 * kDay)},
      {{"volume.retention.min_free", "size", "0",
        "keep this much of the file system free: give the oldest segments' space back"},
       set_size_at<T>([](T& v) -> std::uint64_t& { return v.retention.min_free; }, 0, kAnySize)},
  };
  static const auto all = section("volume", rows);
  return all;
}

namespace {

constexpr std::int64_t kSessionsMax = 1 << 24;

// A key of the section within the door's.
SetKey<DoorConfig> set_pdp(SetKey<PdpConfig> set) {
  return [set = std::move(set)](DoorConfig& into, const toml::node& node) {
    return set(into.pdp, node);
  };
}
}  // namespace

const Section<DoorConfig>& door_section() {
  using T = DoorConfig;
  static const KeyRow<T> rows[] = {
      {{"door.name", "string", "", "what the door is called in logs and in the ledger"},
       set_text(&T::name)},
      {{"door.kind", "choice", "\"syslog\"", "the protocol: \"syslog\", \"line\" or \"pdp\""},
       set_choice(
           &T::kind,
       {{"syslog", DoorKind::kSyslog}, {"line", DoorKind::kLine}, {"pdp", DoorKind::kPdp}})},
      {{"door.listen", "list of strings", "",
        "UDP addresses: \"10.0.0.2:514\", \"[fd00::2]:514\", \"*:514\""},
       set_texts(&T::listen)},
      {{"door.subject", "string", "\"\"",
        "template of its messages' subjects; empty: the kind's own"},
       set_text(&T::subject)},
      {{"door.framing", "choice", "\"line\"",
        "of kind \"line\": one message a \"line\", or one a \"datagram\""},
       set_choice(&T::framing,
       {{"line", LineFraming::kLine}, {"datagram", LineFraming::kDatagram}})},
      {{"door.pdp.sessions", "integer", "4096", "sessions open at once, on each shard"},
       set_pdp(set_number(&PdpConfig::sessions, 1, kSessionsMax))},
      {{"door.pdp.remembered", "integer", "16384",
        "sessions whose duplicates are recognised, open or not, on each shard"},
       set_pdp(set_number(&PdpConfig::remembered, 16, kSessionsMax))},
      {{"door.pdp.hold", "size", "\"8MiB\"",
        "memory for frames that come before their turn, on each shard"},
       set_pdp(set_size(&PdpConfig::hold, 64 * kKiB, 64 * kGiB))},
      {{"door.pdp.credit", "size", "\"4MiB\"", "frames that a session may have under way"},
       set_pdp(set_size(&PdpConfig::credit, 64 * kKiB, 1 * kGiB))},
      {{"door.pdp.idle_timeout", "duration", "\"60s\"",
        "a session without a frame for so long is closed; it can be opened again"},
       set_pdp(set_duration(&PdpConfig::idle_ns, kNanosPerSecond, kDay))},
      {{"door.pdp.keys", "path", "\"\"", "file of producers' keys, a line each: NAME HEX"},
       set_pdp(set_text(&PdpConfig::keys))},
      {{"door.pdp.keys_required", "list of strings", "[]",
        "ranges of addresses that have to use a key: \"0.0.0.0/0\", \"fd00::/8\""},
       set_pdp(set_texts(&PdpConfig::keys_required))},
      {{"door.pdp.successor", "string", "\"\"",
        "\"HOST:PORT\" that producers are sent to when the node drains"},
       set_pdp(set_text(&PdpConfig::successor))},
  };
  static const auto all = section("door", rows);
  return all;
}

const Section<StreamConfig>& stream_section() {
  using T = StreamConfig;
  static const KeyRow<T> rows[] = {
      {{"stream.name", "string", "", "what the stream is called in the ledger and by who reads it"},
       set_text(&T::name)     },
      {{"stream.subjects", "list of strings", "",
        "filters of the subjects that it captures: \"syslog.>\", \"app.*.error\""},
       set_texts(&T::subjects)},
  };
  static const auto all = section("stream", rows);
  return all;
}

std::span<const ConfigKey> config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all;
    const auto add = [&](const auto& section) {
      for (const auto& row : section.rows) all.push_back(row.key);
    };
    add(node_section());
    add(dpdk_section());
    add(port_section());
    add(shard_section());
    add(volume_section());
    add(door_section());
    add(stream_section());
    return all;
  }();
  return keys;
}

}  // namespace penstock

#include "dataplane/port/device.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace penstock {
namespace {

constexpr std::uint32_t kMemoryPage = 4096;

// An AF_PACKET frame begins with the kernel's own header; the driver asks for buffers that are a
// little larger than what then is left for the packet.
constexpr std::uint32_t kPacketFrameHead = 66;
constexpr std::uint32_t kPacketFrameOverBuffer = 32;
constexpr std::uint32_t kPacketFrameUnit = 16;
constexpr std::uint32_t kPacketFrameDefault = 2048;

// The kernel keeps so much of an AF_XDP buffer free before the packet; with it and with DPDK's own
// headers and padding a buffer must fit in a page.
constexpr std::uint32_t kXdpHeadroom = 256;
constexpr std::uint32_t kXdpPacketBytesMax = 3264;

std::string_view before_comma(std::string_view device) {
  return device.substr(0, device.find(','));
}

// A hexadecimal number up to `most` at the start of `text`, which loses it.
std::optional<unsigned> take_hex(std::string_view& text, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || value > most) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// [dddd:]bb:dd.f in full, in lower case.
std::optional<std::string> pci_address(std::string_view text) {
  std::array<unsigned, 4> parts{};
  constexpr std::array<unsigned, 4> kMost{0xFFFFFFFF, 0xFF, 0x1F, 7};
  constexpr std::string_view kBehind = "::.";
  for (std::size_t i = std::ranges::count(text, ':') == 2 ? 0 : 1; i < parts.size(); ++i) {
    const auto part = take_hex(text, kMost[i]);
    if (!part) return {};
    parts[i] = *part;
    if (i == kBehind.size()) break;
    if (!text.starts_with(kBehind[i])) return {};
    text.remove_prefix(1);
  }
  if (!text.empty()) return {};
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", parts[0], parts[1], parts[2], parts[3]);
}

std::uint32_t round_up(std::uint32_t bytes, std::uint32_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::unexpected<Error> refused(std::string what) {
  return fail(Errc::kInvalidArgument, std::move(what));
}

// A device string that is being completed.
class Arguments {
 public:
  explicit Arguments(const std::string& device)
      : text_(device_name(device) + device.substr(before_comma(device).size())) {}

  // The number given for `key`; where none is, `otherwise`, which is added.
  [[nodiscard]] Result<std::uint32_t> number(std::string_view key, std::uint32_t otherwise) {
    const std::string_view given = device_argument(text_, key);
    if (given.empty()) {
      add(key, fmt::format("{}", otherwise));
      return otherwise;
    }
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
    if (error != std::errc() || end != given.data() + given.size() || value == 0) {
      return refused(fmt::format("{}={} must be a whole number", key, given));
    }
    return value;
  }
  void add(std::string_view key, std::string_view value) {
    text_ += fmt::format(",{}={}", key, value);
  }
  [[nodiscard]] bool has(std::string_view key) const {
    return !device_argument(text_, key).empty();
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// How the ring lies in memory. The driver takes its frames for one behind the other, so a block
// must not end with a rest.
Result<> check_packet_ring(std::uint32_t frame, std::uint32_t block, std::uint32_t count) {
  if (frame % kPacketFrameUnit != 0 || block % frame != 0 || block % kMemoryPage != 0) {
    return refused(fmt::format(
        "blocksz={} must be a multiple of framesz={} and of {}, and framesz one of {}; leave them "
        "out, and they are set",
        block, frame, kMemoryPage, kPacketFrameUnit));
  }
  if (count % (block / frame) != 0) {
    return refused(fmt::format("framecnt={} must be a multiple of the {} frames in a block", count,
                               block / frame));
  }
  return {};
}

Result<DevicePlan> plan_packet(Arguments arguments, const DeviceNeeds& needs) {
  const auto queues = arguments.number("qpairs", needs.queues);
  if (!queues) return std::unexpected(queues.error());
  if (*queues != needs.queues) {
    return refused(fmt::format(
        "qpairs={} and {} shards poll the port: a queue that nobody polls loses its packets; leave "
        "qpairs out",
        *queues, needs.queues));
  }
  const std::uint32_t longest = std::max(needs.mtu + kFrameBytesBesideIp, needs.buffer_bytes);
  const std::uint32_t least = longest + kPacketFrameHead;
  const auto frame = arguments.number(
      "framesz", least <= kPacketFrameDefault ? kPacketFrameDefault : round_up(least, kMemoryPage));
  if (!frame) return std::unexpected(frame.error());
  if (*frame < least) {
    return refused(fmt::format(
        "framesz={} cuts packets that mtu = {} and buffer_bytes = {} allow: they want at least {}; "
        "leave framesz out, and it is set",
        *frame, needs.mtu, needs.buffer_bytes, least));
  }
  if (*frame > kBufferBytesMax) {
    return refused(fmt::format(
        "an AF_PACKET frame has at most {} bytes, of which a packet gets {}: lower mtu = {} or "
        "buffer_bytes = {}",
        kBufferBytesMax, kBufferBytesMax - kPacketFrameHead, needs.mtu, needs.buffer_bytes));
  }
  const auto block = arguments.number("blocksz", round_up(*frame, kMemoryPage));
  if (!block) return std::unexpected(block.error());
  const std::uint32_t in_block = std::max(*block / *frame, 1U);
  const auto count = arguments.number("framecnt", needs.receive_descriptors / in_block * in_block);
  if (!count) return std::unexpected(count.error());
  if (auto ok = check_packet_ring(*frame, *block, *count); !ok) return std::unexpected(ok.error());
  return DevicePlan{arguments.text(), std::max({kBufferBytesMin, needs.buffer_bytes,
                                                *frame - kPacketFrameOverBuffer})};
}

Result<DevicePlan> plan_xdp(const Arguments& arguments, const DeviceNeeds& needs) {
  Arguments asked = arguments;
  const auto queues = asked.number("queue_count", 1);
  if (!queues) return std::unexpected(queues.error());
  if (*queues != needs.queues) {
    return refused(fmt::format(
        "the device has {0} queues (queue_count) and {1} shards poll the port, a queue each: write "
        "queue_count={1} if the interface has as many combined channels ('ethtool -l'), name other "
        "`shards`, or give each shard a port of its own with `start_queue`",
        *queues, needs.queues));
  }
  if (needs.buffer_bytes > kXdpPacketBytesMax) {
    return refused(
        fmt::format("an AF_XDP buffer holds packets of at most {} bytes: lower buffer_bytes = {}",
                    kXdpPacketBytesMax, needs.buffer_bytes));
  }
  // A longer MTU is the driver's to refuse.
  const std::uint32_t longest = std::max(needs.mtu + kFrameBytesBesideIp, needs.buffer_bytes);
  return DevicePlan{
      arguments.text(),
      std::max(kBufferBytesMin, std::min(longest, kXdpPacketBytesMax) + kXdpHeadroom)};
}

}  // namespace

bool is_pci_address(const std::string& device) {
  return pci_address(before_comma(device)).has_value();
}

std::string device_name(const std::string& device) {
  const std::string_view name = before_comma(device);
  return pci_address(name).value_or(std::string(name));
}

std::string_view device_argument(std::string_view device, std::string_view key) {
  while (!device.empty()) {
    const auto comma = device.find(',');
    const std::string_view argument = device.substr(0, comma);
    const auto equals = argument.find('=');
    if (equals != std::string_view::npos && argument.substr(0, equals) == key) {
      return argument.substr(equals + 1);
    }
    device = comma == std::string_view::npos ? std::string_view{} : device.substr(comma + 1);
  }
  return {};
}

std::span<const std::string_view> virtual_drivers() {
  static constexpr std::array<std::string_view, 12> kDrivers{
      "net_af_packet", "net_af_xdp", "net_bonding", "net_failsafe", "net_memif", "net_null",
      "net_pcap",      "net_ring",   "net_tap",     "net_tun",      "net_vhost", "net_virtio_user"};
  return kDrivers;
}

Result<DevicePlan> plan_device(const std::string& device, const DeviceNeeds& needs) {
  if (needs.buffer_bytes != 0 &&
      (needs.buffer_bytes < kBufferBytesMin || needs.buffer_bytes > kBufferBytesMax)) {
    return refused(fmt::format("buffer_bytes = {} must be 0, or from {} to {}", needs.buffer_bytes,
                               kBufferBytesMin, kBufferBytesMax));
  }
  Arguments arguments(device);
  if (device.starts_with("net_af_packet")) return plan_packet(arguments, needs);
  if (device.starts_with("net_af_xdp")) return plan_xdp(arguments, needs);
  if (device.starts_with("net_memif") && !arguments.has("role")) arguments.add("role", "server");
  return DevicePlan{arguments.text(), std::max(kBufferBytesMin, needs.buffer_bytes)};
}

}  // namespace penstock

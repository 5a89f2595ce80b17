#include "dataplane/frame/ip_packet.h"

#include <algorithm>

#include "dataplane/frame/wire.h"

namespace penstock {
namespace {

using Parsed = std::expected<IpPacket, PacketFate>;

constexpr std::uint16_t kMoreFragments = 0x2000;
constexpr std::uint16_t kFragmentOffset = 0x1FFF;  // in units of eight bytes

constexpr std::uint8_t kOptionEnd = 0;
constexpr std::uint8_t kOptionNothing = 1;
constexpr std::uint8_t kOptionLooseRoute = 131;
constexpr std::uint8_t kOptionStrictRoute = 137;

constexpr std::uint8_t kHeaderHopByHop = 0;
constexpr std::uint8_t kHeaderRouting = 43;
constexpr std::uint8_t kHeaderFragment = 44;
constexpr std::uint8_t kHeaderDestination = 60;
constexpr std::size_t kHeaderUnit = 8;  // extension headers are multiples of it

std::unexpected<PacketFate> bad(PacketFate fate) { return std::unexpected(fate); }

// Each option is type, length, data; a source route must have reached its end, which is us.
bool options_good(std::span<const std::byte> options) {
  while (!options.empty()) {
    const std::uint8_t type = octet(options.data());
    if (type == kOptionEnd) return true;
    if (type == kOptionNothing) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2) return false;
    const std::size_t length = octet(&options[1]);
    if (length < 2 || length > options.size()) return false;
    if (type == kOptionLooseRoute || type == kOptionStrictRoute) {
      if (length < 3 || octet(&options[2]) <= length) return false;
    }
    options = options.subspan(length);
  }
  return true;
}

// RFC 8200, 4.2: the upper two bits of an option's type say whether who does not know it may skip
// it.
bool extension_options_good(std::span<const std::byte> options) {
  for (unsigned count = 0; !options.empty(); ++count) {
    if (count == kExtensionOptionsMax) return false;
    const std::uint8_t type = octet(options.data());
    if (type == 0) {  // Pad1
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || (type & 0xC0U) != 0) return false;
    const std::size_t length = 2U + octet(&options[1]);
    if (length > options.size()) return false;
    options = options.subspan(length);
  }
  return true;
}

Fragment fragment_header(std::span<const std::byte> header) {
  const std::uint16_t place = load_be16(&header[2]);
  return {load<std::uint32_t>(&header[4]), place & 0xFFF8U, (place & 1U) != 0};
}

bool is_extension(std::uint8_t protocol) {
  return protocol == kHeaderHopByHop || protocol == kHeaderRouting || protocol == kHeaderFragment ||
         protocol == kHeaderDestination;
}

// Judges the extension header at the start of `body`; returns its length, or zero when it is bad.
std::size_t extension_bytes(std::uint8_t protocol, std::span<const std::byte> body) {
  if (body.size() < kHeaderUnit) return 0;
  if (protocol == kHeaderFragment) return kHeaderUnit;
  const std::size_t length = (octet(&body[1]) + 1U) * kHeaderUnit;
  if (length > body.size()) return 0;
  if (protocol == kHeaderRouting) return octet(&body[3]) == 0 ? length : 0;  // segments left
  return extension_options_good(body.first(length).subspan(2)) ? length : 0;
}

}  // namespace

Parsed parse_ipv4(std::span<const std::byte> bytes, bool verify_checksum) {
  if (bytes.size() < kIpv4Bytes) return bad(PacketFate::kBadIpLength);
  const std::byte* header = bytes.data();
  const std::size_t header_bytes = (octet(header) & 0x0FU) * 4U;
  const std::size_t total = load_be16(header + 2);
  if (octet(header) >> 4U != 4 || header_bytes < kIpv4Bytes || total < header_bytes) {
    return bad(PacketFate::kBadIpHeader);
  }
  if (total > bytes.size()) return bad(PacketFate::kBadIpLength);
  if (verify_checksum && !checksum_good(checksum_add_words(0, bytes.first(header_bytes)))) {
    return bad(PacketFate::kBadIpChecksum);
  }
  if (!options_good(bytes.first(header_bytes).subspan(kIpv4Bytes))) {
    return bad(PacketFate::kBadIpHeader);
  }
  IpPacket packet;
  packet.version = 4;
  packet.hop_limit = octet(header + 8);
  packet.protocol = octet(header + 9);
  packet.plain = header_bytes == kIpv4Bytes;
  packet.source = IpAddress::v4(load<std::uint32_t>(header + 12));
  packet.destination = IpAddress::v4(load<std::uint32_t>(header + 16));
  packet.body = bytes.first(total).subspan(header_bytes);

  const std::uint16_t place = load_be16(header + 6);
  packet.fragment = {load<std::uint16_t>(header + 4), (place & kFragmentOffset) * 8U,
                     (place & kMoreFragments) != 0};
  packet.fragmented = packet.fragment.more || packet.fragment.offset != 0;
  return packet;
}

Parsed parse_ipv6(std::span<const std::byte> bytes) {
  if (bytes.size() < kIpv6Bytes) return bad(PacketFate::kBadIpLength);
  const std::byte* header = bytes.data();
  if (octet(header) >> 4U != 6) return bad(PacketFate::kBadIpHeader);
  const std::size_t length = load_be16(header + 4);
  if (length > bytes.size() - kIpv6Bytes) return bad(PacketFate::kBadIpLength);
  IpPacket packet;
  packet.version = 6;
  packet.protocol = octet(header + 6);
  packet.hop_limit = octet(header + 7);
  packet.source.bytes = load<std::array<std::byte, 16>>(header + 8);
  packet.destination.bytes = load<std::array<std::byte, 16>>(header + 24);
  packet.body = bytes.subspan(kIpv6Bytes, length);
  // IPv4-mapped addresses never travel (RFC 4942, 2.2): they would pass for the IPv4 address here.
  if (packet.destination.is_v4()) return bad(PacketFate::kOtherAddress);
  if (packet.source.is_v4()) return bad(PacketFate::kBadSource);
  return skip_extension_headers(packet, true);
}

Parsed skip_extension_headers(IpPacket packet, bool from_start) {
  for (unsigned headers = 0; is_extension(packet.protocol); ++headers) {
    const std::uint8_t kind = packet.protocol;
    // Hop-by-hop options come first or not at all.
    const bool misplaced = kind == kHeaderHopByHop && !(from_start && headers == 0);
    const std::size_t length = extension_bytes(kind, packet.body);
    if (headers == kExtensionHeadersMax || misplaced || length == 0) {
      return bad(PacketFate::kBadExtensionHeader);
    }
    if (kind == kHeaderFragment) packet.fragment = fragment_header(packet.body);
    packet.plain = false;
    packet.protocol = octet(packet.body.data());
    packet.body = packet.body.subspan(length);
    packet.fragmented = packet.fragment.more || packet.fragment.offset != 0;
    if (packet.fragmented) return packet;
  }
  return packet;
}

ChecksumSum pseudo_header_sum(const IpPacket& packet, std::uint8_t protocol, std::size_t length) {
  const ChecksumSum sum = std::uint64_t{__builtin_bswap32(protocol)} +
                          __builtin_bswap32(static_cast<std::uint32_t>(length));
  const std::byte* source = packet.source.bytes.data();
  const std::byte* destination = packet.destination.bytes.data();
  if (packet.version != 4) return sum + header_sum<16>(source) + header_sum<16>(destination);
  // An IPv4 address is the end of its mapped form.
  return sum + header_sum<4>(source + 12) + header_sum<4>(destination + 12);
}

}  // namespace penstock

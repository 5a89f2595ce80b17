#include "tests/lib/packet_builder.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace penstock::test {
namespace {

constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmpv6 = 58;
constexpr std::uint8_t kFragment = 44;

void put8(Bytes& bytes, std::size_t value) { bytes.push_back(static_cast<std::byte>(value)); }
void put16(Bytes& bytes, std::size_t value) {
  put8(bytes, value >> 8U & 0xFFU);
  put8(bytes, value & 0xFFU);
}
void put32(Bytes& bytes, std::size_t value) {
  put16(bytes, value >> 16U & 0xFFFFU);
  put16(bytes, value & 0xFFFFU);
}
template <class Range>
void put(Bytes& bytes, const Range& range) {
  bytes.insert(bytes.end(), range.begin(), range.end());
}
void set16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8U);
  bytes[at + 1] = static_cast<std::byte>(value & 0xFFU);
}

// The naive definition of RFC 1071, on purpose another one than the product's.
std::uint16_t naive_checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
    sum = (sum & 0xFFFFU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(~sum);
}

Bytes address_bytes(const IpAddress& address) {
  return {address.bytes.begin() + (address.is_v4() ? 12 : 0), address.bytes.end()};
}

// Fills in the checksum of what `layer` carries between these addresses.
void seal(Layer& layer, const IpAddress& source, const IpAddress& destination) {
  if (!layer.checksum_at) return;
  const Bytes upper(layer.bytes.begin() + static_cast<std::ptrdiff_t>(layer.upper_at),
                    layer.bytes.end());
  Bytes summed;
  if (layer.pseudo_header) {
    summed = address_bytes(source) + address_bytes(destination);
    put32(summed, upper.size());
    put32(summed, layer.upper_protocol);
  }
  std::uint16_t checksum = naive_checksum(summed + upper);
  if (checksum == 0 && layer.upper_protocol == kUdp) checksum = 0xFFFF;
  set16(layer.bytes, *layer.checksum_at, checksum);
  layer.checksum_at.reset();
}

Layer icmp_layer(std::uint8_t protocol, const IcmpFields& fields, const Bytes& rest) {
  Layer layer{.bytes = {},
              .protocol = protocol,
              .upper_protocol = protocol,
              .upper_at = 0,
              .checksum_at = {},
              .pseudo_header = protocol == kIcmpv6};
  put8(layer.bytes, fields.type);
  put8(layer.bytes, fields.code);
  put16(layer.bytes, fields.checksum.value_or(0));
  put(layer.bytes, rest);
  if (!fields.checksum) layer.checksum_at = 2;
  return layer;
}

Layer behind(std::uint8_t kind, const Bytes& header, Layer inner) {
  inner.bytes = header + inner.bytes;
  inner.protocol = kind;
  inner.upper_at += header.size();
  if (inner.checksum_at) *inner.checksum_at += header.size();
  return inner;
}

}  // namespace

Bytes bytes_of(std::string_view text) {
  Bytes bytes;
  for (const char c : text) put8(bytes, static_cast<unsigned char>(c));
  return bytes;
}

Bytes operator+(Bytes first, const Bytes& second) {
  put(first, second);
  return first;
}

IpAddress ip(std::string_view text) {
  auto address = parse_ip(text);
  CHECK(address.has_value());
  return *address;
}

EthernetAddress ethernet_address(std::string_view text) {
  EthernetAddress address{};
  for (std::size_t i = 0; i < address.size(); ++i) {
    unsigned value = 0;
    std::from_chars(text.data() + 3 * i, text.data() + 3 * i + 2, value, 16);
    address[i] = static_cast<std::byte>(value);
  }
  return address;
}

Layer udp(const UdpFields& fields, std::string_view payload) {
  Layer layer{.bytes = {},
              .protocol = kUdp,
              .upper_protocol = kUdp,
              .upper_at = 0,
              .checksum_at = {},
              .pseudo_header = true};
  put16(layer.bytes, fields.source_port);
  put16(layer.bytes, fields.destination_port);
  put16(layer.bytes, fields.length.value_or(static_cast<std::uint16_t>(8 + payload.size())));
  put16(layer.bytes, fields.checksum.value_or(0));
  put(layer.bytes, bytes_of(payload));
  if (!fields.checksum) layer.checksum_at = 6;
  return layer;
}

Layer icmp(const IcmpFields& fields, const Bytes& rest) { return icmp_layer(kIcmp, fields, rest); }

Layer icmpv6(const IcmpFields& fields, const Bytes& rest) {
  return icmp_layer(kIcmpv6, fields, rest);
}

Layer solicitation(std::string_view target, const Bytes& options) {
  return icmpv6({.type = 135}, Bytes(4) + address_bytes(ip(target)) + options);
}

Bytes source_link_option(std::string_view address) {
  Bytes option{std::byte{1}, std::byte{1}};
  put(option, ethernet_address(address));
  return option;
}

Layer raw(std::uint8_t protocol, Bytes bytes) {
  return {.bytes = std::move(bytes),
          .protocol = protocol,
          .upper_protocol = protocol,
          .upper_at = 0,
          .checksum_at = {},
          .pseudo_header = true};
}

Layer extension(std::uint8_t kind, const Bytes& data, Layer inner) {
  CHECK_EQ(data.size() % 8, 6U);
  Bytes header;
  put8(header, inner.protocol);
  put8(header, data.size() / 8);
  put(header, data);
  return behind(kind, header, std::move(inner));
}

Layer hop_by_hop(Layer inner) {
  return extension(0, {std::byte{1}, std::byte{4}, {}, {}, {}, {}}, std::move(inner));
}

Layer fragment_header(std::uint16_t offset, bool more, std::uint32_t identification, Layer inner) {
  Bytes header;
  put8(header, inner.protocol);
  put8(header, 0);
  put16(header, offset | (more ? 1U : 0U));
  put32(header, identification);
  return behind(kFragment, header, std::move(inner));
}

Network ipv4(const Ipv4Fields& fields, Layer inner) {
  seal(inner, ip(fields.source), ip(fields.destination));
  const std::size_t header_bytes = 20 + fields.options.size();
  Bytes bytes;
  put8(bytes,
       fields.version_and_words.value_or(static_cast<std::uint8_t>(0x40 + header_bytes / 4)));
  put8(bytes, 0);
  put16(bytes, fields.total_length.value_or(
                   static_cast<std::uint16_t>(header_bytes + inner.bytes.size())));
  put16(bytes, fields.identification);
  put16(bytes, fields.offset / 8U | (fields.more ? 0x2000U : 0));
  put8(bytes, fields.ttl);
  put8(bytes, inner.protocol);
  put16(bytes, 0);
  put(bytes, address_bytes(ip(fields.source)));
  put(bytes, address_bytes(ip(fields.destination)));
  put(bytes, fields.options);
  set16(bytes, 10, fields.checksum.value_or(naive_checksum(bytes)));
  return {0x0800, bytes + inner.bytes};
}

Network ipv6(const Ipv6Fields& fields, Layer inner) {
  seal(inner, ip(fields.source), ip(fields.destination));
  Bytes bytes;
  put32(bytes, std::size_t{fields.version.value_or(6)} << 28U);
  put16(bytes, fields.payload_length.value_or(static_cast<std::uint16_t>(inner.bytes.size())));
  put8(bytes, inner.protocol);
  put8(bytes, fields.hop_limit);
  put(bytes, ip(fields.source).bytes);
  put(bytes, ip(fields.destination).bytes);
  return {0x86DD, bytes + inner.bytes};
}

Network arp(const ArpFields& fields) {
  Bytes bytes;
  for (const std::uint8_t one : fields.types) put8(bytes, one);
  put16(bytes, fields.operation);
  put(bytes, ethernet_address(fields.sender_ethernet));
  put(bytes, address_bytes(ip(fields.sender)));
  put(bytes, ethernet_address(fields.target_ethernet));
  put(bytes, address_bytes(ip(fields.target)));
  return {0x0806, bytes};
}

Bytes ethernet(const EthernetFields& fields, const Network& network) {
  Bytes bytes;
  put(bytes, ethernet_address(fields.to));
  put(bytes, ethernet_address(fields.from));
  for (const std::uint16_t vlan : fields.vlans) {
    put16(bytes, fields.vlan_type);
    put16(bytes, vlan);
  }
  put16(bytes, fields.type.value_or(network.type));
  bytes = bytes + network.bytes;
  bytes.resize(std::max(bytes.size(), fields.pad_to), std::byte{0xEE});
  return bytes;
}

std::vector<Bytes> fragments_v4(Ipv4Fields fields, Layer inner, std::size_t piece) {
  seal(inner, ip(fields.source), ip(fields.destination));
  std::vector<Bytes> frames;
  for (std::size_t at = 0; at < inner.bytes.size(); at += piece) {
    const std::size_t length = std::min(piece, inner.bytes.size() - at);
    const auto from = inner.bytes.begin() + static_cast<std::ptrdiff_t>(at);
    fields.offset = static_cast<std::uint16_t>(at);
    fields.more = at + length < inner.bytes.size();
    frames.push_back(ethernet(
        {}, ipv4(fields, raw(inner.protocol, {from, from + static_cast<std::ptrdiff_t>(length)}))));
  }
  return frames;
}

std::vector<Bytes> fragments_v6(const Ipv6Fields& fields, Layer inner, std::size_t piece,
                                std::uint32_t identification) {
  seal(inner, ip(fields.source), ip(fields.destination));
  std::vector<Bytes> frames;
  for (std::size_t at = 0; at < inner.bytes.size(); at += piece) {
    const std::size_t length = std::min(piece, inner.bytes.size() - at);
    const auto from = inner.bytes.begin() + static_cast<std::ptrdiff_t>(at);
    frames.push_back(ethernet(
        {},
        ipv6(fields,
             fragment_header(
                 static_cast<std::uint16_t>(at), at + length < inner.bytes.size(), identification,
                 raw(inner.protocol, {from, from + static_cast<std::ptrdiff_t>(length)})))));
  }
  return frames;
}

}  // namespace penstock::test

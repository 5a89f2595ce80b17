#include "perf/blast/packet_template.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>

#include <fmt/format.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "dataplane/frame/datagram.h"
#include "perf/blast/message_source.h"
#include "perf/blast/target.h"

namespace penstock::blast {
namespace {

struct Addresses {
  Target to{};
  std::uint32_t from = 0;  // host order, of the first source
  EthernetAddress to_ethernet{};
};

Result<Addresses> parse_addresses(const Options& options) {
  Addresses parsed;
  const auto target = parse_target(options.to);
  if (!target) return std::unexpected(target.error());
  if (!target->address.is_v4()) {
    return refuse_option("--to", options.to, "IPv6 is for --pdp; plain datagrams go over IPv4");
  }
  parsed.to = *target;
  const auto from = parse_from(options.from, *target, options.sources, "--sources");
  if (!from) return std::unexpected(from.error());
  parsed.from = last_word(*from);
  parsed.to_ethernet.fill(std::byte{0xFF});
  if (!options.to_ethernet.empty()) {
    const auto station = parse_station(options.to_ethernet);
    if (!station) return std::unexpected(station.error());
    parsed.to_ethernet = *station;
  }
  return parsed;
}

// What comes before the stamp in each message.
std::string message_head(const Options& options, std::uint32_t source) {
  if (options.payload == PayloadKind::kLine) return "";
  return fmt::format("<134>1 2026-01-01T00:00:00.000000Z host{} blast 4711 - - ", source);
}

// Payload of one datagram, with room for the stamps.
std::string payload_text(const Options& options, std::uint32_t source, std::uint64_t messages,
                         std::vector<std::uint32_t>& stamps) {
  const std::string head = message_head(options, source);
  std::string text;
  for (std::size_t i = 0; i < messages; ++i) {
    stamps.push_back(static_cast<std::uint32_t>(text.size() + head.size()));
    std::string message = head + std::string(kStampDigits, '0');
    while (message.size() < options.size) message += kFiller[message.size() % kFiller.size()];
    text += message;
    if (options.packed != 0) text += '\n';
  }
  return text;
}

std::uint32_t sum_words(std::span<const std::byte> bytes, std::uint32_t sum = 0) {
  return rte_raw_cksum(bytes.data(), bytes.size()) + sum;
}

std::uint16_t fold(std::uint32_t sum) {
  sum = (sum & 0xFFFFU) + (sum >> 16U);
  sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

std::uint64_t messages_each(const Options& options) {
  return options.packed == 0 ? 1 : options.packed / (options.size + 1);
}

Result<std::vector<PacketTemplate>> make_templates(const Options& options, std::uint64_t messages,
                                                   std::span<const std::byte, 6> from_ethernet) {
  const auto addresses = parse_addresses(options);
  if (!addresses) return std::unexpected(addresses.error());
  const std::size_t least = message_head(options, options.sources - 1).size() + kStampDigits;
  if (options.size < least) {
    return refuse_option(
        "--size", std::to_string(options.size),
        fmt::format("a syslog message needs {} bytes for its header and number; raise "
                    "--size or use --payload line",
                    least));
  }
  std::vector<PacketTemplate> templates;
  for (std::uint32_t source = 0; source < options.sources; ++source) {
    PacketTemplate made;
    const std::string payload = payload_text(options, source, messages, made.stamps);
    rte_ether_hdr ethernet{};
    std::memcpy(&ethernet.dst_addr, addresses->to_ethernet.data(), sizeof ethernet.dst_addr);
    std::memcpy(&ethernet.src_addr, from_ethernet.data(), sizeof ethernet.src_addr);
    ethernet.ether_type = htons(RTE_ETHER_TYPE_IPV4);
    rte_ipv4_hdr ip{};
    ip.version_ihl = RTE_IPV4_VHL_DEF;
    ip.total_length =
        htons(static_cast<std::uint16_t>(sizeof ip + sizeof(rte_udp_hdr) + payload.size()));
    ip.time_to_live = 64;
    ip.next_proto_id = IPPROTO_UDP;
    ip.src_addr = htonl(addresses->from + source);
    ip.dst_addr = htonl(last_word(addresses->to.address));
    ip.hdr_checksum = rte_ipv4_cksum(&ip);
    rte_udp_hdr udp{};
    udp.src_port = htons(static_cast<std::uint16_t>(20000 + source % 40000));
    udp.dst_port = htons(addresses->to.port);
    udp.dgram_len = htons(static_cast<std::uint16_t>(sizeof udp + payload.size()));

    made.bytes.resize(sizeof ethernet + sizeof ip + sizeof udp + payload.size());
    made.udp_at = sizeof ethernet + sizeof ip;
    made.newlines = options.packed == 0 ? 0 : static_cast<std::uint32_t>(messages);
    std::memcpy(made.bytes.data(), &ethernet, sizeof ethernet);
    std::memcpy(made.bytes.data() + sizeof ethernet, &ip, sizeof ip);
    std::memcpy(made.bytes.data() + made.udp_at, &udp, sizeof udp);
    std::memcpy(made.bytes.data() + made.udp_at + sizeof udp, payload.data(), payload.size());
    for (std::uint32_t& at : made.stamps) {
      at += made.udp_at + static_cast<std::uint32_t>(sizeof udp);
    }
    // The stamps' digits are left out of the sum: stamp() adds them.
    std::vector<std::byte> summed(made.bytes.begin() + made.udp_at, made.bytes.end());
    for (const std::uint32_t at : made.stamps) {
      std::memset(summed.data() + (at - made.udp_at), 0, kStampDigits);
    }
    made.checksum_base = fold(sum_words(summed, rte_ipv4_phdr_cksum(&ip, 0)));
    templates.push_back(std::move(made));
  }
  return templates;
}

void stamp(std::span<std::byte> packet, const PacketTemplate& made, std::uint64_t first,
           bool checksums) {
  static constexpr std::array<char, 16> kDigits{'0', '1', '2', '3', '4', '5', '6', '7',
                                                '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::uint32_t sum = made.checksum_base;
  for (const std::uint32_t at : made.stamps) {
    std::array<char, kStampDigits> digits;
    for (std::size_t i = 0; i < kStampDigits; ++i) {
      digits[i] = kDigits[(first >> (4 * (kStampDigits - 1 - i))) & 0xFU];
    }
    std::memcpy(packet.data() + at, digits.data(), digits.size());
    if (checksums) {
      std::uint32_t digit_sum = 0;
      for (std::size_t i = 0; i < kStampDigits; i += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, digits.data() + i, sizeof word);
        digit_sum += word;
      }
      // At an odd offset from the UDP header the bytes change places in the sum (RFC 1071, 2(B)).
      std::uint16_t folded = fold(digit_sum);
      if (((at - made.udp_at) & 1U) != 0)
        folded = static_cast<std::uint16_t>(folded << 8U | folded >> 8U);
      sum += folded;
    }
    ++first;
  }
  std::uint16_t checksum = 0;
  if (checksums) {
    checksum = static_cast<std::uint16_t>(~fold(sum));
    if (checksum == 0) checksum = 0xFFFF;  // zero would mean: none (RFC 768)
  }
  std::memcpy(packet.data() + made.udp_at + offsetof(rte_udp_hdr, dgram_cksum), &checksum,
              sizeof checksum);
}

}  // namespace penstock::blast

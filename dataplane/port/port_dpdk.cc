#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/check.h"
#include "dataplane/port/device.h"
#include "dataplane/port/eal.h"
#include "dataplane/port/interface_link.h"
#include "dataplane/port/kernel_drops.h"
#include "dataplane/port/port.h"

namespace penstock {
namespace {

constexpr std::uint32_t kFrameOverhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

constexpr std::uint32_t kMempoolCache = 256;

static_assert(kPortsMax == RTE_MAX_ETHPORTS);

class DpdkQueue final : public PortQueue {
 public:
  DpdkQueue(std::uint16_t port, std::uint16_t queue, rte_mempool* pool, bool can_transmit)
      : port_(port), queue_(queue), pool_(pool), can_transmit_(can_transmit) {}
  std::uint16_t receive(std::span<rte_mbuf*> packets) override {
    return rte_eth_rx_burst(port_, queue_, packets.data(),
                            static_cast<std::uint16_t>(packets.size()));
  }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    if (!can_transmit_) return 0;
    return rte_eth_tx_burst(port_, queue_, packets.data(),
                            static_cast<std::uint16_t>(packets.size()));
  }
  rte_mbuf* buffer() override { return can_transmit_ ? rte_pktmbuf_alloc(pool_) : nullptr; }

 private:
  std::uint16_t port_;
  std::uint16_t queue_;
  rte_mempool* pool_;
  bool can_transmit_;
};

class DpdkPort final : public Port {
 public:
  DpdkPort(PortOptions options, std::uint16_t id) : options_(std::move(options)), id_(id) {}
  ~DpdkPort() override { stop(); }

  Result<> start();
  const PortFacts& facts() const override { return facts_; }
  PortQueue& queue(unsigned i) override { return queues_.at(i); }
  DeviceGauges device_gauges() override;
  void stop() override;

 private:
  Result<> check_limits(const rte_eth_dev_info& info) const;
  Result<> configure(const rte_eth_dev_info& info);
  Result<> set_up_queues(const rte_eth_dev_info& info);
  Result<> set_mtu();
  [[nodiscard]] std::uint32_t frame_bytes() const { return options_.mtu + kFrameBytesBesideIp; }
  // AF_PACKET's fanout, or the RSS of the interface behind AF_XDP.
  [[nodiscard]] bool kernel_spreads() const { return options_.device.starts_with("net_af_"); }
  [[nodiscard]] std::unexpected<Error> failed(int result, const std::string& step) const {
    return fail_errno(-result,
                      fmt::format("port {} ({}): {}", options_.name, options_.device, step));
  }

  PortOptions options_;
  std::uint16_t id_;
  PortFacts facts_;
  std::vector<DpdkQueue> queues_;
  std::vector<rte_mempool*> pools_;
  KernelDrops kernel_drops_;
  InterfaceLink interface_link_{options_.device};
  bool started_ = false;
};

Result<> DpdkPort::check_limits(const rte_eth_dev_info& info) const {
  if (info.max_rx_queues < options_.queues) {
    return fail(
        Errc::kInvalidArgument,
        fmt::format("port {} ({}): {} shards want a queue each and the device has {}; name "
                    "fewer in the port's `shards`, or give each shard a port of its own (an "
                    "AF_XDP device has one for each `start_queue`)",
                    options_.name, options_.device, options_.queues, info.max_rx_queues));
  }
  const auto least = buffers_min(options_.receive_descriptors, options_.transmit_descriptors);
  if (options_.buffers < least) {
    return fail(
        Errc::kInvalidArgument,
        fmt::format("port {}: buffers = {} do not fill its descriptors; at least {} are needed",
                    options_.name, options_.buffers, least));
  }
  // Software devices chain buffers without saying so, or were planned for (device.h).
  const bool chains =
      (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0 || !is_pci_address(options_.device);
  if (frame_bytes() > options_.buffer_bytes && !chains) {
    return fail(Errc::kInvalidArgument,
                fmt::format("port {} ({}): a frame of mtu = {} does not fit in a buffer of {} "
                            "bytes, and the device cannot chain them: set buffer_bytes = {}",
                            options_.name, options_.device, options_.mtu, options_.buffer_bytes,
                            frame_bytes()));
  }
  return {};
}

Result<> DpdkPort::configure(const rte_eth_dev_info& info) {
  rte_eth_conf conf{};
  const std::uint64_t checksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
  facts_.checksums_checked = (info.rx_offload_capa & checksums) == checksums;
  conf.rxmode.offloads = info.rx_offload_capa & checksums;
  if (frame_bytes() > options_.buffer_bytes) {
    conf.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
  }
  // Software devices name a frame size that they do not mean; set_mtu() asks for the rest.
  const std::uint32_t frame_mtu =
      info.max_rx_pktlen > kFrameOverhead ? info.max_rx_pktlen - kFrameOverhead : options_.mtu;
  conf.rxmode.mtu = std::min({options_.mtu, std::uint32_t{info.max_mtu}, frame_mtu});
  if (options_.queues > 1 && info.flow_type_rss_offloads != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf =
        (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
  }
  facts_.spreads = options_.queues == 1 || info.flow_type_rss_offloads != 0 || kernel_spreads();
  facts_.can_transmit = info.max_tx_queues >= options_.queues;
  const auto receive_queues = static_cast<std::uint16_t>(options_.queues);
  const int result = rte_eth_dev_configure(
      id_, receive_queues, facts_.can_transmit ? receive_queues : std::uint16_t{0}, &conf);
  if (result != 0) return failed(result, "configure");
  return {};
}

Result<> DpdkPort::set_up_queues(const rte_eth_dev_info& info) {
  auto receive_descriptors = static_cast<std::uint16_t>(options_.receive_descriptors);
  auto transmit_descriptors = static_cast<std::uint16_t>(options_.transmit_descriptors);
  int result = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive_descriptors, &transmit_descriptors);
  if (result != 0) return failed(result, "adjust descriptors");
  const int socket = rte_eth_dev_socket_id(id_);
  const auto queues = static_cast<std::uint16_t>(options_.queues);
  for (std::uint16_t q = 0; q < queues; ++q) {
    rte_mempool* pool = rte_pktmbuf_pool_create(
        // Not by the port's name: DPDK allows a pool 25 characters.
        fmt::format("rx{}.{}", id_, q).c_str(), options_.buffers, kMempoolCache, 0,
        static_cast<std::uint16_t>(options_.buffer_bytes + RTE_PKTMBUF_HEADROOM), socket);
    if (pool == nullptr) {
      return fail(Errc::kNoSpace,
                  fmt::format("port {}: no memory for {} packet buffers of {} bytes: {}; raise "
                              "dpdk.memory or lower the port's buffers",
                              options_.name, options_.buffers, options_.buffer_bytes,
                              rte_strerror(rte_errno)));
    }
    pools_.push_back(pool);
    rte_eth_rxconf receive = info.default_rxconf;
    receive.rx_drop_en = 1;  // a shard that is behind holds up none of the others
    result = rte_eth_rx_queue_setup(id_, q, receive_descriptors, static_cast<unsigned>(socket),
                                    &receive, pool);
    if (result != 0) return failed(result, fmt::format("set up receive queue {}", q));
    if (facts_.can_transmit) {
      rte_eth_txconf transmit = info.default_txconf;
      result = rte_eth_tx_queue_setup(id_, q, transmit_descriptors, static_cast<unsigned>(socket),
                                      &transmit);
      if (result != 0) return failed(result, fmt::format("set up transmit queue {}", q));
    }
    queues_.emplace_back(id_, q, pool, facts_.can_transmit);
  }
  return {};
}

Result<> DpdkPort::set_mtu() {
  std::uint16_t mtu = 0;
  rte_eth_dev_get_mtu(id_, &mtu);
  if (mtu != options_.mtu) {
    const int result = rte_eth_dev_set_mtu(id_, static_cast<std::uint16_t>(options_.mtu));
    if (result != 0 && result != -ENOTSUP && result != -EINVAL) {
      return failed(result, fmt::format("set mtu {}", options_.mtu));
    }
    rte_eth_dev_get_mtu(id_, &mtu);
    // A device that cannot be asked is a software one: it takes what comes, whatever it reports.
    facts_.mtu_refused = result == -EINVAL && mtu < options_.mtu;
  }
  facts_.mtu = mtu;
  return {};
}

Result<> DpdkPort::start() {
  rte_eth_dev_info info{};
  int result = rte_eth_dev_info_get(id_, &info);
  if (result != 0) return failed(result, "ask the device what it can do");
  facts_.driver = info.driver_name;
  facts_.numa_node = rte_eth_dev_socket_id(id_);
  if (auto ok = check_limits(info); !ok) return ok;
  if (auto ok = configure(info); !ok) return ok;
  if (auto ok = set_mtu(); !ok) return ok;
  if (auto ok = set_up_queues(info); !ok) return ok;
  facts_.drops_hidden = !kernel_drops_.find_sockets(options_.device, info.if_index);
  result = rte_eth_dev_start(id_);
  if (result != 0) return failed(result, "start");
  started_ = true;
  if (options_.promiscuous) {
    result = rte_eth_promiscuous_enable(id_);
    if (result != 0 && result != -ENOTSUP) return failed(result, "set promiscuous");
  }
  if (options_.all_multicast) {
    result = rte_eth_allmulticast_enable(id_);
    // One that cannot take groups alone may take everything.
    if (result == -ENOTSUP) result = rte_eth_promiscuous_enable(id_);
    if (result != 0 && result != -ENOTSUP) return failed(result, "set allmulticast");
    facts_.multicast_refused = result != 0;
  }
  rte_ether_addr address{};
  result = rte_eth_macaddr_get(id_, &address);
  if (result != 0) return failed(result, "read the Ethernet address");
  std::memcpy(facts_.ethernet_address.data(), address.addr_bytes, facts_.ethernet_address.size());
  return {};
}

DeviceGauges DpdkPort::device_gauges() {
  rte_eth_stats stats{};
  DeviceGauges gauges;
  if (rte_eth_stats_get(id_, &stats) == 0) {
    gauges = {stats.ipackets, stats.ibytes, stats.imissed, stats.ierrors, stats.rx_nombuf, 0};
  }
  gauges.missed += kernel_drops_.total();
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(id_, &link) == 0) {
    const bool up = interface_link_.up().value_or(link.link_status == RTE_ETH_LINK_UP);
    gauges.link_up = up ? 1 : 0;
  }
  return gauges;
}

void DpdkPort::stop() {
  if (!started_) return;
  started_ = false;
  kernel_drops_.forget_sockets();
  rte_eth_dev_stop(id_);
  rte_eth_dev_close(id_);
  queues_.clear();
  for (rte_mempool* pool : pools_) rte_mempool_free(pool);
  pools_.clear();
}

}  // namespace

Result<std::unique_ptr<Port>> start_dpdk_port(const PortOptions& options) {
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(device_name(options.device).c_str(), &id) != 0) {
    return fail(
        Errc::kNotFound,
        fmt::format("port {}: DPDK has no device {}; is it bound to vfio-pci, or its virtual "
                    "device string right?",
                    options.name, device_name(options.device)));
  }
  auto port = std::make_unique<DpdkPort>(options, id);
  if (auto ok = port->start(); !ok) return std::unexpected(std::move(ok.error()));
  return port;
}

}  // namespace penstock

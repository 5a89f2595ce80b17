// Sends the templates from one queue, at a rate or flat out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/port/port.h"
#include "perf/blast/packet_template.h"

struct rte_mempool;

namespace penstock::blast {

struct Sent {
  std::uint64_t messages = 0;
  std::uint64_t message_bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t packet_bytes = 0;
  std::uint64_t refused = 0;  // times that the queue was full and a packet had to wait
  double seconds = 0;
  bool stuck = false;  // given up: the receiver took nothing for seconds

  void add(const PacketTemplate& made);
};

// One thread. Packets are made once for each buffer and only stamped again when the device has let
// go of them, so that the generator costs little more than the device's own copy.
class Generator {
 public:
  // `rest`: the last packet, where the count is no multiple of the messages of a packet. The error
  // says what memory was not to be had.
  [[nodiscard]] static Result<std::unique_ptr<Generator>> make(
      const Options& options, std::vector<PacketTemplate> templates,
      std::optional<PacketTemplate> rest, PortQueue& queue);
  // The port is closed: a device may hold packets until then.
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Runs until the count or the time is reached or `stop` turns true.
  Sent run(const volatile bool& stop);

 private:
  struct Buffer {
    rte_mbuf* packet;
    const PacketTemplate* made;
  };
  Generator(const Options& options, std::vector<PacketTemplate> templates,
            std::optional<PacketTemplate> rest, PortQueue& queue)
      : options_(options),
        templates_(std::move(templates)),
        rest_(std::move(rest)),
        queue_(queue) {}
  [[nodiscard]] bool fill_pool();
  void add_buffer(const PacketTemplate& made);
  rte_mbuf* stamped(Buffer& buffer);
  std::uint32_t next_burst(std::span<rte_mbuf*> burst, std::uint64_t budget);
  void send_rest(const volatile bool& stop);
  void send_all(std::span<rte_mbuf*> burst, const PacketTemplate& made, const volatile bool& stop);
  void tell_progress(std::uint64_t now);
  [[nodiscard]] std::uint64_t budget(std::uint64_t now) const;

  const Options& options_;
  std::vector<PacketTemplate> templates_;
  std::optional<PacketTemplate> rest_;
  PortQueue& queue_;
  rte_mempool* pool_ = nullptr;
  std::vector<Buffer> buffers_;
  std::size_t next_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t start_ = 0;     // TSC
  std::uint64_t moved_at_ = 0;  // TSC: the device took a packet
  std::uint64_t told_at_ = 0;
  std::uint64_t told_messages_ = 0;
  Sent sent_;
};

}  // namespace penstock::blast

// What a producer is told by its application, under names that users of librdkafka know.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/client/session_options.h"
#include "dataplane/client/udp_address.h"

namespace penstock::client {

struct ProducerConfig {
  std::vector<Endpoint> endpoints;                          // bootstrap.servers
  std::string client_id = "producer";                       // client.id
  std::int64_t linger_ns = 5 * kNanosPerMilli;              // linger.ms
  std::size_t frame_bytes_max = pdp::kFrameBytesMax;        // batch.size
  std::uint32_t messages_per_frame_max = 512;               // batch.num.messages
  std::size_t queue_messages_max = 100'000;                 // queue.buffering.max.messages
  std::size_t queue_bytes_max = 64 * kMiB;                  // queue.buffering.max.kbytes
  std::int64_t message_timeout_ns = 300 * kNanosPerSecond;  // message.timeout.ms
  pdp::Level level = pdp::Level::kDurable;                  // acks
  std::string session_name;                                 // session.name; empty: a random one
  std::size_t sockets = 0;              // session.sockets; 0: one for each shard of the node
  std::size_t open_subjects = 16;       // session.open.subjects
  std::string key_name;                 // key.name
  std::string key_file;                 // key.file
  int send_buffer_bytes = 4 << 20U;     // socket.send.buffer.bytes
  int receive_buffer_bytes = 4 << 20U;  // socket.receive.buffer.bytes

  // No setting. A message that fails before it has a sequence gives up all that are produced behind
  // it, so that none of these takes its sequence.
  bool keeps_places = false;

  // Sets what goes by that name. The error names the value that was wrong and what would be right,
  // and for an unknown name the nearest that there is.
  [[nodiscard]] Result<> set(std::string_view name, std::string_view value);
  // Whether the settings go together.
  [[nodiscard]] Result<> check() const;
};

// All names, in the order of the document.
[[nodiscard]] std::vector<std::string_view> producer_setting_names();

}  // namespace penstock::client

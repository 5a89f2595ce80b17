// A builder with its blocks and messages to put into them, as every benchmark of blocks needs it.
#pragma once

#include <array>

#include "base/check.h"
#include "perf/micro/counted.h"
#include "storage/log/block_builder.h"
#include "storage/volume/volume_device.h"

namespace penstock::micro {

inline constexpr std::uint32_t kBlockBytes = 256 * kKiB;
inline constexpr std::size_t kBlocks = 32;
inline constexpr std::size_t kSourceBytes = 8 * kMiB;

// Messages of one size from memory that is larger than the nearest caches.
class Source {
 public:
  explicit Source(std::size_t size) : bytes_(kSourceBytes, std::byte{'x'}), size_(size) {}
  [[nodiscard]] std::span<const std::byte> next() {
    if (at_ + size_ > bytes_.size()) at_ = 0;
    at_ += size_;
    return std::span(bytes_).subspan(at_ - size_, size_);
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// Fills one block after the other, and gives each back.
class Blocks {
 public:
  Blocks() {
    for (const std::string_view name : {"all", "syslog"}) {
      const std::array streams{stream_id(name)};
      CHECK(captures_.add_set(streams).has_value());
    }
  }

  // A block full of messages. `sets`: how many capture sets take turns, each turn a new run.
  [[nodiscard]] Block* fill(Source& source, std::uint32_t sets = 1) {
    builder_.start(pool_.take());
    MessageView message;
    message.subject = "syslog.local0.info.host1.blast";
    message.received = UnixNanos(1);
    message.payload = source.next();
    std::uint32_t turn = 0;
    while (builder_.append(CaptureSetId(turn % sets), 0, message)) {
      message.payload = source.next();
      ++turn;
    }
    return builder_.finish();
  }
  // A block full of runs, each of `messages` messages that are laid out already.
  [[nodiscard]] Block* fill_runs(Source& source, std::uint32_t messages) {
    builder_.start(pool_.take());
    ProducerRun run{.producer = producer_, .message_count = messages, .received = UnixNanos(1)};
    run.payload_bytes = 0;
    do {
      run.sequence = producers_.at(producer_).next;
      run.messages = source.next();
    } while (builder_.append_run(CaptureSetId(0), 0, run));
    return builder_.finish();
  }
  void give_back(Block* block) { pool_.give_back(block); }

 private:
  PageBuffer memory_ = allocate_pages(kBlocks * kBlockBytes);
  BlockPool pool_{std::span(memory_.get(), kBlocks* kBlockBytes), kBlockBytes};
  CaptureTable captures_;
  ProducerTable producers_{1};
  ProducerIndex producer_ = producers_.add(SessionNumber(1), 0).value();
  BlockBuilder builder_{captures_, producers_, false};  // its blocks stay where they are
};

}  // namespace penstock::micro

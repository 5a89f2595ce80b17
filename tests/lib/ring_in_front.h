// A ring that hands everything on to another one: the ground of those that hold back, refuse or
// falsify something.
#pragma once

#include <memory>

#include "storage/ring/io_ring.h"

namespace penstock {

class RingInFront : public IoRing {
 public:
  explicit RingInFront(std::unique_ptr<IoRing> ring) : ring_(std::move(ring)) {}
  Result<> register_memory(std::span<std::byte> memory) override {
    return ring_->register_memory(memory);
  }
  Result<unsigned> attach(int fd) override { return ring_->attach(fd); }
  void detach(unsigned index) override { ring_->detach(index); }
  bool queue_write(std::uint64_t token, IoFile file, std::uint64_t offset,
                   std::span<const std::byte> bytes, bool durable) override {
    return ring_->queue_write(token, file, offset, bytes, durable);
  }
  bool queue_flush(std::uint64_t token, IoFile file) override {
    return ring_->queue_flush(token, file);
  }
  void submit() override { ring_->submit(); }
  std::size_t reap(std::span<IoCompletion> completions) override {
    return ring_->reap(completions);
  }
  unsigned in_flight() const override { return ring_->in_flight(); }

 private:
  std::unique_ptr<IoRing> ring_;
};

}  // namespace penstock

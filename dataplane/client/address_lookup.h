// The addresses of an endpoint, looked up beside the thread that wants them: a name server that
// does not answer keeps nobody waiting.
#pragma once

#include <memory>
#include <optional>

#include "dataplane/client/udp_address.h"

namespace penstock::client {

// Of the process, at a time; then a lookup fails at once.
inline constexpr unsigned kLookupThreadsMax = 64;

// One thread. What is under way when it is destroyed ends by itself, and is waited for by nobody.
class AddressLookup {
 public:
  using Resolve = Result<std::vector<UdpAddress>> (*)(const Endpoint&);
  explicit AddressLookup(Resolve resolve = &client::resolve) : resolve_(resolve) {}

  // Begins another one. Of a host that is an address the result is there at once. What is under way
  // for the same endpoint goes on, for another one it is forgotten.
  void start(const Endpoint& endpoint);
  // The result, once; nothing while it is under way.
  [[nodiscard]] std::optional<Result<std::vector<UdpAddress>>> take();
  // Readable when a result is there, for poll(2); -1: nothing is under way.
  [[nodiscard]] int descriptor() const;

 private:
  struct Shared;  // with the thread that looks
  static void* look(void* job);

  Resolve resolve_;
  std::shared_ptr<Shared> under_way_;
  std::optional<Result<std::vector<UdpAddress>>> known_;
};

}  // namespace penstock::client

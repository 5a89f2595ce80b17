// For what another thread or the kernel does: looked at again and again, for a limited time.
#pragma once

#include <chrono>
#include <thread>

namespace penstock::test {

// Whether it came to be.
template <class Done>
[[nodiscard]] bool wait_until(Done done,
                              std::chrono::milliseconds limit = std::chrono::seconds(5)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace penstock::test

#include "dataplane/client/address_lookup.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

namespace penstock::client {
namespace {

std::atomic<unsigned> threads{0};

bool enter() {
  if (threads.fetch_add(1, std::memory_order_relaxed) < kLookupThreadsMax) return true;
  threads.fetch_sub(1, std::memory_order_relaxed);
  return false;
}
void leave() { threads.fetch_sub(1, std::memory_order_relaxed); }

}  // namespace

struct AddressLookup::Shared {
  Shared(const Endpoint& endpoint_of, Resolve resolve_by)
      : endpoint(endpoint_of),
        resolve(resolve_by),
        descriptor(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Shared() {
    if (descriptor >= 0) close(descriptor);
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  const Endpoint endpoint;
  const Resolve resolve;
  const int descriptor;
  std::mutex mutex;
  std::optional<Result<std::vector<UdpAddress>>> found;
};

void* AddressLookup::look(void* job) {
  {
    const std::unique_ptr<std::shared_ptr<Shared>> held(static_cast<std::shared_ptr<Shared>*>(job));
    Shared& shared = **held;
    auto found = shared.resolve(shared.endpoint);
    const std::scoped_lock lock(shared.mutex);
    shared.found = std::move(found);
    const std::uint64_t one = 1;
    // A new counter takes it.
    static_cast<void>(!write(shared.descriptor, &one, sizeof one));
  }
  leave();
  return nullptr;
}

void AddressLookup::start(const Endpoint& endpoint) {
  known_.reset();
  if (auto addresses = numeric_addresses(endpoint)) {
    under_way_.reset();
    known_ = std::move(*addresses);
    return;
  }
  if (under_way_ != nullptr && under_way_->endpoint == endpoint) return;
  under_way_ = std::make_shared<Shared>(endpoint, resolve_);
  const auto failed = [&](int error, const char* what) {
    under_way_.reset();
    known_ = fail_errno(error, "endpoint " + to_string(endpoint) + ": " + what);
  };
  if (under_way_->descriptor < 0) return failed(errno, "eventfd");
  if (!enter()) return failed(EAGAIN, "too many lookups");
  // The thread's from here on.
  auto* const job = std::make_unique<std::shared_ptr<Shared>>(under_way_).release();
  pthread_t thread{};
  if (const int error = pthread_create(&thread, nullptr, &look, job); error != 0) {
    const std::unique_ptr<std::shared_ptr<Shared>> unused(job);
    leave();
    return failed(error, "a thread to look it up");
  }
  pthread_detach(thread);
}

std::optional<Result<std::vector<UdpAddress>>> AddressLookup::take() {
  if (under_way_ != nullptr) {
    const std::shared_ptr<Shared> shared = under_way_;
    const std::scoped_lock lock(shared->mutex);
    if (!shared->found) return std::nullopt;
    known_ = std::move(shared->found);
    under_way_.reset();
  }
  return std::exchange(known_, std::nullopt);
}

int AddressLookup::descriptor() const {
  return under_way_ == nullptr ? -1 : under_way_->descriptor;
}

}  // namespace penstock::client

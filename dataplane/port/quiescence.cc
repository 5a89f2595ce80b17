#include "dataplane/port/quiescence.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include <rte_interrupts.h>
#include <rte_rcu_qsbr.h>

#include "base/check.h"

namespace penstock {
namespace {

rte_rcu_qsbr* pollers() {
  // rte_rcu_qsbr ends in arrays whose size depends on the number of threads: it says how much it
  // takes.
  alignas(64) static std::array<std::byte, 16 * 1024> memory;
  static rte_rcu_qsbr* const rcu = [] {
    CHECK_LE(rte_rcu_qsbr_get_memsize(kPollersMax), memory.size());
    auto* made = reinterpret_cast<rte_rcu_qsbr*>(memory.data());
    CHECK_EQ(rte_rcu_qsbr_init(made, kPollersMax), 0);
    return made;
  }();
  return rcu;
}

}  // namespace

void enter_polling(unsigned poller) {
  CHECK_LT(poller, kPollersMax);
  CHECK_EQ(rte_rcu_qsbr_thread_register(pollers(), poller), 0);
  rte_rcu_qsbr_thread_online(pollers(), poller);
}

void leave_polling(unsigned poller) {
  rte_rcu_qsbr_thread_offline(pollers(), poller);
  CHECK_EQ(rte_rcu_qsbr_thread_unregister(pollers(), poller), 0);
}

void report_quiescent(unsigned poller) { rte_rcu_qsbr_quiescent(pollers(), poller); }

}  // namespace penstock

// Stands in front of libc's for the whole process, the drivers' libraries included.
extern "C" int munmap(void* address, std::size_t bytes) noexcept {
  if (rte_thread_is_intr() != 0) {
    rte_rcu_qsbr_synchronize(penstock::pollers(), RTE_QSBR_THRID_INVALID);
  }
  return static_cast<int>(syscall(SYS_munmap, address, bytes));
}

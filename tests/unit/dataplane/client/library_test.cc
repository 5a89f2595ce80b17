// The library as its users see it: penstock.h and penstock.hpp.
#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>

#include <thread>

#include <gtest/gtest.h>

#include "dataplane/client/penstock.hpp"
#include "tests/lib/sanitized.h"
#include "tests/unit/dataplane/client/udp_node.h"

namespace penstock::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::UdpNode;

// Nobody answers there.
constexpr const char* kNobody = "127.0.0.1:1";

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

// ---- penstock.hpp --------------------------------------------------------------------------

TEST(CppLibraryTest, AnAssignedProducerEndsWithItsOwnCallback) {
  Conf conf;
  conf.set("bootstrap.servers", kNobody);
  int first = 0;
  int second = 0;
  auto token = std::make_shared<int>();
  const std::weak_ptr<int> callback_is_there = token;
  penstock::Producer producer(conf, [&, token](const penstock_report_t&) {
    EXPECT_FALSE(callback_is_there.expired());
    ++first;
  });
  token.reset();
  ASSERT_EQ(producer.produce("t.a", "one"), PENSTOCK_OK);
  producer = penstock::Producer(conf, [&second](const penstock_report_t&) { ++second; });
  EXPECT_EQ(first, 1);
  ASSERT_EQ(producer.produce("t.a", "two"), PENSTOCK_OK);
  producer.close(milliseconds(0));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
}

TEST(CppLibraryTest, AProducerWithoutACallbackHasNotThatOfAnotherOne) {
  Conf conf;
  conf.set("bootstrap.servers", kNobody);
  int reported = 0;
  {
    const penstock::Producer producer(conf, [&reported](const penstock_report_t&) { ++reported; });
  }
  penstock::Producer silent(conf);
  ASSERT_EQ(silent.produce("t.a", "one"), PENSTOCK_OK);
  silent.close(milliseconds(0));
  EXPECT_EQ(reported, 0);
}

TEST(CppLibraryTest, OneThreadProducesMoreThanTheQueueHolds) {
  UdpNode node;
  Conf conf;
  conf.set("bootstrap.servers", node.endpoint()).set("queue.buffering.max.messages", "10");
  int durable = 0;
  penstock::Producer producer(conf, [&durable](const penstock_report_t& report) {
    durable += report.err == PENSTOCK_OK ? 1 : 0;
  });
  for (int i = 0; i < 200; ++i) ASSERT_EQ(producer.produce("t.a", "x"), PENSTOCK_OK);
  EXPECT_EQ(producer.flush(seconds(20)), PENSTOCK_OK);
  EXPECT_EQ(durable, 200);
}

// ---- penstock.h ----------------------------------------------------------------------------

class CLibraryTest : public testing::Test {
 protected:
  CLibraryTest() : conf_(penstock_conf_new(), penstock_conf_destroy) {
    EXPECT_EQ(set("bootstrap.servers", kNobody), PENSTOCK_OK) << why_;
  }
  penstock_err_t set(const char* name, const char* value) {
    return penstock_conf_set(conf_.get(), name, value, why_, sizeof why_);
  }
  penstock_producer_t* start() { return penstock_producer_new(conf_.get(), why_, sizeof why_); }

  char why_[256] = "";
  std::unique_ptr<penstock_conf_t, void (*)(penstock_conf_t*)> conf_;
};

TEST_F(CLibraryTest, NothingIsToldAsInvalidEverywhere) {
  EXPECT_EQ(penstock_conf_set(nullptr, "acks", "none", why_, sizeof why_), PENSTOCK_ERR_INVALID);
  EXPECT_STRNE(why_, "");
  why_[0] = '\0';
  EXPECT_EQ(set("acks", nullptr), PENSTOCK_ERR_INVALID);
  EXPECT_STRNE(why_, "");
  why_[0] = '\0';
  EXPECT_EQ(penstock_producer_new(nullptr, why_, sizeof why_), nullptr);
  EXPECT_STRNE(why_, "");
  EXPECT_EQ(penstock_producer_new(nullptr, nullptr, 0), nullptr);
  penstock_conf_set_report_cb(nullptr, nullptr, nullptr);
  penstock_conf_destroy(nullptr);
  penstock_producer_destroy(nullptr);
  penstock_purge(nullptr, 1);
  EXPECT_EQ(penstock_poll(nullptr, 0), 0);
  EXPECT_EQ(penstock_flush(nullptr, 0), PENSTOCK_ERR_INVALID);
  EXPECT_EQ(penstock_close(nullptr, 0), PENSTOCK_ERR_INVALID);
  EXPECT_EQ(penstock_outq_len(nullptr), 0U);
}

TEST_F(CLibraryTest, AMessageThatLacksWhatItCountsIsInvalid) {
  penstock_producer_t* producer = start();
  ASSERT_NE(producer, nullptr) << why_;
  const penstock_message_t good{.size = sizeof good, .subject = "t.a"};
  penstock_message_t message = good;
  message.header_count = 1;
  EXPECT_EQ(penstock_produce(producer, &message, 0), PENSTOCK_ERR_INVALID);
  const penstock_header_t nameless{.name = nullptr, .value = "v", .value_bytes = 1};
  message.headers = &nameless;
  EXPECT_EQ(penstock_produce(producer, &message, 0), PENSTOCK_ERR_INVALID);
  const penstock_header_t empty{.name = "n", .value = nullptr, .value_bytes = 1};
  message.headers = &empty;
  EXPECT_EQ(penstock_produce(producer, &message, 0), PENSTOCK_ERR_INVALID);
  message = good;
  message.payload_bytes = 1;
  EXPECT_EQ(penstock_produce(producer, &message, 0), PENSTOCK_ERR_INVALID);
  message = good;
  message.key_bytes = 1;
  EXPECT_EQ(penstock_produce(producer, &message, 0), PENSTOCK_ERR_INVALID);
  EXPECT_EQ(penstock_produce(producer, &good, 0), PENSTOCK_OK);
  EXPECT_EQ(penstock_outq_len(producer), 1U);
  penstock_producer_destroy(producer);
}

TEST_F(CLibraryTest, AThreadThatTheSystemDeniesIsTold) {
  pthread_attr_t before;
  pthread_attr_t huge;
  ASSERT_EQ(pthread_getattr_default_np(&before), 0);
  ASSERT_EQ(pthread_attr_init(&huge), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&huge, std::size_t{1} << 50U), 0);
  if (pthread_setattr_default_np(&huge) != 0) GTEST_SKIP() << "no such stack can be asked for";
  const std::size_t descriptors = open_descriptors();
  penstock_producer_t* producer = start();
  ASSERT_EQ(pthread_setattr_default_np(&before), 0);
  EXPECT_EQ(producer, nullptr);
  EXPECT_STRNE(why_, "");
  EXPECT_EQ(open_descriptors(), descriptors);
  penstock_producer_destroy(producer);
}

// In a process of its own, which is not allowed the memory.
TEST_F(CLibraryTest, MemoryThatTheSystemDeniesIsTold) {
  if (penstock::test::kSanitized) GTEST_SKIP() << "the sanitizers end the process instead";
  ASSERT_EQ(set("queue.buffering.max.kbytes", "4194304"), PENSTOCK_OK) << why_;
  const auto try_it = [this] {
    const std::size_t descriptors = open_descriptors();
    const rlimit limit{.rlim_cur = std::size_t{4} << 30U, .rlim_max = std::size_t{4} << 30U};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return 1;
    if (start() != nullptr) return 2;
    if (why_[0] == '\0') return 3;
    return open_descriptors() == descriptors ? 0 : 4;
  };
  EXPECT_EXIT(_exit(try_it()), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace penstock::client

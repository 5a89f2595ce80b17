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

TEST(CppLibraryTest, ABatchLargerThanTheQueueIsTakenByOneThread) {
  UdpNode node;
  Conf conf;
  conf.set("bootstrap.servers", node.endpoint()).set("queue.buffering.max.messages", "10");
  std::vector<std::size_t> durable;
  penstock::Producer producer(conf, [&durable](const penstock_report_t& report) {
    if (report.err == PENSTOCK_OK) durable.push_back(std::bit_cast<std::size_t>(report.opaque));
  });
  std::vector<penstock_batch_message_t> batch;
  for (std::size_t i = 0; i < 200; ++i) {
    batch.push_back(batch_message("x", {}, std::bit_cast<void*>(i)));
  }
  EXPECT_EQ(producer.produce_batch("t.a", batch), 200U);
  EXPECT_EQ(producer.flush(seconds(20)), PENSTOCK_OK);
  std::ranges::sort(durable);
  ASSERT_EQ(durable.size(), 200U);
  for (std::size_t i = 0; i < 200; ++i) EXPECT_EQ(durable[i], i);
  node.stop();
  EXPECT_EQ(node.stored(), 200U);
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

TEST_F(CLibraryTest, ABatchTellsOfEachMessageAndOneThatIsWrongHoldsNoneUp) {
  penstock_producer_t* producer = start();
  ASSERT_NE(producer, nullptr) << why_;
  const std::string large(20'000, 'x');
  std::vector<penstock_batch_message_t> batch(150, batch_message("good"));
  const std::array<std::pair<std::size_t, penstock_err_t>, 4> wrong = {
      {{0, PENSTOCK_ERR_INVALID},
       {1, PENSTOCK_ERR_BAD_FIELD},
       {70, PENSTOCK_ERR_TOO_LARGE},
       {149, PENSTOCK_ERR_INVALID}}
  };
  const std::string long_key(70'000, 'k');
  batch[0].payload = nullptr;
  batch[1] = batch_message("good", long_key);
  batch[70] = batch_message(large);
  batch[149].size -= 1;
  EXPECT_EQ(penstock_produce_batch(producer, "t.a", batch.data(), batch.size(), 0), 146U);
  std::vector<penstock_err_t> expected(150, PENSTOCK_OK);
  for (const auto& [place, err] : wrong) expected[place] = err;
  for (std::size_t i = 0; i < batch.size(); ++i) EXPECT_EQ(batch[i].err, expected[i]) << i;
  EXPECT_EQ(penstock_outq_len(producer), 146U);
  penstock_producer_destroy(producer);
}

TEST_F(CLibraryTest, TheFirstOfABatchThatFindsNoRoomAndAllBehindItAreTold) {
  ASSERT_EQ(set("queue.buffering.max.messages", "70"), PENSTOCK_OK) << why_;
  penstock_producer_t* producer = start();
  ASSERT_NE(producer, nullptr) << why_;
  std::vector<penstock_batch_message_t> batch(200, batch_message("x"));
  EXPECT_EQ(penstock_produce_batch(producer, "t.a", batch.data(), batch.size(), 0), 70U);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    EXPECT_EQ(batch[i].err, i < 70 ? PENSTOCK_OK : PENSTOCK_ERR_QUEUE_FULL) << i;
  }
  penstock_close(producer, 0);
  EXPECT_EQ(penstock_produce_batch(producer, "t.a", batch.data(), batch.size(), PENSTOCK_F_BLOCK),
            0U);
  for (const auto& message : batch) EXPECT_EQ(message.err, PENSTOCK_ERR_CLOSED);
  penstock_producer_destroy(producer);
}

TEST_F(CLibraryTest, ABatchWithoutAProducerASubjectOrMessagesIsInvalid) {
  penstock_batch_message_t message = batch_message("x");
  EXPECT_EQ(penstock_produce_batch(nullptr, "t.a", &message, 1, 0), 0U);
  EXPECT_EQ(message.err, PENSTOCK_ERR_INVALID);
  penstock_producer_t* producer = start();
  ASSERT_NE(producer, nullptr) << why_;
  message.err = PENSTOCK_OK;
  EXPECT_EQ(penstock_produce_batch(producer, nullptr, &message, 1, 0), 0U);
  EXPECT_EQ(message.err, PENSTOCK_ERR_INVALID);
  EXPECT_EQ(penstock_produce_batch(producer, "t..a", &message, 1, 0), 0U);
  EXPECT_EQ(message.err, PENSTOCK_ERR_BAD_SUBJECT);
  EXPECT_EQ(penstock_produce_batch(producer, "t.a", nullptr, 1, 0), 0U);
  EXPECT_EQ(penstock_produce_batch(producer, "t.a", &message, 0, 0), 0U);
  penstock_producer_destroy(producer);
}

TEST_F(CLibraryTest, ABatchOfALaterVersionOfTheStructureIsTaken) {
  struct Later {
    penstock_batch_message_t known;
    std::uint64_t unknown;
  };
  std::array<Later, 3> batch{};
  for (Later& later : batch) {
    later.known = batch_message("x");
    later.known.size = sizeof later;
    later.known.err = PENSTOCK_ERR_CLOSED;
    later.unknown = 42;
  }
  penstock_producer_t* producer = start();
  ASSERT_NE(producer, nullptr) << why_;
  EXPECT_EQ(penstock_produce_batch(producer, "t.a", &batch[0].known, batch.size(), 0), 3U);
  for (const Later& later : batch) {
    EXPECT_EQ(later.known.err, PENSTOCK_OK);
    EXPECT_EQ(later.unknown, 42U);
  }
  penstock_producer_destroy(producer);
}

// A message waits for room, its callback produces one, and both have headers.
struct Echo {
  static void report(const penstock_report_t* report, void* opaque) {
    auto& echo = *static_cast<Echo*>(opaque);
    if (report->opaque == nullptr || echo.echoes == 1000) return;
    const std::string value(300, 'e');
    const penstock_header_t header{.name = "echo", .value = value.data(), .value_bytes = 300};
    const penstock_message_t message{
        .size = sizeof message, .subject = "t.echo", .headers = &header, .header_count = 1};
    if (penstock_produce(echo.producer, &message, 0) == PENSTOCK_OK) ++echo.echoes;
  }
  penstock_producer_t* producer = nullptr;
  std::size_t echoes = 0;
};

TEST_F(CLibraryTest, ACallbackThatProducesLeavesTheHeadersOfOneThatWaitsAlone) {
  UdpNode node;
  ASSERT_EQ(set("bootstrap.servers", node.endpoint().c_str()), PENSTOCK_OK) << why_;
  ASSERT_EQ(set("queue.buffering.max.messages", "8"), PENSTOCK_OK) << why_;
  ASSERT_EQ(set("linger.ms", "0"), PENSTOCK_OK) << why_;
  Echo echo;
  penstock_conf_set_report_cb(conf_.get(), Echo::report, &echo);
  echo.producer = start();
  ASSERT_NE(echo.producer, nullptr) << why_;
  const penstock_header_t header{.name = "name", .value = "mine", .value_bytes = 4};
  penstock_message_t message{.size = sizeof message,
                             .subject = "t.mine",
                             .headers = &header,
                             .header_count = 1,
                             .opaque = &echo};
  penstock_batch_message_t in_batch = batch_message({}, {}, &echo);
  in_batch.headers = &header;
  in_batch.header_count = 1;
  for (int i = 0; i < 200; ++i) {
    std::array<penstock_batch_message_t, 4> batch{};
    batch.fill(in_batch);
    ASSERT_EQ(penstock_produce(echo.producer, &message, PENSTOCK_F_BLOCK), PENSTOCK_OK);
    ASSERT_EQ(penstock_produce_batch(echo.producer, "t.mine", batch.data(), batch.size(),
                                     PENSTOCK_F_BLOCK),
              4U);
  }
  EXPECT_EQ(penstock_close(echo.producer, 20'000), PENSTOCK_OK);
  EXPECT_GT(echo.echoes, 0U);
  penstock_producer_destroy(echo.producer);
  node.stop();
  std::size_t mine = 0;
  for (const auto& [number, session] : node.node().sessions) {
    for (const auto& stored : session.stored) {
      if (stored.subject != "t.mine") continue;
      ++mine;
      EXPECT_EQ(stored.headers, std::string("\x04\0name\x04\0\0\0mine", 14));
    }
  }
  EXPECT_EQ(mine, 1000U);
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

#include "dataplane/ledger/ledger_file.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "dataplane/ledger/file_lock.h"

namespace penstock {
namespace {

class LedgerFileTest : public testing::Test {
 protected:
  LedgerFileTest() : folder_(std::filesystem::temp_directory_path() / "penstock-ledger-XXXXXX") {
    std::string pattern = folder_.string();
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ / "ledger";
  }
  ~LedgerFileTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<LedgerFile> create() {
    auto file =
        LedgerFile::create(path_, "node",
                           {
                               {{AccountKind::kDevice, kNoShard, "lan0"}},
                               {{AccountKind::kPort, 0, "lan0"}, {AccountKind::kShard, 0, "0"}}
    },
                           {{"all", "errors"}, 8}, UnixNanos(7));
    EXPECT_TRUE(file.has_value()) << (file ? "" : file.error().what);
    return std::move(*file);
  }
  LedgerSnapshot snapshot() {
    auto reader = LedgerReader::open(path_);
    EXPECT_TRUE(reader.has_value()) << (reader ? "" : reader.error().what);
    auto taken = reader->snapshot();
    EXPECT_TRUE(taken.has_value()) << (taken ? "" : taken.error().what);
    return *taken;
  }

  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(LedgerFileTest, AReaderSeesWhatWasPublishedAndNothingElse) {
  auto file = create();
  auto& port = file->area(1).account<PortAccount>(0);
  port.received.add(3, 300);
  port[PacketFate::kDecoded].add(2, 200);
  EXPECT_EQ(snapshot().accounts[1].as<PortAccount>().received, (Tally{0, 0}));
  file->area(1).publish();
  port.received.add(1000);

  const LedgerSnapshot seen = snapshot();
  EXPECT_EQ(seen.node, "node");
  EXPECT_EQ(seen.started, UnixNanos(7));
  ASSERT_EQ(seen.accounts.size(), 5U);
  EXPECT_EQ(seen.accounts[1].kind, AccountKind::kPort);
  EXPECT_EQ(seen.accounts[1].name, "lan0");
  EXPECT_EQ(seen.accounts[1].as<PortAccount>().received, (Tally{3, 300}));
  EXPECT_EQ(seen.accounts[1].as<PortAccount>()[PacketFate::kDecoded], (Tally{2, 200}));
}

TEST_F(LedgerFileTest, EachStreamIsPublishedByItself) {
  auto file = create();
  StreamBooks& streams = file->streams(0);
  streams.at(0).offered.add(1, 10);
  streams.at(1).offered.add(2, 20);
  file->area(1).publish();
  streams.publish(1);
  const LedgerSnapshot seen = snapshot();
  EXPECT_EQ(seen.accounts[3].kind, AccountKind::kStream);
  EXPECT_EQ(seen.accounts[3].name, "all");
  EXPECT_EQ(seen.accounts[3].as<MessageAccount>().offered, Tally{});
  EXPECT_EQ(seen.accounts[4].shard, 0);
  EXPECT_EQ(seen.accounts[4].name, "errors");
  EXPECT_EQ(seen.accounts[4].as<MessageAccount>().offered, (Tally{2, 20}));
}

TEST_F(LedgerFileTest, EveryBookOfAStreamIsOfOneMoment) {
  auto file = create();
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    StreamBooks& streams = file->streams(0);
    while (!stop.load(std::memory_order_relaxed)) {
      streams.at(1).offered.add(2, 128);
      streams.at(1)[MessageFate::kStored].add(2, 128);
      streams.publish(1);
    }
  });
  auto reader = LedgerReader::open(path_);
  ASSERT_TRUE(reader.has_value());
  for (std::uint64_t last = 0; last < 20'000;) {
    const auto seen = reader->snapshot();
    if (!seen) continue;  // kBusy: the writer publishes without a pause here
    auto stream = seen->accounts[4].as<MessageAccount>();
    if (stream.offered != stream[MessageFate::kStored]) ADD_FAILURE() << stream.offered.count;
    last = stream.offered.count;
  }
  stop = true;
  writer.join();
}

TEST_F(LedgerFileTest, ABookIsReadAfterItsDaemonDied) {
  const pid_t child = fork();
  if (child == 0) {
    auto file = create();
    file->area(1).account<MessageAccount>(1).offered.add(5, 50);
    file->area(1).publish();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  const LedgerSnapshot seen = snapshot();
  EXPECT_FALSE(seen.alive);
  EXPECT_FALSE(seen.ended);
  EXPECT_EQ(seen.accounts[2].as<MessageAccount>().offered, (Tally{5, 50}));
}

TEST_F(LedgerFileTest, AnOrderlyEndIsTold) {
  auto file = create();
  EXPECT_TRUE(snapshot().alive);
  file->mark_ended();
  EXPECT_TRUE(snapshot().ended);
}

TEST_F(LedgerFileTest, ADaemonIsAliveWhileItHoldsItsLedgerWhateverItsProcessNumber) {
  create();  // and gone again; this process, whose number stands in the file, is there
  EXPECT_FALSE(snapshot().alive);
  auto file = create();
  EXPECT_TRUE(snapshot().alive);
}

TEST_F(LedgerFileTest, TheLedgerOfTheDaemonBeforeIsKept) {
  create()->area(1).publish();
  create();
  EXPECT_TRUE(std::filesystem::exists(path_ + ".previous"));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(LedgerFileTest, AReaderFindsAWholeLedgerWhileDaemonsComeAndGo) {
  create();
  std::atomic<bool> stop{false};
  std::thread daemons([&] {
    while (!stop.load(std::memory_order_relaxed)) create();
  });
  for (int i = 0; i < 2'000; ++i) {
    const auto reader = LedgerReader::open(path_);
    if (!reader || !reader->snapshot()) ADD_FAILURE() << (reader ? "" : reader.error().what);
  }
  stop = true;
  daemons.join();
}

TEST_F(LedgerFileTest, ADamagedOneIsCalledCorruptAndNothingWorse) {
  create();
  const auto bytes = std::filesystem::file_size(path_);
  const std::size_t head = sizeof(LedgerHeader) + 3 * sizeof(AccountEntry) + 64;
  std::uint64_t refused = 0;
  for (std::size_t at = 16; at < std::min<std::size_t>(head, bytes); at += 8) {
    create();
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.write("\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    file.close();
    const auto reader = LedgerReader::open(path_);
    if (!reader || !reader->snapshot()) ++refused;
  }
  EXPECT_GT(refused, 3U);
}

TEST_F(LedgerFileTest, ALockIsHeldByOneAndEndsWithItsHolder) {
  {
    const auto held = FileLock::take(path_);
    ASSERT_TRUE(held.has_value());
    const auto second = FileLock::take(path_);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Errc::kBusy);
  }
  EXPECT_TRUE(FileLock::take(path_).has_value());
}

TEST_F(LedgerFileTest, EverySnapshotBalancesWhileTheWriterRuns) {
  auto file = create();
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    auto& port = file->area(1).account<PortAccount>(0);
    while (!stop.load(std::memory_order_relaxed)) {
      port.received.add(2, 128);
      port[PacketFate::kDecoded].add(64);
      port[PacketFate::kNoDoor].add(64);
      file->area(1).publish();
    }
  });
  auto reader = LedgerReader::open(path_);
  ASSERT_TRUE(reader.has_value());
  std::uint64_t cases = 0;
  for (std::uint64_t last = 0; last < 20'000;) {
    const auto seen = reader->snapshot();
    if (!seen) continue;  // kBusy: the writer publishes without a pause here
    auto port = seen->accounts[1].as<PortAccount>();
    const Tally sum{port[PacketFate::kDecoded].count + port[PacketFate::kNoDoor].count,
                    port[PacketFate::kDecoded].bytes + port[PacketFate::kNoDoor].bytes};
    if (port.received != sum) ADD_FAILURE() << port.received.count << " vs " << sum.count;
    last = port.received.count;
    ++cases;
  }
  stop = true;
  writer.join();
  EXPECT_GT(cases, 0U);
}

TEST_F(LedgerFileTest, AFileThatIsNoLedgerIsRefused) {
  std::ofstream(path_) << std::string(100'000, 'x');
  const auto reader = LedgerReader::open(path_);
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().code, Errc::kCorrupt);
}

TEST(FatesTest, EveryFateHasAnOwnNameAndAHelpText) {
  std::set<std::string_view> names;
  for (const FateInfo& fate : kPacketFateInfo) {
    EXPECT_TRUE(names.insert(fate.name).second) << fate.name;
    EXPECT_FALSE(fate.help.empty());
  }
  names.clear();
  for (const FateInfo& fate : kMessageFateInfo) {
    EXPECT_TRUE(names.insert(fate.name).second) << fate.name;
    EXPECT_FALSE(fate.help.empty());
  }
}

}  // namespace
}  // namespace penstock

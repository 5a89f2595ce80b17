// What recovery makes of damage: nothing acknowledged is given away, whatever cannot be read.
#include "tests/unit/storage/recover/damage_fixture.h"

namespace penstock {
namespace {

// Slot 0 holds blocks that landed and were not durable when its writes failed: slot 1 has them
// again. Damage in front of them must not make data of them.
TEST_F(DamageTest, VoidBlocksBehindADamagedOneAreNoDataAndTheirCopiesAreKept) {
  forge_.begin(0);
  blocks(5);
  const ForgePlace good = forge_.place;
  const std::size_t fifth = forge_.last_offset;
  for (const char* text : {"landed, void", "landed too"}) {
    forge_.message(text);
    forge_.seal(good.sequence);
  }
  LogForge again(volume_, good, 2, "all", Offset(5));
  again.begin(1);
  again.block();
  again.block();
  slot(0)[fifth + 50] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptBlock});
  EXPECT_EQ(recovered.findings[0].offset, fifth);
  EXPECT_EQ(recovered.findings[0].bytes, forge_.last_offset - kPageBytes - fifth);
  EXPECT_TRUE(recovered.free_slots.empty());
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.segments.size(), 2U);
  EXPECT_EQ(log.start.next_sequence, BlockSequence(7));
  EXPECT_EQ(log.start.last_crc, again.place.crc);
  EXPECT_EQ(next_offset(log), 7U);
  ASSERT_TRUE(log.start.open.has_value());
  EXPECT_EQ(log.start.open->header.slot, 1U);
  EXPECT_EQ(log.start.open->index.blocks.size(), 2U);
}

TEST_F(DamageTest, PartitionsThatTheNewestSegmentDoesNotHoldGoOnThoughItsIndexIsDamaged) {
  closed(0, {"all", "rare"});
  closed(1);
  closed(2);
  forge_.begin(3);
  blocks(2);
  for (const std::uint32_t damaged : {2U, 1U}) {
    const auto footer = decode_segment_footer(slot(damaged).last(kPageBytes)).value();
    slot(damaged)[footer.index_position * kPageBytes + 5] ^= std::byte{1};
    const RecoveredVolume recovered = recover();
    EXPECT_EQ(kinds(recovered).front(), Finding::Kind::kCorruptFooter);
    const RecoveredLog& log = recovered.logs.at(kLog);
    EXPECT_EQ(log.start.next_sequence, forge_.place.sequence);
    EXPECT_EQ(next_offset(log, "rare"), 5U);
    EXPECT_EQ(next_offset(log), forge_.place.sequence.value);
    ASSERT_TRUE(log.start.open.has_value());
    EXPECT_TRUE(log.segments[0].closed);
    EXPECT_FALSE(log.segments[2].closed) << "retention has to keep an older index";
  }
}

// Every slot would be left aside and every offset given once more.
TEST_F(DamageTest, ASuperblockOfAnotherVolumeIsRefusedUnlessNoSlotWasEverUsed) {
  closed(0);
  forge_.begin(1);
  blocks(2);
  MemoryDrive other;
  Volume stranger = make_memory_volume(other, {"all"}, 1 * kMiB, VolumeId{std::byte{8}});
  other.slots = drive_.slots;
  const auto recovered = recover_volume(stranger);
  ASSERT_FALSE(recovered.has_value());
  EXPECT_EQ(recovered.error().code, Errc::kCorrupt);
  EXPECT_NE(recovered.error().what.find("of another volume than its 2 segments"),
            std::string::npos);
  for (auto& [number, bytes] : other.slots) std::ranges::fill(bytes, std::byte{0});
  EXPECT_EQ(recover_volume(stranger).value().free_slots.size(), 2U);
}

// The footer is written when the index is durable: one without the other is no crash.
TEST_F(DamageTest, AFooterWithoutItsIndexIsDamageAndNothingIsLost) {
  closed(0, {"all", "rare"});
  closed(1);
  const std::size_t index = forge_.position() * kPageBytes;
  std::ranges::fill(slot(1).subspan(index, kPageBytes), std::byte{0});
  const RecoveredVolume recovered = recover();
  ASSERT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptFooter});
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, forge_.place.sequence);
  EXPECT_EQ(next_offset(log, "rare"), 5U);
  EXPECT_EQ(next_offset(log), forge_.place.sequence.value);
}

TEST_F(DamageTest, ABadPageAnywhereDoesNotStopRecovery) {
  closed(0, {"all", "rare"});
  closed(1);
  const std::uint32_t index = forge_.position();
  forge_.begin(2);
  blocks(9);
  const auto recover_without = [&](std::uint32_t slot, std::uint32_t page) {
    drive_.bad_pages = {
        {slot, page}
    };
    RecoveredVolume recovered = recover();
    EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kUnreadable}) << slot << " " << page;
    EXPECT_LE(recovered.findings[0].offset, page * kPageBytes);
    EXPECT_GT(recovered.findings[0].offset + recovered.findings[0].bytes, page * kPageBytes);
    const RecoveredLog& log = recovered.logs.at(kLog);
    EXPECT_EQ(log.start.next_sequence, forge_.place.sequence) << slot << " " << page;
    EXPECT_EQ(next_offset(log), forge_.place.sequence.value);
    EXPECT_EQ(recovered.quarantined_slots.size(), page == 0 ? 1U : 0U);
    EXPECT_TRUE(recovered.free_slots.empty());
    return log;
  };
  for (const auto& [slot, page] : {
           std::pair{1U, kFooter},
           {1U, index  },
           {0U, 0U     },
           {2U, kFooter}
  }) {
    EXPECT_EQ(next_offset(recover_without(slot, page), "rare"), 5U);
  }
  EXPECT_TRUE(recover_without(0, 0).start.open.has_value());
  EXPECT_FALSE(recover_without(2, 0).start.open.has_value());
  EXPECT_FALSE(recover_without(2, kFooter).start.open.has_value());
  EXPECT_FALSE(recover_without(2, 5).start.open.has_value());
}

// What a bad page at the very end held is not known: its numbers are not given again.
TEST_F(DamageTest, BehindAnUnreadableEndTheLogLeavesNumbersOut) {
  forge_.begin(0);
  blocks(3);
  const std::uint64_t page = forge_.last_offset / kPageBytes;
  bad_page(0, page);
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kUnreadable});
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_FALSE(log.start.open.has_value());
  EXPECT_GE(log.start.next_sequence, BlockSequence(3));
  EXPECT_GE(next_offset(log), 3U);
  EXPECT_TRUE(recovered.free_slots.empty());
}

TEST_F(DamageTest, ASlotCutShortDoesNotStopRecoveryAndIsNotResumed) {
  closed(0);
  forge_.begin(1);
  blocks(6);
  drive_.slots.at(1).resize(forge_.last_offset + 700);
  RecoveredVolume recovered = recover();
  EXPECT_FALSE(recovered.findings.empty());
  for (const Finding& finding : recovered.findings) {
    EXPECT_EQ(finding.kind, Finding::Kind::kUnreadable) << finding.what;
    EXPECT_EQ(finding.slot, SlotIndex(1));
  }
  EXPECT_FALSE(recovered.logs.at(kLog).start.open.has_value());
  EXPECT_GE(recovered.logs.at(kLog).start.next_sequence, forge_.place.sequence);

  drive_.slots.at(1).clear();
  recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kUnreadable});
  EXPECT_EQ(recovered.quarantined_slots, std::vector<SlotIndex>{SlotIndex(1)});
  EXPECT_GE(recovered.logs.at(kLog).start.next_sequence, forge_.place.sequence);
}

TEST_F(DamageTest, ADriveThatGivesNothingAtAllIsAnErrorAndNotDamage) {
  closed(0);
  static_cast<MemoryDevice&>(volume_.device()).failing = true;
  EXPECT_EQ(recover_volume(volume_).error().code, Errc::kIoError);
}

TEST_F(DamageTest, WhatASlotWithoutAHeaderHoldsIsNotGivenAgain) {
  closed(0);
  forge_.begin(1);
  blocks(4);
  slot(1)[100] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptHeader});
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, forge_.place.sequence);
  EXPECT_EQ(next_offset(log), forge_.place.sequence.value);
  EXPECT_GT(log.start.next_segment, SegmentSequence(2)) << "2 is the segment that is not known";
  EXPECT_FALSE(log.start.open.has_value());
}

// In a directory a slot is blank from one end to the other, or it has a header.
TEST_F(DamageTest, ABlankedHeaderDoesNotMakeItsSlotFree) {
  closed(0);
  forge_.begin(1);
  blocks(4);
  std::ranges::fill(slot(1).first(kPageBytes), std::byte{0});
  drive_.slots[2].assign(kMiB, std::byte{0});  // made, and not used yet
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptHeader});
  EXPECT_EQ(recovered.quarantined_slots, std::vector<SlotIndex>{SlotIndex(1)});
  EXPECT_EQ(recovered.free_slots, std::vector<SlotIndex>{SlotIndex(2)});
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, forge_.place.sequence);
  EXPECT_EQ(next_offset(log), forge_.place.sequence.value);
}

TEST_F(DamageTest, ALogWithoutAnyReadableHeaderGoesOnBehindItsBlocks) {
  forge_.begin(0);
  blocks(4);
  bad_page(0, 0);
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kUnreadable});
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_TRUE(log.segments.empty());
  EXPECT_EQ(log.start.next_sequence, BlockSequence(4));
  EXPECT_EQ(next_offset(log), 4U);
}

// The one block of the newest segment was sealed before those of the segment in front of it were
// durable, so it does not prove them; their slot's header is damaged.
TEST_F(DamageTest, ASegmentBehindAMissingOneIsNeverTakenForATornTail) {
  forge_.begin(0);
  blocks(3);
  const BlockSequence end = forge_.place.sequence;
  forge_.begin(1);
  blocks(2);
  forge_.begin(2);
  forge_.message("acknowledged");
  forge_.seal(end);
  slot(1)[60] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered),
            (Kinds{Finding::Kind::kCorruptHeader, Finding::Kind::kMissingSegment}));
  EXPECT_TRUE(recovered.free_slots.empty());
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, BlockSequence(6));
  EXPECT_EQ(next_offset(log), 6U);
  ASSERT_TRUE(log.start.open.has_value());
  EXPECT_EQ(log.start.open->index.blocks.size(), 1U);
}

// Slot 0 never got its footer and ends with its third block, which is whole: what follows was in
// the segment whose header is damaged, and not behind it.
TEST_F(DamageTest, BlocksOfAMissingSegmentAreNotLookedForInTheOneBeforeIt) {
  forge_.begin(0);
  blocks(3);
  const std::size_t third = forge_.last_offset;
  forge_.begin(1);
  blocks(2);
  forge_.begin(2);
  blocks(3);
  slot(1)[60] ^= std::byte{1};
  RecoveredVolume recovered = recover();
  ASSERT_EQ(kinds(recovered),
            (Kinds{Finding::Kind::kCorruptHeader, Finding::Kind::kMissingSegment}));
  EXPECT_EQ(recovered.findings[1].slot, SlotIndex(2));
  EXPECT_EQ(recovered.findings[1].what, "log 0: blocks 3 to 4 are missing in front of segment 3");
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, BlockSequence(8));
  // With a block of its own damaged, slot 0 is named as well.
  slot(0)[third + 50] ^= std::byte{1};
  recovered = recover();
  EXPECT_EQ(kinds(recovered), (Kinds{Finding::Kind::kCorruptHeader, Finding::Kind::kCorruptBlock}));
  EXPECT_EQ(recovered.findings[1].slot, SlotIndex(0));
}

// A void segment has its number too: nothing is missing between the two that count.
TEST_F(DamageTest, ABlankedLastBlockInFrontOfAVoidSegmentIsDamageWhereItIs) {
  forge_.begin(0);
  blocks(3);
  const std::size_t third = forge_.last_offset;
  forge_.begin(1);
  LogForge again(volume_, forge_.place, 3, "all", Offset(3));
  again.begin(2);
  again.block();
  std::ranges::fill(slot(0).subspan(third, forge_.last_bytes), std::byte{0});
  const RecoveredVolume recovered = recover();
  ASSERT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptBlock});
  EXPECT_EQ(recovered.findings[0].slot, SlotIndex(0));
  EXPECT_EQ(recovered.findings[0].offset, third);
}

// The lost block may have held messages of a stream that is not seen behind it, and of one that is
// seen nowhere else.
TEST_F(DamageTest, OffsetsThatALostBlockMayHaveHadAreNotGivenAgain) {
  forge_.begin(0);
  forge_.block(5000, {"all", "rare"});
  forge_.block(5000, {"rare"});
  const std::size_t lost = forge_.last_offset;
  const std::size_t lost_messages_max = forge_.last_bytes / sizeof(MessageHeader);
  forge_.block();
  forge_.seal();
  std::ranges::fill(slot(0).subspan(lost, forge_.last_bytes), std::byte{0});
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptBlock});
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(next_offset(log), 2U) << "a block behind the lost one says so";
  EXPECT_EQ(next_offset(log, "rare"), 1 + lost_messages_max);
  EXPECT_EQ(log.start.new_partitions, Offset(lost_messages_max));
}

// A running node wrote the page after it was read, and the pages behind it before they were.
class LateDevice final : public VolumeDevice {
 public:
  LateDevice(MemoryDrive& drive, std::uint64_t late) : device_(drive), late_(late) {}
  Result<> read(SlotIndex slot, std::uint64_t offset, std::span<std::byte> into) override {
    auto read = device_.read(slot, offset, into);
    const bool covers = offset <= late_ && late_ < offset + into.size();
    if (covers && offset != 0 && !shown_) {
      shown_ = true;
      std::ranges::fill(into.subspan(late_ - offset, kPageBytes), std::byte{0});
    }
    return read;
  }
  const std::string& name() const override { return device_.name(); }
  Result<> lock() override { return {}; }
  Result<> check_unused() override { return {}; }
  Result<> read_head(std::uint64_t offset, std::span<std::byte> into) override {
    return device_.read_head(offset, into);
  }
  Result<> write_head(std::uint64_t, std::span<const std::byte>) override { return {}; }
  void set_segment_bytes(std::uint64_t bytes) override { device_.set_segment_bytes(bytes); }
  Result<std::vector<SlotIndex>> list_slots() override {
    auto slots = device_.list_slots();
    if (!removed_) slots->push_back(SlotIndex(4711));  // removed as soon as it was listed
    removed_ = true;
    return slots;
  }
  Result<bool> make_slot(SlotIndex) override { return true; }
  Result<> remove_slot(SlotIndex) override { return {}; }
  Result<> write(SlotIndex, std::uint64_t, std::span<const std::byte>) override { return {}; }
  Result<> sync(SlotIndex) override { return {}; }
  Result<SlotFile> open_slot(SlotIndex) override { return SlotFile{}; }
  void close_slot(const SlotFile&) override {}
  Result<DeviceSpace> space() override { return device_.space(); }

 private:
  MemoryDevice device_;
  std::uint64_t late_;
  bool shown_ = false;
  bool removed_ = false;
};

TEST_F(DamageTest, WhatANodeWritesAndRemovesMeanwhileIsNoDamage) {
  forge_.begin(0);
  blocks(3);
  const std::uint64_t late = forge_.last_offset;
  blocks(3);
  Volume live = Volume::open(std::make_unique<LateDevice>(drive_, late)).value();
  const RecoveredVolume recovered = recover_volume(live).value();
  for (const Finding& finding : recovered.findings) ADD_FAILURE() << finding.what;
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, BlockSequence(6));
}

}  // namespace
}  // namespace penstock

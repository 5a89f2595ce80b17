#include "base/result.h"

#include <cerrno>
#include <set>

#include <gtest/gtest.h>

#include "base/check.h"

namespace penstock {
namespace {

TEST(Error, OfAnErrnoIsOfItsKindAndEndsWithItsText) {
  const Error error = fail_errno(ENOSPC, "make room for /data/segment-000001").error();
  EXPECT_EQ(error.code, Errc::kNoSpace);
  EXPECT_EQ(error.what, "make room for /data/segment-000001: No space left on device");
}

TEST(Error, KindsAreThoseThatCallersBranchOn) {
  EXPECT_EQ(errc_of(ENOENT), Errc::kNotFound);
  EXPECT_EQ(errc_of(EEXIST), Errc::kAlreadyExists);
  EXPECT_EQ(errc_of(EACCES), Errc::kPermissionDenied);
  EXPECT_EQ(errc_of(EPERM), Errc::kPermissionDenied);
  EXPECT_EQ(errc_of(EBUSY), Errc::kBusy);
  EXPECT_EQ(errc_of(EAGAIN), Errc::kBusy);
  EXPECT_EQ(errc_of(EDQUOT), Errc::kNoSpace);
  EXPECT_EQ(errc_of(EINVAL), Errc::kInvalidArgument);
  EXPECT_EQ(errc_of(ENODEV), Errc::kUnavailable);
  EXPECT_EQ(errc_of(EIO), Errc::kIoError);
  EXPECT_EQ(errc_of(12345), Errc::kIoError);
}

TEST(Error, EveryKindHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (auto i = static_cast<int>(Errc::kInvalidArgument); i <= static_cast<int>(Errc::kUnavailable);
       ++i) {
    EXPECT_TRUE(names.insert(to_string(static_cast<Errc>(i))).second) << i;
  }
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(CheckDeathTest, PrintsWhereWhatAndTheValues) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const int free = 3;
  EXPECT_DEATH(CHECK_LE(free, 2), "result_test.cc:[0-9]+: CHECK failed: free <= 2 \\(3 vs 2\\)");
  EXPECT_DEATH(CHECK(free == 4), "CHECK failed: free == 4");
}

TEST(Check, EvaluatesItsOperandsOnce) {
  int calls = 0;
  CHECK_EQ(++calls, 1);
  CHECK(calls++ == 1);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace penstock

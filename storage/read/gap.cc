#include "storage/read/gap.h"

namespace penstock {

std::string_view to_string(GapKind kind) {
  switch (kind) {
    case GapKind::kTrimmed: return "trimmed";
    case GapKind::kCorrupt: return "corrupt";
    case GapKind::kLost: return "lost";
  }
  return "unknown";
}

void GapTracker::tell(Offset first, Offset next) {
  gaps_.push_back({noted_->kind, log_, first, next, noted_->what});
  noted_->told = true;
}

void GapTracker::note(GapKind kind, std::string what) {
  if (noted_ && !noted_->told) {
    if (noted_->kind == kind) return;
    meet_end();
  }
  noted_ = Noted{kind, std::move(what)};
}

void GapTracker::meet(Offset base) {
  const bool hole = expected_ && base > *expected_;
  if (hole && !noted_) {
    noted_ = Noted{GapKind::kCorrupt, fmt::format("log {}: offsets are left out", log_)};
  }
  if (hole || (noted_ && !noted_->told && !expected_)) tell(expected_.value_or(base), base);
  noted_.reset();
  if (hole) expected_ = base;
}

void GapTracker::meet_any() {
  meet_end();
  noted_.reset();
}

void GapTracker::meet_end() {
  if (!noted_ || noted_->told) return;
  const Offset unknown = expected_.value_or(Offset(0));
  tell(unknown, unknown);
}

std::optional<Gap> GapTracker::take() {
  if (gaps_.empty()) return std::nullopt;
  Gap gap = std::move(gaps_.front());
  gaps_.pop_front();
  return gap;
}

void GapTracker::clear() {
  expected_.reset();
  noted_.reset();
  gaps_.clear();
}

}  // namespace penstock

// Structures that are whole and in the wrong place: swapped, doubled, left from an earlier use of
// the slot, from another slot, log or volume. A checksum alone takes them for data; here each is
// found, none is read as data, and what is not overwritten is read.
#include <gtest/gtest.h>

#include "tests/crash/lab.h"
#include "tests/lib/known_volume.h"

namespace penstock {
namespace {

constexpr std::uint64_t kCases = 12'000;

// Whole pages of a drive.
struct Pages {
  std::uint32_t slot;
  std::uint64_t begin;
  std::uint64_t bytes;
};

class Misplaced : public testing::Test {
 protected:
  // One case: its drive with something in the wrong place, and what that was.
  struct Case {
    std::string what;
    std::vector<Pages> changed;
  };

  static std::span<std::byte> bytes_of(MemoryDrive& drive, const Pages& pages) {
    auto& all = pages.slot == kVolumeHead.value ? drive.head : drive.slots.at(pages.slot);
    return std::span(all).subspan(pages.begin, pages.bytes);
  }
  static Pages pages_of(const Piece& piece) {
    return {piece.slot, piece.begin, piece.end - piece.begin};
  }

  // Of structures that say something; of the catalogues the newer one.
  [[nodiscard]] const Piece& draw_piece(Rng& rng) const {
    for (;;) {
      const Piece& piece = volume_.pieces()[rng.below(volume_.pieces().size())];
      const bool older =
          piece.kind == Piece::Kind::kCatalogue && piece.begin != kCataloguePosition[1];
      if (piece.kind != Piece::Kind::kUnused && piece.kind != Piece::Kind::kLastBlock && !older) {
        return piece;
      }
    }
  }

  // As much of the structure as was to be overwritten: all of it or some of its first pages.
  static std::uint64_t draw_bytes(Rng& rng, const Piece& piece) {
    const std::uint64_t pages = (piece.end - piece.begin) / kPageBytes;
    return (rng.chance(500'000) ? pages : 1 + rng.below(std::min<std::uint64_t>(pages, 4))) *
           kPageBytes;
  }

  void put(MemoryDrive& drive, const MemoryDrive& from, const Pages& source, const Pages& target,
           Case& done) const {
    const auto& all = source.slot == kVolumeHead.value ? from.head : from.slots.at(source.slot);
    const std::uint64_t bytes = std::min({target.bytes, source.bytes, all.size() - source.begin});
    const Pages changed{target.slot, target.begin, bytes};
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(source.begin);
    std::copy_n(begin, bytes, bytes_of(drive, changed).begin());
    done.changed.push_back(changed);
  }

  Case misplace(Rng& rng, MemoryDrive& drive) const {
    const Piece& here = draw_piece(rng);
    const Piece& there = draw_piece(rng);
    Pages target = pages_of(here);
    target.bytes = draw_bytes(rng, here);
    Case done;
    switch (rng.below(5)) {
      case 0:
        done.what = "swapped";
        put(drive, volume_.drive(), pages_of(there), target, done);
        target = pages_of(there);
        target.bytes = done.changed.back().bytes;
        put(drive, volume_.drive(), pages_of(here), target, done);
        break;
      case 1:
        done.what = "doubled";
        put(drive, volume_.drive(), pages_of(there), target, done);
        break;
      case 2: {
        done.what = "from the past";
        const MemoryDrive& past = volume_.past()[rng.below(volume_.past().size())];
        if (here.slot == kVolumeHead.value || past.slots.contains(here.slot)) {
          put(drive, past, pages_of(here), target, done);
        }
        break;
      }
      case 3:
        done.what = "from another volume";
        put(drive, other_.drive(), pages_of(rng.chance(500'000) ? here : there), target, done);
        break;
      default: {
        done.what = "some pages elsewhere";
        Pages source = pages_of(there);
        source.begin += rng.below(source.bytes / kPageBytes) * kPageBytes;
        source.bytes = kPageBytes * (1 + rng.below(3));
        put(drive, volume_.drive(), source, target, done);
      }
    }
    return done;
  }

  // The structures that are no longer what they were.
  [[nodiscard]] std::vector<const Piece*> hit(MemoryDrive& drive, const Case& done) const {
    std::vector<const Piece*> pieces;
    MemoryDrive& whole = const_cast<MemoryDrive&>(volume_.drive());
    for (const Piece& piece : volume_.pieces()) {
      const bool touched = std::ranges::any_of(done.changed, [&](const Pages& pages) {
        return pages.slot == piece.slot && pages.begin < piece.end &&
               piece.begin < pages.begin + pages.bytes;
      });
      const bool differs = touched && !std::ranges::equal(bytes_of(drive, pages_of(piece)),
                                                          bytes_of(whole, pages_of(piece)));
      if (differs) pieces.push_back(&piece);
    }
    return pieces;
  }

  // Where a log ends anything may be what a crash left. A footer that is gone is one that was never
  // written: every block speaks for itself.
  static bool is_harmless(const Piece* piece) {
    return piece->kind == Piece::Kind::kBlank || piece->kind == Piece::Kind::kFooter;
  }

  static std::string wrong_with(std::span<const Piece* const> pieces, const Verdict& verdict) {
    if (!verdict.wrong.empty()) return verdict.wrong;
    const bool found = std::ranges::any_of(verdict.findings, is_damage);
    if (!found && !std::ranges::all_of(pieces, is_harmless)) return "not found";
    if (!verdict.opened) {
      const bool head = std::ranges::any_of(
          pieces, [](const Piece* piece) { return piece->slot == kVolumeHead.value; });
      return head ? "" : "the volume does not open";
    }
    for (std::uint32_t log = 0; log < KnownVolume::kLogs; ++log) {
      for (const std::uint64_t lost : verdict.lost[log]) {
        const bool expected = std::ranges::any_of(pieces, [&](const Piece* piece) {
          return log == piece->log.value && lost >= piece->first && lost < piece->next;
        });
        if (!expected) return fmt::format("log {}: message {} is lost too", log, lost);
      }
    }
    return "";
  }

  void restore(MemoryDrive& drive, const Case& done) const {
    MemoryDrive& whole = const_cast<MemoryDrive&>(volume_.drive());
    for (const Pages& pages : done.changed) {
      std::ranges::copy(bytes_of(whole, pages), bytes_of(drive, pages).begin());
    }
  }

  KnownVolume volume_;
  KnownVolume other_{8};
};

TEST_F(Misplaced, StructuresAreFoundAndNeverReadAsData) {
  const lab::Budget budget;
  lab::Figure figure("misplaced_structures");
  lab::in_parallel([&](unsigned worker, unsigned workers) {
    MemoryDrive drive = volume_.drive();
    for (std::uint64_t number = worker; budget.is_long() || number < kCases; number += workers) {
      if (budget.is_over() || figure.is_hopeless()) return;
      // One that changes nothing is drawn anew.
      for (Rng rng(lab::seed() * 1'000'003 + number);;) {
        const Case done = misplace(rng, drive);
        const auto pieces = hit(drive, done);
        if (!pieces.empty()) {
          figure.count(wrong_with(pieces, volume_.judge(drive)), [&] {
            std::string where;
            for (const Piece* piece : pieces) {
              where += fmt::format(" {} at {} of slot {},", static_cast<int>(piece->kind),
                                   piece->begin, piece->slot);
            }
            return fmt::format("case {}: {}:{}", number, done.what, where);
          });
        }
        restore(drive, done);
        if (!pieces.empty()) break;
      }
    }
  });
}

}  // namespace
}  // namespace penstock

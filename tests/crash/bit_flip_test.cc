// Every byte of a small volume's structures with one bit wrong: superblock, catalogue, segment
// headers, blocks, indexes, footers, and what was never written to. It is found and located, it is
// never read as data, and never taken for emptiness; what is lost is what the damaged structure
// holds, and all else is read.
#include <gtest/gtest.h>

#include "tests/crash/lab.h"
#include "tests/lib/known_volume.h"

namespace penstock {
namespace {

// Of a stretch of zeros the short form takes one byte.
constexpr std::uint64_t kZerosBytes = 257;
// Of neighbouring structures so many stay whole for each that is damaged.
constexpr std::size_t kGroups = 4;

struct Flip {
  const Piece* piece;
  std::uint64_t at;
};

// What is damaged at once: one byte in each of some structures.
using Group = std::vector<const Piece*>;

class BitFlips : public testing::Test {
 protected:
  // The superblock and a segment's header are damaged alone, and never both catalogues.
  [[nodiscard]] std::vector<Group> groups() const {
    std::vector<Group> alone;
    std::vector<Group> groups(kGroups);
    std::size_t number = 0;
    for (const Piece& piece : volume_.pieces()) {
      const bool single =
          piece.kind == Piece::Kind::kHeader || piece.kind == Piece::Kind::kSuperblock;
      if (single) {
        alone.push_back({&piece});
      } else {
        groups[number++ % kGroups].push_back(&piece);
      }
    }
    groups.insert(groups.end(), alone.begin(), alone.end());
    return groups;
  }

  // What holds no message and may be what a crash left; all else that is wrong has to be found.
  static bool is_harmless(const Piece& piece) {
    return piece.kind == Piece::Kind::kUnused || piece.kind == Piece::Kind::kLastBlock;
  }

  // The bytes of a structure that are flipped, one after the other.
  [[nodiscard]] std::vector<std::uint64_t> places_in(const Piece& piece, bool every) const {
    std::vector<std::uint64_t> places;
    const std::span bytes = bytes_of(volume_.drive(), piece.slot);
    for (std::uint64_t at = piece.begin; at < piece.end;) {
      places.push_back(at);
      const std::uint64_t stretch = std::min(kZerosBytes, piece.end - at);
      at += !every && all_zero(bytes.subspan(at, stretch)) ? stretch : 1;
    }
    return places;
  }

  static std::span<const std::byte> bytes_of(const MemoryDrive& drive, std::uint32_t slot) {
    return slot == kVolumeHead.value ? drive.head : drive.slots.at(slot);
  }
  static std::span<std::byte> bytes_of(MemoryDrive& drive, std::uint32_t slot) {
    return slot == kVolumeHead.value ? drive.head : drive.slots.at(slot);
  }

  // What is wrong with what was found of them.
  static std::string wrong_with(std::span<const Flip> flips, const Verdict& verdict) {
    if (!verdict.wrong.empty()) return verdict.wrong;
    for (const Finding& finding : verdict.findings) {
      if (std::string wrong = wrong_with(flips, finding); !wrong.empty()) return wrong;
    }
    for (const Flip& flip : flips) {
      if (!is_harmless(*flip.piece) &&
          std::ranges::none_of(verdict.findings,
                               [&](const Finding& finding) { return locates(finding, flip); })) {
        return fmt::format("slot {}, byte {} is not located", flip.piece->slot, flip.at);
      }
    }
    if (verdict.opened) return wrong_with_lost(flips, verdict);
    return flips[0].piece->kind == Piece::Kind::kSuperblock ? "" : "the volume does not open";
  }

  static bool locates(const Finding& finding, const Flip& flip) {
    return finding.slot.value == flip.piece->slot && finding.offset <= flip.at &&
           flip.at < finding.offset + finding.bytes;
  }

  // It has to lie within what is damaged. A segment without its header is not known, and missed.
  static std::string wrong_with(std::span<const Flip> flips, const Finding& finding) {
    for (const auto& [piece, at] : flips) {
      if (piece->kind == Piece::Kind::kHeader) return "";
      // Names that only the damaged copy of the catalogue has are missed too.
      const bool names = finding.kind == Finding::Kind::kWrongCatalogue && finding.bytes == 0;
      if (names && piece->kind == Piece::Kind::kCatalogue) return "";
      const bool within = finding.slot.value == piece->slot && finding.offset >= piece->begin &&
                          finding.offset + finding.bytes <= piece->end;
      if (within && (is_damage(finding) || piece->first == piece->next)) return "";
    }
    return fmt::format("found where nothing is damaged: {} at {} of slot {}: {}",
                       to_string(finding.kind), finding.offset, finding.slot.value, finding.what);
  }

  // Lost is what the damaged structures hold, all of it and nothing else.
  static std::string wrong_with_lost(std::span<const Flip> flips, const Verdict& verdict) {
    std::size_t held = 0;
    std::size_t lost = 0;
    for (const Flip& flip : flips) held += flip.piece->next - flip.piece->first;
    for (std::uint32_t log = 0; log < KnownVolume::kLogs; ++log) {
      lost += verdict.lost[log].size();
      for (const std::uint64_t message : verdict.lost[log]) {
        const bool expected = std::ranges::any_of(flips, [&](const Flip& flip) {
          return log == flip.piece->log.value && message >= flip.piece->first &&
                 message < flip.piece->next;
        });
        if (!expected) return fmt::format("log {}: message {} is lost too", log, message);
      }
    }
    return lost == held ? "" : fmt::format("{} of {} damaged messages are read", held - lost, held);
  }

  KnownVolume volume_;
};

TEST_F(BitFlips, AreFoundLocatedAndNeverReadAsDataOrAsEmptiness) {
  const lab::Budget budget;
  lab::Figure figure("bit_flips");
  const std::vector<Group> all = groups();
  std::vector<std::vector<std::vector<std::uint64_t>>> places;
  std::vector<std::pair<std::size_t, std::size_t>> rounds;  // group, and which byte of each piece
  for (std::size_t group = 0; group < all.size(); ++group) {
    std::size_t longest = 0;
    places.emplace_back();
    for (const Piece* piece : all[group]) {
      places.back().push_back(places_in(*piece, budget.is_long()));
      longest = std::max(longest, places.back().back().size());
    }
    for (std::size_t number = 0; number < longest; ++number) rounds.emplace_back(group, number);
  }
  // The long form goes through all of it once for each bit, and begins anywhere.
  const std::size_t end = rounds.size() * (budget.is_long() ? 8 : 1);
  const std::size_t begin = budget.is_long() ? Rng(lab::seed()).below(end) : 0;
  lab::in_parallel([&](unsigned worker, unsigned workers) {
    MemoryDrive drive = volume_.drive();
    std::vector<Flip> flips;
    for (std::size_t i = worker; i < end; i += workers) {
      if (budget.is_over() || figure.is_hopeless()) return;
      const std::size_t round = (begin + i) % end;
      const auto& [group, number] = rounds[round % rounds.size()];
      flips.clear();
      for (std::size_t piece = 0; piece < all[group].size(); ++piece) {
        if (number >= places[group][piece].size()) continue;
        flips.push_back({all[group][piece], places[group][piece][number]});
      }
      const auto flip = [&](const Flip& one) {
        const std::uint64_t bit = (lab::seed() + one.at + round / rounds.size()) % 8;
        bytes_of(drive, one.piece->slot)[one.at] ^= std::byte(1U << bit);
      };
      std::ranges::for_each(flips, flip);
      const std::string wrong = wrong_with(flips, volume_.judge(drive));
      for (const Flip& one : flips) {
        figure.count(wrong,
                     [&] { return fmt::format("slot {}, byte {}", one.piece->slot, one.at); });
      }
      std::ranges::for_each(flips, flip);
    }
  });
}

}  // namespace
}  // namespace penstock

// The keys of producers by name, and the file that they stand in: lines of `NAME HEX`. What follows
// a `#` is a comment.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/door/pdp/keys.h"

namespace penstock::pdp {

inline constexpr std::size_t kKeysMax = 65'536;
inline constexpr std::size_t kKeyFileBytesMax = 16 * kMiB;

// Does not change once it is made; find() allocates nothing and may be called by any thread.
class KeyRing {
 public:
  KeyRing() = default;  // without keys

  // Problems name the line and the way out, never a key's value. `origin` is what the text is
  // called in them.
  [[nodiscard]] static Result<KeyRing> parse(std::string_view text, std::string_view origin);

  // Null when there is none of that name. Valid as long as the ring.
  [[nodiscard]] const ProducerKey* find(std::string_view name) const;
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  struct NamedKey {
    std::string name;
    ProducerKey key;
    std::size_t line;  // where it stands
  };
  std::vector<NamedKey> keys_;  // by name
};

struct KeyFile {
  KeyRing keys;
  std::string warning;  // others than owner and group can read it; empty: they cannot
};
// Problems name the file, the line if one is wrong, and the way out, never a key's value.
[[nodiscard]] Result<KeyFile> read_key_file(const std::string& path);

}  // namespace penstock::pdp

// The messages of several logs as one sequence, by the time at which they were received.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/cli/sources.h"
#include "dataplane/ledger/ledger_file.h"
#include "storage/read/log_reader.h"
#include "storage/read/subject_filter.h"

namespace penstock {

// Where reading starts.
struct ReadStart {
  enum class Kind : std::uint8_t { kBeginning, kEnd, kOffset, kLast, kTime };
  Kind kind = Kind::kBeginning;
  std::uint64_t number = 0;  // offset, or how many
  UnixNanos time{0};
};
// "beginning", "end", "1000", "-10", "@2026-11-23T10:00:00Z", "@2026-11-23T10:00:00+01:00",
// "@1764000000", "@-15m".
[[nodiscard]] Result<ReadStart> parse_read_start(std::string_view text, UnixNanos now);

// One thread. The sources outlive it.
class MergedReader {
 public:
  // `stream` empty: all messages. kNotFound when no source knows the stream, unless it `may_come`.
  // `node`: the ledger of one that is running; nothing is read beyond what it says to be durable.
  [[nodiscard]] static Result<MergedReader> open(std::vector<Source>& sources,
                                                 const std::string& stream, bool may_come,
                                                 std::optional<SubjectFilter> filter,
                                                 const std::optional<LedgerSnapshot>& node);

  // kOffset needs a stream. kLast counts messages that pass the filter, over all logs.
  [[nodiscard]] Result<> seek(const ReadStart& start);

  // The next record that passes the filter, or a gap; AtEnd when no log has more now. Views are
  // valid until the next call.
  [[nodiscard]] Result<Item> next();

  // What the node has written since: the edges of its logs, as its ledger publishes them. A log
  // that was not there before is read from where seek() says.
  [[nodiscard]] Result<> refresh(const LedgerSnapshot& snapshot);

  // Of what next() gave last.
  [[nodiscard]] std::string_view volume() const { return inputs_.at(taken_ - 1).volume; }

  // "" when no source's catalogue has it.
  [[nodiscard]] std::string_view stream_name(StreamId id);

 private:
  struct Input {
    LogNumber log;
    std::string volume;
    std::unique_ptr<LogReader> reader;
    Item head = AtEnd{};
  };

  explicit MergedReader(std::vector<Source>& sources) : sources_(&sources) {}
  void add_input(Source& source, LogNumber log, const RecoveredLog& recovered, const LogEnd& end);
  void learn_names();
  [[nodiscard]] Result<> seek_all_last(std::uint64_t count);
  [[nodiscard]] Result<> seek_last(std::uint64_t count);
  [[nodiscard]] Result<> fill_heads();
  [[nodiscard]] Result<Item> next_unfiltered();
  [[nodiscard]] bool passes(const Item& item) const;

  std::vector<Source>* sources_;
  std::vector<Input> inputs_;
  std::optional<StreamId> stream_;  // the only one wanted
  ReadStart start_;
  std::optional<SubjectFilter> filter_;
  std::map<StreamId, std::string> names_;
  bool names_stale_ = false;  // streams may have been added since they were learned
  std::size_t taken_ = 0;     // index + 1 of the input whose head was given out last; 0: none
};

}  // namespace penstock

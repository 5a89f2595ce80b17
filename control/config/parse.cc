#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>

#include "control/config/check.h"
#include "control/config/keys.h"
#include "control/config/value.h"

namespace penstock {
namespace {

constexpr std::size_t kFileBytesMax = 4 * kMiB;

// What a file says is repeated to a terminal: it shall not command it.
std::string printable(const std::string& text) {
  std::string shown;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7F) {
      shown += fmt::format("\\x{:02X}", code);
    } else {
      shown += c;
    }
  }
  return shown;
}

// One file being read: where problems go.
struct Reading {
  const std::string& file;
  std::multimap<unsigned, ConfigProblem> problems;  // by line
  ConfigLines lines;

  void refuse(const toml::node& node, std::string key, std::string what) {
    add({file, node.source().begin.line, std::move(key), std::move(what)});
  }
  void add(ConfigProblem problem) { problems.emplace(problem.line, std::move(problem)); }
  // Those that do not name the file.
  void add(std::vector<ConfigProblem> found) {
    for (ConfigProblem& problem : found) {
      problem.file = file;
      add(std::move(problem));
    }
  }
};

// "port[0]" + "device"
std::string under(const std::string& place, std::string_view key) {
  return place.empty() ? std::string(key) : fmt::format("{}.{}", place, key);
}

// "port.device" -> "device"
std::string_view tail(std::string_view path) { return path.substr(path.find('.') + 1); }

void refuse_unknown(Reading& reading, const toml::node& node, const std::string& key,
                    std::string_view name, const std::vector<std::string_view>& known) {
  const std::string_view nearest = nearest_name(name, known);
  reading.refuse(node, key,
                 nearest.empty() ? "unknown key; 'penstock config explain' lists them all"
                                 : fmt::format("unknown key; did you mean '{}'?", nearest));
}

// Fills `into` from a table; `prefix` is "retention." within a nested table.
template <class T>
void read_table(Reading& reading, const Section<T>& section, const toml::table& table,
                const std::string& place, const std::string& prefix, T& into,
                std::set<std::string_view>& seen) {
  std::vector<std::string_view> known;
  for (const KeyRow<T>& row : section.rows) {
    const std::string_view name = tail(row.key.path);
    if (name.starts_with(prefix)) known.push_back(name.substr(prefix.size()));
  }
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    const std::string full = under(place, name);
    reading.lines[full] = node.source().begin.line;
    const auto row = std::ranges::find_if(
        section.rows, [&](const KeyRow<T>& r) { return tail(r.key.path) == name; });
    if (row != section.rows.end()) {
      seen.insert(row->key.path);
      if (auto wrong = row->set(into, node)) reading.refuse(node, full, *wrong);
      continue;
    }
    const bool nested = std::ranges::any_of(
        known, [&](std::string_view k) { return k.starts_with(std::string(key.str()) + "."); });
    if (nested && node.is_table()) {
      read_table(reading, section, *node.as_table(), place, name + ".", into, seen);
    } else if (nested) {
      reading.refuse(node, full,
                     fmt::format("must be a table; 'penstock config explain {}.{}' lists its keys",
                                 section.name, name));
    } else {
      refuse_unknown(reading, node, full, key.str(), known);
    }
  }
}

template <class T>
void read_section(Reading& reading, const Section<T>& section, const toml::node& node,
                  const std::string& place, T& into) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return reading.refuse(node, place, "must be a table");
  reading.lines[place] = node.source().begin.line;
  std::set<std::string_view> seen;
  read_table(reading, section, *table, place, "", into, seen);
  for (const KeyRow<T>& row : section.rows) {
    if (!row.key.default_value.empty() || seen.contains(row.key.path)) continue;
    reading.refuse(node, under(place, tail(row.key.path)),
                   fmt::format("is missing: {}", row.key.help));
  }
}

template <class T>
void read_sections(Reading& reading, const Section<T>& section, const toml::node& node,
                   std::vector<T>& into) {
  const toml::array* array = node.as_array();
  if (array == nullptr) {
    return reading.refuse(node, std::string(section.name),
                          fmt::format("there can be several: write [[{}]]", section.name));
  }
  for (const toml::node& element : *array) {
    const std::string place = fmt::format("{}[{}]", section.name, into.size());
    read_section(reading, section, element, place, into.emplace_back());
  }
}

void read_root(Reading& reading, const toml::table& root, Config& config) {
  for (const auto& [key, node] : root) {
    const std::string_view name = key.str();
    if (name == "node") {
      read_section(reading, node_section(), node, "node", config.node);
    } else if (name == "dpdk") {
      read_section(reading, dpdk_section(), node, "dpdk", config.dpdk);
    } else if (name == "port") {
      read_sections(reading, port_section(), node, config.ports);
    } else if (name == "shard") {
      read_sections(reading, shard_section(), node, config.shards);
    } else if (name == "volume") {
      read_sections(reading, volume_section(), node, config.volumes);
    } else if (name == "door") {
      read_sections(reading, door_section(), node, config.doors);
    } else if (name == "stream") {
      read_sections(reading, stream_section(), node, config.streams);
    } else {
      refuse_unknown(reading, node, std::string(name), name,
                     {"node", "dpdk", "port", "shard", "volume", "door", "stream"});
    }
  }
}

// What a file leaves out because there is only one choice.
void fill_in(Config& config) {
  if (config.dpdk.file_prefix.empty()) config.dpdk.file_prefix = config.node.name;
  config.node.runtime_dir = plain_path(config.node.runtime_dir);
  for (VolumeConfig& volume : config.volumes) volume.path = plain_path(volume.path);
  for (ShardConfig& shard : config.shards) {
    if (shard.volume.empty() && config.volumes.size() == 1) shard.volume = config.volumes[0].name;
  }
  if (config.streams.empty()) config.streams.push_back({"all", {">"}});
}

}  // namespace

std::string to_string(const ConfigProblem& problem) {
  std::string text = problem.file;
  if (problem.line > 0) text += fmt::format(":{}", problem.line);
  if (!problem.key.empty()) text += ": " + problem.key;
  return printable(text + ": " + problem.what);
}

std::expected<Config, std::vector<ConfigProblem>> parse_config(std::string_view text,
                                                               const std::string& file,
                                                               NamedFiles files) {
  Reading reading{file, {}, {}};
  Config config;
  try {
    const toml::table root = toml::parse(text, std::string_view(file));
    read_root(reading, root, config);
  } catch (const toml::parse_error& error) {
    const toml::source_position& where = error.source().begin;
    return std::unexpected(std::vector<ConfigProblem>{
        {file, where.line, "",
         fmt::format("column {}: {}; TOML has text \"in quotes\", tables [in brackets], one key = "
                     "value a line", where.column, error.description())}
    });
  }
  fill_in(config);
  // What is wrong as a whole is judged only when every value by itself is right.
  if (reading.problems.empty()) {
    reading.add(check_config(config, reading.lines));
    if (files == NamedFiles::kChecked) {
      FileFindings found = check_named_files(config, reading.lines);
      reading.add(std::move(found.problems));
      config.warnings = std::move(found.warnings);
      for (ConfigProblem& warning : config.warnings) warning.file = file;
    }
  }
  if (reading.problems.empty()) return config;
  std::vector<ConfigProblem> problems;
  for (auto& [line, problem] : reading.problems) problems.push_back(std::move(problem));
  return std::unexpected(std::move(problems));
}

std::expected<Config, std::vector<ConfigProblem>> load_config(const std::string& path,
                                                              NamedFiles files) {
  const auto refuse = [&](std::string what) {
    return std::unexpected(std::vector<ConfigProblem>{
        {path, 0, "", std::move(what)}
    });
  };
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return refuse(fail_errno(errno, "the configuration cannot be read").error().what);
  }
  std::string text(kFileBytesMax + 1, '\0');
  errno = 0;
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad()) {
    return refuse(fail_errno(errno, "the configuration cannot be read").error().what);
  }
  if (text.size() > kFileBytesMax) return refuse("is larger than a configuration can be (4MiB)");
  return parse_config(text, path, files);
}

}  // namespace penstock

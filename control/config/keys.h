// The keys of a configuration, one row each: the parser, `penstock config explain` and the check of
// docs/penstock.toml all work from these rows.
#pragma once

#include <functional>
#include <optional>

#include <toml++/toml.h>

#include "control/config/config.h"

namespace penstock {

// Puts a value in its place; gives what is wrong with it, or nothing.
template <class T>
using SetKey = std::function<std::optional<std::string>(T&, const toml::node&)>;

template <class T>
struct KeyRow {
  ConfigKey key;
  SetKey<T> set;
};

// All keys of one section of the file.
template <class T>
struct Section {
  std::string_view name;  // "port"
  std::span<const KeyRow<T>> rows;
};

[[nodiscard]] const Section<NodeConfig>& node_section();
[[nodiscard]] const Section<DpdkConfig>& dpdk_section();
[[nodiscard]] const Section<PortConfig>& port_section();
[[nodiscard]] const Section<ShardConfig>& shard_section();
[[nodiscard]] const Section<VolumeConfig>& volume_section();
[[nodiscard]] const Section<DoorConfig>& door_section();
[[nodiscard]] const Section<StreamConfig>& stream_section();

}  // namespace penstock

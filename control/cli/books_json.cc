#include "control/cli/books_json.h"

#include <fmt/format.h>

#include "control/cli/table.h"

namespace penstock {
namespace {

Json messages(const Tally& tally) {
  return {
      {"messages", tally.count},
      {"bytes",    tally.bytes}
  };
}
Json packets(const Tally& tally) {
  return {
      {"packets", tally.count},
      {"bytes",   tally.bytes}
  };
}

template <class T>
Json fields(const T& account, std::span<const FieldInfo> infos) {
  static_assert(sizeof(T) % sizeof(std::uint64_t) == 0);
  std::array<std::uint64_t, sizeof(T) / sizeof(std::uint64_t)> words;
  std::memcpy(words.data(), &account, sizeof account);
  Json json = Json::object();
  for (std::size_t i = 0; i < infos.size(); ++i) json[std::string(infos[i].name)] = words[i];
  return json;
}

Json frames(const Tally& tally) {
  return {
      {"frames", tally.count},
      {"bytes",  tally.bytes}
  };
}

// The fates of one class, each tally as `unit` shows it.
template <std::size_t N>
Json fates(const std::array<Tally, N>& tallies, const std::array<FateInfo, N>& infos, FateClass of,
           Json (*unit)(const Tally&)) {
  Json json = Json::object();
  for (std::size_t i = 0; i < N; ++i) {
    if (infos[i].of == of) json[std::string(infos[i].name)] = unit(tallies[i]);
  }
  return json;
}

Json packet_fates(const PortAccount& account, FateClass of) {
  return fates(account.fates, kPacketFateInfo, of, packets);
}

Json frames_json(const FrameBooks& books) {
  const FrameAccount& account = books.account;
  const auto by = [&](FateClass of) { return fates(account.fates, kFrameFateInfo, of, frames); };
  return {
      {"door",          books.name               },
      {"sessions",      account.sessions         },
      {"received",      frames(account.received) },
      {"held",          frames(account.held)     },
      {"taken",         by(FateClass::kGood)     },
      {"answered",      by(FateClass::kAnswered) },
      {"ignored",       by(FateClass::kIgnored)  },
      {"malformed",     by(FateClass::kMalformed)},
      {"sent",          frames(account.sent)     },
      {"lost_messages", account.lost.count       }
  };
}

Json port_json(const PortBooks& port) {
  PortAccount account = port.account;
  return {
      {"name", port.name},
      {"received", packets(account.received)},
      {"decoded", packets(account[PacketFate::kDecoded])},
      {"held", packets(account.held)},
      {"answered", packet_fates(account, FateClass::kAnswered)},
      {"ignored", packet_fates(account, FateClass::kIgnored)},
      {"malformed", packet_fates(account, FateClass::kMalformed)},
      {"sent", packets(account.sent)},
      {"unsent", packets(account.unsent)},
      {"device", fields(port.device, device_gauge_fields())}
  };
}

Json account_json(const MessageAccount& account) {
  Json causes = Json::object();
  for (std::size_t i = 0; i < kMessageFates; ++i) {
    if (kMessageFateInfo[i].of == FateClass::kDropped) {
      causes[std::string(kMessageFateInfo[i].name)] = messages(account.fates[i]);
    }
  }
  MessageAccount copy = account;
  return {
      {"offered",    messages(account.offered)           },
      {"stored",     messages(copy[MessageFate::kStored])},
      {"in_flight",  messages(account.in_flight)         },
      {"dropped",    messages(dropped(account))          },
      {"dropped_by", causes                              },
      {"malformed",  messages(account.malformed)         },
      {"empty",      account.empty.count                 }
  };
}

Json list(const std::vector<MessageBooks>& all) {
  Json json = Json::array();
  for (const MessageBooks& books : all) {
    Json entry = {
        {"name", books.name}
    };
    entry.update(account_json(books.account));
    json.push_back(std::move(entry));
  }
  return json;
}

}  // namespace

std::string text_of(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

void print_json(const Json& json) { fmt::print("{}\n", text_of(json, 2)); }

Json to_json(const LedgerSnapshot& snapshot, const Books& books) {
  Json json = {
      {"node",     snapshot.node                  },
      {"pid",      snapshot.pid                   },
      {"alive",    snapshot.alive                 },
      {"ended",    snapshot.ended                 },
      {"started",  rfc3339(snapshot.started.value)},
      {"balanced", books.balanced()               },
      {"total",    account_json(books.total)      }
  };
  Json ports = Json::array();
  for (const PortBooks& port : books.ports) ports.push_back(port_json(port));
  json["ports"] = std::move(ports);
  json["pdp"] = Json::array();
  for (const FrameBooks& door : books.frames) json["pdp"].push_back(frames_json(door));
  json["doors"] = list(books.doors);
  json["streams"] = list(books.streams);
  json["shards"] = list(books.shards);
  Json volumes = Json::array();
  Json gauges = Json::array();
  for (const AccountSnapshot& account : snapshot.accounts) {
    if (account.kind == AccountKind::kVolume) {
      Json volume = {
          {"name", account.name}
      };
      volume.update(fields(account.as<VolumeGauges>(), volume_gauge_fields()));
      volumes.push_back(std::move(volume));
    } else if (account.kind == AccountKind::kShardGauges) {
      Json shard = {
          {"shard", account.shard}
      };
      shard.update(fields(account.as<ShardGauges>(), shard_gauge_fields()));
      gauges.push_back(std::move(shard));
    } else if (account.kind == AccountKind::kLogEdge) {
      if (!gauges.empty()) gauges.back()["log"] = fields(account.as<LogEdge>(), log_edge_fields());
    }
  }
  json["volumes"] = std::move(volumes);
  json["gauges"] = std::move(gauges);
  Json imbalances = Json::array();
  for (const Imbalance& imbalance : books.imbalances) {
    imbalances.push_back({
        {"account", imbalance.account},
        {"law",     imbalance.law    },
        {"left",    imbalance.left   },
        {"right",   imbalance.right  }
    });
  }
  json["imbalances"] = std::move(imbalances);
  return json;
}

}  // namespace penstock

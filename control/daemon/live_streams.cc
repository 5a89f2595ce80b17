#include "control/daemon/live_streams.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/check.h"

namespace penstock {
namespace {

// Of streams that were checked: their filters parse.
std::unique_ptr<const Routing> make_routing(std::span<const StreamConfig> streams,
                                            std::span<const std::size_t> places) {
  std::vector<Stream> routed;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    Stream stream{.name = streams[i].name, .filters = {}, .place = places[i]};
    for (const std::string& subject : streams[i].subjects) {
      stream.filters.push_back(SubjectFilter::parse(subject).value());
    }
    routed.push_back(std::move(stream));
  }
  Rng rng = Rng::from_kernel();
  return std::make_unique<Routing>(std::move(routed), rng);
}

}  // namespace

LiveStreams::LiveStreams(std::span<const StreamConfig> streams, std::size_t room)
    : places_{.names = {}, .most = room} {
  const auto places = give_places(streams, places_);
  CHECK_LE(places_.names.size(), room);
  versions_.push_back(make_routing(streams, places));
}

Mailbox& LiveStreams::join() {
  members_.push_back(std::make_unique<Member>());
  members_.back()->told = members_.back()->uses = &newest();
  return members_.back()->mailbox;
}

// The place of each in `places`, which are ours and grow by the names that have none.
std::vector<std::size_t> LiveStreams::give_places(std::span<const StreamConfig> streams,
                                                  StreamPlaces& places) const {
  std::map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < places_.names.size(); ++i) known[places_.names[i]] = i;
  std::vector<std::size_t> result;
  for (const StreamConfig& stream : streams) {
    const auto [at, fresh] = known.try_emplace(stream.name, places.names.size());
    if (fresh) places.names.push_back(stream.name);
    result.push_back(at->second);
  }
  return result;
}

Result<> LiveStreams::check_room(std::span<const StreamConfig> streams) const {
  StreamPlaces grown = places_;
  static_cast<void>(give_places(streams, grown));
  if (grown.names.size() <= grown.most) return {};
  return fail(Errc::kNoSpace,
              fmt::format("the ledger of this node has room for {} streams since it started, and "
                          "{} would have been there: start the node anew",
                          grown.most, grown.names.size()));
}

void LiveStreams::change(std::span<const StreamConfig> streams, LedgerFile& ledger) {
  StreamPlaces grown = places_;
  const auto places = give_places(streams, grown);
  for (std::size_t i = places_.names.size(); i < grown.names.size(); ++i) {
    ledger.name_stream(i, grown.names[i]);
  }
  places_ = std::move(grown);
  versions_.push_back(make_routing(streams, places));
  settled_ = false;
}

bool LiveStreams::step() {
  if (settled_) return false;
  bool all = true;
  for (const auto& member : members_) {
    hear(*member);
    // One version at a time: a shard that is told of the next one has let go of all before it.
    if (member->told == member->uses && member->uses != &newest()) {
      if (member->mailbox.commands.push(RouteBy{&newest()})) member->told = &newest();
    }
    all = all && member->uses == &newest();
  }
  std::erase_if(versions_, [&](const auto& version) {
    return version.get() != &newest() && std::ranges::none_of(members_, [&](const auto& member) {
             return member->told == version.get() || member->uses == version.get();
           });
  });
  settled_ = all;
  return all;
}

void LiveStreams::hear(Member& member) {
  while (const auto answer = member.mailbox.answers.pop()) {
    member.uses = std::get<RoutesBy>(*answer).routing;
  }
}

}  // namespace penstock

// penstockd: runs one node from one configuration file, in the foreground.
#include <csignal>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/standard_files.h"
#include "base/version.h"
#include "control/config/config.h"
#include "control/daemon/node.h"
#include "control/daemon/placement.h"

namespace penstock {
namespace {

// Exit codes; documented in penstockd(8).
constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kBadUsage = 2;

volatile std::sig_atomic_t stop = 0;
volatile std::sig_atomic_t reload = 0;

void catch_signals() {
  struct sigaction action{};
  sigemptyset(&action.sa_mask);
  action.sa_handler = [](int /*signal*/) { stop = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = [](int /*signal*/) { reload = 1; };
  sigaction(SIGHUP, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // whoever read the log is gone; messages still come
  std::signal(SIGXFSZ, SIG_IGN);  // RLIMIT_FSIZE: a write that fails, as on a full drive
}

// Which cores there are is known on the host that runs the node only.
Result<> check_cores(const Config& config) {
  const HostCores host = host_cores({});
  const auto check = [&](const std::string& key, int core) {
    return core < 0 ? Result<>{} : check_core(key, static_cast<unsigned>(core), host);
  };
  if (auto there = check("dpdk.main_core", config.dpdk.main_core); !there) return there;
  for (std::size_t i = 0; i < config.shards.size(); ++i) {
    auto there = check(fmt::format("shard[{}].core", i), config.shards[i].core);
    if (!there) return there;
  }
  return {};
}

// What the file says now is judged as a whole before anything changes.
void reload_config(Node& node, const std::string& path) {
  const auto config = load_config(path, NamedFiles::kChecked);
  if (!config) {
    for (const ConfigProblem& problem : config.error()) spdlog::error("{}", to_string(problem));
    return spdlog::error("reload: nothing is changed; correct {} and try again", path);
  }
  const auto left = node.apply(*config);
  if (!left) return spdlog::error("reload: nothing is changed: {}", left.error().what);
  for (const std::string& section : *left) {
    spdlog::warn("reload: {} differs, which needs a restart: it stays as it was", section);
  }
  spdlog::info("reload: {} streams", config->streams.size());
}

int run_node(Config config, const std::string& path) {
  const std::string name = config.node.name;
  spdlog::info("penstockd {} starting node {}, memory bound {} MiB", kVersion, name,
               memory_bound(config) / kMiB);
  Node node(std::move(config));
  if (auto started = node.start(stop); !started) {
    spdlog::error("{}", started.error().what);
    return kFailed;
  }
  spdlog::info("node {} ready", name);
  for (node.run(stop, reload); stop == 0; node.run(stop, reload)) {
    reload = 0;
    reload_config(node, path);
  }
  spdlog::info("node {} stopping: taking what the queues hold, sealing and flushing", name);
  const bool drained = node.drain();
  if (!drained) {
    spdlog::error(
        "node {}: a drive did not take the last messages; the ledger shows them in flight", name);
  }
  spdlog::info("node {} stopped", name);
  return drained ? kOk : kFailed;
}

int run(int argc, char** argv) {
  CLI::App app("Penstock's ingestion daemon: one node from one configuration file", "penstockd");
  std::string path = "/etc/penstock/penstock.toml";
  bool check = false;
  app.set_help_flag("-h,--help", "print the options and end");
  app.add_option("--config", path, "the configuration")->type_name("FILE")->capture_default_str();
  app.add_flag(
      "--check", check,
      "say everything that is wrong with the configuration and the keys that it names, or how much "
      "memory it can take at most, and end");
  app.set_version_flag("--version", fmt::format("penstockd {}", kVersion),
                       "print the version and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kBadUsage;
  }
  auto config = load_config(path, NamedFiles::kChecked);
  if (!config) {
    for (const ConfigProblem& problem : config.error()) {
      fmt::print(stderr, "{}\n", to_string(problem));
    }
    return kBadUsage;
  }
  if (auto there = check_cores(*config); !there) {
    fmt::print(stderr, "{}: {}\n", path, there.error().what);
    return kBadUsage;
  }
  for (const ConfigProblem& warning : config->warnings) {
    if (check) {
      fmt::print(stderr, "warning: {}\n", to_string(warning));
    } else {
      spdlog::warn("{}", to_string(warning));
    }
  }
  if (check) {
    fmt::print("{}: good; memory bound {} MiB\n", path, memory_bound(*config) / kMiB);
    return kOk;
  }
  catch_signals();
  return run_node(std::move(*config), path);
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  penstock::open_missing_standard_files();
  // One line a message, to standard error: systemd's journal or a file adds what it wants.
  spdlog::set_default_logger(spdlog::stderr_logger_mt("penstockd"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  return penstock::run(argc, argv);
}

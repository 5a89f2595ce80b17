"""The stages of the data's way one by one: build/release/perf/micro, each beside the least that its
work takes (a copy, a checksum, a search of the same bytes) in the same run, in processor time."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from measure import BUILD, cores, run, say, target, write  # noqa: E402

# Rounds, their order drawn anew each time, so that a stage and its limit see the same minutes.
ROUNDS = 9
SECONDS_EACH = 0.02

# A stage, what it is measured against, and of that one's speed the least that is wanted.
SHARES = [
    ("frame_ipv4/64", "internet_checksum/64", 0.15),
    ("frame_ipv4/1024", "internet_checksum/1024", 0.35),
    ("frame_vlan/256", "frame_ipv4/256", 0.15),
    ("frame_ipv6/256", "frame_ipv4/256", 0.15),
    ("fragments_joined/4096", "copy/4096", 0.05),
    ("fragments_joined/32768", "copy/32768", 0.05),
    ("syslog_rfc5424", "find_spaces", 0.2),
    ("syslog_rfc3164", "find_spaces", 0.2),
    ("lines_split/100", "find_newlines/100", 0.4),
    ("subject_rendered", "subject_copied", 0.05),
    ("subject_cleaned/64", "copy/64", 0.05),
    ("route_known", "route_new", 4),
    ("block_append/64", "copy_with_header/64", 0.25),
    ("block_append/256", "copy_with_header/256", 0.5),
    ("block_append/1024", "copy_with_header/1024", 0.7),
    ("block_append_and_seal/64", "copy_with_header_and_crc32c/64", 0.3),
    ("block_append_and_seal/256", "copy_with_header_and_crc32c/256", 0.5),
    ("block_append_and_seal/1024", "copy_with_header_and_crc32c/1024", 0.7),
    ("run_append", "run_copy", 0.7),
    ("run_append_and_seal", "run_copy_and_crc32c", 0.7),
    ("run_for_each_message/256", "block_append/256", 0.3),
    ("block_seal", "crc32c/262144", 0.8),
    ("run_read/64", "crc32c/262144", 0.25),
    ("run_read/256", "crc32c/262144", 0.7),
    ("segment_index_written", "crc32c/131072", 0.3),
    ("segment_index_read", "crc32c/131072", 0.2),
    ("pdp_run_check/17/64", "pdp_run_copied/17/64", 0.3),
    ("pdp_run_check/32/256", "pdp_run_copied/32/256", 1),
    ("pdp_seal_verify/136/0", "pdp_run_copied/128/64", 0.03),
    ("ledger_count", "count_four_words", 0.7),
    ("ring_null/8", "hand_over/8", 0.2),
]


def command(rounds, seconds):
    return [BUILD / "perf/micro", "--benchmark_format=json", f"--benchmark_min_time={seconds}",
            f"--benchmark_repetitions={rounds}", "--benchmark_enable_random_interleaving=true"]


def medians(report):
    return {entry["run_name"]: entry for entry in report["benchmarks"]
            if entry.get("aggregate_name") == "median"}


def shares(found):
    """The targets: how fast a stage is beside what it is measured against."""
    return [target(f"{stage} beside {limit}",
                   found[limit]["cpu_time"] / found[stage]["cpu_time"], least, "of its speed")
            for stage, limit, least in SHARES]


def main():
    say("\nmicro: the stages one by one")
    poller, _ = cores()
    report = json.loads(run("taskset", "-c", poller, *command(ROUNDS, SECONDS_EACH),
                            timeout=300).stdout)
    found = medians(report)
    for name, entry in sorted(found.items()):
        say(f"  {name:32} {entry['cpu_time']:10.1f} ns {entry['items_per_second'] / 1e6:10.2f} M/s "
            f"{entry['bytes_per_second'] / 1e9:8.2f} GB/s")
    write("micro", shares(found), stages=[
        {"name": name, "nanoseconds": entry["cpu_time"],
         "items_per_second": entry["items_per_second"],
         "bytes_per_second": entry["bytes_per_second"]} for name, entry in found.items()])


if __name__ == "__main__":
    main()

"""What the measuring programs share: medians of pairs, the mode of the machine, and the files that they
leave in build/perf."""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from tests.lib.harness import BUILD, run  # noqa: E402

OUT = REPO / "build" / "perf"
PAIRS = int(os.environ.get("PERF_PAIRS", "7"))
# A pair whose legs saw core-to-core latencies that differ by more than this is dropped.
MODE_RATIO = 1.4


def say(text=""):
    print(text, flush=True)


def cores():
    """(the poller's, the sender's): the poller never on a core that takes a drive's interrupts."""
    usable = sorted(os.sched_getaffinity(0))
    taken = set()
    lines = pathlib.Path("/proc/interrupts").read_text().splitlines()
    heads = [int(head[3:]) for head in lines[0].split()]
    for line in lines[1:]:
        words = line.split()
        # Queues of virtio disks and NVMe drives.
        if any(mark in line for mark in ("virtio-blk", "req.", "nvme")):
            taken |= {core for core, count in zip(heads, words[1:]) if count.isdigit() and int(count)}
    free = [core for core in usable if core not in taken] or usable
    poller = free[0]
    sender = next((core for core in reversed(usable) if core != poller), poller)
    return poller, sender


def core_to_core():
    poller, sender = cores()
    return float(run(BUILD / "perf/c2c", poller, sender, 30).stdout)


def pairs(first, second, count=PAIRS):
    """Interleaves two legs; gives their values for pairs in one mode, and the medians of all."""
    kept, tries = [], 0
    while len(kept) < count and tries < 2 * count:
        tries += 1
        before = core_to_core()
        a = first()
        b = second()
        after = core_to_core()
        if max(before, after) > MODE_RATIO * min(before, after) and 2 * count - tries >= count - len(kept):
            continue
        kept.append((a, b))
    return kept


def ratio_of(kept):
    return statistics.median(b / a for a, b in kept)


def target(name, value, goal, unit, at_least=True):
    return {"name": name, "value": round(value, 4), "target": goal, "unit": unit,
            "holds": bool(value >= goal if at_least else value <= goal)}


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in text.splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2 ** 30)}


def write(name, targets, **more):
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    path.write_text(json.dumps({"name": name, "machine": machine(), "targets": targets, **more},
                               indent=2) + "\n")
    for entry in targets:
        say(f"  {'ok  ' if entry['holds'] else 'MISS'} {entry['name']}: {entry['value']} "
            f"{entry['unit']} (target {entry['target']})")
    say(f"  -> {path.relative_to(REPO)}")


def quietly(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True,
                          **options)

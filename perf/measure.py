"""What the measuring programs share: interleaved pairs, the mode of the machine, and the files that
they leave in build/perf."""

import contextlib
import json
import os
import pathlib
import platform
import signal
import statistics
import sys
import time

REPO = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from tests.lib.harness import BUILD, run  # noqa: E402

OUT = REPO / "build" / "perf"
PAIRS = int(os.environ.get("PERF_PAIRS", "7"))
PAIRS_MIN = 5
# A pair whose legs saw core-to-core latencies that differ by more than this is dropped,
MODE_RATIO = 1.4
# and one before which others used more than this share of one core.
FOREIGN_MAX = 0.15


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
            taken |= {core for core, count in zip(heads, words[1:])
                      if count.isdigit() and int(count)}
    free = [core for core in usable if core not in taken] or usable
    poller = free[0]
    sender = next((core for core in reversed(usable) if core != poller), poller)
    return poller, sender


def core_to_core():
    poller, sender = cores()
    return float(run(BUILD / "perf/c2c", poller, sender, 30).stdout)


def busy_seconds():
    """Processor time of the whole machine: everything but idle and waiting for the drive."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = [int(field) for field in fields]
    return (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def process_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def foreign_share(seconds=0.25):
    """Of one core, what others use while nothing of ours runs."""
    before = busy_seconds()
    time.sleep(seconds)
    return (busy_seconds() - before) / seconds


@contextlib.contextmanager
def stopped(process):
    """A polling process is no load while something else is measured on its core."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


class Pairs:
    """Legs of two kinds, in turn. Each pair is framed by the latency between the cores; one whose
    legs saw different modes of the machine, or that ran beside somebody else's work, is dropped."""

    def __init__(self, first, second, count=PAIRS):
        self.kept, self.dropped, self.modes = [], 0, []
        for _ in range(2 * count):
            if len(self.kept) == count:
                break
            foreign = foreign_share()
            latency = [core_to_core()]
            a = first()
            latency.append(core_to_core())
            b = second()
            latency.append(core_to_core())
            if foreign > FOREIGN_MAX or max(latency) > MODE_RATIO * min(latency):
                self.dropped += 1
                continue
            self.kept.append((a, b))
            self.modes.append(statistics.median(latency))

    @property
    def enough(self):
        return len(self.kept) >= PAIRS_MIN

    @property
    def ratios(self):
        return [b / a for a, b in self.kept]

    @property
    def ratio(self):
        return statistics.median(self.ratios) if self.kept else 0.0

    def median(self, leg):
        return statistics.median(pair[leg] for pair in self.kept) if self.kept else 0.0

    def report(self):
        """For the JSON file."""
        spread = [abs(ratio - self.ratio) for ratio in self.ratios]
        return {"ratio": self.ratio, "pairs": len(self.kept), "pairs_dropped": self.dropped,
                "median_absolute_deviation": statistics.median(spread) if spread else None,
                "core_to_core_ns": self.modes, "first": [a for a, _ in self.kept],
                "second": [b for _, b in self.kept]}


def target(name, value, goal, unit, at_least=True, enough=True):
    """`enough` false: too few legs were comparable, so nothing is claimed."""
    holds = enough and (value >= goal if at_least else value <= goal)
    return {"name": name, "value": round(value, 4), "target": goal, "unit": unit,
            "holds": bool(holds)}


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

"""`make bench`: every measurement, one after the other, each with its targets in build/perf."""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from measure import BUILD, OUT, PAIRS, REPO, cores, run, say, target, write  # noqa: E402


def ring():
    say("\nring: a shard on one core, packets from memory, null volume")
    poller, _ = cores()
    done = json.loads(run(BUILD / "perf/ring", poller, PAIRS, timeout=120).stdout)
    for case in done["cases"]:
        say(f"  {case['name']}: {case['nanoseconds_per_message']:.1f} ns a message, "
            f"{case['messages_per_second'] / 1e6:.2f} M/s")
        if case["name"].startswith("line_") and case["name"][5:].isdigit():
            case["copy_crc_per_second"] = float(run(
                "taskset", "-c", poller, BUILD / "perf/copy_crc", case["name"][5:], 1).stdout)
            say(f"    {case['messages_per_second'] / case['copy_crc_per_second']:.2f} of a loop "
                "that only copies and checksums")
    packed = next(case for case in done["cases"] if "packed" in case["name"])
    write("ring", [target(f"{packed['name']}_rate", packed["messages_per_second"] / 1e6, 20,
                          "million messages/s")], cases=done["cases"])


def recovery():
    say("\nrecovery: a terabyte of segments")
    folder = REPO / "build" / "tmp" / "recovery"
    done = json.loads(run(BUILD / "perf/recovery", folder, 1000, timeout=300).stdout)
    write("recovery", [target("terabyte_clean", done["clean_seconds"], 2, "s", at_least=False),
                       target("terabyte_killed", done["killed_seconds"], 5, "s", at_least=False)],
          measured=done)


def program(name):
    say(f"\n{name}")
    program = REPO / "perf" / name / f"{name}.py"
    return subprocess.run([sys.executable, program], check=False).returncode


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.json"):  # a program that fails must not be told by an earlier run's file
        old.unlink()
    ring()
    recovery()
    codes = [program(name) for name in ("micro", "ingest", "pdp", "receivers")]
    say("\nAll targets")
    for path in sorted(OUT.glob("*.json")):
        for entry in json.loads(path.read_text())["targets"]:
            say(f"  {'ok  ' if entry['holds'] else 'MISS'} {path.stem}: {entry['name']} = "
                f"{entry['value']} {entry['unit']} (target {entry['target']})")
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Repeats what finds rare faults until the time is up or something fails: soak.py --seconds N.

A round gives simulation, crash tests and fuzzers each a share of the time, to fill with as many
seeds, kills and inputs as it holds; the next round begins with other seeds. A failure names
its seed and how to see it again; all that a program said is in build/soak-logs."""

import argparse
import os
import random
import sys
import time

import parts
import process
import report

LOGS = "build/soak-logs"
# Of a program's share; so a round ends, and the next one draws other seeds, within the hour.
SHARE_SECONDS_MAX = 900
# A program ends the case that it is at; what is slower than this hangs.
SLACK_SECONDS = 600
NO_LIMIT = 1 << 40
ROUNDS_AT_LEAST = 3  # that a soak is planned for


def programs():
    found = [program for part in parts.all_parts() if part.name in ("sim", "crash")
             for program in part.programs]
    return found + [parts.Program("fuzz", ["python3", "tests/run/fuzz.py", "--report", "{report}",
                                           "--total-seconds", "{seconds}"], "report")]


def environment(seed, seconds):
    return os.environ | {
        "PENSTOCK_BUILD": "build/release", "PYTHONPATH": os.getcwd(),
        # The simulation goes from seed to seed, the crash tests draw from the first one.
        "PENSTOCK_SEEDS": f"{seed}:{NO_LIMIT}", "PENSTOCK_CRASH_SEED": str(seed),
        "PENSTOCK_KILLS": str(NO_LIMIT), "PENSTOCK_CUTS": str(NO_LIMIT),
        "PENSTOCK_SOAK_SECONDS": str(seconds)}


def run(program, seed, seconds, figures):
    """Runs one program of a round; returns whether it held."""
    base = f"{LOGS}/{program.name}"
    command = [word.replace("{report}", base + ".json").replace("{seconds}", str(seconds))
               for word in program.command]
    reader = report.Reader(lambda text: print("  " + text, flush=True))
    with open(base + ".log", "w", encoding="utf-8", errors="replace") as log:
        def on_line(text):
            log.write(text + "\n")
            reader.line(text)
        outcome = process.run(command, seconds + SLACK_SECONDS, on_line, environment(seed, seconds))
    reader.flush()
    for line in reader.figures:
        name, cases, failed = report.figure(line)
        done = figures.setdefault(name, [0, 0])
        done[0] += cases
        done[1] += failed
    if outcome.code != 0 or outcome.timed_out:
        print(f"{program.name} failed with seed {seed}; all it said: {base}.log")
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=7200)
    options = parser.parse_args()
    process.adopt_orphans()
    os.makedirs(LOGS, exist_ok=True)
    deadline = time.monotonic() + options.seconds
    to_run, rounds, figures, held = programs(), 0, {}, True
    share_max = min(SHARE_SECONDS_MAX, options.seconds // (ROUNDS_AT_LEAST * len(to_run)))
    while held and (rounds == 0 or time.monotonic() < deadline):
        seed = random.getrandbits(48)
        rounds += 1
        print(f"round {rounds}: seed {seed}, {deadline - time.monotonic():.0f} s left", flush=True)
        for i, program in enumerate(to_run):
            share = int(deadline - time.monotonic()) // (len(to_run) - i)
            held &= run(program, seed, max(1, min(share, share_max)), figures)
    print("\nin all rounds:")
    for name, (cases, failed) in figures.items():
        print(f"FIGURE name=soak_{name} cases={cases} failed={failed}")
    print(f"FIGURE name=soak_rounds cases={rounds} failed={0 if held else 1}")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()

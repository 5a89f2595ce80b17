"""Repeats what finds rare faults until the time is up or something fails: soak.py --seconds N.

Each round gives the simulation a new seed (PENSTOCK_SEED), runs the crash tests, and then every
tests/soak/*_test.py with PENSTOCK_SOAK_SECONDS to fill. The seed of a failing round is printed."""

import argparse
import glob
import os
import random
import sys
import time

import parts
import process
import report

LOGS = "build/soak-logs"
PROGRAM_TIMEOUT_S = 3600


def programs():
    wanted = [part for part in parts.all_parts() if part.name in ("sim", "crash")]
    found = [program for part in wanted for program in part.programs]
    for path in sorted(glob.glob("tests/soak/*_test.py")):
        command = ["python3", "tests/run/pyunit.py", path, "{report}"]
        found.append(parts.Program(os.path.basename(path).removesuffix(".py"), command, "report"))
    return found


def run(program, seed, fill_s):
    """Runs one program of a round; returns whether it held."""
    base = f"{LOGS}/{program.name}"
    command = [word.replace("{report}", base + ".json") for word in program.command]
    env = os.environ | {"PENSTOCK_BUILD": "build/release", "PYTHONPATH": os.getcwd(),
                        "PENSTOCK_SEED": str(seed), "PENSTOCK_SOAK_SECONDS": str(fill_s)}
    reader = report.Reader(lambda text: print("  " + text, flush=True))
    with open(base + ".log", "w", encoding="utf-8", errors="replace") as log:
        def on_line(text):
            log.write(text + "\n")
            reader.line(text)
        outcome = process.run(command, fill_s + PROGRAM_TIMEOUT_S, on_line, env)
    reader.flush()
    if outcome.code != 0 or outcome.timed_out:
        print(f"again: PENSTOCK_SEED={seed} {' '.join(program.command)}; all it said: {base}.log")
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=7200)
    options = parser.parse_args()
    process.adopt_orphans()
    os.makedirs(LOGS, exist_ok=True)
    deadline = time.monotonic() + options.seconds
    to_run, rounds = programs(), 0
    if not to_run:
        sys.exit("soak: nothing to run")
    while rounds == 0 or time.monotonic() < deadline:
        seed = random.getrandbits(63)
        left_s = max(1, int(deadline - time.monotonic()))
        print(f"round {rounds + 1}: seed {seed}, {left_s} s left", flush=True)
        if not all([run(program, seed, min(left_s, options.seconds // 4)) for program in to_run]):
            sys.exit(1)
        rounds += 1
    print(f"FIGURE soak: {rounds} rounds held for {options.seconds} s")


if __name__ == "__main__":
    main()

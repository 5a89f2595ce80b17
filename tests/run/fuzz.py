"""Runs the fuzzers in build/asan/fuzz, two at a time: fuzz.py --seconds N [--report FILE] [NAME...]

Seeds in tests/fuzz/corpus/NAME are only read; what a fuzzer finds worth keeping goes to
build/asan/fuzz/corpus/NAME, what makes it fail to build/asan/fuzz/failures/NAME-*. A fuzzer is one
test."""

import argparse
import glob
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import report
from report import FAILED, PASSED, Test

BUILD = "build/asan/fuzz"
# Beyond these an input counts as a failure: nothing that a port can bring may cost more.
INPUT_SECONDS_MAX = 10
MEMORY_MIB_MAX = 2048
# What a fuzzer may take to load its seeds and to report, on top of its time.
SLACK_SECONDS = 120

ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "ASAN_SYMBOLIZER_PATH": "/usr/lib/llvm-19/bin/llvm-symbolizer",
}


def all_names():
    sources = glob.glob("tests/fuzz/*_fuzz.cc")
    return sorted(os.path.basename(source).removesuffix("_fuzz.cc") for source in sources)


def command(name, seconds):
    found = f"{BUILD}/corpus/{name}"
    os.makedirs(found, exist_ok=True)
    os.makedirs(f"{BUILD}/failures", exist_ok=True)
    line = [f"{BUILD}/{name}", f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS_MAX}",
            f"-rss_limit_mb={MEMORY_MIB_MAX}", f"-artifact_prefix={BUILD}/failures/{name}-",
            "-print_final_stats=1", "-verbosity=0"]
    if os.path.exists(f"tests/fuzz/{name}.dict"):
        line.append(f"-dict=tests/fuzz/{name}.dict")
    seeds = f"tests/fuzz/corpus/{name}"
    return line + [found] + ([seeds] if os.path.isdir(seeds) else [])


def fuzz(name, seconds):
    """Runs one fuzzer; returns the test, how many inputs it tried and what it said."""
    start = time.monotonic()
    try:
        done = subprocess.run(command(name, seconds), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=seconds + SLACK_SECONDS, check=False,
                              env=os.environ | ENVIRONMENT)
        code, output = done.returncode, done.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        code, output = None, (late.stderr or b"").decode(errors="replace")
        output += f"\nstill running after {seconds + SLACK_SECONDS} s: killed"
    except OSError as error:
        code, output = None, str(error)
    taken = time.monotonic() - start
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
    inputs = int(runs.group(1)) if runs else 0
    if code == 0 and inputs > 0:
        return Test(name, PASSED, taken), inputs, f"{inputs} inputs"
    artifact = re.search(r"Test unit written to (\S+)", output)
    if artifact:
        output += f"\nreplay: {BUILD}/{name} {artifact.group(1)}"
    reason = "a failing input was found" if artifact else "did not run"
    return Test(name, FAILED, taken, reason), inputs, output


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=40, help="for each fuzzer")
    parser.add_argument("--total-seconds", type=int, help="for all of them together")
    parser.add_argument("--report", help="write what happened to this file")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*", help="fuzzers; default: all")
    options = parser.parse_args()

    names = options.names or all_names()
    seconds = options.seconds
    if options.total_seconds:
        seconds = max(1, options.total_seconds * options.jobs // len(names))
    tests, total = [], 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for test, inputs, said in pool.map(lambda name: fuzz(name, seconds), names):
            report.print_start(test.name)
            print(said)
            report.print_end(test)
            tests.append(test)
            total += inputs
    failed = sum(test.result == FAILED for test in tests)
    print(f"FIGURE name=fuzz_inputs cases={total} failed={failed}")
    if options.report:
        report.write(options.report, tests)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

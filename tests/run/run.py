#!/usr/bin/env python3
"""Runs every part of `make test` and counts what really happened.

ONLY_PARTS and SKIP_PARTS (names, separated by spaces or commas) choose parts, FUZZ_SECONDS sets the
time of a fuzzer, V=1 shows all output. Full output of every program is kept in build/test-logs. The
last line is `N passed, N failed, N skipped`; the exit code is not 0 when anything failed."""

import functools
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import parts
import process
import report
from report import FAILED, PASSED, SKIPPED, Test

LOGS = "build/test-logs"
FAILURES_SHOWN_MAX = 100
BUILD_TIMEOUT_S = 1200
MAKE_VARIABLES = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")


class PartResult:
    def __init__(self, part):
        self.part = part
        self.tests = []
        self.figures = []
        self.seconds = 0.0

    def count(self, result):
        return sum(test.result == result for test in self.tests)


def show(text):
    print("  " + text, flush=True)


def failure(name, reason):
    show(f"FAILED  {name}: {reason}")
    return Test(name, FAILED, reason=reason)


def chosen(all_parts):
    def names(variable):
        wanted = re.split(r"[\s,]+", os.environ.get(variable, "").strip())
        unknown = set(filter(None, wanted)) - {part.name for part in all_parts}
        if unknown:
            sys.exit(f"{variable} names no part: {', '.join(unknown)}; "
                     f"parts are {', '.join(part.name for part in all_parts)}")
        return set(filter(None, wanted))

    only, skip = names("ONLY_PARTS"), names("SKIP_PARTS")
    return [part for part in all_parts if (not only or part.name in only) and part.name not in skip]


def build(result):
    """Builds what the part needs; False when that fails."""
    part = result.part
    log_path = f"{LOGS}/{part.name}-build.log"
    command = ["make", "--keep-going", f"BUILD={part.build}", *part.goals]
    # The make that started us has its own job slots, which are not ours to use.
    env = {key: value for key, value in os.environ.items() if key not in MAKE_VARIABLES}
    with open(log_path, "w", encoding="utf-8") as log:
        def on_line(text):
            log.write(text + "\n")
            show(text.strip() if text.startswith("  ") else text)
        outcome = process.run(command, BUILD_TIMEOUT_S, on_line, env)
    if outcome.timed_out:
        result.tests.append(failure(f"{part.name}.build", f"not done after {BUILD_TIMEOUT_S} s"))
    elif outcome.code != 0:
        result.tests.append(
            failure(f"{part.name}.build", f"`{' '.join(command)}` failed, see {log_path}"))
    return outcome.code == 0 and not outcome.timed_out


def listed_tests(program):
    """The tests a GoogleTest program has, as it says itself; none when it cannot say."""
    try:
        done = subprocess.run(program.command + ["--gtest_list_tests"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False,
                              env=os.environ | program.env)
    except (OSError, subprocess.TimeoutExpired):
        return []
    suite, names = "", []
    for line in done.stdout.splitlines():
        name = line.partition("#")[0].rstrip()
        if line.startswith("  "):
            names.append(suite + name.strip())
        elif name.endswith("."):
            suite = name
    return names


def without_aslr(program):
    """ThreadSanitizer of g++ 12 cannot start where the kernel randomises addresses more than it
    foresaw."""
    if "TSAN_OPTIONS" not in program.env:
        return program.command
    setarch = ["setarch", "--addr-no-randomize"]
    works = subprocess.run(setarch + ["true"], capture_output=True, check=False).returncode == 0
    return setarch + program.command if works else program.command


def reported(program, reader, outcome, report_path):
    """The tests of a program that has ended: from its report, or from what it said until then."""
    if os.path.exists(report_path):
        read = report.gtest_results if program.kind == "gtest" else report.read
        tests = read(report_path)
        reason = {test.name: test.reason for test in reader.tests}
        for test in tests:
            test.reason = test.reason or reason.get(test.name, "")
    else:
        tests = list(reader.tests)
    has_failed = any(test.result == FAILED for test in tests)
    if outcome.timed_out and not has_failed:
        tests.append(Test(program.name, FAILED, reason="was stopped"))
    elif outcome.code != 0 and not has_failed:
        reason = f"ended with code {outcome.code}, though no test failed"
        tests.append(Test(program.name, FAILED, reason=reason))
    if program.kind == "gtest" and not os.path.exists(report_path):
        seen = {test.name for test in tests}
        tests += [Test(name, FAILED, reason="not run: the program broke before")
                  for name in listed_tests(program) if name not in seen]
    return tests


def run_program(part, program, deadline):
    """The tests of the program and its figures."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        return [failure(program.name, f"not run: the part's {part.timeout_s} s were used up")], []
    timeout_s = left_s if len(part.programs) == 1 else min(left_s, program.timeout_s)
    base = f"{LOGS}/{part.name}-{program.name}"
    report_path = base + ".json"
    command = [word.replace("{report}", report_path) for word in without_aslr(program)]
    if program.kind == "gtest":
        command.append(f"--gtest_output=json:{report_path}")
    env = os.environ | {"PENSTOCK_BUILD": "build/release", "PYTHONDONTWRITEBYTECODE": "1",
                        "PYTHONPATH": os.getcwd()} | program.env
    reader = report.Reader(show, verbose=os.environ.get("V") == "1")
    with open(base + ".log", "w", encoding="utf-8", errors="replace") as log:
        def on_line(text):
            log.write(text + "\n")
            reader.line(text)
        try:
            outcome = process.run(command, timeout_s, on_line, env)
        except OSError as error:
            return [failure(program.name, f"cannot be started: {error}")], []
    reader.flush()
    if outcome.timed_out:
        show(f"STOPPED {program.name}: not done after {timeout_s:.0f} s")
    for line in outcome.left_behind:
        show(f"warning: {program.name} left a process running, ended now: {line[:200]}")
    tests = reported(program, reader, outcome, report_path)
    shown = {test.name for test in reader.tests}
    for test in tests:
        if test.result == FAILED and test.name not in shown:
            show(f"FAILED  {test.name}: {test.reason}")
    counts = [sum(test.result == kind for test in tests) for kind in (PASSED, FAILED, SKIPPED)]
    show("{}: {} passed, {} failed, {} skipped in {:.1f} s".format(
        program.name, *counts, outcome.seconds))
    if counts[1]:
        again = [word for word in program.command if word not in ("--report", "{report}")]
        show(f"again: {' '.join(again)}; all it said: {base}.log")
    return tests, reader.figures


def begin_worker():
    """It answers for what its program leaves behind. On Ctrl-C its parent tells it to end."""
    process.adopt_orphans()
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def run_programs(part):
    """What run_program says of each, as they end."""
    run = functools.partial(run_program, part, deadline=time.monotonic() + part.timeout_s)
    if part.at_once == 1:
        yield from map(run, part.programs)
        return
    with multiprocessing.Pool(part.at_once, begin_worker) as pool:
        yield from pool.imap_unordered(run, part.programs)


def run_part(part):
    result = PartResult(part)
    start = time.monotonic()
    print(f"\n== {part.name}: {part.what}", flush=True)
    if not part.programs:
        show("no sources: nothing to run")
        return result
    if build(result):
        for tests, figures in run_programs(part):
            result.tests += tests
            result.figures += figures
        if not result.tests:
            result.tests.append(failure(part.name, "has sources, but not one test was executed"))
    result.seconds = time.monotonic() - start
    return result


def summarise(results):
    if any(result.figures for result in results):
        print("\n== figures")
        for result in results:
            for line in result.figures:
                print(f"  [{result.part.name}] {line}")
    failures = [f"  [{result.part.name}] {test.name}{': ' + test.reason if test.reason else ''}"
                for result in results for test in result.tests if test.result == FAILED]
    if failures:
        print("\n== failed")
        print("\n".join(failures[:FAILURES_SHOWN_MAX]))
    print(f"\n  {'part':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for result in results:
        print(f"  {result.part.name:<12} {result.count(PASSED):>7} {result.count(FAILED):>7} "
              f"{result.count(SKIPPED):>8} {result.seconds:>8.1f}")
    passed, failed, skipped = (sum(result.count(kind) for result in results)
                               for kind in (PASSED, FAILED, SKIPPED))
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return failed == 0 and passed > 0


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    process.adopt_orphans()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: ends what is running
    results = []
    all_parts = chosen(parts.all_parts())
    shutil.rmtree(LOGS, ignore_errors=True)
    os.makedirs(LOGS)
    try:
        for part in all_parts:
            results.append(run_part(part))
    except KeyboardInterrupt:
        print("\ninterrupted; what was running has been ended")
        sys.exit(130)
    sys.exit(0 if summarise(results) else 1)


if __name__ == "__main__":
    main()

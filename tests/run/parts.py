"""The parts of `make test`: what each is made of, what is built for it, how long it may take."""

import glob
import os
from dataclasses import dataclass, field

LIBRARIES = ("base", "storage", "dataplane", "control")


@dataclass
class Program:
    """One program of a part. kind: gtest, or report when it writes what report.py describes; then
    {report} in its command stands for the file to write."""

    name: str
    command: list
    kind: str
    env: dict = field(default_factory=dict)
    timeout_s: int = 300  # beside others; alone it has all of its part's time


@dataclass
class Part:
    name: str
    what: str
    timeout_s: int  # for all of its programs together; building is not counted
    programs: list = field(default_factory=list)
    build: str = "release"
    goals: list = field(default_factory=list)
    at_once: int = 1  # programs that run side by side: none of them needs a core to itself


SANITIZER_ENV = {
    "asan": {
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:"
                        "check_initialization_order=1",
        "LSAN_OPTIONS": "suppressions=tests/run/lsan.supp:print_suppressions=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    },
    "tsan": {
        "TSAN_OPTIONS": "suppressions=tests/run/tsan.supp:second_deadlock_stack=1:history_size=4",
    },
}


def has(folder, pattern="*.cc"):
    return bool(glob.glob(f"{folder}/**/{pattern}", recursive=True))


def gtest_part(name, what, build, folders, timeout_s, at_once=1):
    """folders: pairs of source folder and program under build/BUILD/tests; one without sources is
    left out."""
    part = Part(name, what, timeout_s, build=build, at_once=at_once)
    for folder, binary in folders:
        if has(folder):
            path = f"build/{build}/tests/{binary}"
            part.goals.append(path)
            part.programs.append(Program(binary, [path], "gtest", SANITIZER_ENV.get(build, {})))
    return part


def python_programs(folder):
    return [Program(os.path.basename(path).removesuffix(".py"),
                    ["python3", "tests/run/pyunit.py", path, "{report}"], "report")
            for path in sorted(glob.glob(f"tests/{folder}/*_test.py"))]


def python_part(name, what, timeout_s, goals=()):
    return Part(name, what, timeout_s, programs=python_programs(name), goals=["all", *goals])


def fuzz_part(seconds):
    part = Part("fuzz", "fuzzers, a short while each", 600, build="asan", goals=["fuzzers"])
    if has("tests/fuzz", "*_fuzz.cc"):
        run = ["python3", "tests/run/fuzz.py", "--seconds", str(seconds), "--report", "{report}"]
        part.programs.append(Program("fuzz", run, "report"))
    return part


def tidy_part():
    # From scratch some six minutes on two cores, most of it clang-tidy, which judges the product
    # here and with `make tidy` the tests too; then only what changed.
    part = Part("tidy", "the rules of the house", 720, goals=["all"])
    run = ["python3", "tests/tidy/tidy.py", "--report", "{report}"]
    tidy = Program("tidy", run, "report", {"TIDY_SCOPE": "product"}, timeout_s=660)
    part.programs = [tidy, *python_programs("tidy")]
    return part


def all_parts():
    units = {library: (f"tests/unit/{library}", f"unit_{library}") for library in LIBRARIES}
    sim = ("tests/sim", "sim")
    crash = gtest_part("crash", "crashes at chosen and at random points", "release",
                       [("tests/crash", "crash")], 900)
    for program in crash.programs:
        program.timeout_s = 600
    crash.programs += python_programs("crash")
    crash.goals.append("all")
    return [
        gtest_part("unit", "unit tests", "release", units.values(), 240,
                   at_once=2),
        tidy_part(),
        gtest_part("asan", "unit tests and simulation, address and undefined-behaviour sanitizers",
                   "asan", [*units.values(), sim], 420, at_once=2),
        gtest_part("tsan", "unit tests of what has threads, thread sanitizer", "tsan",
                   [units["base"], units["storage"], units["dataplane"]], 300),
        gtest_part("sim", "whole nodes in one thread under seeds", "release", [sim], 240),
        crash,
        python_part("integration", "the programs as a user runs them", 480),
        python_part("interop", "against programs of other makers", 300, ["peers"]),
        fuzz_part(os.environ.get("FUZZ_SECONDS", "5")),
    ]

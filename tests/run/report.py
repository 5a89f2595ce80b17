"""What a test program did, test by test: the form in which every kind of program answers to run.py.

A report is a JSON file {"tests": [{"name", "result", "seconds", "reason"}]}; result is passed,
failed or skipped. On the way, a program prints GoogleTest's marks: one reader follows them all."""

import json
import re
from dataclasses import asdict, dataclass

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

MARKS = {PASSED: "[       OK ]", FAILED: "[  FAILED  ]", SKIPPED: "[  SKIPPED ]"}
RUN_MARK = "[ RUN      ] "
RESULT_OF = {"      OK": PASSED, " FAILED ": FAILED, " SKIPPED": SKIPPED}
FIGURE = re.compile(r"FIGURE name=(\w+) cases=(\d+) failed=(\d+)$")
END_MARK = re.compile(r"\[ (      OK| FAILED | SKIPPED) \] (\S+).*\((\d+) ms\)$")


@dataclass
class Test:
    name: str
    result: str
    seconds: float = 0.0
    reason: str = ""


def write(path, tests):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"tests": [asdict(test) for test in tests]}, file, indent=1)


def read(path):
    with open(path, encoding="utf-8") as file:
        return [Test(**test) for test in json.load(file)["tests"]]


def figure(line):
    """Name, cases and failed of a counted proof; fails when the line is not of that form."""
    name, cases, failed = FIGURE.match(line).groups()
    return name, int(cases), int(failed)


def print_start(name):
    print(RUN_MARK + name, flush=True)


def print_end(test):
    print(f"{MARKS[test.result]} {test.name} ({test.seconds * 1000:.0f} ms)", flush=True)


def gtest_results(path):
    """The same out of GoogleTest's own JSON."""
    with open(path, encoding="utf-8") as file:
        suites = json.load(file)["testsuites"]
    tests = []
    for suite in suites:
        for case in suite["testsuite"]:
            name = f"{suite['name']}.{case['name']}"
            seconds = float(case["time"].rstrip("s"))
            if case.get("failures"):
                tests.append(Test(name, FAILED, seconds))
            elif case["status"] == "NOTRUN":
                tests.append(Test(name, SKIPPED, seconds, "disabled in the source"))
            elif case["result"] == "SKIPPED":
                tests.append(Test(name, SKIPPED, seconds))
            else:
                tests.append(Test(name, PASSED, seconds))
    return tests


class Reader:
    """Follows a program's output. Keeps what a test prints until its result is known, and shows it
    only when the test did not simply pass; lines that begin with FIGURE are shown and kept."""

    SLOW_S = 5.0

    def __init__(self, show, verbose=False):
        self.show = show
        self.verbose = verbose
        self.figures = []
        self.tests = []  # as far as the output tells; a report file tells more
        self.running = None
        self.held = []

    def line(self, text):
        if text.startswith("FIGURE "):
            self.figures.append(text)
        if self.verbose or text.startswith("FIGURE "):
            self.show(text)
            if not self.running:
                return
        if text.startswith(RUN_MARK):
            self.flush()
            self.running = text[len(RUN_MARK):].split(" ")[0]
            return
        end = END_MARK.search(text) if self.running else None
        if end and end.group(2).rstrip(",") == self.running:
            self.held.append(text[: end.start()])
            self.finish(RESULT_OF[end.group(1)], int(end.group(3)) / 1000)
        elif self.running:
            self.held.append(text)
        elif not self.verbose and not is_chatter(text):
            self.show(text)

    def finish(self, result, seconds):
        said = [line for line in self.held if line.strip() and not line.startswith("FIGURE ")]
        reason = " ".join(said[-1:]) if result == SKIPPED else ""
        self.tests.append(Test(self.running, result, seconds, reason))
        if not self.verbose:
            if result == FAILED:
                self.show(f"FAILED  {self.running} ({seconds:.1f} s)")
                for line in said:
                    self.show("    " + line)
            elif result == SKIPPED:
                self.show(f"skipped {self.running}: {reason or 'no reason given'}")
            elif seconds >= self.SLOW_S:
                self.show(f"ok      {self.running} ({seconds:.1f} s)")
        self.running, self.held = None, []

    def flush(self):
        """The output ended, or another test began, in the middle of a test."""
        if self.running:
            self.show(f"BROKEN  {self.running} did not finish; it said:")
            for line in self.held:
                self.show("    " + line)
            self.tests.append(Test(self.running, FAILED, reason="did not finish"))
        self.running, self.held = None, []


# GoogleTest's frame around the tests: run.py prints its own.
CHATTER = ("[==========]", "[----------]", "[  PASSED  ]", "[  FAILED  ]", "[  SKIPPED ]",
           "[ DISABLED ]", "Note: ", "Running main()", "YOU HAVE")


def is_chatter(text):
    text = text.strip()
    return not text or text.startswith(CHATTER) or text.endswith(("FAILED TEST", "FAILED TESTS"))

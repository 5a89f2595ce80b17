"""Runs one file of unittest tests: pyunit.py FILE [REPORT]. Every test is counted, also those that
never ran because their class or module could not be set up."""

import importlib.util
import os
import sys
import time
import traceback
import unittest

import report
from report import FAILED, PASSED, SKIPPED, Test


class Result(unittest.TestResult):
    """Turns unittest's callbacks into one Test a test."""

    def __init__(self, tests):
        super().__init__()
        self.done = []
        self.started_s = 0.0
        self.result = None
        self.reason = ""
        # How many tests stand or fall with setUpClass (module.Class) and setUpModule (module).
        self.size_of = {}
        for test in tests:
            cls = type(test)
            for owner in (f"{cls.__module__}.{cls.__qualname__}", cls.__module__):
                self.size_of[owner] = self.size_of.get(owner, 0) + 1

    def startTest(self, test):
        super().startTest(test)
        self.started_s, self.result, self.reason = time.monotonic(), PASSED, ""
        report.print_start(name_of(test))

    def stopTest(self, test):
        super().stopTest(test)
        if self.result == SKIPPED:
            print(self.reason)
        seconds = time.monotonic() - self.started_s
        self.done.append(Test(name_of(test), self.result, seconds, self.reason))
        report.print_end(self.done[-1])

    def fail(self, test, error):
        text = "".join(traceback.format_exception(*error))
        if isinstance(test, unittest.TestCase) or hasattr(test, "test_case"):
            self.result = FAILED
            print(text, flush=True)
        else:
            self.fixture(test, FAILED, text)

    def fixture(self, holder, result, text):
        """setUpClass and its like: their tests are not run, and must not vanish from the count."""
        what, _, owner = holder.id().partition(" ")
        count = self.size_of.get(owner.strip("()"), 1) if what.startswith("setUp") else 1
        for number in range(count):
            name = f"{holder.id()}#{number}".replace(" ", "")
            test = Test(name, result, 0.0, text.splitlines()[-1])
            report.print_start(test.name)
            print(text if number == 0 else test.reason, flush=True)
            report.print_end(test)
            self.done.append(test)

    def addError(self, test, err):
        self.fail(test, err)

    def addFailure(self, test, err):
        self.fail(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            print(f"in {subtest}:")
            self.fail(test, err)

    def addSkip(self, test, reason):
        if not isinstance(test, unittest.TestCase) and not hasattr(test, "test_case"):
            self.fixture(test, SKIPPED, reason)
        elif self.result != FAILED:
            self.result, self.reason = SKIPPED, reason

    def addUnexpectedSuccess(self, test):
        self.result = FAILED
        print("passed, but is marked as an expected failure", flush=True)


def name_of(test):
    return test.id().removeprefix("__main__.")


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def load(path):
    name = os.path.splitext(os.path.basename(path))[0]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    sys.argv = [path]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def main():
    path, out = (sys.argv + [os.devnull])[1:3]
    try:
        suite = load(path)
    except unittest.SkipTest as skip:
        tests = [Test(path, SKIPPED, 0.0, str(skip))]
        report.print_start(path)
        print(skip)
    except Exception:  # whatever it is, this file's tests cannot run
        tests = [Test(path, FAILED, 0.0, "cannot be loaded")]
        report.print_start(path)
        traceback.print_exc()
        sys.stderr.flush()
    else:
        result = Result(flatten(suite))
        suite.run(result)
        report.write(out, result.done)
        sys.exit(any(test.result == FAILED for test in result.done))
    report.print_end(tests[0])
    report.write(out, tests)
    sys.exit(tests[0].result == FAILED)


if __name__ == "__main__":
    main()

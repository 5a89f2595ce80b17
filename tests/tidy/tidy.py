#!/usr/bin/env python3
"""Checks the rules of the house: tidy.py [--report FILE] [RULE...]; without names, all of them.

A finding is `file:line: what is wrong; what to do`. Where a text rule is wrong for one line, write
`tidy: allow(RULE): why` on it or above it."""

import argparse
import os
import sys
import time

import docs_in_sync
import rules_docs
import rules_house
import rules_text
import rules_tools
import tree

sys.path.insert(0, os.path.join(tree.ROOT, "tests", "run"))
import report  # noqa: E402  pylint: disable=wrong-import-position

FINDINGS_SHOWN_MAX = 50


def per_file(rule):
    """A rule on one file's text as a rule on the tree."""
    def on_tree():
        for path in tree.files():
            for finding in rule(path, tree.read(path)):
                if not tree.allowed(finding.path, finding.line, rule.__name__):
                    yield finding
    on_tree.__name__ = rule.__name__
    return on_tree


def unused_headers():
    return rules_house.unused_headers(tree.files(), tree.read)


def all_rules():
    texts = rules_text.RULES + rules_house.RULES + rules_docs.RULES
    return [*map(per_file, texts), unused_headers, *docs_in_sync.RULES, *rules_tools.RULES]


def check(rule):
    """Runs one rule and prints what it found."""
    name, start = "tidy." + rule.__name__, time.monotonic()
    report.print_start(name)
    result, reason = report.PASSED, ""
    try:
        findings = sorted({str(finding) for finding in rule()})
    except (docs_in_sync.CannotJudge, FileNotFoundError) as why:
        # What could not be checked does not hold.
        missing = isinstance(why, FileNotFoundError)
        findings = [f"{why.filename} is missing; make deps" if missing else str(why)]
    for finding in findings[:FINDINGS_SHOWN_MAX]:
        print(finding)
    if len(findings) > FINDINGS_SHOWN_MAX:
        print(f"... and {len(findings) - FINDINGS_SHOWN_MAX} more")
    if findings:
        result, reason = report.FAILED, f"{len(findings)} findings, first {findings[0]}"
    test = report.Test(name, result, time.monotonic() - start, reason)
    report.print_end(test)
    return test


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", help="write what happened to this file")
    parser.add_argument("rules", nargs="*", metavar="RULE")
    options = parser.parse_args()
    rules = {rule.__name__: rule for rule in all_rules()}
    unknown = [name for name in options.rules if name not in rules]
    if unknown:
        parser.error(f"no rule {', '.join(unknown)}; there are {', '.join(rules)}")
    tests = [check(rules[name]) for name in options.rules or rules]
    if options.report:
        report.write(options.report, tests)
    failed = sum(test.result == report.FAILED for test in tests)
    print(f"tidy: {len(tests) - failed} rules hold, {failed} broken")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

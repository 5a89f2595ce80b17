"""Rules about documents: titles, links, the changelog's form, well-formed manual pages."""

import os
import re
import subprocess

from tree import ROOT, Finding, numbered

LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
VERSION = re.compile(r"## \[(Unreleased\]$|\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$)")
CHANGE_KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def outside_fences(text):
    """Lines that are not part of a ``` block."""
    fenced = False
    for number, line in numbered(text):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def titles(path, text):
    if path.endswith(".md") and not text.startswith("# "):
        yield Finding(path, 1, "does not begin with a title; the first line is `# Title`")


def links(path, text):
    if not path.endswith(".md"):
        return
    for number, line in outside_fences(text):
        for target in LINK.findall(line):
            if re.match(r"[a-z]+:", target) or target.startswith("#"):
                continue
            file = os.path.join(ROOT, os.path.dirname(path), target.partition("#")[0])
            if not os.path.exists(file):
                yield Finding(path, number, f"link to {target}, which does not exist; correct it")


def changelog(path, text):
    if path != "CHANGELOG.md":
        return
    if "\n## [Unreleased]\n" not in text:
        yield Finding(path, 1, "no `## [Unreleased]` section; add it above the latest version")
    for number, line in numbered(text):
        if line.startswith("### ") and line[4:] not in CHANGE_KINDS:
            kinds = ", ".join(sorted(CHANGE_KINDS))
            yield Finding(path, number, f"`{line[4:]}` is no kind of change; use {kinds}")
        if line.startswith("## ") and not VERSION.match(line):
            yield Finding(path, number, "no version heading; write `## [1.2.3] - 2025-01-31`")


def manual_pages(path, text):
    del text
    if not re.match(r"docs/man/[^/]+\.[1-8]$", path):
        return
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], cwd=ROOT, check=False,
                          capture_output=True, text=True)
    for line in done.stdout.splitlines():
        match = re.search(r":(\d+):\d+: (.*)", line)
        if match:
            yield Finding(path, int(match.group(1)), f"{match.group(2)}; see mandoc(1)")


RULES = [titles, links, changelog, manual_pages]

"""Rules that another program checks: formatting, clang-tidy, headers alone, scripts."""

import os
import re
import subprocess

from tree import ROOT, Finding, code, files, first_line

CLANG_FORMAT = os.environ.get("CLANG_FORMAT", "clang-format-19")
DIAGNOSTIC = re.compile(r"^(?P<path>[^\s:]+):(?P<line>\d+):(?:\d+:)? "
                        r"(?:fatal )?(?:error|warning): (?P<text>.*)")


# Of the make that started us. Its job slots are not ours: with them all would wait for one core.
MAKE_VARIABLES = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")


def call(*command):
    env = {key: value for key, value in os.environ.items() if key not in MAKE_VARIABLES}
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, text=True, check=False,
                          env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def diagnostics(output, remedy=""):
    seen = set()
    lines = output.splitlines()
    for number, line in enumerate(lines):
        match = DIAGNOSTIC.match(line)
        if match and line not in seen:  # a header's come once for each file that includes it
            seen.add(line)
            path = os.path.normpath(os.path.join(ROOT, match["path"]))
            text = match["text"] + remedy
            if not path.startswith(ROOT):  # a system header against which ours offends: say where
                text += next((f" ({note})" for note in lines[number:] if ": note: " in note), "")
            yield Finding(path.removeprefix(ROOT + "/"), int(match["line"]), text)


def by_make(goal, remedy):
    """Checks of which `make` keeps a stamp for each file: only what changed is checked again."""
    done = call("make", "--keep-going", "BUILD=release", goal)
    found = list(diagnostics(done.stdout, remedy))
    if done.returncode != 0 and not found:
        found.append(Finding("Makefile", 1, f"`make {goal}` failed: {done.stdout[-2000:]}"))
    return found


def clang_format():
    found = set()
    for start in range(0, len(code()), 50):
        batch = code()[start:start + 50]
        done = call(CLANG_FORMAT, "--dry-run", "--Werror", "--ferror-limit=1", *batch)
        for finding in diagnostics(done.stdout):
            found.add((finding.path, finding.line))
        if done.returncode != 0 and not found:
            yield Finding(".clang-format", 1, done.stdout[:500])
    for path, line in sorted(found):
        yield Finding(path, line, "not formatted; `make format`")


def in_scope(goal):
    return goal + "-product" if os.environ.get("TIDY_SCOPE") == "product" else goal


def clang_tidy():
    return by_make(in_scope("tidy-clang"), "")


def headers_stand_alone():
    return by_make(in_scope("tidy-headers"), "; include what the header uses")


def shell_scripts():
    for path in files():
        if path.endswith(".sh") or re.match(r"#!.*\b(ba)?sh\b", first_line(path)):
            done = call("shellcheck", "--severity=warning", "--format=gcc", path)
            yield from diagnostics(done.stdout, "; see shellcheck(1)")
            if done.returncode > 1:
                yield Finding(path, 1, done.stdout[:500])


def python_compiles():
    for path in files():
        if path.endswith(".py"):
            try:
                with open(os.path.join(ROOT, path), "rb") as file:
                    compile(file.read(), path, "exec")
            except SyntaxError as error:
                yield Finding(path, error.lineno or 1, f"{error.msg}; python3 refuses the file")


RULES = [clang_format, headers_stand_alone, clang_tidy, shell_scripts, python_compiles]

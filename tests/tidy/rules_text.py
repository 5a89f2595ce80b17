"""Rules about the text of files: sizes, words, calls, permissions. Each takes a path and a text."""

import os
import re

from tree import (CODE, FOREIGN, LIBRARIES, ROOT, Finding, first_line, in_folder, includes,
                  is_code_or_script, numbered, only_code)

LINES_MAX = 400
COLUMNS_MAX = 100  # of C++, Python, shell and the Makefile; tables of Markdown cannot be broken
BYTES_MAX = 512 * 1024

# Written so that this file does not break its own rules.
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:wo" r"rk|fa" r"rm|home)/\w")
SILENCED_WELL = re.compile(r"NOLINT(NEXTLINE|BEGIN)?\([^)]+\): \S")
ISSUE_WORDS = re.compile(r"\bissue\s+#\d+", re.IGNORECASE)

LOOP_FOLDERS = tuple(f"dataplane/{name}" for name in
                     ("shard", "frame", "door", "subject", "rule", "ledger", "port", "deliver"))

# What is banned, in which folders ("" is everywhere), where not, and what to use instead.
BANNED = [
    (r"\b(strcpy|strcat|strncpy|strtok|gets)\s*\(", ("",), (), "std::string_view and std::copy"),
    (r"\b(v?sprintf)\s*\(", ("",), (), "fmt::format_to_n"),
    (r"\b(atoi|atol|atof|strtol|strtoul|sscanf)\s*\(", ("",), (),
     "std::from_chars, which tells errors"),
    (r"(?<![\w.>])(system|popen|setjmp|longjmp|vfork)\s*\(", ("",), (),
     "posix_spawn for programs, Result for errors"),
    (r"\btypedef\b", ("",), (), "using NAME ="),
    (r"\bassert\s*\(", ("",), (), "CHECK, which stays on in release"),
    (r"\busing\s+namespace\s+std\b", ("",), (), "the name with std::"),
    (r"\bstd::(recursive_|shared_|timed_)?mutex\b|\bstd::condition_variable|\bpthread_mutex|"
     r"\brte_(spinlock|rwlock)_", LOOP_FOLDERS, (),
     "the shard's mailbox or RCU: the loop takes no lock"),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w:.>])sleep\s*\(",
     ("base", "storage", "dataplane"), ("base/clock.cc",),
     "Clock, or a timer of the ring: nothing may block"),
    (r"\b(system|steady|high_resolution)_clock::now\b|\b(clock_gettime|gettimeofday)\s*\(",
     ("base", "storage", "dataplane"), ("base/clock.cc", "base/clock.h"),
     "the Clock that is passed in"),
    (r"\bstd::(random_device|mt19937\w*|default_random_engine)\b|(?<![\w:.>])rand\s*\(",
     ("base", "storage", "dataplane"), ("base/rng.cc", "base/rng.h"), "the Rng that is passed in"),
    # The C interface keeps what the standard library throws from other people's programs.
    (r"\bthrow\b|\btry\b\s*\{", ("base", "storage", "dataplane"),
     ("dataplane/client/penstock_c.cc",), "Result: errors are values"),
    (r"\bsleep_for\b|\bsleep_until\b|\busleep\s*\(|\bnanosleep\s*\(", ("tests",), ("tests/lib",),
     "the polling helper in tests/lib: wait for what should happen, with a limit"),
]
BANNED_PYTHON = [
    (r"\btime\.sleep\s*\(|\bfrom time import .*\bsleep\b", ("tests",),
     ("tests/lib", "tests/run", "tests/demo"),
     "the polling helper in tests/lib: wait for what should happen, with a limit"),
    (r"\bos\.system\s*\(|\bshell\s*=\s*True", ("",), (), "subprocess.run with a list"),
]
BANNED_HEADERS = {
    "iostream": "fmt",
    "regex": "Hyperscan or a small parser: std::regex recurses by the length of its input",
    "cassert": "base/check.h",
    "assert.h": "base/check.h",
}


def file_length(path, text):
    if is_code_or_script(path) and text.count("\n") > LINES_MAX:
        lines = text.count("\n")
        yield Finding(path, LINES_MAX, f"{lines} lines, at most {LINES_MAX}; split it by noun")


def line_length(path, text):
    if is_code_or_script(path):
        for number, line in numbered(text):
            if len(line) > COLUMNS_MAX:
                yield Finding(path, number, f"{len(line)} columns, at most {COLUMNS_MAX}; break it")


def white_space(path, text):
    if not is_code_or_script(path):
        return
    for number, line in numbered(text):
        if line != line.rstrip():
            yield Finding(path, number, "white space at the end of the line; remove it")
        if "\t" in line and path != "Makefile":
            yield Finding(path, number, "a tab; use spaces")
    if text and not text.endswith("\n"):
        yield Finding(path, text.count("\n") + 1, "no newline at the end of the file; add one")


def leftovers(path, text):
    for number, line in numbered(text):
        match = LEFTOVER.search(line)
        if match:
            yield Finding(path, number, f"{match.group(1)} left over; do it, or say what is so now")


def private_words(path, text):
    for number, line in numbered(text):
        if MACHINE_PATH.search(line):
            yield Finding(path, number, "a path of one machine; use one from the root of the tree")
        if ISSUE_WORDS.search(line):
            yield Finding(path, number, "an issue's number; say the thing itself")


def banned_calls(path, text):
    python = path.endswith(".py")
    if not python and not path.endswith(CODE) or in_folder(path, *FOREIGN):
        return
    for number, line in numbered(text if python else only_code(text)):
        for pattern, folders, exempt, instead in BANNED_PYTHON if python else BANNED:
            inside = folders == ("",) or in_folder(path, *folders)
            match = re.search(pattern, line) if inside and not in_folder(path, *exempt) else None
            if match:
                called = match.group(0).strip()
                yield Finding(path, number, f"`{called}` is banned here; use {instead}")


def banned_headers(path, text):
    if path.endswith(CODE) and not in_folder(path, *FOREIGN):
        for number, _, header in includes(text):
            if header in BANNED_HEADERS:
                yield Finding(path, number, f"<{header}> is banned; use {BANNED_HEADERS[header]}")


def header_guard(path, text):
    if path.endswith(".h") and "\n#pragma once\n" not in "\n" + text:
        yield Finding(path, 1, "no #pragma once; add it below the opening comment")


def opening_comment(path, text):
    """Whoever opens a file is told first what it is for."""
    if path.endswith(".h") and not text.startswith(("//", "/*")):
        yield Finding(path, 1, "no opening comment; say in a sentence what the file is")


def silenced_with_reason(path, text):
    if not path.endswith(CODE):
        return
    for number, line in numbered(text):
        if "NOLINT" in line and "NOLINTEND" not in line and not SILENCED_WELL.search(line):
            yield Finding(path, number, "NOLINT without check or reason; write NOLINT(check): why")


def permissions(path, text):
    del text
    executable = os.access(os.path.join(ROOT, path), os.X_OK)
    script = first_line(path).startswith("#!")
    if script and not executable:
        yield Finding(path, 1, "begins with #! but is not executable; chmod +x")
    if executable and not script:
        yield Finding(path, 1, "is executable but is no script; chmod -x")


def blob_size(path, text):
    del text
    size = os.path.getsize(os.path.join(ROOT, path))
    if size > BYTES_MAX:
        yield Finding(path, 1, f"{size} bytes, at most {BYTES_MAX}; generate it or make it smaller")


RULES = [file_length, line_length, white_space, leftovers, private_words, banned_calls,
         banned_headers, header_guard, opening_comment, silenced_with_reason, permissions,
         blob_size]

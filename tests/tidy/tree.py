"""The files of the tree, and what every rule needs to look at them."""

import functools
import os
import re
import subprocess
from dataclasses import dataclass

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
CODE = (".cc", ".h")
SCRIPTS = (".py", ".sh")
LIBRARIES = ("base", "storage", "dataplane", "control")


@dataclass
class Finding:
    path: str
    line: int
    text: str  # what is wrong, and after a semicolon what to do about it

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


@functools.cache
def files():
    """Paths from the root of everything that is in git or would be added."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = set(listed.stdout.decode().split("\0"))
    else:  # a tree unpacked from an archive
        names = set()
        for folder, folders, found in os.walk(ROOT):
            folders[:] = [name for name in folders if name not in (".git", "build", "__pycache__")]
            names |= {os.path.relpath(os.path.join(folder, name), ROOT) for name in found}
    return sorted(name for name in names if os.path.isfile(os.path.join(ROOT, name)))


# Written as those who use the library would, in C and in their C++.
FOREIGN = ("docs/examples", "dataplane/client/penstock.h", "dataplane/client/penstock.hpp")


def code():
    return [path for path in files() if path.endswith(CODE)]


def is_code_or_script(path):
    # A script without a suffix has a first line that says so.
    return path.endswith(CODE + SCRIPTS) or path == "Makefile" or (
        "." not in os.path.basename(path) and first_line(path).startswith("#!"))


@functools.cache
def read(path):
    """The text of a file; what is not UTF-8 (a corpus, a capture) is empty."""
    try:
        with open(os.path.join(ROOT, path), encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError:
        return ""


def first_line(path):
    return read(path).partition("\n")[0]


def numbered(text):
    return enumerate(text.split("\n"), start=1)


# Comments, raw strings, strings and characters of C++, in the order in which they may begin.
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                      r"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'", re.DOTALL)


@functools.cache
def only_code(text):
    """C++ with comments and literals blanked out, line numbers kept. The names in #include stay."""
    def blank(match):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if text[line_start:match.start()].lstrip().startswith("#include"):
            return match.group(0)
        return re.sub(r"[^\n]", " ", match.group(0))
    return NOT_CODE.sub(blank, text)


INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def includes(text):
    """(line, "<" or '"', path) of every #include."""
    for number, line in numbered(only_code(text)):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def in_folder(path, *folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def allowed(path, line, rule):
    """Whether `tidy: allow(RULE): why` stands on the line or on the one above it."""
    lines = read(path).split("\n")
    return any(f"tidy: allow({rule}): " in text for text in lines[max(0, line - 2):line])

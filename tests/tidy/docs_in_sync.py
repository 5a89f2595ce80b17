"""Documents name what the program has, and nothing else.

The built `penstock` prints its names, one a line; each is looked for in its document, and where the
document lists names itself, each of those is looked for in the program."""

import os
import re
import subprocess

from tree import ROOT, Finding, numbered, read

PENSTOCK = "build/release/penstock"


class NotYet(Exception):
    """The rule cannot judge: why."""


def names_printed(*arguments):
    if not os.path.exists(os.path.join(ROOT, PENSTOCK)):
        raise NotYet(f"{PENSTOCK} is not built")
    done = subprocess.run([PENSTOCK, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, text=True, timeout=30)
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode != 0 or not names:
        raise NotYet(f"`penstock {' '.join(arguments)}` prints no names")
    return names


def document(path):
    if not os.path.exists(os.path.join(ROOT, path)):
        raise NotYet(f"{path} does not exist")
    return read(path)


def toml_keys(text):
    """Dotted keys with the line that sets them. A key commented out as an example counts too."""
    table, keys = "", {}
    for number, line in numbered(text):
        heading = re.match(r"#?\s?\[\[?([\w.\-]+)\]\]?\s*(#.*)?$", line)
        setting = re.match(r"#?\s?([\w\-]+(?:\.[\w\-]+)*)\s*=\s*\S", line)
        if heading:
            table = heading.group(1) + "."
        elif setting:
            keys.setdefault(table + setting.group(1), number)
    return keys


def table_names(text):
    """Names in backticks in the first column of the document's tables, with their lines."""
    names = {}
    for number, line in numbered(text):
        if line.lstrip().startswith("|"):
            for name in re.findall(r"`([^`]+)`", line.strip().strip("|").split("|")[0]):
                names.setdefault(re.sub(r"\{.*\}$", "", name), number)
    return names


def compare(path, documented, printed, command):
    for name in sorted(printed - set(documented)):
        yield Finding(path, 1, f"`{name}` is missing; `{command}` has it: describe it")
    for name in sorted(set(documented) - printed):
        yield Finding(path, documented[name], f"`{name}` is not in `{command}`; correct it")


def docs_config_keys():
    printed = {line.split()[0].replace("[]", "") for line in names_printed("config", "keys")}
    return compare("docs/penstock.toml", toml_keys(document("docs/penstock.toml")), printed,
                   "penstock config keys")


def docs_ledger_names():
    printed = {line.split()[0] for line in names_printed("ledger", "names")}
    return compare("docs/metrics.md", table_names(document("docs/metrics.md")), printed,
                   "penstock ledger names")


def docs_commands():
    page = document("docs/man/penstock.1").replace("\\-", "-")
    words = " ".join(re.sub(r"^\.\w+|\\f.", "", line) for line in page.split("\n"))
    words = re.sub(r"\s+", " ", words)
    for line in names_printed("help", "--all"):
        name = re.sub(r"\s+", " ", line.removeprefix("penstock "))
        if name not in words:
            yield Finding("docs/man/penstock.1", 1,
                          f"`{name}` is missing; `penstock help --all` has it: describe it")


RULES = [docs_config_keys, docs_ledger_names, docs_commands]

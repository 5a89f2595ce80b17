"""Documents name what the programs have, and nothing else.

The built programs print their names, one a line, and what they mean; each is looked for in its
document, and where the document lists names itself, each of those is looked for in the program.
Without the programs these rules are broken, not skipped."""

import json
import os
import re
import subprocess

import man_pages
from tree import ROOT, Finding, numbered, read

PENSTOCK = "build/release/penstock"


class CannotJudge(Exception):
    """Why the rule has nothing to compare, and what to do about it."""


def printed_by(program, *arguments):
    if not os.path.exists(os.path.join(ROOT, program)):
        raise CannotJudge(f"{program} is not built; run make")
    done = subprocess.run([program, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, text=True, timeout=30)
    if done.returncode != 0 or not done.stdout.strip():
        raise CannotJudge(f"`{program} {' '.join(arguments)}` ended with {done.returncode} and "
                          f"printed {len(done.stdout)} bytes; see what it says")
    return done.stdout


def names_printed(*arguments):
    return [line.strip() for line in printed_by(PENSTOCK, *arguments).splitlines() if line.strip()]


def document(path):
    if not os.path.exists(os.path.join(ROOT, path)):
        raise CannotJudge(f"{path} does not exist; write it")
    return read(path)


def toml_settings(text):
    """{dotted key: (the line that sets it first, its value)}. A key commented out as an example
    counts too."""
    table, keys = "", {}
    for number, line in numbered(text):
        heading = re.match(r"#?\s?\[\[?([\w.\-]+)\]\]?\s*(#.*)?$", line)
        setting = re.match(r"#?\s?([\w\-]+(?:\.[\w\-]+)*)\s*=\s*(\S.*?)\s*(#.*)?$", line)
        if heading:
            table = heading.group(1) + "."
        elif setting:
            keys.setdefault(table + setting.group(1), (number, setting.group(2)))
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


def config_keys():
    """{key: what `penstock config explain` says of it}."""
    keys = json.loads(printed_by(PENSTOCK, "config", "explain", "--format", "json"))
    return {key["key"]: key for key in keys}


def docs_config_keys():
    path, keys = "docs/penstock.toml", config_keys()
    settings = toml_settings(document(path))
    lines = {name: line for name, (line, _) in settings.items()}
    yield from compare(path, lines, set(keys), "penstock config explain")
    for name, (line, value) in settings.items():
        default = keys.get(name, {}).get("default")
        # Where the default is nothing, the file shows an example.
        if default not in (None, "", '""', "[]", value):
            yield Finding(path, line, f"`{name}` shows {value}; its default is {default}")


def docs_config_page():
    path, keys = "docs/man/penstock.toml.5", config_keys()
    described = {}
    for entry in man_pages.entries(document(path)):
        section = re.fullmatch(r"\[+(\w+)\]+", entry.section)
        if section:
            name, _, kind = entry.tag.partition(" ")
            described[f"{section.group(1)}.{name}"] = (entry.line, kind, entry.text)
    lines = {name: line for name, (line, *_) in described.items()}
    yield from compare(path, lines, set(keys), "penstock config explain")
    for name, (line, kind, text) in described.items():
        key = keys.get(name)
        if key is None:
            continue
        default = f", default {key['default']}" if key.get("default") else ""
        if kind != f"({key['type']}{default})":
            yield Finding(path, line, f"`{name}` is {kind}; write ({key['type']}{default})")
        if text != key["help"]:
            yield Finding(path, line, f"`{name}` is told otherwise than `penstock config explain` "
                                      f"does; write: {key['help']}")


def docs_ledger_names():
    printed = {line.split()[0] for line in names_printed("ledger", "names")}
    return compare("docs/metrics.md", table_names(document("docs/metrics.md")), printed,
                   "penstock ledger names")


def docs_commands():
    path = "docs/man/penstock.1"
    wanted = printed_by(PENSTOCK, "help", "--man").splitlines()
    for number, line in enumerate(document(path).splitlines(), start=1):
        if number > len(wanted) or line != wanted[number - 1]:
            yield Finding(path, number, "is not what `penstock help --man` prints; write that here")
            return
    if len(document(path).splitlines()) < len(wanted):
        yield Finding(path, 1, "ends before what `penstock help --man` prints; write that here")


def options_in_sync(path, program):
    described = man_pages.options(document(path))
    printed = man_pages.options_printed(printed_by(program, "--help"))
    lines = {name: entry.line for name, entry in described.items()}
    yield from compare(path, lines, set(printed), f"{program} --help")
    for name, entry in described.items():
        text, default = printed.get(name, ("", ""))
        told = re.sub(r"\s*\(default: [^)]*\)", "", entry.text)
        if not told.startswith(re.sub(r"\s*\(default: [^)]*\)", "", text)):
            yield Finding(path, entry.line, f"`{name}` is told otherwise than --help does; "
                                            f"write: {text}")
        default = default or "".join(re.findall(r"\(default: ([^)]*)\)", text))
        if default and f"(default: {default})" not in entry.text:
            yield Finding(path, entry.line, f"`{name}` does not say (default: {default})")


def docs_daemon_options():
    return options_in_sync("docs/man/penstockd.8", "build/release/penstockd")


def docs_blast_options():
    return options_in_sync("docs/man/penstock-blast.1", "build/release/penstock-blast")


RULES = [docs_config_keys, docs_config_page, docs_ledger_names, docs_commands, docs_daemon_options,
         docs_blast_options]

"""What a manual page describes: its entries (.TP), as plain text."""

import re
from dataclasses import dataclass

# Requests that set their words in another face, and are part of the text.
FACES = (".B ", ".I ", ".BR ", ".IR ")


@dataclass
class Entry:
    section: str
    tag: str
    text: str
    line: int


def plain(text):
    return re.sub(r"\\f.", "", text).replace("\\-", "-").replace("\\e", "\\")


def entries(page):
    """All entries, in order."""
    section, entry, tag_follows = "", None, False
    for number, line in enumerate(page.split("\n"), start=1):
        if line.startswith((".SH ", ".SS ")):
            if entry:
                yield entry
            section, entry = plain(line[4:]), None
        elif line.startswith(".TP"):
            if entry:
                yield entry
            entry, tag_follows = Entry(section, "", "", number + 1), True
        elif entry and tag_follows:
            entry.tag, tag_follows = plain(line), False
        elif entry and (not line.startswith(".") or line.startswith(FACES)):
            joined = line.startswith((".BR ", ".IR "))
            words = line.split(" ")[1:] if line.startswith(FACES) else line.split(" ")
            entry.text = f"{entry.text} {plain(('' if joined else ' ').join(words))}".strip()
    if entry:
        yield entry


def options(page):
    """{option: its entry} of the section OPTIONS."""
    return {name: entry for entry in entries(page) if entry.section == "OPTIONS"
            for name in re.findall(r"(?:^|[\s,])(--?[\w-]+)", entry.tag)}


def options_printed(help_text):
    """{option: (what it is for, its default or "")} of what CLI11 prints for --help."""
    names, found = [], {}
    for line in help_text.partition("\nOptions:\n")[2].split("\n"):
        head = re.match(r"  (-\S+)((?: \S+)*)(?:\s{2,}(.*))?$", line)
        if head:
            names = re.sub(r"\{.*?\}", "", head.group(1)).split(",")
            default = head.group(2).partition("=")[2]
            found.update({name: (head.group(3) or "", default) for name in names})
        elif line.strip() and names:
            for name in names:
                found[name] = (f"{found[name][0]} {line.strip()}".strip(), found[name][1])
    return found

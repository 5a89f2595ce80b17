"""Every rule of the house is shown something that breaks it and something that does not."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import docs_in_sync  # noqa: E402
import man_pages  # noqa: E402
import rules_docs  # noqa: E402
import rules_house  # noqa: E402
import rules_text  # noqa: E402
import tree  # noqa: E402

GOOD, BAD = True, False
# Written so that these examples do not break the rules in this file.
NOTE = "TO" "DO"
NAP = "sleep" "_for"

# rule, path, text, whether it holds
TABLE = [
    (rules_text.file_length, "base/a.cc", "x\n" * 400, GOOD),
    (rules_text.file_length, "base/a.cc", "x\n" * 401, BAD),
    (rules_text.file_length, "docs/a.md", "x\n" * 401, GOOD),
    (rules_text.line_length, "base/a.cc", "x" * 100, GOOD),
    (rules_text.line_length, "base/a.cc", "x" * 101, BAD),
    (rules_text.white_space, "base/a.cc", "int a;\n", GOOD),
    (rules_text.white_space, "base/a.cc", "int a; \n", BAD),
    (rules_text.white_space, "base/a.cc", "\tint a;\n", BAD),
    (rules_text.white_space, "base/a.cc", "int a;", BAD),
    (rules_text.leftovers, "base/a.cc", f"// {NOTE}: later\n", BAD),
    (rules_text.leftovers, "base/a.cc", f"// {NOTE}S are words too\n", GOOD),
    (rules_text.private_words, "docs/a.md", "see /wo" "rk/main\n", BAD),
    (rules_text.private_words, "docs/a.md", "under frame/wo" "rk/er\n", GOOD),
    (rules_text.private_words, "docs/a.md", "as issue " "#12 says\n", BAD),
    (rules_text.banned_calls, "storage/a.cc", "std::strcpy(a, b);\n", BAD),
    (rules_text.banned_calls, "storage/a.cc", "// strcpy(a, b) would be wrong\n", GOOD),
    (rules_text.banned_calls, "storage/a.cc", 'say("strcpy(a, b)");\n', GOOD),
    (rules_text.banned_calls, "storage/a.cc", "typedef int a;\n", BAD),
    (rules_text.banned_calls, "storage/a.cc", 'system("ls");\n', BAD),
    (rules_text.banned_calls, "storage/a.cc", 'std::system("ls");\n', BAD),
    (rules_text.banned_calls, "storage/a.cc", "file_system(a);\n", GOOD),
    (rules_text.banned_calls, "storage/a.cc", "static_assert(true);\n", GOOD),
    (rules_text.banned_calls, "dataplane/shard/a.cc", "std::mutex m;\n", BAD),
    (rules_text.banned_calls, "control/a.cc", "std::mutex m;\n", GOOD),
    (rules_text.banned_calls, "dataplane/shard/a.cc", "if (timer.sleep()) return;\n", GOOD),
    (rules_text.banned_calls, "storage/a.cc", "std::chrono::steady_clock::now();\n", BAD),
    (rules_text.banned_calls, "base/clock.cc", "clock_gettime(id, &t);\n", GOOD),
    (rules_text.banned_calls, "tests/sim/a.cc", f"std::this_thread::{NAP}(x);\n", BAD),
    (rules_text.banned_calls, "tests/lib/a.cc", f"std::this_thread::{NAP}(x);\n", GOOD),
    (rules_text.banned_calls, "tests/crash/a_test.py", "time." "sleep(1)\n", BAD),
    (rules_text.banned_calls, "tests/lib/wait.py", "time." "sleep(1)\n", GOOD),
    (rules_text.banned_headers, "base/a.cc", "#include <iostream>\n", BAD),
    (rules_text.banned_headers, "base/a.cc", "#include <fmt/format.h>\n", GOOD),
    (rules_text.header_guard, "base/a.h", "// A.\n#pragma once\n", GOOD),
    (rules_text.header_guard, "base/a.h", "// A.\n", BAD),
    (rules_text.opening_comment, "base/a.h", "#pragma once\n", BAD),
    (rules_text.silenced_with_reason, "base/a.cc", "f();  // NOLINT\n", BAD),
    (rules_text.silenced_with_reason, "base/a.cc", "f();  // NOLINT(misc-x): needed by y\n", GOOD),
    (rules_house.arrows, "base/a.cc", '#include "storage/log/a.h"\n', BAD),
    (rules_house.arrows, "storage/a.cc", '#include "base/check.h"\n', GOOD),
    (rules_house.arrows, "storage/a.cc", '#include "check.h"\n', BAD),
    (rules_house.arrows, "storage/log/a.cc", "#include <liburing.h>\n", BAD),
    (rules_house.arrows, "storage/ring/a.cc", "#include <liburing.h>\n", GOOD),
    (rules_house.arrows, "control/a.cc", "#include <rte_eal.h>\n", BAD),
    (rules_house.arrows, "dataplane/port/a.cc", "#include <rte_eal.h>\n", GOOD),
    (rules_house.arrows, "dataplane/client/a.cc", "#include <rte_eal.h>\n", BAD),
    (rules_house.arrows, "dataplane/client/a.cc", '#include "dataplane/door/pdp/wire.h"\n', GOOD),
    (rules_house.arrows, "dataplane/client/a.cc", '#include "storage/format/run.h"\n', GOOD),
    (rules_house.arrows, "dataplane/client/a.cc", '#include "storage/log/log_writer.h"\n', BAD),
    (rules_house.arrows, "dataplane/client/a.cc", '#include "dataplane/door/door.h"\n', BAD),
    (rules_house.arrows, "dataplane/door/pdp/a.cc", '#include "dataplane/door/pdp/wire.h"\n', GOOD),
    (rules_house.arrows, "dataplane/door/pdp/a.cc", '#include "dataplane/door/door.h"\n', BAD),
    (rules_house.arrows, "dataplane/door/pdp/a.cc", "#include <rte_eal.h>\n", BAD),
    (rules_house.arrows, "dataplane/door/pdp/node/a.cc", '#include "dataplane/door/door.h"\n',
     GOOD),
    (rules_house.arrows, "dataplane/door/pdp/node/a.cc", "#include <rte_eal.h>\n", GOOD),
    (rules_house.arrows, "dataplane/frame/a.cc", "#include <openssl/evp.h>\n", BAD),
    (rules_house.arrows, "dataplane/door/pdp/a.cc", "#include <openssl/evp.h>\n", GOOD),
    (rules_house.arrows, "dataplane/door/a.cc", "#include <hs.h>\n", BAD),
    (rules_house.arrows, "storage/a.cc", "#include <nlohmann/json.hpp>\n", BAD),
    (rules_house.places, "storage/log/main.cc", "", BAD),
    (rules_house.places, "control/daemon/main.cc", "", GOOD),
    (rules_house.places, "tests/a_test.cc", "", BAD),
    (rules_house.places, "tests/fuzz/a_fuzz.cc", "int x;", BAD),
    (rules_house.places, "tests/fuzz/a_fuzz.cc", rules_house.FUZZ_ENTRY, GOOD),
    (rules_house.places, "perf/micro/crc_bench.cc", "", GOOD),
    (rules_house.places, "perf/micro/crc.cc", "", BAD),
    (rules_house.places, "tests/unit/a_test.py", "", BAD),
    (rules_docs.titles, "docs/a.md", "# A\n", GOOD),
    (rules_docs.titles, "docs/a.md", "A\n", BAD),
    (rules_docs.links, "a.md", "[it](Makefile) [site](https://x.org) [here](#a)\n", GOOD),
    (rules_docs.links, "a.md", "[it](no/such/file)\n", BAD),
    (rules_docs.changelog, "CHANGELOG.md", "# C\n\n## [Unreleased]\n\n### Added\n", GOOD),
    (rules_docs.changelog, "CHANGELOG.md", "# C\n\n## [Unreleased]\n\n### News\n", BAD),
    (rules_docs.changelog, "CHANGELOG.md", "# C\n\n## [1.0.0] - 2025-01-31\n", BAD),
]


class RulesTest(unittest.TestCase):
    def test_each_rule_tells_good_from_bad(self):
        for rule, path, text, good in TABLE:
            with self.subTest(rule=rule.__name__, path=path, text=text[:60]):
                findings = [str(finding) for finding in rule(path, text)]
                self.assertEqual(findings == [], good, findings)

    def test_what_runs_in_the_node_is_no_part_of_the_wire_or_the_client(self):
        part = "dataplane/door/pdp/node/a.h"
        knows = {folder for folder, may in rules_house.ARROWS if rules_house.may_know(may, part)}
        self.assertFalse(knows & {"dataplane/client", "dataplane/door/pdp", "storage", "base"})
        self.assertLessEqual({"dataplane/door/pdp/node", "dataplane", "control"}, knows)

    def test_an_unused_header_is_found(self):
        texts = {"base/a.h": "", "base/b.h": "", "base/a.cc": '#include "base/a.h"\n'}
        found = rules_house.unused_headers(texts, texts.get)
        self.assertEqual(["base/b.h"], [finding.path for finding in found])

    def test_every_text_rule_is_in_the_table(self):
        rules = rules_text.RULES + rules_house.RULES + rules_docs.RULES
        shown = {rule.__name__ for rule, *_ in TABLE}
        # These look at the file itself, not at its text.
        of_files = {"permissions", "blob_size", "manual_pages"}
        self.assertEqual(set(), {rule.__name__ for rule in rules} - shown - of_files)


class ReadingTest(unittest.TestCase):
    def test_comments_and_literals_are_no_code(self):
        text = 'a /* b\nc */ d "e // f" \'g\' R"(h\n)" 1\'000 // i\n#include "j.h"\n'
        code = tree.only_code(text)
        self.assertEqual(text.count("\n"), code.count("\n"))
        self.assertEqual(["a", "d", "1'000", "#include", '"j.h"'], code.split())

    def test_toml_settings_are_dotted_and_include_examples(self):
        text = ('# Prose.\ntop = 1\n[shard]\npoll = "busy"  # a\n#cores = [1]\n[[port]]\n'
                '# name = ""\n')
        self.assertEqual({"top": (2, "1"), "shard.poll": (4, '"busy"'), "shard.cores": (5, "[1]"),
                          "port.name": (7, '""')}, docs_in_sync.toml_settings(text))

    def test_a_manual_page_is_read_entry_by_entry(self):
        page = (".SH OPTIONS\n.TP\n\\fB\\-\\-a\\fR, \\fB\\-b\\fR N\nwhat it\ndoes\n.TP\n"
                "\\fB\\-\\-c\\fR\nsee\n.BR page (5)\n.SH FILES\n.TP\nx\ny\n")
        options = man_pages.options(page)
        self.assertEqual({"--a": "what it does", "-b": "what it does", "--c": "see page(5)"},
                         {name: entry.text for name, entry in options.items()})

    def test_options_are_read_as_they_are_printed(self):
        text = ("Does it.\n\nOptions:\n  -h,--help      end\n  --to A:P=10.0.0.1:5\n"
                "                 where to\n  --on,--no-on{false}  \n                 or not\n")
        self.assertEqual({"-h": ("end", ""), "--help": ("end", ""),
                          "--to": ("where to", "10.0.0.1:5"), "--on": ("or not", ""),
                          "--no-on": ("or not", "")}, man_pages.options_printed(text))

    def test_what_cannot_be_compared_does_not_hold(self):
        with self.assertRaisesRegex(docs_in_sync.CannotJudge, "not built; run make"):
            docs_in_sync.printed_by("build/no/such/program")

    def test_table_names_are_those_of_the_first_column(self):
        text = "| name | what |\n| --- | --- |\n| `a_b{reason}` | not `c` |\n| `d`, `e` | |\n"
        self.assertEqual({"a_b": 3, "d": 4, "e": 4}, docs_in_sync.table_names(text))

    def test_both_directions_are_compared(self):
        found = list(docs_in_sync.compare("d.md", {"a": 3, "b": 4}, {"b", "c"}, "penstock x"))
        self.assertEqual([("d.md", 1), ("d.md", 3)], [(one.path, one.line) for one in found])


if __name__ == "__main__":
    unittest.main()

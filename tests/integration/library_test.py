"""The producer library as other people's programs use it: the examples, in C and in C++, built
against what `make install` installed and nothing else."""

import os
import pathlib
import subprocess

from tests.integration.install_test import make
from tests.integration.pdp_test import Producers, config
from tests.lib.harness import DEADLINE_S, REPO, run

NODE = "10.77.0.1:7373"


class Library(Producers):
    def setUp(self):
        super().setUp()
        self.connect()
        self.installed = self.host.folder / "installed"
        make("install", self.installed)
        self.environment = {
            **os.environ,
            "PKG_CONFIG_PATH": str(self.installed / "usr/lib/pkgconfig"),
            "PKG_CONFIG_SYSROOT_DIR": str(self.installed),
            "LD_LIBRARY_PATH": str(self.installed / "usr/lib"),
        }

    def build(self, compiler, *options):
        """The example of that language, built outside of the source tree."""
        source = REPO / "docs/examples" / ("producer.c" if compiler == "cc" else "producer.cc")
        program = self.host.folder / f"producer-{pathlib.Path(source).suffix[1:]}"
        flags = run("pkg-config", "--cflags", "--libs", "penstock",
                    env={**self.environment, "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1",
                         "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1"}).stdout.split()
        run(compiler, *options, "-Wall", "-Wextra", "-Werror", source, *flags, "-o", program,
            cwd=self.host.folder)
        return program

    def run_example(self, program, **options):
        return subprocess.run(self.sender.command(program, NODE, "app.test"), check=False,
                              capture_output=True, timeout=DEADLINE_S, env=self.environment,
                              **options)

    def test_the_c_example_stores_what_it_is_given(self):
        node = self.start(config())
        program = self.build("cc", "-std=c99", "-pedantic")
        lines = self.lines(0, 250_000)  # more than the queue holds, by one thread
        done = self.run_example(program, input=b"\n".join(lines) + b"\n")
        self.assertEqual((done.returncode, done.stdout), (0, b"250000 durable, 0 failed\n"),
                         done.stderr)
        self.assertEqual(sorted(node.payloads()), sorted(lines))

    def test_the_cpp_example_stores_what_it_is_given(self):
        node = self.start(config())
        done = self.run_example(self.build("c++", "-std=c++17", "-pedantic"))
        self.assertEqual((done.returncode, done.stdout), (0, b"20 durable\n"), done.stderr)
        self.assertEqual(len(node.payloads()), 20)

    def test_the_library_shows_what_its_header_declares_and_nothing_else(self):
        library = self.installed / "usr/lib/libpenstock.so"
        shown = run("nm", "--dynamic", "--defined-only", library).stdout.split()
        names = {word.split("@")[0] for word in shown if word.startswith("penstock_")}
        header = (self.installed / "usr/include/penstock.h").read_text()
        declared = set()
        for part in header.split("PENSTOCK_API ")[1:]:
            declared.add(part.split("(")[0].split()[-1].lstrip("*"))
        self.assertEqual(names, declared - {"__attribute__"})
        others = [w for w in shown if len(w) > 2 and not w.startswith(("penstock_", "PENSTOCK_"))
                  and not all(c in "0123456789abcdef" for c in w)]
        self.assertEqual(others, [])


if __name__ == "__main__":
    import unittest

    unittest.main()

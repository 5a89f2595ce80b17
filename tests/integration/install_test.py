"""`make install` as a packager uses it: below DESTDIR, complete, and gone again with `make
uninstall`."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from tests.lib.harness import REPO, run

WANTED = {"usr/sbin/penstockd", "usr/bin/penstock", "usr/bin/penstock-blast",
          "usr/share/man/man8/penstockd.8", "usr/share/man/man1/penstock.1",
          "usr/share/man/man1/penstock-blast.1", "usr/share/man/man5/penstock.toml.5",
          "usr/share/man/man3/libpenstock.3", "usr/share/man/man5/penstock.producer.5",
          "usr/lib/libpenstock.so.0", "usr/lib/libpenstock.so", "usr/lib/pkgconfig/penstock.pc",
          "usr/include/penstock.h", "usr/include/penstock.hpp",
          "etc/penstock/penstock.toml.example"}


def make(goal, folder):
    # Without what the make that runs the tests has left there.
    env = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    subprocess.run(["make", goal, f"DESTDIR={folder}", "PREFIX=/usr"], cwd=REPO, env=env,
                   check=True, capture_output=True, timeout=120)


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


class Install(unittest.TestCase):
    def test_what_is_installed_works_and_uninstall_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            make("install", folder)
            self.assertEqual(files_in(folder), WANTED)
            example = folder / "etc/penstock/penstock.toml.example"
            for program in ("usr/sbin/penstockd", "usr/bin/penstock"):
                self.assertIn("penstock", run(folder / program, "--version").stdout)
            self.assertIn("DEVICE", run(folder / "usr/bin/penstock-blast", "--help").stdout)
            run(folder / "usr/bin/penstock", "config", "check", example)
            make("uninstall", folder)
            self.assertEqual(files_in(folder), set())


if __name__ == "__main__":
    unittest.main()

"""perf/micro as `make bench` runs it, but each stage only once: every one works, and none that a
target names is missing."""

import json
import unittest

from perf.micro.micro import SHARES, command, medians
from tests.lib.harness import run


class MicroBenchmarks(unittest.TestCase):
    def test_every_stage_runs_and_every_target_has_its_stages(self):
        report = json.loads(run(*command(rounds=2, seconds=0), timeout=60).stdout)
        failed = [entry["name"] for entry in report["benchmarks"] if entry.get("error_occurred")]
        self.assertEqual(failed, [])
        found = medians(report)
        self.assertEqual({name for share in SHARES for name in share[:2]} - set(found), set())
        for name, entry in found.items():
            self.assertGreater(entry["items_per_second"], 0, name)
            self.assertGreater(entry["bytes_per_second"], 0, name)


if __name__ == "__main__":
    unittest.main()

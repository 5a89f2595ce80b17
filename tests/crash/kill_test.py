"""kill -9 in full load, while starting and while draining, again and again: what the books called
stored is there afterwards, once, in order, byte for byte, and nothing else is."""

import os
import pathlib
import random
import shutil
import time
import unittest

from tests.lib.harness import Host, Node, figure, run, wait_until
from tests.lib.lives import Lives, config

KILLS = int(os.environ.get("PENSTOCK_KILLS", "100"))
SEED = int(os.environ.get("PENSTOCK_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
# With it kills go on until this time is over.
SECONDS = float(os.environ.get("PENSTOCK_SOAK_SECONDS", "inf"))
TESTS = 6
VERIFY_EVERY = 8


class Kill(unittest.TestCase):
    def setUp(self):
        self.host = Host("kill")
        self.addCleanup(self.host.close)

    def say_how_to_repeat(self, node):
        print(f"again: PENSTOCK_CRASH_SEED={SEED} PENSTOCK_KILLS={KILLS} "
              "PENSTOCK_BUILD=build/release "
              f"PYTHONPATH=. python3 tests/run/pyunit.py tests/crash/kill_test.py\n"
              f"{node.log.read_text()[-2000:]}")

    def kill_again_and_again(self, name, share, **options):
        lives = Lives(self.host, SEED, **options)
        end = time.monotonic() + SECONDS / TESTS
        try:
            with figure(f"kills_{name}") as kills:
                while kills.cases < KILLS * share and time.monotonic() < end:
                    kills.cases += 1
                    lives.live()
                    if kills.cases % VERIFY_EVERY == 0:
                        self.assertTrue(lives.node.json("verify")["clean"])
            lives.end_in_order()
            self.assertTrue(lives.node.json("verify")["clean"])
        except BaseException:
            self.say_how_to_repeat(lives.node)
            raise
        finally:
            print(f"FIGURE name=messages_checked_{name} cases={lives.checked} failed=0")

    def test_with_synchronous_writes(self):
        self.kill_again_and_again("sync", 0.3)

    def test_with_flushes(self):
        self.kill_again_and_again("flush", 0.2, durability="flush")

    def test_through_the_syslog_door(self):
        self.kill_again_and_again("syslog", 0.15, kind="syslog")

    def test_two_shards_on_two_volumes(self):
        self.kill_again_and_again("two_shards", 0.15, paths=("{folder}/volume", "{folder}/other"))

    def test_on_a_raw_device(self):
        image = self.host.folder / "image"
        with open(image, "wb") as file:
            file.truncate(96 << 20)
        device = run("losetup", "--find", "--show", "--direct-io=on", image).stdout.strip()
        self.host.undo.callback(run, "losetup", "--detach", device, check=False)
        self.kill_again_and_again("raw_device", 0.15, paths=(device,))

    def test_while_the_first_slots_are_made(self):
        """A volume killed in the making is none, or whole; the next start makes it whole."""
        end = time.monotonic() + SECONDS / TESTS
        moments = random.Random(SEED)
        text = config().replace('"8MiB"\nmemory', '"32MiB"\nmemory')
        with figure("kills_slot_creation") as kills:
            while kills.cases < KILLS * 0.05 and time.monotonic() < end:
                kills.cases += 1
                node = Node(self.host, text, name=f"n{kills.cases}")
                try:
                    self.kill_in_the_making(node, moments)
                except BaseException:
                    self.say_how_to_repeat(node)
                    raise
                shutil.rmtree(node.folder)

    def kill_in_the_making(self, node, moments):
        node.start(wait=False)
        volume = pathlib.Path(node.folder, "volume")
        made = moments.randrange(3)  # slots that are whole when the next one is begun
        wait_until(lambda: len(list(volume.glob("segment-??????"))) >= made
                   and (made == 2 or list(volume.glob("*.unfinished"))),
                   "a slot in the making", process=node.process)
        node.kill()
        node.start()
        self.assertEqual(node.drain(), 0)
        self.assertEqual(list(volume.glob("*.unfinished")), [])
        self.assertTrue(node.json("verify")["clean"])


if __name__ == "__main__":
    unittest.main()

"""The vectors of PDP are those that pdp_frames.py makes from docs/pdp.md, and it takes them apart
as they say. The C++ library is held to the same files by its unit tests."""

import json
import os
import unittest

from tests.interop import pdp_vectors
from tests.interop.pdp_frames import (FRAMES, decode, encode, message, messages_of, seal_is_right,
                                      session_number)


def stored(name):
    with open(os.path.join(pdp_vectors.FOLDER, name), encoding="utf-8") as file:
        return file.read()


def frame_of(vector):
    frame = bytes.fromhex("".join(vector["hex"]))
    return frame + bytes(vector.get("zeros_up_to", len(frame)) - len(frame))


class PdpVectors(unittest.TestCase):
    def test_files_hold_what_is_made_now(self):
        made = pdp_vectors.files()
        for name, text in made.items():
            with self.subTest(name):
                self.assertEqual(stored(name), text, "run tests/interop/pdp_vectors.py")
        found = {name for name in os.listdir(pdp_vectors.FOLDER) if name.endswith(".json")}
        self.assertEqual(found, set(made))

    def test_every_type_has_vectors_and_every_frame_is_made_again_of_its_parts(self):
        for kind in FRAMES:
            for vector in json.loads(stored(f"{kind}.json"))["vectors"]:
                with self.subTest(kind, vector=vector["name"]):
                    frame, seal = frame_of(vector), vector.get("seal")
                    name, header, fields, tail, packet = decode(frame)
                    self.assertEqual((name, packet), (kind, seal and seal["packet"]))
                    key = seal and (bytes.fromhex(seal["key"]), packet)
                    self.assertEqual(frame, encode(kind, header["connection"], tail, seal=key,
                                                   **fields))
                    if seal:
                        self.assertTrue(seal_is_right(frame, key[0]))
                        self.assertFalse(seal_is_right(frame[:16] + b"\xff" + frame[17:], key[0]))

    def test_runs_are_made_again_of_their_messages(self):
        for vector in json.loads(stored("data.json"))["vectors"]:
            _, _, fields, tail, _ = decode(frame_of(vector))
            made = b"".join(message(one.payload, one.subject, one.key, one.headers)
                            for one in messages_of(tail, fields["message_count"]))
            self.assertEqual(tail, made)

    def test_the_session_of_a_key_is_another_one_than_that_without(self):
        self.assertNotEqual(session_number(b"", b"ab"), session_number(b"a", b"b"))


if __name__ == "__main__":
    unittest.main()

"""Reads what a Penstock volume holds, by docs/format.md alone: format_reader.py VOLUME [STREAM]."""

import os
import struct
import sys
from types import SimpleNamespace

PAGE, MIB, USED, VERSION = 4096, 1 << 20, 2, 2
HEAD = "magic crc version "
SUPERBLOCK = ("<8sII16sQqQ", HEAD + "volume segment_bytes created_ns device_bytes")
CATALOGUE = ("<8sIIQII", HEAD + "revision length stream_count")
HEADER = ("<8sII16s4I5Qq", HEAD + "volume log slot state previous_crc generation sequence "
          "base_sequence oldest_sequence segment_bytes created_ns")
FOOTER = ("<8sII16sII4Q6IQQqqqQ", HEAD + "volume log slot generation sequence base_sequence "
          "segment_bytes index_position index_crc block_count partition_count last_crc "
          "producer_count message_count payload_bytes first_received_ns last_received_ns "
          "closed_ns forgotten_count")
BLOCK = ("<IIHHIIIII16sQQQIIqq", "magic crc version header_bytes length used run_count "
         "message_count log volume generation sequence durable_sequence position previous_crc "
         "first_received_ns last_received_ns")
RUN = ("<IIqHHI", "length message_count base_time_ns capture_count flags reserved")
MESSAGE = ("<IIHHHH", "payload_length time_delta_ns subject_length key_length headers_length flags")


def crc_table():
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        yield crc


TABLE = list(crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def fields(layout, data, at=0):
    return SimpleNamespace(**dict(zip(layout[1].split(), struct.unpack_from(layout[0], data, at))))


def decode(layout, magic, data):
    """A structure with a checksum over all of `data`; None when it is not one."""
    found = fields(layout, data)
    good = (found.magic, found.version) == (magic, VERSION)
    return found if good and found.crc == crc32c(data[:8] + bytes(4) + data[12:]) else None


class Volume:
    def __init__(self, path):
        self.path = path
        self.is_directory = os.path.isdir(path)
        with open(os.path.join(path, "volume") if self.is_directory else path, "rb") as file:
            head = file.read(4 * MIB)
        self.superblock = decode(SUPERBLOCK, b"PNSTKVOL", head[:PAGE])
        if self.superblock is None:
            raise ValueError(f"{path} is no volume of format {VERSION}")
        copies = []
        for at in (1 * MIB, 2 * MIB):
            length = fields(CATALOGUE, head, at).length
            if 32 <= length <= MIB:
                copies.append((decode(CATALOGUE, b"PNSTKCAT", head[at:at + length]), at))
        newest, at = max(((c, at) for c, at in copies if c), key=lambda copy: copy[0].revision)
        self.streams, at = {}, at + 32
        for _ in range(newest.stream_count):
            stream, length = struct.unpack_from("<QH", head, at)
            self.streams[stream] = head[at + 10:at + 10 + length].decode()
            at += 10 + length

    def slots(self):
        """The bytes of every slot, one after the other."""
        size = self.superblock.segment_bytes
        if self.is_directory:
            for name in sorted(os.listdir(self.path)):
                if name.startswith("segment-") and name[8:].isdigit():
                    with open(os.path.join(self.path, name), "rb") as file:
                        yield file.read()
        else:
            with open(self.path, "rb") as file:
                file.seek(4 * MIB)
                while len(slot := file.read(size)) == size:
                    yield slot

    def logs(self):
        """The segments of each log as (header, bytes), in order; those that are void left out."""
        logs = {}
        for slot in self.slots():
            header = decode(HEADER, b"PNSTKSEG", slot[:PAGE])
            if header and header.state == USED and header.volume == self.superblock.volume:
                logs.setdefault(header.log, []).append((header, slot))
        for log, segments in sorted(logs.items()):
            yield log, sorted(segments, key=lambda segment: segment[0].sequence)


def blocks(segments):
    """The blocks of one log, in order: (header, bytes)."""
    for i, (header, slot) in enumerate(segments):
        footer = decode(FOOTER, b"PNSTKEND", slot[-PAGE:])
        closed = footer is not None and footer.generation == header.generation
        end = min((later.base_sequence for later, _ in segments[i + 1:]), default=1 << 64)
        if closed:
            end = min(end, footer.base_sequence + footer.block_count)
        at, sequence, crc = PAGE, header.base_sequence, header.previous_crc
        while sequence < end and at < len(slot) - PAGE:
            block = fields(BLOCK, slot, at)
            data = slot[at:at + block.length]
            good = (block.magic == 0x4B4C4250 and block.version == VERSION and
                    96 <= block.used <= block.length == len(data) and
                    block.crc == crc32c(data[8:]) and
                    (block.volume, block.log, block.generation, block.position) ==
                    (header.volume, header.log, header.generation, at // PAGE) and
                    (block.sequence, block.previous_crc) == (sequence, crc))
            if not good and (closed or i + 1 < len(segments)):
                raise ValueError(f"slot {header.slot}: the block at byte {at} is damaged")
            if not good:
                return  # the end of the log
            yield block, data
            at, sequence, crc = at + block.length, sequence + 1, block.crc


def messages(segments):
    """The messages of one log: ({stream: offset}, received_ns, subject, payload, producer), which
    is None or (session, sequence)."""
    for block, data in blocks(segments):
        at = 96
        for _ in range(block.run_count):
            run = fields(RUN, data, at)
            place, subject, producer = at + 24, b"", None
            if run.flags & 1:
                session, sequence = struct.unpack_from("<QQ", data, place)
                place += 16
            bases = [struct.unpack_from("<QQ", data, place + 16 * c)
                     for c in range(run.capture_count)]
            place += 16 * run.capture_count
            for n in range(run.message_count):
                message = fields(MESSAGE, data, place)
                place += 16
                if message.subject_length:
                    subject = data[place:place + message.subject_length]
                begin = place + message.subject_length + message.key_length + message.headers_length
                place = (begin + message.payload_length + 7) // 8 * 8
                if run.flags & 1:
                    producer = (session, sequence + n)
                yield ({stream: base + n for stream, base in bases},
                       run.base_time_ns + message.time_delta_ns, subject.decode(),
                       data[begin:begin + message.payload_length], producer)
            at += run.length


def main():
    volume = Volume(sys.argv[1])
    for log, segments in volume.logs():
        for captures, received_ns, subject, payload, producer in messages(segments):
            for stream, offset in captures.items():
                if volume.streams[stream] in (sys.argv[2:] or [volume.streams[stream]]):
                    print(log, volume.streams[stream], offset, received_ns, subject, payload,
                          "%016x %d" % producer if producer else "")


if __name__ == "__main__":
    main()

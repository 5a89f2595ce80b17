"""Frames built by hand: good ones, and those of careless and hostile senders with their causes."""

import socket
import struct

STATION = b"\xff" * 6 + b"\x02" + b"\x00" * 5  # from somebody to all
V4 = [socket.inet_aton(text) for text in ("10.77.0.2", "10.77.0.1")]
V6 = [socket.inet_pton(socket.AF_INET6, text) for text in ("fd77::2", "fd77::1")]
PORT = 5140
PADDING = b"\x01\x04\x00\x00\x00\x00"  # the one option of an extension header


def checksum(data):
    data += b"\x00" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(payload, length=None, port=PORT, pseudo=None, source_port=4000):
    """Without a checksum unless `pseudo`, what IPv6 sums before it, is given."""
    length = 8 + len(payload) if length is None else length
    head = struct.pack("!HHH", source_port, port, length)
    done = 0 if pseudo is None else checksum(pseudo + head + b"\x00\x00" + payload)
    return head + struct.pack("!H", done) + payload


def udp6(payload):
    pseudo = b"".join(V6) + struct.pack("!II", 8 + len(payload), socket.IPPROTO_UDP)
    return udp(payload, pseudo=pseudo)


def ethernet(kind, body, vlans=()):
    """Outer VLAN first."""
    types = [0x8100] * len(vlans) if len(vlans) < 2 else [0x88A8] + [0x8100] * (len(vlans) - 1)
    tags = b"".join(struct.pack("!HH", *tag) for tag in zip(types, vlans))
    return STATION + tags + struct.pack("!H", kind) + body


def v4(body, protocol=socket.IPPROTO_UDP, offset=0, more=False, identification=1, total=None,
       words=5, vlans=(), source=V4[0], target=V4[1], options=b""):
    words += len(options) // 4
    total = 20 + len(options) + len(body) if total is None else total
    place = offset // 8 | (0x2000 if more else 0)
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, total, identification, place, 64, protocol,
                       0, source, target) + options
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ethernet(0x0800, head + body, vlans)


def v6(body, following=socket.IPPROTO_UDP, length=None, source=V6[0], target=V6[1], vlans=()):
    length = len(body) if length is None else length
    return ethernet(0x86DD, struct.pack("!IHBB", 6 << 28, length, following, 64) + source + target +
                    body, vlans)


def extensions(count, body):
    """Destination options of nothing but padding, before UDP."""
    for i in range(count):
        body = bytes([17 if i == 0 else 60, 0]) + PADDING + body
    return body


def part6(body, offset, more, identification=1):
    return v6(struct.pack("!BBHI", 17, 0, offset | (1 if more else 0), identification) + body, 44)


def good(i):
    """What is taken, with its payload: (frames, payload)."""
    payload = b"good %d " % i + b"x" * (i * 37 % 8900)
    whole = udp6(payload)
    kinds = (
        [v4(udp(payload))],
        [v4(udp(payload), vlans=(7,))],
        [v4(udp(payload), vlans=(7, 5))],
        [v4(udp(payload), options=b"\x01" * 8)],
        [v6(whole)],
        [v6(whole, vlans=(7, 5))],
        [v6(extensions(8, whole), 60)],
        [v4(udp(payload)[16:], offset=16, identification=i),
         v4(udp(payload)[:16], more=True, identification=i)],
        [part6(whole[:8], 0, True, i), part6(whole[8:], 8, False, i)],
        [v4(udp(payload)) + b"\xEE" * 20],
    )
    return kinds[i % len(kinds)], payload


# cause: frames that meet it. Each frame counts as one packet under it.
BAD = {
    "truncated_ethernet": [b"", STATION, ethernet(0x0800, b"")[:13],
                           v4(udp(b"cut"), vlans=(7,))[:16]],
    "vlan_too_deep": [v4(udp(b"deep"), vlans=(1, 2, 3))],
    "bad_ip_length": [v4(udp(b"x" * 100))[:90], v4(udp(b"lies"), total=2000), v4(b"")[:30],
                      v6(udp6(b"lies"), length=2000), v6(b"")[:50]],
    "bad_ip_header": [v4(udp(b"short"), words=4), v4(udp(b"short"), total=19),
                      v4(udp(b"x"), options=b"\x07\xff\x04\x00")],
    "bad_udp_length": [v4(udp(b"lies", length=2000)), v4(udp(b"lies", length=7)), v4(b"\x00" * 7),
                       v6(udp(b"lies", length=0, pseudo=b""))],
    "bad_udp_checksum": [v6(udp(b"none")), v6(udp6(b"wrong")[:-1] + b"!")],
    "bad_extension_header": [v6(extensions(9, udp6(b"deep")), 60),
                             v6(b"\x11\xff" + b"\x00" * 6, 60),
                             # Hop-by-hop options in the second place.
                             v6(b"\x00\x00" + PADDING + b"\x11\x00" + PADDING + udp6(b"late"), 60)],
    "bad_source": [v4(udp(b"?"), source=socket.inet_aton(text))
                   for text in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255")] +
                  [v6(udp6(b"?"), source=bytes(15) + b"\x01"), v6(udp6(b"?"), source=bytes(16))],
    "other_address": [v4(udp(b"?"), target=socket.inet_aton("10.77.0.9")),
                      v4(udp(b"?"), source=socket.inet_aton("224.0.0.1"),
                         target=socket.inet_aton("10.77.0.9"))],
    "other_ethertype": [ethernet(0x88CC, b"\x00" * 46)],
    "other_protocol": [v4(b"\x00" * 20, protocol=6), v6(b"\x00" * 20, 59)],
    "no_door": [v4(udp(b"nobody", port=9)),
                v4(udp(b"an address, please", port=67), source=bytes(4), target=b"\xff" * 4)],
    # Two that overlap, and the rest of their datagram.
    "bad_fragment": [v4(b"\x00" * 16, more=True, identification=60001),
                     v4(b"\x00" * 16, offset=8, more=True, identification=60001),
                     v4(b"\x00" * 16, offset=16, identification=60001),
                     part6(b"\x00" * 16, 0, True, 60001), part6(b"\x00" * 16, 8, True, 60001),
                     part6(b"\x00" * 16, 16, False, 60001),
                     v4(b"\x00" * 16, offset=65528, identification=60002),
                     v4(b"\x00" * 15, more=True, identification=60003)],
    # Held until the node ends.
    "fragment_expired": [v4(b"\x00" * 16, more=True, identification=60004),
                         part6(b"\x00" * 16, 8, True, 60004)],
}


def mutated(rng, count):
    """Good and bad frames with some bytes changed, cut off or added."""
    models = [frame for i in range(10) for frame in good(i)[0]]
    models += [frame for frames in BAD.values() for frame in frames]
    for _ in range(count):
        frame = bytearray(rng.choice(models))
        for _ in range(rng.randrange(4)):
            if frame:
                frame[rng.randrange(len(frame))] = rng.randrange(256)
        if rng.random() < 0.2:
            frame = frame[:rng.randrange(len(frame) + 1)]
        if rng.random() < 0.1:
            frame += rng.randbytes(rng.randrange(5000))
        yield bytes(frame)


def pcap(frames):
    """A capture file of them."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for frame in frames:
        out.append(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    return b"".join(out)

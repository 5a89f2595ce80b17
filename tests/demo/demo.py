"""The product at work, in network namespaces of its own: real senders over a kernel-bypass port,
then a load generator flat out, the books, and what is read back.

Leaves build/demo/summary.json; removes everything else that it made, also when it fails."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import traceback

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from tests.lib.harness import BUILD, Host, Node, run, wait_until  # noqa: E402
from tests.lib.recorder import Recorder  # noqa: E402

PORT_ADDRESS = "10.77.0.1"
SENDER_ADDRESS = "10.77.0.2"
MEMIF_ADDRESS = "10.78.0.1"
BLAST_SECONDS = 6
BLAST_COUNT = 25_000_000
LINE_BYTES = 100
SAMPLE = 200_000

CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
memory = "96MiB"
[[port]]
name = "lan0"
device = "DEVICE"
addresses = ["10.77.0.1/24"]
shards = [0]
[[port]]
name = "mem0"
device = "net_memif0,role=server,socket={folder}/memif.sock,socket-abstract=no"
addresses = ["10.78.0.1/24"]
shards = [1]
[[shard]]
[[shard]]
[[volume]]
name = "main"
path = "{folder}/volume"
segment_bytes = "64MiB"
capacity = "6GiB"
memory = "64MiB"
[[door]]
name = "syslog"
kind = "syslog"
listen = ["10.77.0.1:514"]
[[door]]
name = "lines"
kind = "line"
listen = ["10.78.0.1:5140"]
[[stream]]
name = "logs"
subjects = ["syslog.>"]
[[stream]]
name = "lines"
subjects = ["lines.>"]
"""


def say(text=""):
    print(text, flush=True)


def start_node(host, namespace):
    """On AF_XDP; on AF_PACKET where the kernel or its limits do not give AF_XDP."""
    reason = ""
    for kind in ("net_af_xdp0", "net_af_packet0"):
        node = Node(host, CONFIG.replace("DEVICE", f"{kind},iface=port0"), name="node",
                    namespace=namespace)
        try:
            node.start()
            return node, kind.removesuffix("0").removeprefix("net_"), reason
        except AssertionError:
            reason = node.log.read_text().strip().splitlines()[-1]
            end = node.process
            if end.poll() is None:
                end.kill()
                end.wait()
            node.log.unlink()
    raise AssertionError(f"the node starts on neither AF_XDP nor AF_PACKET: {reason}")


def log_lines():
    """Real log lines of this machine, as programs wrote them."""
    for path in ("/var/log/dpkg.log", "/var/log/syslog", "/var/log/apt/history.log"):
        try:
            text = pathlib.Path(path).read_text(errors="ignore")
        except OSError:
            continue
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) >= 50:
            return path, lines[-400:]
    return str(REPO / "README.md"), [
        line for line in (REPO / "README.md").read_text().splitlines() if line.strip()] * 4


def send_logs(host, sender):
    path, lines = log_lines()
    file = host.folder / "lines"
    file.write_text("\n".join(lines) + "\n")
    say(f"  logger sends {len(lines)} lines of {path} as RFC 5424 and as RFC 3164")
    for form in ("--rfc5424", "--rfc3164"):
        sender.run("logger", "--udp", "--server", PORT_ADDRESS, "--port", "514", form,
                   "--tag", "demo", "--priority", "local3.info", "--file", file)
    return 2 * len(lines)


def show_progress(node, process):
    before, then = node.ledger()["total"], time.monotonic()
    while process.poll() is None:
        time.sleep(0.5)
        now, at = node.ledger()["total"], time.monotonic()
        seconds = at - then

        def rate(key, unit):
            return (now[key][unit] - before[key][unit]) / seconds

        say(f"  offered {rate('offered', 'messages') / 1e6:6.2f} M/s   "
            f"stored {rate('stored', 'messages') / 1e6:6.2f} M/s   "
            f"{rate('stored', 'bytes') / 1e6:7.0f} MB/s   "
            f"dropped {rate('dropped', 'messages') / 1e6:6.2f} M/s   "
            f"in flight {now['in_flight']['messages']:,}")
        before, then = now, at


def blast(host, node):
    say(f"\nFlat out over memif: {LINE_BYTES}-byte lines, {BLAST_SECONDS} s at most")
    out = host.folder / "blast.json"
    # A generator on the core of the shard that it feeds would wait for itself.
    polled = set(re.findall(r"shard \d+: core (\d+)", node.log.read_text()))
    free = [core for core in os.sched_getaffinity(0) if str(core) not in polled]
    with open(out, "wb") as file:
        process = host.start(
            BUILD / "penstock-blast", "--device",
            f"net_memif1,role=client,socket={node.folder}/memif.sock,socket-abstract=no",
            "--to", f"{MEMIF_ADDRESS}:5140", "--size", LINE_BYTES, "--seconds", BLAST_SECONDS,
            "--count", BLAST_COUNT, *(["--core", free[-1]] if free else []), "--json",
            stdout=file, stderr=subprocess.DEVNULL)
        show_progress(node, process)
    if process.returncode != 0:
        raise AssertionError(f"penstock-blast ended with {process.returncode}")
    return json.loads(out.read_text())


def read(node, stream, *options):
    return run(BUILD / "penstock", "read", "--config", node.config, "--stream", stream, *options,
               timeout=120).stdout


def check_lines(node, stored):
    """The first and the last lines that were stored: as the generator made them, in order."""
    filler = (" the quick brown fox jumps over the lazy dog"
              " and counts 0123456789 packets on its way;")
    tail = "".join(filler[i % len(filler)] for i in range(16, LINE_BYTES))
    good, last = True, -1
    for options in (("-c", SAMPLE), ("-o", f"-{SAMPLE}")):
        lines = read(node, "lines", "--format", "raw", *options).splitlines()
        good &= len(lines) == min(SAMPLE, stored)
        last = -1
        for line in lines:
            number = int(line[:16], 16)
            good &= number > last and line[16:] == tail
            last = number
    return good


def summarize(node, device, sent, recorded, blast_counts, seconds):
    ledger = node.ledger()
    total = ledger["total"]
    payloads = node.payloads("--stream", "logs")
    lines = next(s for s in ledger["streams"] if s["name"] == "lines")
    identical = sorted(payloads) == sorted(recorded) and len(payloads) == sent
    identical &= check_lines(node, lines["stored"]["messages"])
    drained = node.drain()
    ledger = node.ledger()
    total = ledger["total"]
    # Code 1 is its verdict that there is damage: that is for the summary to say.
    verified = json.loads(run(BUILD / "penstock", "verify", "--config", node.config, "--format",
                              "json", timeout=120, check=False).stdout)
    messages = sum(v["total"]["messages"] for v in verified["volumes"])
    everything = total["offered"]["messages"] == sent + blast_counts["messages"]
    summary = {
        "device": device,
        "offered": total["offered"]["messages"],
        "stored": total["stored"]["messages"],
        "dropped": total["dropped"]["messages"],
        "dropped_by": {name: tally["messages"] for name, tally in total["dropped_by"].items()
                       if tally["messages"]},
        "stored_bytes": total["stored"]["bytes"],
        "sent_by_logger": sent,
        "sent_by_blast": blast_counts["messages"],
        "all_sent_were_offered": everything,
        "blast_seconds": round(seconds, 3),
        "messages_per_second": round(lines["stored"]["messages"] / seconds),
        "megabytes_per_second": round(lines["stored"]["bytes"] / seconds / 1e6, 1),
        "balanced": ledger["balanced"] and total["in_flight"]["messages"] == 0,
        "readback_identical": identical and messages == total["stored"]["messages"],
        "volume_clean": verified["clean"],
        "drained": drained == 0,
    }
    summary["good"] = all(summary[key] for key in (
        "all_sent_were_offered", "balanced", "readback_identical", "volume_clean", "drained"))
    return summary


def print_summary(summary):
    say("\nSummary")
    for name, text in (("offered", f"{summary['offered']:,} messages"),
                       ("stored", f"{summary['stored']:,} messages, "
                                  f"{summary['stored_bytes'] / 1e6:,.0f} MB"),
                       ("dropped", f"{summary['dropped']:,} messages "
                                   f"{summary['dropped_by'] or ''}"),
                       ("flat out", f"{summary['messages_per_second']:,} messages/s and "
                                    f"{summary['megabytes_per_second']:,} MB/s stored")):
        say(f"  {name:<10} {text}")
    say(f"  {'ledger':<10} {'the books balance' if summary['balanced'] else 'DOES NOT BALANCE'}; "
        f"everything sent was offered: {'yes' if summary['all_sent_were_offered'] else 'NO'}")
    say(f"  {'read back':<10} {'identical' if summary['readback_identical'] else 'DIFFERENT'}; "
        f"volume {'verified clean' if summary['volume_clean'] else 'DAMAGED'}")


def demo(host):
    host.hugepages(512)
    node_space = host.namespace("penstock")
    sender = host.namespace("sender")
    host.veth(sender, "eth0", node_space, "port0")
    sender.run("ip", "address", "add", f"{SENDER_ADDRESS}/24", "dev", "eth0")
    say("Starting penstockd: one shard on a kernel-bypass port, one on memif")
    node, device, reason = start_node(host, node_space)
    say(f"  ready, on {device} and memif" + (f" (no AF_XDP: {reason})" if reason else ""))
    say("\nReal senders, from a network namespace of their own")
    recorder = Recorder(sender, "eth0", 514)
    host.undo.callback(recorder.close)
    # One ahead: for an address that it does not know yet the kernel holds few packets back.
    sender.run("logger", "--udp", "--server", PORT_ADDRESS, "--port", "514", "--tag", "demo",
               "hello")
    wait_until(lambda: node.ledger()["total"]["stored"]["messages"] == 1, "the first message",
               process=node.process)
    sent = 1 + send_logs(host, sender)
    wait_until(lambda: node.ledger()["total"]["stored"]["messages"] >= sent,
               "every log line stored", process=node.process)
    say(f"  {sent} messages sent, and stored on the drive")
    begin = time.monotonic()
    counts = blast(host, node)
    wait_until(lambda: node.ledger()["total"]["in_flight"]["messages"] == 0
               and node.ledger()["total"]["offered"]["messages"] >= sent + counts["messages"],
               "every line accounted for", process=node.process)
    seconds = max(counts["seconds"], min(time.monotonic() - begin, counts["seconds"] + 1))
    say("\nThe first messages, read back with `penstock read`:")
    for line in read(node, "logs", "-c", "4").splitlines():
        say(f"  {line[31:180]}")
    summary = summarize(node, device, sent, recorder.payloads, counts, seconds)
    say("\n" + node.penstock("ledger", check=False).stdout.rstrip())
    return summary


def failed(why):
    """The summary of a demo that did not come to its end."""
    verdicts = ("balanced", "readback_identical", "volume_clean", "drained", "good")
    return {"offered": 0, "stored": 0, "dropped": 0, **dict.fromkeys(verdicts, False), "error": why}


def main():
    out = REPO / "build" / "demo" / "summary.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    host = Host("demo")
    try:
        summary = demo(host)
    except KeyboardInterrupt:
        summary = failed("interrupted")
    except Exception as error:  # pylint: disable=broad-exception-caught; whatever it is, it is told
        traceback.print_exc()
        summary = failed(str(error))
    finally:
        host.close()
    out.write_text(json.dumps(summary, indent=2) + "\n")
    if "error" in summary:
        say(f"\nThe demo FAILED: {summary['error']}")
    else:
        print_summary(summary)
    say(f"  {'in full':<10} {out.relative_to(REPO)}")
    return 0 if summary["good"] else 1


if __name__ == "__main__":
    sys.exit(main())

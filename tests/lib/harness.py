"""Runs real Penstock programs for tests: a node in its own network namespaces, and its senders.

Everything that a test makes (processes, namespaces, mounts, folders) is undone in the reverse order
of its making, also when the test fails. Nothing sleeps to wait: wait_until() polls with a deadline.
"""

import atexit
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import types

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = REPO / os.environ.get("PENSTOCK_BUILD", "build/release")
CLONE_NEWNET = 0x40000000
DEADLINE_S = float(os.environ.get("PENSTOCK_TEST_DEADLINE_S", "60"))


def wait_until(condition, what, deadline_s=DEADLINE_S, process=None):
    """The first true value of condition(); fails when there is none in time or `process` ended."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what}: the process ended with {process.returncode} instead")
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline_s:.0f} s")
        time.sleep(0.005)


def let_pass(seconds):
    """For faults at a random moment; nothing may be waited for by it."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, "time")


@contextlib.contextmanager
def figure(name):
    """A counted proof: its counts.cases and counts.failed are printed, also when it fails."""
    counts = types.SimpleNamespace(cases=0, failed=0)
    try:
        yield counts
    except BaseException:
        counts.failed += 1
        raise
    finally:
        print(f"FIGURE name={name} cases={counts.cases} failed={counts.failed}", flush=True)


def run(*command, check=True, **options):
    """Runs a command to its end; its output in the error when it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          timeout=options.pop("timeout", DEADLINE_S), check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n"
                             f"{done.stdout}{done.stderr}")
    return done


class Namespace:
    """A network namespace of our own."""

    def __init__(self, name):
        self.name = f"{name}-{os.getpid()}"
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")

    def command(self, *words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def run(self, *words, **options):
        return run(*self.command(*words), **options)

    def call(self, function):
        """Calls function() on a thread of its own that has joined the namespace: sockets that it
        makes belong there."""
        done = []

        def body():
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{self.name}", "rb") as namespace:
                if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            done.append(function())

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if not done:
            raise AssertionError(f"namespace {self.name}: nothing came of the call")
        return done[0]

    def udp_socket(self, family=socket.AF_INET):
        return self.call(lambda: socket.socket(family, socket.SOCK_DGRAM))

    def close(self):
        run("ip", "netns", "del", self.name, check=False)


class Host:
    """A folder and everything else that a test makes, undone by close()."""

    def __init__(self, name="test"):
        # On the build's file system, not in /tmp: a tmpfs takes O_DIRECT too lightly.
        base = REPO / "build" / "tmp"
        base.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
        self.undo = contextlib.ExitStack()
        self.undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
        atexit.register(self.close)
        # Asked to end, it ends as by Ctrl-C, and removes what it made.
        signal.signal(signal.SIGTERM, signal.default_int_handler)

    def close(self):
        # Once begun, it is not left half done.
        before = {number: signal.signal(number, signal.SIG_IGN)
                  for number in (signal.SIGINT, signal.SIGTERM)}
        self.undo.close()
        for number, handler in before.items():
            signal.signal(number, handler)
        atexit.unregister(self.close)

    def namespace(self, name):
        made = Namespace(name)
        self.undo.callback(made.close)
        return made

    def veth(self, a, a_name, b, b_name, queues=1, mtu=None, ipv6=False):
        """A cable between two namespaces; deleted with them."""
        run("ip", "link", "add", a_name, "netns", a.name, "numrxqueues", queues, "numtxqueues",
            queues, "type", "veth", "peer", "name", b_name, "netns", b.name, "numrxqueues", queues,
            "numtxqueues", queues)
        for namespace, name in ((a, a_name), (b, b_name)):
            # Only what the test sends shall arrive, so that counts are exact. The kernel leaves
            # checksums to hardware, which a veth does not have.
            if not ipv6:
                namespace.run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1", check=False)
            namespace.run("ethtool", "-K", name, "tx", "off")
            if mtu:
                namespace.run("ip", "link", "set", name, "mtu", mtu)
            namespace.run("ip", "link", "set", name, "up")

    def hugepages(self, megabytes):
        """Reserves hugepages for the test, if the host gives them; false if it does not."""
        path = pathlib.Path("/proc/sys/vm/nr_hugepages")
        before = path.read_text()
        free = int(next(line for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                        if line.startswith("HugePages_Free")).split()[1])
        wanted = megabytes // 2
        if free >= wanted:
            return True
        try:
            path.write_text(str(int(before) + wanted - free))
        except OSError:
            return False
        self.undo.callback(path.write_text, before)
        return int(path.read_text()) >= wanted

    def start(self, *command, **options):
        """Starts a process; killed by close() if it still runs."""
        process = subprocess.Popen([str(c) for c in command], **options)
        self.undo.callback(end_process, process)
        return process


def end_process(process):
    if process.poll() is None:
        process.kill()
    process.wait()


class Node:
    """A penstockd with its configuration, log and ledger in a folder of its own."""

    def __init__(self, host, config, name="node", namespace=None, environment=None):
        self.host = host
        self.folder = host.folder / name
        self.folder.mkdir(exist_ok=True)
        self.config = self.folder / "penstock.toml"
        self.log = self.folder / "log"
        self.runtime = self.folder / "run"
        self.runtime.mkdir(exist_ok=True)
        self.namespace = namespace
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.wrapper = []  # before the daemon's command: setpriv and its like
        self.name = f"{name}{os.getpid()}"
        self.configure(config)

    def configure(self, config):
        self.config.write_text(
            config.format(folder=self.folder, runtime=self.runtime, name=self.name))

    def start(self, wait=True):
        command = [*self.wrapper, BUILD / "penstockd", "--config", self.config]
        if self.namespace:
            command = self.namespace.command(*command)
        with open(self.log, "ab") as log:
            log.write(b"--- start\n")
            mark = log.tell()
            self.process = self.host.start(*command, stdout=log, stderr=log, env=self.environment)
        if wait:
            wait_until(lambda: b" ready" in self.log.read_bytes()[mark:],
                       f"penstockd ready; its log:\n{self.log.read_text()[-3000:]}",
                       process=self.process)
        return self

    def drain(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE_S)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def penstock(self, *words, check=True, **options):
        return run(BUILD / "penstock", *words, "--config", self.config, check=check, **options)

    def json(self, *words, **options):
        return json.loads(self.penstock(*words, "--format", "json", **options).stdout)

    def ledger(self):
        return self.json("ledger", check=False)

    def total(self, key):
        return self.ledger()["total"][key]["messages"]

    def wait_stored(self, messages):
        wait_until(lambda: self.total("stored") >= messages,
                   f"{messages} messages stored; the ledger: {self.total('stored')}",
                   process=self.process)

    def payloads(self, *options):
        """What is stored, byte for byte, in the order of its reading."""
        command = [BUILD / "penstock", "read", "--config", self.config, "-f", "%S:%s,", *options]
        done = subprocess.run([str(c) for c in command], capture_output=True, check=True,
                              timeout=DEADLINE_S)
        payloads, at = [], 0
        while at < len(done.stdout):
            colon = done.stdout.index(b":", at)
            end = colon + 1 + int(done.stdout[at:colon])
            payloads.append(done.stdout[colon + 1:end])
            at = end + 1
        return payloads

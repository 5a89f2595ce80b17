"""Runs one program so that nothing of it is left behind: its output line by line, a limit on its
time, and at the end no process that it or its children started, daemons included."""

import ctypes
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass, field

PR_SET_CHILD_SUBREAPER = 36
TERM_GRACE_S = 10.0  # tests remove namespaces and mounts


@dataclass
class Outcome:
    code: int  # exit code; negative: the signal it died of
    seconds: float
    timed_out: bool = False
    left_behind: list = field(default_factory=list)  # command lines of processes that outlived it


def adopt_orphans():
    """Makes this process the parent of every orphan below it: forking twice is no escape."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of(pid):
    """Every process below `pid`, by the kernel's own account."""
    parent_of = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    # The name in parentheses may itself hold spaces and parentheses.
                    fields = stat.read().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parent_of[int(entry)] = int(fields[1])
    below, found = {pid}, True
    while found:
        found = {child for child, parent in parent_of.items() if parent in below} - below
        below |= found
    return below - {pid}


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip() or f"pid {pid}"
    except OSError:
        return f"pid {pid}"


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def end(pids):
    """Asks, waits a little, then kills."""
    signal_all(pids, signal.SIGTERM)
    deadline = time.monotonic() + TERM_GRACE_S
    while time.monotonic() < deadline:
        if not any(os.path.exists(f"/proc/{pid}") and is_alive(pid) for pid in pids):
            return
        time.sleep(0.05)
    signal_all(pids, signal.SIGKILL)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def collect_zombies():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end_everything_below():
    """Ends all processes below this one; returns their command lines."""
    pids = children_of(os.getpid())
    names = [command_line(pid) for pid in sorted(pids)]
    while pids:
        end(pids)
        collect_zombies()
        pids = children_of(os.getpid())  # one of them may have forked meanwhile
    return names


def run(command, timeout_s, on_line, env=None):
    """Runs `command` alone: this process may have no other child. Lines come without newline."""
    start = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=env, start_new_session=True)
    outcome = Outcome(code=0, seconds=0)
    try:
        outcome.timed_out = not follow(process, start + timeout_s, on_line)
        if outcome.timed_out:
            end(children_of(os.getpid()))
        outcome.code = process.wait()
    finally:
        # Also on Ctrl-C. A process that is just about to go is given a moment before it is named.
        quiet_until = time.monotonic() + 0.5
        while children_of(os.getpid()) and time.monotonic() < quiet_until:
            time.sleep(0.02)
        outcome.left_behind = end_everything_below()
        process.stdout.close()
        if process.poll() is None:
            process.kill()
            process.wait()
        collect_zombies()
    outcome.seconds = time.monotonic() - start
    return outcome


def follow(process, deadline, on_line):
    """Passes lines on until the process ends (True) or time is up (False). A daemon may hold the
    pipe open after its parent has gone: the end of the process counts, not the end of the pipe."""
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            late = time.monotonic() >= deadline
            chunk = None
            if ended or late or selector.select(0.1):
                try:
                    chunk = os.read(pipe, 65536)
                except BlockingIOError:
                    chunk = None
            if chunk:
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    on_line(line.decode(errors="replace").rstrip("\r"))
                if not late:
                    continue
            if chunk == b"" and not ended:
                selector.unregister(pipe)  # closed its output, still running
                wait_until(process, deadline)
                ended = process.poll() is not None
                late = not ended
            if ended or late:
                if pending:
                    on_line(pending.decode(errors="replace"))
                return ended


def wait_until(process, deadline):
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass

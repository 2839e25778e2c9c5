"""What a running program does, seen from outside, through /proc."""

import os
import re
import time

from harness import BIN, wait_for

KIB = 1024
MIB = 1024 * 1024
CHUNK = 64 * KIB  # read at once, at most: the contract's 64 KiB
SANITIZED = any(word in os.path.basename(BIN) for word in ("asan", "tsan"))


def family_of(running):
    return [running.pid, *running.workers()]


def cpu_ticks(pids):
    """User and system time so far."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks


def own_memory(pids):
    """Bytes of memory that the processes wrote to; not shared, not files."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            text = file.read()
        total += int(re.search(r"Pss_Anon: *(\d+) kB", text).group(1)) * KIB
    return total


def bytes_read_by(pids):
    """By all calls that read, files and pipes among them."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            total += int(re.search(r"rchar: (\d+)", file.read()).group(1))
    return total


def unread(port):
    """Bytes in the kernel between a server and its clients, who are here."""
    total = 0
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file.read().splitlines()[1:]:
            local, remote, _, queues = line.split()[1:5]
            out, into = (int(n, 16) for n in queues.split(":"))
            if remote.endswith(":0000"):
                continue
            if int(local.split(":")[1], 16) == port:
                total += out
            if int(remote.split(":")[1], 16) == port:
                total += into
    return total


def stands_still(look, slack, what):
    """Waits until two looks, two seconds apart, are alike; what goes on for
    ever never is. (A busy machine makes everything stand still for a moment.)
    Returns the last one."""
    last = [look()]

    def alike():
        time.sleep(2)
        before, last[0] = last[0], look()
        return abs(last[0] - before) <= slack
    wait_for(alike, f"{what} to stand still")
    return last[0]

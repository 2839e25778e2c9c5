#!/usr/bin/env python3
"""What is kept of requests that are finished, and of connections."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading

from harness import (PATIENCE, Holding, Running, Server, case, check, equal,
                     main, wait_for)

PATIENT = ("-t", PATIENCE * 2)  # longer than wait_for waits
FEW = 5000
ROWS = 65536  # that may wait for the first in line

# The address sanitizer keeps what is freed, but not so much of it; and none of
# the variables, which newer compilers' builds have on a heap of each thread.
LEAN = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=1:"
            "thread_local_quarantine_size_kb=64:"
            "detect_stack_use_after_return=0")
SLACK = 1024  # KiB, for what is no request's
# A sanitizer doubles and more what it watches; that of threads also keeps what
# each has done, the more the busier the machine.
CHECKED = {"asan": 4, "tsan": 8}.get(
    os.path.basename(os.environ.get("TRIPTYCH_BIN", "")), 1)


def peak(pid):
    """The most memory that the process has had, in KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file
                    if line.startswith("VmHWM"))


def growth(model, *args, name=lambda number: ""):
    """What 15,000 finished requests add to 5,000, in bytes, while the first in
    line goes on."""
    with Holding("/slow") as server:
        with Running(model, *args, *PATIENT, "-i", "-", report=False,
                     stdin=subprocess.PIPE, env=LEAN) as running:
            def finish_up_to(last, first=0):
                lines = (f"bad/{number}{name(number)}\n"
                         for number in range(first, last))
                running.process.stdin.write(
                    "".join([*lines, f"{server.http}/{last}\n"]).encode())
                running.process.stdin.flush()
                wait_for(lambda: any(b"/%d " % last in head
                                     for head in server.requests),
                         f"request {last}")
                return peak(running.pid)
            running.process.stdin.write(f"{server.http}/slow\n".encode())
            before = finish_up_to(FEW)
            after = finish_up_to(4 * FEW, FEW)
            server.go.set()
            running.process.stdin.close()
            r = running.finish()
    equal(r.err.count(": bad-url: "), 4 * FEW, "failures")
    equal(r.status, 1, "exit status")
    return (after - before) * 1024


@case
def nothing_is_kept_of_what_is_discarded(model):
    grown = growth(model, "-n")
    check(grown <= SLACK * 1024 * CHECKED, f"{grown} bytes more")


# The parent of processes hears of a failure when it is that request's turn.
@case(models=("threads", "evloop", "coroutines"))
def nothing_is_kept_of_what_fails(model):
    grown = growth(model)
    check(grown <= SLACK * 1024 * CHECKED, f"{grown} bytes more")


@case(models=("evloop",))
def nothing_is_kept_by_loops(model):
    grown = growth(model, "-n", "--loops", "3")
    check(grown <= SLACK * 1024 * CHECKED, f"{grown} bytes more")


@case
def of_what_is_saved_its_name_is_taken(model):
    """At most 32 bytes, however long the name is."""
    with tempfile.TemporaryDirectory(prefix="triptych-") as directory:
        grown = growth(model, "-d", directory,
                       name=lambda number: f"\t{'long' * 50}-{number}")
    check(grown <= (SLACK * 1024 + 3 * FEW * 32) * CHECKED,
          f"{grown} bytes more")


def ahead_of_the_first(model, *args):
    """Behind a slow first, so many requests are finished as rows may wait;
    those after them begin when it is done."""
    with tempfile.NamedTemporaryFile("w", prefix="triptych-") as list_file, \
            Holding("/slow") as server:
        list_file.write(f"{server.http}/slow\n")
        list_file.write("bad\n" * (ROWS - 1))
        list_file.write(f"{server.http}/last\n")
        list_file.write("bad\n" * 20000)
        list_file.flush()
        with Running(model, "-n", *args, *PATIENT, "-i",
                     list_file.name) as running:
            wait_for(lambda: len(server.requests) == 2, "the last request")
            server.go.set()
            r = running.finish()
    equal(len(r.rows), 1 + ROWS + 20000, "rows")
    equal([r.words.index("ok"), r.words[ROWS], r.words.count("bad-url")],
          [0, "ok", ROWS - 1 + 20000], "results")
    done = int(r.rows[0]["done_us"])
    check(int(r.rows[ROWS]["start_us"]) < done, "the last one did not begin")
    early = sum(int(row["start_us"]) < done for row in r.rows[ROWS + 1:])
    equal(early, 0, "requests begun before the first was done")


@case
def rows_wait_up_to_a_limit(model):
    ahead_of_the_first(model)


@case(models=("evloop",))
def rows_wait_for_other_loops(model):
    ahead_of_the_first(model, "--loops", "3")


# --- Connections -------------------------------------------------------------

class Together(Server):
    """Answers when `together` requests wait, so that each has a connection of
    its own; knows how many connections the client keeps open."""

    def __init__(self, together):
        self.barrier = threading.Barrier(together)
        self.kept = 0
        self.counting = threading.Lock()
        super().__init__(self.answer)

    def count(self, change):
        with self.counting:
            self.kept += change

    def answer(self, c):
        self.count(1)
        try:
            while c.request():
                self.barrier.wait(PATIENCE)
                c.ok(b"body")
        finally:
            self.count(-1)


def idle_at_eight_servers(model, *args):
    jobs = 4
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Together(jobs)) for _ in range(8)]
        running = stack.enter_context(
            Running(model, "-n", "-j", jobs, *args, *PATIENT, "-i", "-",
                    stdin=subprocess.PIPE))
        for server in servers:
            running.process.stdin.write(
                f"{server.http}/x\n".encode() * jobs)
        running.process.stdin.flush()
        wait_for(lambda: all(len(server.requests) == jobs
                             for server in servers), "all requests")
        wait_for(lambda: sum(server.kept for server in servers) <= jobs,
                 f"no more than {jobs} idle connections; there are "
                 f"{sum(server.kept for server in servers)}")
        running.process.stdin.close()
        r = running.finish()
    equal(r.words, ["ok"] * 8 * jobs, r.err)


@case
def no_more_idle_connections_than_jobs(model):
    idle_at_eight_servers(model)


@case(models=("evloop",))
def no_more_idle_connections_in_all_loops(model):
    idle_at_eight_servers(model, "--loops", "4")


if __name__ == "__main__":
    sys.exit(main())

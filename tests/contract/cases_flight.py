#!/usr/bin/env python3
"""How many requests are under way at once, and what goes as they get fewer."""

import os
import signal
import subprocess
import sys
import threading
import time

from harness import (PATIENCE, Holding, Origin, Running, case, check, equal,
                     expect, main, run, wait_for)

PATIENT = 200  # seconds that an answer may take: longer than wait_for waits


@case
def so_many_at_once(model):
    """Each answer waits until a hundred requests are there; and no more than
    a hundred come."""
    with Origin() as origin:
        r = run(model, "-n", "-j", "100", "-t", PATIENT,
                *[f"{origin.http}/bytes/10?barrier=100"] * 300)
        expect(r, ["ok"] * 300, status=0)
        equal(origin.stats()["peak_in_flight"], 100, "in flight")


@case(models=("evloop",))
def so_many_in_two_loops(_):
    with Origin() as origin:
        r = run("evloop", "--loops", "2", "-n", "-j", "150", "-t",
                PATIENT, *[f"{origin.http}/bytes/10?barrier=150"] * 300)
        expect(r, ["ok"] * 300, status=0)
        equal(origin.stats()["peak_in_flight"], 150, "in flight")


def twenty(model, server):
    """A run of twenty requests; the last of them is held back."""
    return Running(model, "-n", "-j5", "-t", PATIENT,
                   *[f"{server.http}/{i}" for i in range(19)],
                   server.http + "/last")


def one_is_left(server, running):
    wait_for(lambda: len(server.requests) == 20 and
             len(running.workers()) == 1, "one worker to be left")


@case
def idle_connections_go_before_the_last_answer(model):
    """One may stay for the last request, though that has its own already."""
    with Holding("/last") as server:
        with twenty(model, server) as running:
            wait_for(lambda: len(server.requests) == 20 and
                     server.closed >= server.connections - 2,
                     "connections to be closed")
            server.go.set()
            r = running.finish()
    equal(r.words, ["ok"] * 20, r.err)
    equal(set(r.column("attempts")), {"1"}, "attempts")
    check(server.connections <= 5, f"{server.connections} connections")


class FiveAtOnce(Holding):
    """The first five requests are answered when all of them are there."""

    def __init__(self):
        self.five = threading.Barrier(5, timeout=PATIENCE)
        super().__init__("/last")

    def requested(self, c):
        head = c.request()
        if head and b"/first" in head.split()[1]:
            self.five.wait()
        return head


@case
def idle_connections_go_when_the_list_has_ended(model):
    """All but the last request were answered before that was known."""
    with FiveAtOnce() as server, \
            Running(model, "-n", "-j5", "-t", PATIENT, "-i", "-",
                    stdin=subprocess.PIPE) as running:
        listed = running.process.stdin
        listed.write("".join(
            f"{server.http}/{name}\n"
            for name in ["first"] * 5 + ["then"] * 14 + ["last"]).encode())
        listed.flush()
        wait_for(lambda: len(server.requests) == 20, "the last request")
        time.sleep(.5)  # however long the answers take, it ends as it should
        listed.close()
        wait_for(lambda: server.closed >= server.connections - 2,
                 "connections to be closed")
        server.go.set()
        r = running.finish()
    equal(r.words, ["ok"] * 20, r.err)
    check(server.connections >= 5, f"{server.connections} connections")


def sleeps(pid):
    """How often the main thread has given the processor away by itself."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("voluntary_ctxt_switches:"):
                return int(line.split()[1])
    return None


@case(models=("threads",))
def handed_over_by_half_a_queue(model):
    """The main thread is not woken for each job that is taken. (Beside that it
    wakes five times a second.)"""
    with Holding("/last") as server:
        with Running(model, "-n", "-j20", "-t", PATIENT,
                     *[f"{server.http}/{i}" for i in range(800)],
                     server.http + "/last") as running:
            wait_for(lambda: len(server.requests) == 801, "the last request")
            slept = sleeps(running.pid)
            server.go.set()
            r = running.finish()
    equal(r.words, ["ok"] * 801, r.err)
    check(slept < 400, f"the main thread slept {slept} times")


@case
def descriptors_have_room_before_the_first_request(model):
    """The kernel's table of them need not grow while workers wait for it."""
    jobs = 300
    with Holding("/held") as server, \
            Running(model, f"-j{jobs}", f"{server.http}/held") as running:
        wait_for(lambda: server.requests, "the request")
        with open(f"/proc/{running.pid}/status", encoding="ascii") as file:
            room = next(int(line.split()[1]) for line in file
                        if line.startswith("FDSize:"))
        server.go.set()
        r = running.finish()
    equal(r.words, ["ok"], r.err)
    check(room >= jobs, f"room for {room} descriptors")


@case(models=("processes",))
def workers_leave_before_the_last_answer(model):
    with Holding("/last") as server:
        with twenty(model, server) as running:
            one_is_left(server, running)
            server.go.set()
            r = running.finish()
            equal(running.family(), [], "processes left over")
    equal(r.words, ["ok"] * 20, r.err)


@case(models=("processes",))
def the_last_worker_is_replaced(model):
    """Though all others have left, a killed one's job finds a new one."""
    with Holding("/last") as server:
        with twenty(model, server) as running:
            one_is_left(server, running)
            os.kill(running.workers()[0], signal.SIGKILL)
            wait_for(lambda: len(server.requests) == 21, "a new try")
            server.go.set()
            r = running.finish()
            equal(running.family(), [], "processes left over")
    equal(r.words, ["ok"] * 20, r.err)
    equal(r.column("attempts"), ["1"] * 19 + ["2"], "attempts")


if __name__ == "__main__":
    sys.exit(main())

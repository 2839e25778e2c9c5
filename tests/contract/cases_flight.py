#!/usr/bin/env python3
"""How many requests are under way at once, and what goes as they get fewer."""

import os
import signal
import sys

from harness import (Holding, Origin, Running, case, check, equal, expect,
                     main, run, wait_for)

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

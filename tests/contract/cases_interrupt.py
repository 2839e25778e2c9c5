"""Interrupted while busy: at any moment of a transfer that never pauses, into
whatever standard output is, a signal ends the program within a second, with
its files in flight removed, its children reaped and its report whole.

The moments are random; the seed is printed, and TRIPTYCH_SEED sets it. With
TRIPTYCH_MOMENTS=N each scene is interrupted N times by each of the signals,
and the slowest of each is printed; else a sample is taken.
"""

import os
import pty
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import tty

from authority import Authority, TlsServer
from harness import (LIMIT_OF_ALL, Failure, Origin, Running, Skip, Workplace,
                     case, catches, check, content, equal, main, preloaded,
                     read_files, rests, wait_for)
from looking import SANITIZED

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SEED = int(os.environ.get("TRIPTYCH_SEED", time.time_ns() % 1000000))
MOMENTS = int(os.environ.get("TRIPTYCH_MOMENTS", "0"))

# The contract has one second. A machine may have better to do than to run this
# test; what does not end at all is still found.
LIMIT = float(os.environ.get("TRIPTYCH_LIMIT", "15"))

# How long after its start a transfer is interrupted, at most.
LATEST = 0.3 if MOMENTS else 0.1

ENDLESS = 1 << 40
SMALL = content(1000)


# --- Consumers -------------------------------------------------------------

class Consumer:
    """What standard output is. `out` is for the program."""

    def __init__(self, place):
        self.place = place
        self.done = threading.Event()
        self.threads = []
        self.open()

    def watch(self, function):
        """Does that, over and over, until it fails or all is over."""
        def go():
            try:
                while not self.done.is_set():
                    function()
            except OSError:
                pass
        self.threads.append(threading.Thread(target=go, daemon=True))
        self.threads[-1].start()

    def close(self):
        self.done.set()
        os.close(self.out)
        self.shut()
        for thread in self.threads:
            thread.join()

    def shut(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Null(Consumer):
    def open(self):
        self.out = os.open(os.devnull, os.O_WRONLY)


class File(Consumer):
    """Emptied now and then: the disk need not hold it all."""

    def open(self):
        self.out = os.open(self.place.join("out"), os.O_WRONLY | os.O_CREAT)
        self.watch(self.empty)

    def empty(self):
        os.truncate(self.place.join("out"), 0)
        time.sleep(0.01)


class FastPipe(Consumer):
    def open(self):
        self.cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE,
                                    stdout=subprocess.DEVNULL)
        self.out = os.dup(self.cat.stdin.fileno())
        os.set_inheritable(self.out, False)

    def shut(self):
        self.cat.stdin.close()
        self.cat.wait()


class StalledPipe(Consumer):
    def open(self):
        self.reader, self.out = os.pipe()

    def shut(self):
        os.close(self.reader)


class SlowPipe(StalledPipe):
    def open(self):
        super().open()
        os.set_blocking(self.reader, False)
        self.watch(self.sip)

    def sip(self):
        time.sleep(0.005)
        try:
            os.read(self.reader, 3000)
        except BlockingIOError:
            pass

    def shut(self):
        for thread in self.threads:
            thread.join()
        super().shut()


class Socket(Consumer):
    def open(self):
        self.ours, theirs = socket.socketpair()
        self.out = theirs.detach()
        self.watch(lambda: self.ours.recv(1 << 20) or self.done.set())

    def shut(self):
        self.ours.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.ours.close()


class Terminal(Consumer):
    def open(self):
        self.ours, self.out = pty.openpty()
        tty.setraw(self.out)
        self.watch(lambda: os.read(self.ours, 65536))

    def shut(self):
        for thread in self.threads:
            thread.join()  # it has met the terminal's end
        os.close(self.ours)


# --- Interrupting ----------------------------------------------------------

slowest = {}


def interrupt(model, scene, number, moment, consumer, *args, directory=None):
    """One run, interrupted `moment` seconds after it has begun. The first two
    bodies are small, all others without an end."""
    with Workplace() as place, consumer(place) as out, \
            Running(model, "-j5", *args, stdout=out.out) as running:
        wait_for(lambda: catches(running.pid, number), "its handlers")
        time.sleep(moment)
        begun = time.monotonic()
        running.signal(number)
        r = running.finish(LIMIT)
        took = time.monotonic() - begun
        left = running.family()
    slowest[scene, model] = max(took, slowest.get((scene, model), 0))
    try:
        check_end(r, number, directory, left, args)
    except Failure as finding:
        raise Failure(f"{signal.Signals(number).name} after {moment:.4f} s "
                      f"(seed {SEED}): {finding}")


def check_end(r, number, directory, left, args):
    equal(left, [], "processes left over")
    equal(r.status, 128 + number, f"exit status: {r.err}")
    given = sum("://" in a for a in args)
    equal(len(r.rows), given, "lines of the report")
    for row in r.rows:
        may_be = ("ok", "cancelled") if row["url"].endswith("/1000") \
            else ("cancelled",)
        check(row["result"] in may_be, f"{row}: {r.err}")
    if directory and os.path.isdir(directory):
        files = read_files(directory)
        for name, body in files.items():
            check(name in ("1000", "1000.1"), f"left over: {name}")
            equal(body == SMALL, True, name)
        for row, name in zip(r.rows, ("1000", "1000.1")):
            check(row["result"] != "ok" or name in files, f"no file: {row}")


def wanted(model, scene):
    """The signals and moments, and a part of the scenes in some builds."""
    dice = random.Random(f"{SEED} {model} {scene}")
    if MOMENTS:
        return [(number, dice.uniform(0, LATEST))
                for number in SIGNALS for _ in range(MOMENTS)]
    if SANITIZED and dice.random() < 0.7:
        return []  # the build without sanitizers has all scenes
    return [(number, dice.uniform(0, LATEST)) for number in
            ([dice.choice(SIGNALS)] if SANITIZED else SIGNALS)]


def bodies(url):
    return [f"{url}/bytes/1000"] * 2 + [f"{url}/bytes/{ENDLESS}"] * 4


def scene(name, consumer, *options):
    """A case: bodies over http."""
    def run_it(model):
        moments = wanted(model, name)
        if not moments:
            return
        with Origin() as origin:
            for number, moment in moments:
                interrupt(model, name, number, moment, consumer, *options,
                          *bodies(origin.http))
    run_it.__name__ = name
    case(run_it)


scene("into_a_file", File)
scene("into_dev_null", Null)
scene("into_a_fast_pipe", FastPipe)
scene("into_a_slow_pipe", SlowPipe)
scene("into_a_stalled_pipe", StalledPipe)
scene("into_a_socket", Socket)
scene("into_a_terminal", Terminal)
scene("with_discard", Null, "-n")
scene("without_bounds_into_dev_null", Null, "-j2",
      "--high-water", "none")
scene("one_at_a_time_into_dev_null", Null, "-j1")


@case
def with_a_directory(model):
    for number, moment in wanted(model, "with_a_directory"):
        with Workplace() as place, Origin() as origin:
            done = threading.Event()
            directory = place.join("d")

            def empty():
                """The disk need not hold it all."""
                while not done.wait(0.01):
                    for name in os.listdir(directory) if \
                            os.path.isdir(directory) else []:
                        if name.endswith(".part"):
                            path = os.path.join(directory, name)
                            try:  # not the small ones: they are to be whole
                                if os.path.getsize(path) > 65536:
                                    os.truncate(path, 0)
                            except OSError:
                                pass  # it is gone
            thread = threading.Thread(target=empty, daemon=True)
            thread.start()
            try:
                interrupt(model, "with_a_directory", number, moment, Null,
                          "-d", directory, *bodies(origin.http),
                          directory=directory)
            finally:
                done.set()
                thread.join()


@case
def with_an_upload(model):
    with Workplace() as place, Origin() as origin:
        with open(place.join("big"), "wb") as file:
            file.truncate(ENDLESS)
        for number, moment in wanted(model, "with_an_upload"):
            interrupt(model, "with_an_upload", number, moment, Null,
                      "-T", place.join("big"), *[f"{origin.http}/sink"] * 4)


@case
def from_a_file(model):
    with Workplace() as place:
        with open(place.join("big"), "wb") as file:
            file.truncate(ENDLESS)
        for number, moment in wanted(model, "from_a_file"):
            interrupt(model, "from_a_file", number, moment, Null,
                      *[f"file://{place.path}/big"] * 4)


def over_tls(name, consumer, *options):
    def run_it(model):
        moments = wanted(model, name)
        if not moments:
            return

        def speak(c):
            chunk = b"x" * (1 << 20)
            c.request()
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % ENDLESS)
            while True:
                c.send(chunk)
        authority = Authority()
        try:
            with TlsServer(speak, authority.issue("right")) as server:
                for number, moment in moments:
                    interrupt(model, name, number, moment, consumer,
                              *options, "--insecure", *[server.https] * 4)
        finally:
            authority.remove()
    run_it.__name__ = name
    case(run_it)


over_tls("https_into_dev_null", Null)
over_tls("https_with_discard", Null, "-n")


# --- Before the workers have begun -----------------------------------------

def a_worker_that_is_held(jobs):
    """By whoever stops it just when it was made: it shares its parent's table
    of descriptors, for the parent waits. With many, for the first of them
    before another is made."""
    def run_it(model):
        if SANITIZED:
            return  # nothing else is preloaded there
        with Workplace() as place, Origin() as origin:
            gate = place.join("gate")
            env = dict(os.environ, LD_PRELOAD=preloaded("held-shim.so"),
                       TRIPTYCH_HELD="close_range", TRIPTYCH_GATE=gate)
            with Running(model, "-n", "-j", str(jobs),
                         *[origin.http + "/bytes/1"] * jobs,
                         env=env) as running:
                wait_for(lambda: os.path.exists(gate + ".held") or
                         running.process.poll() is not None, "a worker")
                if running.process.poll() == 0:
                    raise Skip("a fork shares nothing here")
                wait_for(lambda: rests(running.pid), "the parent waits")
                running.signal(signal.SIGINT)
                r = running.finish(LIMIT)
                left = running.family()
        check_end(r, signal.SIGINT, None, left, running.args)
    run_it.__name__ = f"while_{jobs}_workers_are_held"
    case(run_it, models=("processes",))


a_worker_that_is_held(1)
a_worker_that_is_held(20)


if __name__ == "__main__":
    print(f"seed {SEED} (TRIPTYCH_SEED), "
          f"{MOMENTS or 'a sample of'} moments", flush=True)
    try:
        main(limit=LIMIT_OF_ALL * max(1, MOMENTS))
    finally:
        for key in sorted(slowest) if MOMENTS else ():
            print(f"{key[0]} [{key[1]}]: at most {slowest[key]:.3f} s")
        sys.stdout.flush()

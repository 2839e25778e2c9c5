"""Back-pressure: a consumer slower than the sources, in bounded memory."""

import fcntl
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
import tty

from harness import (BIN, MODELS, PATIENCE, Origin, Running, Server, Skip,
                     Workplace, case,
                     check, content, copy_program, equal, expect, main, run,
                     rests, state, wait_for)
from looking import (CHUNK, KIB, MIB, SANITIZED, cpu_ticks, family_of,
                     own_memory, stands_still, unread)

HIGH = 64 * KIB  # the default high-watermark
F_GETPIPE_SZ = 1032


def bound(model, jobs, high=HIGH):
    """Body bytes in user space when the consumer stalls, by model."""
    if model == "processes":
        return jobs * CHUNK + CHUNK
    return jobs * (high + CHUNK) + CHUNK


def bound_of_one(model, high=HIGH):
    """Of one request: with processes, its worker's chunk and the parent's."""
    return (CHUNK if model == "processes" else high) + CHUNK


# --- The bound -------------------------------------------------------------

SIZE = 12 * MIB  # more than the kernel's buffers of one connection hold
COUNT = 6
JOBS = 4


def read_and_compare(reader):
    """Reads all bodies to the end, and compares every byte."""
    at = 0
    wanted = b""
    number = 0
    while True:
        try:
            data = os.read(reader, MIB)
        except OSError:  # a terminal's end
            data = b""
        if not data:
            break
        while data:
            if at == len(wanted):
                check(number < COUNT, "more came than was asked for")
                wanted, at, number = content(SIZE, number), 0, number + 1
            part = data[:len(wanted) - at]
            check(wanted[at:at + len(part)] == part,
                  f"body {number - 1} differs near {at}")
            at += len(part)
            data = data[len(part):]
    equal((number, at), (COUNT, SIZE), "bodies, bytes of the last")


def stall(model, writer, reader):
    with Origin() as origin:
        urls = [f"{origin.http}/bytes/{SIZE}?seed={i}" for i in range(COUNT)]
        with Running(model, "-j", JOBS, *urls, stdout=writer) as running:
            os.close(writer)
            wait_for(lambda: origin.stats()["sent"] > JOBS * HIGH,
                     "the servers to send")
            # But for the answers to these looks, nothing more goes out.
            sent = stands_still(lambda: origin.stats()["sent"], 2000,
                                "the servers' sending")
            check(sent < JOBS * SIZE, f"{sent} bytes were sent")
            pids = family_of(running)
            before = cpu_ticks(pids)
            time.sleep(2)
            spent = (cpu_ticks(pids) - before) / os.sysconf("SC_CLK_TCK")
            check(spent <= 0.04, f"{spent} s of CPU while paused for 2 s")
            thread_error = []

            def compare():
                try:
                    read_and_compare(reader)
                except Exception as error:
                    thread_error.append(error)
                    while os.read(reader, MIB):
                        pass
            thread = threading.Thread(target=compare, daemon=True)
            thread.start()
            r = running.finish()
            thread.join()
            if thread_error:
                raise thread_error[0]
    os.close(reader)
    equal(r.words, ["ok"] * COUNT, r.err)
    peaks = [int(n) for n in r.column("peak_buffered")]
    check(0 < min(peaks) and max(peaks) <= bound_of_one(model),
          f"held at most {peaks}, but {bound_of_one(model)} is the bound")


@case
def stalled_pipe(model):
    reader, writer = os.pipe()
    stall(model, writer, reader)


@case
def stalled_socket(model):
    ours, theirs = socket.socketpair()
    stall(model, theirs.detach(), ours.detach())


@case
def stalled_terminal(model):
    ours, theirs = pty.openpty()
    tty.setraw(theirs, termios.TCSANOW)
    stall(model, theirs, ours)


@case
def consumers_that_never_stall(model):
    """A file and /dev/null: always ready, and not to be polled."""
    with Origin() as origin, Workplace() as place:
        urls = [f"{origin.http}/bytes/{SIZE}?seed={i}" for i in range(COUNT)]
        with open(place.join("out"), "wb") as file:
            with Running(model, "-j", JOBS, *urls, stdout=file) as running:
                equal(running.finish().words, ["ok"] * COUNT, "results")
        reader = os.open(place.join("out"), os.O_RDONLY)
        read_and_compare(reader)
        os.close(reader)
        with Running(model, "-j", JOBS, *urls) as running:
            r = running.finish()
    equal(r.words, ["ok"] * COUNT, "results")
    for peak in r.column("peak_buffered"):
        check(int(peak) <= bound_of_one(model), f"held {peak}")


# --- Memory ----------------------------------------------------------------

def held_memory(model, answer, jobs):
    """The memory of all processes of a run whose first answer never comes,
    when the others have run as far ahead as they may."""
    reader, writer = os.pipe()

    def script(c):
        if c.request().startswith(b"GET /0 "):
            c.hold()
        c.send(answer)
        c.hold()
    try:
        with Server(script) as server:
            with Running(model, "-j", jobs, "--no-keep-alive", f"{server.http}/0",
                         *[f"{server.http}/body"] * (jobs - 1),
                         stdout=writer) as running:
                wait_for(lambda: len(server.requests) >= jobs, "the requests")
                stands_still(lambda: own_memory(family_of(running)), 64 * KIB,
                             "the memory")
                return own_memory(family_of(running))
    finally:
        os.close(reader)
        os.close(writer)


def unsanitized():
    if SANITIZED:
        raise Skip("a sanitizer's memory is not the program's")


@case
def memory_is_bounded(model):
    """Also where each byte comes in a chunk of its own: what is stashed byte
    by byte takes no more memory than what is stashed at once."""
    unsanitized()
    jobs = 32
    head = b"HTTP/1.1 200 OK\r\n"
    least = held_memory(model, head + b"Content-Length: 1\r\n\r\nx", jobs)
    for name, answer in (
            ("at once", head + b"Content-Length: 20000000\r\n\r\n"
             + content(MIB)),
            ("byte by byte", head + b"Transfer-Encoding: chunked\r\n\r\n"
             + b"1\r\nx\r\n" * 300000)):
        held = held_memory(model, answer, jobs) - least
        most = 2.1 * bound(model, jobs) + MIB
        check(held <= most, f"{name}: {held} bytes held, {most:.0f} allowed")


@case
def none_switches_it_off(model):
    """--high-water none: the bodies behind the first pile up in memory."""
    n, count = 3 * MIB, 8
    go = threading.Event()

    def script(c):
        while head := c.request():
            number = int(head.split()[1][1:])
            if number == 0:
                go.wait(60)
            c.ok(content(n, number))
            sent.append(number)
    sent = []
    with Server(script) as server:
        reader, writer = os.pipe()
        chunks = []
        with Running(model, "-j", count, "--high-water", "none",
                     *[f"{server.http}/{i}" for i in range(count)],
                     stdout=writer) as running:
            os.close(writer)
            # All is read although nothing can be written yet.
            wait_for(lambda: len(sent) == count - 1 and
                     unread(server.port) == 0, "all to be read")
            go.set()
            while data := os.read(reader, MIB):
                chunks.append(data)
            r = running.finish()
        os.close(reader)
    equal(r.words, ["ok"] * count, r.err)
    check(b"".join(chunks) == b"".join(content(n, i) for i in range(count)),
          "bodies differ")
    for peak in r.column("peak_buffered")[1:]:
        check(int(peak) > n - 100 * KIB, f"held only {peak} of {n}")


# (In the others the first in line does not read ahead.)
@case(models=("processes", "evloop"))
def none_keeps_nothing_that_is_written(model):
    """The consumer is always behind, but never by more than two pieces: with
    --high-water none, too, no more than that is held."""
    unsanitized()
    pieces, size = 8, 2 * MIB
    piece = content(size)
    wanted = threading.Semaphore(2)

    def script(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
               % (pieces * size))
        for _ in range(pieces):
            wanted.acquire(timeout=PATIENCE)
            c.send(piece)
        c.hold()  # the end of a connection counts as a byte that is not read
    reader, writer = os.pipe()
    with Server(script) as server, os.fdopen(reader, "rb") as out:
        with Running(model, "--high-water", "none", "-t", 2 * PATIENCE,
                     server.http, stdout=writer) as running:
            os.close(writer)
            for number in range(pieces):
                wait_for(lambda: unread(server.port) == 0 and
                         rests(running.pid), "all that was sent to be read")
                held = own_memory([running.pid])
                check(held <= 6 * size, f"{held} bytes before {number}")
                equal(out.read(size) == piece, True, f"piece {number}")
                wanted.release()
            r = running.finish()
    equal(r.words, ["ok"], r.err)


# --- Watermarks ------------------------------------------------------------

@case
def every_mark_will_do(model):
    answers = None
    for marks in (("1", "0"), ("1", "1"), ("100", None), ("4096", "4096"),
                  ("1M", "5"), (None, "3"), (None, "1G"), ("8G", None),
                  ("none", None), ("none", "7")):
        options = []
        if marks[0]:
            options += ["--high-water", marks[0]]
        if marks[1]:
            options += ["--low-water", marks[1]]
        with Origin() as origin:
            r = run(model, "-j4", *options, f"{origin.http}/bytes/100?delay=99",
                    *[f"{origin.http}/bytes/300000?seed={i}"
                      for i in range(1, 6)])
        answers = expect(r, ["ok"] * 6, content(100) + b"".join(
            content(300000, i) for i in range(1, 6)))
        if marks[0] in ("1", "100", "4096"):
            for peak in r.column("peak_buffered"):
                check(int(peak) <= bound_of_one(model, int(marks[0])),
                      f"{marks}: held {peak}")
    return answers


@case
def marks_that_will_not_do(model):
    for options, words in (
            (["--high-water", "0"], "--high-water '0': it takes bytes"),
            (["--high-water", "-1"], "--high-water '-1': it takes bytes"),
            (["--high-water", "x"], "--high-water 'x': it takes bytes"),
            (["--high-water", ""], "--high-water '': it takes bytes"),
            (["--low-water", "none"], "--low-water 'none': it takes bytes"),
            (["--low-water", "0"], "--low-water 0 needs a --high-water"),
            (["--high-water", "9", "--low-water", "10"], "--low-water"),
            (["--low-water", "65537", "--high-water", "64K"], "--low-water")):
        r = run(model, *options, "http://127.0.0.1:9/")
        equal(r.status, 2, f"{options}: exit status")
        check(words in r.err, f"{options}: {r.err}")


def at_limit():
    """A new pipe of a user whose pipes have many pages is small."""
    fds = os.pipe()
    size = fcntl.fcntl(fds[0], F_GETPIPE_SZ)
    for fd in fds:
        os.close(fd)
    return size < 65536


def pipe_sizes(pid):
    """What the pipes that a process writes to can hold."""
    sizes = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{name}"
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as file:
            flags = int(re.search(r"flags:\s*(\d+)", file.read()).group(1), 8)
        if os.readlink(path).startswith("pipe:") and flags & os.O_WRONLY and \
                name != "2":
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            sizes.append(fcntl.fcntl(fd, F_GETPIPE_SZ))
            os.close(fd)
    return sizes


@case(models=("processes",))
def the_mark_is_in_the_pipe(model):
    """Rounded up to what a pipe can be."""
    for mark, wanted in (("1", 4096), ("5000", 8192), ("64K", 65536),
                         ("65537", 131072), ("1M", MIB)):
        with Origin() as origin:
            with Running(model, "-j2", "--high-water", mark,
                         *[f"{origin.http}/bytes/1?delay=600000"] * 2,
                         stdout=subprocess.DEVNULL) as running:
                # A worker that was just forked still has those of others.
                def sizes(running=running):
                    try:
                        return [pipe_sizes(pid) for pid in running.workers()]
                    except FileNotFoundError:  # closed meanwhile
                        return None
                wait_for(lambda: sizes() == [[wanted]] * 2 or at_limit(),
                         f"{mark}: two pipes of {wanted}")
                if sizes() != [[wanted]] * 2:
                    raise Skip("this user's pipes have all the pages that "
                               "the kernel gives them")
                equal(running.errors(), "", f"{mark}: warnings")


@case(models=("processes",))
def a_mark_too_high_is_lowered(model):
    """An ordinary user gets no more than 1 MiB, and one warning."""
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    with open("/proc/sys/fs/pipe-max-size", encoding="ascii") as file:
        most = int(file.read())
    place = tempfile.mkdtemp(prefix="triptych-")
    try:
        os.chmod(place, 0o755)
        path = copy_program(model, place)
        with Origin() as origin:
            child = subprocess.run(
                [path, "-q", "-j3", "--high-water", str(8 * most),
                 *[f"{origin.http}/bytes/100000?seed={i}" for i in range(9)]],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=65534,
                group=65534, cwd="/", check=False)
    finally:
        shutil.rmtree(place)
    equal(child.returncode, 0, child.stderr)
    check(child.stdout == b"".join(content(100000, i) for i in range(9)),
          "bodies differ")
    warnings = child.stderr.decode().splitlines()
    equal(len(warnings), 1, f"warnings: {warnings}")
    check(f"warning: a pipe cannot hold {8 * most} bytes here; the "
          f"high-water mark is {most}" in warnings[0], warnings[0])


# --- No standstill ---------------------------------------------------------

@case
def more_places_than_sources(model):
    reader, writer = os.pipe()
    stall_free(model, reader, writer, jobs=200, count=5, n=300000)


@case
def five_hundred_sources(model):
    reader, writer = os.pipe()
    stall_free(model, reader, writer, jobs=64, count=500, n=100000)


def stall_free(model, reader, writer, jobs, count, n):
    """A slow start, small pipes, later answers before earlier ones."""
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    chunks = []
    with Origin() as origin:
        with Running(model, "-j", jobs, "--high-water", "8K",
                     *[f"{origin.http}/bytes/{n}?seed={i}&"
                       f"delay={(i * 7) % 5 * 10}" for i in range(count)],
                     stdout=writer) as running:
            os.close(writer)
            time.sleep(0.5)
            while data := os.read(reader, MIB):
                chunks.append(data)
            r = running.finish()
    os.close(reader)
    equal(r.words, ["ok"] * count, r.err)
    check(b"".join(chunks) == b"".join(content(n, i) for i in range(count)),
          "bodies differ")


# --- ./run drain -----------------------------------------------------------

@case(models=("evloop",))  # it runs them all itself
def the_picture_of_it(model):
    """What the table says, with small sources and a fast consumer."""
    del model
    unsanitized()
    tool = os.path.join(BIN, "tests", "triptych-drain")
    with Workplace() as place:
        child = subprocess.run(
            [tool, "--size", "3", "--rate", "16", BIN,
             os.path.join(BIN, "tests", "triptych-origin"), place.path],
            capture_output=True, text=True, check=False)
        equal(child.returncode, 0, child.stderr)
        rows = re.findall(r"^  (\w+) +(64K|none) +[\d.]+ +[\d.]+ +([\d.]+) "
                          r"+(\S+)$", child.stdout, re.M)
        equal([row[:2] for row in rows],
              [(m, marks) for marks in ("64K", "none")
               for m in MODELS], child.stdout)
        for name, marks, held, most in rows:
            if marks == "none":
                check(float(held) > 16, f"{name} held {held} of 48 MiB")
            else:
                check(float(held) < float(most) + 2, f"{name} held {held}")
        with open(place.join("teeth.tsv"), encoding="ascii") as file:
            stashed = [int(line.split()[1]) for line in file]
        check(max(stashed) > 65536 and min(stashed[20:]) <= 16384,
              f"no teeth: {stashed}")
        check(max(stashed) <= 65536 + 8192, f"above the mark: {stashed}")


@case
def reset_at_the_mark(model):
    """A reset right behind the bytes that pause the reading: it is not lost,
    or a body that was cut would be whole. 4,096 bytes are what libevent reads
    at once; the program sleeps until all is there."""
    asked = threading.Event()
    held = threading.Event()
    sent = threading.Event()

    def script(c):
        asked.set()
        c.read_all()
        if not held.wait(PATIENCE):
            return
        c.send(b"x" * 4096)
        c.reset()
        sent.set()

    go = threading.Event()

    def first(c):
        c.request()
        go.wait(PATIENCE)
        c.ok(b"first")
    reader, writer = os.pipe()
    with Server(first) as slow, Server(script) as server:
        with Running(model, "-j2", "--high-water", "1K", slow.http + "/",
                     server.tcp + "/", stdout=writer) as running:
            os.close(writer)
            check(asked.wait(PATIENCE), "it was not asked")
            wait_for(lambda: state(running.pid) == "S", "it to wait")
            time.sleep(0.2)
            pids = running.family()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            held.set()
            check(sent.wait(PATIENCE), "nothing was sent")
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.2)
            go.set()
            r = running.finish()
    os.close(reader)
    equal(r.words, ["ok", "reset"], r.err)
    equal(r.status, 1, r.err)


if __name__ == "__main__":
    main()

"""What the minimal programs promise beyond the tables that they share with the
full ones: their size and shape, signals, killed workers, bounded memory."""

import os
import re
import signal
import subprocess
import threading

import harness
from harness import (MODELS, Server, case, check, content, equal, main, state,
                     wait_for)

SOURCE = os.path.join(os.path.dirname(__file__), "../..")
STEPS = "take connect send receive deliver finish stop".split()
MOST = 130 # lines, as wc counts them: a screen or two
ROOM = {"coroutines": "evloop/coroutines"}
MIB = 1 << 20


def source(model):
    with open(os.path.join(SOURCE, ROOM.get(model, model), "minimal.c"),
              encoding="ascii") as file:
        return file.read()


def steps_of(text):
    """The steps whose bodies stand in the text, in their order."""
    return re.findall(r"(?m)^[a-z].*\bstep_(\w+)\([^;]*?\)\n\{", text)


@case
def short_and_in_the_same_order(model):
    lines = source(model).splitlines()
    check(len(lines) <= MOST, f"{len(lines)} lines")
    check(all(len(line) <= 79 for line in lines), "a long line")
    own = steps_of("\n".join(lines))
    equal(own, [step for step in STEPS if step in own], "the steps' order")
    check({"take", "receive", "deliver", "finish"} <= set(own),
          f"steps: {own}")


@case(models=("coroutines",))
def without_a_stack(_):
    """stackless.c: bodies in order whatever comes first, a redirect, failures,
    more requests than places."""
    path = os.path.join(SOURCE, "evloop/coroutines/stackless.c")
    with open(path, encoding="ascii") as file:
        check(len(file.read().splitlines()) <= 80, "more than 80 lines")
    last = threading.Event()

    def script(c):
        head = c.request()
        if b"/first" in head:
            last.wait(harness.PATIENCE)
        if b"/moved" in head:
            c.send(b"HTTP/1.1 302 Found\r\nLocation: /here\r\n"
                   b"Content-Length: 0\r\n\r\n")
        elif b"/reset" in head:
            c.reset()
        else:
            c.ok(content(70000) + head.split()[1])
            if b"/last" in head:
                last.set()
    with Server(script) as server:
        names = ["first", "moved", "reset", "4", "5", "last", "7", "8"]
        done = subprocess.run(
            [os.path.join(harness.BIN, "stackless"), "-j", "6", "ftp://x/",
             *(f"{server.http}/{name}" for name in names)],
            capture_output=True, check=False, timeout=harness.PATIENCE)
    equal(done.returncode, 1, done.stderr)
    equal(done.stderr.decode().splitlines(),
          ["stackless: ftp://x/: unsupported: no such scheme is spoken here",
           f"stackless: {server.http}/reset: reset: "
           "Connection reset by peer"], "messages")
    check(done.stdout == b"".join(
        content(70000) + b"/" + name.encode()
        for name in ["first", "here", "4", "5", "last", "7", "8"]),
        f"{len(done.stdout)} bytes")


@case
def stopped_and_continued(model):
    """A socket with a time limit ends its sleep with EINTR on SIGCONT."""
    def script(c):
        c.request()
        go.wait(harness.PATIENCE)
        c.ok(b"body")
    go = threading.Event()
    with Server(script) as server, harness.Workplace() as place:
        path = place.join("out")
        with open(path, "wb") as out, \
                harness.Running(model, server.http, stdout=out) as running:
            wait_for(lambda: server.requests, "the request")
            family = running.family()
            for pid in family:
                os.kill(pid, signal.SIGSTOP)
            wait_for(lambda: all(state(pid) == "T" for pid in family),
                     "the stop")
            for pid in family:
                os.kill(pid, signal.SIGCONT)
            wait_for(lambda: all(state(pid) == "S" for pid in family),
                     "the sleep")
            go.set()
            equal(running.finish().status, 0, "exit status")
        with open(path, "rb") as file:
            equal(file.read(), b"body", "the body")


@case
def more_places_than_urls_and_none(model):
    with Server(lambda c: c.request() and c.ok(b"body")) as server:
        r = harness.run(model, "-j", "500", server.http + "/a")
        equal((r.out, r.status), (b"body", 0), "one URL")
    r = harness.run(model, "-i", "-", stdin=b"# none\n")
    equal((r.out, r.status), (b"", 0), "no URL")
    r = harness.run(model)
    equal(r.status, 2, "no argument")
    for wrong in ("0", "-1", "x", "1001"):
        r = harness.run(model, "-j", wrong, "http://127.0.0.1/")
        equal(r.status, 2, f"-j {wrong}")


@case
def a_list_is_read_as_it_comes(model):
    reader, writer = os.pipe()
    with Server(lambda c: c.request() and c.ok(b"body")) as server:
        with harness.Running(model, "-n", "-i", "-", stdin=reader) as running:
            os.close(reader)
            os.write(writer, f"{server.http}/1\n".encode())
            wait_for(lambda: len(server.requests) == 1, "the first request")
            os.write(writer, f"{server.http}/2".encode())
            os.close(writer)
            equal(running.finish().status, 0, "exit status")
        equal(len(server.requests), 2, "requests")


@case
def the_reading_end_of_a_pipe(model):
    """As standard output it takes nothing, and is told at once; with -n it is
    no matter."""
    reader, writer = os.pipe()
    try:
        with Server(lambda c: c.request() and c.ok(b"body")) as server:
            with harness.Running(model, server.http,
                                 stdout=reader) as running:
                r = running.finish()
            equal(r.status, 3, r.err)
            check("standard output: Bad file descriptor" in r.err, r.err)
            with harness.Running(model, "-n", server.http,
                                 stdout=reader) as running:
                equal(running.finish().status, 0, "exit status with -n")
    finally:
        os.close(reader)
        os.close(writer)


def interrupted(model, number, stdout, ready):
    """Ends a run with a signal as soon as `ready` says so, and looks."""
    def endless(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            c.send(bytes(65536))
    with Server(endless) as server:
        urls = [f"{server.http}/{i}" for i in range(6)]
        with harness.Running(model, "-j", "4", *urls,
                             stdout=stdout) as running:
            wait_for(lambda: server.connections == 4 and ready(),
                     "a busy moment")
            running.signal(number)
            equal(running.finish(10).status, 128 + number, "exit status")
            equal(running.family(), [], "processes left behind")


@case
def interrupted_into_a_file(model):
    with harness.Workplace() as place, \
            open(place.join("out"), "wb") as out:
        interrupted(model, signal.SIGINT, out,
                    lambda: os.fstat(out.fileno()).st_size > MIB)


@case
def interrupted_into_a_stalled_pipe(model):
    reader, writer = os.pipe()
    try:
        interrupted(model, signal.SIGTERM, writer, lambda: True)
    finally:
        os.close(reader)
        os.close(writer)


@case
def interrupted_into_a_busy_pipe(model):
    reader, writer = os.pipe()
    reading = harness.Reading(reader)
    try:
        interrupted(model, signal.SIGHUP, writer,
                    lambda: len(reading.chunks) > 9)
    finally:
        os.close(writer)
    reading.whole()


@case(models=("processes",))
def a_killed_worker_is_told(model):
    go = threading.Event()

    def script(c):
        if b"/held" in c.request():
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            go.wait(harness.PATIENCE)
        else:
            c.ok(b"after")
    with Server(script) as server:
        with harness.Running(model, "-n", server.http + "/held") as running:
            wait_for(lambda: server.requests, "the request")
            for pid in running.workers():
                os.kill(pid, signal.SIGKILL)
            r = running.finish(20)
            equal(r.status, 1, "exit status")
            check("worker-crashed: its worker was killed by signal 9" in
                  r.err, r.err)
            equal(running.family(), [], "processes left behind")
        go.set()


@case
def killed_itself_it_leaves_no_worker(model):
    def script(c):
        c.request()
        c.hold()
    with Server(script) as server:
        with harness.Running(model, "-j", "3",
                             *(f"{server.http}/{i}" for i in range(3))) as run:
            wait_for(lambda: len(server.requests) == 3, "the requests")
            run.process.kill()
            run.process.wait()
            wait_for(lambda: all(state(pid) == "Z" for pid in run.family()),
                     "the workers' end")


def peak(pid):
    """The most memory that a process has had, in bytes; 0: it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            found = re.search(r"VmHWM:\s+(\d+)", file.read())
    except OSError:
        return 0
    return int(found.group(1)) * 1024 if found else 0


@case
def large_bodies_in_order_in_bounded_memory(model):
    """Four bodies of 24 MiB, the first of which comes last, into a reader
    that begins late."""
    body = content(24 * MIB)
    go = threading.Event()

    def script(c):
        head = c.request()
        if b"/0" in head:
            go.wait(harness.PATIENCE)
        c.ok(body)
    reader, writer = os.pipe()
    with Server(script) as server:
        urls = [f"{server.http}/{i}" for i in range(4)]
        with harness.Running(model, "-j", "4", *urls,
                             stdout=writer) as running:
            os.close(writer)
            wait_for(lambda: len(server.requests) == 4, "the requests")
            go.set()
            got = bytearray()
            most = 0
            while data := os.read(reader, 65536):
                if len(got) % MIB < 65536:
                    most = max([most] + [peak(pid)
                                         for pid in running.family()])
                got += data
            equal(running.finish().status, 0, "exit status")
    os.close(reader)
    check(got == body * 4, f"{len(got)} bytes, not the four bodies")
    if not any(s in os.path.basename(harness.BIN) for s in ("asan", "tsan")):
        check(0 < most < 20 * MIB, f"a peak of {most} bytes")


@case
def a_full_output_ends_it(model):
    with Server(lambda c: c.request() and c.ok(bytes(MIB))) as server:
        with open("/dev/full", "wb") as full:
            with harness.Running(model, server.http, stdout=full) as running:
                r = running.finish(20)
                equal(r.status, 3, "exit status")
                check("standard output: No space" in r.err, r.err)
                equal(running.family(), [], "processes left behind")


SHIM = harness.preloaded("faults-shim.so")


@case
def a_look_up_that_lacks_memory(model):
    """That is no fault of the name."""
    if not os.path.exists(SHIM):
        raise harness.Skip("the shim of the faults is not there")
    # The shim comes before the sanitizer, and would have it look for leaks in
    # a process of one request, whose end gives its memory back.
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + \
        ":verify_asan_link_order=0" + \
        (":detect_leaks=0" if model == "processes" else "")
    with harness.Workplace() as place:
        for fault, word in (("EAI_MEMORY", "no-resources"),
                            ("EAI_NONAME", "dns")):
            r = harness.run(model, "-j", "1", "http://localhost:1/", env=dict(
                os.environ, LD_PRELOAD=SHIM,
                ASAN_OPTIONS=sanitizer,
                TRIPTYCH_FAULT=f"getaddrinfo:1:{fault}",
                TRIPTYCH_FAULT_PAGE=place.join(fault)))
            equal(r.words, [word], r.err)


# Sanitizers and valgrind exclude each other, and valgrind 3.19 cannot read
# what clang 14 writes for debuggers.
NO_VALGRIND = any(s in os.path.basename(harness.BIN)
                  for s in ("asan", "tsan", "clang"))


@case(models=() if NO_VALGRIND else MODELS)
def clean_under_valgrind(model):
    with Server(lambda c: c.request() and c.ok(content(200000))) as server:
        urls = [f"{server.http}/{i}" for i in range(5)] + ["bad"]
        done = subprocess.run(
            ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
             "--trace-children=no", harness.program(model), "-j", "3", *urls],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
            timeout=harness.PATIENCE)
    equal(done.returncode, 1, done.stderr.decode())
    check("Valgrind:" not in done.stderr.decode(), done.stderr.decode())
    check(done.stdout == content(200000) * 5, "the bodies")


if __name__ == "__main__":
    main()

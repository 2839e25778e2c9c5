"""Readers that stall: of standard error, of the report. That is a matter of
theirs: requests go on, until so much waits that no more is begun."""

import os
import signal
import threading
import time

from harness import (Server, Workplace, case, check, equal,
                     main, program, read_report, wait_for)
import subprocess

# Longer than the one second of the contract: the machine may be busy.
SOON = 20


def fill(fd):
    """Writes blanks until no more will do. Returns how many."""
    blanks = 0
    os.set_blocking(fd, False)
    try:
        for size in (4096, 1):
            try:
                while True:
                    blanks += os.write(fd, b"\n" * size)
            except BlockingIOError:
                pass
    finally:
        os.set_blocking(fd, True)
    return blanks


def refuse(c):
    """Every answer is a 404, of which there is a message; but for /ok."""
    while head := c.request():
        if head.startswith(b"GET /ok"):
            c.ok(b"body")
        else:
            c.send(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")


def read_all(fd, got):
    while data := os.read(fd, 65536):
        got.append(data)


class Stalled:
    """The program, with a pipe for standard error that is full."""

    def __init__(self, model, *args, **more):
        self.reader, writer = os.pipe()
        self.blanks = fill(writer)
        self.process = subprocess.Popen(
            [program(model), *args], stderr=writer, stdin=subprocess.DEVNULL,
            start_new_session=True, **more)
        os.close(writer)

    def read(self):
        """Reads on to the end; returns what the program has said."""
        got = []
        thread = threading.Thread(target=read_all, args=(self.reader, got),
                                  daemon=True)
        thread.start()
        self.status = self.process.wait(120)
        thread.join(120)
        return b"".join(got)[self.blanks:].decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.reader)


def check_messages(text, urls, ok=()):
    lines = [line for line in text.split("\n") if "http-error" in line]
    equal(len(lines), len(urls), "messages")
    for url in urls:
        equal(sum(f": {url}: http-error: " in line for line in lines), 1, url)


@case
def standard_error_is_stalled(model):
    """All requests are made, and all messages come in the end, whole."""
    with Server(refuse) as server:
        urls = [f"{server.http}/{i}" for i in range(100)]
        with Stalled(model, "-n", "-j4", "--retries", "0", *urls) as stalled:
            wait_for(lambda: len(server.requests) == 100, "all requests")
            check_messages(stalled.read(), urls)
            equal(stalled.status, 1, "exit status")


@case
def a_stalled_terminal_with_a_progress_line(model):
    """Once its buffer is full, the line is not shown; bodies go on."""
    with Server(refuse) as server:
        urls = [f"{server.http}/{'ok' if i % 2 else i}" for i in range(60)]
        with Stalled(model, "-j3", "--progress", "always", *urls,
                     stdout=subprocess.PIPE) as stalled:
            body = stalled.process.stdout.read(30 * 4)
            equal(body, b"body" * 30, "bodies")
            wait_for(lambda: len(server.requests) == 60, "all requests")
            check_messages(stalled.read(), urls[::2])
            stalled.process.stdout.close()


@case
def too_many_messages_stop_the_requests(model):
    """And they go on when the reader does."""
    with Server(refuse) as server:
        urls = [f"{server.http}/{i:x<4000}" for i in range(200)]
        with Workplace() as place:
            with open(place.join("list"), "w", encoding="ascii") as file:
                file.write("\n".join(urls))
            with Stalled(model, "-n", "-j2", "-i", place.join("list")) as run:
                wait_for(lambda: len(server.requests) >= 16, "some requests")
                time.sleep(0.5)
                check(len(server.requests) < 50,
                      f"{len(server.requests)} requests")
                check_messages(run.read(), urls)
        equal(len(server.requests), 200, "requests")


class Fifo:
    """A named pipe that is full, and its reader."""

    def __init__(self, place):
        self.path = place.join("fifo")
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR)
        self.blanks = fill(self.fd)
        self.reader = os.open(self.path, os.O_RDONLY)

    def rows(self, place, process):
        """Reads on until the program has ended."""
        os.close(self.fd)
        got = []
        read_all(self.reader, got)
        os.close(self.reader)
        process.wait(120)
        with open(place.join("report"), "wb") as file:
            file.write(b"".join(got)[self.blanks:])
        return read_report(place.join("report"))


@case
def the_report_is_stalled(model):
    """All requests are made, and all bodies written; then all rows come."""
    with Workplace() as place, Server(refuse) as server:
        fifo = Fifo(place)
        urls = [f"{server.http}/ok{i:x<1000}" for i in range(300)]
        with subprocess.Popen(
                [program(model), "-q", "-j4", "--report", fifo.path, *urls],
                stdout=subprocess.PIPE) as process:
            body = process.stdout.read(300 * 4)
            equal(body, b"body" * 300, "bodies")
            equal(len(server.requests), 300, "requests")
            rows = fifo.rows(place, process)
        equal([row["url"] for row in rows], urls, "rows")
        equal(process.returncode, 0, "exit status")


@case
def interrupted_while_both_are_stalled(model):
    """It ends all the same, without what nobody takes."""
    with Workplace() as place, Server(refuse) as server:
        fifo = Fifo(place)
        for number in (signal.SIGINT, signal.SIGTERM):
            before = len(server.requests)
            with Stalled(model, "-n", "-j2", "--report", fifo.path,
                         *[f"{server.http}/{i}" for i in range(10)]) as run:
                wait_for(lambda n=before: len(server.requests) == n + 10,
                         "all requests")
                run.process.send_signal(number)
                equal(run.process.wait(SOON), 128 + number, "exit status")
        os.close(fifo.fd)
        os.close(fifo.reader)


@case
def interrupted_while_the_trace_is_stalled(model):
    """One request is held. Of the others the trace has more than a page, and
    the pipe has one left."""
    def script(c):
        while head := c.request():
            if head.startswith(b"GET /held"):
                c.hold()
            c.ok(b"body")
    with Workplace() as place, Server(script) as server:
        fifo = Fifo(place)
        os.read(fifo.reader, 4096)
        with subprocess.Popen(
                [program(model), "-q", "-n", "-j2", "--trace", fifo.path,
                 *[f"{server.http}/{path}" for path in ["held"] + [""] * 99]],
                stderr=subprocess.PIPE) as process:
            try:
                wait_for(lambda: len(server.requests) == 100, "all requests")
                process.send_signal(signal.SIGTERM)
                _, err = process.communicate(timeout=SOON)
            finally:
                process.kill()
        os.close(fifo.fd)
        os.close(fifo.reader)
        equal(process.returncode, 143, f"exit status: {err}")
        check(b"/fifo: " in err, err)


@case
def the_trace_is_stalled_from_the_start(model):
    """That is an error of its own: the program does not go on."""
    with Workplace() as place, Server(refuse) as server:
        fifo = Fifo(place)
        done = subprocess.run(
            [program(model), "-q", "-n", "--trace", fifo.path,
             f"{server.http}/ok"], capture_output=True, check=False,
            timeout=120)
        os.close(fifo.fd)
        os.close(fifo.reader)
        equal(done.returncode, 3, f"exit status: {done.stderr}")
        check(b"/fifo: " in done.stderr, done.stderr)


@case
def a_reader_that_leaves(model):
    """Of standard error: its messages are lost, and nothing else. Of the
    report: the program cannot go on."""
    with Workplace() as place, Server(refuse) as server:
        with Stalled(model, "-n", f"{server.http}/ok",
                     f"{server.http}/1") as run:
            wait_for(lambda: len(server.requests) == 2, "the requests")
            os.close(run.reader)
            run.reader = os.open(os.devnull, os.O_RDONLY)
            equal(run.process.wait(120), 1, "exit status")
        fifo = Fifo(place)
        process = subprocess.Popen(
            [program(model), "-n", "--report", fifo.path, f"{server.http}/ok"],
            stderr=subprocess.PIPE)
        wait_for(lambda: len(server.requests) == 3, "the request")
        os.close(fifo.fd)
        os.close(fifo.reader)
        _, err = process.communicate(timeout=120)
        equal(process.returncode, 3, f"exit status: {err}")
        check(b"Broken pipe" in err, err)


if __name__ == "__main__":
    main()

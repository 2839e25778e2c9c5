"""--upload: a PUT of a file, streamed through the same drain."""

import os
import re
import socket
import threading
import time

from harness import (Origin, Running, Server, Workplace, case, check, content,
                     equal, expect, main, run, wait_for)
from looking import (CHUNK, MIB, SANITIZED, bytes_read_by, cpu_ticks,
                     family_of, own_memory, stands_still)


def make_file(place, size):
    path = place.join("file")
    with open(path, "wb") as file:
        file.write(content(size))
    return path


def answer(c, body=b"", status=b"200 OK", *headers):
    c.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n" % len(body)
           + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body)


# --- What arrives ----------------------------------------------------------

@case
def the_request(model):
    def script(c):
        while c.request():
            answer(c, b"thanks", b"201 Created")
    with Server(script) as server, Workplace() as place:
        r = run(model, "-j3", "-H", "X-Lab: 4", "-T",
                make_file(place, 300001), *[f"{server.http}/{i}?a=b"
                                            for i in range(5)])
    heads = sorted(server.requests)
    for i, head in enumerate(heads):
        check(head.startswith(b"PUT /%d?a=b HTTP/1.1\r\n" % i), head)
        check(b"\r\nContent-Length: 300001\r\n" in head, head)
        check(b"\r\nX-Lab: 4\r\n" in head, head)
        check(b"Transfer-Encoding" not in head, head)
    check(server.bodies == [content(300001)] * 5, "what arrived differs")
    return expect(r, ["ok"] * 5, b"thanks" * 5)


@case
def sizes_around_a_piece(model):
    answers = []
    for size in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK):
        with Origin() as origin, Workplace() as place:
            r = run(model, "-T", make_file(place, size),
                    *[f"{origin.http}/echo"] * 2)
        answers.append(expect(r, ["ok"] * 2, content(size) * 2))
    return answers


@case
def an_echo_larger_than_all_buffers(model):
    """Whoever sends must also read: else both ends stand still."""
    with Origin() as origin, Workplace() as place:
        path = make_file(place, 30 * MIB)
        r = run(model, "-j2", "-T", path, *[f"{origin.http}/echo"] * 2)
    equal(r.words, ["ok"] * 2, r.err)
    check(r.out == content(30 * MIB) * 2, "the echo differs")


@case
def unusual_marks(model):
    for high in ("1", "1000", "1M", "none"):
        with Origin() as origin, Workplace() as place:
            r = run(model, "--high-water", high, "-T", make_file(place, MIB),
                    *[f"{origin.http}/echo"] * 2)
        expect(r, ["ok"] * 2, content(MIB) * 2)


@case
def redirects(model):
    """307 sends the file again, to the new place; 303 says: look there."""
    def script(c):
        while head := c.request():
            if b"/old" in head:
                answer(c, b"", b"307 Temporary Redirect", b"Location: /new")
            elif b"/see" in head:
                answer(c, b"", b"303 See Other", b"Location: /result")
            else:
                answer(c, head.split()[0])
    with Server(script) as server, Workplace() as place:
        r = run(model, "-j1", "-T", make_file(place, 200000),
                server.http + "/old", server.http + "/see")
    equal([head.split()[0] for head in server.requests],
          [b"PUT", b"PUT", b"PUT", b"GET"], "methods")
    check(server.bodies == [content(200000)] * 3 + [b""], "bodies differ")
    check(b"Content-Length" not in server.requests[3], server.requests[3])
    return expect(r, ["ok"] * 2, b"PUTGET")


@case
def a_retry_sends_all_again(model):
    def script(c):
        c.request()
        if len(server.requests) == 1:
            answer(c, b"", b"503 Busy", b"Connection: close")
        else:
            answer(c, b"done")
    with Server(script) as server, Workplace() as place:
        r = run(model, "--retries", "1", "-T", make_file(place, 200000),
                server.http + "/")
    check(server.bodies == [content(200000)] * 2, "bodies differ")
    equal(r.column("attempts"), ["2"], "attempts")
    return expect(r, ["ok"], b"done")


@case
def a_stale_connection(model):
    """Closed by the server between two requests: the second goes out whole on
    a fresh one, silently."""
    def script(c):
        c.request()
        answer(c, b"x")  # and closes, without having said so
    with Server(script) as server, Workplace() as place:
        r = run(model, "-j1", "-T", make_file(place, 500000),
                *[server.http + "/"] * 3)
    check(server.bodies[-3:] == [content(500000)] * 3 or
          server.bodies.count(content(500000)) == 3, "bodies differ")
    equal(r.column("attempts"), ["1"] * 3, "attempts")
    return expect(r, ["ok"] * 3, b"xxx")


# --- Answers that come early -----------------------------------------------

def early(model, status, words, after, *headers):
    """The answer comes when a little of the file was read; then `after`."""
    def script(c):
        head = b""
        while b"\r\n\r\n" not in head:
            head += c.sock.recv(1)
        c.read(1000)
        answer(c, b"why", status, *headers)
        after(c)
        finished.set()
    finished = threading.Event()
    with Server(script) as server, Workplace() as place:
        r = run(model, "-n", "-t", "100", "-T", make_file(place, 40 * MIB),
                server.http + "/")
        check(finished.wait(60), "the server is not through with it")
    equal(r.column("attempts"), ["1"], "attempts")
    return expect(r, words)


@case
def refused_by_a_server_that_reads_no_more(model):
    return early(model, b"413 Content Too Large", ["http-error"],
                 lambda c: time.sleep(1))


@case
def refused_by_a_server_that_closes(model):
    return early(model, b"413 Content Too Large", ["http-error"],
                 lambda c: c.close(), b"Connection: close")


@case
def refused_by_a_server_that_reads_on(model):
    """Nobody wants the rest, so it is not sent."""
    taken = []

    def after(c):
        time.sleep(0.5)
        taken.append(len(c.read_all()))
    answers = early(model, b"403 Forbidden", ["http-error"], after)
    check(taken[0] < 39 * MIB, f"{taken[0]} bytes were sent all the same")
    return answers


@case
def thanked_early(model):
    """A good answer that comes early does not end the upload."""
    taken = []
    return early(model, b"200 OK", ["ok"],
                 lambda c: taken.append(len(c.read(40 * MIB - 1000)))), taken


@case
def thanked_early_by_a_server_that_hangs_up(model):
    """Its end is the answer's end, and says that it wants no more: that is not
    waited for a second time."""
    def script(c):
        c.sock.recv(1)
        c.send(b"HTTP/1.1 200 OK\r\n\r\nthanks")
        c.sock.shutdown(socket.SHUT_WR)
        closed.wait()
    closed = threading.Event()
    with Server(script) as server, Workplace() as place:
        r = run(model, "-t", "600", "-T", make_file(place, 40 * MIB),
                server.http + "/")
        closed.set()
    return expect(r, ["ok"], b"thanks")


@case
def a_server_that_resets(model):
    return early_failure(model, lambda c: c.reset(), "reset")


@case
def a_server_that_resets_within_its_answer(model):
    """Whether sending meets that, which waits for room, or reading: an answer
    that ends with the connection is not whole."""
    def after(c):
        time.sleep(0.5)
        c.send(b"HTTP/1.0 200 OK\r\n\r\nhalf")
        c.reset()
    return early_failure(model, after, "reset")


@case
def a_server_that_hangs_up(model):
    return early_failure(model, lambda c: c.close(), "reset")


@case
def a_server_that_never_reads(model):
    return early_failure(model, lambda c: time.sleep(6), "timeout", "1.5")


def early_failure(model, after, word, limit="100"):
    def script(c):
        c.sock.recv(1)
        after(c)
    with Server(script) as server, Workplace() as place:
        r = run(model, "-n", "-t", limit, "-T", make_file(place, 40 * MIB),
                server.http + "/")
    return expect(r, [word])


# --- Drain -----------------------------------------------------------------

@case
def a_slow_server_stops_the_reading(model):
    """The server does not read: nor do we read the file, or use the CPU. Then
    it does, and everything arrives."""
    size = 40 * MIB
    go = threading.Event()
    bodies = []

    def script(c):
        head = b""
        while b"\r\n\r\n" not in head:
            head += c.sock.recv(1)
        go.wait(100)
        bodies.append(c.read(size))
        answer(c, b"ok")
    with Server(script) as server, Workplace() as place:
        with Running(model, "-j2", "-n", "-t", "600", "-T",
                     make_file(place, size),
                     *[server.http + "/"] * 2) as running:
            wait_for(lambda: server.connections == 2, "the connections")
            read = stands_still(lambda: bytes_read_by(family_of(running)),
                                0, "the reading of the file")
            check(read < size, f"{read} bytes of two files were read")
            before = cpu_ticks(family_of(running))
            time.sleep(2)
            spent = cpu_ticks(family_of(running)) - before
            check(spent / os.sysconf("SC_CLK_TCK") <= 0.04,
                  f"{spent} ticks of CPU while waiting for 2 s")
            go.set()
            r = running.finish()
    equal(r.words, ["ok"] * 2, r.err)
    check(bodies == [content(size)] * 2, "what arrived differs")


@case
def a_large_file_takes_little_memory(model):
    """With holes, so that it takes no room on the disk. The server takes
    half of it, lets us look, and takes the other."""
    size = 64 * MIB if SANITIZED else 256 * MIB
    half = threading.Event()
    go = threading.Event()
    taken = []

    def take(c, most):
        buffer = bytearray(MIB)
        left = most
        while left > 0:
            n = c.sock.recv_into(buffer, min(left, MIB))
            if n == 0:
                break
            left -= n
        taken.append(most - left)

    def script(c):
        head = b""
        while b"\r\n\r\n" not in head:
            head += c.sock.recv(1)
        take(c, size // 2)
        half.set()
        go.wait(100)
        take(c, size - size // 2)
        answer(c, b"ok")
    with Server(script) as server, Workplace() as place:
        path = place.join("large")
        with open(path, "wb") as file:
            file.truncate(size)
        with Running(model, "-n", "-t", "600", "-T", path,
                     server.http + "/") as running:
            check(half.wait(100), "half of the file did not come")
            memory = own_memory(family_of(running))
            go.set()
            r = running.finish()
    equal(r.words, ["ok"], r.err)
    equal(taken, [size // 2, size - size // 2], "what arrived")
    if not SANITIZED:  # whose memory is not the program's
        check(0 < memory < 3 * MIB, f"{memory} bytes of memory")


# --- The file --------------------------------------------------------------

@case
def a_file_that_shrinks(model):
    """Its length was promised to the server already."""
    go = threading.Event()

    def script(c):
        c.sock.recv(100)
        go.wait(60)
        c.hold()
    with Server(script) as server, Workplace() as place:
        path = make_file(place, 40 * MIB)
        with Running(model, "-n", "-T", path, server.http + "/") as running:
            stands_still(lambda: bytes_read_by(family_of(running)), 0,
                         "the reading of the file")
            os.truncate(path, 10)
            go.set()
            r = running.finish()
    equal(r.words, ["file-error"], r.err)
    check("the file has become shorter" in r.err, r.err)
    equal(r.status, 1, "exit status")


@case
def files_that_will_not_do(model):
    with Workplace() as place:
        os.mkfifo(place.join("fifo"))
        for path, words in ((place.join("none"), "No such file"),
                            (place.path, "Is a directory"),
                            (place.join("fifo"), "not a regular file"),
                            ("/dev/null", "not a regular file"),
                            ("/proc/version", "not a regular file")):
            r = run(model, "-T", path, "http://127.0.0.1:9/")
            equal((r.status, r.out), (3, b""), f"{path}: exit status, output")
            check(re.match(rf"fetch-{model}: {path}: {words}", r.err), r.err)
        r = run(model, "-T", "", "http://127.0.0.1:9/")
        equal(r.status, 2, "exit status for no name")


@case
def only_http_has_uploads(model):
    with Workplace() as place:
        r = run(model, "-T", make_file(place, 10), "tcp://127.0.0.1:9/x")
    return expect(r, ["unsupported"], b"", err="nothing can be uploaded")


@case
def interrupted(model):
    import signal

    def script(c):
        c.sock.recv(100)
        started.set()
        c.server.quiet.wait(60)
    started = threading.Event()
    with Server(script) as server, Workplace() as place:
        server.quiet = threading.Event()
        with Running(model, "-n", "-T", make_file(place, 40 * MIB),
                     server.http + "/") as running:
            check(started.wait(60), "no request came")
            running.signal(signal.SIGTERM)
            r = running.finish()
            equal(running.family(), [], "processes left over")
        server.quiet.set()
    equal((r.status, r.words), (143, ["cancelled"]), r.err)


if __name__ == "__main__":
    main()

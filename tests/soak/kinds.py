"""The mixed work of the soak: what is asked for, and what may come of it.

Each kind is a row: how often, a name, and a function that makes one request.
All that a request's kind leaves open is the time that it takes.
"""

import contextlib
import os
import socket
import sys
import time
from collections import deque

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../contract"))
sys.dont_write_bytecode = True

from harness import Origin, content, free_port

ORIGINS = 3
SEEDS = 4
MAX_BODY = 2 << 20
LARGEST = 3 << 20
BUFFERS = 150000  # more than any buffer of the programs takes
# Nobody has to fetch those: they push others out of the report's buffer.
PADDING = "x"


class Request:
    """One line of the input, until its line of the report is here."""

    __slots__ = ("url", "kind", "words", "status", "body", "name")

    def __init__(self, url, kind, words, status, body):
        self.url = url
        self.kind = kind
        self.words = words    # the results that it can have
        self.status = status  # as the report has it, if ok or http-error
        self.body = body      # whole, if it is ok; else what comes at most
        self.name = None      # of its file


class Place:
    """The servers of a soak, on loopback addresses of their own: each pair of
    addresses has its own ports, so that they do not run out."""

    def __init__(self, directory):
        self.origins = []
        self._held = deque()
        # All of it is undone, whatever fails, here or there.
        with contextlib.ExitStack() as undo:
            self._open(directory, undo)
            self._undo = undo.pop_all()

    def _open(self, directory, undo):
        for i in range(ORIGINS):
            self.origins.append(Origin(f"--address=127.0.0.{i + 1}"))
            # The one that is there by then: see restart_an_origin.
            undo.callback(lambda i=i: self.origins[i].__exit__())
        port = self.origins[0].http.rpartition(":")[2]
        self.http = [o.http for o in self.origins] + \
            [f"http://localhost:{port}"]
        self._closed = free_port()
        undo.callback(self._closed[0].close)
        self.closed_port = self._closed[1]
        self._silent = socket.create_server(("127.0.0.1", 0), backlog=4096)
        undo.callback(self._silent.close)
        self._silent.setblocking(False)
        self.silent_port = self._silent.getsockname()[1]
        undo.callback(lambda: [held.close() for _, held in self._held])
        self._fill_a_backlog(undo)
        self._contents = [memoryview(content(LARGEST, seed))
                          for seed in range(SEEDS)]
        self.file = os.path.join(directory, "file")
        self.file_size = 300000
        with open(self.file, "wb") as file:
            file.write(self.body(self.file_size, 1))
        self.directory = directory

    def _fill_a_backlog(self, undo):
        """A port where connecting takes for ever."""
        self._full = socket.create_server(("127.0.0.1", 0), backlog=0)
        undo.callback(self._full.close)
        self.full_port = self._full.getsockname()[1]
        for _ in range(4):
            filler = socket.socket()
            undo.callback(filler.close)
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.full_port))

    def body(self, n, seed):
        return self._contents[seed][:n]

    def hold_the_silent(self, seconds):
        """Takes what has connected to the port where nobody answers, and
        closes what was held for so long that the client has gone."""
        now = time.monotonic()
        while True:
            try:
                self._held.append((now, self._silent.accept()[0]))
            except BlockingIOError:
                break
        while self._held and self._held[0][0] < now - seconds:
            self._held.popleft()[1].close()

    def restart_an_origin(self):
        """Ends the first origin and puts another in its place: connections
        that were kept to it are dead."""
        old = self.origins[0]
        ports = [url.rpartition(":")[2] for url in (old.http, old.tcp,
                                                    old.udp)]
        old.__exit__()
        self.origins[0] = Origin(
            "--address=127.0.0.1", f"--port={ports[0]}",
            f"--tcp-port={ports[1]}", f"--udp-port={ports[2]}")

    def close(self):
        self._undo.close()


# --- The kinds -------------------------------------------------------------

OK = frozenset(["ok"])
NOTHING = memoryview(b"")


def bytes_of(place, rng, n, query="", words=OK, most=None, status="200"):
    """/bytes/n in the way that `query` asks for."""
    seed = rng.randrange(SEEDS)
    return (f"{rng.choice(place.http)}/bytes/{n}?seed={seed}{query}", words,
            status, place.body(n if most is None else most, seed))


def small(place, rng):
    return bytes_of(place, rng, rng.randrange(5000))


def big(place, rng):
    return bytes_of(place, rng, rng.randrange(65536, 1 << 20))


def chunked(place, rng):
    return bytes_of(place, rng, rng.randrange(1, 30000),
                    f"&chunked={rng.choice((1000, 8192, 65536))}")


def closed(place, rng):
    return bytes_of(place, rng, rng.randrange(20000), "&close")


def late(place, rng):
    return bytes_of(place, rng, rng.randrange(5000),
                    f"&delay={rng.randrange(10, 800)}")


def slow(place, rng):
    n = rng.randrange(1, 40000)
    return bytes_of(place, rng, n, f"&rate={rng.randrange(2 * n, 9 * n)}")


def dripping(place, rng):
    return bytes_of(place, rng, rng.randrange(2000),
                    f"&header-drip={rng.randrange(1, 4)}")


def reset(place, rng):
    n = rng.randrange(1, 100000)
    at = rng.randrange(n)
    return bytes_of(place, rng, n, f"&rst={at}", frozenset(["reset"]), at)


def cut(place, rng):
    n = rng.randrange(1, 100000)
    at = rng.randrange(n)
    how = rng.choice(("", "&chunked"))
    return bytes_of(place, rng, n, f"&fin={at}{how}",
                    frozenset(["truncated"]), at)


def garbage(place, rng):
    return bytes_of(place, rng, 1, f"&garbage={rng.randrange(1, 60000)}",
                    frozenset(["protocol"]), 0)


def redirected(place, rng):
    n = rng.randrange(9000)
    url = f"{rng.choice(place.http)}/bytes/{n}"
    where = rng.choice((str(rng.randrange(1, 5)),
                        f"{rng.choice(place.http)}/bytes/{n}"))
    return f"{url}?redirect={where}", OK, "200", place.body(n, 0)


def redirected_too_often(place, rng):
    return (f"{rng.choice(place.http)}/bytes/9?redirect=15",
            frozenset(["redirect-limit"]), "302", NOTHING)


def redirected_away(place, rng):
    return (f"{rng.choice(place.http)}/bytes/9?redirect=file://{place.file}",
            frozenset(["unsupported"]), "302", NOTHING)


def empty(place, rng):
    status = rng.choice(("204", "304"))
    return bytes_of(place, rng, 100, f"&status={status}", OK, 0, status)


def error(place, rng):
    status = rng.choice(("404", "400", "500", "503"))
    return bytes_of(place, rng, rng.randrange(3000), f"&status={status}",
                    frozenset(["http-error"]), 0, status)


def too_large(place, rng):
    return bytes_of(place, rng, LARGEST, rng.choice(("", "&chunked")),
                    frozenset(["too-large"]), MAX_BODY)


def text(rng):
    return "".join(rng.choices("abcdefghij", k=rng.randrange(1, 900)))


def tcp(place, rng):
    words = text(rng) if rng.random() < 0.9 else ""
    return (f"{rng.choice(place.origins).tcp}/{words}", OK, "-",
            memoryview(words.encode()))


def udp(place, rng):
    words = text(rng)
    return (f"{rng.choice(place.origins).udp}/{words}", OK, "-",
            memoryview(words.encode()))


def file(place, rng):
    del rng
    return f"file://{place.file}", OK, "-", place.body(place.file_size, 1)


def no_file(place, rng):
    name = rng.choice((place.directory, place.file + "/x", "/no/such/file"))
    return f"file://{name}", frozenset(["file-error"]), "-", NOTHING


def refused(place, rng):
    scheme = rng.choice(("http", "tcp"))
    return (f"{scheme}://127.0.0.1:{place.closed_port}/x",
            frozenset(["refused"]), "-", NOTHING)


def bad_url(place, rng):
    del place
    return (rng.choice((PADDING, "http://", "http://a b/", "http://1.2.3/",
                        "http://u:p@127.0.0.1/", "http://[::1/", "\x01",
                        "http://127.0.0.1:65536/")),
            frozenset(["bad-url"]), "-", NOTHING)


def unsupported(place, rng):
    del place, rng
    return ("gopher://127.0.0.1/", frozenset(["unsupported"]), "-", NOTHING)


def silent(place, rng):
    del rng
    return (f"http://127.0.0.1:{place.silent_port}/",
            frozenset(["timeout"]), "-", NOTHING)


def dripping_too_slowly(place, rng):
    return bytes_of(place, rng, 9, "&header-drip=100",
                    frozenset(["timeout"]), 0)


def unconnectable(place, rng):
    del rng
    return (f"http://127.0.0.1:{place.full_port}/",
            frozenset(["connect-timeout"]), "-", NOTHING)


KINDS = [
    (400, small), (8, big), (60, chunked), (40, closed), (40, late),
    (20, slow), (20, dripping), (20, reset), (20, cut), (10, garbage),
    (30, redirected), (5, redirected_too_often), (5, redirected_away),
    (10, empty), (20, error), (2, too_large), (40, tcp), (40, udp),
    (10, file), (10, no_file), (20, refused), (10, bad_url),
    (5, unsupported),
]
# Those last as long as the time limits let them.
WAITING_KINDS = [(0.5, silent), (0.5, dripping_too_slowly),
                 (0.5, unconnectable)]


def make(place, rng, kinds):
    maker = rng.choices([maker for _, maker in kinds],
                        [weight for weight, _ in kinds])[0]
    url, words, status, body = maker(place, rng)
    return Request(url, maker.__name__, words, status, body)


def padding():
    return Request(PADDING, "padding", frozenset(["bad-url"]), "-", NOTHING)


def rinse(place, http, jobs, n):
    """As many of them at once leave no kept connection to that origin, and
    every worker has had one."""
    return Request(f"{http}/bytes/{n}?barrier={jobs}&close", "rinse", OK,
                   "200", place.body(n, 0))

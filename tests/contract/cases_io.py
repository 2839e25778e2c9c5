"""Many kinds of I/O in one run: files, datagrams, and all of them mixed."""

import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
import tty
from urllib.parse import quote

from harness import (PATIENCE, Origin, Reading, Running, Server, Skip,
                     Workplace, case, check, content, copy_program, equal,
                     expect, main, program, read_files, run, wait_for)


def make(place, name, data):
    path = place.join(name)
    with open(path, "wb") as file:
        file.write(data)
    return "file://" + quote(path)


# --- Files -----------------------------------------------------------------

@case
def files(model):
    sizes = [0, 1, 65535, 65536, 65537, 1000000]
    with Workplace() as place:
        r = run(model, *[make(place, f"f{i}", content(n, i))
                         for i, n in enumerate(sizes)])
    equal(r.column("status"), ["-"] * 6, "status")
    equal(r.column("reused"), ["0"] * 6, "reused")
    return expect(r, ["ok"] * 6, b"".join(content(n, i)
                                          for i, n in enumerate(sizes)))


@case
def names_of_all_sorts(model):
    """Decoded, byte by byte; a query and a fragment are not of the name."""
    with Workplace() as place:
        urls = [make(place, name, name.encode()) for name in
                ("a b", "100%", "é", "q?x", "h#x", "new\nline")]
        r = run(model, *urls, urls[0] + "?query", urls[0] + "#fragment")
    return expect(r, ["ok"] * 8, "a b100%éq?xh#xnew\nlinea ba b".encode())


@case
def what_is_no_regular_file(model):
    with Workplace() as place:
        os.mkfifo(place.join("fifo"))
        os.symlink("fifo", place.join("link-to-fifo"))
        os.symlink("nowhere", place.join("dangling"))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(place.join("socket"))
            r = run(model, f"file://{place.path}", "file:///dev/null",
                    "file:///dev/zero", f"file://{place.path}/none",
                    f"file://{place.path}/none/below",
                    *[f"file://{place.path}/{name}" for name in
                      ("fifo", "link-to-fifo", "dangling", "socket")],
                    "file:///" + "x" * 300)
    equal(r.column("attempts"), ["1"] * 10, "attempts")
    return expect(r, ["file-error"] * 10, b"")


@case
def a_link_to_a_file(model):
    with Workplace() as place:
        make(place, "target", b"found")
        os.symlink("target", place.join("link"))
        r = run(model, f"file://{place.path}/link")
    return expect(r, ["ok"], b"found")


@case
def a_file_that_may_not_be_read(model):
    if os.geteuid() != 0:
        os_user = {}
    else:
        os_user = {"user": 65534, "group": 65534}
    with Workplace() as place:
        os.chmod(place.path, 0o755)
        url = make(place, "secret", b"secret")
        os.chmod(place.join("secret"), 0)
        # A copy: that user may not be able to enter the folder of the build.
        program = copy_program(model, place.path)
        # Its report would need a place that it may write to.
        r = run(model, url, report=False, cwd="/", executable=program,
                **os_user)
    equal((r.status, r.out), (1, b""), r.err)
    check("file-error: Permission denied" in r.err, r.err)


@case
def urls_that_name_no_file(model):
    r = run(model, "file://host/etc/passwd", "file:etc/passwd",
            "file:///etc/pass%00wd", "file://", "file:", "file://localhost")
    return expect(r, ["bad-url"] * 6, b"")


@case
def other_forms_of_a_files_url(model):
    """RFC 8089: without an authority, and with ours."""
    with Workplace() as place:
        path = make(place, "name", b"found")[len("file://"):]
        r = run(model, f"file:{path}", f"FILE://LocalHost{path}",
                directory=place.join("out"))
    equal(r.files, {"name": b"found", "name.1": b"found"}, "files")
    return expect(r, ["ok"] * 2)


@case
def files_into_files(model):
    with Workplace() as place:
        url = make(place, "source", content(200000))
        r = run(model, url, url, directory=place.join("d"))
    return expect(r, ["ok"] * 2)


@case
def a_file_that_is_too_large(model):
    with Workplace() as place:
        r = run(model, "-n", "--max-body", "1000",
                make(place, "a", content(1000)),
                make(place, "b", content(1001)))
    return expect(r, ["ok", "too-large"])


@case
def a_file_that_takes_too_long(model):
    """A limit is one for files, too, though all of one has arrived."""
    with Workplace() as place:
        path = place.join("long")
        with open(path, "wb") as file:
            file.truncate(2000 * 1000 * 1000)
        r = run(model, "-n", "-t", "0.01", "file://" + path)
    return expect(r, ["timeout"])


@case
def files_wait_for_their_turn(model):
    """More files than the helper has threads, each larger than the mark, all
    behind an answer that comes last."""
    with Origin() as origin, Workplace() as place:
        urls = [make(place, f"f{i}", content(500000, i)) for i in range(20)]
        r = run(model, "-j", "21", "--high-water", "10K",
                f"{origin.http}/bytes/1000?delay=500", *urls)
    for peak in r.column("peak_buffered"):
        check(int(peak) <= 2 * 65536 + 10240, f"held {peak}")
    return expect(r, ["ok"] * 21, content(1000) + b"".join(
        content(500000, i) for i in range(20)))


@case
def interrupted_with_files_waiting(model):
    import signal
    reader, writer = os.pipe()
    with Workplace() as place:
        urls = [make(place, f"f{i}", content(500000)) for i in range(10)]
        with Running(model, "-j5", *urls, stdout=writer) as running:
            os.read(reader, 1)
            time.sleep(0.3)
            running.signal(signal.SIGINT)
            r = running.finish()
            equal(running.family(), [], "processes left over")
    os.close(reader)
    os.close(writer)
    equal(r.status, 130, r.err)
    equal(set(r.words), {"cancelled"}, r.err)


# --- Datagrams -------------------------------------------------------------

SO_TIMESTAMPNS = 35  # of Linux; the module socket does not name it


class Datagrams:
    """A server of ours: answers the nth datagram with `answer(n, data)`, or
    not at all if that is None."""

    def __init__(self, answer, address="127.0.0.1"):
        self.sock = socket.socket(socket.AF_INET6 if ":" in address
                                  else socket.AF_INET, socket.SOCK_DGRAM)
        # The kernel says when each came: this thread may be late.
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.bind((address, 0))
        self.port = self.sock.getsockname()[1]
        host = f"[{address}]" if ":" in address else address
        self.url = f"udp://{host}:{self.port}"
        self.answer = answer
        self.received = []
        self.times = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                data, stamp, _, peer = self.sock.recvmsg(70000, 100)
            except OSError:
                return
            if data == b"stop-it":
                return
            self.received.append(data)
            seconds, ns = struct.unpack("qq", stamp[0][2])
            self.times.append(seconds + ns / 1e9)
            reply = self.answer(len(self.received), data)
            if reply is not None:
                self.sock.sendto(reply, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(self.sock.family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"stop-it", self.sock.getsockname())
        self.thread.join(PATIENCE)
        self.sock.close()


@case
def datagrams(model):
    """Sizes from none to the largest; decoded; a query is of the text."""
    big = "x" * 60000
    with Datagrams(lambda n, data: data[::-1]) as server:
        r = run(model, "-j1", server.url + "/abc", server.url + "/",
                server.url, server.url + "/a%20%00b?c=d", f"{server.url}/{big}")
        equal(server.received, [b"abc", b"", b"", b"a \0b?c=d", big.encode()],
              "what arrived")
    return expect(r, ["ok"] * 5, b"cbad=c?b\0 a" + big.encode())


@case
def an_empty_answer(model):
    with Datagrams(lambda n, data: b"") as server:
        r = run(model, server.url + "/x")
    equal(r.column("bytes"), ["0"], "bytes")
    return expect(r, ["ok"], b"")


@case
def the_largest_answer(model):
    with Datagrams(lambda n, data: content(65507)) as server:
        r = run(model, server.url + "/x")
    return expect(r, ["ok"], content(65507))


@case
def sent_again_each_second(model):
    with Datagrams(lambda n, data: b"late" if n == 3 else None) as server:
        r = run(model, server.url + "/ask")
        equal(server.received, [b"ask"] * 3, "what arrived")
        for before, after in zip(server.times, server.times[1:]):
            check(after - before > 0.9, f"sent again after {after - before} s")
    equal(r.column("attempts"), ["1"], "attempts")
    return expect(r, ["ok"], b"late")


@case
def nobody_answers(model):
    with Datagrams(lambda n, data: None) as server:
        r = run(model, "-t", "2.5", server.url + "/ask")
        check(server.received in ([b"ask"] * 2, [b"ask"] * 3),
              f"what arrived: {server.received}")
    return expect(r, ["timeout"], b"", err="not complete after 2.5 seconds")


@case
def nobody_is_there(model):
    """ICMP says so."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    sock.close()
    r = run(model, "--retries", "1", f"udp://127.0.0.1:{port}/x")
    equal(r.column("attempts"), ["2"], "attempts")
    return expect(r, ["refused"], b"")


@case
def every_address_is_tried(model):
    """localhost is ::1 as well, and there nobody is."""
    with Datagrams(lambda n, data: b"here") as server:
        r = run(model, f"udp://localhost:{server.port}/x")
    equal(r.column("attempts"), ["1"], "attempts")
    return expect(r, ["ok"], b"here")


@case
def an_answer_from_somebody_else(model):
    """Only who was asked can answer."""
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def answer(n, data):
        other.sendto(b"forged", ("127.0.0.1", peers[-1]))
        return b"right" if n == 2 else None
    peers = []
    with Datagrams(answer) as server:
        # The client's port, from the kernel's table.

        def find():
            with open("/proc/net/udp", encoding="ascii") as file:
                for line in file.read().splitlines()[1:]:
                    fields = line.split()
                    if int(fields[2].split(":")[1], 16) == server.port:
                        peers.append(int(fields[1].split(":")[1], 16))
                        return True
            return False
        inner = server.answer

        def answer_when_known(n, data):
            wait_for(find, "the client's port")
            return inner(n, data)
        server.answer = answer_when_known
        r = run(model, server.url + "/x")
    other.close()
    return expect(r, ["ok"], b"right")


@case
def a_text_too_long_for_a_datagram(model):
    with Datagrams(lambda n, data: b"") as server:
        r = run(model, "-t", "5", f"{server.url}/" + "x" * 65508)
    return expect(r, ["unsupported"], b"", err="Message too long")


@case
def udp_is_no_place_to_be_redirected_to(model):
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 302 Found\r\nLocation: " + targets.pop(0)
               + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    targets = [b"udp://127.0.0.1:9/x", b"file:///etc/passwd",
               b"tcp://127.0.0.1:9/x"]
    with Server(script) as server:
        r = run(model, "-j1", *[f"{server.http}/{i}" for i in range(3)])
    return expect(r, ["unsupported"] * 3, b"")


@case
def many_datagrams(model):
    with Datagrams(lambda n, data: data * 2) as server:
        r = run(model, "-j20", *[f"{server.url}/{i}." for i in range(300)])
    return expect(r, ["ok"] * 300, b"".join(b"%d.%d." % (i, i)
                                            for i in range(300)))


# --- All of them -----------------------------------------------------------

def mixed_urls(origin, place):
    urls, out = [], []
    for i in range(12):
        urls += [make(place, f"f{i}", content(70000, i)),
                 f"{origin.http}/bytes/{90000 + i}?seed={i}&delay={i * 7 % 50}",
                 f"{origin.tcp}/tcp-{i}", f"{origin.udp}/udp-{i}",
                 f"{origin.http}/bytes/{i}?chunked=7"]
        out += [content(70000, i), content(90000 + i, i), b"tcp-%d" % i,
                b"udp-%d" % i, content(i)]
    return urls, b"".join(out)


@case
def a_mixed_list(model):
    """In order, whatever they are."""
    with Origin() as origin, Workplace() as place:
        urls, out = mixed_urls(origin, place)
        r = run(model, "-j", "13", *urls)
    return expect(r, ["ok"] * 60, out)[0]


@case
def a_mixed_list_into_a_slow_terminal(model):
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with Origin() as origin, Workplace() as place:
        urls, out = mixed_urls(origin, place)
        with Running(model, "-j", "60", "--high-water", "4K", *urls,
                     stdout=theirs) as running:
            os.close(theirs)
            time.sleep(1)
            got = Reading(ours)
            r = running.finish()
    equal(r.words, ["ok"] * 60, r.err)
    check(got.whole() == out, "bodies differ")


@case
def few_descriptors(model):
    """Fewer than the list would like: each is done all the same."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    with Origin() as origin, Workplace() as place:
        urls, out = mixed_urls(origin, place)
        r = run(model, "-j", "60", *urls, preexec_fn=limit)
    equal(r.words, ["ok"] * 60, r.err)
    check(r.out == out, "bodies differ")


# --- On the disk ------------------------------------------------------------

def synced(model, *tampering):
    """Saves one body with --sync; returns what came of it, and the calls."""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    with Workplace() as place, Server(lambda c: c.request() and
                                      c.ok(b"body")) as server:
        os.mkdir(place.join("d"))
        log = place.join("log")
        wrap = ["strace", "-f", "-y", "-o", log, "-e",
                "trace=fsync,fdatasync,rename,renameat,renameat2", *tampering]
        r = run(model, "--sync", f"{server.http}/name", wrap=wrap,
                directory=place.join("d"),
                env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        with open(log, encoding="utf-8", errors="replace") as file:
            calls = re.findall(r"^\d+ +(\w+)\(\d+<(.*?)>.*\) += (\S+)",
                               file.read(), re.MULTILINE)
    kinds = [(name, "file" if path.endswith(".part") else
              "folder" if path.endswith("/d") else path, came)
             for name, path, came in calls]
    return r, kinds


class Halves(Server):
    """Sends half of each body, and the rest when it is told."""

    def __init__(self):
        self.go = {}
        super().__init__(self.speak)

    def speak(self, c):
        name = c.request().split()[1][1:]
        go = self.go[name] = threading.Event()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"
               + name * 1000)
        go.wait(PATIENCE)
        c.send(name * 1000)
        c.close()

    def hold(self, name):
        return lambda: name in self.go


def size_of_files(directory):
    return sum(os.path.getsize(os.path.join(directory, name))
               for name in os.listdir(directory))


@case
def two_programs_with_one_number(model):
    """Two runs in one directory, each the first process of a container of its
    own, must not take each other's files in flight for their own."""
    apart = ["unshare", "-p", "-f", *(["-r"] if os.geteuid() else [])]
    if subprocess.run([*apart, "true"], stderr=subprocess.DEVNULL,
                      check=False).returncode != 0:
        raise Skip("no namespaces here")
    with Workplace() as place, Halves() as server:
        directory = place.join("d")
        runs = []
        for number, name in enumerate((b"a", b"b"), 1):
            runs.append(subprocess.Popen(
                [*apart, program(model), "-q", "-d", directory,
                 f"{server.http}/{name.decode()}"]))
            wait_for(server.hold(name), "the request")
            wait_for(lambda n=number: os.path.isdir(directory) and
                     size_of_files(directory) == 1000 * n, "the half")
        for name, process in zip((b"a", b"b"), runs):
            server.go[name].set()
            equal(process.wait(PATIENCE), 0, "exit status")
        equal(read_files(directory), {"a": b"a" * 2000, "b": b"b" * 2000},
              "files")


@case
def a_file_in_flight_is_not_to_be_named(model):
    """Its name beside the others cannot be guessed, and so not be asked for by
    a list that somebody else has written."""
    listed, writer = os.pipe()
    with Workplace() as place, Halves() as server:
        directory = place.join("d")
        with Running(model, "-d", directory, "-j", "2", "-i", "-",
                     stdin=listed) as running:
            os.close(listed)
            os.write(writer, f"{server.http}/a\n".encode())
            wait_for(lambda: os.path.isdir(directory) and
                     size_of_files(directory) == 1000, "the half")
            guess = f".fetch-{running.pid}-0.part"
            os.write(writer, f"{server.http}/b\t{guess}\n".encode())
            os.close(writer)
            wait_for(server.hold(b"b"), "the request")
            server.go[b"b"].set()
            wait_for(lambda: os.path.exists(os.path.join(directory, guess)) and
                     size_of_files(directory) == 3000, "the second file")
            server.go[b"a"].set()
            r = running.finish()
        equal(r.words, ["ok", "ok"], r.err)
        equal(read_files(directory), {"a": b"a" * 2000, guess: b"b" * 2000},
              "files")


@case
def synced_before_it_counts(model):
    """The file before it gets its name, and then the folder."""
    r, calls = synced(model)
    equal(calls, [("fsync", "file", "0"), ("renameat", "folder", "0"),
                  ("fsync", "folder", "0")], "calls")
    equal(r.files, {"name": b"body"}, "files")
    return expect(r, ["ok"])


@case
def not_on_the_disk_is_write_failed(model):
    """Whichever of the two cannot be synchronized, nothing is left."""
    for which in (1, 2):
        r, calls = synced(model, "-e", f"inject=fsync:error=EIO:when={which}")
        equal(calls[-1], ("fsync", ("file", "folder")[which - 1], "-1"),
              "the last call")
        equal(r.files, {}, "files")
        expect(r, ["write-failed"], err="Input/output error")


@case
def sync_needs_a_directory(model):
    r = run(model, "--sync", "bad", report=False)
    equal(r.status, 2, "exit status")
    check("--sync needs a --directory" in r.err, r.err)


if __name__ == "__main__":
    main()

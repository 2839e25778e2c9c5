"""A disk that does not answer: it holds up the requests that are saved there,
and no other."""

import os
import resource
import signal
import threading
import time

import harness
from harness import (Running, Server, Workplace, case, check, equal, main,
                     read_files, rests, wait_for)

SHIM = harness.preloaded("held-shim.so")
BIG = b"big" * 10000000
FILE = bytes(range(250)) * 1000


class Held:
    """A folder on a disk that waits for its gate, and a server: of all paths
    but /big and /small, nothing is saved."""

    def __init__(self, call):
        self.place = Workplace()
        self.gate = self.place.join("gate")
        self.folder = self.place.join("d")
        self.file = self.place.join("file")  # to be uploaded
        with open(self.file, "wb") as file:
            file.write(FILE)
        os.mkdir(self.folder)  # with --sync, making it is synced, too
        self.sent = 0
        self.env = dict(os.environ, LD_PRELOAD=SHIM, TRIPTYCH_HELD=call,
                        TRIPTYCH_GATE=self.gate)
        self.server = Server(self.serve)

    def serve(self, c):
        while head := c.request():
            path = head.split()[1]
            if path == b"/big":
                c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                       % len(BIG))
                for at in range(0, len(BIG), 10000):
                    c.send(BIG[at:at + 10000])
                    self.sent += 10000
            elif path == b"/small":
                c.ok(b"small")
            else:
                c.send(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")

    def run(self, model, *args):
        return Running(model, "-d", self.folder, *args, env=self.env)

    def run_into(self, model, file, *args):
        """With standard output into the file."""
        return Running(model, *args, stdout=file, env=self.env)

    def asked(self, path):
        return sum(head.split()[1] == path for head in self.server.requests)

    def wait(self):
        """Until a call is held."""
        wait_for(lambda: os.path.exists(self.gate + ".held"), "one is held")

    def open(self):
        with open(self.gate, "wb"):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open()
        self.server.stop()
        self.place.__exit__()


def others_go_on(call, *options):
    def test(model):
        with Held(call) as disk:
            urls = [disk.server.http + path for path in
                    ["/small"] + ["/none"] * 20]
            with disk.run(model, "-j", "2", *options, *urls) as running:
                disk.wait()
                wait_for(lambda: disk.asked(b"/none") == 20, "the others")
                equal(read_files(disk.folder).get("small"), None, "the file")
                disk.open()
                r = running.finish()
            equal(read_files(disk.folder), {"small": b"small"}, "files")
        equal(r.words, ["ok"] + ["http-error"] * 20, r.err)
        return r.words
    test.__name__ = f"others_go_on_while_{call}_is_held"
    return case(test)


others_go_on("openat")
others_go_on("write")
others_go_on("renameat")
others_go_on("fsync", "--sync")


# In the processes it is the parent, who serves all, that writes.
@case(models=("threads", "evloop", "coroutines"))
def others_go_on_while_standard_output_is_held(model):
    with Held("stdout") as disk:
        urls = [disk.server.http + path for path in
                ["/small"] + ["/none"] * 20]
        with open(disk.place.join("out"), "w+b") as out:
            with disk.run_into(model, out, "-j", "2", *urls) as running:
                disk.wait()
                wait_for(lambda: disk.asked(b"/none") == 20, "the others")
                disk.open()
                r = running.finish()
            out.seek(0)
            equal(out.read(), b"small", "standard output")
    equal(r.words, ["ok"] + ["http-error"] * 20, r.err)


def read_head(c):
    head = b""
    while b"\r\n\r\n" not in head:
        head += c.read(1)
    c.server.requests.append(head)
    return head


@case
def others_go_on_while_an_upload_is_held(model):
    """A file that is uploaded is on a disk, too. The others are answered
    before they have sent all."""
    def script(c):
        if read_head(c).startswith(b"PUT /held "):
            server.bodies.append(c.read(len(FILE)))
            c.ok(b"held")
        else:
            c.send(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n"
                   b"Connection: close\r\n\r\n")
            c.read_all()
    with Held("pread") as disk, Server(script) as server:
        urls = [server.http + path for path in ["/held"] + ["/none"] * 20]
        with disk.run(model, "-T", disk.file, "-j", "2", *urls) as running:
            disk.wait()
            wait_for(lambda: len(server.requests) == 21, "the others")
            disk.open()
            r = running.finish()
        equal(server.bodies, [FILE], "what was uploaded")
        equal(read_files(disk.folder), {"held": b"held"}, "files")
    equal(r.words, ["ok"] + ["http-error"] * 20, r.err)
    return r.words


@case
def interrupted_while_an_upload_is_held(model):
    with Held("pread") as disk:
        with disk.run(model, "-T", disk.file, "-j", "2",
                      *[disk.server.http + "/small"] * 3) as running:
            disk.wait()
            running.signal(signal.SIGINT)
            time.sleep(0.05)
            disk.open()
            r = running.finish()
    equal(r.status, 130, r.err)
    equal(len(r.words), 3, "rows")


@case
def a_new_try_while_an_upload_is_held(model):
    """What is read for the first is of no use to the second."""
    def script(c):
        if c.number == 1:
            disk.wait()
            c.reset()
            return
        c.request()
        c.ok(b"second")
    with Held("pread") as disk, Server(script) as server:
        with disk.run(model, "-T", disk.file, "--retries", "1",
                      server.http + "/name") as running:
            disk.wait()
            threading.Timer(0.5, disk.open).start()
            r = running.finish()
        equal(read_files(disk.folder), {"name": b"second"}, "files")
        equal(server.bodies, [FILE], "what was uploaded")
    equal(r.column("attempts"), ["2"], "attempts")
    equal(r.words, ["ok"], r.err)


@case
def a_limit_that_passes_while_an_upload_is_held(model):
    """What follows is taken at once, and has been answered: too late."""
    def script(c):
        read_head(c)
        c.ok(b"early")
        c.read_all()
    with Held("pread") as disk, Server(script) as server:
        with disk.run(model, "-T", disk.file, "-t", "0.5",
                      server.http + "/") as running:
            disk.wait()
            threading.Timer(1, disk.open).start()
            r = running.finish()
    equal(r.words, ["timeout"], r.err)


@case
def a_reset_that_is_met_in_sending(model):
    """... and not in reading, which finds a plain end after it. An answer that
    has no other end is not whole."""
    def script(c):
        read_head(c)
        disk.wait()
        c.send(b"HTTP/1.0 200 OK\r\n\r\nhalf")
        c.reset()
        disk.open()
    with Held("pread") as disk, Server(script) as server:
        with disk.run(model, "-T", disk.file, server.http + "/") as running:
            r = running.finish()
        equal(read_files(disk.folder), {}, "files")
    equal(r.words, ["reset"], r.err)


@case
def a_file_that_has_nothing_now(model):
    """A file is not waited for: nothing tells when there is more."""
    with Held("again") as disk:
        with disk.run(model, "file://" + disk.file) as running:
            r = running.finish()
    equal(r.words, ["file-error"], r.err)


def stands_still(disk):
    """When nothing more has been sent for a while; how much that was."""
    sent = -1
    while sent != disk.sent:
        sent = disk.sent
        time.sleep(0.3)
    return sent


@case
def the_server_waits_for_the_disk(model):
    with Held("write") as disk:
        with disk.run(model, disk.server.http + "/big") as running:
            disk.wait()
            sent = stands_still(disk)
            disk.open()
            r = running.finish()
        equal(read_files(disk.folder), {"big": BIG}, "files")
    check(sent < len(BIG), f"{sent} bytes were sent")
    check(int(r.column("peak_buffered")[0]) <= 2 * 65536,
          r.column("peak_buffered"))
    equal(r.words, ["ok"], r.err)


@case
def interrupted_while_it_waits(model):
    """What is on its way goes when the disk lets it."""
    with Held("write") as disk:
        urls = [disk.server.http + path for path in ("/big", "/small") * 3]
        with disk.run(model, "-j", "6", *urls) as running:
            disk.wait()
            running.signal(signal.SIGINT)
            time.sleep(0.05)
            disk.open()
            r = running.finish()
        files = read_files(disk.folder)
    equal(r.status, 130, r.err)
    equal(len(r.words), 6, "rows")
    for name, body in files.items():
        check(name.startswith(("big", "small")), f"left over: {name}")
        equal(body == (BIG if name.startswith("big") else b"small"), True,
              name)


@case
def a_new_try_while_it_waits(model):
    """It has the same file, of which the first one's part must be gone."""
    def script(c):
        c.request()
        if c.number == 1:
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst")
            disk.wait()
        else:
            c.ok(b"second")
    with Held("write") as disk, Server(script) as server:
        with disk.run(model, "--retries", "1", "-j", "2",
                      server.http + "/name",
                      disk.server.http + "/none") as running:
            disk.wait()
            wait_for(lambda: disk.asked(b"/none") == 1, "the other")
            time.sleep(0.3)  # more than the wait before a new try
            disk.open()
            r = running.finish()
        equal(read_files(disk.folder), {"name": b"second"}, "files")
        equal(os.listdir(disk.folder), ["name"], "names")
    equal(r.column("attempts"), ["2", "1"], "attempts")
    equal(r.words, ["ok", "http-error"], r.err)
    return r.words


@case
def a_time_limit_while_it_waits(model):
    """Time stands still while it is the disk that is slow."""
    with Held("write") as disk:
        with disk.run(model, "-t", "5",
                      disk.server.http + "/small") as running:
            disk.wait()
            threading.Timer(6, disk.open).start()
            r = running.finish()
        equal(read_files(disk.folder), {"small": b"small"}, "files")
    equal(r.words, ["ok"], r.err)


@case(models=("evloop",))
def what_was_not_written_is_not_told(model):
    """Of a body on its way to a thread, which an interrupted run ends before
    it has written: the report has the length of the file."""
    with Held("thread") as disk:
        path = disk.place.join("out")
        with open(path, "wb") as out, \
                disk.run_into(model, out,
                              disk.server.http + "/small") as running:
            disk.wait()
            running.signal(signal.SIGINT)
            wait_for(lambda: rests(running.pid), "the end to be waited for")
            disk.open()
            r = running.finish()
        equal(r.status, 130, r.err)
        equal(r.column("bytes"), [str(os.path.getsize(path))], "bytes")


@case(models=("evloop",))
def the_last_piece_of_a_failed_request(model):
    """A thread is to write it, and finds that the disk is full: that ends the
    run, though the request has failed by then."""
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    with Held("thread") as disk, Server(script) as server, \
            open(disk.place.join("out"), "wb") as out:
        out.write(bytes(100000))
        out.flush()
        with Running(model, server.http, stdout=out, env=disk.env,
                     preexec_fn=fill) as running:
            disk.wait()
            wait_for(lambda: rests(running.pid), "the end to be waited for")
            disk.open()
            r = running.finish()
    check("standard output: File too large" in r.err, r.err)
    equal((r.words, r.status), (["truncated"], 3), r.err)
    equal(r.column("bytes"), ["0"], "bytes")


if __name__ == "__main__":
    main()

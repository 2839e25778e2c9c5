"""Where bodies go: ordered standard output of every kind, files, nowhere."""

import errno
import fcntl
import os
import pty
import resource
import socket
import subprocess
import sys
import termios
import time

from harness import (MINIMAL, PATIENCE, Beyond, Holding, Origin, Reading,
                     Running, Server, Workplace, agree, case, check, content,
                     copy_program, equal, expect, main, program, read_report,
                     run, wait_for)


# --- Order -----------------------------------------------------------------

@case
def order_of_input_is_kept(model):
    """The first is the slowest, sizes go up and down."""
    wanted = []
    with Origin() as origin:
        urls = []
        for i in range(60):
            n = (i * 7919) % 200000
            urls.append(f"{origin.http}/bytes/{n}?seed={i + 1}"
                        f"&delay={300 if i == 0 else (i * 13) % 40}")
            wanted.append(content(n, i + 1))
        r = run(model, "-j", "16", *urls)
    return expect(r, ["ok"] * 60, b"".join(wanted))


@case
def more_places_than_requests(model):
    with Origin() as origin:
        r = run(model, "-j", "64", *[f"{origin.http}/bytes/300000"] * 5)
    return expect(r, ["ok"] * 5, content(300000) * 5)


@case
def many_requests_few_places(model):
    with Origin() as origin:
        lines = "".join(f"{origin.http}/bytes/{i % 50 * 100}?seed={i}\n"
                        for i in range(500))
        r = run(model, "-j", "3", "-i", "-", stdin=lines.encode())
    out = b"".join(content(i % 50 * 100, i) for i in range(500))
    return expect(r, ["ok"] * 500, out)


@case
def failures_leave_no_bytes(model):
    """A failing request is absent; one that fails after its first byte went
    out leaves what was written, and what follows stands behind it."""
    with Origin() as origin:
        r = run(model, "-j", "4", f"{origin.http}/bytes/9?seed=1",
                f"{origin.http}/nothing", f"{origin.http}/bytes/100000?fin=5",
                f"{origin.http}/bytes/9?seed=2", "http://[::1", "tcp://x",
                f"{origin.http}/bytes/9?seed=3")
    check(r.out.startswith(content(9, 1)), "the first body")
    check(r.out.endswith(content(9, 2) + content(9, 3)), "the last bodies")
    words = ["ok", "http-error", "truncated", "ok", "bad-url", "bad-url",
             "ok"]
    expect(r, words)
    equal(len(r.out), 27 + int(r.rows[2]["bytes"]), "bytes in all")
    check(r.out[9:-18] == content(int(r.rows[2]["bytes"])), "its bytes")
    return words


@case
def head_of_line_holds_the_others(model):
    """The first answer comes last; 30 bodies above the high-watermark wait
    for it, and none is lost or mixed up."""
    with Origin() as origin:
        urls = [f"{origin.http}/bytes/1000?delay=500"]
        urls += [f"{origin.http}/bytes/200000?seed={i}" for i in range(30)]
        r = run(model, "-j", "31", *urls)
    out = content(1000) + b"".join(content(200000, i) for i in range(30))
    return expect(r, ["ok"] * 31, out)


# --- Kinds of standard output ----------------------------------------------

def urls_of(origin):
    return [f"{origin.http}/bytes/{n}?seed={i}" for i, n in
            enumerate([10, 300000, 0, 70000, 1, 65536, 200000])]


WANTED_SIZES = [10, 300000, 0, 70000, 1, 65536, 200000]


def wanted():
    return b"".join(content(n, i) for i, n in enumerate(WANTED_SIZES))


def flags(fd):
    return fcntl.fcntl(fd, fcntl.F_GETFL)


def waiting(fd):
    """So many bytes can be read there."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)),
                          sys.byteorder)


def run_into(model, fd, reader=None):
    """Runs with `fd` as standard output; `reader` is read meanwhile. Checks
    that the flags of `fd` are as they were."""
    before = flags(fd)
    got = Reading(reader) if reader is not None else None
    with Origin() as origin:
        with Running(model, *urls_of(origin), stdout=fd) as running:
            during = flags(fd)
            result = running.finish()
    equal(during, before, "flags of standard output during the run")
    equal(flags(fd), before, "flags of standard output after the run")
    os.close(fd)
    equal(result.words, ["ok"] * len(WANTED_SIZES), "results")
    return got.whole() if got else b""


@case
def into_a_pipe(model):
    reader, writer = os.pipe()
    check(run_into(model, writer, reader) == wanted(), "bodies differ")


@case
def into_a_small_pipe(model):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    check(run_into(model, writer, reader) == wanted(), "bodies differ")


@case
def into_a_nonblocking_pipe(model):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    check(run_into(model, writer, reader) == wanted(), "bodies differ")


@case
def into_a_socket(model):
    for blocking in (True, False):
        ours, theirs = socket.socketpair()
        theirs.setblocking(blocking)
        got = run_into(model, theirs.detach(), ours.detach())
        check(got == wanted(), f"bodies differ (blocking {blocking})")


@case
def into_a_tcp_socket(model):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
        got = run_into(model, theirs.detach(), ours.detach())
    check(got == wanted(), "bodies differ")


@case
def into_a_terminal(model):
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # no line ends are translated
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    check(run_into(model, theirs, ours) == wanted(), "bodies differ")


@case
def into_a_fifo(model):
    with Workplace() as place:
        path = place.join("fifo")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(reader, True)
        writer = os.open(path, os.O_WRONLY)
        check(run_into(model, writer, reader) == wanted(), "bodies differ")


@case
def into_a_file(model):
    with Workplace() as place:
        path = place.join("out")
        for mode in (os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_APPEND):
            fd = os.open(path, mode)
            run_into(model, fd)
        with open(path, "rb") as file:
            check(file.read() == wanted() * 2, "bodies differ")


@case
def into_dev_null(model):
    run_into(model, os.open("/dev/null", os.O_WRONLY))


@case
def into_a_pipe_of_somebody_else(model):
    """A pipe that may not be opened anew, for it belongs to another user."""
    if os.geteuid() != 0:
        from harness import Skip
        raise Skip("only root can become another user")
    reader, writer = os.pipe()
    got = Reading(reader)
    # A copy: that user may not be able to enter the folder of the build.
    with Workplace() as place, Origin() as origin:
        os.chmod(place.path, 0o755)
        child = subprocess.run(
            [copy_program(model, place.path), *urls_of(origin)],
            stdout=writer, stderr=subprocess.PIPE, user=65534, group=65534,
            cwd="/", timeout=PATIENCE, check=False)
    os.close(writer)
    equal(child.returncode, 0, child.stderr)
    check(got.whole() == wanted(), "bodies differ")


# --- Standard output that fails --------------------------------------------

@case
def reader_goes_away(model):
    reader, writer = os.pipe()
    with Origin() as origin:
        with Running(model, *[f"{origin.http}/bytes/1000000"] * 6,
                     stdout=writer) as running:
            os.close(writer)
            os.read(reader, 10000)
            os.close(reader)
            r = running.finish()
    equal(r.status, 3, r.err)
    equal(r.words, ["write-failed"] + ["cancelled"] * 5, "results")
    check("standard output: Broken pipe" in r.err, r.err)
    return r.words


@case
def reader_goes_away_while_the_server_is_silent(model):
    """What waits for room is known to be in vain before more comes."""
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n" +
               b"x" * 20000)
        c.hold()
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with Server(script) as server:
        with Running(model, "-j1", "-t10", *[server.http + "/"] * 2,
                     stdout=writer) as running:
            wait_for(lambda: waiting(reader) == 4096, "a full pipe")
            os.close(reader)
            os.close(writer)
            r = running.finish()
    equal(r.status, 3, r.err)
    equal(r.words, ["write-failed", "cancelled"], "results")


@case
def standard_output_is_closed(model):
    with Origin() as origin:
        r = run(model, *[f"{origin.http}/bytes/10"] * 3, "-j1",
                wrap=["sh", "-c", 'exec "$0" "$@" >&-'])
    equal(r.status, 3, r.err)
    equal(r.words, ["write-failed", "cancelled", "cancelled"], "results")
    return agree(r)


@case
def standard_output_is_for_reading(model):
    """A pipe's other end. Opened anew, it could be written to; but nobody
    would ever read that."""
    if MINIMAL:
        raise Beyond("the loop polls it, and it is never writable")
    reader, writer = os.pipe()
    with Workplace() as place, Origin() as origin:
        report = place.join("report")
        child = subprocess.run(
            [program(model), "--report", report, f"{origin.http}/bytes/10"],
            stdout=reader, stderr=subprocess.PIPE, timeout=PATIENCE,
            check=False)
        words = [row["result"] for row in read_report(report)]
    os.close(reader)
    os.close(writer)
    equal(child.returncode, 3, child.stderr)
    equal(words, ["write-failed"], child.stderr)


@case
def standard_output_is_full(model):
    with Origin() as origin:
        r = run(model, *[f"{origin.http}/bytes/10"] * 3, "-j1",
                wrap=["sh", "-c", 'exec "$0" "$@" >/dev/full'])
    equal(r.status, 3, r.err)
    equal(r.words, ["write-failed", "cancelled", "cancelled"], "results")
    check("No space left on device" in r.err, r.err)
    return agree(r)


@case
def standard_output_is_a_file_that_is_full(model):
    """It takes a part of the second body."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400000, 400000))
    with Origin() as origin, Workplace() as place:
        path = place.join("out")
        r = run(model, *[f"{origin.http}/bytes/300000"] * 3, "-j1",
                preexec_fn=limit,
                wrap=["sh", "-c", f'exec "$0" "$@" >{path}'])
        with open(path, "rb") as file:
            check(file.read() == (content(300000) * 2)[:400000], "the file")
    equal(r.status, 3, r.err)
    equal(r.words, ["ok", "write-failed", "cancelled"], "results")
    equal(r.column("bytes")[:2], ["300000", "100000"], "bytes")
    check("standard output: File too large" in r.err, r.err)
    return agree(r)


@case
def all_standard_descriptors_are_closed(model):
    """A socket must not become somebody's standard output."""
    if MINIMAL:
        raise Beyond("no report")
    with Origin() as origin, Workplace() as place:
        report = place.join("report")
        status = subprocess.run(
            ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', program(model), "-n",
             "--report", report, f"{origin.http}/bytes/1000"],
            check=False).returncode
        equal(status, 0, "exit status")
        with open(report, encoding="ascii") as file:
            check("\tok\t200\t1000\t" in file.read(), "report")


# --- Back-pressure ---------------------------------------------------------

@case
def time_spent_waiting_for_the_consumer_is_free(model):
    """The limit is 5 s, the consumer pauses for longer; nothing times out."""
    reader, writer = os.pipe()
    with Origin() as origin:
        with Running(model, "-t", "5", *[f"{origin.http}/bytes/20000000"] * 3,
                     stdout=writer) as running:
            os.close(writer)
            time.sleep(7)
            got = Reading(reader)
            r = running.finish()
    equal(r.words, ["ok"] * 3, r.err)
    check(got.whole() == content(20000000) * 3, "bodies differ")


# --- Files -----------------------------------------------------------------

@case
def names_of_files(model):
    paths = ["/a/b", "/a/b?q/r", "/x%20y", "/", "", "/..", "/%2e", "/a%2Fb",
             "/a%0Ab", "/b.1", "/b", "/.hidden", "/%C3%A4"]
    names = ["b", "b.1", "x y", "index", "index.1", "index.2", "index.3",
             "index.4", "index.5", "b.1.1", "b.2", ".hidden", "ä"]

    def script(c):
        while head := c.request():
            c.ok(head.split()[1])
    with Server(script) as server, Workplace() as place:
        r = run(model, *(server.http + p for p in paths),
                directory=place.join("made/if/need/be"))
    equal(sorted(r.files), sorted(names), "names")
    for name, path in zip(names, paths):
        sent = path.encode() or b"/"
        equal(r.files[name], sent, name)
    return expect(r, ["ok"] * len(paths), b"")


@case
def names_from_tab_fields(model):
    lines = "\n".join(["{}/bytes/3\tone", "{}/bytes/4\ttwo%20words",
                       "{}/bytes/5\t../up", "{}/bytes/6\tone",
                       "{}/bytes/7\t", "{}/bytes/8", "not a url\tone", ""])
    with Origin() as origin, Workplace() as place:
        r = run(model, "-i", "-", directory=place.join("d"),
                stdin=lines.replace("{}", origin.http).encode())
        equal(os.listdir(place.path), ["d"], "nothing outside of DIR")
    equal({name: len(body) for name, body in r.files.items()},
          {"one": 3, "two words": 4, "index": 5, "one.1": 6, "index.1": 7,
           "8": 8}, "files")
    return expect(r, ["ok"] * 6 + ["bad-url"], b"")


@case
def existing_files_are_replaced(model):
    with Origin() as origin, Workplace() as place:
        directory = place.join("d")
        os.mkdir(directory)
        victim = place.join("victim")
        for path in (victim, place.join("d/10")):
            with open(path, "w", encoding="ascii") as file:
                file.write("old")
        os.symlink(victim, place.join("d/20"))
        os.mkdir(place.join("d/30"))
        r = run(model, *(f"{origin.http}/bytes/{n}" for n in (10, 20, 30)),
                directory=directory)
        with open(victim, encoding="ascii") as file:
            equal(file.read(), "old", "what the link points to")
        check(os.path.isdir(place.join("d/30")), "the directory is there")
        equal(sorted(os.listdir(directory)), ["10", "20", "30"], "no litter")
    equal(r.files, {"10": content(10), "20": content(20)}, "files")
    return expect(r, ["ok", "ok", "write-failed"], b"")


@case
def failures_leave_no_files(model):
    with Origin() as origin, Workplace() as place:
        r = run(model, f"{origin.http}/nothing",
                f"{origin.http}/bytes/100000?fin=50000",
                f"{origin.http}/bytes/100000?rst=50000",
                f"{origin.http}/bytes/1000?rate=10&seed=1", "-t", "4",
                f"{origin.http}/bytes/0", directory=place.join("d"))
        equal(sorted(os.listdir(place.join("d"))), ["0"], "the directory")
    return expect(r, ["http-error", "truncated", "reset", "timeout", "ok"])


@case
def names_too_long(model):
    with Origin() as origin, Workplace() as place:
        lines = (f"{origin.http}/bytes/3\t{'x' * 255}\n"
                 f"{origin.http}/bytes/4\t{'y' * 256}\n"
                 f"{origin.http}/bytes/5\t{'z' * 5000}\n")
        r = run(model, "-i", "-", directory=place.join("d"),
                stdin=lines.encode())
        equal(os.listdir(place.join("d")), ["x" * 255], "the directory")
    return expect(r, ["ok", "write-failed", "write-failed"],
                  err="File name too long")


@case
def a_retry_starts_the_file_afresh(model):
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        c.send(b"WRONG" if c.number < 3 else b"right!")
        c.close()
    with Server(script) as server, Workplace() as place:
        r = run(model, "--retries", "5", server.http + "/f",
                directory=place.join("d"))
    equal(r.files, {"f": b"right!"}, "files")
    equal(r.column("attempts"), ["3"], "attempts")
    return expect(r, ["ok"])


@case
def the_directory_cannot_be_made(model):
    with Workplace() as place:
        with open(place.join("file"), "w", encoding="ascii"):
            pass
        r = run(model, "http://127.0.0.1:1/", "-d", place.join("file/d"))
        equal(r.status, 3, r.err)
        check("Not a directory" in r.err, r.err)
    return r.status


@case
def the_directory_goes_away(model):
    with Holding("/11") as server, Workplace() as place:
        directory = place.join("d")
        with Running(model, "-j1", "-t", "200", f"{server.http}/10",
                     f"{server.http}/11", f"{server.http}/12", "-d",
                     directory) as running:
            wait_for(lambda: os.path.exists(place.join("d/10")) and
                     len(server.requests) == 2, "a file")
            os.unlink(place.join("d/10"))
            os.rmdir(directory)
            server.go.set()
            r = running.finish()
    equal(r.words, ["ok", "write-failed", "write-failed"], r.err)
    equal(r.status, 1, "exit status")


@case
def files_over_the_limit(model):
    """RLIMIT_FSIZE: write fails, nobody is killed by SIGXFSZ."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
    with Origin() as origin, Workplace() as place:
        r = run(model, f"{origin.http}/bytes/49999",
                f"{origin.http}/bytes/50001", directory=place.join("d"),
                preexec_fn=limit)
        equal(os.listdir(place.join("d")), ["49999"], "the directory")
    return expect(r, ["ok", "write-failed"], err="File too large")


@case
def a_disk_that_is_full(model):
    if os.geteuid() != 0:
        from harness import Skip
        raise Skip("only root can mount a small file system")
    with Origin() as origin, Workplace() as place:
        disk = place.join("disk")
        os.mkdir(disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none",
                        disk], check=True)
        try:
            r = run(model, "-j1", f"{origin.http}/bytes/100000",
                    f"{origin.http}/bytes/1000000",
                    f"{origin.http}/bytes/50000", directory=disk)
            equal(sorted(os.listdir(disk)), ["100000", "50000"], "the disk")
        finally:
            subprocess.run(["umount", disk], check=True)
    return expect(r, ["ok", "write-failed", "ok"],
                  err="No space left on device")


# --- Nowhere ---------------------------------------------------------------

@case
def discarded_bodies_are_counted(model):
    with Origin() as origin:
        r = run(model, "-n", f"{origin.http}/bytes/123456",
                f"{origin.http}/bytes/0")
    equal(r.column("bytes"), ["123456", "0"], "bytes")
    return expect(r, ["ok"] * 2, b"")


if __name__ == "__main__":
    main()

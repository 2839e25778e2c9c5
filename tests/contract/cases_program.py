"""The program itself: usage, input, report, messages, signals, leftovers."""

import contextlib
import os
import pty
import re
import resource
import signal
import subprocess
import threading
import time

from harness import (BIN, PATIENCE, UNCHECKED, Holding, Origin, Reading,
                     Running, Server, Skip, Workplace, agree, case, catches,
                     check, children, content, copy_program, count_fds,
                     count_threads, equal, expect, held_until_warned,
                     lonely_user, main, preloaded, program, read_files, rests,
                     run, wait_for)
from looking import SANITIZED


# --- The command line ------------------------------------------------------

@case
def usage_errors(model):
    wrong = [[], ["-j", "0", "http://h/"], ["-j", "100001", "http://h/"],
             ["-j", "x", "http://h/"], ["-j", "-1", "http://h/"],
             ["-t", "0", "http://h/"], ["-t", "nan", "http://h/"],
             ["-t", "-1", "http://h/"], ["-t", "1e9", "http://h/"],
             ["--connect-timeout", "0", "http://h/"],
             ["--max-body", "0", "http://h/"],
             ["--max-body", "1T", "http://h/"],
             ["--max-body", "99999999999G", "http://h/"],
             ["--retries", "x", "http://h/"],
             ["--max-redirects", "", "http://h/"],
             ["-d", "x", "-n", "http://h/"], ["-d", "", "http://h/"],
             ["-H", "no colon", "http://h/"], ["-H", "A: b\nC: d", "http://h/"],
             ["-H", "Content-Length: 1", "http://h/"],
             ["-H", "transfer-encoding: chunked", "http://h/"],
             ["--progress", "maybe", "http://h/"],
             ["--nothing", "http://h/"], ["-Z", "http://h/"], ["-j"],
             ["--input"], ["-i", "-", "-i", "-"]]
    for arguments in wrong:
        r = run(model, *arguments, report=False)
        equal(r.status, 2, f"exit status of {arguments}")
        equal(r.out, b"", "standard output")
        lines = r.err.splitlines()
        equal(len(lines), 2, f"lines for {arguments}: {r.err}")
        check(lines[0].startswith(f"fetch-{model}: "), r.err)
        check("--help" in lines[1], r.err)


@case
def usage_errors_say_what_would_do(model):
    url = "http://127.0.0.1:9/"
    said = {("--jobs", "0"): "--jobs '0': it takes a number from 1 to 100000",
            ("-t", "5s"): "--timeout '5s': it takes seconds, more than 0",
            ("--retries", "-1"): "--retries '-1': it takes a whole number",
            ("--max-redirects", "4294967295"): "--max-redirects '4294967295': "
            "it takes a whole number, at most 4294967294",
            ("--max-body", "1T"): "--max-body '1T': it takes bytes, more",
            ("--high-water", "0"): "--high-water '0': it takes bytes, more",
            ("--low-water", "none"): "--low-water 'none': it takes bytes,",
            ("--progress", ""): "--progress '': it takes auto, always or never",
            ("--report", ""): "--report '': the name is empty",
            ("-d", "x", "-n"): "--directory and --discard exclude each other",
            ("--quiet=3",): "--quiet takes no value",
            ("--nothing=3",): "there is no option --nothing=3",
            ("-Z",): "there is no option -Z"}
    for arguments, words in said.items():
        r = run(model, *arguments, url, report=False)
        equal(r.status, 2, f"exit status of {arguments}")
        check(f": {words}" in r.err, f"{arguments}: {r.err}")


@case
def options_of_another_model_name_it(model):
    owners = {"--spawn=pool": ("threads", "processes"),
              "--backend=epoll": ("evloop", "coroutines"), "--loops=1": ("evloop",)}
    for option, models in owners.items():
        r = run(model, option, "http://127.0.0.1:1/", report=False)
        equal(r.status, 2 if model not in models else r.status, option)
        if model not in models:
            for owner in models:
                check(f"fetch-{owner}" in r.err, r.err)


@case
def help_and_version(model):
    for arguments in (["--help"], ["-h"], ["--help", "--nonsense"]):
        r = run(model, *arguments, report=False)
        equal((r.status, r.err), (0, ""), "--help")
        text = r.out.decode()
        check(text.startswith(f"Usage: fetch-{model} "), text)
        check(all(len(line) <= 79 for line in text.splitlines()),
              "a line is longer than 79 columns")
        for option in ("--input", "--jobs", "--directory", "--discard",
                       "--header", "--timeout", "--retries", "--report"):
            check(option in text, f"{option} is missing")
    r = run(model, "--version", report=False)
    check(re.fullmatch(rf"fetch-{model} \(triptych\) \d+\.\d+\.\d+\n",
                       r.out.decode()), r.out)
    with open("/dev/full", "w", encoding="ascii") as full:
        status = subprocess.run([program(model), "--help"], stdout=full,
                                stderr=subprocess.DEVNULL,
                                check=False).returncode
    equal(status, 3, "--help to a full disk")


# --- Input -----------------------------------------------------------------

@case
def input_from_a_file(model):
    with Origin() as origin, Workplace() as place:
        path = place.join("list")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"# a comment\n\n  \n{origin.http}/bytes/2\n"
                       f"{origin.http}/bytes/3")
        r = run(model, "-i", path, f"{origin.http}/bytes/1")
    return expect(r, ["ok"] * 3, content(1) + content(2) + content(3))


def answer(c):
    while c.request():
        c.ok(b"12345")


@case
def input_is_read_as_it_comes(model):
    """Each is fetched before the next line is there, or even begun."""
    with Server(answer) as server:
        reader, writer = os.pipe()
        with Running(model, "-i", "-", "-n", stdin=reader) as running:
            os.close(reader)
            for count in range(1, 4):
                os.write(writer, server.http[:9].encode())
                time.sleep(0.02)
                os.write(writer, server.http[9:].encode() + b"\n")
                wait_for(lambda n=count: len(server.requests) == n,
                         "a request")
            os.close(writer)
            r = running.finish()
    equal(r.words, ["ok"] * 3, r.err)
    equal(r.status, 0, "exit status")
    return r.words


@case
def input_is_not_read_ahead_of_need(model):
    """The writer of a long list feels back-pressure, too: while requests
    hang, the program does not read the list into memory."""
    def hang(c):
        c.request()
        c.hold()
    with Server(hang) as server:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with Running(model, "-i", "-", "-n", "-j", "2", stdin=reader):
            os.close(reader)
            line = f"{server.http}/{'x' * 200}\n".encode()
            written = 0
            last = time.monotonic()
            while time.monotonic() - last < 0.5:
                try:
                    written += os.write(writer, line)
                    last = time.monotonic()
                except BlockingIOError:
                    time.sleep(0.01)
                check(written < 1000000, "the list is swallowed whole")
            os.close(writer)


@case
def input_that_cannot_be_read(model):
    with Workplace() as place:
        r = run(model, "-i", place.join("missing"))
        equal(r.status, 3, r.err)
        check("No such file" in r.err, r.err)
        r = run(model, "-i", place.path)
        equal(r.status, 3, r.err)
        check("Is a directory" in r.err, r.err)
    return r.words


@case
def empty_input(model):
    r = run(model, "-i", "-", stdin=b"# nothing\n\n")
    first = expect(r, [], b"", status=0)
    r = run(model, "-i", "/dev/null")
    return first, expect(r, [], b"", status=0)


@case
def lines_that_are_no_urls(model):
    text = (b"http://127.0.0.1:1/\r\r\n" + b"x" * 200000 + b"\n"
            b"\0\n" b"\xff\xfe\n" b"http://h/\tname\n")
    r = run(model, "-i", "-", stdin=text)
    equal(r.rows[2]["url"], "\\x00", "url")
    equal(r.rows[3]["url"], "\\xFF\\xFE", "url")
    check("CRLF" in r.err, "a hint at the line ends")
    return expect(r, ["bad-url"] * 5, b"")


@case
def a_list_from_another_system(model):
    """A byte order mark and CR LF (their splits are unit tests)."""
    with Origin() as origin:
        base = origin.http.encode()
        lines = (b"\xef\xbb\xbf" + base + b"/bytes/1\r\n\r\n# x\r\n"
                 + base + b"/bytes/2\tname\r\n" + base + b"/bytes/3\r")
        with Workplace() as place:
            r = run(model, "-i", "-", stdin=lines,
                    directory=place.join("out"))
        first = expect(r, ["ok"] * 3)
        equal(r.files, {"1": content(1), "name": content(2), "3": content(3)},
              "files")
        r = run(model, "-n", "-i", "-", stdin=b"\xef\xbb\xbf\r\n")
        second = expect(r, [], b"")
        r = run(model, "-n", "-i", "-",
                stdin=base + b"/bytes/0\n\xef\xbb\xbf" + base + b"/\n")
    return first, second, expect(r, ["ok", "bad-url"], b"")


# --- Report and messages ---------------------------------------------------

@case
def the_report(model):
    with Origin() as origin:
        urls = [f"{origin.http}/bytes/10", "http://h/\xe4 ",
                f"{origin.http}/nothing", f"{origin.tcp}/hello"]
        r = run(model, *urls)
    expect(r, ["ok", "bad-url", "http-error", "ok"], content(10) + b"hello")
    equal(r.rows[0]["url"], urls[0], "url")
    equal(r.rows[1]["url"], "http://h/\\xC3\\xA4\\x20", "url")
    equal(r.column("status"), ["200", "-", "404", "-"], "status")
    equal(r.column("bytes"), ["10", "-", "0", "5"], "bytes")
    equal(r.column("attempts"), ["1", "0", "1", "1"], "attempts")
    for row in (r.rows[0], r.rows[3]):
        check(0 <= int(row["worker"]) < 8, f"worker: {row}")
        check(int(row["peak_buffered"]) >= int(row["bytes"]), f"peak: {row}")
    return agree(r)


@case
def the_report_cannot_be_written(model):
    r = run(model, "--report", "/nowhere/at/all", "http://127.0.0.1:1/",
            report=False)
    equal(r.status, 3, r.err)
    check("/nowhere/at/all: No such file" in r.err, r.err)
    r = run(model, "--report", "/dev/full", "http://127.0.0.1:1/",
            report=False)
    equal(r.status, 3, r.err)
    check("No space left" in r.err, r.err)


@case
def the_report_disk_fills_up(model):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    lines = "".join(f"bad{i}\n" for i in range(20000)).encode()
    with Workplace() as place:
        r = run(model, "-i", "-", "-q", "--report", place.join("r"),
                stdin=lines, report=False, preexec_fn=limit)
        equal(r.status, 3, r.err[-300:])
        check("File too large" in r.err, r.err[-300:])


@case
def quiet_and_summary(model):
    with Origin() as origin:
        good = f"{origin.http}/bytes/5"
        r = run(model, "-n", good)
        check(re.fullmatch(rf"fetch-{model}: 1 request: 1 ok, 0 failed; "
                           r"5 B in \d+\.\d\d s \(.*\)\n", r.err), r.err)
        r = run(model, "-q", "-n", good)
        equal(r.err, "", "standard error")
        r = run(model, "-q", "-n", "--progress=always", good,
                f"{origin.http}/nothing")
        check(re.fullmatch(rf"fetch-{model}: {origin.http}/nothing: "
                           "http-error: the server answered 404\n", r.err),
              r.err)


@case
def the_summary_counts_what_was_kept(model):
    """Of attempts that failed nothing is left at the destination."""
    def script(c):
        while c.request():
            whole = c.number % 2 == 0
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
                   + bytes(100000 if whole else 50000))
            if not whole:
                return
    for where in (["-n"], ["-d", "."]):
        with Server(script) as server, Workplace() as place:
            r = run(model, *where, "--retries=1", server.http, cwd=place.path)
            equal(r.column("bytes"), ["100000"], "bytes")
            check(": 1 request: 1 ok, 0 failed; 100.0 KB in " in r.err, r.err)


@case
def progress_lines(model):
    with Origin() as origin:
        urls = [f"{origin.http}/bytes/5?delay={i * 100}" for i in range(8)]
        r = run(model, "-n", "--progress=always", *urls)
        check(re.search(rf"\rfetch-{model}: \d+/8 done, 0 failed, "
                        r"\d+ in flight", r.err), r.err)
        r = run(model, "-n", *urls)
        check("\r" not in r.err, "progress without a terminal")
        ours, theirs = pty.openpty()
        got = Reading(ours)
        subprocess.run([program(model), "-n", *urls], stderr=theirs,
                       timeout=PATIENCE, check=True)
        os.close(theirs)
        text = got.whole()
        check(b" in flight" in text and b"\x1b[K" in text, text)


# --- Signals ---------------------------------------------------------------

def interrupt(model, number, *arguments, stdout=subprocess.DEVNULL):
    """Interrupts when two have answered and two hang."""
    def script(c):
        while head := c.request():
            if b"/hang" in head:
                c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab")
                c.hold()
            c.ok(b"ok")
    with Server(script) as server, Workplace() as place:
        directory = place.join("d")
        more = ["-d", directory] if "-d" in arguments else arguments
        with Running(model, "-j4", *more, *(server.http + p for p in
                     ("/1", "/hang", "/2", "/hang", "/hang", "/3")),
                     stdout=stdout) as running:
            wait_for(lambda: len(server.requests) >= 4, "four requests")
            time.sleep(0.1)
            begun = time.monotonic()
            running.signal(number)
            r = running.finish()
            took = time.monotonic() - begun
            equal(running.family(), [], "processes left over")
        files = sorted(os.listdir(directory)) if "-d" in arguments else None
    equal(r.status, 128 + number, r.err)
    equal(len(r.rows), 6, "lines of the report")
    equal(r.words[0], "ok", "results")
    equal([r.words[i] for i in (1, 3, 4)], ["cancelled"] * 3, "results")
    # Within a second, says the contract; a sanitizer may be slower.
    check(took < (1.0 if "asan" not in BIN and "tsan" not in BIN else 10),
          f"it took {took:.2f} s")
    return r.status, files


@case
def interrupted(model):
    return interrupt(model, signal.SIGINT, "-n")


@case
def terminated(model):
    return interrupt(model, signal.SIGTERM, "-n")


@case
def hung_up(model):
    return interrupt(model, signal.SIGHUP, "-n")


@case
def interrupted_with_files(model):
    _, files = interrupt(model, signal.SIGINT, "-d")
    check(all(name in ("1", "2", "3") for name in files), files)


@case
def interrupted_in_order(model):
    interrupt(model, signal.SIGINT)


@case
def interrupted_with_a_stalled_consumer(model):
    reader, writer = os.pipe()
    with Origin() as origin:
        with Running(model, *[f"{origin.http}/bytes/9000000"] * 4,
                     stdout=writer) as running:
            os.close(writer)
            wait_for(lambda: origin.stats()["unread"] > 1000000,
                     "the pipe to fill up")
            running.signal(signal.SIGTERM)
            begun = time.monotonic()
            r = running.finish()
            took = time.monotonic() - begun
            equal(running.family(), [], "processes left over")
    os.close(reader)
    equal(r.status, 143, r.err)
    equal(r.words, ["cancelled"] * 4, "results")
    check(took < (1.0 if "asan" not in BIN and "tsan" not in BIN else 10),
          f"it took {took:.2f} s")


@case
def interrupted_while_reading_input(model):
    reader, writer = os.pipe()
    with Running(model, "-i", "-", stdin=reader) as running:
        os.close(reader)
        os.write(writer, b"bad\nworse\nnot a whole li")
        wait_for(lambda: "worse" in running.errors(), "the second line")
        running.signal(signal.SIGINT)
        r = running.finish()
    os.close(writer)
    equal(r.status, 130, r.err)
    equal(r.words, ["bad-url", "bad-url"], "results")
    return agree(r)


@case
def interrupted_before_a_fifo_is_opened(model):
    """To open one is to wait for its other end."""
    for option, more in (("-i", ()), ("--report", ("file:///",)),
                         ("--trace", ("file:///",))):
        with Workplace() as place:
            fifo = place.join("fifo")
            os.mkfifo(fifo)
            with Running(model, option, fifo, *more,
                         report=False) as running:
                wait_for(lambda: catches(running.pid, signal.SIGINT),
                         "that it listens to signals")
                while running.process.poll() is None:
                    running.signal(signal.SIGINT)
                    time.sleep(0.05)
                r = running.finish()
            equal(r.status, 130, r.err)
            equal(r.err, "", "messages")


@case
def interrupted_during_a_wait_for_a_retry(model):
    with Server(lambda c: c.request()) as server:
        with Running(model, "--retries", "1000", server.http) as running:
            wait_for(lambda: server.connections > 2, "retries")
            running.signal(signal.SIGINT)
            r = running.finish()
    equal(r.status, 130, r.err)
    equal(r.words, ["cancelled"], "results")


@case
def ignored_signals_stay_ignored(model):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Holding("/") as server:
        with Running(model, "-n", server.http, preexec_fn=ignore) as running:
            wait_for(lambda: server.requests, "a request")
            running.signal(signal.SIGHUP)
            running.signal(signal.SIGINT)
            server.go.set()
            r = running.finish()
    equal((r.status, r.words), (0, ["ok"]), r.err)


@case
def stopped_and_continued(model):
    """The answers come while the program is stopped, and the limit passes as
    well: what has arrived is read before limits are judged."""
    go = threading.Event()

    def script(c):
        head = c.request()
        go.wait(PATIENCE)
        if b"/late" not in head:
            c.ok(b"x" * 100000)
        c.hold()
    with Server(script) as server:
        begun = time.monotonic()
        with Running(model, "-n", "-t", "5", server.http + "/1",
                     server.http + "/2", server.http + "/late") as running:
            wait_for(lambda: len(server.requests) == 3, "three requests")
            family = running.family()
            for pid in family:
                os.kill(pid, signal.SIGSTOP)
            go.set()
            time.sleep(max(1, begun + 5.5 - time.monotonic()))
            for pid in family:
                os.kill(pid, signal.SIGCONT)
            r = running.finish()
    equal(r.words, ["ok", "ok", "timeout"], r.err)
    return r.words


# --- Leftovers -------------------------------------------------------------

@case
def nothing_grows_and_nothing_is_left(model):
    """10,000 URLs from standard input, a thousand in flight, or with a
    sanitizer a fifth of both: after the second half there are as many
    descriptors, threads and children as after the first, and after the end
    none."""
    half, jobs = (1000, 200) if SANITIZED else (5000, 1000)
    with Origin() as origin:
        reader, writer = os.pipe()
        with Running(model, "-i", "-", "-n", "-t", "600", "-j", jobs,
                     stdin=reader) as running:
            os.close(reader)
            counts = []
            for part in (1, 2):
                with os.fdopen(os.dup(writer), "w") as file:
                    for i in range(half):
                        file.write(f"{origin.http}/bytes/{i % 100}\n")
                wait_for(lambda n=part: settled(origin, half * n),
                         "half of them")
                counts.append((count_fds(running.pid),
                               count_threads(running.pid),
                               len(children(running.pid))))
            os.close(writer)
            r = running.finish()
            equal(running.family(), [], "processes left over")
    equal(r.status, 0, r.err)
    equal(len(r.rows), 2 * half, "lines of the report")
    equal(set(r.words), {"ok"}, "results")
    slack = 5 + jobs // 20  # idle connections come and go
    # On a slow machine the last workers are made in the second half; each
    # process has two pipes.
    pipes = 2 if model == "processes" else 1
    most = {"descriptors": pipes * jobs, "threads": jobs, "children": jobs}
    for first, second, what in zip(*counts, most):
        check(second <= max(first, most[what]) + slack,
              f"{what}: {first} after the first half, then {second}")


def settled(origin, n):
    """All requests so far are answered: those of the program, and looks."""
    stats = origin.stats()
    looks = settled.__dict__.setdefault(origin.http, 0) + 1
    settled.__dict__[origin.http] = looks
    return stats["requests"] - looks >= n and stats["in_flight"] == 1


# --- Shortages -------------------------------------------------------------

def limited(what, value):
    def limit():
        resource.setrlimit(what, (value, value))
    return limit


@case
def few_descriptors(model):
    """Every request is done, with one warning."""
    with Workplace() as place:
        held_until_warned(model, [f"/{i}" for i in range(200)], "-j", "100",
                          "-d", place.join("d"), preexec_fn=limited(
                              resource.RLIMIT_NOFILE, 40))
        files = read_files(place.join("d"))
    equal(len(files), 200, "files")
    equal(files["123"], b"/123" * 2000, "a body")


@case
def few_descriptors_in_order(model):
    """The first in line never waits for a later one: some give up their own
    connection for a new one while all others hold theirs."""
    urls = [f"/{'moved' if i % 10 == 0 else i}" for i in range(100)]
    r = held_until_warned(model, urls, "-j", "60", preexec_fn=limited(
        resource.RLIMIT_NOFILE, 30))
    check(r.out == b"".join(
        (b"/there" if "moved" in u else u.encode()) * 2000 for u in urls),
        "bodies differ")


@case
def few_descriptors_for_names(model):
    """A look-up that lacks one for the hosts file has not found that there is
    no such name. (That is all that glibc says.)"""
    ended = set()
    with Server(lambda c: [c.ok(b"body") for _ in iter(c.request, None)]) \
            as server:
        urls = [f"http://localhost:{server.port}/{i}" for i in range(8)]
        for count in range(8, 28):
            r = run(model, "-n", *urls, preexec_fn=limited(
                resource.RLIMIT_NOFILE, count), env=UNCHECKED)
            check(set(r.words) <= {"ok", "no-resources", "cancelled"},
                  f"{count}: {r.words} {r.err}")
            check("not known" not in r.err, f"{count}: {r.err}")
            ended.add(r.status)
    check(0 in ended, "it never works")


@contextlib.contextmanager
def copied(model):
    """A copy: another user may not be able to enter the folder of the
    build."""
    with Workplace() as place:
        os.chmod(place.path, 0o755)
        yield copy_program(model, place.path)


@case(models=("threads", "processes"))
def few_processes(model):
    """RLIMIT_NPROC counts a user's threads and processes alike; root is
    exempt."""
    if os.geteuid() != 0:
        raise Skip("only root can become a user without other processes")

    def limit():
        resource.setrlimit(resource.RLIMIT_NPROC, (12, 12))
        os.setgid(user)
        os.setuid(user)
    user = lonely_user(model)
    with copied(model) as path:
        held_until_warned(model, [f"/{i}" for i in range(100)], "-j", "50",
                          "-n", path=path, report=False, cwd="/",
                          preexec_fn=limit)


@case(models=("threads", "processes"))
def no_worker_at_all(model):
    if os.geteuid() != 0:
        raise Skip("only root can become a user without other processes")

    def limit():
        os.setgid(54330)
        os.setuid(54330 + ("threads", "processes").index(model))
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    with copied(model) as path:
        done = subprocess.run([path, "http://127.0.0.1:1/"], preexec_fn=limit,
                              stderr=subprocess.PIPE, cwd="/", env=UNCHECKED,
                              timeout=PATIENCE, check=False)
    equal(done.returncode, 3, done.stderr)
    check(b"no worker can be made" in done.stderr, done.stderr)


def answer_long_heads(c):
    head = b""
    while data := c.sock.recv(65536):
        head += data
        if head.endswith(b"\r\n\r\n"):
            c.ok(b"body")
            head = b""


@case(models=("threads",) if not SANITIZED else ())
def a_shortage_before_the_first_request_has_begun(model):
    """A job that its thread has not taken will give back memory, too. (With
    sanitizers nothing else is preloaded.)"""
    with Workplace() as place, Server(answer_long_heads) as server:
        gate = place.join("gate")
        env = dict(os.environ, LD_PRELOAD=preloaded("held-shim.so"),
                   TRIPTYCH_HELD="thread", TRIPTYCH_GATE=gate)
        with Running(model, "-n", "-j", "1000", "-i", "-",
                     stdin=subprocess.PIPE, env=env) as running:
            def give(count):
                with contextlib.suppress(BrokenPipeError):
                    for _ in range(count):
                        running.process.stdin.write(
                            f"{server.http}/{'x' * 60000}\n".encode())
                    running.process.stdin.flush()
            give(1)
            wait_for(lambda: os.path.exists(gate + ".held"), "a thread")
            resource.prlimit(running.pid, resource.RLIMIT_AS,
                             (1, resource.RLIM_INFINITY))
            giver = threading.Thread(target=give, args=(200,), daemon=True)
            giver.start()
            wait_for(lambda: "no more threads" in running.errors() or
                     running.process.poll() is not None, "a shortage")
            wait_for(lambda: running.process.poll() is not None or
                     rests(running.pid), "nothing is left to be had")
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(running.pid, resource.RLIMIT_AS,
                                 (resource.RLIM_INFINITY,) * 2)
            with open(gate, "wb"):
                pass
            giver.join(PATIENCE)
            with contextlib.suppress(BrokenPipeError):
                running.process.stdin.close()
            r = running.finish()
    equal((r.status, r.words), (0, ["ok"] * 201), r.err)


@case
def hardly_any_descriptors(model):
    """Whatever is missing, it is said, and nothing crashes or hangs."""
    ended = set()
    with Origin() as origin:
        for count in range(4, 20):
            r = run(model, f"{origin.http}/bytes/1", "-n", report=False,
                    preexec_fn=limited(resource.RLIMIT_NOFILE, count),
                    env=UNCHECKED)
            ended.add(r.status)
            check(r.status in (0, 1, 3), f"{count}: {r.status} {r.err}")
            if r.status != 0 and count >= 6:
                check("Too many open files" in r.err, f"{count}: {r.err}")
    check(0 in ended, "it never works")


# --- Completion ------------------------------------------------------------

COMPLETE = """
source "$1"
COMP_WORDS=("${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_triptych_fetch "$2"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@case
def completion_in_bash(model):
    source = os.path.join(os.path.dirname(__file__),
                          "../../common/fetch.bash")

    def complete(*words):
        done = subprocess.run(["bash", "-c", COMPLETE, "bash", source,
                               program(model), *words],
                              capture_output=True, text=True, check=False)
        equal(done.stderr, "", f"{words}")
        return done.stdout.split()
    equal(complete("--ret"), ["--retries"], "an option")
    check(set(complete("--")) >= {"--jobs", "--upload", "--report"}, "options")
    equal(complete("--progress", "a"), ["auto", "always"], "a value")
    equal(complete("ht"), ["http://", "https://"], "a scheme")
    equal(complete("-d", "/us"), ["/usr"], "a directory")
    ours = "--backend" if model in ("evloop", "coroutines") else "--spawn"
    equal(complete(ours[:-2]), [ours], "an option of the model's own")


# --- Workers that die ------------------------------------------------------

@case(models=("processes",))
def a_killed_worker_costs_nothing_but_a_try(model):
    with Holding("/slow") as server:
        with Running(model, "-n", "-j2", server.http + "/slow",
                     server.http + "/slow", server.http + "/x") as running:
            wait_for(lambda: len(server.requests) >= 2, "two requests")
            os.kill(running.workers()[0], signal.SIGKILL)
            server.go.set()
            r = running.finish()
            equal(running.family(), [], "processes left over")
    equal(r.words, ["ok"] * 3, r.err)
    equal(sorted(r.column("attempts")), ["1", "1", "2"], "attempts")
    equal(r.status, 0, "exit status")


@case(models=("processes",))
def a_worker_killed_twice(model):
    def script(c):
        c.request()
        c.hold()
    with Server(script) as server:
        with Running(model, "-n", "-j1", server.http + "/") as running:
            for count in (1, 2):
                wait_for(lambda n=count: len(server.requests) == n,
                         "a request")
                os.kill(running.workers()[0], signal.SIGKILL)
            r = running.finish()
    equal(r.words, ["worker-crashed"], r.err)
    equal(r.column("attempts"), ["2"], "attempts")
    check("killed by signal 9" in r.err, r.err)
    equal(r.status, 1, "exit status")


@case(models=("processes",))
def a_worker_that_is_told_to_end(model):
    """SIGTERM to a worker, and not to its parent: whoever watches over memory
    begins with that. It is as if it were killed: one new try, and no request
    of a run that goes on is cancelled."""
    def script(c):
        while head := c.request():
            if b"/held" in head or len(server.requests) == 1:
                c.hold()
            c.ok(b"body")
    for options in (["-n"], []):
        with Server(script) as server:
            with Running(model, *options, "-j1", server.http + "/once",
                         server.http + "/held") as running:
                for seen in (1, 3, 4):  # /once, and once more; /held, and ...
                    wait_for(lambda n=seen: len(server.requests) == n,
                             "the request")
                    worker, = running.workers()
                    os.kill(worker, signal.SIGTERM)
                r = running.finish()
                equal(running.family(), [], "processes left over")
        equal(r.words, ["ok", "worker-crashed"], r.err)
        equal(r.column("attempts"), ["2", "2"], "attempts")
        check("killed by signal 15" in r.err, r.err)


@case(models=("processes",))
def a_worker_killed_within_an_ordered_body(model):
    """What went out cannot be taken back: no second try."""
    reader, writer = os.pipe()

    def script(c):
        while head := c.request():
            if b"/first" in head:
                c.holds_first = True
                c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
                c.hold()
            c.ok(b"second")
    with Server(script) as server:
        with Running(model, "-j2", server.http + "/first",
                     server.http + "/second", stdout=writer) as running:
            os.close(writer)
            equal(os.read(reader, 3), b"abc", "the beginning")
            for pid in running.workers():
                if holds_first(server, pid):
                    os.kill(pid, signal.SIGKILL)
                    break
            r = running.finish()
            equal(os.read(reader, 100), b"second", "what follows")
    os.close(reader)
    equal(r.words, ["worker-crashed", "ok"], r.err)
    equal(r.column("bytes")[0], "3", "bytes")


def holds_first(server, pid):
    """True if the process has the connection on which /first was asked."""
    inodes = {os.readlink(f"/proc/{pid}/fd/{fd}")
              for fd in os.listdir(f"/proc/{pid}/fd")}
    with open("/proc/net/tcp", encoding="ascii") as file:
        lines = [line.split() for line in file.read().splitlines()[1:]]
    ports = {int(line[1].split(":")[1], 16) for line in lines
             if f"socket:[{line[9]}]" in inodes}
    return any(hasattr(c, "holds_first") and c.sock.getpeername()[1] in ports
               for c in server.open)


@case(models=("processes",))
def all_workers_killed_again_and_again(model):
    """Files whole or absent, no zombie, and what was killed once is done."""
    go = threading.Event()

    def script(c):
        while head := c.request():
            seed = int(head.split()[1][1:])
            body = content(30000 + seed, seed)
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                   % len(body) + body[:9000])
            go.wait(60)  # no request ends before the killing does
            c.send(body[9000:])
    with Server(script) as server, Workplace() as place:
        urls = [f"{server.http}/{i}" for i in range(120)]
        with Running(model, "-j", "20", "-d", place.join("d"),
                     *urls) as running:
            killed = set()
            while len(killed) < 60:
                for pid in [p for p in running.workers()
                            if p not in killed][:2]:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
                check(running.process.poll() is None, running.errors())
                time.sleep(0.02)
            go.set()
            r = running.finish()
            equal(running.family(), [], "processes left over")
        files = sorted(os.listdir(place.join("d")))
        for name in files:
            check(not name.startswith("."), f"litter: {name}")
            with open(place.join("d/" + name), "rb") as file:
                check(file.read() == content(30000 + int(name), int(name)),
                      name)
    check(set(r.words) <= {"ok", "worker-crashed"}, r.err)
    check(r.words.count("worker-crashed") <= 30, r.err)
    equal(len(files), r.words.count("ok"), "files")


@case(models=("processes",))
def workers_end_with_their_parent(model):
    reader, writer = os.pipe()
    with Origin() as origin:
        with Running(model, "-j4", f"{origin.http}/bytes/9?delay=60000",
                     *[f"{origin.http}/bytes/9000000"] * 5,
                     stdout=writer) as running:
            os.close(writer)
            wait_for(lambda: len(running.workers()) == 4, "four workers")
            time.sleep(0.1)
            running.signal(signal.SIGKILL)
            running.process.wait()
            wait_for(lambda: not running.family(), "the workers to end")
    os.close(reader)


if __name__ == "__main__":
    main()

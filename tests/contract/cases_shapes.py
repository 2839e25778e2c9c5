"""Every shape of each model: --spawn, --backend, --loops."""

import errno
import itertools
import os
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time

from harness import (PATIENCE, UNCHECKED, Failure, Holding, Origin, Reading,
                     Running, Server, Skip, Workplace, case, check, content,
                     copy_program, count_fds, count_threads, equal, expect,
                     held_until_warned, lonely_user, main, rests, run,
                     wait_for)
from looking import SANITIZED

SHAPES = {
    "threads": (["--spawn", "pool"], ["--spawn", "each"]),
    "processes": (["--spawn", "pool"], ["--spawn", "each"]),
    "evloop": (["--backend", "epoll"], ["--backend", "poll"],
               ["--backend", "select"], ["--loops", "2"],
               ["--loops", "5", "--backend", "poll"]),
    "coroutines": (["--backend", "epoll"], ["--backend", "select"]),
}


@case
def a_mixed_list(model):
    for shape in SHAPES[model]:
        with Origin() as origin, Workplace() as place:
            with open(place.join("file"), "wb") as file:
                file.write(content(200000))
            urls, out = [], b""
            for i in range(30):
                urls += [f"{origin.http}/bytes/{70000 + i}?seed={i}&"
                         f"delay={i * 7 % 30}", f"{origin.tcp}/{i}",
                         f"{origin.udp}/u{i}", f"file://{place.join('file')}"]
                out += content(70000 + i, i) + b"%du%d" % (i, i) + \
                    content(200000)
            r = run(model, *shape, "-j", "17", *urls)
            expect(r, ["ok"] * 120, out)


@case
def into_files(model):
    for shape in SHAPES[model]:
        with Origin() as origin, Workplace() as place:
            r = run(model, *shape, "-j", "9",
                    *[f"{origin.http}/bytes/{1000 + i}" for i in range(100)],
                    directory=place.join("d"))
            expect(r, ["ok"] * 100)
            equal(r.files, {str(1000 + i): content(1000 + i)
                            for i in range(100)}, "files")


@case
def failures_and_retries(model):
    for shape in SHAPES[model]:
        with Origin() as origin:
            r = run(model, *shape, "-n", "-j3", "--retries", "1",
                    f"{origin.http}/bytes/10?status=503",
                    "http://127.0.0.1:1/", f"{origin.http}/bytes/10",
                    f"{origin.http}/bytes/10?fin=3", "nonsense")
            expect(r, ["http-error", "refused", "ok", "truncated", "bad-url"])
            equal(r.column("attempts"), ["2", "2", "1", "2", "0"], "attempts")


@case(models=("threads", "processes"))
def no_more_workers_than_jobs(model):
    """And none is left over, whatever was made."""
    go = threading.Event()

    def script(c):
        c.request()
        go.wait(60)
        c.ok(b"x")

    def workers():
        if model == "processes":
            return len(running.workers())
        # The thread sanitizer has a thread of its own.
        return count_threads(running.pid) - (2 if SANITIZED else 1)
    with Server(script) as server:
        with Running(model, "--spawn", "each", "--no-keep-alive", "-n", "-j",
                     "5", *[f"{server.http}/{i}" for i in range(60)]) \
                as running:
            wait_for(lambda: len(server.requests) == 5, "five requests")
            check(4 <= workers() <= 5, f"{workers()} workers")
            go.set()
            while running.process.poll() is None:
                try:
                    now = workers()
                    check(now <= 5, f"{now} workers")
                except FileNotFoundError:
                    pass
            r = running.finish()
            equal(running.family(), [], "processes left over")
    equal(r.words, ["ok"] * 60, r.err)
    check(set(r.column("worker")) <= set("01234"), "worker")


@case
def interrupted(model):
    for shape in SHAPES[model]:
        with Origin() as origin:
            with Running(model, *shape, "-n", "-j", "5",
                         *[f"{origin.http}/bytes/10?delay=60000"] * 9) \
                    as running:
                wait_for(lambda o=origin: o.stats()["requests"] >= 5,
                         "the requests")
                running.signal(signal.SIGTERM)
                r = running.finish()
                equal(running.family(), [], f"{shape}: processes left over")
        equal(r.status, 143, r.err)
        equal(r.words, ["cancelled"] * 9, r.err)


@case(models=("processes",))
def workers_of_one_request_are_killed(model):
    def script(c):
        c.request()
        if len(server.requests) <= 3:
            c.hold()
        c.ok(b"done")
    with Server(script) as server:
        with Running(model, "--spawn", "each", "-n", "-j3",
                     *[f"{server.http}/{i}" for i in range(9)]) as running:
            wait_for(lambda: len(server.requests) == 3, "the requests")
            for pid in running.workers():
                os.kill(pid, signal.SIGKILL)
            r = running.finish()
            equal(running.family(), [], "processes left over")
    equal(r.words, ["ok"] * 9, r.err)
    equal(sorted(r.column("attempts")), ["1"] * 6 + ["2"] * 3, "attempts")


OWNERS = {"--spawn": ("threads", "processes"),
          "--backend": ("evloop", "coroutines"), "--loops": ("evloop",)}


@case
def values_that_will_not_do(model):
    for option, value in (("--spawn", "none"), ("--spawn", ""),
                          ("--backend", "kqueue"), ("--backend", ""),
                          ("--loops", "0"), ("--loops", "2000")):
        r = run(model, option, value, "http://127.0.0.1:9/")
        equal(r.status, 2, f"{option} {value}: exit status")
        ours = model in OWNERS[option]
        words = f"{option} '{value}': it takes " if ours else \
            f"{option} is an option of fetch-"
        check(words in r.err, r.err)


# --- Loops -----------------------------------------------------------------

@case(models=("evloop",))
def each_loop_is_a_thread(model):
    """As many as are asked for, but no more than there are jobs; and each has
    a share of the requests."""
    go = threading.Event()

    def script(c):
        c.request()
        go.wait(60)
        c.ok(b"x")
    own = 2 if SANITIZED else 1
    for loops, jobs, wanted in (1, 8, 1), (4, 8, 4), (9, 3, 3), (7, 1, 1):
        go.clear()
        with Server(script) as server:
            with Running(model, "--loops", loops, "-j", jobs, "-n",
                         *[server.http] * 40) as running:
                wait_for(lambda: len(server.requests) == jobs, "requests")
                threads = count_threads(running.pid)
                check(wanted <= threads <= wanted + own - 1,
                      f"{threads} threads for {loops} loops")
                equal(len(server.requests), jobs, "in flight")
                go.set()
                r = running.finish()
        equal(r.words, ["ok"] * 40, r.err)
        check(set(r.column("worker")) <= set(map(str, range(wanted))),
              r.column("worker"))


@case(models=("evloop",))
def loops_take_from_a_slow_list(model):
    """URLs come one by one, and many at once; the list ends; all loops find
    out."""
    with Origin() as origin:
        with Running(model, "--loops", "3", "-j", "6", "-i", "-",
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE) \
                as running:
            out = b""
            for i in range(30):
                lines = b"%s/bytes/%d\n" % (origin.http.encode(), i + 1)
                running.process.stdin.write(lines * (1 + i % 7 * 5))
                running.process.stdin.flush()
                wanted = content(i + 1) * (1 + i % 7 * 5)
                while len(out) < len(wanted):
                    out += os.read(running.process.stdout.fileno(), 65536)
                check(out == wanted, "the bodies differ")
                out = b""
            running.process.stdin.close()
            equal(set(running.finish().words), {"ok"}, "results")


@case(models=("evloop",))
def loops_pass_the_turn(model):
    """Each body waits for that before it, whichever loop has that."""
    with Origin() as origin:
        urls = [f"{origin.http}/bytes/{50000 + i}?delay={(i * 37) % 41}"
                for i in range(200)]
        for loops in 2, 3, 8:
            r = run(model, "--loops", loops, "-j", "20", *urls)
            expect(r, ["ok"] * 200,
                   b"".join(content(50000 + i) for i in range(200)))


@case(models=("evloop",))
def loops_in_a_shortage(model):
    """The newest gives way, whichever loop has it: one warning, all done."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    with Origin() as origin:
        for loops in 2, 4:
            urls = [f"{origin.http}/bytes/{70000 + i}?delay=10"
                    for i in range(150)]
            r = run(model, "--loops", loops, "-j", "100", "--no-keep-alive",
                    *urls, preexec_fn=limit)
            expect(r, ["ok"] * 150,
                   b"".join(content(70000 + i) for i in range(150)))
            equal(r.err.count("warning"), 1, r.err)


# --- Limits ----------------------------------------------------------------

@case(models=("evloop", "coroutines"))
def select_has_a_limit(model):
    """1,500 at once would need descriptors beyond what select can hold: one
    warning, fewer in flight, and all are done."""
    def raise_limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 4096 and hard != resource.RLIM_INFINITY:
        raise Skip(f"only {hard} descriptors are allowed here")
    most = [0]
    with Origin() as origin:
        with Running(model, "--backend", "select", "-n", "-j", "1500",
                     *[f"{origin.http}/bytes/10?delay=2000"] * 1500,
                     preexec_fn=raise_limit) as running:
            while running.process.poll() is None:
                try:
                    most[0] = max(most[0], count_fds(running.pid))
                except FileNotFoundError:
                    pass
                time.sleep(0.01)
            r = running.finish()
    equal(r.words, ["ok"] * 1500, r.err)
    warnings = [line for line in r.err.splitlines() if "warning" in line]
    equal(len(warnings), 1, r.err)
    check("select can wait for 1024 descriptors only" in warnings[0], r.err)
    check(most[0] <= 1024, f"{most[0]} descriptors at most")


@case(models=("evloop", "coroutines"))
def libevents_environment_is_no_matter(model):
    """Its variables would choose another way to wait: one that loses
    connections whose number is used again, or one without room for 1,500."""
    def raise_limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for names in (["EVENT_EPOLL_USE_CHANGELIST"],
                  ["EVENT_NOEPOLL", "EVENT_NOPOLL"]):
        with Origin() as origin, Workplace() as place:
            urls = place.join("urls")
            with open(urls, "w", encoding="ascii") as opened:
                opened.write(f"{origin.http}/bytes/10?delay=200\n" * 1500)
            r = run(model, "-n", "-j", "1500", "-i", urls,
                    preexec_fn=raise_limit,
                    env=dict(os.environ, **{name: "1" for name in names}))
        equal(r.words, ["ok"] * 1500, f"{names}: {r.err}")


@case(models=("threads", "processes"))
def few_workers_can_be_made(model):
    """RLIMIT_NPROC, which counts threads, too: fewer in flight, one warning,
    and every request is done."""
    if os.geteuid() != 0:
        raise Skip("only root can become another user")

    def limit():
        resource.setrlimit(resource.RLIMIT_NPROC, (14, 14))
        os.setgid(user)
        os.setuid(user)
    user = lonely_user(model)
    urls = [f"/{i}" for i in range(100)]
    for shape in SHAPES[model]:
        place = tempfile.mkdtemp(prefix="triptych-")
        try:
            os.chmod(place, 0o755)
            path = copy_program(model, place)
            r = held_until_warned(model, urls, "-j40", *shape, path=path,
                                  report=False, cwd="/", preexec_fn=limit)
        finally:
            shutil.rmtree(place)
        check(r.out == b"".join(u.encode() * 2000 for u in urls),
              f"{shape}: bodies differ")


@case
def little_memory(model):
    """RLIMIT_AS: fewer in flight, at most one warning, and all are done."""
    if SANITIZED:
        raise Skip("a sanitizer needs more memory than that")
    for mib in (6, 8, 11, 14, 18, 24):
        def limit(size=mib << 20):
            resource.setrlimit(resource.RLIMIT_AS, (size, size))
        with Origin() as origin:
            urls = [f"{origin.http}/bytes/100000?seed={i}" for i in range(80)]
            for options in ([], ["-n"]):
                r = run(model, "-j", "50", *options, *urls, preexec_fn=limit)
                equal(r.words, ["ok"] * 80, f"{mib} MiB {options}: {r.err}")
                check(r.err.count("warning") <= 1, r.err)
                if not options:
                    check(r.out == b"".join(content(100000, i)
                                            for i in range(80)),
                          f"{mib} MiB: bodies differ")


@case
def little_memory_for_names(model):
    """glibc crashes, or keeps a lock for ever, if it has no memory for what it
    makes for the first look-up. (Without any for the hosts file, it says what
    the name server says.)"""
    if SANITIZED:
        raise Skip("a sanitizer needs more memory than that")

    def script(c):
        while head := c.request():
            path = head.split()[1]
            if path.startswith(b"/moved"):
                c.send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
                       b"Location: http://localhost:%d/there\r\n\r\n" % port)
            else:
                c.ok(b"there")
    with Server(script) as server, Workplace() as place:
        port = server.port
        urls = [f"{server.http}/moved{i}" for i in range(10)]
        for kib in range(5 << 10, 8 << 10, 128):
            def limit(size=kib << 10):
                resource.setrlimit(resource.RLIMIT_AS, (size, size))
            r = run(model, "-t", "30", "-d", place.join("d"), *urls,
                    preexec_fn=limit)
            check(r.status in (0, 1, 3), f"{kib} KiB: {r.status} {r.err}")
            check(set(r.words) <= {"ok", "no-resources", "cancelled", "dns"},
                  f"{kib} KiB: {r.words} {r.err}")


@case
def little_memory_for_files(model):
    """As before. (The loop has a thread read them.)"""
    if SANITIZED:
        raise Skip("a sanitizer needs more memory than that")
    with Workplace() as place:
        with open(place.join("file"), "wb") as file:
            file.write(content(100000, 0))
        urls = ["file://" + place.join("file")] * 40
        for mib in (6, 8, 11):
            def limit(size=mib << 20):
                resource.setrlimit(resource.RLIMIT_AS, (size, size))
            for options in ([], ["-n"], ["-d", place.join("d")]):
                r = run(model, "-j", "20", *options, *urls, preexec_fn=limit)
                equal(r.words, ["ok"] * 40, f"{mib} MiB {options}: {r.err}")
                check(r.err.count("warning") <= 1, r.err)
                if not options:
                    check(r.out == content(100000, 0) * 40,
                          f"{mib} MiB: bodies differ")


@case(models=("threads", "evloop", "coroutines"))
def idle_connections_have_descriptors(model):
    """A file is opened in the place of one of them, when there is no other;
    and a name is looked up, which takes two, one of them in a thread. (With
    processes it is the workers who have the connections.)"""
    for host in "127.0.0.1", "localhost":
        the_last_lacks_a_descriptor(model, host)


def the_last_lacks_a_descriptor(model, host):
    listed, writer = os.pipe()
    turns = [threading.Event() for _ in range(8)]

    def script(c):
        while head := c.request():
            path = head.split()[1]
            turns[int(path[1:]) % 8].wait(PATIENCE)
            c.ok(path)
    with Server(script) as server, Workplace() as place:
        with Running(model, "-d", place.join("d"), "-j", "8", "-i", "-",
                     stdin=listed) as running:
            os.close(listed)
            for i in range(8):
                os.write(writer, f"{server.http}/{i}\n".encode())
            wait_for(lambda: len(server.requests) == 8, "all requests")
            for i, turn in enumerate(turns):
                turn.set()
                wait_for(lambda: os.path.exists(place.join(f"d/{i}")),
                         "the file")
            wait_for(lambda: rests(running.pid), "that all wait")
            used = {int(fd) for fd in os.listdir(f"/proc/{running.pid}/fd")}
            least = min(set(range(len(used) + 1)) - used)
            resource.prlimit(running.pid, resource.RLIMIT_NOFILE,
                             (least, least))
            os.write(writer, f"http://{host}:{server.port}/8\n".encode())
            # At the end of the list they would be closed anyway.
            wait_for(lambda: os.path.exists(place.join("d/8")) or
                     "no-resources" in running.errors(), "the last file")
            os.close(writer)
            r = running.finish()
    equal(r.words, ["ok"] * 9, r.err)


@case(models=("threads", "evloop", "coroutines"))
def an_empty_body_has_its_connections_descriptor(model):
    """Its file is opened when the connection is idle already."""
    def least(origin, *args):
        for limit in range(4, 64):
            r = run(model, *args, "-j1", f"{origin.http}/bytes/0",
                    report=False, env=UNCHECKED, preexec_fn=lambda: resource.
                    setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
            if r.status == 0:
                return limit
        raise Failure("no limit is high enough")
    with Origin() as origin, Workplace() as place:
        discarded = least(origin, "-n")
        saved = least(origin, "-d", place.join("d"))
    equal(saved, discarded + 1, "descriptors, with one for the folder")


@case(models=("threads", "processes", "coroutines"))
def a_body_that_is_partly_out(model):
    """It cannot start over: while others hold memory, and there is no more,
    it is read and written to its end. (Not promised of the event loop: what
    libevent reads into, it allocates itself.)"""
    if SANITIZED:
        raise Skip("a sanitizer needs more memory than that")
    go = threading.Event()
    size = 400000

    def script(c):
        path = c.request().split()[1]
        body = content(size, int(path[1:]))
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        if path == b"/0":
            c.send(body[:1000])
            go.wait(PATIENCE)
            body = body[1000:]
        c.send(body)
    with Server(script) as server:
        urls = [f"{server.http}/{i}" for i in range(20)]
        reader, writer = os.pipe()
        got = Reading(reader)
        with Running(model, "-j", "20", *urls, stdout=writer) as running:
            os.close(writer)
            wait_for(lambda: len(server.requests) == 20 and got.chunks,
                     "all requests, and the first bytes")
            wait_for(lambda: rests(running.pid), "that all wait")
            with open(f"/proc/{running.pid}/statm", encoding="ascii") as file:
                now = int(file.read().split()[0]) * resource.getpagesize()
            resource.prlimit(running.pid, resource.RLIMIT_AS, (now, now))
            go.set()
            r = running.finish()
    equal(r.words, ["ok"] * 20, r.err)
    check(got.whole() == b"".join(content(size, i) for i in range(20)),
          "bodies differ")


@case(models=("processes",) if not SANITIZED else ())
def a_worker_without_memory(model):
    """For a job that is longer than what it reads at once it needs some, and has
    none left: that is a shortage, as it would be in the other models, and no
    crash."""
    listed, writer = os.pipe()
    # The C library is to have none in store.
    env = dict(os.environ, MALLOC_TOP_PAD_="0", MALLOC_TRIM_THRESHOLD_="0")
    with Server(lambda c: c.request() and c.ok(b"body")) as server:
        with Running(model, "-n", "-j", "1", "-i", "-",
                     stdin=listed, env=env) as running:
            os.close(listed)
            os.write(writer, f"{server.http}/\n".encode())
            worker, = wait_for(running.workers, "a worker")
            wait_for(lambda: server.requests, "the request")
            with open(f"/proc/{worker}/statm", encoding="ascii") as file:
                size = int(file.read().split()[0]) * resource.getpagesize()
            resource.prlimit(worker, resource.RLIMIT_AS, (size, size))
            os.write(writer, f"{server.http}/{'x' * 200000}\n".encode())
            os.close(writer)
            r = running.finish()
    equal(r.words, ["ok", "no-resources"], r.err)
    equal(r.column("attempts"), ["1", "1"], "attempts")


def forbid_close_range(errno_):
    """For a child: from now on close_range fails with that."""
    import ctypes
    import platform
    check(platform.machine() in ("x86_64", "aarch64"), "another number")
    close_range = 436  # on every machine of Linux but alpha
    load, jump, ret = 0x20, 0x15, 0x06  # BPF: LD|W|ABS, JMP|JEQ|K, RET|K
    program = b"".join(struct.pack("HBBI", *line) for line in (
        (load, 0, 0, 0), (jump, 0, 1, close_range),
        (ret, 0, 0, 0x00050000 | errno_), (ret, 0, 0, 0x7fff0000)))
    lines = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack(
        "HxxxxxxQ", len(program) // 8, ctypes.addressof(lines)))
    libc = ctypes.CDLL(None, use_errno=True)
    for what in ((38, 1, 0, 0, 0),  # PR_SET_NO_NEW_PRIVS
                 (22, 2, ctypes.c_void_p(ctypes.addressof(head)), 0, 0)):
        if libc.prctl(*what) != 0:  # PR_SET_SECCOMP
            raise OSError(ctypes.get_errno(), "prctl")


def pipes_of(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            name = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if name.startswith("pipe:"):
            found.add(name)
    return found


@case(models=("processes",))
def no_worker_has_a_sibling_s_pipes(model):
    """Even where a sandbox forbids the call that closes them at once."""
    for number in (errno.ENOSYS, errno.EPERM):
        with Holding("/held") as server, Running(
                model, "-j4", "-n", *[server.http + "/held"] * 4,
                preexec_fn=lambda: forbid_close_range(number)) as running:
            wait_for(lambda: server.connections == 4, "four workers")
            workers = running.workers()
            equal(len(workers), 4, "workers")
            for one, other in itertools.combinations(workers, 2):
                equal(pipes_of(one) & pipes_of(other), set(),
                      "pipes that two workers have")
            server.go.set()
            equal(running.finish().words, ["ok"] * 4, "results")


if __name__ == "__main__":
    main()

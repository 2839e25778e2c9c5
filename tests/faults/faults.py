"""Every call fails once, as SQLite tests itself: a short run of everything is
made again and again, and each time another one of its system calls and
allocations fails, or takes one byte only (shim.c, which is preloaded).

Whatever it was, the program must end in good order: by itself, with an exit
status of the contract, its report complete, bodies and files whole or absent,
a message for each request that failed, no process left, nothing leaked (the
build with sanitizers says so). And in isolation: one fault fails one request
at most. A fault that nobody need notice - EINTR, a short read - must change
nothing at all. And when a shortage does not pass ("ENOMEM+") the order must be
as good, whatever fails.

    faults.py          half of them by lot, with a seed that it prints, where
                       a function is called often the first and the last call
    faults.py seed=N   the same half again
    faults.py full     every call of every function
    faults.py threads files alloc:17:ENOMEM
                       that fault; or, without the number, those of that name
"""

import atexit
import concurrent.futures
import contextlib
import itertools
import os
import random
import re
import socket
import struct
import subprocess
import sys
import traceback
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../contract"))

from authority import Authority, TlsServer
from harness import (MODELS, PATIENCE, Failure, Origin, Skip, Workplace, check,
                     check_clean, content, equal, free_port, kill_session,
                     look_inside, preloaded, program, read_files, read_report,
                     session, wait_for)
from looking import SANITIZED
from postgres import Postgres

SHIM = preloaded("faults-shim.so")

# Where localhost is ::1, too, nobody listens there.
SEVERAL = len(set(socket.getaddrinfo("localhost", 1, proto=6))) > 1

# Runs at once. They sleep most of the time.
PARALLEL = 6

# Without `full`: so many calls of one function, at most, for each fault.
SAMPLES = 2
# And this play alone, where a run takes three times as long.
SANITIZED_PLAYS = ("order",)
# And of a database what a request can fail of, where its library is called,
# in one model of each kind.
DATABASE_POINTS = ("alloc", "recv", "send", "connect", "getaddrinfo.number")
DATABASE_MODELS = ("threads", "evloop")

# What can go wrong where, and the results that a request may have instead of
# its own. None of them: the fault must not be seen at all.
SHORT_OF = "no-resources"
FAULTS = [
    ("alloc", "ENOMEM", SHORT_OF),
    ("read.file", "EIO", "file-error"),
    ("read.file", "short", ""),  # a disk's call cannot be interrupted
    ("read.pipe", "EINTR EAGAIN short", ""),
    ("read.socket", "ECONNRESET", "reset truncated"),
    ("read.socket", "EINTR EAGAIN short", ""),
    ("readv.socket", "ECONNRESET", "reset truncated"),
    ("readv.socket", "EINTR EAGAIN short", ""),
    ("recv", "ECONNRESET", "reset truncated"),
    ("recv", "EINTR EAGAIN short", ""),
    ("pread", "EIO", "file-error"),
    ("pread", "short", ""),
    ("write.file", "ENOSPC", "write-failed"),
    ("write.file", "short", ""),
    ("write.pipe", "ENOMEM", SHORT_OF),
    ("write.pipe", "EINTR EAGAIN short", ""),
    ("writev.file", "ENOSPC", ""),  # the report
    ("writev.file", "short", ""),
    ("writev.pipe", "ENOMEM", SHORT_OF + " write-failed worker-crashed"),
    ("writev.pipe", "EINTR EAGAIN short", ""),
    ("send", "ECONNRESET EPIPE", "reset truncated"),
    ("send", "ENOBUFS", SHORT_OF),
    ("send", "EINTR EAGAIN short", ""),
    ("sendmsg", "ECONNRESET EPIPE", "reset truncated"),
    ("sendmsg", "ENOBUFS", SHORT_OF),
    ("sendmsg", "EINTR EAGAIN short", ""),
    ("writev.socket", "ECONNRESET EPIPE", "reset truncated"),
    ("writev.socket", "ENOBUFS", SHORT_OF),
    ("writev.socket", "EINTR EAGAIN short", ""),
    ("open", "EMFILE", SHORT_OF),
    ("open", "EACCES", "file-error"),
    ("openat", "EMFILE", SHORT_OF),
    ("openat", "ENOSPC", "write-failed"),
    ("fstat", "EIO", "file-error"),
    ("renameat", "ENOSPC", "write-failed"),
    ("unlinkat", "EIO", ""),
    ("mkdir", "EACCES ENOSPC", ""),
    ("socket", "EMFILE ENOBUFS", SHORT_OF),
    ("socket", "EACCES", "unreachable"),
    ("connect", "ECONNREFUSED", "refused"),
    ("connect", "ENETUNREACH", "unreachable"),
    ("connect", "EADDRNOTAVAIL EAGAIN", SHORT_OF),
    ("connect", "EINTR", ""),
    ("getsockopt", "ENOBUFS", SHORT_OF),
    ("getaddrinfo", "EAI_MEMORY", SHORT_OF),
    ("getaddrinfo", "EAI_AGAIN EAI_NONAME", "dns"),
    ("getaddrinfo.number", "EAI_MEMORY", SHORT_OF),
    ("poll", "EINTR ENOMEM", ""),
    ("ppoll", "EINTR ENOMEM", ""),
    ("epoll_create", "EMFILE ENOMEM", ""),
    ("epoll_ctl", "ENOMEM ENOSPC", SHORT_OF),
    ("epoll_wait", "EINTR", ""),
    ("eventfd", "EMFILE", SHORT_OF),
    ("signalfd", "EMFILE", ""),
    ("pipe2", "EMFILE", SHORT_OF),
    ("fork", "EAGAIN ENOMEM", SHORT_OF),
    ("probe", "ENOSYS", ""),  # of clone3; then it is fork
    ("waitpid", "EINTR", ""),
    ("pipe_size", "EPERM", ""),
    ("pthread_create", "EAGAIN", SHORT_OF),
]


# What may not pass: from some call on, all fail.
STAYS = ["alloc ENOMEM", "write.file ENOSPC", "send ENOBUFS",
         "sendmsg ENOBUFS", "open EMFILE", "openat EMFILE", "socket EMFILE",
         "connect EAGAIN", "epoll_ctl ENOMEM", "pipe2 EMFILE", "fork EAGAIN",
         "pthread_create EAGAIN"]


# --- What is run -----------------------------------------------------------

class Play:
    """A run to be disturbed: a command line, and what it brings."""

    def __init__(self, name, options, requests, stdin=b"", shapes=None):
        self.name = name
        self.options = options
        self.shapes = shapes or {}  # options of one model
        self.stdin = stdin
        self.urls = [url for url, _ in requests]
        self.bodies = [body for _, body in requests]  # None: it fails

    def names(self):
        """Of the files in DIR."""
        return [url.rpartition("/")[2].partition("?")[0] or "index"
                for url in self.urls]


def speak(connection):
    """What the server over TLS does."""
    while connection.request():
        connection.ok(content(20000, 5))


def plays(origin, secure, place, refused):
    """Bodies in order, with what little there is of back-pressure and a part
    of the URLs from standard input; into files; an upload; what the models
    have besides; https; six bodies in order, for two faults in one run, with
    one loop and with two; and three, of which the second is there first."""
    file = place.join("body")
    with open(file, "wb") as f:
        f.write(content(9000, 4))
    local = origin.http.replace("127.0.0.1", "localhost")
    requests = [
        (f"{origin.http}/bytes/30000?seed=1", content(30000, 1)),
        (f"{origin.http}/bytes/70000?seed=2&chunked=5000", content(70000, 2)),
        (f"{origin.http}/bytes/10?redirect=1", content(10)),
        (f"{origin.http}/nothing", None),
        (f"http://127.0.0.1:{refused}/", None),
        (f"{origin.tcp}/hello", b"hello"),
        ("nonsense", None),
        (f"file://{file}", content(9000, 4)),
        (f"{origin.udp}/there", b"there"),
        (f"{local}/bytes/100?seed=3", content(100, 3)),
    ]
    uploads = [(f"{origin.http}/echo", content(9000, 4)),
               (f"{origin.http}/sink?status=507", None),
               (f"{origin.http}/echo", content(9000, 4))]
    six = [(f"{origin.http}/bytes/1000?seed={i}", content(1000, i))
           for i in range(6)]
    three = [(f"{origin.http}/bytes/1000?seed={delay}&delay={delay}",
              content(1000, delay)) for delay in (100, 0, 200)]
    given = [url for url, _ in requests]
    listed = "".join(url + "\n" for url in given[5:]).encode()
    return [
        Play("order", ["-j", "3", "--high-water", "8K", "-i", "-",
                       *given[:5]], requests, listed),
        Play("files", ["-j", "4", "-d", None, *given], requests),
        Play("upload", ["-j", "2", "-T", file, *[u for u, _ in uploads]],
             uploads),
        Play("shapes", ["-j", "2", "--high-water", "none",
                        *given[:2], *given[4:8]],
             requests[:2] + requests[4:8],
             shapes={"threads": ["--spawn", "each"],
                     "processes": ["--spawn", "each"],
                     "evloop": ["--loops", "2", "--backend", "poll"]}),
        Play("secure", ["-j", "2", "--insecure", *[secure.https] * 3,
                        given[0]],
             [(secure.https, content(20000, 5))] * 3 + requests[:1]),
        Play("pairs", ["-j", "6", *[url for url, _ in six]], six),
        Play("pairs-of-loops", ["-j", "6", *[url for url, _ in six]], six,
             shapes={"evloop": ["--loops", "2"]}),
        Play("overtaken", ["-j", "3", *[url for url, _ in three]], three),
    ]


def database_play(server):
    """Two queries in order, of which the second is wrong, and a third after
    them. They log in without a password: libpq's own means are tried."""
    def url(query):
        return (f"postgresql://trusted@127.0.0.1:{server.port}/postgres?query="
                + urllib.parse.quote(query))
    rows = "SELECT i, repeat('x', 50) FROM generate_series(1, {}) i"
    requests = [(url(rows.format(n)),
                 b"".join(b"%d\t%s\n" % (i, 50 * b"x")
                          for i in range(1, n + 1))) for n in (200, 300)]
    requests.insert(1, (url("SELECT nothing"), None))
    return Play("database", ["-j", "2", "-t", "20", "--connect-timeout", "20",
                             *[u for u, _ in requests]], requests)


class Fault:
    def __init__(self, point, number, how, words):
        self.point = point
        self.stays = how.endswith("+")
        self.number = number
        self.how = how
        self.words = words

    def __str__(self):
        return f"{self.point}:{self.number}:{self.how}"

    @property
    def is_hidden(self):
        """Nobody need notice it."""
        return self.how in ("EINTR", "short") or (
            self.how == "EAGAIN" and
            self.point.startswith(("read", "write", "recv", "send")))


class Run:
    """What came of one run, and where the shim counted."""

    def __init__(self, model, play, fault, environment):
        self.model = model
        self.play = play
        with Workplace() as place:
            report = place.join("report")
            page = place.join("page")
            directory = place.join("d")
            options = [directory if o is None else o for o in play.options]
            options += play.shapes.get(model, [])
            environment = dict(environment, TRIPTYCH_FAULT_PAGE=page)
            if fault:
                environment["TRIPTYCH_FAULT"] = str(fault)
            child = subprocess.Popen(
                # Whoever waits for the limit in vain is to be found out.
                [program(model), "-t", str(int(3 * PATIENCE)), "--report",
                 report, *options],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=environment,
                start_new_session=True)
            try:
                self.out, err = child.communicate(play.stdin, PATIENCE)
            except subprocess.TimeoutExpired:
                state = "".join(look_inside(p) for p in session(child.pid))
                kill_session(child.pid)
                _, err = child.communicate()
                raise Failure(f"it hangs; standard error: {err!r}\n{state}") \
                    from None
            except BaseException:
                kill_session(child.pid)
                raise
            if SANITIZED:
                # A worker that is killed while its leaks are looked for leaves
                # behind, for a moment, the process that does so.
                wait_for(lambda: not session(child.pid), "the session's end")
            self.left = session(child.pid)
            self.err = err.decode("utf-8", "replace")
            self.status = child.returncode
            check_clean(self.status, self.err)
            # What could not be written whole, and says so, is no report.
            self.has_report = os.path.exists(report) and \
                os.path.getsize(report) > 0 and \
                f": {report}: " not in self.err
            self.rows = read_report(report) if self.has_report else []
            self.files = read_files(directory) if \
                os.path.isdir(directory) else {}
            self.calls, self.struck = read_page(page)

    @property
    def words(self):
        return [row["result"] for row in self.rows]


def read_page(path):
    """How often each function was called, by the ways in which it could have
    gone wrong; and whether one did. See struct record in shim.c."""
    calls, struck = {}, False
    with open(path, "rb") as file:
        for name, *ways, hit in struct.iter_unpack("24s4Q", file.read()):
            calls[name.rstrip(b"\0").decode()] = ways
            struck = struck or hit > 0
    return calls, struck


# --- In good order ---------------------------------------------------------

def check_order(run, base, fault):
    """Whatever happened."""
    equal(run.left, [], "processes left over")
    check(run.status in (0, 1, 3), f"exit status {run.status}: {run.err}")
    if run.status != 3:
        check(run.has_report, "there is no report")
    if run.has_report:
        lines = len(run.rows), len(base.rows)
        may_lack = run.play.stdin or fault and fault.stays
        check(lines[0] == lines[1] or run.status == 3 and may_lack,
              f"{lines[0]} lines in the report, not {lines[1]}")
        check_bodies(run, fault)
        check_messages(run, fault)
    if run.status != 3:
        failed = any(word != "ok" for word in run.words)
        equal(run.status, 1 if failed else 0, "exit status")


def check_bodies(run, fault):
    """Whole or absent; on standard output, of one that failed, as much as the
    report says."""
    files, out = {}, b""
    for row, body, name in zip(run.rows, run.play.bodies, run.play.names()):
        whole = row["result"] == "ok"
        check(not whole or body is not None, f"cannot be ok: {row}")
        if None in run.play.options and whole:
            files[name] = body
        elif name in run.files and fault and fault.stays:
            files[name] = body  # of a worker that had to give way just then
        elif None not in run.play.options and body is not None:
            size = len(body) if whole else \
                int(row["bytes"].replace("-", "0"))
            out += body[:size]
        if whole:
            equal(int(row["bytes"]), len(body), "bytes")
    equal_bytes(run.out, out, "standard output")
    equal(sorted(run.files), sorted(files), "files")
    for name, body in files.items():
        equal_bytes(run.files[name], body, name)


def equal_bytes(got, wanted, what):
    """Too long to be shown."""
    check(got == wanted, f"{what}: {len(got)} bytes, wanted {len(wanted)}; "
          f"the same are {len(os.path.commonprefix([got, wanted]))}")


def check_messages(run, fault):
    """One for each request that failed. But when the fault is that there is
    none to be had: standard error, or its memory."""
    said = re.findall(r"(?m)^fetch-\w+: (\S*): ([a-z-]+): .", run.err)
    failed = [word for word in run.words if word not in ("ok", "cancelled")]
    lost = len(failed) - len(said)
    may_be_lost = fault and fault.point == "writev.pipe" and \
        not fault.is_hidden
    check(lost == 0 or (lost == 1 and may_be_lost), f"messages: {run.err}")


def check_isolation(run, base, fault):
    """One fault, one request at most; and that says what happened."""
    hit = [i for i, (now, before) in enumerate(zip(run.words, base.words))
           if now != before]
    check(len(hit) <= 1, f"{run.words}, and not {base.words}; {run.err}")
    for i in hit:
        # Look-ups are the work of others, who know one failure only; and so
        # is TLS, which is broken when it has no memory.
        named = "localhost" in run.play.urls[i]
        may_be = fault.words.split() + (["dns"] if named else []) + \
            (["tls"] if run.play.urls[i].startswith("https") else [])
        if named and SEVERAL and "unreachable" in fault.words:
            may_be = ["refused"]  # by the other: that is more telling
        check(run.words[i] in may_be,
              f"request {i}: {run.words[i]}; {run.err}")


# What it cannot go on without: standard output, the report; memory for one
# more job when nothing is in flight that could give some back, or a worker
# when there is none; a loop that waits (libevent does not try again).
REASONS = (r"standard output: .*|\S*/report: .*|Cannot allocate memory|"
           r"no worker can be made: .*|the event loop: .*")


def check_end(run):
    """Exit status 3: the program itself could not go on. It says why; and it
    had not begun, or there is good reason."""
    check(re.search(r"(?m)^fetch-\w+: ", run.err), f"no message: {run.err}")
    begun = any(word != "cancelled" for word in run.words)
    check(not begun or re.search(rf"(?m)^fetch-\w+: ({REASONS})$", run.err),
          f"it gave up: {run.err}, {run.words}")


def same(run, base):
    """Nothing is to be seen."""
    equal(run.words, base.words, f"results ({run.err})")
    equal([(row["status"], row["attempts"]) for row in run.rows],
          [(row["status"], row["attempts"]) for row in base.rows], "report")
    equal(run.status, base.status, "exit status")


def disturb(model, play, fault, base, environment):
    """Makes one run and looks at it. True if the fault has struck."""
    run = Run(model, play, fault, environment)
    check_order(run, base, fault)
    if not run.struck or fault.is_hidden:
        same(run, base)
    elif run.status == 3:
        check_end(run)
    elif fault.stays:  # of memory, descriptors ..., and no worker's fault
        check("worker-crashed" not in run.words, f"{run.words}; {run.err}")
    else:
        check_isolation(run, base, fault)
    return run.struck


# --- All of them -----------------------------------------------------------

def numbers(count, full):
    """Which calls: all, or some from all over the run, the first and the last
    among them."""
    if full or count <= SAMPLES:
        return range(1, count + 1)
    return sorted({1 + i * (count - 1) // (SAMPLES - 1)
                   for i in range(SAMPLES)})


def pairs_of_faults():
    """Of six that begin at once two meet a shortage, whichever they are. If
    one meets it twice, and is alone then, it fails."""
    for pair in itertools.combinations(range(1, 7), 2):
        for point, how in ("socket", "EMFILE"), ("connect", "EAGAIN"):
            yield Fault(point, "{},{}".format(*pair), how, SHORT_OF)


def no_more_memory(base, full):
    """From each of the last allocations on: one body waits for its turn then,
    and the request that has it may have to begin anew."""
    last = base.calls["alloc"][0]
    for number in range(1 if full else max(1, last - 15), last + 1):
        yield Fault("alloc", number, "ENOMEM+", SHORT_OF)


def faults(base, full):
    """All that can strike the run."""
    if base.play.name.startswith("pairs"):
        yield from pairs_of_faults()
        return
    if base.play.name == "overtaken":
        yield from no_more_memory(base, full)
        return
    database = base.play.name == "database"
    if database and not full and base.model not in DATABASE_MODELS:
        return
    for point, hows, words in FAULTS:
        if database and not full and (words == "" or
                                      point not in DATABASE_POINTS):
            continue
        for how in hows.split():
            if database and (point, how) == ("send", "ENOBUFS"):
                # libpq keeps it to itself, and awaits an answer.
                if not full:
                    continue
                words = f"{words} connect-timeout timeout"
            if database and (point, how) == ("recv", "short"):
                # What libpq is about to read is looked at before: the kernel,
                # other than the shim, gives all that there is.
                continue
            way = 2 if how == "short" else 1 if how == "EAGAIN" and \
                point.startswith(("read", "write", "recv", "send")) else 0
            for number in numbers(base.calls[point][way], full):
                yield Fault(point, number, how, words)
                if f"{point} {how}" in STAYS:
                    yield Fault(point, number, how + "+", words)


def environment_of_runs():
    options = os.environ.get("ASAN_OPTIONS", "")
    return dict(os.environ, LD_PRELOAD=SHIM, PGPASSFILE="/none",
                PGSERVICEFILE="/dev/null",
                ASAN_OPTIONS=f"{options}:verify_asan_link_order=0")


def undisturbed(model, play, environment):
    base = Run(model, play, None, environment)
    equal([word == "ok" for word in base.words],
          [body is not None for body in play.bodies], f"{base.err}")
    check_order(base, base, None)
    return base


def is_wanted(texts, *names):
    """Each argument is part of one of the names."""
    return all(any(text in name for name in names) for text in texts)


def main():
    arguments = sys.argv[1:]
    full = "full" in arguments or any(":" in a for a in arguments)
    texts = [a for a in arguments
             if a != "full" and not a.startswith("seed=")]
    seed = next((int(a[5:]) for a in arguments if a.startswith("seed=")),
                random.randrange(1 << 16))
    lot = random.Random(seed)
    if not full and not texts:
        print(f"half of the faults: seed={seed}", flush=True)
    environment = environment_of_runs()
    refusing, refused = free_port()
    struck = past = 0
    findings = []
    authority = Authority()
    atexit.register(authority.remove)
    with refusing, Origin("--workers", "2") as origin, Workplace() as place, \
            TlsServer(speak, authority.issue("right")) as secure, \
            concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool, \
            contextlib.ExitStack() as stack:
        # Should a play go wrong undisturbed, nothing else is worth a wait.
        stack.callback(pool.shutdown, cancel_futures=True)
        runs = {}
        all_plays = [play for play in plays(origin, secure, place, refused)
                     if full or texts or not SANITIZED
                     or play.name in SANITIZED_PLAYS]
        if full or texts or not SANITIZED:
            with contextlib.suppress(Skip):
                server = stack.enter_context(Postgres())
                all_plays.append(database_play(server))
        for model in MODELS:
            for play in all_plays:
                base = undisturbed(model, play, environment)
                for fault in faults(base, full):
                    drawn = full or texts or lot.random() < 0.5
                    if drawn and is_wanted(texts, model, play.name,
                                           f"{fault}"):
                        run = pool.submit(disturb, model, play, fault, base,
                                          environment)
                        runs[run] = f"{model} {play.name} {fault}"
        for run in concurrent.futures.as_completed(runs):
            try:
                if run.result():
                    struck += 1
                else:
                    past += 1
            except Failure as finding:
                findings.append(f"{runs[run]}\n  {str(finding)[:3000]}")
            except Exception:
                findings.append(f"{runs[run]}\n{traceback.format_exc()}")
    for finding in sorted(findings):
        print(f"FAILED  {finding}")
    print(f"{len(runs)} runs: in {struck} all was in order, in {past} the "
          f"fault came too late, {len(findings)} findings")
    sys.exit(1 if findings or not runs else 0)


if __name__ == "__main__":
    main()

"""The soak: mixed work and faults, for minutes, and nothing may grow.

Each model runs three times, for a third of the time each: bodies discarded,
bodies on standard output into a reader that stalls at times, bodies in files.
The program reads an endless list from standard input (kinds.py says what is
in it); of `processes`, workers are killed at random in the latter two. Every
line of the report must say what its kind of URL can come to, and every body
must be right.

The list pauses now and then until nothing is in flight: a quiet point. What
the program has then - descriptors, threads, children, memory - must be what
it had at the first quiet point, which ends the warming up.

    soak.py [--seconds N] [--jobs N] [--models M,...] [--seed N] ...
"""

import argparse
import fcntl
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter, deque

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../contract"))
sys.dont_write_bytecode = True

import kinds
from harness import (COLUMNS, MODELS, PATIENCE, Failure, Workplace, check,
                     check_clean, check_times, children, count_fds,
                     count_threads, equal, kill_session, look_inside,
                     program, session, wait_for)

MODES = ("discard", "ordered", "files")
RETRIES = 1
PIECE = 1 << 18
# The report is written through a buffer of 4096 bytes, and a line has more
# than 40: after so many lines more, a line has come out.
PADDING_LINES = 110
# malloc gives back what it can. Otherwise what it keeps for later, in each of
# hundreds of workers, grows for many minutes and hides a small leak.
TUNABLES = ":".join("glibc.malloc." + name for name in (
    "tcache_count=0", "mxfast=0", "top_pad=0", "trim_threshold=4096",
    "mmap_threshold=32768"))
# A name of --directory is never forgotten, so that it is given out once.
BYTES_A_NAME = 96


class Program:
    """A program under way, and what has come of it so far. Nothing is kept
    of a request once its line of the report is here."""

    def __init__(self, model, mode, place, options, rng):
        self.model = model
        self.mode = mode
        self.place = place
        self.options = options
        self.rng = rng
        self.workplace = Workplace()
        self.directory = self.workplace.join("bodies")
        self.waiting = deque()    # requests whose lines are not here
        self.unsent = bytearray()  # of the list
        self.report = bytearray()  # not a whole line yet
        self.output = bytearray()  # of bodies whose lines are not here
        self.errors = bytearray()
        self.fed = self.seen = self.messages = self.failed = 0
        self.late = self.killed = 0
        self.interrupted = False
        # Where nobody is killed, memory can be compared; see compare.
        self.kills = model == "processes" and mode != "discard"
        self.kinds = Counter()
        self.warnings = []
        self.heard = time.monotonic()
        self.next_kill = self.next_stall = self.stalled_until = 0
        self._start()

    def _start(self):
        fifo = self.workplace.join("report")
        os.mkfifo(fifo)
        self.report_fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        where = {"discard": ["-n"], "ordered": [],
                 "files": ["-d", self.directory]}[self.mode]
        o = self.options
        self.process = subprocess.Popen(
            [program(self.model), "-q", "-i", "-", "-j", str(o.jobs),
             "-t", str(o.timeout), "--connect-timeout",
             str(min(o.timeout, 1) if o.waits else o.timeout),
             "--retries", str(RETRIES), "--max-body", str(kinds.MAX_BODY),
             "--report", fifo, *where],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0, start_new_session=True,
            env={**os.environ, "GLIBC_TUNABLES": TUNABLES})
        self.pid = self.process.pid
        self.in_fd, self.out_fd, self.err_fd = (
            pipe.fileno() for pipe in (
                self.process.stdin, self.process.stdout,
                self.process.stderr))
        for fd in (self.in_fd, self.out_fd, self.err_fd, self.report_fd):
            fcntl.fcntl(fd, fcntl.F_SETFL,
                        fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
        self.open = {self.out_fd, self.err_fd, self.report_fd}

    # --- What goes in ------------------------------------------------------

    def feed(self, request):
        line = request.url
        if self.mode == "files":
            request.name = f"b{self.fed}"
            line += "\t" + request.name
        self.fed += 1
        self.waiting.append(request)
        self.unsent += line.encode() + b"\n"

    def feed_mixed(self):
        """As many as keep all places busy; no more than can be looked
        after."""
        window = 8 * self.options.jobs
        while len(self.waiting) < window and len(self.unsent) < 20000:
            self.feed(kinds.make(self.place, self.rng, self.options.kinds))
            if self.rng.random() < 0.01:
                self.unsent += b"# a comment, and a blank line\n\n"

    # --- What comes out ----------------------------------------------------

    def turn(self):
        """Moves what can be moved, and waits for that for a moment."""
        now = time.monotonic()
        poll = select.poll()
        for fd in self.open:
            if fd != self.out_fd or now >= self.stalled_until:
                poll.register(fd, select.POLLIN)
        if self.unsent:
            poll.register(self.in_fd, select.POLLOUT)
        for fd, _ in poll.poll(50):
            if fd == self.in_fd:
                self._send()
            else:
                self._receive(fd)
        self.place.hold_the_silent(self.options.timeout + 3)
        if time.monotonic() - self.heard > PATIENCE and self.waiting:
            first = self.waiting[0]
            raise Failure(f"it hangs at {first.kind} {first.url!r}\n" +
                          look_inside(self.pid))

    def _send(self):
        try:
            n = os.write(self.in_fd, self.unsent[:65536])
        except BlockingIOError:
            return
        except BrokenPipeError:
            raise Failure(f"it does not read on: {bytes(self.errors)!r}") \
                from None
        del self.unsent[:n]

    def _receive(self, fd):
        try:
            data = os.read(fd, PIECE)
        except BlockingIOError:
            return
        if not data:
            self.open.discard(fd)
        elif fd == self.out_fd:
            self.output += data
        elif fd == self.err_fd:
            self._read_errors(data)
        else:
            self.heard = time.monotonic()
            self._read_report(data)

    def _read_errors(self, data):
        self.errors += data
        *lines, rest = self.errors.split(b"\n")
        self.errors = bytearray(rest)
        for line in lines:
            if re.match(rb"fetch-\w+: [^ ]*: [a-z-]+: .", line):
                self.messages += 1
            else:
                self.warnings.append(line.decode("ascii", "replace"))
                print(f"  {self.warnings[-1]}", flush=True)
                check(b": warning: " in line, f"standard error: {line!r}")

    def _read_report(self, data):
        self.report += data
        *lines, rest = self.report.split(b"\n")
        self.report = bytearray(rest)
        for line in lines:
            fields = line.decode("ascii").split("\t")
            if fields[0] == "id":
                equal(fields, COLUMNS, "the header line")
                continue
            equal(len(fields), len(COLUMNS), f"fields of {line!r}")
            request = self.waiting.popleft()
            try:
                self._judge(request, dict(zip(COLUMNS, fields)))
            except Failure as finding:
                raise Failure(f"{request.kind}: {finding}\n{line!r}") \
                    from None

    def _judge(self, request, row):
        equal(row["id"], str(self.seen), "id")
        self.seen += 1
        self.kinds[request.kind] += 1
        equal(row["url"], escaped(request.url), "url")
        check_times(row)
        word = row["result"]
        self.failed += word != "ok"
        if word not in request.words:
            self._judge_trouble(request, word)
        elif word in ("ok", "http-error"):
            equal(row["status"], request.status, "status")
        most = RETRIES + 1 + (self.model == "processes")
        attempts = int(row["attempts"])
        check(attempts <= most, "attempts")
        check(attempts > 0 or word in ("bad-url", "unsupported", "cancelled"),
              "no attempt")
        n = int(row["bytes"]) if attempts > 0 else 0
        if word == "ok":
            equal(n, len(request.body), "bytes")
        check(n <= len(request.body), f"{n} of {len(request.body)} bytes")
        if self.mode == "ordered":
            self._take_output(request, n)
        elif self.mode == "files":
            self._take_file(request, word)

    def _judge_trouble(self, request, word):
        """What the kind cannot have, but the world can."""
        if word == "worker-crashed" and self.killed > 0:
            return
        if self.interrupted:  # at a terminal the servers are, too
            return
        check(word in ("timeout", "connect-timeout") and
              request.words != {"bad-url"}, f"result: {word}")
        self.late += 1

    def _take_output(self, request, n):
        """The body stands next on standard output, which may be behind."""
        while len(self.output) < n:
            poll = select.poll()
            poll.register(self.out_fd, select.POLLIN)
            check(self.out_fd in self.open and poll.poll(PATIENCE * 1000),
                  f"standard output lacks {n - len(self.output)} of {n} "
                  "bytes")
            self._receive(self.out_fd)
        with memoryview(self.output) as output:
            right = output[:n] == request.body[:n]
        del self.output[:n]
        check(right, f"{n} bytes on standard output are not the body's")

    def _take_file(self, request, word):
        path = os.path.join(self.directory, request.name)
        if word != "ok":
            check(not os.path.lexists(path), "there is a file")
            return
        with open(path, "rb") as file:
            check(file.read() == request.body, "the file is not the body")
        os.unlink(path)

    # --- Faults ------------------------------------------------------------

    def do_harm(self):
        """Stalls the reader of standard output; kills a worker."""
        now = time.monotonic()
        if self.mode == "ordered" and now >= self.next_stall:
            self.stalled_until = now + self.rng.uniform(0, 1)
            self.next_stall = self.stalled_until + self.rng.expovariate(0.3)
        if self.kills and now >= self.next_kill:
            self.next_kill = now + self.rng.expovariate(4)
            self._kill(self.rng.choice(children(self.pid) or [0]))

    def _kill(self, pid):
        try:
            handle = os.pidfd_open(pid) if pid > 0 else -1
        except ProcessLookupError:
            return
        try:  # the number may be another's by now; the handle stays one's
            if handle >= 0 and is_child(pid, self.pid):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                self.killed += 1
        except ProcessLookupError:
            pass
        finally:
            if handle >= 0:
                os.close(handle)

    # --- Quiet points ------------------------------------------------------

    def settle(self):
        """Waits until all that was fed is done."""
        goal = self.fed
        for _ in range(PADDING_LINES):
            self.feed(kinds.padding())
        while self.seen < goal:
            self.turn()

    def rinse(self, size):
        """All workers at once fetch so many bytes of each origin."""
        jobs = self.options.jobs
        for http in self.place.http:
            for _ in range(jobs):
                self.feed(kinds.rinse(self.place, http, jobs, size))
            self.settle()

    def quiet(self):
        """Nothing in flight, no connection kept: what is there?"""
        self.stalled_until = 0
        self.settle()
        self.place.restart_an_origin()
        self.rinse(1)
        equal(bytes(self.output), b"", "surplus output")
        return Look(self)

    # --- The end -----------------------------------------------------------

    def finish(self):
        """The list ends, and so must the program."""
        while self.unsent:
            self.turn()
        self.process.stdin.close()
        self._drain()
        equal(len(self.waiting), 0, "requests without a line in the report")
        equal(self.process.returncode, 1, "exit status")
        equal(bytes(self.output), b"", "surplus output")
        equal(self.messages, self.failed, "messages, for so many failures")
        if self.mode == "files":
            equal(os.listdir(self.directory), [], "files left over")
        wait_for(lambda: not session(self.pid), "the last process to end")

    def interrupt(self):
        """In the middle of things it must end in order as well."""
        self.unsent.clear()
        self.interrupted = True
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self._drain()
        print(f"  interrupted: fetch-{self.model} ended after "
              f"{time.monotonic() - begun:.1f} s with status "
              f"{self.process.returncode}")

    def _drain(self):
        self.stalled_until = 0
        while self.open:
            self.turn()
        self.process.wait(PATIENCE)
        check_clean(self.process.returncode, "")

    def close(self):
        kill_session(self.pid)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout,
                     self.process.stderr):
            pipe.close()
        os.close(self.report_fd)
        self.workplace.__exit__()


def is_child(pid, parent):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1]) == parent
    except FileNotFoundError:
        return False


def escaped(url):
    return "".join(c if "!" <= c <= "~" else f"\\x{ord(c):02X}" for c in url)


# --- What a program has ----------------------------------------------------

class Look:
    """What all processes of a program have, by /proc; memory in KiB."""

    def __init__(self, running):
        family = [running.pid, *children(running.pid)]
        self.requests = running.seen
        self.descriptors = sum(map(count_fds, family))
        self.threads = sum(map(count_threads, family))
        self.children = len(family) - 1
        self.rss = memory(running.pid, "Rss")
        self.pss = sum(memory(pid, "Pss") for pid in family)

    counts = property(lambda self: (self.descriptors, self.threads,
                                    self.children))


def memory(pid, what):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(rf"\n{what}: *(\d+) kB", file.read()).group(1))


def allowance(look, first, mode):
    """KiB by which memory may exceed the first look's for a reason."""
    if mode != "files":
        return 0
    return (look.requests - first.requests) * BYTES_A_NAME / 1024


def trend(looks, mode):
    """KiB by which memory rises from the first look to the last, by the
    straight line that fits best."""
    first = looks[0]
    points = [(look.requests, look.pss - allowance(look, first, mode))
              for look in looks]
    x0 = sum(x for x, _ in points) / len(points)
    y0 = sum(y for _, y in points) / len(points)
    spread = sum((x - x0) ** 2 for x, _ in points)
    slope = sum((x - x0) * (y - y0) for x, y in points) / spread
    return slope * (points[-1][0] - points[0][0])


# Threads for what would hold the loop up: evloop/coroutines/aside.h. Each is
# made when those before it are all busy, be that late.
ASIDE_THREADS = 4


def counts_of(look, first, model):
    """What must not change, but for threads that may be made at any time."""
    descriptors, threads, children = look.counts
    if model == "coroutines" and threads <= 1 + ASIDE_THREADS:
        threads = first.counts[1]
    return (descriptors, threads, children)


def compare(looks, model, mode, slack, kills):
    """The later looks against the first. Memory: 10 % and `slack` KiB more,
    for what lives long may lie behind what was freed, and keep that from
    going back; and half of it for the trend, which tells growth from weather.

    A worker that is forked in the midst of work shares with its parent the
    memory of all that is in hand just then, and has it alone as the parent
    goes on to change it. So a family whose members are killed grows, up to
    the parent's own size for each; there the parent alone is looked at."""
    first = looks[0]
    for look in looks[1:]:
        equal(counts_of(look, first, model), first.counts,
              "descriptors, threads, children")
        for what in ("rss",) if kills else ("rss", "pss"):
            before = getattr(first, what)
            most = before * 1.1 + slack + allowance(look, first, mode)
            check(getattr(look, what) <= most,
                  f"{what.upper()}: {before} KiB at first, then "
                  f"{getattr(look, what)}")
    if len(looks) >= 6 and not kills:
        rise = trend(looks, mode)
        check(rise <= first.pss * 0.05 + slack / 2,
              f"memory rises: by {rise:.0f} KiB from {first.pss}")


def print_looks(running, looks):
    title = f"{running.model}, {running.mode}"
    print(f"\n{title:20}{'requests':>10}{'descriptors':>12}{'threads':>9}"
          f"{'children':>9}{'RSS KiB':>10}{'PSS KiB':>10}")
    for number, look in enumerate(looks):
        print(f"{'quiet point':>15} {number + 1:3} {look.requests:10}"
              f"{look.descriptors:12}{look.threads:9}{look.children:9}"
              f"{look.rss:10}{look.pss:10}")
    print(f"{running.late} later than the limits allow, {running.killed} "
          f"workers killed\n", flush=True)


# --- Running ---------------------------------------------------------------

def work(running, seconds, progress):
    """Mixed work for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        running.feed_mixed()
        running.do_harm()
        running.turn()
        progress(running)


def look_again(running, first):
    """A quiet point. Kept connections may survive a rinse in which something
    was late; what is leaked survives them all."""
    for _ in range(4):
        look = running.quiet()
        if first is None or \
                counts_of(look, first, running.model) == first.counts:
            break
    return look


def soak(model, mode, place, options, rng):
    """One run of a program."""
    begun = last = time.monotonic()
    looks = []

    def progress(running):
        nonlocal last
        now = time.monotonic()
        if now - last >= 10:
            print(f"  {model}, {mode}: {now - begun:4.0f} s, {running.seen} "
                  f"requests, {len(looks)} quiet points", flush=True)
            last = now

    running = Program(model, mode, place, options, rng)
    seconds = options.seconds / len(MODES)
    part = min(10.0, seconds / 6)
    try:
        # Or buffers that are there, but not yet used, would seem to grow.
        running.rinse(kinds.BUFFERS)
        while len(looks) < 2 or time.monotonic() - begun < seconds:
            work(running, part, progress)
            looks.append(look_again(running, looks[0] if looks else None))
        print_looks(running, looks)
        running.finish()
        compare(looks, model, mode, options.slack, running.kills)
        if options.waits:
            check(running.late <= running.seen / 100,
                  f"{running.late} of {running.seen} requests were late")
        missing = {maker.__name__ for weight, maker in options.kinds
                   if weight >= 2} - set(running.kinds)
        check(running.seen < 20000 or not missing, f"never: {missing}")
    except KeyboardInterrupt:
        print_looks(running, looks)
        running.interrupt()
        raise
    finally:
        running.close()
    return running.seen


def read_options():
    parser = argparse.ArgumentParser(
        description="Mixed work and faults; nothing may grow.")
    parser.add_argument("--seconds", type=float, default=os.environ.get(
        "SOAK_SECONDS", "600"), help="for each model (600)")
    parser.add_argument("--jobs", type=int, default=500,
                        help="requests in flight (500)")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--seed", type=int,
                        default=random.randrange(1 << 32))
    parser.add_argument("--timeout", type=float, default=2,
                        help="seconds for an attempt (2); above 10, nothing "
                        "is asked for that takes all of it")
    parser.add_argument("--slack", type=int, default=4096,
                        help="KiB that memory may grow besides a tenth")
    options = parser.parse_args()
    options.waits = options.timeout <= 10
    options.kinds = kinds.KINDS + kinds.WAITING_KINDS * options.waits
    return options


def stop(*_):
    raise KeyboardInterrupt


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, stop)
    print(f"Soaking: {options.seconds:g} s for each model, -j "
          f"{options.jobs}, seed {options.seed}", flush=True)
    try:
        for model in options.models.split(","):
            for mode in options.modes.split(","):
                with Workplace() as workplace:
                    place = kinds.Place(workplace.path)
                    try:
                        rng = random.Random(f"{options.seed}{model}{mode}")
                        soak(model, mode, place, options, rng)
                    except Failure as finding:
                        print(f"FAILED  {model}, {mode}, seed "
                              f"{options.seed}: {finding}")
                        return 1
                    finally:
                        place.close()
    except KeyboardInterrupt:
        print("Stopped.")
        return 130
    print("Nothing has grown, and nothing was wrong.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

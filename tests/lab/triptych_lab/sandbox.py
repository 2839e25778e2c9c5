"""One program of a student's, or a compiler at work on a student's source, run
within limits and shut in as isolation.py can: it sees the folders that it is
given, and no process, file or network of anybody else.

    limit over -> the stacks of all threads (gdb) -> SIGKILL to the test, not
    to its judge, who says what it was doing -> SIGKILL to all that is left"""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import stacks
from .plain import PRINTED, plain
from .labs import ROOT
from .isolation import (as_user, command, free_user, isolation, processes_of,
                        read_proc)

PROCESSES = 150   # threads count as well
CROWD = 100       # more processes than any test has
FILE_SIZE = 64 << 20
MEMORY = 600 << 20
ROOM = 64 << 20   # of all files of a test
OUTPUT = 200_000  # characters kept of what it prints
BUSY = 9          # times the limit: no machine is as busy as that for long
WRITABLE = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")  # for everybody


@dataclass
class Outcome:
    verdict: str = "failed"  # passed, failed or broken
    observed: str = ""
    means: str = ""
    look: str = ""
    output: str = ""
    stacks: str = ""
    seconds: float = 0.0
    late: bool = False  # it was ended by the limit on time


def descendants(pid):
    """The processes below one, it first."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = read_proc(f"{entry}/stat")
            except OSError:
                continue
            parent = int(stat.rpartition(")")[2].split(None, 2)[1])
            children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        one = todo.pop(0)
        found.append(one)
        todo += children.get(one, [])
    return found


def memory(pids):
    """Bytes of memory of their own, and of files without a name, about."""
    total = 0
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            for line in status.splitlines():
                if line.startswith(("RssAnon:", "RssShmem:")):
                    total += int(line.split()[1]) << 10
            total += unnamed(pid)
        except OSError:
            continue
    return total


def unnamed(pid):
    """Bytes of the files that a process has open and that no folder has:
    memfd_create makes such, in memory."""
    sizes = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            there = os.stat(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if there.st_nlink == 0:
            sizes[there.st_dev, there.st_ino] = there.st_blocks * 512
    return sum(sizes.values())


def files_of(user, but=()):
    """What a user has in the folders that are everybody's, but for the folders
    that were given to it, and what others have mounted there."""
    found = []
    for top in WRITABLE:
        for folder, folders, files in os.walk(top):
            folders[:] = [f for f in folders if f"{folder}/{f}" not in but
                          and os.access(f"{folder}/{f}", os.R_OK)
                          and not os.path.ismount(f"{folder}/{f}")]
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                try:
                    if os.lstat(path).st_uid == user:
                        found.append(path)
                except OSError:
                    continue
    return found


def shared_by(user):
    """What a user has of System V's memory, semaphores and queues, which stay
    when its processes end: as arguments of ipcrm."""
    found = []
    for kind, option in (("shm", "-m"), ("sem", "-s"), ("msg", "-q")):
        try:
            head, *lines = Path(f"/proc/sysvipc/{kind}").read_text() \
                .splitlines()
        except (OSError, ValueError):
            continue
        at = head.split().index("uid")
        found += [argument for line in lines
                  if line.split()[at] == str(user)
                  for argument in (option, line.split()[1])]
    return found


def alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


# Ends all processes of a user as soon as the grader ends, or closes the pipe
# to it. It is no process of that user until then, who could end it.
KEEPER = """
import os, signal, sys
user = int(sys.argv[1])
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.stdin.read()
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
os.kill(-1, signal.SIGKILL)
"""


class Keeper:
    """Where there are no namespaces, it knows a test's processes by their
    user, and nothing of them stays."""

    def __init__(self, user, given):
        self.user = user
        self.given = given  # folders to write in, which are the grader's
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", KEEPER, str(user)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)

    def end_all(self):
        self.process.stdin.close()
        self.process.wait()
        while processes_of(self.user):  # dying, it may take a moment
            time.sleep(0.01)
        if left := shared_by(self.user):
            subprocess.run(["ipcrm", *left], check=False,
                           stderr=subprocess.DEVNULL)
        for path in files_of(self.user, self.given):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def kept_waiting(pids):
    """For how long the threads of these processes have had a processor, and
    for how long they have stood in line for one, all together, in seconds."""
    used = waited = 0
    for pid in pids:
        for told in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                had, stood = told.read_text().split()[:2]
                used, waited = used + int(had), waited + int(stood)
            except (OSError, ValueError):
                continue  # it has ended, or the kernel does not count
    return used / 1e9, waited / 1e9


def crowded():
    """How many there are for each processor, 1 at least. A build is of many
    short processes: who is gone says no more how long it has waited."""
    return min(max(1, os.getloadavg()[0] / (os.cpu_count() or 1)), BUSY)


class Run:
    """A program that runs: its output, its verdict, its limits."""

    def __init__(self, argv, environment, cwd, user, **how):
        self.program = argv[0]
        self.user = user
        self.too_much = ""  # what it had more of than it may
        self.heard = {"output": bytearray(), "result": bytearray()}
        self.given = [str(p) for p in how.get("write", ())]
        self.keeper = None if isolation().private else \
            Keeper(user, self.given)
        result_read, result_write = os.pipe()
        environment = dict(environment, LAB_RESULT=str(result_write))
        self.process = subprocess.Popen(
            command(isolation(), argv, cwd, user, **how), cwd="/",
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, pass_fds=[result_write],
            start_new_session=True)
        os.close(result_write)
        self.selector = selectors.DefaultSelector()
        self.result_fd = result_read
        self.selector.register(self.process.stdout.fileno(),
                               selectors.EVENT_READ, "output")
        self.selector.register(result_read, selectors.EVENT_READ, "result")

    def processes(self):
        """Its own, without those of ours that started it."""
        if self.keeper is None:
            return descendants(self.process.pid)[1:]
        return processes_of(self.user)

    def listen(self, seconds):
        """Reads what there is, for at most `seconds`."""
        for key, _ in self.selector.select(seconds):
            data = os.read(key.fd, 65536)
            if not data:
                self.selector.unregister(key.fd)
            elif len(self.heard[key.data]) < OUTPUT:
                self.heard[key.data] += data

    def until_ended(self, end, most=MEMORY):
        """True if it has ended by then; else why it is to be ended."""
        while time.monotonic() < end:
            self.listen(0.1)
            if self.process.poll() is not None:
                return True
            pids = self.processes()
            if len(pids) > CROWD:
                self.too_much = f"it had {len(pids)} processes"
            elif memory(pids) > most:
                self.too_much = f"it used more than {most >> 20} MiB of " \
                    "memory"
            elif self.keeper is not None and self.on_disk() > ROOM:
                self.too_much = f"it filled more than {ROOM >> 20} MiB of " \
                    "the disk"
            if self.too_much:
                return False
        return False

    def in_time(self, limit):
        """True if it has ended within the limit. What it has stood in line
        for a processor does not count: who is graded on a busy machine is not
        late for that. Somebody who sleeps for ever stands in no line, and who
        has had a processor for so long has had the time."""
        end, most, given = time.monotonic() + limit, limit * BUSY, 0
        while not self.until_ended(end):
            used, waited = kept_waiting(self.processes())
            late = min(waited - given, most - given, limit)
            if self.too_much or used >= limit or late < limit / 10:
                return False
            end, given = time.monotonic() + late, given + late
        return True

    def on_disk(self):
        sizes = [0]
        if left := shared_by(self.user):
            subprocess.run(["ipcrm", *left], check=False,
                           stderr=subprocess.DEVNULL)
        for path in files_of(self.user, self.given):
            try:
                sizes.append(os.lstat(path).st_blocks * 512)
            except OSError:
                continue
        return sum(sizes)

    def end_test(self):
        """The judge is the first below us that is the program; it sees how
        its child ends."""
        for pid in descendants(self.process.pid):
            try:
                if os.path.samefile(f"/proc/{pid}/exe", self.program):
                    break
            except OSError:
                continue
        else:
            return
        children = descendants(pid)[1:]
        if len(children) > CROWD:
            return  # they would be quicker: close ends them all with the first
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.until_ended(time.monotonic() + 5)

    def close(self):
        """Returns when no process of it is left."""
        if self.keeper is not None:
            self.keeper.end_all()
        else:
            self.end_namespace()
        self.process.kill()
        self.process.wait()
        while self.selector.get_map():
            before = len(self.selector.get_map())
            self.listen(0.05)
            if len(self.selector.get_map()) == before:
                break
        self.selector.close()
        self.process.stdout.close()
        os.close(self.result_fd)

    def end_namespace(self):
        """With its first process all others end; only then `unshare`, which
        waits for it."""
        for pid in descendants(self.process.pid)[1:2]:
            try:
                os.kill(pid, signal.SIGKILL)
                self.process.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass

    def text(self, of):
        # unshare of util-linux 2.38 says so when its child was killed.
        return self.heard[of].decode(errors="replace").replace(
            "unshare: sigprocmask unblock failed: Invalid argument\n", "")


def installed(*kinds):
    """What of the project a user of the machine finds there, by its path from
    where programs lie."""
    folders = {*os.environ.get("PATH", os.defpath).split(":"),
               "/usr/local/bin", "/usr/bin"}
    # /bin is a link: beside it stands nothing of what stands beside /usr/bin.
    folders = {os.path.realpath(folder) for folder in folders if folder}
    return sorted(os.path.normpath(path) for folder in folders
                  for kind in kinds for path in Path(folder).glob(kind))


# They are the reference: a fetcher under test could become one of them.
PROGRAMS = ("fetch-*", "triptych-*")


def sources(shown):
    """The folders of the project's source, the tests and the solutions: this
    one's and those of one that is installed, in a folder that compilers see.
    What is shown may lie in one of them."""
    roots = [ROOT, *map(Path, installed("../share/triptych-lab"))]
    return [str(p) for root in roots for p in root.resolve().iterdir()
            if p.is_dir() and not any(Path(one).resolve().is_relative_to(p)
                                      for one in shown)]


def run(argv, environment, limit, show=(), hide=()):
    """Runs a test program; an Outcome. It sees the folders of `show`, without
    those in them that `hide` names."""
    began = time.monotonic()
    outcome = Outcome()
    if isolation().name == "none":
        outcome.verdict, outcome.observed = "broken", isolation().warning
        return outcome
    limits = {"CORE": 0, "FSIZE": FILE_SIZE, "NOFILE": 4096,
              "CPU": int(limit) * 4 + 10}
    starter = shutil.which(argv[0])  # setarch, which is the machine's
    if starter:
        show = [*show, starter, os.path.realpath(starter)]
    with tempfile.TemporaryDirectory(prefix="lab-cwd-") as cwd:
        os.chmod(cwd, 0o777)
        environment = dict(environment, HOME=cwd, TMPDIR=cwd, TEMP=cwd)
        one = Run(argv, environment, cwd, free_user(), show=show,
                  hide=[*closed(hide), *sources(show)], mask=installed(*PROGRAMS),
                  limits=limits, processes=PROCESSES, room=str(ROOM),
                  programs=False)
        try:
            if not one.in_time(limit):
                outcome.late = True
                if not one.too_much:
                    outcome.stacks = stacks.of(
                        [p for p in one.processes() if alive(p)],
                        as_user(one.user) if isolation().another_user else [])
                one.end_test()
        finally:
            one.close()
    outcome.seconds = time.monotonic() - began
    outcome.output = one.text("output")
    read_verdict(outcome, one, limit)
    outcome.output = plain(outcome.output, PRINTED, last=True)
    for name in ("observed", "means", "look", "stacks"):
        setattr(outcome, name, plain(getattr(outcome, name)))
    return outcome


def read_verdict(outcome, one, limit):
    fields = one.text("result").split("\0")
    if len(fields) == 5 and fields[0] in ("passed", "failed", "broken"):
        outcome.verdict, outcome.observed, outcome.means, outcome.look = \
            fields[:4]
    else:
        outcome.observed = "the test program ended without a verdict " \
            f"(status {one.process.returncode})"
    if outcome.late:
        why = one.too_much or f"it was not done after {limit:g} s"
        doing = outcome.observed.partition(", while ")[2]
        outcome.verdict = "failed"
        outcome.observed = why + (f", while {doing}" if doing else "")
    if outcome.verdict == "failed":
        add_general(outcome)


def closed(hide):
    """Where there are no namespaces, other users are kept out of a folder by
    its mode. (They are the grader's own folders.)"""
    if not isolation().private:
        for folder in hide:
            os.chmod(folder, 0o700)
    return hide


def compile_in(cwd, argv, environment, seconds, write=(), show=(), hide=()):
    """Runs a compiler, or what calls one, in the folder `cwd`, which it sees:
    (its exit status, what it printed). It may write in the folders of `write`
    and in TMPDIR. A source can ask a compiler for any file."""
    if isolation().name == "none":
        raise Refused(isolation().warning)
    user = free_user()
    limits = {"CORE": 0, "FSIZE": 256 << 20, "CPU": 120, "AS": 2 << 30}
    if isolation().another_user:
        give(write, user)
        give(hide, os.geteuid())
    try:
        with tempfile.TemporaryDirectory(prefix="lab-tmp-") as own:
            os.chmod(own, 0o777)
            one = Run([*argv], dict(environment, TMPDIR=own, HOME=own), own,
                      user, start=cwd, show=[*show, cwd], write=write,
                      hide=[*closed(hide), *sources([*show, cwd])],
                      limits=limits, room="512m",
                      processes=PROCESSES)
            try:
                seconds *= crowded()
                done = one.until_ended(time.monotonic() + seconds, 4 << 30)
            finally:
                one.close()
    finally:
        if isolation().another_user:
            give(write, os.geteuid())
    said = one.text("output")
    if not done:
        said += one.too_much or \
            f"\nThe compiler was not done after {seconds:.0f} s.\n"
    return one.process.returncode if done else -1, said


class Refused(Exception):
    """What would run a student's code, without anything to shut it in."""


def give(paths, user):
    """Folders, and all in them, to a user."""
    for top in paths:
        os.lchown(top, user, user)
        for folder, folders, files in os.walk(top):
            for name in (*folders, *files):
                os.lchown(os.path.join(folder, name), user, user)


def add_general(outcome):
    """What a failure means in general, where the test did not say."""
    if outcome.observed.startswith("it had"):
        means = "processes make processes, without end"
        look = "each fork: what the child does, and how its path ends"
    elif outcome.observed.startswith("it used"):
        means = "something grows without bound"
        look = "what is allocated in a loop, and who frees it"
    elif outcome.observed.startswith("it filled"):
        means = "it writes files without end"
        look = "what it writes, and where that ends"
    elif outcome.late:
        means = "it waits for what never comes, or runs in a circle"
        look = "what the threads below wait for, and who could end that"
    elif "signal" in outcome.observed:
        means = "a pointer or an index leads nowhere, or no longer anywhere"
        look = "the same test under gdb, or built with the preset asan"
    else:
        means = "the code under test ended the process, or a sanitizer did"
        look = "calls of exit, _exit, abort; what the test printed, below"
    outcome.means = outcome.means or means
    outcome.look = outcome.look or look

"""One test program, run within limits, and out of reach of its judge.

As root, the program runs as a user of its own; where the kernel lets us, also
in namespaces of its own: a loopback of its own, no process of others to be
seen, all folders read-only but a small one that vanishes. Elsewhere limits and
the ending of all that it started remain.

    limit over -> the stacks of all threads (gdb) -> SIGKILL to the test, not to
    its judge, who says what it was doing -> SIGKILL to all that is left"""

import ctypes
import functools
import itertools
import os
import resource
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

BUILD_AS = 61235  # a user that nobody is: compiles what is graded
RUN_AS = range(40000, 60000)  # such users, too: each run has another
PROCESSES = 150   # threads count as well
CROWD = 100       # more processes than any test has
FILE_SIZE = 64 << 20
MEMORY = 600 << 20
OUTPUT = 200_000  # characters kept of what it prints

SETUP = """
mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp || exit 120
for d in /dev/shm /var/tmp; do mount -t tmpfs -o size=1m none $d || :; done
mount -t tmpfs -o size=64m,nr_inodes=20000,mode=777 none "$1" || exit 120
ip link set lo up || exit 120
cd "$1" || exit 120
shift
exec "$@"
"""


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


@functools.cache
def isolation():
    """What this machine grants: "namespaces", "user" or "limits"."""
    if os.geteuid() != 0:
        return "limits"
    probe = ["unshare", "--mount", "--net", "--ipc", "--pid", "--fork",
             "--mount-proc", "sh", "-c",
             "mount -t tmpfs none /mnt && ip link set lo up"]
    done = subprocess.run(probe, capture_output=True, check=False) \
        if shutil.which("unshare") and shutil.which("ip") else None
    return "namespaces" if done and done.returncode == 0 else "user"


def as_user(uid):
    """Who becomes another user is no longer ended with its parent: so it is
    asked for again."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
            "--no-new-privs", "--pdeathsig", "KILL", "--"]


runs = itertools.count(os.getpid() * 61)


def command(argv, cwd, user):
    if isolation() == "limits":
        return argv
    own = [*as_user(user), *argv]
    if isolation() == "user":
        return own
    return ["setpriv", "--pdeathsig", "KILL", "--",
            "unshare", "--mount", "--net", "--ipc", "--pid", "--fork",
            "--kill-child", "--mount-proc", "sh", "-c", SETUP, "sh",
            str(cwd), *own]


def set_limits(seconds):
    """In the child, before the program is there."""
    def limit(what, value):
        hard = resource.getrlimit(what)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(what, (value, value))
    os.nice(5)  # the judge comes first
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, FILE_SIZE)
    limit(resource.RLIMIT_CPU, int(seconds) * 4 + 10)
    limit(resource.RLIMIT_NOFILE, 4096)
    if os.geteuid() == 0:  # else it would count what the user runs besides
        limit(resource.RLIMIT_NPROC, PROCESSES)


def adopt_orphans():
    """What loses its parent becomes ours, so that it can be ended."""
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid):
    """The processes below one, it first."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        one = todo.pop(0)
        found.append(one)
        todo += children.get(one, [])
    return found


def memory(pids):
    """Bytes of memory of their own, about."""
    total = 0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/statm").read_text().split()
        except OSError:
            continue
        total += (int(words[1]) - int(words[2])) * resource.getpagesize()
    return total


def end_all(first, seen, user):
    """Ends what is left: below `first`, what was seen there and has become
    ours, or of the user."""
    if isolation() == "user":
        subprocess.run([*as_user(user), sys.executable, "-c",
                        "import os; os.kill(-1, 9)"],
                       check=False, stderr=subprocess.DEVNULL)
    for _ in range(100):
        left = [p for p in descendants(first) if alive(p)]
        left += [p for p in seen if alive(p)]
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Run:
    """A program that runs: its output, its verdict, its limits."""

    def __init__(self, argv, environment, limit, cwd):
        self.program = argv[0]
        self.user = RUN_AS[next(runs) % len(RUN_AS)]
        self.seen = set()  # all processes that it ever had
        self.too_much = ""  # what it had more of than it may
        self.heard = {"output": bytearray(), "result": bytearray()}
        result_read, result_write = os.pipe()
        environment = dict(environment, LAB_RESULT=str(result_write))
        self.process = subprocess.Popen(
            command(argv, cwd, self.user), cwd=cwd, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, pass_fds=[result_write],
            start_new_session=True,
            preexec_fn=lambda: set_limits(limit))
        os.close(result_write)
        self.selector = selectors.DefaultSelector()
        self.result_fd = result_read
        self.selector.register(self.process.stdout.fileno(),
                               selectors.EVENT_READ, "output")
        self.selector.register(result_read, selectors.EVENT_READ, "result")

    def listen(self, seconds):
        """Reads what there is, for at most `seconds`."""
        for key, _ in self.selector.select(seconds):
            data = os.read(key.fd, 65536)
            if not data:
                self.selector.unregister(key.fd)
            elif len(self.heard[key.data]) < OUTPUT:
                self.heard[key.data] += data

    def until_ended(self, end):
        """True if it has ended by then; else why it is to be ended."""
        while time.monotonic() < end:
            self.listen(0.1)
            if self.process.poll() is not None:
                return True
            pids = descendants(self.process.pid)[1:]
            self.seen.update(pids)
            if len(pids) > CROWD:
                self.too_much = f"it had {len(pids)} processes"
            elif memory(pids) > MEMORY:
                self.too_much = f"it used more than {MEMORY >> 20} MiB of " \
                    "memory"
            if self.too_much:
                return False
        return False

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
        end_all(self.process.pid, self.seen, self.user)
        self.process.kill()
        self.process.wait()
        while self.selector.get_map():
            before = len(self.selector.get_map())
            self.listen(0.05)
            if len(self.selector.get_map()) == before:
                break  # somebody out of reach still holds it
        self.selector.close()
        self.process.stdout.close()
        os.close(self.result_fd)

    def text(self, of):
        return self.heard[of].decode(errors="replace")


def run(argv, environment, limit):
    """Runs a test program; an Outcome."""
    adopt_orphans()
    began = time.monotonic()
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="lab-cwd-") as cwd:
        os.chmod(cwd, 0o777)
        environment = dict(environment, HOME=cwd, TMPDIR=cwd, TEMP=cwd)
        one = Run(argv, environment, limit, cwd)
        try:
            if not one.until_ended(began + limit):
                outcome.late = True
                if not one.too_much:
                    outcome.stacks = stacks.of(
                        [p for p in descendants(one.process.pid) if alive(p)])
                one.end_test()
        finally:
            one.close()
    outcome.seconds = time.monotonic() - began
    outcome.output = one.text("output")
    fields = one.text("result").split("\0")
    if len(fields) == 5:
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
    return outcome


def add_general(outcome):
    """What a failure means in general, where the test did not say."""
    if outcome.observed.startswith("it had"):
        means = "processes make processes, without end"
        look = "each fork: what the child does, and how its path ends"
    elif outcome.observed.startswith("it used"):
        means = "something grows without bound"
        look = "what is allocated in a loop, and who frees it"
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

"""A test that fails, or hangs, must not hold up the others, nor leave anybody
behind: small tests that do so, and what the harness makes of them."""

import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from runner import check, run_cases  # noqa: E402

START = f"""
import os, subprocess, sys, threading, time
sys.path.insert(0, {HERE!r})
import harness
from harness import *
MARK = ["sh", "-c", 'trap "" TERM; sleep 1000 & sleep 1000; true', MARKED]

@case(models=("threads",))
def the_case(model):
"""


# A practice server that does not end when it is told to.
STUBBORN = """#!/bin/sh
trap '' TERM
printf 'http://127.0.0.1:1\\ntcp://127.0.0.1:1\\nudp://127.0.0.1:1\\n'
exec sleep 1000 {mark}
"""


def left(mark):
    """The processes that have the mark among their arguments."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if mark.encode() in file.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            pass
    return found


def check_nobody_left(mark):
    """Those that were killed are given time to end."""
    deadline = time.monotonic() + 10
    while left(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    check(not left(mark), f"left over: {left(mark)}")


def outcome(directory, body, patience, told):
    """Runs a test with that body; it must fail, soon, say why, and leave
    nobody. What it starts has the mark among its arguments."""
    mark = f"mark-of-{os.getpid()}-{os.path.basename(directory)}"
    path = os.path.join(directory, "cases_one.py")
    with open(path, "w", encoding="ascii") as file:
        file.write(START.replace("MARKED", repr(mark)))
        file.writelines(f"    {line}\n" for line in body.splitlines())
        file.write("\nmain()\n")
    try:
        done = subprocess.run(
            [sys.executable, path], stdout=subprocess.PIPE, text=True,
            stderr=subprocess.STDOUT, timeout=100, check=False,
            env=dict(os.environ, TRIPTYCH_PATIENCE=str(patience)))
        check(done.returncode == 1 and told in done.stdout, f"{done}")
        check_nobody_left(mark)
    finally:
        for pid in left(mark):
            os.kill(pid, 9)


def case_a_program_that_hangs(directory):
    """And a child of its own, which has its standard output."""
    outcome(directory, 'run(model, wrap=MARK, report=False, timeout=1)', 100,
            "it hangs")


def case_a_failure_while_a_program_runs(directory):
    """Its workers go with it: somebody may be reading what they write."""
    outcome(directory, """reader, writer = os.pipe()
got = Reading(reader)
script = os.path.join(os.path.dirname(__file__), "program")
with open(script, "w") as file:
    file.write('#!/bin/sh\\n"$@" &\\nwait\\n')
os.chmod(script, 0o755)
with Running(model, *MARK, path=script, report=False, stdout=writer) as r:
    os.close(writer)
    wait_for(lambda: children(r.pid), "a child")
    check(False, "on purpose")""", 50, "on purpose")


def case_a_read_without_an_end(directory):
    """It is named, with the line where it waits, and its program is ended."""
    outcome(directory, """reader, writer = os.pipe()
child = subprocess.Popen(MARK)
os.read(reader, 1)  # in vain""", 1, "the_case [threads]: it has not ended")


def case_a_server_that_does_not_end(directory):
    outcome(directory, """child = subprocess.Popen(MARK, start_new_session=True)
time.sleep(0.5)
try:
    harness.end(child)
finally:
    kill_session(child.pid)""", 1, "does not end")


def place_of_soak(directory, statement, told):
    """What becomes of the soak's servers, none of which ends by itself."""
    mark = f"1.{os.getpid()}"  # of sleep's arguments: so many seconds more
    tests = os.path.join(directory, "tests")
    os.mkdir(tests)
    path = os.path.join(tests, "triptych-origin")
    with open(path, "w", encoding="ascii") as file:
        file.write(STUBBORN.format(mark=mark))
    os.chmod(path, 0o755)
    soak = os.path.join(os.path.dirname(HERE), "soak")
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {soak!r})"
             f"; import kinds; {statement}"], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=100, check=False,
            env=dict(os.environ, TRIPTYCH_PATIENCE="1",
                     TRIPTYCH_BIN=directory))
        check(done.returncode == 1 and told in done.stdout, f"{done}")
        check_nobody_left(mark)
    finally:
        for pid in left(mark):
            os.kill(pid, 9)


def case_servers_of_the_soak_that_do_not_end(directory):
    """The first one's failure must not spare the others."""
    place_of_soak(directory, f"kinds.Place({directory!r}).close()",
                  "does not end")


def case_servers_of_a_soak_that_cannot_begin(directory):
    place_of_soak(directory, "kinds.Place('/no/such/folder')",
                  "does not end")


IGNORING = f"""
import subprocess, sys
sys.path.insert(0, {os.path.dirname(HERE)!r})
import runner
sys.exit(subprocess.run(["cat", "/proc/self/status"]).returncode)
"""


def case_signals_are_heeded(_):
    """A shell starts what is in the background with SIGINT ignored, nohup with
    SIGHUP; what is tested must not inherit that."""
    def ignore():
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    done = subprocess.run([sys.executable, "-c", IGNORING], check=True,
                          stdout=subprocess.PIPE, text=True,
                          preexec_fn=ignore)
    ignored = int(re.search(r"\nSigIgn:\t(\w+)", done.stdout).group(1), 16)
    check(ignored & 7 == 0, f"ignored: {ignored:#x}")


if __name__ == "__main__":
    sys.exit(run_cases(dict(globals())))

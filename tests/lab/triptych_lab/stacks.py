"""The stacks of all threads of a program that hangs, short enough to read."""

import re
import shutil
import subprocess
from pathlib import Path

PROGRAMS = 6   # of so many processes
THREADS = 24   # of so many threads in all
FRAMES = 40    # so many calls are looked at; those of ours are shown

FRAME = re.compile(r"^#\d+\s+(?:0x[0-9a-f]+ in )?(\S+) \(.*?\)(?: at (\S+))?$",
                   re.MULTILINE)
PREFIX = re.compile(r"^(__interceptor_|__GI_+|_+)")


def of(pids, prefix=()):
    """A text, a line each thread: what it waits in, called by what. `prefix`
    is what gdb is started with: it looks at a file that a student could have
    written, so that it must not be more than the student's program is."""
    if shutil.which("gdb") is None:
        return "(gdb is not installed: no stacks)"
    lines = []
    for pid in [p for p in pids if is_program(p)][:PROGRAMS]:
        lines += of_one(pid, prefix)
    return "\n".join(lines[:THREADS])


def is_program(pid):
    """Not what only starts it."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return False
    return name not in ("unshare", "setpriv", "python3")


def of_one(pid, prefix):
    try:
        done = subprocess.run(
            [*prefix, "gdb", "-batch", "-nx", "-iex", "set auto-load no",
             "-iex", "set sysroot /", "-p", str(pid), "-ex",
             f"thread apply all backtrace {FRAMES}"],
            capture_output=True, text=True, errors="replace", timeout=20,
            stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        return [f"process {pid}: gdb could not look at it"]
    threads = re.split(r"^Thread (\d+) [^\n]*:$", done.stdout,
                       flags=re.MULTILINE)[1:]
    lines = []
    for number, text in zip(threads[::2], threads[1::2]):
        calls = of_thread(FRAME.findall(text))
        if calls:
            lines.append(f"process {pid}, thread {number}: "
                         + ", called by ".join(calls))
    return lines


def of_thread(frames):
    """What a thread waits in, and the calls of ours that led there; nothing
    for the sanitizers' threads and for the judge, who waits for the test."""
    calls = []
    for name, place in frames:
        if place.startswith("ref/tests/lab/harness") or \
                name == "main" and place.startswith("ref/tests/"):
            continue
        if place.startswith(("work/", "ref/")):
            short = place.removeprefix("work/").removeprefix("ref/")
            calls.append(f"{name} ({short})")
        elif not calls:
            waits_in = PREFIX.sub("", name)
    if calls and not frames[0][1].startswith(("work/", "ref/")):
        calls.insert(0, waits_in)
    return calls

#!/usr/bin/env python3
"""triptych-race: on a terminal of the test's own, without one, recorded,
interrupted. Nothing here depends on speed: races are short, or last until they
are ended, and what is waited for is what the screen shows.

TRIPTYCH_BIN is the build directory."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from runner import check, run_cases
from terminal import PATIENCE, Cast, Terminal, interrupted

BIN = os.path.abspath(os.environ.get(
    "TRIPTYCH_BIN",
    os.path.join(os.path.dirname(__file__), "../../build/dev")))
RACE = os.path.join(BIN, "tests/triptych-race")
MODELS = ("threads", "processes", "evloop", "coroutines")

# One that is over soon, and one that lasts until it is ended.
SHORT = ["--hold=0", "-n60", "-j4", "small"]
LONG = ["--hold=0", "-n9000", "-j4", "latency"]


def race(*arguments, **more):
    return subprocess.run([RACE, *arguments], text=True, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          check=False, **more)


def on_terminal(directory, *arguments, **more):
    """A race on a terminal; what it leaves in TMPDIR can be looked at."""
    return Terminal([RACE, *arguments], TMPDIR=directory, **more)


def check_scratch(directory):
    left = [name for name in os.listdir(directory)
            if name.startswith("triptych-race-")]
    check(not left, f"left: {left}")


def tiles(lines):
    """The letters of the tiles, as one text for each lane."""
    found = []
    for line in lines[2:-1]:
        if re.match(r" (threads|processes|evloop|coroutines) .* of \d+ done", line):
            found.append("")
        elif found and not line.startswith(" memory"):
            found[-1] += line.replace(" ", "")
    return found


def check_table(text):
    for wanted in ("wall time, s", "peak memory, MiB", "voluntary switches",
                   "Showing this took"):
        check(wanted in text, f"no '{wanted}' in {text}")


def check_all_done(terminal, requests):
    screen = terminal.screen
    check(tiles(screen.last) == ["+" * requests] * len(MODELS), f"{screen.last}")
    for model in MODELS:
        check(any(re.match(f" {model} +{requests} of {requests} done", line)
                  for line in screen.last), f"{model}: {screen.last}")
    check_table(screen.text)
    check(screen.is_restored() and terminal.keys_are_restored(),
          f"the terminal is not as it was: {screen.modes}")


def family(pid):
    """Its children, and theirs."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii",
                      errors="replace") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid:
            found += [int(name), *family(int(name))]
    return found


def name_of(pid):
    """Of a process that lives; else "". """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as file:
            name, rest = file.read().rsplit(")", 1)
        return "" if rest.split()[0] in "ZX" else name.split("(", 1)[1]
    except OSError:
        return ""


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < deadline, f"waited in vain: {what}")
        time.sleep(.01)


def check_gone(pids):
    check(len(pids) >= 6, f"a server and four fetchers? {pids}")
    wait_for(lambda: not any(map(name_of, pids)), f"the end of {pids}")


def is_under_way(lines):
    """All have begun, and none has ended."""
    return len(tiles(lines)) == len(MODELS) and \
        all(re.search("[^.]", lane) and re.search("[^+]", lane)
            for lane in tiles(lines))


# --- The command line --------------------------------------------------------

def case_help_and_lists(_):
    for option, wanted in (("--help", "Usage: triptych-race"),
                           ("--version", "triptych-race "),
                           ("--list", "slow-sink")):
        done = race(option)
        check(done.returncode == 0 and wanted in done.stdout,
              f"{option}: {done}")
        check(all(len(line) < 80 for line in done.stdout.splitlines()),
              f"long lines: {done.stdout}")


def case_usage_errors(_):
    for arguments in (["--no-such"], ["nonsense"], ["-n0"], ["-n", "2x"],
                      ["-j0"], ["-j100001"], ["--size=75x16"], ["-s", "80"],
                      ["-s80x24x"], ["--hold=-1"], ["--hold", "soon"],
                      ["tail", "small"]):
        done = race(*arguments)
        check(done.returncode == 2 and "Usage:" in done.stderr
              and not done.stdout, f"{arguments}: {done}")
    check("there is no workload 'nonsense'" in race("nonsense").stderr,
          "which?")


def case_nothing_to_run(directory):
    """Without the server, or without the fetchers beside it."""
    alone = os.path.join(directory, "triptych-race")
    shutil.copy(RACE, alone)
    for wanted in ("triptych-origin", "fetcher"):
        done = subprocess.run([alone, "--plain"], capture_output=True,
                              text=True, timeout=PATIENCE, check=False,
                              env=dict(os.environ, TMPDIR=directory))
        check(done.returncode == 3 and wanted in done.stderr and
              "No such file" in done.stderr, f"{done}")
        shutil.copy(os.path.join(BIN, "tests/triptych-origin"), directory)
    check_scratch(directory)


# --- A race on a terminal ----------------------------------------------------

def case_whole_race(directory):
    for more in ([], ["--turns"]):
        with on_terminal(directory, *SHORT, *more) as terminal:
            check(terminal.finish() == 0, f"{terminal.screen.lines()}")
            check_all_done(terminal, 60)
            check(terminal.screen.has_colours(), "no colours")
            check(("in turn" if more else "all at once")
                  in terminal.screen.last[0], f"{terminal.screen.last}")
    check_scratch(directory)


def case_many_requests_share_tiles(directory):
    with on_terminal(directory, "--hold=0", "-n1000", "small") as terminal:
        check(terminal.finish() == 0, f"{terminal.screen.lines()}")
        lanes = tiles(terminal.screen.last)
        check(len(lanes) == len(MODELS) and
              all(re.fullmatch(r"\+{100,400}", lane) for lane in lanes),
              f"{lanes}")


def case_bytes_are_held(directory):
    """Into the slow reader: early bodies wait, and are seen to."""
    with on_terminal(directory, "--hold=0", "-n400", "slow-sink") as terminal:
        terminal.wait_for(
            lambda lines: sum("d" in lane for lane in tiles(lines)) == 4 and
            sum(bool(re.search(r"held [1-9]", line)) for line in lines) == 4,
            "bytes that are held")
        terminal.type(b"\x03")
        check(terminal.finish() == 130, "status")


def case_no_colours(directory):
    for value, wanted in (("1", False), ("", True)):
        with on_terminal(directory, *SHORT, NO_COLOR=value) as terminal:
            check(terminal.finish() == 0, f"{terminal.screen.lines()}")
            check(terminal.screen.has_colours() == wanted,
                  f"{terminal.screen.looks}")
            if not wanted: # a done tile is filled with its sign
                lanes = tiles(terminal.screen.last)
                check(all(re.fullmatch(r"\+{60,}", lane) for lane in lanes),
                      f"{lanes}")


def case_crashes(directory):
    """On purpose: that is no failure of the race."""
    with on_terminal(directory, "--hold=0", "crash") as terminal:
        check(terminal.finish() == 0, f"{terminal.screen.lines()}")
        lanes = tiles(terminal.screen.last)
        for model, lane in zip(MODELS, lanes):
            check(len(lane) == 96, f"{lanes}")
            check(("X" in lane) == (model != "processes") or
                  lane.count("+") > 70, f"{model}: {lane}")
        text = terminal.screen.text
        check("Lost: threads was killed" in text and
              "Lost: evloop was killed" in text, text)


def case_a_server_that_dies(directory):
    with on_terminal(directory, *LONG) as terminal:
        terminal.wait_for(is_under_way, "the race")
        (server,) = [pid for pid in family(terminal.process.pid)
                     if name_of(pid).startswith("triptych-origi")]
        os.kill(server, signal.SIGKILL)
        check(terminal.finish() == 1, "status")
        check(all("X" in lane for lane in tiles(terminal.screen.last)),
              f"{terminal.screen.last}")
        text = terminal.screen.text
        check(text.count("ended with status 1") == len(MODELS) and
              "fetch-threads: http://" in text, text)
    check_scratch(directory)


# --- Sizes -------------------------------------------------------------------

def case_resized(directory):
    with on_terminal(directory, *LONG, height=24) as terminal:
        terminal.wait_for(lambda lines: "failed" in lines[23], "the legend")
        terminal.resize(160, 50)
        terminal.wait_for(lambda lines: len(lines) == 50 and
                          "failed" in lines[49] and
                          lines[2].endswith(" s") and len(lines[2]) > 150,
                          "the legend at the new bottom")
        terminal.resize(79, 20)
        terminal.wait_for(lambda lines: "failed" in lines[19] and
                          is_under_way(lines), "a smaller one")
        terminal.type(b"\x03")
        check(terminal.finish() == 130, "status")


def case_too_small(directory):
    with on_terminal(directory, *LONG, width=40, height=10) as terminal:
        terminal.wait_for(lambda lines: "40x10: too small" in lines[0],
                          "a word")
        terminal.resize(80, 24)
        terminal.wait_for(is_under_way, "the race, which has gone on")
        terminal.resize(12, 2) # the word itself does not fit
        terminal.wait_for(lambda lines: lines[0].startswith("12x2"), "a word")
        terminal.type(b"\x03")
        check(terminal.finish() == 130, "status")
    with on_terminal(directory, *SHORT, width=1, height=1) as terminal:
        check(terminal.finish() == 0, "status")
        check_table(terminal.screen.text)


# --- Recorded ----------------------------------------------------------------

def case_recorded(directory):
    path = os.path.join(directory, "cast")
    with on_terminal(directory, "--record", path, *SHORT) as terminal:
        check(terminal.finish() == 0, f"{terminal.screen.lines()}")
        cast = Cast(path)
        check((cast.head["width"], cast.head["height"]) == (80, 24), cast.head)
        played = cast.play()
        check(played.last == terminal.screen.last, "another last frame")
        check(played.lines() == terminal.screen.lines(), "another end")
        check(played.is_restored() and len(cast.events) > 3, "not whole")


def case_recorded_with_sizes(directory):
    path = os.path.join(directory, "cast")
    with on_terminal(directory, "-r", path, *LONG) as terminal:
        terminal.wait_for(is_under_way, "the race")
        terminal.resize(100, 30)
        terminal.wait_for(lambda lines: "failed" in lines[29] and
                          is_under_way(lines), "the new size")
        terminal.type(b"\x03")
        check(terminal.finish() == 130, "status")
        cast = Cast(path)
        check([d for _, k, d in cast.events if k == "r"] == ["100x30"],
              "sizes")
        played = cast.play()
        check(played.last == terminal.screen.last and played.is_restored(),
              "another last frame")


def case_recorded_without_terminal(directory):
    path = os.path.join(directory, "cast")
    done = race("--record", path, "--size=120x40", *SHORT)
    check(done.returncode == 0 and "\x1b" not in done.stdout, f"{done}")
    check_table(done.stdout)
    cast = Cast(path)
    check((cast.head["width"], cast.head["height"]) == (120, 40), cast.head)
    played = cast.play()
    check(tiles(played.last) == ["+" * 60] * len(MODELS) and played.has_colours(),
          f"{played.last}")
    check_table(played.text)


def case_record_cannot_be_written(directory):
    done = race("--record", os.path.join(directory, "no/such"), *SHORT)
    check(done.returncode == 3 and "no/such: No such file" in done.stderr,
          f"{done}")
    done = race("--record", "/dev/full", *SHORT)
    check(done.returncode == 3 and "/dev/full: No space left" in done.stderr,
          f"{done}")


# --- Plain -------------------------------------------------------------------

def check_plain(text):
    check("\x1b" not in text, f"sequences: {text!r}")
    for model in MODELS:
        check(f"{model}: 60 of 60 done, in " in text, text)
    check_table(text)


def case_plain(directory):
    done = race(*SHORT)
    check(done.returncode == 0, f"{done}")
    check_plain(done.stdout)
    for arguments, more in ((["--plain"], {"NO_COLOR": "1"}),
                            ([], {"TERM": "dumb", "NO_COLOR": "1"}),
                            ([], {"TERM": "", "NO_COLOR": "1"})):
        with on_terminal(directory, *arguments, *SHORT, **more) as terminal:
            text = ""
            while terminal.process.poll() is None:
                text += terminal.read(.05)
            text += terminal.read(0)
            check(terminal.process.returncode == 0, text)
            check_plain(text)


def case_plain_lines_while_it_runs(directory):
    with subprocess.Popen([RACE, *LONG], stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, TMPDIR=directory)) as process:
        try:
            line = process.stdout.readline()
            check(re.fullmatch(r" +\d+\.\d s   threads \d+/9000  processes "
                               r"\d+/9000  evloop \d+/9000  coroutines \d+/9000\n", line), line)
            children = family(process.pid)
            process.send_signal(signal.SIGINT)
            check(process.wait(PATIENCE) == 130, "status")
        finally:
            process.kill()
    check_gone(children)
    check_scratch(directory)


def case_a_reader_that_leaves(_):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([RACE, *SHORT], stdout=full, timeout=PATIENCE,
                              stderr=subprocess.PIPE, check=False)
    check(done.returncode == 3, f"{done}")


# --- Interrupted -------------------------------------------------------------

def case_interrupted(directory):
    path = os.path.join(directory, "cast")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with on_terminal(directory, "--record", path, *LONG) as terminal:
            terminal.wait_for(is_under_way, "the race")
            children = family(terminal.process.pid)
            if number == signal.SIGINT:
                terminal.type(b"\x03")
            else:
                terminal.signal(number)
            check(terminal.finish() == interrupted(number), f"{number}")
            screen = terminal.screen
            check(screen.is_restored() and terminal.keys_are_restored(),
                  f"{number}: {screen.modes}")
            check(screen.text == "", f"{screen.text}")
            check_gone(children)
            played = Cast(path).play()
            check(played.is_restored() and is_under_way(played.last),
                  f"the record is not whole: {played.last}")
            # Ctrl-C discards what the terminal has not shown yet (ISIG in
            # termios(3)): its last frame may be older than the record's.
            check(number == signal.SIGINT or played.last == screen.last,
                  f"{number}: the record ends otherwise")
        check_scratch(directory)


def case_interrupted_at_the_end(directory):
    """While the last frame stands: until a key, or a signal."""
    arguments = ["--hold=1000", *SHORT[1:]]
    for keys, status in ((b"\x03", 130), (b" ", 0)):
        with on_terminal(directory, *arguments) as terminal:
            terminal.wait_for(lambda lines: "press a key" in lines[0],
                              "the end")
            terminal.type(keys)
            check(terminal.finish() == status, f"{keys}")
            check(terminal.screen.is_restored(), "terminal")
            check(tiles(terminal.screen.last) == ["+" * 60] * len(MODELS),
                  f"{terminal.screen.last}")


def case_killed(directory):
    """Then the terminal is as it is, but nobody is left behind; nor without a
    terminal, whose end would have ended them."""
    with on_terminal(directory, *LONG) as terminal:
        terminal.wait_for(is_under_way, "the race")
        children = family(terminal.process.pid)
        terminal.signal(signal.SIGKILL)
        check(terminal.finish() == -signal.SIGKILL, "status")
        check_gone(children)
    with subprocess.Popen([RACE, *LONG], stdout=subprocess.PIPE,
                          env=dict(os.environ, TMPDIR=directory)) as process:
        process.stdout.readline()
        wait_for(lambda: len(family(process.pid)) >= 6, "fetchers")
        children = family(process.pid)
        process.kill()
    check_gone(children)


def case_a_terminal_that_takes_nothing(directory):
    """Ctrl-S elsewhere, or a line that hangs: the race goes on, and ends."""
    with on_terminal(directory, *LONG, width=900, height=900) as terminal:
        wait_for(lambda: len(family(terminal.process.pid)) >= 6, "fetchers")
        children = family(terminal.process.pid)
        time.sleep(1) # frames, more than a pty holds
        terminal.signal(signal.SIGTERM)
        check(terminal.process.wait(PATIENCE) == 143, "status")
        check(terminal.keys_are_restored(), "keys")
        check_gone(children)


if __name__ == "__main__":
    sys.exit(run_cases(globals()))

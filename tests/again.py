"""Runs the tests again and again on a busy machine: a test that is green nine
times of ten is red. Says of each how often it was red, how long it took, and
how much of the processors; and how busy the machine was.

    again.py BUILD [--times N] [--busy N] [--jobs N] [--only REGEX] ...

BUILD is a folder in which ctest finds tests. What a red test said is kept in
BUILD/again.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time


class Test:
    """A test as ctest knows it, and what came of its runs."""

    def __init__(self, described):
        self.name = described["name"]
        self.command = described["command"]
        given = {one["name"]: one["value"]
                 for one in described.get("properties", ())}
        self.limit = given.get("TIMEOUT", 1500)
        self.skipped = given.get("SKIP_RETURN_CODE")
        self.after = given.get("DEPENDS", [])
        self.directory = given.get("WORKING_DIRECTORY")
        self.environment = dict(pair.split("=", 1)
                                for pair in given.get("ENVIRONMENT", ()))
        self.seconds = []
        self.processor = []  # seconds of it, of all that it waited for
        self.red = []        # the numbers of the rounds

    def run(self, number, kept):
        path = os.path.join(kept, f"{self.name}.{number}.txt")
        begun = time.monotonic()
        with open(path, "wb") as output:
            child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, cwd=self.directory, start_new_session=True,
                env={**os.environ, **self.environment})
        alarm = threading.Timer(self.limit, end_session, [child.pid])
        alarm.start()
        # Not child.wait(): it does not say how much it has used.
        _, status, usage = os.wait4(child.pid, 0)
        alarm.cancel()
        end_session(child.pid)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.seconds.append(time.monotonic() - begun)
        self.processor.append(usage.ru_utime + usage.ru_stime)
        if child.returncode in (0, self.skipped):
            os.remove(path)
            return
        self.red.append(number)
        print(f"{self.name}: red in round {number} (status "
              f"{child.returncode}, {self.seconds[-1]:.0f} s): {path}",
              flush=True)


def end_session(leader):
    """What a test leaves behind must not be there for the next one."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(name)) == leader:
                os.kill(int(name), signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def tests_of(build, only, but):
    told = subprocess.run(["ctest", "--test-dir", build,
                           "--show-only=json-v1"], stdout=subprocess.PIPE,
                          check=True)
    return [Test(one) for one in json.loads(told.stdout)["tests"]
            if re.search(only, one["name"])
            and not (but and re.search(but, one["name"]))]


def one_round(number, tests, jobs, kept):
    """All tests once, so many at a time, in an order of chance; but each after
    those that it needs."""
    order = random.sample(tests, len(tests))
    done = {test.name: threading.Event() for test in tests}
    order.sort(key=lambda test: any(name in done for name in test.after))

    def turn(test):
        for name in test.after:
            if name in done:
                done[name].wait()
        try:
            test.run(number, kept)
        finally:
            done[test.name].set()

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(turn, order))


def table(tests):
    lines = [f"{'test':36}{'red':>5}{'seconds':>9}{'most':>7}"
             f"{'processor':>11}"]
    for test in sorted(tests, key=lambda test: -sum(test.processor)):
        lines.append(f"{test.name:36}{len(test.red):5}"
                     f"{statistics.median(test.seconds):9.1f}"
                     f"{max(test.seconds):7.1f}"
                     f"{statistics.median(test.processor):11.1f}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description="Runs the tests again and again on a busy machine.")
    parser.add_argument("build", help="a folder in which ctest finds tests")
    parser.add_argument("--times", type=int, default=10, help="(10)")
    parser.add_argument("--busy", type=int, default=0, metavar="N",
                        help="processes that do nothing but work (0)")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--jobs", type=int, default=cores * 3,
                        help="tests at a time (three for each processor)")
    parser.add_argument("--only", default=".", metavar="REGEX")
    parser.add_argument("--but", metavar="REGEX", help="not those")
    options = parser.parse_args()
    tests = tests_of(options.build, options.only, options.but)
    if not tests:
        print("again.py: there is no such test")
        return 2
    kept = os.path.join(options.build, "again")
    os.makedirs(kept, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
            for _ in range(options.busy)]
    begun = time.monotonic()
    loads = []
    try:
        for number in range(1, options.times + 1):
            one_round(number, tests, options.jobs, kept)
            loads.append(os.getloadavg()[1])
            red = [test.name for test in tests if number in test.red]
            print(f"round {number}: {len(tests) - len(red)} of {len(tests)} "
                  f"green, {time.monotonic() - begun:.0f} s, load "
                  f"{loads[-1]:.0f}", flush=True)
    except KeyboardInterrupt:
        print("Stopped.")
    finally:
        for process in busy:
            process.kill()
            process.wait()
    tests = [test for test in tests if test.seconds]
    if not tests:
        return 1
    print(table(tests))
    print(f"{len(loads)} rounds of {len(tests)} tests, {options.jobs} at a "
          f"time, on {cores} processors; load, as the kernel has it over five "
          f"minutes: {min(loads, default=0):.0f} to {max(loads, default=0):.0f}"
          f"; {sum(sum(test.processor) for test in tests):.0f} s of processor "
          "time")
    return 1 if any(test.red for test in tests) else 0


if __name__ == "__main__":
    sys.exit(main())

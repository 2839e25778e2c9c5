"""What tests in Python share: a finding, and the running of cases."""

import os
import re
import signal
import sys
import tempfile
import time
import traceback


class Failure(AssertionError):
    """A test's finding."""


def heed_signals():
    """A shell makes what it starts in the background ignore SIGINT, nohup
    SIGHUP, and so do their children's children: a tested program would ignore
    what a test sends. What is handled here is not ignored there."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler),
                            (signal.SIGQUIT, lambda *_: None),
                            (signal.SIGHUP, lambda *_: None)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


heed_signals()


def check(condition, message):
    if not condition:
        raise Failure(message)


def processor_time():
    """Seconds, of this process and the children that it has waited for."""
    return sum(os.times()[:4])


def run_cases(names):
    """Runs each case_... of a module's names, in the order of their writing,
    with an empty directory of its own; or those alone whose names hold an
    argument; of them, with an argument "I/N", the I-th and each N-th after it.
    The exit status: a run without a case has failed, too."""
    wanted = [a for a in sys.argv[1:] if not re.fullmatch(r"\d+/\d+", a)]
    cases = [(name, value) for name, value in names.items()
             if name.startswith("case_")
             and (not wanted or any(a in name for a in wanted))]
    for part in set(sys.argv[1:]) - set(wanted):
        first, step = map(int, part.split("/"))
        cases = cases[first - 1::step]
    failed = 0
    for name, case in cases:
        begun, used = time.monotonic(), processor_time()
        with tempfile.TemporaryDirectory(prefix="triptych-") as directory:
            try:
                case(directory)
                verdict = "ok"
            except Exception:  # a finding, or a fault of the test: both red
                failed += 1
                verdict = "FAILED\n" + traceback.format_exc()
        print(f"{name[5:]} ({time.monotonic() - begun:.1f} s, of processors "
              f"{processor_time() - used:.1f}): {verdict}", flush=True)
    print(f"{len(cases) - failed} of {len(cases)} passed")
    return 1 if failed or not cases else 0

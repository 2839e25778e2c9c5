"""The programs without the module for https, be it not built or not installed:
https is unsupported, and says so."""

import atexit
import os
import shutil

import harness
from harness import (MODELS, Server, Workplace, case, check, equal, expect,
                     main, program, run)

MODULE = "triptych-tls.so"

# Where it is built, the programs go to a directory in which it is not.
if os.path.exists(os.path.join(harness.BIN, MODULE)):
    ALONE = Workplace()
    atexit.register(ALONE.__exit__)
    for name in MODELS:
        shutil.copy(program(name), ALONE.path)
    harness.BIN = ALONE.path


@case
def https_is_unsupported(model):
    def up(c):
        c.request()
        c.send(b"HTTP/1.1 302 Up\r\nLocation: https://127.0.0.1/\r\n"
               b"Content-Length: 0\r\n\r\n")
    with Server(up) as server:
        r = run(model, "https://127.0.0.1/", server.http, "file:///dev/null")
        equal(r.column("attempts")[0], "0", "attempts")
        equal(r.err.count(MODULE + " is not installed"), 2, r.err)
        return expect(r, ["unsupported", "unsupported", "file-error"])


@case
def its_options_are_refused(model):
    for args in ["--cacert", "x"], ["--insecure"]:
        r = run(model, *args, "file:///dev/null", report=False)
        equal(r.status, 2, "exit status")
        check(MODULE + " is not installed" in r.err, r.err)


@case
def help_says_so(model):
    r = run(model, "--help", report=False)
    check(b"https is not installed" in r.out and b"--cacert" not in r.out,
          r.out)


if __name__ == "__main__":
    main()

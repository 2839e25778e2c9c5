"""The programs without the modules for https and for databases, be they not
built or not installed: those URLs are unsupported, and say so."""

import atexit
import os
import shutil

import harness
from harness import (MODELS, Server, Workplace, case, check, equal, expect,
                     main, program, run)

MODULE = "triptych-tls.so"

# Where one is built, the programs go to a directory in which none is.
if any(os.path.exists(os.path.join(harness.BIN, module))
       for module in (MODULE, "triptych-database.so")):
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
def databases_are_unsupported(model):
    r = run(model, "postgresql://u:secret@127.0.0.1/db?query=SELECT%201",
            "postgresql://127.0.0.1/db", "file:///dev/null")
    check("u:***@127.0.0.1" in r.err and "secret" not in r.err, r.err)
    equal(r.err.count("triptych-database.so is not installed"), 1, r.err)
    return expect(r, ["unsupported", "bad-url", "file-error"])


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
    check(b"postgresql is not installed" in r.out, r.out)


if __name__ == "__main__":
    main()

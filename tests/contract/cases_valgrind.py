"""No leak, no use of what is not set, says valgrind; in the forked workers
as well."""

import shutil

from harness import (Origin, Server, Skip, Workplace, case, check, equal,
                     main, run)

VALGRIND = ("valgrind", "--quiet", "--leak-check=full", "--error-exitcode=99",
            "--errors-for-leak-kinds=definite,indirect,possible",
            "--show-leak-kinds=definite,indirect,possible",
            "--track-fds=no", "--num-callers=20")


def under_valgrind(model, *args, **more):
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    r = run(model, *args, wrap=VALGRIND, **more)
    check("==" not in r.err, r.err)
    return r


def mixed(origin, server):
    return [f"{origin.http}/bytes/100000?seed=1",
            f"{origin.http}/bytes/300000?chunked", f"{origin.http}/nothing",
            f"{origin.http}/bytes/10?redirect=3",
            f"{origin.http}/bytes/9999?fin=100",
            f"{origin.http}/bytes/99?garbage", "http://127.0.0.1:1/",
            "ftp://x/", "no url", f"{origin.tcp}/hello",
            f"{origin.http}/bytes/100000?rate=1000", server.http,
            f"{origin.http}/bytes/20000?close", "http://localhost:1/"]


# Seconds for a request: one takes a hundred, none of the others as many as
# these, not even under valgrind on a busy machine.
LIMIT = "15"

WORDS = ["ok", "ok", "http-error", "ok", "truncated", "protocol", "refused",
         "unsupported", "bad-url", "ok", "timeout", "reset", "ok", "refused"]


def reset(c):
    c.request()
    c.reset()


@case
def in_order(model):
    with Origin() as origin, Server(reset) as server:
        r = under_valgrind(model, "-t", LIMIT, "-j", "20",
                           *mixed(origin, server))
    equal(r.words, WORDS, r.err)
    return r.words


@case
def into_files_with_retries(model):
    with Origin() as origin, Server(reset) as server, Workplace() as place:
        r = under_valgrind(model, "-t", LIMIT, "--retries", "1", "-j", "3",
                           *mixed(origin, server), directory=place.join("d"))
    equal(r.words, WORDS, r.err)
    return r.words


@case
def usage(model):
    r = under_valgrind(model, "--nothing")
    equal(r.status, 2, r.err)
    r = under_valgrind(model, "--help")
    equal(r.status, 0, r.err)


if __name__ == "__main__":
    main(parallel=3)

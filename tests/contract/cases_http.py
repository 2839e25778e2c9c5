"""http and tcp: framings, redirects, kept connections, limits, retries."""

import os
import socket
import struct
import tempfile
import threading
import time

import harness
from harness import (MINIMAL, PATIENCE, Failure, Origin, Server, case, check,
                     content, deaf_port, equal, expect, free_port, main, run)


def serve(answer):
    """A script that answers each request on a connection alike."""
    def script(c):
        while c.request():
            c.send(answer)
    return script


def once(answer):
    """A script that answers one request, and closes."""
    def script(c):
        c.request()
        c.send(answer)
        c.close()
    return script


def fetch(model, script, *args, path="/x", **more):
    with Server(script) as server:
        return run(model, server.http + path, *args, **more), server


# --- Framings (their splits are unit tests) --------------------------------

@case
def body_by_length(model):
    r, _ = fetch(model, serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
                              b"hello"))
    return expect(r, ["ok"], b"hello")


@case
def body_by_chunks(model):
    r, _ = fetch(model, serve(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n"))
    return expect(r, ["ok"], b"hello!")


@case
def body_until_close(model):
    r, _ = fetch(model, once(b"HTTP/1.1 200 OK\r\n\r\nhello"))
    return expect(r, ["ok"], b"hello")


@case
def body_of_http_1_0(model):
    r, _ = fetch(model, once(b"HTTP/1.0 200 OK\r\n\r\nhello"))
    return expect(r, ["ok"], b"hello")


@case
def empty_bodies(model):
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
               b"HTTP/1.1 204 No Content\r\n\r\n",
               b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
               b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"0\r\n\r\n"]

    def script(c):
        while head := c.request():
            c.send(answers[int(head.split()[1][1:])])
    with Server(script) as server:
        r = run(model, *(f"{server.http}/{i}" for i in range(4)))
    return expect(r, ["ok"] * 4, b"")


@case
def interim_answers(model):
    r, _ = fetch(model, serve(b"HTTP/1.1 100 Continue\r\n\r\n"
                              b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
                              b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
                              b"ok"))
    return expect(r, ["ok"], b"ok")


@case
def one_byte_at_a_time(model):
    answer = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              b"5\r\nhello\r\n0\r\n\r\n")

    def script(c):
        c.request()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.send(answer, piece=1, pause=0.001)
        c.hold()
    r, _ = fetch(model, script)
    return expect(r, ["ok"], b"hello")


@case
def binary_bodies_of_many_sizes(model):
    sizes = [0, 1, 2, 1023, 4095, 4096, 4097, 16384, 65535, 65536, 65537,
             1000000, 3000001]
    with Origin() as origin:
        r = run(model, *(f"{origin.http}/bytes/{n}?seed={n}" for n in sizes))
    expect(r, ["ok"] * len(sizes))
    check(r.out == b"".join(content(n, n) for n in sizes), "bodies differ")
    equal(r.column("bytes"), [str(n) for n in sizes], "bytes")
    return r.words


@case
def chunked_closed_and_dripped_bodies(model):
    paths = ["/bytes/100000?chunked", "/bytes/100000?chunked=1000",
             "/bytes/3000?chunked=1", "/bytes/100000?close",
             "/bytes/50?header-drip=1", "/bytes/20000?rate=200000",
             "/bytes/100?delay=50"]
    with Origin() as origin:
        r = run(model, *(origin.http + p for p in paths))
    expect(r, ["ok"] * len(paths))
    sizes = [100000, 100000, 3000, 100000, 50, 20000, 100]
    check(r.out == b"".join(content(n) for n in sizes), "bodies differ")
    return r.words


# --- The request -----------------------------------------------------------

@case
def what_a_request_says(model):
    r, server = fetch(model, serve(b"HTTP/1.1 200 OK\r\n"
                                   b"Content-Length: 0\r\n\r\n"),
                      "-H", "X-One: 1", "--header=X-Two: 2",
                      path="/a/../b?c=d#e")
    head = server.requests[0].decode()
    lines = head.split("\r\n")
    equal(lines[0], "GET /a/../b?c=d HTTP/1.1", "request line")
    check(f"Host: 127.0.0.1:{server.port}" in lines, head)
    check("X-One: 1" in lines and "X-Two: 2" in lines, head)
    check(any(line.startswith("User-Agent: triptych/") for line in lines),
          head)
    equal(sum(line.lower().startswith("host:") for line in lines), 1, "Host")
    return expect(r, ["ok"])


@case
def own_headers_replace_ours(model):
    r, server = fetch(model, serve(b"HTTP/1.1 200 OK\r\n"
                                   b"Content-Length: 0\r\n\r\n"),
                      "-H", "Host: elsewhere", "-H", "user-agent: me",
                      "-H", "Accept: text/plain")
    head = server.requests[0].decode().lower()
    for name, value in (("host", "elsewhere"), ("user-agent", "me"),
                        ("accept", "text/plain")):
        equal([line for line in head.split("\r\n")
               if line.startswith(name + ":")], [f"{name}: {value}"], name)
    return expect(r, ["ok"])


# --- Results ---------------------------------------------------------------

@case
def http_errors_keep_no_body(model):
    r, _ = fetch(model, serve(b"HTTP/1.1 404 Not Found\r\n"
                              b"Content-Length: 4\r\n\r\nbody"))
    equal(r.column("status"), ["404"], "status")
    return expect(r, ["http-error"], b"", err="404")


@case
def refused(model):
    sock, port = free_port()
    with sock:
        r = run(model, f"http://127.0.0.1:{port}/", f"tcp://127.0.0.1:{port}/")
    equal(r.column("attempts"), ["1", "1"], "attempts")
    equal(r.column("connected_us"), ["-", "-"], "connected_us")
    return expect(r, ["refused"] * 2, b"", err="refused: Connection refused")


@case
def reset_before_the_answer(model):
    def script(c):
        c.request()
        c.reset()
    r, _ = fetch(model, script)
    return expect(r, ["reset"], b"")


@case
def closed_before_the_answer(model):
    r, _ = fetch(model, once(b""))
    return expect(r, ["reset"], b"")


@case
def reset_within_the_body(model):
    with Origin() as origin:
        r = run(model, f"{origin.http}/bytes/1000000?rst=500000", "-n")
    equal(r.column("status"), ["200"], "status")
    return expect(r, ["reset"])


@case
def reset_within_the_header(model):
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nConte")
        time.sleep(0.1)  # so that the bytes come before the reset
        c.reset()
    r, _ = fetch(model, script)
    return expect(r, ["reset"], b"")


@case
def truncated_anywhere(model):
    answer = (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    def script(c):
        head = c.request()
        c.send(answer[:int(head.split()[1][1:])])
        c.close()
    cuts = [1, 8, 12, 17, 30, 38, 39, 42]
    with Server(script) as server:
        r = run(model, "-n", *(f"{server.http}/{n}" for n in cuts))
    return expect(r, ["truncated"] * len(cuts))


@case
def truncated_chunks(model):
    with Origin() as origin:
        r = run(model, "-n", f"{origin.http}/bytes/9000?chunked&fin=5000",
                f"{origin.http}/bytes/9000?fin=0",
                f"{origin.http}/bytes/9000?close&fin=5000")
    equal(r.column("bytes")[2], "5000", "bytes until the close")
    return expect(r, ["truncated", "truncated", "ok"])


@case
def protocol_errors(model):
    answers = [b"SSH-2.0-x\r\n\r\n", b"HTTP/2 200 OK\r\n\r\n",
               b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
               b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
               b"Content-Length: 2\r\n\r\nab",
               b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
               b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
               b"HTTP/1.1 101 Switching\r\n\r\n",
               b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n"]

    def script(c):
        head = c.request()
        c.send(answers[int(head.split()[1][1:])])
        c.hold()
    with Server(script) as server:
        r = run(model, *(f"{server.http}/{i}" for i in range(len(answers))))
    return expect(r, ["protocol"] * len(answers), b"")


@case
def garbage_from_the_origin(model):
    with Origin() as origin:
        r = run(model, f"{origin.http}/bytes/1?garbage=9999")
    return expect(r, ["protocol"], b"")


@case
def too_large(model):
    with Origin() as origin:
        r = run(model, "--max-body", "1K", "-n",
                f"{origin.http}/bytes/1024", f"{origin.http}/bytes/1025",
                f"{origin.http}/bytes/1025?chunked=100",
                f"{origin.http}/bytes/1025?close")
    return expect(r, ["ok"] + ["too-large"] * 3)


@case
def errors_may_be_long(model):
    """--max-body is about what is kept. Of what is not, a little is read, and
    the connection, which holds the rest, is not used again."""
    heads = [b"HTTP/1.1 404 No\r\nContent-Length: 10000000\r\n\r\n",
             b"HTTP/1.1 500 No\r\n\r\n",
             b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n",
             b"HTTP/1.1 302 Found\r\nLocation: /fine\r\n"
             b"Transfer-Encoding: chunked\r\n\r\n"]

    def script(c):
        while head := c.request():
            path = head.split()[1]
            if path == b"/small":
                c.send(b"HTTP/1.1 404 No\r\nContent-Length: 60000\r\n\r\n"
                       + b"x" * 60000)
            elif path == b"/fine":
                c.ok(b"fine")
            else:
                c.send(heads[int(path[1:])])
                for _ in range(1000):
                    c.send(b"2710\r\n" + b"x" * 10000 + b"\r\n")
    with Server(script) as server:
        r = run(model, "-j1", "--max-body", "4",
                *(f"{server.http}/{i}" for i in range(4)),
                server.http + "/small", server.http + "/fine")
    equal(r.column("status"), ["404", "500", "404", "200", "404", "200"],
          "status")
    equal(server.connections, 5, "connections")
    return expect(r, ["http-error"] * 3 + ["ok", "http-error", "ok"],
                  b"fine" * 2)


@case
def errors_need_not_end(model):
    """The status is known; its body, which never comes, is not waited for."""
    def script(c):
        while head := c.request():
            if b"/fine" in head:
                c.ok(b"fine")
            else:
                c.send(b"HTTP/1.1 %s\r\nLocation: /fine\r\n"
                       b"Content-Length: 9\r\n\r\nx"
                       % head.split()[1][1:])
                c.hold()
    with Server(script) as server:
        r = run(model, "-t", "100", server.http + "/404",
                server.http + "/302", timeout=60)
        first = expect(r, ["http-error", "ok"], b"fine")
        # A limit that comes before the end of the second which the page is
        # given. On a busy machine it may even come before the head.
        for limit in ("0.4", "0.6", "0.8", "0.9"):
            r = run(model, "-t", limit, server.http + "/404")
            if r.words != ["timeout"]:
                break
    return first, expect(r, ["http-error"], b"")


@case
def header_too_large(model):
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100000):
            c.send(b"X: " + b"y" * 100 + b"\r\n")
    r, _ = fetch(model, script)
    return expect(r, ["too-large"], b"", err="256 KiB")


@case
def unsupported_schemes(model):
    r = run(model, "ftp://127.0.0.1/", "gopher://127.0.0.1/x")
    equal(r.column("attempts"), ["0", "0"], "attempts")
    return expect(r, ["unsupported"] * 2, b"")


@case
def bad_urls(model):
    urls = ["", "x", "http://", "http://h h/", "http://h/\x01", "http://h:x/",
            "http://h:65536/", "http://u:p@127.0.0.1/", "http://127.1/",
            "http://0x7f.0.0.1/", "http://[::1/", "tcp://127.0.0.1/x",
            "http://h/\r\nX: y", "//127.0.0.1/", "http:127.0.0.1"]
    r = run(model, "--", *urls)
    check("\x01" not in r.err and "\r" not in r.err,
          "a control character reaches the terminal")
    for row in r.rows:
        for name in ("status", "connected_us", "first_byte_us", "done_us",
                     "bytes", "reused", "peak_buffered"):
            equal(row[name], "-", name)
    return expect(r, ["bad-url"] * len(urls), b"")


# --- Redirects -------------------------------------------------------------

@case
def redirects(model):
    with Origin() as origin:
        r = run(model, f"{origin.http}/bytes/7?redirect=5",
                f"{origin.http}/bytes/0?redirect=/bytes/3",
                f"{origin.http}/bytes/0?redirect=./2%3Fseed%3D9",
                f"{origin.http}/bytes/0?redirect={origin.http}/bytes/1")
    equal(r.column("status"), ["200"] * 4, "status")
    return expect(r, ["ok"] * 4, content(7) + content(3) + content(2, 9) +
                  content(1))


@case
def redirect_limits(model):
    with Origin() as origin:
        url = f"{origin.http}/bytes/7?redirect=5"
        r = run(model, "--max-redirects", "4", url)
        first = expect(r, ["redirect-limit"], b"")
        r = run(model, "--max-redirects", "5", url)
        second = expect(r, ["ok"], content(7))
        r = run(model, "--max-redirects", "0", url)
        equal(r.column("status"), ["302"], "status")
        third = expect(r, ["ok"], b"")
    return first, second, third


@case
def redirects_to_other_schemes(model):
    targets = ["file:///etc/hostname", "tcp://127.0.0.1:1/x", "ftp://h/",
               "udp://127.0.0.1:1/", "javascript:x", "file:/etc/hostname",
               "FILE://LOCALHOST/etc/hostname", "fIle:hostname", "tcp://h/"]
    with Origin() as origin:
        r = run(model, *(f"{origin.http}/bytes/0?redirect={t}" for t in targets))
    equal(r.column("status"), ["302"] * len(targets), "status")
    return expect(r, ["unsupported"] * len(targets), b"")


@case
def redirects_to_bad_urls(model):
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 302 Found\r\nLocation: http://h/a b\r\n"
               b"Content-Length: 0\r\n\r\n")
        c.hold()
    r, _ = fetch(model, script)
    return expect(r, ["bad-url"], b"", err="in a redirect")


@case
def secrets_stay_at_home(model):
    with Server(serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as b:
        def script(c):
            head = c.request()
            while head:
                if b"/there" in head:
                    c.send(b"HTTP/1.1 302 Found\r\nLocation: %s/there\r\n"
                           b"Content-Length: 0\r\n\r\n" % b.http.encode())
                else:
                    c.send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n"
                           b"Content-Length: 0\r\n\r\n")
                head = c.request()
        with Server(script) as a:
            r = run(model, a.http + "/here", "-H", "Authorization: secret",
                    "-H", "Cookie: secret", "-H", "X-Plain: known")
    for head in a.requests:
        equal(head.count(b"secret"), 2, "at home")
    equal(len(a.requests), 2, "requests at home")
    equal(b.requests[0].count(b"secret"), 0, "elsewhere")
    check(b"X-Plain: known" in b.requests[0], "the plain header follows")
    return expect(r, ["ok"], b"")


@case
def content_headers_stay_behind(model):
    """After a 303, a PUT's headers about its content do not go with the GET
    (RFC 9110, 15.4); after a 307 there is still a PUT."""
    def script(c):
        while head := c.request():
            if b" /there" in head:
                c.ok(b"there")
            else:
                c.send(b"HTTP/1.1 %s\r\nLocation: /there\r\n"
                       b"Content-Length: 0\r\n\r\n" % head.split()[1][1:])
    given = ["Content-Type: a/b", "content-encoding: x", "Expect: y",
             "Digest: z"]
    answers = []
    for status, method in (("303", b"GET"), ("307", b"PUT")):
        with Server(script) as server, tempfile.NamedTemporaryFile() as file:
            file.write(b"abc")
            file.flush()
            r = run(model, "-T", file.name, f"{server.http}/{status}",
                    "-H", "X-Plain: known",
                    *(word for line in given for word in ("-H", line)))
        first, second = server.requests
        check(first.startswith(b"PUT ") and second.startswith(method), second)
        check(b"X-Plain: known" in second, "the plain header follows")
        for line in given + ["Content-Length: 3"]:
            check(line.encode() in first, f"{line} is missing")
            equal(line.encode() in second, method == b"PUT", line)
        answers.append(expect(r, ["ok"], b"there"))
    return answers


# --- Kept connections ------------------------------------------------------

@case
def a_crossing_408_costs_nothing(model):
    """A server gives up waiting for a request on a kept connection just as
    one goes out."""
    def script(c):
        c.request()
        if c.number == 1:
            c.ok(b"1")
            c.request()
        if c.number < 3:
            c.send(b"HTTP/1.1 408 Slow\r\nConnection: close\r\n"
                   b"Content-Length: 0\r\n\r\n")
            c.close()
    with Server(script) as server:
        r = run(model, "-j1", *[server.http + "/"] * 2)
        equal(server.connections, 2, "connections")
    equal(r.column("attempts"), ["1", "1"], "attempts")
    first = expect(r, ["ok", "http-error"], b"1")  # once; not for a fresh one

    def kinder(c):
        c.request()
        c.ok(b"%d" % c.number)
        if c.number == 1:
            c.request()
            c.send(b"HTTP/1.1 408 Slow\r\n\r\n")
        else:
            c.hold()
    with Server(kinder) as server:
        r = run(model, "-j1", *[server.http + "/"] * 2)
    equal(r.column("attempts"), ["1", "1"], "attempts")
    equal(r.column("status"), ["200", "200"], "status")
    return first, expect(r, ["ok", "ok"], b"12")


@case
def connections_are_reused(model):
    with Origin() as origin:
        r = run(model, "-j1", "-n", *[f"{origin.http}/bytes/10"] * 20)
        stats = origin.stats()
    equal(stats["connections"], 2, "connections, this look included")
    equal(r.column("reused"), ["0"] + ["1"] * 19, "reused")
    return expect(r, ["ok"] * 20)


@case
def connections_are_not_reused(model):
    with Origin() as origin:
        r = run(model, "-j1", "-n", "--no-keep-alive",
                *[f"{origin.http}/bytes/10"] * 5)
        stats = origin.stats()
    equal(stats["connections"], 6, "connections, this look included")
    equal(r.column("reused"), ["0"] * 5, "reused")
    return expect(r, ["ok"] * 5)


@case
def reused_after_a_redirect_and_an_error(model):
    with Origin() as origin:
        r = run(model, "-j1", f"{origin.http}/bytes/5?redirect=2",
                f"{origin.http}/nothing", f"{origin.http}/bytes/5")
        equal(origin.stats()["connections"], 2, "connections")
    return expect(r, ["ok", "http-error", "ok"], content(5) * 2)


SHIM = harness.preloaded("faults-shim.so")
SANITIZED = any(s in os.path.basename(harness.BIN) for s in ("asan", "tsan"))


def count_calls(model, call, *args):
    """How often a run called it; the shim of the faults counts."""
    with harness.Workplace() as place:
        page = place.join("page")
        r = run(model, *args, env=dict(os.environ, LD_PRELOAD=SHIM,
                                       TRIPTYCH_FAULT_PAGE=page))
        equal(r.status, 0, r.err)
        with open(page, "rb") as file:
            return sum(calls for name, calls, *_ in
                       struct.iter_unpack("24s4Q", file.read())
                       if name.rstrip(b"\0") == call)


@case(models=() if MINIMAL or SANITIZED
      else ("threads", "evloop", "coroutines"))
def used_again_at_once_is_not_probed(model):
    """With small bodies recv is called by the probe alone. A machine that is
    busy may make any connection wait so long that it has to be probed: so
    the best of some runs counts."""
    if not os.path.exists(SHIM):
        raise harness.Skip("the shim of the faults is not there")
    with Origin() as origin:
        for _ in range(5):
            probes = count_calls(model, b"recv", "-j16", "-n",
                                 *[f"{origin.http}/bytes/10"] * 500)
            if probes < 100:
                return
    raise Failure(f"{probes} probes of 500 requests")


@case
def stale_connections_cost_nothing(model):
    """Each connection serves one request, promises more, and closes, or is
    reset, just when the next request comes."""
    def script(c):
        c.request()
        c.ok(b"%d" % c.number)
        if c.number == 1:
            c.request()
            c.close()
        elif c.number == 2:
            c.request()
            c.reset()
        else:
            c.hold()
    with Server(script) as server:
        r = run(model, "-j1", *[server.http + "/"] * 3)
    equal(r.column("attempts"), ["1"] * 3, "attempts")
    equal(r.column("reused"), ["0"] * 3, "reused")
    return expect(r, ["ok"] * 3, b"123")


@case
def stale_only_once(model):
    def script(c):
        c.request()
        if c.number == 1:
            c.ok(b"1")
            c.request()
        c.close()
    with Server(script) as server:
        r = run(model, "-j1", *[server.http + "/"] * 2)
    equal(server.connections, 2, "connections")
    return expect(r, ["ok", "reset"], b"1")


@case
def closed_while_idle(model):
    """The server closes after each answer, although it did not say so."""
    def script(c):
        c.request()
        c.ok(b"x")
        c.close()
    with Server(script) as server:
        r = run(model, "-j1", *[server.http + "/"] * 10)
    return expect(r, ["ok"] * 10, b"x" * 10)


@case
def smuggled_with_the_answer(model):
    """A second answer that nobody asked for, right behind the first."""
    def script(c):
        while c.request():
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
                   b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
    with Server(script) as server:
        r = run(model, "-j1", *[server.http + "/"] * 6)
    equal(r.column("reused"), ["0"] * 6, "reused")
    return expect(r, ["ok"] * 6, b"good" * 6)


@case
def content_of_no_content(model):
    """A 204 that announces content, and sends it late: it is no answer to the
    next request. One whose length is 0 costs nothing."""
    heads = [b"Content-Length: 5", b"Transfer-Encoding: chunked",
             b"Content-Length: 0"]

    def script(c):
        late = b""
        while head := c.request():
            c.send(late)
            late = b""
            path = head.split()[1]
            if path == b"/fine":
                c.ok(b"fine")
                continue
            field = heads[int(path[1:])]
            c.send(b"HTTP/1.1 204 No\r\n" + field + b"\r\n\r\n")
            if field != heads[2]:
                late = b"HTTP/"
    with Server(script) as server:
        urls = [server.http + path
                for path in ("/0", "/fine", "/1", "/fine", "/2", "/fine")]
        r = run(model, "-j1", *urls)
    equal(r.column("reused"), ["0", "0", "1", "0", "1", "1"], "reused")
    return expect(r, ["ok"] * 6, b"fine" * 3)


@case
def smuggled_while_idle(model):
    """The second answer comes while the connection is idle: the client is
    busy with another server."""
    said = threading.Semaphore(0)

    def script(c):
        while c.request():
            c.ok(b"good")
            time.sleep(0.05)
            c.ok(b"EVIL")
            said.release()

    def busy(c):
        while c.request():
            said.acquire(timeout=PATIENCE)
            c.ok(b"")
    with Server(script) as server, Server(busy) as other:
        r = run(model, "-j1", server.http, other.http, server.http,
                other.http, server.http)
    return expect(r, ["ok"] * 5, b"good" * 3)


# --- Limits on time --------------------------------------------------------

@case
def timeout_without_an_answer(model):
    def script(c):
        c.request()
        c.hold()
    r, _ = fetch(model, script, "-t", "0.3")
    return expect(r, ["timeout"], b"", err="0.3 seconds")


@case
def timeout_within_the_header(model):
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nX")
        c.hold()
    r, _ = fetch(model, script, "-t", "0.3")
    return expect(r, ["timeout"], b"")


@case
def timeout_of_a_drip(model):
    """A byte now and then does not keep a request alive for ever."""
    with Origin() as origin:
        r = run(model, "-n", "-t", "0.5",
                f"{origin.http}/bytes/1000?header-drip=20",
                f"{origin.http}/bytes/100000?rate=1000")
    return expect(r, ["timeout"] * 2)


@case
def timeout_of_a_server_that_never_stops(model):
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            c.send(b"x" * 65536)
    r, _ = fetch(model, script, "-t", "0.5", "-n")
    return expect(r, ["timeout"])


@case
def timeout_includes_redirects(model):
    def script(c):
        while c.request():
            time.sleep(0.2)
            c.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\n"
                   b"Content-Length: 0\r\n\r\n")
    r, _ = fetch(model, script, "-t", "0.7", "--max-redirects", "1000")
    return expect(r, ["timeout"], b"")


@case
def connect_timeout(model):
    with deaf_port() as port:
        r = run(model, f"http://127.0.0.1:{port}/", "--connect-timeout",
                "0.3")
        first = expect(r, ["connect-timeout"], b"")
        r = run(model, f"http://127.0.0.1:{port}/", "-t", "0.3")
        second = expect(r, ["timeout"], b"")
        # Both at once: the time is up, whatever it was spent on.
        r = run(model, f"http://127.0.0.1:{port}/", "-t", "0.3",
                "--connect-timeout", "0.3")
        third = expect(r, ["timeout"], b"")
    return first, second, third


# --- Retries ---------------------------------------------------------------

@case
def retries_until_it_works(model):
    def script(c):
        c.request()
        if c.number == 1:
            c.reset()
        elif c.number == 2:
            c.close()
        elif c.number == 3:
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            c.close()
        elif c.number == 4:
            c.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
            c.close()
        else:
            c.ok(b"there")
    r, server = fetch(model, script, "--retries", "4")
    equal(r.column("attempts"), ["5"], "attempts")
    equal(server.connections, 5, "connections")
    return expect(r, ["ok"], b"there")


@case
def retries_after_busy_answers(model):
    def script(c):
        c.request()
        if c.number < 3:
            c.send(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n"
                   % {1: 408, 2: 429}[c.number])
            c.close()
        else:
            c.ok(b"there")
    r, _ = fetch(model, script, "--retries", "2")
    equal(r.column("attempts"), ["3"], "attempts")
    return expect(r, ["ok"], b"there")


@case
def retries_after_the_time_asked_for(model):
    """Seconds, and dates by the clock of the server, which is wrong by years;
    longer than a minute: not at all."""
    asked = [b"Retry-After: 2",
             b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
             b"Retry-After: Sun, 06 Nov 1994 08:49:39 GMT",
             b"Date: Sun Nov  6 08:49:37 1994\r\n"
             b"Retry-After: Sunday, 06-Nov-94 08:49:39 GMT",
             b"Retry-After: 61", b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"]
    seen = {}

    def script(c):
        while head := c.request():
            number = int(head.split()[1][1:])
            times = seen.setdefault(number, [])
            times.append(time.monotonic())
            if len(times) == 1:
                c.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n"
                       + asked[number] + b"\r\n\r\n")
            else:
                c.ok(b"there")
    with Server(script) as server:
        r = run(model, "--retries", "3",
                *(f"{server.http}/{i}" for i in range(len(asked))))
    equal(r.column("attempts"), ["2", "2", "2", "1", "1"], "attempts")
    for number in range(3):
        first, second = seen[number]
        check(second - first >= 1.9, f"{asked[number]}: {second - first} s")
    return expect(r, ["ok"] * 3 + ["http-error"] * 2, b"there" * 3)


@case
def a_redirect_is_followed_at_once(model):
    """RFC 9110, 10.2.3, would have a Retry-After on a redirect waited for; curl
    and the browsers do not, and nor do we."""
    def script(c):
        while head := c.request():
            if head.startswith(b"GET /there"):
                c.ok(b"there")
            else:
                c.send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n"
                       b"Retry-After: 3600\r\nContent-Length: 0\r\n\r\n")
    r, _ = fetch(model, script, "--retries", "2")
    equal(r.column("attempts"), ["1"], "attempts")
    return expect(r, ["ok"], b"there")


@case
def retries_after_what_a_cut_answer_asked_for(model):
    """The head has said when to come back; that the content was cut makes no
    difference."""
    asked = [b"1", b"61"]
    seen = {}

    def script(c):
        number = int(c.request().split()[1][1:])
        times = seen.setdefault(number, [])
        times.append(time.monotonic())
        if len(times) == 1:
            c.send(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\nRetry-After: "
                   + asked[number] + b"\r\n\r\nx")
            c.close()
        else:
            c.ok(b"there")
    with Server(script) as server:
        r = run(model, "--retries", "1", server.http + "/0",
                server.http + "/1")
    equal(r.column("attempts"), ["2", "1"], "attempts")
    check(seen[0][1] - seen[0][0] >= 0.9, "it did not wait")
    return expect(r, ["ok", "truncated"], b"there")


@case
def retries_give_up(model):
    def script(c):
        c.request()
        c.close()
    r, server = fetch(model, script, "--retries", "2")
    equal(r.column("attempts"), ["3"], "attempts")
    equal(server.connections, 3, "connections")
    return expect(r, ["reset"], b"")


@case
def what_is_not_retried(model):
    with Origin() as origin:
        r = run(model, "--retries", "3", f"{origin.http}/nothing",
                f"{origin.http}/bytes/1?status=500",
                f"{origin.http}/bytes/1?garbage", "ftp://h/")
    equal(r.column("attempts"), ["1", "1", "1", "0"], "attempts")
    return expect(r, ["http-error", "http-error", "protocol", "unsupported"],
                  b"")


@case
def a_retry_has_its_own_time(model):
    def script(c):
        c.request()
        if c.number == 3:
            c.ok(b"late")
        c.hold()
    r, _ = fetch(model, script, "--retries", "2", "-t", "3")
    equal(r.column("attempts"), ["3"], "attempts")
    return expect(r, ["ok"], b"late")


@case
def ordered_output_is_final(model):
    """Once a byte of the body has come there is no second try: it may be out
    already. A file or nothing can start afresh."""
    def script(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        c.send(b"abc" if c.number == 1 else b"abcdef")
        c.close()
    r, _ = fetch(model, script, "--retries", "3")
    first = expect(r, ["truncated"], b"abc")
    r, _ = fetch(model, script, "--retries", "3", "-n")
    equal(r.column("bytes"), ["6"], "bytes")
    return first, expect(r, ["ok"], b"")


# --- tcp -------------------------------------------------------------------

@case
def tcp_dialogues(model):
    def script(c):
        c.send(b"<" + c.read_all() + b">")
    with Server(script) as server:
        r = run(model, server.tcp + "/hello", server.tcp + "/a%00%0Ab?c=%25",
                server.tcp, server.tcp + "/")
    equal(r.column("status"), ["-"] * 4, "status")
    return expect(r, ["ok"] * 4, b"<hello><a\0\nb?c=%><><>")


@case
def tcp_echo_of_the_origin(model):
    text = "x" * 30000
    with Origin() as origin:
        r = run(model, f"{origin.tcp}/{text}", f"{origin.tcp}/y")
    return expect(r, ["ok"] * 2, text.encode() + b"y")


@case
def tcp_answers_can_be_empty_or_cut(model):
    def script(c):
        if c.read_all() == b"rst":
            c.send(b"abc")
            time.sleep(0.1)
            c.reset()
    with Server(script) as server:
        r = run(model, server.tcp + "/", server.tcp + "/rst", "-n")
    return expect(r, ["ok", "reset"])


# --- Addresses -------------------------------------------------------------

@case
def ipv6_literals(model):
    try:
        server = Server(serve(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
                              b"6"), address="::1")
    except OSError as error:
        raise Failure(f"no IPv6 on loopback: {error}")
    with server:
        r = run(model, server.http + "/")
    check(f"Host: [::1]:{server.port}".encode() in server.requests[0],
          "the Host field")
    return expect(r, ["ok"], b"6")


@case
def names_from_the_hosts_file(model):
    """There localhost may be ::1 first; a minimal program may try no other."""
    def script(c):
        while c.request():
            c.ok(b"good")
    first = socket.getaddrinfo("localhost", 1)[0][4][0]
    with Server(script, first if MINIMAL else "127.0.0.1") as server:
        r = run(model, f"http://localhost:{server.port}",
                f"http://LocalHost:{server.port}")
    return expect(r, ["ok"] * 2, b"good" * 2)


# --- Injection -------------------------------------------------------------

@case
def nothing_is_injected(model):
    """CR, LF and NUL reach the wire neither from a URL, nor from a header,
    nor from a redirect; what is percent-encoded stays so."""
    evil = [b"\r\nEvil: 1", b"\nEvil: 1", b"\rEvil: 1", b"\0Evil: 1", b"\t",
            b" HTTP/1.1\r\nHost: evil\r\n\r\nGET /evil", b" evil", b"\x7f"]

    def script(c):
        while head := c.request():
            if b"GET /lead" in head:
                c.send(b"HTTP/1.1 302 Found\r\nLocation: /a\0b\r\n"
                       b"Content-Length: 0\r\n\r\n")
            else:
                c.ok(b"fine")
    with Server(script) as server:
        base = server.http.encode()
        places = [base + b"/x%s", base + b"/?%s", base + b"%s/",
                  b"http://127.0.0.1%s:1/"]
        given = [place % piece for place in places for piece in evil
                 if b"\0" not in piece]
        r = run(model, "-n", *given)
        equal(set(r.words), {"bad-url"}, r.err)
        # A line ends at LF, and TAB begins a name; the rest may be tried.
        lines = [place % piece for place in places for piece in evil
                 if b"\n" not in piece and b"\t" not in piece]
        r = run(model, "-n", "-i", "-", stdin=b"\n".join(lines))
        equal(set(r.words), {"bad-url"}, r.err)
        equal(len(r.words), len(lines), "requests")
        for piece in evil:
            if b"\0" in piece or piece in (b"\t", b" evil"):
                continue
            for header in b"A: b" + piece, b"A" + piece + b": b":
                r = run(model, "-H", header, server.http, report=False)
                equal(r.status, 2, f"{header!r}: exit status")
        equal(server.requests, [], "what was sent")
        r = run(model, "-n", server.http + "/lead")
        check(r.words[0] in ("bad-url", "protocol"), r.err)
        r = run(model, server.http + "/%0d%0aEvil:%201%00")
        equal(len(server.requests), 2, "requests sent")
        check(server.requests[1].startswith(
            b"GET /%0d%0aEvil:%201%00 HTTP/1.1\r\n"), server.requests[1])
        check(not any(b"\nEvil" in head for head in server.requests),
              "it was injected")
        return expect(r, ["ok"], b"fine")


if __name__ == "__main__":
    main()

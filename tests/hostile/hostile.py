"""A hostile server: what it does to one request, and what must come of it.

Each behaviour is a row: a name, what the server sends (or does), and the word
that each of the three fetchers must end the request with. After the hostile
answer the same run fetches /fine from the same server, which must arrive
untouched, whatever happened before: isolation.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../contract"))
sys.dont_write_bytecode = True

import atexit
import socket
import ssl

from authority import Authority, say_goodbye, slam
from harness import CASES, MODELS, Server, check, equal, main, run

OK = b"HTTP/1.1 200 OK\r\n"
FINE = b"this is fine"
MIB = 1 << 20


# --- What a server can do --------------------------------------------------

def fin(c):
    c.close()


def rst(c):
    c.reset()


def stall(c):
    c.hold()


def serve_on(c):
    del c


def answer(data, then=fin, drip=False):
    """Sends `data` - all at once, or a byte at a time - and does `then`."""
    def act(c):
        if drip:
            c.send(data, piece=1, pause=0.002)
        else:
            c.send(data)
        then(c)
    return act


def endless(head, piece, most=64 * MIB):
    """Sends `piece` until nobody listens any more."""
    def act(c):
        c.send(head)
        block = piece * (65536 // len(piece) + 1)
        sent = 0
        while sent < most:
            c.send(block)
            sent += len(block)
        c.close()
    return act


# --- Cut short at every stage, in every way --------------------------------

STAGES = [
    ("nothing", b""),
    ("version", b"HTT"),
    ("status", b"HTTP/1.1 2"),
    ("reason", b"HTTP/1.1 200 O"),
    ("status-line", b"HTTP/1.1 200 OK\r"),
    ("field-name", OK + b"Content-Le"),
    ("field-value", OK + b"Content-Length: 1"),
    ("head-end", OK + b"Content-Length: 10\r\n\r"),
    ("body-start", OK + b"Content-Length: 10\r\n\r\n"),
    ("body", OK + b"Content-Length: 10\r\n\r\n12345"),
    ("chunk-size", OK + b"Transfer-Encoding: chunked\r\n\r\n1"),
    ("chunk-data", OK + b"Transfer-Encoding: chunked\r\n\r\na\r\n1234"),
    ("chunk-end", OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n12\r"),
    ("last-chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n0\r"),
    ("trailer", OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y"),
    ("after-1xx", b"HTTP/1.1 100 Continue\r\n\r\n"),
]

ROWS = []
for stage, bytes_ in STAGES:
    first = "reset" if stage == "nothing" else "truncated"
    ROWS += [(f"fin-in-{stage}", answer(bytes_, fin), first),
             (f"rst-in-{stage}", answer(bytes_, rst), "reset"),
             (f"stall-in-{stage}", answer(bytes_, stall), "timeout"),
             (f"drip-and-fin-in-{stage}", answer(bytes_, fin, drip=True),
              first)]


# --- Lengths, chunks, fields -----------------------------------------------

def length(value):
    return answer(OK + b"Content-Length: " + value + b"\r\n\r\n12345")


def chunked(body):
    return answer(OK + b"Transfer-Encoding: chunked\r\n\r\n" + body)


def head(lines):
    return answer(OK + lines + b"\r\nContent-Length: 5\r\n\r\n12345")


ROWS += [
    ("length-negative", length(b"-5"), "protocol"),
    ("length-plus", length(b"+5"), "protocol"),
    ("length-hex", length(b"0x5"), "protocol"),
    ("length-empty", length(b""), "protocol"),
    ("length-words", length(b"five"), "protocol"),
    ("length-two-numbers", length(b"5 5"), "protocol"),
    ("length-fraction", length(b"5.0"), "protocol"),
    ("length-2-to-64", length(b"18446744073709551616"), "protocol"),
    ("length-2-to-64-and-5", length(b"18446744073709551621"), "protocol"),
    ("length-2-to-63", length(b"9223372036854775808"), None),
    ("length-list-differs", length(b"5, 6"), "protocol"),
    ("length-twice-differs", length(b"5\r\nContent-Length: 6"), "protocol"),
    ("length-twice-alike", length(b"5\r\nContent-Length: 5"), None),
    ("length-too-long", answer(OK + b"Content-Length: 3\r\n\r\n12345"), "ok"),
    ("length-zeroes", length(b"0" * 5000 + b"5"), None),
    ("chunk-size-negative", chunked(b"-5\r\n12345\r\n0\r\n\r\n"), "protocol"),
    ("chunk-size-0x", chunked(b"0x5\r\n12345\r\n0\r\n\r\n"), "protocol"),
    ("chunk-size-empty", chunked(b"\r\n12345\r\n0\r\n\r\n"), "protocol"),
    ("chunk-size-2-to-64", chunked(b"10000000000000000\r\n12345"), "protocol"),
    ("chunk-size-2-to-64-and-5",
     chunked(b"10000000000000005\r\n12345\r\n0\r\n\r\n"), "protocol"),
    ("chunk-size-zeroes", chunked(b"0" * 3000 + b"5\r\n12345\r\n0\r\n\r\n"),
     None),
    ("chunk-without-end", chunked(b"5\r\n123456\r\n0\r\n\r\n"), "protocol"),
    ("chunk-bare-lf", chunked(b"5\n12345\n0\n\n"), None),
    ("chunk-sizes-endless", endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"), None),
    ("chunk-extension-endless", endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x"), "too-large"),
    ("trailers-endless", endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
     "too-large"),
    ("chunks-after-the-last", chunked(b"5\r\n12345\r\n0\r\n\r\n5\r\nworse\r\n"),
     "ok"),
    ("encoding-unknown", answer(
        OK + b"Transfer-Encoding: gzip\r\n\r\n12345"), None),
    ("encoding-twice", answer(
        OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), None),
    ("encoding-not-last", answer(
        OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"), None),
    ("encoding-and-length", answer(
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
        b"5\r\n12345\r\n0\r\n\r\n"), "ok"),
    ("fields-endless", endless(OK, b"X-Y: z\r\n"), "too-large"),
    ("field-endless", endless(OK + b"X: ", b"y"), "too-large"),
    ("reason-endless", endless(b"HTTP/1.1 200 ", b"K"), "too-large"),
    ("1xx-endless", endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), None),
    ("empty-lines-endless", endless(b"", b"\r\n"), None),
    ("field-without-colon", head(b"nonsense"), "protocol"),
    ("field-without-name", head(b": value"), "protocol"),
    ("space-before-colon", head(b"X : y"), "protocol"),
    ("space-before-field", head(b" X: y"), None),
    ("folded-field", head(b"X: y\r\n z"), None),
    ("nul-in-field", head(b"X: a\0b"), "protocol"),
    ("nul-in-name", head(b"X\0: ab"), "protocol"),
    ("cr-in-field", head(b"X: a\rb"), "protocol"),
    ("high-bytes-in-field", head(b"X: \xff\xfe\x80"), "ok"),
    ("bare-lf", answer(b"HTTP/1.1 200 OK\nContent-Length: 5\n\n12345"), None),
    ("version-2", answer(b"HTTP/2.0 200 OK\r\n\r\n"), "protocol"),
    ("version-0.9", answer(b"<html>hello</html>"), "protocol"),
    ("version-lower-case", answer(b"http/1.1 200 OK\r\n\r\n"), "protocol"),
    ("version-long", answer(b"HTTP/1.10 200 OK\r\n\r\n"), "protocol"),
    ("status-short", answer(b"HTTP/1.1 20 OK\r\n\r\n"), "protocol"),
    ("status-long", answer(b"HTTP/1.1 2000 OK\r\n\r\n"), "protocol"),
    ("status-words", answer(b"HTTP/1.1 abc OK\r\n\r\n"), "protocol"),
    ("status-000", answer(b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n"),
     "protocol"),
    ("status-999", answer(b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"),
     None),
    ("status-101", answer(
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nwhatever"), None),
    ("tls-alert", answer(b"\x15\x03\x01\x00\x02\x02\x46"), "protocol"),
    ("zeroes", endless(b"", b"\0"), "protocol"),
    ("204-with-body", answer(
        b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n12345"), "ok"),
    ("304-with-length", answer(
        b"HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n"), "ok"),
    ("body-endless", endless(OK + b"\r\n", b"x"), "too-large"),
    ("chunks-endless", endless(OK + b"Transfer-Encoding: chunked\r\n\r\n",
                               b"5\r\n12345\r\n"), "too-large"),
    ("body-announced-endless", answer(
        OK + b"Content-Length: 4611686018427387904\r\n\r\n"), "too-large"),
    ("error-page-endless", endless(
        b"HTTP/1.1 404 Not Found\r\n\r\n", b"x"), "http-error"),
]


# --- Answers that nobody asked for -----------------------------------------

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


ROWS += [
    ("second-answer-at-once", answer(GOOD + EVIL, stall), "ok"),
    ("half-an-answer-behind", answer(GOOD + EVIL[:20], stall), "ok"),
    ("an-empty-line-behind", answer(GOOD + b"\r\n", stall), "ok"),
    ("behind-a-204", answer(b"HTTP/1.1 204 No\r\n\r\n" + EVIL, stall), "ok"),
    ("behind-chunks", answer(
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + EVIL, stall),
     "ok"),
    ("rst-behind", answer(GOOD, rst), None),
    ("1xx-behind", answer(GOOD + b"HTTP/1.1 100 C\r\n\r\n", stall), "ok"),
]


# --- Redirects -------------------------------------------------------------

def redirect(location, status=b"302 Found"):
    return answer(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nLocation: "
                  + location + b"\r\n\r\n", serve_on)


ROWS += [
    ("redirect-to-itself", redirect(b""), "redirect-limit"),
    ("redirect-round-in-circles", redirect(b"/hostile?again"),
     "redirect-limit"),
    ("redirect-to-file", redirect(b"file:///etc/passwd"), "unsupported"),
    ("redirect-to-tcp", redirect(b"tcp://127.0.0.1:1/x"), "unsupported"),
    ("redirect-to-javascript", redirect(b"javascript:alert(1)"),
     "unsupported"),
    ("redirect-to-ftp", redirect(b"ftp://127.0.0.1/x"), "unsupported"),
    ("redirect-to-nonsense", redirect(b"http://"), "bad-url"),
    ("redirect-with-a-space", redirect(b"/a b"), "bad-url"),
    ("redirect-with-a-password", redirect(b"http://u:p@127.0.0.1/"),
     "bad-url"),
    ("redirect-with-control", redirect(b"/a\x01b"), None),
    ("redirect-to-port-0", redirect(b"http://127.0.0.1:0/"), None),
    ("redirect-to-port-65536", redirect(b"http://127.0.0.1:65536/"),
     "bad-url"),
    ("redirect-far-too-long", redirect(b"/" + b"x" * 200000), "bad-url"),
    ("redirect-up-and-up", redirect(b"../" * 1000 + b"hostile"),
     "redirect-limit"),
    ("redirect-with-endless-body", endless(
        b"HTTP/1.1 302 Found\r\nLocation: /hostile\r\n\r\n", b"x"),
     "redirect-limit"),
]


# --- Wrong TLS -------------------------------------------------------------

AUTHORITY = Authority()
atexit.register(AUTHORITY.remove)
RIGHT = AUTHORITY.issue("right")
HELLO = b"\x16\x03\x03"  # a record of the handshake
ALERT = b"\x15\x03\x03\x00\x02\x02"


def in_handshake(data, then=stall):
    """Sends what is no answer to a client's hello."""
    def act(c):
        c.sock.recv(10000)
        c.send(data)
        then(c)
    return act


def shut(c):
    """The end, but not a reset because of what was not read."""
    c.sock.shutdown(socket.SHUT_WR)
    c.hold()


def secured(pair, data=OK + b"Content-Length: 5\r\n\r\nevil!", then=stall,
            **settings):
    """Shakes hands with this certificate, and answers."""
    def act(c):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        for name, value in settings.items():
            setattr(context, name, value)
        try:
            c.sock = context.wrap_socket(c.sock, server_side=True)
        except (OSError, ValueError):
            return
        c.request()
        c.send(data)
        then(c)
    return act


def plain_after(c):
    """Goes on without TLS, in the middle of it."""
    with socket.socket(fileno=os.dup(c.sock.fileno())) as raw:
        raw.sendall(b"5\r\nevil!\r\n0\r\n\r\n")
    c.hold()


AUTHORITY.root("unknown")
TLS_ROWS = [
    ("tls-stall-in-handshake", in_handshake(b""), "timeout"),
    ("tls-fin-in-handshake", in_handshake(b"", shut), "reset"),
    ("tls-rst-in-handshake", in_handshake(b"", rst), "reset"),
    ("tls-half-a-record", in_handshake(HELLO + b"\x00\x50\x02", shut),
     "reset"),
    ("tls-half-a-record-and-stall", in_handshake(HELLO + b"\x00\x50\x02"),
     "timeout"),
    ("tls-answers-http", in_handshake(OK + b"Content-Length: 5\r\n\r\nevil!"),
     "tls"),
    ("tls-record-too-long", in_handshake(HELLO + b"\xff\xff" + b"x" * 70000),
     "tls"),
    ("tls-record-empty", in_handshake(HELLO + b"\x00\x00"), "timeout"),
    ("tls-hello-nonsense", in_handshake(HELLO + b"\x00\x04\x02\x00\x00\x00"),
     "tls"),
    ("tls-finished-first", in_handshake(HELLO + b"\x00\x04\x14\x00\x00\x00"),
     "tls"),
    ("tls-data-first", in_handshake(b"\x17\x03\x03\x00\x05evil!"), "tls"),
    ("tls-alert-handshake-failure", in_handshake(ALERT + b"\x28"), "tls"),
    ("tls-alert-unrecognized-name", in_handshake(ALERT + b"\x70"), "tls"),
    ("tls-alert-of-no-meaning", in_handshake(ALERT + b"\xf7"), "tls"),
    ("tls-close-notify-first",
     in_handshake(b"\x15\x03\x03\x00\x02\x01\x00", shut), None),
    ("tls-expired", secured(AUTHORITY.issue("expired", days=0)), "tls"),
    ("tls-wrong-name", secured(AUTHORITY.issue("wrong", alt="DNS:a.b")),
     "tls"),
    ("tls-self-signed", secured(AUTHORITY.self_signed("self")), "tls"),
    ("tls-unknown-authority",
     secured(AUTHORITY.issue("stranger", ca="unknown")), "tls"),
    ("tls-nul-in-name",
     secured(AUTHORITY.issue("nul", alt="DNS:127.0.0.1.evil")), "tls"),
    ("tls-cut-until-close", secured(RIGHT, OK + b"\r\nwhole?", slam),
     "truncated"),
    ("tls-goodbye-until-close",
     secured(RIGHT, OK + b"\r\nwhole!", say_goodbye), "ok"),
    ("tls-plain-bytes-in-the-midst",
     secured(RIGHT, OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
             plain_after), "tls"),
] + [(f"tls-{how.__name__}-in-{stage}", secured(RIGHT, data, how),
      "reset" if stage == "nothing" else "truncated")
     for stage, data in STAGES for how in (say_goodbye, slam)]


# --- Running ---------------------------------------------------------------

# Seconds for an attempt: what times out must do so while we wait; what does
# not must not, on the busiest machine; and what may be either is in between.
LIMITS = {"timeout": "2", None: "5"}
LIMIT = "40"


def make_case(name, act, word):
    def script(c):
        while True:
            request = c.request()
            if request is None:
                return
            if b" /fine" in request.split(b"\r\n")[0]:
                c.ok(FINE)
                continue
            act(c)

    def case(model):
        with Server(script) as server:
            r = run(model, "-j1", "-t", LIMITS.get(word, LIMIT), "--max-body",
                    "100K", "--max-redirects", "3", f"{server.http}/hostile",
                    f"{server.http}/fine")
        if word is not None:
            equal(r.words[0], word, f"{name}: {r.err}")
        equal(r.words[1], "ok", f"{name}: the next one: {r.err}")
        check(r.out.endswith(FINE), f"{name}: {r.out[-50:]!r}")
        check(b"evil" not in r.out, f"{name}: {r.out!r}")
        equal(r.status, 0 if r.words[0] == "ok" else 1, name)
        return (r.words, r.column("status"),
                r.out if r.words[0] == "ok" else None)
    case.__name__ = name
    return case


def make_tls_case(name, act, word):
    """Whoever comes with TLS gets the hostile answer; /fine goes without."""
    def script(c):
        if c.sock.recv(1, socket.MSG_PEEK) == b"\x16":
            act(c)
        while c.request():
            c.ok(FINE)

    def case(model):
        with Server(script) as server:
            url = server.http.replace("http:", "https:")
            r = run(model, "--cacert", AUTHORITY.ca, "-j1", "-t",
                    LIMITS.get(word, LIMIT), f"{url}/hostile",
                    f"{server.http}/fine")
        if word is not None:
            equal(r.words[0], word, f"{name}: {r.err}")
        equal(r.words[1], "ok", f"{name}: the next one: {r.err}")
        check(b"evil" not in r.out, f"{name}: {r.out!r}")
        return r.words, r.out if r.words[0] == "ok" else None
    case.__name__ = name
    return case


for row in ROWS:
    CASES.append((make_case(*row), MODELS))
for row in TLS_ROWS:
    CASES.append((make_tls_case(*row), MODELS))

if __name__ == "__main__":
    check(len({row[0] for row in ROWS + TLS_ROWS}) ==
          len(ROWS + TLS_ROWS), "a name is there twice")
    main()

"""https: who is trusted, what is spoken, how it ends."""

import atexit
import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import warnings

from authority import Authority, Sealer, TlsServer, say_goodbye, slam
from harness import (BIN, MODELS, PATIENCE, Origin, Running, Server, Skip, Workplace,
                     case, check, content, copy_program, equal, expect, main,
                     preloaded, run, wait_for)
from looking import SANITIZED

AUTHORITY = Authority()
atexit.register(AUTHORITY.remove)
RIGHT = AUTHORITY.issue("right")
EXPIRED = AUTHORITY.issue("expired", days=0)
WRONG_NAME = AUTHORITY.issue("wrong", alt="DNS:example.org,IP:127.0.0.9")
BY_NAME = AUTHORITY.issue("named", alt="DNS:localhost")
WILD = AUTHORITY.issue("wild", alt="DNS:*.localhost")
NO_ALT = AUTHORITY.issue("127.0.0.1", alt="DNS:nobody")
NO_ALT_AT_ALL = AUTHORITY.issue("localhost", alt=None)
SELF_SIGNED = AUTHORITY.self_signed("self")
AUTHORITY.root("other")
STRANGER = AUTHORITY.issue("stranger", ca="other")
TRUST = ["--cacert", AUTHORITY.ca]


def speak(connection):
    """Answers every request of a connection."""
    while head := connection.request():
        path = head.split()[1].decode()
        connection.ok(path.encode())


def one(connection, data, end):
    connection.request()
    connection.send(data)
    end(connection)


# --- Trust -----------------------------------------------------------------

@case
def a_right_certificate(model):
    with TlsServer(speak, RIGHT) as server:
        r = run(model, *TRUST, server.https + "/a", server.https + "/b",
                server.named + "/c")
        equal(server.names.count("localhost"), 1, "name indications")
        check(set(server.names) <= {None, "localhost"},
              f"an address is no name: {server.names}")
        return expect(r, ["ok"] * 3, b"/a/b/c")


@case
def an_ipv6_address(model):
    with TlsServer(speak, RIGHT, address="::1") as server:
        return expect(run(model, *TRUST, server.https + "/a"), ["ok"], b"/a")


def refused(model, pair, words, *args):
    with TlsServer(speak, pair) as server:
        url = server.https + "/a"
        r = run(model, *args, url, url, "-j", "1")
        equal(server.requests, [], "requests that went out")
        answer = expect(r, ["tls", "tls"], b"", err=words)
        equal(r.column("attempts"), ["1", "1"], "attempts")
        r = run(model, "--insecure", url)
        expect(r, ["ok"], b"/a")
        return answer


@case
def the_system_does_not_know_our_authority(model):
    return refused(model, RIGHT, "unable to get local issuer certificate")


@case
def an_expired_certificate(model):
    return refused(model, EXPIRED, "certificate has expired", *TRUST)


@case
def a_wrong_name(model):
    return refused(model, WRONG_NAME, "IP address mismatch", *TRUST)


@case
def a_common_name_is_no_name(model):
    with TlsServer(speak, NO_ALT_AT_ALL) as server:
        r = run(model, *TRUST, server.named + "/a")
    return (refused(model, NO_ALT, "IP address mismatch", *TRUST),
            expect(r, ["tls"], b"", err="hostname mismatch"))


@case
def a_self_signed_certificate(model):
    return refused(model, SELF_SIGNED, "self-signed certificate", *TRUST)


@case
def a_stranger_s_authority(model):
    return refused(model, STRANGER, "unable to get local issuer", *TRUST)


@case
def a_host_name_that_does_not_match(model):
    with TlsServer(speak, WILD) as server:
        return expect(run(model, *TRUST, server.named), ["tls"],
                      err="hostname mismatch")


@case
def a_name_where_an_address_is_asked_for(model):
    with TlsServer(speak, BY_NAME) as server:
        r = run(model, *TRUST, server.https + "/a", server.named + "/b")
        return expect(r, ["tls", "ok"], b"/b", status=1)


@case
def the_system_s_store(model):
    """OpenSSL looks where SSL_CERT_FILE says, instead of the system's own."""
    with TlsServer(speak, RIGHT) as server:
        env = {**os.environ, "SSL_CERT_FILE": AUTHORITY.ca}
        return expect(run(model, server.https + "/a", env=env), ["ok"], b"/a")


@case
def a_cacert_that_is_none(model):
    with Workplace() as place:
        for name, text, words in [("missing", None, "No such file"),
                                  ("empty", "", "no certificates"),
                                  ("junk", "junk\n", "no certificates")]:
            path = place.join(name)
            if text is not None:
                with open(path, "w", encoding="ascii") as file:
                    file.write(text)
            r = run(model, "--cacert", path, "file:///dev/null", report=False)
            equal(r.status, 3, f"exit status, {name}")
            check(words in r.err and path in r.err, r.err)


# --- What is spoken --------------------------------------------------------

@case
def old_versions_are_not_spoken(model):
    def old(context):
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    with TlsServer(speak, RIGHT, old) as server:
        return expect(run(model, "--insecure", server.https), ["tls"])


@case
def both_new_versions(model):
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        def only(context, version=version):
            context.minimum_version = context.maximum_version = version
        with TlsServer(speak, RIGHT, only) as server:
            r = run(model, *TRUST, "-j", "1",
                    *[f"{server.https}/{i}" for i in range(5)])
            expect(r, ["ok"] * 5, b"/0/1/2/3/4")
            equal(server.connections, 1, "connections")
            equal(r.column("reused"), list("01111"), "reused")


@case
def http_is_what_is_offered(model):
    def two(context):
        context.set_alpn_protocols(["h2", "http/1.1"])
    spoken = []

    def ask(c):
        spoken.append(c.sock.selected_alpn_protocol())
        speak(c)
    with TlsServer(ask, RIGHT, two) as server:
        expect(run(model, *TRUST, server.https), ["ok"], b"/")
    equal(spoken, ["http/1.1"], "protocol")


@case
def a_client_certificate_is_wanted(model):
    def strict(context):
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(AUTHORITY.ca)
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        def settle(context, version=version):
            strict(context)
            context.maximum_version = version
        with TlsServer(speak, RIGHT, settle) as server:
            r = run(model, *TRUST, server.https)
            # The alert may be lost behind a reset: the server closes with
            # our request unread.
            check(r.words[0] in ("tls", "reset"), r.err)


@case
def no_keep_alive(model):
    with TlsServer(speak, RIGHT) as server:
        r = run(model, *TRUST, "--no-keep-alive", "-j1",
                server.https + "/a", server.https + "/b")
        equal(server.connections, 2, "connections")
        return expect(r, ["ok", "ok"], b"/a/b")


@case
def bodies_of_every_size(model):
    sizes = [0, 1, 16383, 16384, 16385, 65536, 3000000]

    def serve(c):
        while head := c.request():
            n = int(head.split()[1][1:])
            if n % 2:
                c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"%x\r\n" % n + content(n) + b"\r\n0\r\n\r\n")
            else:
                c.ok(content(n))
    with TlsServer(serve, RIGHT) as server:
        urls = [f"{server.https}/{n}" for n in sizes] * 3
        r = run(model, *TRUST, "-j", "3", *urls)
        return expect(r, ["ok"] * 21, b"".join(map(content, sizes)) * 3)


@case
def an_upload(model):
    size = 5000000
    with TlsServer(speak, RIGHT) as server, Workplace() as place:
        with open(place.join("up"), "wb") as file:
            file.write(content(size))
        r = run(model, *TRUST, "-T", place.join("up"), "-j2",
                *[f"{server.https}/{i}" for i in range(4)])
        expect(r, ["ok"] * 4, b"/0/1/2/3")
        equal(server.bodies, [content(size)] * 4, "bodies")


@case
def an_answer_during_the_upload(model):
    """Nobody reads what is sent; the answer comes all the same."""
    def early(c):
        head = b""
        while b"\r\n\r\n" not in head:
            head += c.sock.recv(1)
        c.send(b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n")
        c.hold()
    with TlsServer(early, RIGHT) as server, Workplace() as place:
        with open(place.join("up"), "wb") as file:
            file.truncate(64 << 20)
        r = run(model, *TRUST, "-T", place.join("up"), server.https)
        equal(r.column("status"), ["413"], "status")
        return expect(r, ["http-error"], b"")


# (With sanitizers nothing else is preloaded.)
@case(models=("threads", "processes", "coroutines") if not SANITIZED else ())
def an_upload_that_shrinks_within_a_record(model):
    """What the socket did not take of it is read once more, and is not there
    any more. (The loop keeps it: it reads nothing twice.)"""
    def script(c):
        while c.sock.recv(65536):
            pass
    env = dict(os.environ, TRIPTYCH_HELD="shrunk", TRIPTYCH_GATE="none",
               LD_PRELOAD=preloaded("held-shim.so"))
    with TlsServer(script, RIGHT) as server, Workplace() as place:
        with open(place.join("up"), "wb") as file:
            file.write(content(1000000))
        r = run(model, *TRUST, "-t", "30", "-T", place.join("up"),
                server.https, env=env)
        return expect(r, ["file-error"], status=1,
                      err="the file has become shorter")


@case
def redirects(model):
    def up(c):
        c.request()
        c.send(b"HTTP/1.1 302 Up\r\nLocation: %s/up\r\n"
               b"Content-Length: 0\r\n\r\n" % server.https.encode())

    def down(c):
        while head := c.request():
            if head.split()[1] == b"/down":
                c.send(b"HTTP/1.1 302 Down\r\nLocation: %s/\r\n"
                       b"Content-Length: 0\r\n\r\n" % plain.http.encode())
            elif head.split()[1] == b"/side":
                c.send(b"HTTP/1.1 302 Side\r\nLocation: /there\r\n"
                       b"Content-Length: 0\r\n\r\n")
            else:
                c.ok(head.split()[1])
    with Server(up) as plain, TlsServer(down, RIGHT) as server:
        r = run(model, *TRUST, "-j1", "-H", "Authorization: secret",
                plain.http, server.https + "/side", server.https + "/down")
        secrets = [head.split()[1] for head in server.requests
                   if b"secret" in head]
        equal(secrets, [b"/side", b"/there", b"/down"],
              "who was told the secret")
        return expect(r, ["ok", "ok", "unsupported"], b"/up/there", status=1,
                      err="another scheme")


# --- How it ends -----------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"


@case
def an_end_with_and_without_close_notify(model):
    rows = [
        (OK + b"\r\nuntil the end", say_goodbye, "ok"),
        (OK + b"\r\nuntil the end", slam, "truncated"),
        (OK + b"Content-Length: 5\r\n\r\n12345", say_goodbye, "ok"),
        (OK + b"Content-Length: 5\r\n\r\n12345", slam, "ok"),
        (OK + b"Content-Length: 5\r\n\r\n123", say_goodbye, "truncated"),
        (OK + b"Content-Length: 5\r\n\r\n123", slam, "truncated"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", slam,
         "truncated"),
        (OK + b"Conte", say_goodbye, "truncated"),
        (OK + b"Conte", slam, "truncated"),
        (b"", say_goodbye, "reset"),
        (b"", slam, "reset"),
    ]
    for data, end, word in rows:
        with TlsServer(lambda c: one(c, data, end), RIGHT) as server:
            r = run(model, *TRUST, "-n", server.https)
            equal(r.words, [word], f"{data!r}, {end.__name__}: {r.err}")


@case
def a_kept_connection_that_is_closed_costs_nothing(model):
    """In good order, and rudely; before the request, and because of it."""
    for end in say_goodbye, slam:
        for waits in False, True:
            def serve(c):
                c.request()
                c.ok(b"x")
                if waits:
                    c.request()
                end(c)
            with TlsServer(serve, RIGHT) as server:
                r = run(model, *TRUST, "-j1", *[server.https] * 4)
                expect(r, ["ok"] * 4, b"xxxx")
                equal(r.column("attempts"), ["1"] * 4, "attempts")


@case
def bytes_that_nobody_asked_for(model):
    """In the record that the answer ends in, or in one of its own, which
    comes in the same segment."""
    right = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    wrong = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
    for records in [right + wrong], [right, wrong]:
        def serve(c, records=records):
            c.request()
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            for record in records:
                c.send(record)
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            while c.request():
                c.ok(b"late")
        with TlsServer(serve, RIGHT) as server:
            r = run(model, *TRUST, "-j1", *[server.https] * 3)
            expect(r, ["ok"] * 3, b"xxx")


@case
def it_is_said_goodbye(model):
    ends = []

    def serve(c):
        speak(c)
        try:
            ends.append(c.sock.recv(1))
        except ssl.SSLError as error:
            ends.append(str(error))
    with TlsServer(serve, RIGHT) as server:
        expect(run(model, *TRUST, server.https), ["ok"])
        wait_for(lambda: ends, "the end of the connection")
    equal(ends, [b""], "the end, as the server sees it")


# --- Limits ----------------------------------------------------------------

def handshake_then(act):
    """A server that reads a little of the client's hello, and then acts."""
    def script(c):
        c.sock.recv(100)
        act(c)
    return script


@case
def a_handshake_that_never_comes(model):
    with Server(lambda c: c.hold()) as server:
        url = server.http.replace("http:", "https:")
        r = run(model, "--connect-timeout", "0.2", url)
        expect(r, ["connect-timeout"])
        r = run(model, "-t", "0.2", url)
        return expect(r, ["timeout"])


@case
def a_handshake_that_is_no_handshake(model):
    rows = [
        ("http", lambda c: c.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "tls"),
        ("reset", lambda c: c.reset(), "reset"),
        ("end", lambda c: c.close(), "reset"),
        ("half a record", lambda c: c.send(b"\x16\x03\x03\x00\x50\x02"),
         "reset"),
        ("alert", lambda c: c.send(b"\x15\x03\x03\x00\x02\x02\x28"), "tls"),
        ("a huge record", lambda c: c.send(b"\x16\x03\x03\xff\xff" +
                                           b"x" * 70000), "tls"),
    ]
    for name, act, word in rows:
        def drained(c, act=act):
            act(c)
            try:
                c.sock.shutdown(socket.SHUT_WR)
                c.hold()
            except OSError:
                pass
        with Server(handshake_then(drained)) as server:
            url = server.http.replace("http:", "https:")
            r = run(model, url)
            equal(r.words, [word], f"{name}: {r.err}")
        with Server(handshake_then(drained)) as server:
            url = server.http.replace("http:", "https:")
            r = run(model, "--retries", "1", url)
            equal(r.column("attempts"), ["2" if word == "reset" else "1"],
                  f"attempts, {name}")


@case
def a_handshake_that_never_comes_to_an_end(model):
    """Nothing but HelloRequests, which are passed over. Limits and signals are
    heard all the same."""
    flood = (b"\x16\x03\x03\x40\x00" + bytes(16384)) * 16

    def without_end(c):
        while True:
            c.send(flood)
    with Server(handshake_then(without_end)) as server:
        url = server.http.replace("http:", "https:")
        r = run(model, "--connect-timeout", "0.5", url)
        answer = expect(r, ["connect-timeout"])
        with Running(model, "--connect-timeout", "120", "-t", "120",
                     url) as running:
            wait_for(lambda: server.connections == 2, "the handshake")
            running.signal(signal.SIGINT)
            r = running.finish()
    equal(r.status, 130, r.err)
    return answer


@case
def a_record_that_is_broken(model):
    """Somebody on the way changes a bit after the handshake."""
    def relay(c):
        far = socket.create_connection(("127.0.0.1", server.port))
        passed = [0]

        def back():
            try:
                while data := far.recv(65536):
                    if b"\x17\x03\x03" in data and len(data) > 50000:
                        data = data[:40000] + bytes([data[40000] ^ 1]) + \
                            data[40001:]
                    passed[0] += len(data)
                    c.sock.sendall(data)
            except OSError:
                pass
        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        try:
            while data := c.sock.recv(65536):
                far.sendall(data)
        except OSError:
            pass
        far.close()

    def serve(c):
        c.request()
        c.ok(content(2000000))
        c.hold()
    with TlsServer(serve, RIGHT) as server, Server(relay) as middle:
        url = middle.http.replace("http:", "https:")
        r = run(model, *TRUST, "-n", url)
        return expect(r, ["tls"], err="bad record mac")


# A ticket for a later session: a message that is no content.
TICKET = bytes([4, 0, 0, 14]) + bytes(9) + bytes([0, 1, 65, 0, 0])


class SealedServer(TlsServer):
    """After a request the script gets a Sealer, and a plain socket for what
    that makes."""

    def __init__(self, script):
        self.place = Workplace()
        super().__init__(lambda c: script(*self.opened(c)), RIGHT,
                         settle=self.log_keys)

    def log_keys(self, context):
        context.num_tickets = 0
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.keylog_filename = self.place.join("keys")

    def opened(self, c):
        c.request()
        equal(c.sock.cipher()[0], "TLS_AES_256_GCM_SHA384", "suite")
        with open(self.place.join("keys"), encoding="ascii") as file:
            secret = [line.split()[2] for line in file
                      if line.startswith("SERVER_TRAFFIC_SECRET_0")][-1]
        plain = socket.socket(fileno=c.sock.detach())
        plain.setblocking(True)
        c.sock = plain
        return c, Sealer(bytes.fromhex(secret))

    def __exit__(self, *_):
        super().__exit__()
        self.place.__exit__()


@case
def a_server_that_never_comes_to_an_end(model):
    """It sends tickets faster than they can be read. Limits and signals are
    heard all the same."""
    def flood(c, sealer):
        while True:
            c.send(b"".join(sealer.seal(TICKET * 900, 22) for _ in range(10)))
    with SealedServer(flood) as server:
        r = run(model, *TRUST, "-t", "0.5", server.https + "/")
        answer = expect(r, ["timeout"], b"")
        with Running(model, *TRUST, server.https + "/") as running:
            wait_for(lambda: len(server.requests) == 2, "the request")
            running.signal(signal.SIGINT)
            equal(running.finish().status, 130, "status")
    return answer


@case
def tickets_before_an_answer_to_a_stopped_program(model):
    """All of it comes while the program is stopped beyond its limit."""
    gate = threading.Event()

    def answer(c, sealer):
        gate.wait(PATIENCE)
        for _ in range(5):
            c.send(sealer.seal(TICKET, 22))
        c.send(sealer.seal(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                           23))
        c.hold()
    with SealedServer(answer) as server:
        with Running(model, *TRUST, "-n", "-t", "2", server.https + "/x"
                     ) as running:
            wait_for(lambda: server.requests, "the request")
            for pid in running.family():
                os.kill(pid, signal.SIGSTOP)
            gate.set()
            time.sleep(2.5)
            for pid in running.family():
                os.kill(pid, signal.SIGCONT)
            equal(running.finish().words, ["ok"], "results")


@case
def a_stop_in_the_handshake_and_in_the_body(model):
    def serve(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        c.hold()
    with TlsServer(serve, RIGHT) as server, \
            Server(lambda c: c.hold()) as silent:
        url = silent.http.replace("http:", "https:")
        with Running(model, *TRUST, "-n", server.https, url) as program_:
            wait_for(lambda: server.requests and silent.connections,
                     "both requests")
            program_.signal(2)
            r = program_.finish()
            equal(r.status, 130, "exit status")
            equal(r.words, ["cancelled"] * 2, "results")


@case
def a_stopped_program_reads_what_came(model):
    """The answer comes while the program is stopped beyond its limit."""
    gate = threading.Event()

    def serve(c):
        c.request()
        gate.wait()
        c.ok(content(1000))
        c.hold()
    with TlsServer(serve, RIGHT) as server, Workplace() as place:
        with Running(model, *TRUST, "-t", "2", "-d", place.join("d"),
                     server.https + "/x") as program_:
            wait_for(lambda: server.requests, "the request")
            for pid in program_.family():
                os.kill(pid, 19)
            gate.set()
            time.sleep(2.5)
            for pid in program_.family():
                os.kill(pid, 18)
            equal(program_.finish().words, ["ok"], "results")


@case
def a_slow_reader_stops_the_server(model):
    """Back-pressure reaches through TLS."""
    size = 100 << 20
    sent = [0]

    def serve(c):
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = content(1 << 20)
        for _ in range(size >> 20):
            c.send(block)
            sent[0] += len(block)
        c.hold()
    with TlsServer(serve, RIGHT) as server:
        with Running(model, *TRUST, server.https,
                     stdout=subprocess.PIPE) as program_:
            def still():
                before = sent[0]
                time.sleep(0.5)
                return before > 0 and sent[0] == before
            wait_for(still, "the server to be stopped")
            check(sent[0] < size // 2, f"{sent[0]} bytes were taken")
            got = program_.process.stdout.read()
            check(got == content(1 << 20) * (size >> 20), "the body differs")
            equal(program_.finish().words, ["ok"], "results")


# --- The module -------------------------------------------------------------

def libraries(running):
    """The names of what the program, or one of its workers, has mapped."""
    names = set()
    for pid in running.family():
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            names |= {os.path.basename(line.split()[-1]) for line in maps}
    return names


def of_tls(names):
    return {name.partition(".")[0].partition("-")[0] for name in names} & \
        {"triptych", "libssl", "libcrypto", "libevent_openssl"}


@case
def only_https_loads_openssl(model):
    go = threading.Event()

    def serve(c):
        c.request()
        go.wait()
        c.ok(b"x")
    with TlsServer(serve, RIGHT) as secure, Server(serve) as plain:
        for server, url, wanted in [
                (plain, plain.http, set()),
                (secure, secure.https, {"triptych", "libssl", "libcrypto"})]:
            go.clear()
            with Running(model, "--insecure", "-n", url) as running:
                if server is plain:
                    wait_for(lambda: plain.requests, "the request")
                else:
                    wait_for(lambda: secure.names, "the handshake")
                found = of_tls(libraries(running))
                check(found >= wanted and (wanted or not found),
                      f"{url}: {found}")
                go.set()
                running.finish()


@case(models=("evloop",))
def an_installation(_):
    """It works wherever it is put."""
    if not shutil.which("cmake"):
        raise Skip("cmake is not installed")
    with Workplace() as place, TlsServer(speak, RIGHT) as server:
        subprocess.run(["cmake", "--install", BIN, "--prefix",
                        place.join("first")], stdout=subprocess.DEVNULL,
                       check=True)
        os.rename(place.join("first"), place.join("second"))
        for model in MODELS:
            path = os.path.join(place.join("second/bin"), "fetch-" + model)
            child = subprocess.run(
                [path, "--insecure", server.https + "/a"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            equal((child.returncode, child.stdout), (0, b"/a"),
                  f"{model}: {child.stderr}")


@case
def a_module_that_is_none(model):
    """It is there, but it cannot be loaded."""
    with Workplace() as place, TlsServer(speak, RIGHT) as server:
        path = copy_program(model, place.path)
        with open(place.join("triptych-tls.so"), "wb"):
            pass
        child = subprocess.run([path, "-j1", server.https, server.https],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, check=False)
        equal(child.returncode, 1, "exit status")
        equal(child.stderr.count(": unsupported: "), 2, child.stderr)
        check("triptych-tls.so: file too short" in child.stderr, child.stderr)


@case
def a_shortage_when_it_is_to_be_loaded(model):
    """It takes a descriptor, when others have them all: that passes."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
    with TlsServer(speak, RIGHT) as server, Origin() as origin:
        urls = [f"{origin.http}/bytes/10?delay=100"] * 30
        for i in range(0, 30, 4):
            urls.insert(i, server.https + "/a")
        r = run(model, "--insecure", "-n", "-j", "30", *urls,
                preexec_fn=limit)
        expect(r, ["ok"] * len(urls))


# --- Many kinds of I/O at once ---------------------------------------------

@case
def a_list_of_all_kinds(model):
    with TlsServer(speak, RIGHT) as server, Origin() as origin, \
            Workplace() as place:
        with open(place.join("file"), "wb") as file:
            file.write(content(100000))
        urls, out = [], b""
        for i in range(20):
            urls += [f"{server.https}/{i}", f"{origin.http}/bytes/{i}",
                     f"file://{place.join('file')}", f"{origin.tcp}/t{i}",
                     f"{origin.udp}/u{i}"]
            out += b"/%d" % i + content(i) + content(100000) + \
                b"t%du%d" % (i, i)
        r = run(model, *TRUST, "-j", "7", *urls)
        return expect(r, ["ok"] * 100, out)


if __name__ == "__main__":
    main()

"""Databases: queries to a real PostgreSQL, and to servers that are none."""

import fcntl
import hashlib
import json
import os
import re
import signal
import ssl
import struct
import subprocess
import sys
import termios
import threading
import time
from urllib.parse import quote

import harness
import postgres
from authority import Authority
from harness import (PATIENCE, Origin, Reading, Running, Server, Skip,
                     Workplace, case, check, content, deaf_port, equal, expect,
                     free_port, main, read_files, run, state, wait_for)
from postgres import PASSWORD, Postgres

AUTHORITY = None
PG = None  # the server of all cases but those that kill one

# Where sanitizers look, half of the cases will do: what they see, they see in
# each. The others have what is long, or what is between libpq and the server.
QUICK = os.path.basename(harness.BIN) in ("asan", "tsan")
full = (lambda test: test) if QUICK else case

# libpq asks these before a URL's own words are there.
for name in [name for name in os.environ if name.startswith("PG")]:
    del os.environ[name]
os.environ.update(PGSSLMODE="disable", PGPASSFILE="/none",
                  PGSERVICEFILE="/dev/null")


def url(query, user="trusted", password=None, database="postgres", host=None,
        server=None):
    login = quote(user, safe="")
    if password is not None:
        login += ":" + quote(password, safe="")
    host = host or f"127.0.0.1:{(server or PG).port}"
    return (f"postgresql://{login}@{host}/{quote(database, safe='')}"
            f"?query={quote(query)}")


def active(mark, server=None):
    """How many queries with the mark are at work."""
    return int((server or PG).ask(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
        f"query LIKE '%/* {mark} */%' AND usename <> 'boss'")[0])


# --- Rows ------------------------------------------------------------------

VALUES = r"""
SELECT * FROM (VALUES
  (1, 'plain', NULL, true, 1.5::float8, ARRAY[1, NULL], 'a b'::bytea),
  (2, '', '', false, 'NaN', ARRAY['x\y', 'z']::text[]::int[] IS NULL, NULL)
) v"""
NASTY = r"""
SELECT n, NULL, '', '\N', '\.', E'\t', E'a\tb\nc\rd\\e\bf\fg\vh',
  chr(n), 'é€😀', n % 2 = 0, n * 1.5, ARRAY['a\b', NULL, 'c,d'],
  ('\x' || lpad(to_hex(n), 4, '0'))::bytea,
  timestamp '2000-01-01' + n * '1h'::interval
FROM generate_series(1, 300) n"""
# Around the size of the piece that is read at once.
LENGTHS = r"""
SELECT repeat('x', n), repeat(E'\t', n - 40000), NULL
FROM generate_series(65530, 65540) n"""
QUERIES = [
    NASTY, LENGTHS,
    "SELECT",                              # a row of no columns
    "SELECT FROM generate_series(1, 3)",
    "SELECT 1 WHERE false",                # no row
    "SELECT NULL",
    "SELECT '& + %26 # ? é'",
    "TABLE pg_catalog.pg_language",
]


@case
def rows_are_as_copy_writes_them(model):
    r = run(model, *[url(q) for q in QUERIES])
    return expect(r, ["ok"] * len(QUERIES),
                  b"".join(PG.copy(q) for q in QUERIES))


@case
def what_has_no_rows(model):
    r = run(model, url("SET work_mem = '1MB'"), url("SELECT 7"),
            url("DO $$BEGIN RAISE NOTICE 'quiet'; END$$"))
    check("quiet" not in r.err, r.err)
    return expect(r, ["ok"] * 3, b"7\n")


@full
def a_row_that_is_large(model):
    r = run(model, url("SELECT repeat('abc', 3000000), 1"), url("SELECT 2"))
    return expect(r, ["ok"] * 2, b"abc" * 3000000 + b"\t1\n2\n")


@case
def who_logs_in(model):
    user = "us:er@/é"
    r = run(model,
            url("SELECT current_user"),
            url("SELECT current_user", "plain", PASSWORD),
            url("SELECT current_user, current_database()", user, PASSWORD,
                "d b/é"),
            "postgresql" + url("SELECT 1")[len("postgresql"):].replace(
                "trusted@127.0.0.1", "trusted:@LOCALHOST"),
            env=dict(os.environ, PGUSER="nobody", PGPASSWORD="wrong"))
    words = expect(r, ["ok"] * 4,
                   f"trusted\nplain\n{user}\td b/é\n1\n".encode())
    mine = run(model, f"postgresql://127.0.0.1:{PG.port}/postgres?query="
               "SELECT%20current_user", url("SELECT 3", "plain"),
               env=dict(os.environ, PGUSER="plain", PGPASSWORD=PASSWORD))
    return words, expect(mine, ["ok"] * 2, b"plain\n3\n")


# --- What is refused -------------------------------------------------------

@case
def what_the_server_refuses(model):
    wrong = {
        url("SELECT 1", "plain", "wrong"): "28P01: password authentication "
                                           "failed for user \"plain\"",
        url("SELECT 1", "plain"): "fe_sendauth: no password supplied",
        url("SELECT 1", "nobody", "x"): "28P01",
        url("SELECT 1", database="none"): "3D000: database \"none\" does not",
        url("SELEC 1"): "42601: syntax error at or near \"SELEC\"",
        url("SELECT nope"): "42703: column \"nope\" does not exist",
        url("SELECT 1; SELECT 2"): "42601: cannot insert multiple commands",
        url("SELECT E'\\xff'"): "22021",
        url("CREATE DATABASE x"): "42501: permission denied",
    }
    r = run(model, "--retries", "2", *wrong)
    for words in wrong.values():
        check("database-error: " + words in r.err, f"{words}: {r.err}")
    equal(r.column("attempts"), ["1"] * len(wrong), "attempts")
    return expect(r, ["database-error"] * len(wrong), b"")


@case
def an_error_after_many_rows(model):
    query = "SELECT 1 / (100000 - generate_series(1, 200000))"
    r = run(model, url(query))
    check(r.out.startswith(b"0\n" * 50000), r.out[:100])
    check("22012: division by zero" in r.err, r.err)
    equal((r.words, r.status), (["database-error"], 1), r.err)


@case
def what_is_not_asked(model):
    with Workplace() as place:
        with open(place.join("body"), "wb") as file:
            file.write(b"x")
        r = run(model, "-T", place.join("body"), url("SELECT 1"))
    copies = run(model, url("COPY pg_language TO STDOUT"),
                 url("COPY pg_language FROM STDIN"), url("SELECT 1"))
    return (expect(r, ["unsupported"], b"", err="nothing can be uploaded"),
            expect(copies, ["unsupported", "database-error", "ok"], b"1\n",
                   err="COPY is no query"))


@case
def urls_that_name_no_query(model):
    host = f"127.0.0.1:{PG.port}"
    wrong = [f"postgresql://{host}/postgres", f"postgresql://{host}",
             f"postgresql://{host}/?query=SELECT",
             f"postgresql://{host}/postgres?query=",
             f"postgresql://{host}/postgres?sslmode=disable&query=SELECT",
             f"postgresql://{host}/postgres?query=SELECT&sslmode=disable",
             f"postgresql://{host}/post/gres?query=SELECT",
             f"postgresql://{host}/postgres?query=%00",
             f"postgresql://a%00b@{host}/postgres?query=SELECT",
             f"postgresql://a:b@c@{host}/postgres?query=SELECT",
             "postgresql:///postgres?query=SELECT",
             f"http://a:b@{host}/"]
    r = run(model, *wrong)
    return expect(r, ["bad-url"] * len(wrong), b"")


@case
def where_there_is_no_server(model):
    sock, port = free_port()
    with sock:
        r = run(model, url("SELECT 1", host=f"127.0.0.1:{port}"),
                url("SELECT 1", host=f"localhost:{port}"),
                url("SELECT 1", host=f"name.invalid:{port}"),
                url("SELECT 1", host="255.255.255.255:1"))
    return expect(r, ["refused", "refused", "dns", "unreachable"], b"")


# --- Passwords -------------------------------------------------------------

SECRET = "s3cr3t"


@case
def passwords_are_not_shown(model):
    """In no message, report, trace, or name; not even when the URL is none."""
    urls = [f"postgresql://u:{password}@127.0.0.1:{PG.port}/postgres?query=x"
            for password in (SECRET, SECRET + "%41", "a/" + SECRET,
                             "a?" + SECRET, "a#" + SECRET, "a@" + SECRET,
                             "a?query=" + SECRET, SECRET + "@b")]
    urls += [f"postgresql:u:{SECRET}@h/x?query=x",
             f"postgres://u:{SECRET}@h/x", f" PostgreSQL://u:{SECRET}@h/x",
             f"postgresql://:{SECRET}@h", f"postgresql://u:{SECRET}@:x/",
             f"postgresql://u:{SECRET}@127.0.0.1:1/x?query=SELECT",
             f"postgresql://trusted:{SECRET}@127.0.0.1:{PG.port}/postgres"
             "?query=SELECT%201",
             f"postgresql://u:{SECRET}@127.0.0.1:{PG.port}/%00?query=x"]
    with Workplace() as place:
        with open(place.join("list"), "w", encoding="utf8") as file:
            file.write("\n".join(urls) + "\n")
        with open(place.join("err"), "wb") as err:
            subprocess.run(
                [harness.program(model), "-i", place.join("list"), "-d",
                 place.join("d"), "--progress", "always", "--report",
                 place.join("report"), "--trace", place.join("trace")],
                stdin=subprocess.DEVNULL, stderr=err, check=False,
                timeout=PATIENCE)
        shown = []
        for name in "err", "report", "trace":
            with open(place.join(name), encoding="utf8") as file:
                text = file.read()
            check(SECRET not in text, f"{name}: {text}")
            check(text.count(":***@") >= len(urls) - (name == "err"),
                  f"{name}: {text}")
            shown.append(text)
        json.loads(shown[2])
        equal(read_files(place.join("d")), {"postgres.5": b"1\n"}, "files")
    rows = [line.split("\t") for line in shown[1].splitlines()[1:]]
    equal(rows[0][1], f"postgresql://u:***@127.0.0.1:{PG.port}/postgres"
          "?query=x", "the report's url")
    return [row[2] for row in rows]


@case
def a_server_that_repeats_the_password(model):
    """And more that is not to get to a terminal."""
    def script(c):
        startup(c)
        c.send(b"R" + struct.pack(">ii", 8, 3))  # in clear text
        c.sock.recv(1000)
        c.send(error("XX000", f"no \x1b[31m{SECRET}\n"))
    with Server(script) as server:
        bare = url("SELECT 1", "u", SECRET, host=f"127.0.0.1:{server.port}")
        r = run(model, bare)
        check(SECRET not in r.err and "\x1b" not in r.err, r.err)
    with Server(lambda c: (startup(c), c.send(error("XX000", "a\x1b[31mb\rc")))
                ) as server:
        q = run(model, url("SELECT 1", host=f"127.0.0.1:{server.port}"))
        check("XX000: a [31mb c\n" in q.err, q.err)
    return (expect(r, ["database-error"], b"").__len__(), q.words)


# --- Time ------------------------------------------------------------------

@case
def a_query_that_takes_too_long(model):
    """It is over on the server, too."""
    r = run(model, "-t", "2", "-j", "3",
            *[url(f"SELECT pg_sleep(1000) /* late {model} */")] * 3,
            url("SELECT 1"))
    wait_for(lambda: active(f"late {model}") == 0, "the queries are gone")
    return expect(r, ["timeout"] * 3 + ["ok"], b"1\n")


@full
def rows_that_take_too_long(model):
    mark = f"/* slow {model} */"
    r = run(model, "-t", "1", url(
        f"SELECT pg_sleep(generate_series(1, 900) / 500 * 1000) {mark}"))
    wait_for(lambda: active(f"slow {model}") == 0, "the query is gone")
    equal(r.words, ["timeout"], r.err)


@case
def a_server_that_does_not_even_connect(model):
    with deaf_port() as port:
        deaf = url("SELECT 1", host=f"127.0.0.1:{port}")
        r = run(model, "--connect-timeout", "0.2", deaf)
        q = run(model, "-t", "0.2", deaf)
        both = run(model, "-t", "0.2", "--connect-timeout", "0.2", deaf)
    return (expect(r, ["connect-timeout"], b""), expect(q, ["timeout"], b""),
            expect(both, ["timeout"], b""))


@case
def a_server_that_is_silent(model):
    with Server(lambda c: c.hold()) as server:
        silent = url("SELECT 1", host=f"127.0.0.1:{server.port}")
        r = run(model, "--connect-timeout", "0.2", silent)
        q = run(model, "-t", "0.2", silent)
    return (expect(r, ["connect-timeout"], b""), expect(q, ["timeout"], b""))


@case
def interrupted_while_busy(model):
    """It ends at once, with nothing left: here nor there."""
    sleeps = [url(f"SELECT pg_sleep(1000) /* end {model} */")] * 5
    endless = url("SELECT generate_series(1, 1000000000) "
                  f"/* end {model} */")
    with Workplace() as place:
        with Running(model, "-j", "6", "-d", place.join("d"), *sleeps,
                     endless) as running:
            wait_for(lambda: active(f"end {model}") == 6, "all are at work")
            running.signal(signal.SIGINT)
            r = running.finish()
        equal(read_files(place.join("d")), {}, "files")
    wait_for(lambda: active(f"end {model}") == 0, "the queries are gone")
    equal(r.status, 130, "exit status")
    return r.words


# --- Much ------------------------------------------------------------------

@full
def a_million_rows_to_a_slow_reader(model):
    """The server waits, and memory does not grow."""
    mark = f"/* million {model} */"
    query = f"SELECT generate_series(1, 1000000), repeat('x', 40) {mark}"
    wanted = hashlib.md5()
    for start in range(1, 1000001, 1000):
        wanted.update(b"".join(b"%d\t%s\n" % (i, b"x" * 40)
                               for i in range(start, start + 1000)))
    reader, writer = os.pipe()
    with Running(model, url(query), stdout=writer) as running:
        os.close(writer)
        wait_for(lambda: b"ClientWrite" in PG.ask(
            f"SELECT wait_event FROM pg_stat_activity WHERE query LIKE "
            f"'%{mark}%' AND usename <> 'boss'"), "the server waits for us")
        peak = sum(harness_memory(pid) for pid in
                   (running.pid, *running.workers()))
        got = hashlib.md5()
        while data := os.read(reader, 65536):
            got.update(data)
        os.close(reader)
        r = running.finish()
    equal(got.hexdigest(), wanted.hexdigest(), "the rows")
    check(peak < 40 * 1024, f"{peak} KiB")
    check(int(r.column("peak_buffered")[0]) <= 2 * 65536 + 1,
          r.column("peak_buffered"))
    return expect(r, ["ok"])


def harness_memory(pid):
    """The most it has had, in KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(file.read().split("VmHWM:")[1].split()[0])


@full
def two_hundred_queries(model):
    """Twenty at once, which a lock holds until they have been looked at."""
    key = 100 + harness.MODELS.index(model)
    mark = f"many {model}"
    urls = [url(f"SELECT {i}, pg_advisory_lock_shared({key}) IS NULL "
                f"/* {mark} */") for i in range(200)]
    holder = PG.look()
    try:
        holder.ask(f"SELECT pg_advisory_lock({key})")
        reader, writer = os.pipe()
        got = Reading(reader)
        with Running(model, "-j", "20", *urls, stdout=writer) as running:
            os.close(writer)
            wait_for(lambda: active(mark) == 20, "twenty are at work")
            holder.ask(f"SELECT pg_advisory_unlock({key})")
            r = running.finish()
    finally:
        holder.end()
    equal(got.whole(), b"".join(b"%d\tf\n" % i for i in range(200)), "rows")
    equal(active(mark), 0, "queries left")
    return expect(r, ["ok"] * 200)


@case
def mixed_with_everything_else(model):
    with Origin() as origin, Workplace() as place:
        with open(place.join("file"), "wb") as file:
            file.write(content(100000, 3))
        urls = [f"{origin.http}/bytes/50000?delay=100", url("SELECT 1"),
                f"file://{place.join('file')}", f"{origin.tcp}/echo",
                url("SELECT repeat('y', 100000)"), f"{origin.udp}/ping",
                url("SELECT nope"), f"{origin.http}/bytes/10"] * 3
        wanted = [content(50000), b"1\n", content(100000, 3), b"echo",
                  b"y" * 100000 + b"\n", b"ping", b"", content(10)]
        r = run(model, "-j", "7", *urls)
        saved = run(model, "-j", "7", *urls[:7], directory=place.join("d"))
    words = ["ok"] * 6 + ["database-error", "ok"]
    names = ["50000", "postgres", "file", "echo", "postgres.1", "ping"]
    equal(saved.files, dict(zip(names, wanted)), "files")
    return (expect(r, words * 3, b"".join(wanted) * 3),
            expect(saved, words[:7]))


@full
def in_other_shapes(model):
    """A worker for each, or two loops."""
    options = {"threads": ["--spawn", "each"], "processes": ["--spawn", "each"],
               "evloop": ["--loops", "2"], "coroutines": ["--backend", "poll"]}
    r = run(model, "-j", "4", *options[model],
            *[url(f"SELECT generate_series(1, {i * 1000})")
              for i in range(1, 9)])
    return expect(r, ["ok"] * 8, b"".join(
        b"%d\n" % n for i in range(1, 9) for n in range(1, i * 1000 + 1)))


@case
def a_body_that_is_too_large(model):
    r = run(model, "-n", "--max-body", "1000",
            url(f"SELECT generate_series(1, 1000000000) /* big {model} */"))
    wait_for(lambda: active(f"big {model}") == 0, "the query is gone")
    return expect(r, ["too-large"])


# --- Servers that break ----------------------------------------------------

class Victim:
    """A server to be killed, made when it is needed, and started again."""

    def __init__(self):
        self.lock = threading.Lock()
        self.server = None

    def __enter__(self):
        self.lock.acquire()
        if self.server is None:
            self.server = Postgres()
        elif self.server.server is None:
            self.server.start()
        return self.server

    def __exit__(self, *_):
        self.lock.release()

    def end(self):
        if self.server is not None:
            self.server.__exit__()


VICTIM = Victim()


@full
def a_server_that_is_killed(model):
    """Within the rows of one, before the first of another."""
    with VICTIM as server:
        reader, writer = os.pipe()
        mark = f"killed {model}"
        with Running(model, "-j", "2", url(
                f"SELECT generate_series(1, 1000000000) /* {mark} */",
                server=server), url(f"SELECT pg_sleep(1000) /* {mark} */",
                                    server=server), stdout=writer) as running:
            os.close(writer)
            wait_for(lambda: active(mark, server) == 2, "both are at work")
            equal(os.read(reader, 2), b"1\n", "rows")
            server.kill()
            got = Reading(reader)
            r = running.finish()
            got.whole()
    equal(r.status, 1, "exit status")
    check(r.words[0] in ("truncated", "reset"), r.words)
    equal(r.words[1], "reset", r.err)


@case
def a_session_that_is_ended(model):
    """By the database's keeper: it is as if the server had gone."""
    mark = f"/* ended {model} */"
    with Running(model, url(f"SELECT pg_sleep(1000) {mark}")) as running:
        wait_for(lambda: active(f"ended {model}") == 1, "it is at work")
        PG.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               f"WHERE query LIKE '%{mark}%' AND usename <> 'boss'")
        r = running.finish()
    return expect(r, ["reset"])


def startup(c):
    """Reads the first message, which has no type. Who has a short limit, on a
    busy machine, may be gone before that."""
    length = c.read(4)
    if len(length) < 4:
        raise ConnectionResetError
    return c.read(struct.unpack(">i", length)[0] - 4)


def message(kind, body=b""):
    return kind + struct.pack(">i", len(body) + 4) + body


def error(state, text):
    fields = [b"SFATAL", b"VFATAL", b"C" + state.encode(),
              b"M" + text.encode(), b""]
    return message(b"E", b"\0".join(fields) + b"\0")


READY = message(b"Z", b"I")
WELCOME = message(b"R", struct.pack(">i", 0)) + READY
PREPARED = message(b"1") + message(b"2") + message(
    b"T", struct.pack(">h", 1) + b"x\0" + struct.pack(">ihihih", 0, 0, 25, -1,
                                                      -1, 0))
ROW = message(b"D", struct.pack(">hi", 1, 3) + b"abc")
LAST = message(b"C", b"SELECT 1\0") + READY


def served(model, after, *more, options=()):
    """Runs against a server that says `after` when it is asked; the rest are
    what it does then."""
    def script(c):
        startup(c)
        c.send(WELCOME)
        while b"S\0\0\0\4" not in c.sock.recv(10000):  # Sync
            pass
        c.send(after)
        for step in more:
            step(c)
    with Server(script) as server:
        return run(model, *options,
                   url("SELECT 1", host=f"127.0.0.1:{server.port}"))


@case
def a_server_of_our_own(model):
    """What the others are made of works."""
    return expect(served(model, PREPARED + ROW + LAST, lambda c: c.hold()),
                  ["ok"], b"abc\n")


@case
def servers_that_close(model):
    results = []
    for say in b"", WELCOME:
        def close(c):
            startup(c)
            c.send(say)
        with Server(close) as server:
            r = run(model, url("SELECT 1", host=f"127.0.0.1:{server.port}"))
        results.append(expect(r, ["reset"], b""))
    results.append(expect(served(model, PREPARED), ["reset"], b""))
    results.append(expect(served(model, PREPARED + ROW[:8]), ["reset"], b""))
    results.append(expect(served(model, PREPARED + ROW * 3), ["truncated"],
                          b"abc\n" * 3))
    results.append(expect(served(model, PREPARED + ROW + LAST[:-6]),
                          ["truncated"], b"abc\n"))
    results.append(expect(served(model, PREPARED, lambda c: c.reset()),
                          ["reset"], b""))
    return results


# So many bytes libpq reads in one go, and the reset that is behind them.
LONG = message(b"D", struct.pack(">hi", 1, 100000) + b"x" * 100000)[:40000]


def is_connected(port, to):
    """True while there is a connection from the one port to the other. (The
    one alone may be somebody else's, as soon as it is free.)"""
    with open("/proc/net/tcp", encoding="ascii") as file:
        return any([end.rpartition(":")[2] for end in line.split()[1:3]] ==
                   [f"{port:04X}", f"{to:04X}"] for line in file)


def reset_behind(model, words, tls=False):
    """Runs against a server that says so and resets the connection, all while
    the client is stopped."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(AUTHORITY.pair)
    begun = threading.Event()

    def script(c):
        startup(c)
        if tls:
            c.send(b"S")
            c.sock = context.wrap_socket(c.sock, server_side=True)
            startup(c)
        c.send(WELCOME)
        while b"S\0\0\0\4" not in c.sock.recv(10000):  # Sync
            pass
        begun.wait(PATIENCE)
        family = running.family()
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: all(state(pid) == "T" for pid in family), "a stop")
        port, to = c.sock.getpeername()[1], c.sock.getsockname()[1]
        c.send(words)
        wait_for(lambda: fcntl.ioctl(c.sock, termios.TIOCOUTQ, bytes(4)) ==
                 bytes(4), "all has arrived")
        c.reset()
        wait_for(lambda: not is_connected(port, to), "the reset has arrived")
        for pid in family:
            os.kill(pid, signal.SIGCONT)
    env = dict(os.environ, PGSSLMODE="require" if tls else "disable")
    with Server(script) as server:
        host = f"127.0.0.1:{server.port}"
        with Running(model, url("SELECT 1", host=host), env=env) as running:
            begun.set()
            return running.finish()


@case
def a_reset_behind_a_row(model):
    """By whichever call it is met."""
    results = []
    for words in PREPARED + ROW, PREPARED + ROW + LONG:
        for tls in False, True:
            r = reset_behind(model, words, tls)
            results.append((len(words), tls, r.words))
            equal(r.words, ["reset"], f"{len(words)} bytes, {tls}: {r.err}")
    return results


@case
def servers_that_speak_otherwise(model):
    http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    with Server(lambda c: (startup(c), c.send(http))) as server:
        asks = run(model, url("SELECT 1", host=f"127.0.0.1:{server.port}"),
                   env=dict(os.environ, PGSSLMODE="prefer"))
    equal(asks.words, ["protocol"], asks.err)
    results = []
    for words in (http, b"\0" * 1000, b"\xff" * 1000, b"SSH-2.0-x\r\n",
                  message(b"R", struct.pack(">i", 77)),
                  message(b"R", struct.pack(">i", 5) + b"salt"),
                  b"R\x7f\xff\xff\xff", b"R\0\0\0\0", b"E\0\0\0\5x"):
        with Server(lambda c: (startup(c), c.send(words))) as server:
            r = run(model, "-t", "20",
                    url("SELECT 1", "u", "p",
                        host=f"127.0.0.1:{server.port}"))
        check(r.words[0] in ("protocol", "reset"), f"{words}: {r.err}")
        results.append(r.words)
    for words in (http, PREPARED + b"D\0\0\0\0", PREPARED + b"?" * 100,
                  PREPARED + message(b"D", struct.pack(">hi", 9, 3) + b"abc"),
                  PREPARED + message(b"D", struct.pack(">hi", 1, 99) + b"abc"),
                  b"T\0\0\0\6\x7f\xff"):
        r = served(model, words)
        check(r.words[0] in ("protocol", "reset", "truncated"),
              f"{words}: {r.err}")
        results.append(r.words)
    return results


@case
def a_server_that_takes_nobody_now(model):
    """That passes: it is worth another try."""
    def script(c):
        startup(c)
        if c.number == 1:
            c.send(error("53300", "sorry, too many clients already"))
            return
        c.send(WELCOME)
        while b"S\0\0\0\4" not in c.sock.recv(10000):
            pass
        c.send(PREPARED + ROW + LAST)
        c.hold()
    with Server(script) as server:
        at = url("SELECT 1", host=f"127.0.0.1:{server.port}")
        r = run(model, "--retries", "1", at)
        equal(r.column("attempts"), ["2"], "attempts")
    with Server(lambda c: (startup(c), c.send(error("57P03", "not yet")))
                ) as server:
        q = run(model, url("SELECT 1", host=f"127.0.0.1:{server.port}"))
    return (expect(r, ["ok"], b"abc\n"),
            expect(q, ["refused"], b"", err="takes no connections just now"))


def asked_for_rounds(c, rounds, split=0):
    """A login by SCRAM, up to how many rounds prove the password; told in two
    pieces if `split`. What the client says then."""
    startup(c)
    c.send(message(b"R", struct.pack(">i", 10) + b"SCRAM-SHA-256\0\0"))
    nonce = re.search(rb"r=([^,]+)", c.sock.recv(10000)).group(1)
    words = message(b"R", struct.pack(">i", 11) + b"r=" + nonce +
                    b"more,s=" + b"A" * 24 + b",i=%d" % rounds)
    c.send(words[:split])
    if split:
        time.sleep(0.2)
    c.send(words[split:])
    try:
        return c.sock.recv(10000)
    except ConnectionResetError:
        return b""


@case
def more_rounds_than_can_be_waited_for(model):
    """How long a password takes to be proven, the server says; a program that
    is at it hears no signal and sees no limit."""
    proofs = []
    for rounds, split in (1000000, 0), (2000000000, 0), (2000000000, 30):
        with Server(lambda c: proofs.append(asked_for_rounds(c, rounds, split))
                    ) as server:
            r = run(model, url("SELECT 1", "u", "p",
                               host=f"127.0.0.1:{server.port}"))
        expect(r, ["protocol"], b"", err="too many rounds of SCRAM")
    wait_for(lambda: len(proofs) == 3, "the servers' ends")
    equal(proofs, [b""] * 3, "proofs")
    with Server(lambda c: proofs.append(asked_for_rounds(c, 10000, 30))
                ) as server:
        r = run(model, url("SELECT 1", "u", "p",
                           host=f"127.0.0.1:{server.port}"))
    wait_for(lambda: len(proofs) == 4, "the server's end")
    check(b",p=" in proofs.pop(), "a message in two pieces is not understood")
    return r.words


@case
def more_rounds_over_tls(model):
    proofs = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(AUTHORITY.pair)

    def script(c):
        startup(c)  # it asks for TLS
        c.send(b"S")
        c.sock = context.wrap_socket(c.sock, server_side=True)
        proofs.append(asked_for_rounds(c, 2000000000))
    with Server(script) as server:
        r = run(model, url("SELECT 1", "u", "p",
                           host=f"127.0.0.1:{server.port}"),
                env=dict(os.environ, PGSSLMODE="require"))
        wait_for(lambda: proofs, "the server's end")
    equal(proofs, [b""], "proofs")
    return expect(r, ["protocol"], b"", err="too many rounds of SCRAM")


@case
def a_refusal_in_two_pieces(model):
    """Of one who was asked for the password. The first piece is read when the
    second has not come."""
    words = error("28P01", "no such password")

    def script(c):
        startup(c)
        c.send(message(b"R", struct.pack(">i", 3)))
        c.sock.recv(10000)
        c.send(words[:30])
        time.sleep(0.2)
        c.send(words[30:])
        c.hold()
    with Server(script) as server:
        r = run(model, url("SELECT 1", "u", "secret",
                           host=f"127.0.0.1:{server.port}"))
    return expect(r, ["database-error"], b"", err="28P01: no such password")


@case(models=("evloop",) if not QUICK else ())
def without_memory(model):
    """From some allocation on, around those of connecting, there is none: the
    program ends in good order."""
    shim = harness.preloaded("faults-shim.so")
    with Server(lambda c: c.sock.recv(1000)) as server, Workplace() as place:
        for number in range(90, 240, 2):
            done = subprocess.run(
                [harness.program(model), "-q",
                 url("SELECT 1", host=f"127.0.0.1:{server.port}")],
                env=dict(os.environ, LD_PRELOAD=shim,
                         TRIPTYCH_FAULT_PAGE=place.join(f"page{number}"),
                         TRIPTYCH_FAULT=f"alloc:{number}:ENOMEM+"),
                capture_output=True, check=False, timeout=PATIENCE)
            check(done.returncode in (1, 3), f"{number}: {done}")


@case
def a_server_that_asks_again_and_again(model):
    """For the password, and reads no answer: whoever sends one for each waits
    for room at last."""
    asks = message(b"R", struct.pack(">i", 3))

    def flood(c):
        startup(c)
        while True:
            c.send(asks * 10000)
    hidden = message(b"R", struct.pack(">i", 3) + asks)
    results = []
    for script in flood, lambda c: (startup(c), c.send(hidden), c.hold()):
        with Server(script) as server:
            r = run(model, "-t", "20", url("SELECT 1", "u", "p",
                                           host=f"127.0.0.1:{server.port}"))
        results.append(expect(r, ["protocol"], b"", err="no server asks"))
    return results


@case
def a_server_that_never_comes_to_an_end(model):
    """It has always something more to say: results, or what no result is."""
    def flood(words):
        def go_on(c):
            while True:
                c.send(words * 1000)
        return go_on
    ends = message(b"C", b"SELECT 1\0")
    r = served(model, PREPARED, flood(ends))
    answer = expect(r, ["protocol"], b"", err="a second end")
    remark = message(b"N", b"SNOTICE\0C00000\0Mquiet\0\0")
    return answer, expect(served(model, PREPARED, flood(remark),
                                 options=("-t", "1")), ["timeout"], b"")


@case
def a_login_that_never_comes_to_an_end(model):
    """The server tells of its settings faster than they can be read."""
    told = message(b"S", b"name\0value\0") * 1000

    def talk(c):
        startup(c)
        c.send(message(b"R", bytes(4)))
        while True:
            c.send(told)
    with Server(talk) as server:
        r = run(model, "--connect-timeout", "0.5",
                url("SELECT 1", host=f"127.0.0.1:{server.port}"))
    return expect(r, ["connect-timeout"], b"")


@case
def a_handshake_that_never_comes_to_an_end(model):
    """Nothing but HelloRequests, which OpenSSL passes over."""
    flood = (b"\x16\x03\x03\x40\x00" + bytes(16384)) * 16

    def talk(c):
        startup(c)
        c.send(b"S")
        c.sock.recv(5)
        while True:
            c.send(flood)
    with Server(talk) as server:
        r = run(model, url("SELECT 1", host=f"127.0.0.1:{server.port}"),
                env=dict(os.environ, PGSSLMODE="require"))
    return expect(r, ["protocol"], b"", err="handshake has no end")


@full
def a_server_that_notifies_without_end(model):
    """Nobody has asked it to, and nothing of it is kept."""
    told = message(b"A", struct.pack(">i", 1) + b"c\0" + b"x" * 8000 + b"\0")
    sent = []

    def script(c):
        startup(c)
        c.send(WELCOME)
        while b"S\0\0\0\4" not in c.sock.recv(10000):
            pass
        c.send(PREPARED)
        for _ in range(60):
            c.send(told * 50)
        sent.append(True)
        c.hold()
    with Server(script) as server:
        at = url("SELECT 1", host=f"127.0.0.1:{server.port}")
        with Running(model, at) as running:
            wait_for(lambda: sent, "24 MB are sent")
            most = max(harness_memory(pid) for pid in running.family())
            running.signal(signal.SIGINT)
            r = running.finish()
    check(most < 24 * 1024, f"{most} KiB are kept")
    return r.status


@case
def words_that_could_draw(model):
    """A server's words are shown on a terminal. C1, the second half of the
    control characters, is two bytes in UTF-8, and one in other codes."""
    text = "é€😀\x1b[31m\u009b31m\x7f".encode() + b"\x9b31m\xc3(\xe2\x82"
    with Server(lambda c: (startup(c), c.send(
            message(b"E", b"SFATAL\0VFATAL\0C28000\0M" + text + b"\0\0")))
                ) as server:
        with Running(model, url("SELECT 1", host=f"127.0.0.1:{server.port}")
                     ) as running:
            running.process.wait(PATIENCE)
            with open(running.err_path, "rb") as file:
                said = file.read()
    check("28000: é€😀 [31m  31m  31m ( ".encode() in said, said)
    said.decode()
    return said.decode().split("28000")[1][:10]


# --- TLS -------------------------------------------------------------------

@case
def over_tls(model):
    """As PGSSLMODE asks for; rows larger than a record come whole."""
    query = "SELECT repeat('z', i) FROM generate_series(50000, 52000, 100) i"
    r = run(model, url(query), url("SELECT ssl FROM pg_stat_ssl WHERE "
                                   "pid = pg_backend_pid()"),
            url("SELECT 'by a password'", "us:er@/é", PASSWORD),
            env=dict(os.environ, PGSSLMODE="require"))
    trusted, stranger = (
        run(model, url("SELECT 1"), env=dict(
            os.environ, PGSSLMODE="verify-full", PGSSLROOTCERT=root))
        for root in AUTHORITY.roots)
    return (expect(r, ["ok"] * 3, PG.copy(query) + b"t\nby a password\n"),
            expect(trusted, ["ok"], b"1\n"),
            expect(stranger, ["tls"], b""))


def run_all():
    global PG, AUTHORITY
    postgres.find_programs()
    AUTHORITY = Authority()
    try:
        AUTHORITY.roots = AUTHORITY.ca, AUTHORITY.root("stranger")
        AUTHORITY.pair = AUTHORITY.issue("server")
        with Postgres(tls=AUTHORITY.pair) as PG:
            main()
    finally:
        VICTIM.end()
        AUTHORITY.place.__exit__()


if __name__ == "__main__":
    try:
        run_all()
    except Skip as reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)

"""Names: look-ups that fail or take long, several addresses, no route.

In network and mount namespaces of their own, made by this script: there
/etc/resolv.conf names a small name server of ours on loopback. No question
ever leaves the machine.
"""

import atexit
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from authority import Authority, TlsServer
from harness import (Origin, Running, Server, case, check, equal, expect, main,
                     run, wait_for)

INSIDE = "TRIPTYCH_INSIDE_NAMESPACE"

# name: addresses; a name that is not here does not exist.
ZONE = {
    "one.test": ["127.0.0.1"],
    "two.test": ["127.0.0.2", "127.0.0.1"],
    "mixed.test": ["::1", "127.0.0.1"],
    "none.test": [],
    "dead.test": ["127.0.0.2", "127.0.0.3"],
    "host.deep.test": ["127.0.0.1"],
    **{f"many{i}.test": ["127.0.0.1"] for i in range(20)},
    "slow.test": ["127.0.0.1"],
    "liar.test": ["127.0.0.1"],
    "cut.test": ["127.0.0.1"],
    "only4.test": ["127.0.0.1"],
    "only6.test": ["::1"],
    "fails6.test": ["127.0.0.1"],
    "fails4.test": ["::1"],
}

NO_SUCH_NAME, SERVER_FAILED = 3, 2
# Where a family does not merely have no address, as it should be.
FAMILY_FAILS = {
    ("only4.test", socket.AF_INET6): NO_SUCH_NAME,
    ("only6.test", socket.AF_INET): NO_SUCH_NAME,
    ("fails6.test", socket.AF_INET6): SERVER_FAILED,
    ("fails4.test", socket.AF_INET): SERVER_FAILED,
}
TRUNCATED = 0x0200  # a flag: ask again over TCP


def answer(question):
    """One DNS answer, after RFC 1035."""
    identity, = struct.unpack_from("!H", question)
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    kind, = struct.unpack_from("!H", question, at + 1)
    asked = question[12:at + 5]
    name = ".".join(labels).lower()
    family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
    records = [socket.inet_pton(family, a) for a in ZONE.get(name, [])
               if (":" in a) == (family == socket.AF_INET6)] if family else []
    status = FAMILY_FAILS.get((name, family), 0) if name in ZONE \
        else NO_SUCH_NAME
    head = struct.pack("!HHHHHH", identity, 0x8580 | status, 1, len(records),
                       0, 0)
    return head + asked + b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(record)) + record
        for record in records)


def lies(question):
    """Answers that are none: to be passed over. Where they lead to nobody
    listens."""
    evil = struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.66")
    asked = question[12:]
    identity, = struct.unpack_from("!H", question)

    def reply(number, asked, count=1, flags=0x8580):
        return struct.pack("!HHHHHH", number, flags, 1, count, 0, 0) + \
            asked + b"\xc0\x0c" + evil
    yield reply(identity ^ 1, asked)  # to another question
    yield reply(identity, b"\x05other\x04test\0" + asked[-4:])
    yield bytes([question[0] ^ 1]) + os.urandom(40)


def truncate(whole):
    """An answer that has no room in a datagram."""
    identity, flags = struct.unpack_from("!HH", whole)
    return struct.pack("!HHHHHH", identity, flags | TRUNCATED, 1, 0, 0, 0) + \
        whole[12:whole.index(b"\0", 12) + 5]


AUTHORITY = Authority()
atexit.register(AUTHORITY.remove)
WRONG_NAME = AUTHORITY.issue("wrong", alt="DNS:example.org")


def serve_names(sock):
    """What the name server does is in the name."""
    while True:
        question, client = sock.recvfrom(4096)
        asked.append(question)
        reply = answer(question)
        if b"\x06silent" in question:
            continue
        if b"\x06broken" in question:
            reply = question[:2] + b"\x85\x80" + os.urandom(30)
        if b"\x03cut" in question:
            reply = truncate(reply)
        if b"\x04liar" in question:
            for lie in lies(question):
                sock.sendto(lie, client)
        if b"\x04slow" in question:
            threading.Timer(1, sock.sendto, (reply, client)).start()
            continue
        sock.sendto(reply, client)


asked = []


def serve_names_over_tcp(c):
    while len(length := c.read(2)) == 2:
        reply = answer(c.read(int.from_bytes(length, "big")))
        c.send(len(reply).to_bytes(2, "big") + reply)


def ok(c):
    while c.request():
        c.ok(b"found")


@case
def names_that_do_not_exist(model):
    r = run(model, "http://missing.test/", "tcp://none.test:1/x")
    equal(r.column("attempts"), ["1", "1"], "attempts")
    return expect(r, ["dns", "dns"], b"")


@case
def a_name(model):
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, f"http://one.test:{server.port}/",
                f"http://ONE.test:{server.port}/")
    equal(server.requests[0].count(b"Host: one.test:"), 1, "Host")
    return expect(r, ["ok", "ok"], b"found" * 2)


@case
def every_address_is_tried(model):
    """The first refuses, whichever family comes first."""
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, f"http://two.test:{server.port}/",
                f"http://mixed.test:{server.port}/")
    return expect(r, ["ok", "ok"], b"found" * 2)


@case
def the_last_address_counts(model):
    r = run(model, "http://dead.test:1/")
    return expect(r, ["refused"], b"")


@case
def many_names_at_once(model):
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, "-j", "50", "--no-keep-alive", "-n",
                *[f"http://{n}.test:{server.port}/" for n in
                  ("one", "two", "missing", "mixed")] * 25)
    return expect(r, ["ok", "ok", "dns", "ok"] * 25)


@case
def redirect_to_a_name_that_does_not_exist(model):
    with Origin() as origin:
        r = run(model, f"{origin.http}/bytes/0?redirect=http://missing.test/")
    equal(r.column("status"), ["302"], "status")
    return expect(r, ["dns"], b"")


@case
def no_route(model):
    """In a namespace of its own where not even loopback is up."""
    r = run(model, "http://127.0.0.1:80/", "http://[::1]/",
            wrap=["unshare", "-n"])
    return expect(r, ["unreachable", "unreachable"], b"",
                  err="unreachable: ")


# Two local ports, both taken towards the server: no third connection to it.
NO_PORTS = """
import socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
    file.write("40000 40001")
listener = socket.create_server(("127.0.0.1", 9000))
kept = [socket.create_connection(("127.0.0.1", 9000)) for _ in range(2)]
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


@case
def no_port_is_left(model):
    """And nothing is in flight that would free one."""
    r = run(model, "-j1", "http://127.0.0.1:9000/", "http://127.0.0.1:9000/",
            wrap=["unshare", "-n", sys.executable, "-c", NO_PORTS])
    return expect(r, ["no-resources", "no-resources"], b"",
                  err="no-resources: Cannot assign requested address")


def with_files(resolv, hosts="127.0.0.1 localhost\n"):
    """A wrap: with this /etc/resolv.conf and /etc/hosts. (Written there by a
    shell, into a file system of its own.)"""
    return ["unshare", "-m", "sh", "-ec", f"""
mount -t tmpfs none /mnt
printf '%s' '{resolv}' >/mnt/resolv
printf '%s' '{hosts}' >/mnt/hosts
mount --bind /mnt/resolv "$(realpath /etc/resolv.conf)"
mount --bind /mnt/hosts "$(realpath /etc/hosts)"
exec "$0" "$@"
"""]


# Nobody listens at 127.0.0.9: the kernel says so at once. At 127.0.0.8 a socket
# takes all questions and answers none (prepare).
DEAD, SILENT = "127.0.0.9", "127.0.0.8"


@case
def no_name_server(model):
    """Nobody listens where resolv.conf points to."""
    r = run(model, "http://one.test/", wrap=with_files(
        f"nameserver {DEAD}\noptions timeout:1 attempts:1\n"))
    return expect(r, ["dns"], b"")


@case
def the_first_name_server_is_dead(model):
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, f"http://one.test:{server.port}/", wrap=with_files(
            f"nameserver {DEAD}\nnameserver 127.0.0.1\n"))
    return expect(r, ["ok"], b"found")


@case
def the_first_name_server_is_silent(model):
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, f"http://one.test:{server.port}/", wrap=with_files(
            f"nameserver {SILENT}\nnameserver 127.0.0.1\n"
            "options timeout:1\n"))
    return expect(r, ["ok"], b"found")


@case
def the_hosts_file_alone(model):
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, f"http://written.example:{server.port}/",
                wrap=with_files("", "127.0.0.1 written.example\n"))
    return expect(r, ["ok"], b"found")


@case
def thousands_of_addresses(model):
    """None of them can be reached: the system says so at once, for each. The
    stack does not grow with their number."""
    hosts = "".join(f"10.0.{i >> 8}.{i & 255} many.example\n"
                    for i in range(16000))
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
        file.write(hosts)
        file.flush()
        r = run(model, "http://many.example/", wrap=[
            "unshare", "-m", "sh", "-ec", "ulimit -s 1024; mount --bind "
            f"{file.name} \"$(realpath /etc/hosts)\"; exec \"$0\" \"$@\""])
    return expect(r, ["unreachable"], b"")


@case
def search_domains(model):
    """A name of one part, and one of two, are looked for below them."""
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, f"http://one:{server.port}/",
                f"http://host.deep:{server.port}/", wrap=with_files(
                    "nameserver 127.0.0.1\nsearch nowhere.test test\n"))
    return expect(r, ["ok", "ok"], b"found" * 2)


@case
def a_silent_name_server(model):
    """It would take a minute, but for -t; and nobody else waits."""
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, "-t", "5", "--retries", "0", "http://one.test/",
                "http://two.test/", server.http, timeout=50,
                wrap=with_files(f"nameserver {SILENT}\n"
                                "options timeout:15 attempts:4\n"))
    return expect(r, ["timeout", "timeout", "ok"], b"found")


@case
def twenty_names_at_once(model):
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, "-j", "20",
                *[f"http://many{i}.test:{server.port}/" for i in range(20)])
    return expect(r, ["ok"] * 20, b"found" * 20)


@case
def silent_names_keep_no_other_waiting(model):
    """Twenty at once, for some of which two ask, and one that has an answer;
    then once more: those that were left are still under way."""
    with Server(ok, address="127.0.0.1") as server:
        urls = [f"http://silent{i % 15}.silent.test/" for i in range(20)]
        r = run(model, "-t", "1.5", "--retries", "0", "-j", "21", *urls,
                f"http://one.test:{server.port}/", *urls)
    return expect(r, ["timeout"] * 20 + ["ok"] + ["timeout"] * 20, b"found")


@case
def a_slow_name_server(model):
    """It answers in a second, of which nothing counts as connecting."""
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, "--connect-timeout", "0.9",
                f"http://slow.test:{server.port}/")
    return expect(r, ["ok"], b"found")


@case
def a_lying_name_server(model):
    """Answers to what nobody asked, halves of answers and noise come before
    the right one."""
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, f"http://liar.test:{server.port}/")
    return expect(r, ["ok"], b"found")


@case
def a_name_server_that_says_nothing_of_sense(model):
    r = run(model, "http://broken.test:1/", "http://missing.test:1/",
            wrap=with_files("nameserver 127.0.0.1\n"
                            "options timeout:1 attempts:1\n"))
    return expect(r, ["dns", "dns"], b"")


@case
def an_answer_too_long_for_a_datagram(model):
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, f"http://cut.test:{server.port}/")
    return expect(r, ["ok"], b"found")


@case
def one_family_has_no_such_name(model):
    """A name server that should say "no address", but says "no name"; or fails
    for one family. The other's addresses count."""
    with Server(ok, address="127.0.0.1") as four, \
            Server(ok, address="::1") as six:
        r = run(model, f"http://only4.test:{four.port}/",
                f"http://fails6.test:{four.port}/",
                f"http://only6.test:{six.port}/",
                f"http://fails4.test:{six.port}/",
                wrap=with_files("nameserver 127.0.0.1\n"
                                "options timeout:1 attempts:1\n"))
    return expect(r, ["ok"] * 4, b"found" * 4)


@case
def the_second_family_alone_listens(model):
    """Of ::1 and 127.0.0.1, whichever comes first."""
    with Server(ok, address="::1") as server:
        r = run(model, f"http://mixed.test:{server.port}/",
                f"tcp://mixed.test:{server.port}/GET%20%2f%0d%0a%0d%0a")
    equal(r.words[0], "ok", r.err)
    return expect(r, ["ok", "ok"])


@case
def a_datagram_to_a_name(model):
    """Nobody is at the first address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def echo():
            data, client = sock.recvfrom(100)
            sock.sendto(data, client)
        threading.Thread(target=echo, daemon=True).start()
        r = run(model, f"udp://two.test:{sock.getsockname()[1]}/hello")
    return expect(r, ["ok"], b"hello")


@case
def interrupted_in_a_look_up(model):
    for number in (signal.SIGINT, signal.SIGTERM):
        name = f"{model}{number:d}.silent.test"
        with Running(model, "-j", "2", f"http://{name}/",
                     f"http://{name}/", "http://other.silent.test/") as running:
            wait_for(lambda: any(name.split(".")[0].encode() in q
                                 for q in list(asked)),
                     "the question")
            begun = time.monotonic()
            running.signal(number)
            r = running.finish(30)
            check(time.monotonic() - begun < 15, "it ended late")
            equal(r.status, 128 + number, r.err)
            equal(r.words, ["cancelled"] * 3, r.err)
            equal(running.family(), [], "processes left")


@case
def a_wrong_certificate_tells_more_than_a_refusal(model):
    """Of two addresses: whichever is asked first, one shows a certificate that
    is another's, and nobody listens at the other."""
    with TlsServer(ok, WRONG_NAME, address="127.0.0.1") as server:
        r = run(model, "--cacert", AUTHORITY.ca, "--retries", "0",
                f"https://first.example:{server.port}/",
                f"https://last.example:{server.port}/",
                wrap=with_files("", "127.0.0.1 first.example\n"
                                "127.0.0.3 first.example\n"
                                "127.0.0.3 last.example\n"
                                "127.0.0.1 last.example\n"))
    return expect(r, ["tls", "tls"], b"")


def enter():
    """Runs this script again inside of new namespaces."""
    command = ["unshare", "-n", "-m"]
    if os.geteuid() != 0:
        command.append("-r")
    probe = subprocess.run([*command, "true"], stderr=subprocess.PIPE,
                           check=False)
    if probe.returncode != 0:
        print(f"SKIPPED all: no namespaces here: {probe.stderr.decode()}")
        sys.exit(77)
    environment = dict(os.environ, **{INSIDE: "1"})
    sys.exit(subprocess.run([*command, sys.executable, *sys.argv],
                            env=environment, check=False).returncode)


def prepare(kept):
    """The namespaces' own loopback, resolv.conf (the file `kept`, which must
    stay while something is mounted over it) and name server."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open(kept, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.1\n")
    os.chmod(kept, 0o644)
    subprocess.run(["mount", "--bind", kept,
                    os.path.realpath("/etc/resolv.conf")], check=True)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 53))
    threading.Thread(target=serve_names, args=(sock,), daemon=True).start()
    Server(serve_names_over_tcp, port=53)
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((SILENT, 53))
    return silent


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter()
    with tempfile.TemporaryDirectory(prefix="triptych-") as place:
        os.chmod(place, 0o755)
        held = prepare(os.path.join(place, "resolv.conf"))
        main()
        held.close()

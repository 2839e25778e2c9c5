"""Names: look-ups that fail or take long, several addresses, no route.

In network and mount namespaces of their own, made by this script: there
/etc/resolv.conf names a small name server of ours on loopback. No question
ever leaves the machine.
"""

import atexit
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from authority import Authority, TlsServer
from harness import Origin, Server, case, equal, expect, main, run

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
}


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
    status = 0 if name in ZONE else 3
    head = struct.pack("!HHHHHH", identity, 0x8580 | status, 1, len(records),
                       0, 0)
    return head + asked + b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(record)) + record
        for record in records)


AUTHORITY = Authority()
atexit.register(AUTHORITY.remove)
WRONG_NAME = AUTHORITY.issue("wrong", alt="DNS:example.org")

# LeakSanitizer, at the end, stops all threads and looks into their stacks; one
# that is left in a look-up may keep it from doing so.
LEAVES_A_THREAD = dict(os.environ, ASAN_OPTIONS=":".join(
    filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"])))


def serve_names(sock):
    while True:
        question, client = sock.recvfrom(4096)
        sock.sendto(answer(question), client)


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
                                "options timeout:15 attempts:4\n"),
                env=LEAVES_A_THREAD)
    return expect(r, ["timeout", "timeout", "ok"], b"found")


@case
def twenty_names_at_once(model):
    with Server(ok, address="127.0.0.1") as server:
        r = run(model, "-j", "20",
                *[f"http://many{i}.test:{server.port}/" for i in range(20)])
    return expect(r, ["ok"] * 20, b"found" * 20)


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

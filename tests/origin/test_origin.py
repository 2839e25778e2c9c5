#!/usr/bin/env python3
"""The practice server, where fetchers do not see it: who leaves while waiting,
and more clients than descriptors.

TRIPTYCH_BIN is the build directory."""

import contextlib
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from runner import check, run_cases

BIN = os.path.abspath(os.environ.get(
    "TRIPTYCH_BIN",
    os.path.join(os.path.dirname(__file__), "../../build/dev")))
PATIENCE = 60


class Client:
    """One connection, which is kept."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.file = self.sock.makefile("rb")

    def ask(self, path):
        self.sock.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
                          % path.encode())

    def answer(self):
        """Status and body."""
        status = self.file.readline().split()
        length = 0
        for line in iter(self.file.readline, b"\r\n"):
            check(line, f"the answer is cut short: {status}")
            if line.lower().startswith(b"content-length:"):
                length = int(line.split()[1])
        return int(status[1]), self.file.read(length)

    def get(self, path):
        self.ask(path)
        return self.answer()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()


@contextlib.contextmanager
def origin(directory, *options, **more):
    """Its port, and what it has said on standard error so far."""
    errors = os.path.join(directory, "errors")
    with open(errors, "wb") as file, subprocess.Popen(
            [os.path.join(BIN, "tests/triptych-origin"), "--port=0",
             *options],
            stdout=subprocess.PIPE, stderr=file, text=True,
            **more) as process:
        try:
            line = process.stdout.readline()
            yield (int(line.rsplit(":", 1)[1].strip("/\n")) if line else None,
                   errors)
        finally:
            process.terminate()


def stats(client):
    status, body = client.get("/stats")
    check(status == 200, f"{status}")
    return json.loads(body)


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < deadline, f"waited in vain: {what}")
        time.sleep(.01)


def case_wrong_values(_):
    for words, said in ((["-p", "99999"], "--port '99999': it takes a number "
                         "from 0 to 65535"),
                        (["--udp-port=x"], "--udp-port 'x': it takes"),
                        (["-w", "0"], "--workers '0': it takes a number"),
                        (["--fast", "-1"], "--fast '-1': it takes a number"),
                        (["-l", "/nowhere/x"],
                         "--log '/nowhere/x': No such file or directory"),
                        (["here"], "'here' is no option")):
        done = subprocess.run([os.path.join(BIN, "tests/triptych-origin"),
                               *words], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        check(done.returncode == 2 and done.stdout == "" and
              done.stderr.startswith(f"triptych-origin: {said}"),
              f"{words}: {done}")


def case_who_leaves_a_barrier_is_gone(directory):
    """Closed or reset; those who stay are answered when enough have come."""
    with origin(directory) as (port, _):
        watcher = Client(port)
        waiting = [Client(port) for _ in range(3)]
        for client in waiting:
            client.ask("/bytes/3?barrier=5")

        def in_flight():
            return stats(watcher)["in_flight"] - 1  # but for the question

        wait_for(lambda: in_flight() == 3, "all three wait")
        waiting[0].close()
        waiting[1].reset()
        wait_for(lambda: in_flight() == 1, "two have left")
        check(stats(watcher)["open"] == 2, f"{stats(watcher)}")
        more = [Client(port) for _ in range(2)]
        for client in more:
            client.ask("/bytes/3?barrier=5")
        for client in (waiting[2], *more):
            status, body = client.answer()
            check(status == 200 and len(body) == 3, f"{status}, {body}")


def case_more_requests_at_a_barrier(directory):
    """What is sent while the first one waits is answered after it."""
    with origin(directory) as (port, _):
        first, second = Client(port), Client(port)
        first.ask("/bytes/1?barrier=2")
        first.ask("/bytes/2")
        wait_for(lambda: stats(second)["requests"] > 1, "the first waits")
        first.ask("/bytes/3")
        time.sleep(.1)
        check(second.get("/bytes/4?barrier=2")[0] == 200, "the second")
        got = [len(first.answer()[1]) for _ in range(3)]
        check(got == [1, 2, 3], f"{got}")


def case_fast(directory):
    """Requests in pieces, and several at once, are answered one by one."""
    with origin(directory, "--fast=70000") as (port, _):
        check(port is None, "a body that does not fit")
    with origin(directory, "--fast=1000") as (port, errors):
        client = Client(port)
        request = b"GET /any HTTP/1.1\r\nHost: a\r\n\r\n"
        for piece in (request, request[:5], request[5:-1], request[-1:],
                      request * 3 + b"\r", request[:-3]):
            client.sock.sendall(piece)
            time.sleep(.05)
        bodies = [client.answer() for _ in range(5)]
        check(all(status == 200 and len(body) == 1000
                  for status, body in bodies), f"{bodies}")
        check(stats(Client(port)) == {"requests": 6}, "not counted")
        with open(errors, encoding="utf-8") as file:
            check(not file.read(), "it has said something")


def case_more_clients_than_descriptors(directory):
    """It says nothing, does not try without end, and serves them later."""
    few = 40
    with origin(directory, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (few, few))) as (port, errors):
        watcher = Client(port)
        clients = [Client(port) for _ in range(few + 20)]
        for client in clients:
            client.ask("/bytes/5")
        seen = -1
        while stats(watcher)["open"] != seen:  # until no more are accepted
            seen = stats(watcher)["open"]
            time.sleep(.5)
        check(0 < seen < few, f"{seen} open")
        for client in clients:
            status, body = client.answer()
            check(status == 200 and len(body) == 5, f"{status}, {body}")
            client.close()
        with open(errors, encoding="utf-8") as file:
            said = file.read()
        check(not said, f"{len(said)} characters, {said[:200]!r}")


def case_told_to_end_as_soon_as_it_is_ready(directory):
    """The signal may come before anything has been served."""
    for way in [[], ["--workers=3"], ["--fast=10"]]:
        for _ in range(30):
            with subprocess.Popen(
                    [os.path.join(BIN, "tests", "triptych-origin"),
                     "--port=0", *way], stdout=subprocess.PIPE,
                    cwd=directory) as server:
                server.stdout.readline()
                server.terminate()
                status = server.wait(PATIENCE)
            check(status == 0, f"{way}: status {status}")


if __name__ == "__main__":
    sys.exit(run_cases(globals()))

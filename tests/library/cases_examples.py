"""The library's examples: what a relay and an echo server promise, against
peers that are slow, end first, or reset; under a load of our own, and beside
socat where that is installed."""

import contextlib
import errno
import hashlib
import os
import random
import resource
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from runner import check, run_cases  # noqa: E402

BIN = os.environ["TRIPTYCH_BIN"]
PATIENCE = 120  # seconds, for what should take none
HIGH = 64 * 1024
READING = 4096  # what a bufferevent reads at once


def example(name):
    return os.path.join(BIN, f"example-{name}")


def sanitized(name):
    """Then memory is not what the program takes."""
    with open(example(name), "rb") as file:
        return b"san_init" in file.read()


@contextlib.contextmanager
def running(*argv):
    """A server that prints its port: (port, process)."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            check(line.strip().isdigit(), f"{argv} printed {line!r}")
            yield int(line), process
            check(process.poll() is None, f"{argv} has ended")
        finally:
            process.terminate()


@contextlib.contextmanager
def relayed():
    """(a listener, the port of a relay to it, the relay)"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        to = f"127.0.0.1:{listener.getsockname()[1]}"
        with running(example("relay"), "127.0.0.1", to) as (port, process):
            yield listener, port, process


def connect(port, receive=None):
    s = socket.socket()
    if receive is not None:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, receive)
    s.settimeout(PATIENCE)
    s.connect(("127.0.0.1", port))
    return s


def pair(listener, port):
    """Both ends of a connection through the relay."""
    near = connect(port)
    far, _ = listener.accept()
    far.settimeout(PATIENCE)
    return near, far


def rest(s):
    """All that comes until the end."""
    pieces = []
    while piece := s.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def data(n, seed=0):
    block = hashlib.sha512(b"%d" % seed).digest() * 1024
    return (block * (n // len(block) + 1))[:n]


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def expect_reset(s):
    try:
        while s.recv(1 << 16):
            pass
    except OSError as error:
        check(error.errno == errno.ECONNRESET, f"{error}")
    else:
        check(False, "an end came, not a reset")


def memory(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def processor_time(process):
    """Seconds."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def wait_until(what, message):
    end = time.monotonic() + PATIENCE
    while not what():
        check(time.monotonic() < end, message)
        time.sleep(0.01)


def send_in_background(s, content):
    thread = threading.Thread(target=s.sendall, args=(content,), daemon=True)
    thread.start()
    return thread


def fill(sockets, left):
    """Sends what goes without anybody reading, until nothing moves."""
    still = 0
    while still < 5 and (sockets := [s for s in sockets if left[s]]):
        ready = writable(sockets, 0.1)
        still = 0 if ready else still + 1
        for s in ready:
            try:
                n = s.send(left[s][:1 << 16])
                left[s] = left[s][n:]
            except BlockingIOError:
                pass


def writable(sockets, seconds):
    poll = select.poll()
    by_number = {s.fileno(): s for s in sockets}
    for number in by_number:
        poll.register(number, select.POLLOUT)
    return [by_number[n] for n, _ in poll.poll(seconds * 1000)]


# --- The relay ---------------------------------------------------------------

def case_relay_both_ways(_):
    """Megabytes in both directions at once come out as they went in."""
    with relayed() as (listener, port, _):
        near, far = pair(listener, port)
        up, down = data(8 << 20, 1), data(8 << 20, 2)
        threads = [send_in_background(near, up),
                   send_in_background(far, down)]
        got = {}
        for name, s in (("up", far), ("down", near)):
            def receive(name=name, s=s):
                hasher, n = hashlib.sha256(), 0
                while n < 8 << 20:
                    piece = s.recv(1 << 16)
                    if not piece:
                        break
                    hasher.update(piece)
                    n += len(piece)
                got[name] = hasher.digest()
            threads.append(threading.Thread(target=receive, daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(PATIENCE)
        check(got == {"up": hashlib.sha256(up).digest(),
                      "down": hashlib.sha256(down).digest()}, "other bytes")


def case_relay_half_close(_):
    """An end is passed on behind what came before; the other way goes on."""
    with relayed() as (listener, port, process):
        before = descriptors(process)
        for first in (0, 1):
            ends = pair(listener, port)
            one, other = ends[first], ends[1 - first]
            content = data(1 << 20, first)
            thread = send_in_background(one, content)
            check(other.recv(1) == content[:1], "the first byte")
            thread.join(1)  # or it waits for the reading below
            got = []
            reader = threading.Thread(target=lambda: got.append(rest(other)))
            reader.start()
            thread.join(PATIENCE)
            one.shutdown(socket.SHUT_WR)
            reader.join(PATIENCE)
            check(got == [content[1:]], "not what was sent")
            other.sendall(content)
            other.close()
            check(rest(one) == content, "the other way, behind the end")
            one.close()
        wait_until(lambda: descriptors(process) == before,
                   "connections are left open")


def case_relay_slow_side(_):
    """Nobody reads: the sender is stopped, memory is bounded, nothing turns;
    then all of it comes."""
    with relayed() as (listener, port, process):
        for first in (0, 1):
            ends = pair(listener, port)
            one, other = ends[first], ends[1 - first]
            one.sendall(b"x")
            check(other.recv(1) == b"x", "the first byte")
            before = memory(process)
            left = {one: memoryview(data(64 << 20, first))}
            one.setblocking(False)
            fill([one], left)
            used = processor_time(process)
            time.sleep(0.2)
            check(processor_time(process) - used < 0.1, "it does not sleep")
            check(len(left[one]) > 16 << 20, "the sender was not stopped")
            grown = memory(process) - before
            check(sanitized("relay") or grown < 4 * (HIGH + READING),
                  f"the memory has grown by {grown}")
            one.settimeout(PATIENCE)
            thread = send_in_background(one, left[one])
            hasher, n = hashlib.sha256(), 0
            while n < 64 << 20:
                piece = other.recv(1 << 18)
                check(piece, f"it ended after {n}")
                hasher.update(piece)
                n += len(piece)
            thread.join(PATIENCE)
            check(hasher.digest() == hashlib.sha256(
                data(64 << 20, first)).digest(), "other bytes")
            for s in ends:
                s.close()


def case_relay_reset(_):
    """A reset of either side arrives as a reset at the other, also while it
    holds bytes for a side that does not read."""
    with relayed() as (listener, port, process):
        before = descriptors(process)
        for first in (0, 1):
            ends = pair(listener, port)
            reset(ends[first])
            expect_reset(ends[1 - first])
            ends[1 - first].close()
        near, far = pair(listener, port)
        left = {near: memoryview(data(64 << 20))}
        near.setblocking(False)
        fill([near], left)
        reset(far)
        near.settimeout(PATIENCE)
        expect_reset(near)
        near.close()
        wait_until(lambda: descriptors(process) == before,
                   "connections are left open")


def case_relay_reset_when_both_are_full(_):
    """Nobody reads on either side, and then one resets."""
    with relayed() as (listener, port, process):
        before = descriptors(process)
        for first in (0, 1):
            ends = pair(listener, port)
            left = {s: memoryview(data(16 << 20)) for s in ends}
            for s in ends:
                s.setblocking(False)
            fill(list(ends), left)
            check(all(left.values()), "a sender was not stopped")
            reset(ends[first])
            ends[1 - first].settimeout(PATIENCE)
            expect_reset(ends[1 - first])
            ends[1 - first].close()
        wait_until(lambda: descriptors(process) == before,
                   "connections are left open")


def send_by_chance(chance, s, content):
    """Pieces of any size, pauses between some, then the end."""
    while content:
        piece = content[:chance.randint(1, 1 << chance.randint(0, 17))]
        s.sendall(piece)
        content = content[len(piece):]
        if chance.random() < 0.1:
            time.sleep(chance.random() * 0.02)
    s.shutdown(socket.SHUT_WR)


def receive_by_chance(chance, s):
    pieces = []
    while piece := s.recv(chance.randint(1, 1 << chance.randint(6, 16))):
        pieces.append(piece)
        if chance.random() < 0.05:
            time.sleep(chance.random() * 0.02)
    return b"".join(pieces)


def case_relay_by_chance(_):
    """Whatever the sizes, the pauses, and which side ends first."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    with relayed() as (listener, port, process):
        before = descriptors(process)
        links = [pair(listener, port) for _ in range(16)]
        contents, jobs = [], []
        with ThreadPoolExecutor(4 * len(links)) as pool:
            for i, ends in enumerate(links):
                chances = [random.Random(f"{seed} {i} {k}") for k in range(4)]
                both = [data(chances[k].choice((0, 1, 5000, 300000)), i + k)
                        for k in range(2)]
                for k in range(2):
                    pool.submit(send_by_chance, chances[k], ends[k], both[k])
                    jobs.append(pool.submit(receive_by_chance, chances[2 + k],
                                            ends[1 - k]))
                    contents.append(both[k])
            got = [job.result(PATIENCE) for job in jobs]
        for i, content in enumerate(contents):
            check(got[i] == content, f"link {i // 2}, way {i % 2}: "
                  f"{len(got[i])} bytes of {len(content)}, or others")
        for s in (s for ends in links for s in ends):
            s.close()
        wait_until(lambda: descriptors(process) == before,
                   "connections are left open")


def case_relay_refused(_):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = listener.getsockname()[1]
    with running(example("relay"), "127.0.0.1", f"127.0.0.1:{nobody}") as (
            port, _):
        try:
            near = connect(port)
        except ConnectionResetError:
            return  # before connect itself has returned
        with near:
            expect_reset(near)


def case_relay_without_descriptors(_):
    """Those who come then wait, at no cost, and are served later."""
    with relayed() as (listener, port, process):
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE,
                         (descriptors(process) + 2,) * 2)
        one = pair(listener, port)
        others = [connect(port) for _ in range(3)]
        before = processor_time(process)
        time.sleep(0.5)
        check(processor_time(process) - before < 0.1, "it asks all the time")
        for s in one:
            s.close()
        for s in others:
            far, _ = listener.accept()
            far.close()
            check(rest(s) == b"", "not an end")
            s.close()


@contextlib.contextmanager
def descriptors_left(process, n):
    """No more than so many can be opened meanwhile."""
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE,
                     (descriptors(process) + n, limits[1]))
    used = processor_time(process)
    try:
        yield
        time.sleep(0.5)
        check(process.poll() is None, "it has ended")
        check(processor_time(process) - used < 0.1, "it asks all the time")
    finally:
        if process.poll() is None:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)


def case_relay_without_a_connection(_):
    """The first who comes finds no descriptor, or only one and not the second:
    there is no connection whose end would tell that one is free again."""
    for left in (0, 1):
        with relayed() as (listener, port, process):
            with descriptors_left(process, left):
                early = connect(port)
            near = early if left == 0 else connect(port)
            far, _ = listener.accept()
            near.sendall(b"served")
            far.settimeout(PATIENCE)
            check(far.recv(6) == b"served", "not served later")
            for s in {early, near, far}:
                s.close()


def case_relay_ipv6(_):
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        print(f"no IPv6: {error}: left out")
        return
    with listener, running(example("relay"), "[::1]", "[::1]:{}".format(
            listener.getsockname()[1])) as (port, _):
        with socket.create_connection(("::1", port), PATIENCE) as near:
            listener.settimeout(PATIENCE)
            far, _ = listener.accept()
            with far:
                near.sendall(b"six")
                near.shutdown(socket.SHUT_WR)
                check(rest(far) == b"six", "not what was sent")


def case_wrong_arguments(_):
    for arguments in (("relay", "0", "127.0.0.1:1"),
                      ("relay", "127.0.0.1:99999", "127.0.0.1:1"),
                      ("relay", "127.0.0.1", "localhost:1"),
                      ("echo", "127.0.0.1", "16k"), ("echo", "0"),
                      ("echo", "127.0.0.1", "-1")):
        done = subprocess.run([example(arguments[0]), *arguments[1:]],
                              capture_output=True, timeout=PATIENCE,
                              check=False)
        check(done.returncode == 2 and b"Usage" in done.stderr, arguments)


def case_relay_load(directory):
    """Three hundred requests, a hundred at a time, through the relay."""
    origin = os.path.join(BIN, "tests/triptych-origin")
    with subprocess.Popen([origin, "--port", "0"], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            at = server.stdout.readline().strip().rstrip("/")[7:]
            with running(example("relay"), "127.0.0.1", at) as (port, relay):
                before = descriptors(relay)
                sums = []
                for where in (at, f"127.0.0.1:{port}"):
                    urls = "".join(
                        f"http://{where}/bytes/{n * 997}?seed={n}\n"
                        for n in range(300))
                    done = subprocess.run(
                        [os.path.join(BIN, "fetch-evloop"), "-q", "-j", "100",
                         "-i", "-"], input=urls.encode(), capture_output=True,
                        cwd=directory, check=False)
                    check(done.returncode == 0, done.stderr.decode())
                    sums.append(hashlib.sha256(done.stdout).hexdigest())
                check(sums[0] == sums[1], "other bytes")
                wait_until(lambda: descriptors(relay) == before,
                           "connections are left open")
        finally:
            server.terminate()


STREAMS, EACH = 12, 2 << 20


def stream(listener, port, lock, i, verdicts):
    """One of the load's: bytes both ways at once, as much as goes through.
    Every fourth has a slow reader, ends one way first, or is reset."""
    kind = ("plain", "slow", "half", "reset")[i % 4]
    with lock:  # so that both ends are those of one connection
        near, far = pair(listener, port)
    content = data(EACH, i)
    if kind == "reset":
        near.sendall(content[:1 << 16])
        far.recv(1)
        reset(far if i % 8 == 3 else near)
        expect_reset(near if i % 8 == 3 else far)
        verdicts[i] = True
        return
    senders = [send_in_background(near, content)]
    if kind != "half":
        senders.append(send_in_background(far, content))

    def receive(s):
        hasher, n = hashlib.sha256(), 0
        while n < EACH:
            piece = s.recv(4096 if kind == "slow" else 1 << 16)
            if not piece:
                return None
            hasher.update(piece)
            n += len(piece)
            if kind == "slow" and n < 1 << 16:
                time.sleep(0.02)
        return hasher.digest()

    with ThreadPoolExecutor(1) as pool:
        other = None if kind == "half" else pool.submit(receive, near)
        got = [receive(far)]
        if kind == "half":
            senders[0].join(PATIENCE)
            near.shutdown(socket.SHUT_WR)
            check(far.recv(1) == b"", "the end has not come")
            senders.append(send_in_background(far, content))
            got.append(receive(near))
        else:
            got.append(other.result(PATIENCE))
    near.close()
    far.close()
    verdicts[i] = got == [hashlib.sha256(content).digest()] * 2


def case_relay_streams(_):
    """A load as iperf3 makes one: streams side by side, both ways at once.
    Those that are slow, half closed or reset hold up none of the others, and
    the memory is bounded for all of them together."""
    with relayed() as (listener, port, process):
        before, at_first = descriptors(process), memory(process)
        verdicts, lock = {}, threading.Lock()
        begun, most = time.monotonic(), 0
        with ThreadPoolExecutor(STREAMS) as pool:
            all_of_them = [pool.submit(stream, listener, port, lock, i,
                                       verdicts) for i in range(STREAMS)]
            while not all(one.done() for one in all_of_them):
                most = max(most, memory(process))
                time.sleep(0.01)
            for one in all_of_them:
                one.result()
        moved = sum(2 * EACH for i in range(STREAMS) if i % 4 != 3)
        print(f"{moved / (time.monotonic() - begun) / 1e6:.0f} MB/s; the "
              f"memory has grown by {(most - at_first) >> 10} KiB")
        check(verdicts == {i: True for i in range(STREAMS)}, f"{verdicts}")
        # Each direction has its mark and a reading; the heap may double both.
        check(sanitized("relay") or most - at_first <
              STREAMS * 2 * 2 * (HIGH + READING), "memory is not bounded")
        wait_until(lambda: descriptors(process) == before,
                   "connections are left open")


def case_relay_socat(_):
    """Between socat and socat, which half-closes, and ends by itself."""
    if shutil.which("socat") is None:
        print("socat is not installed: left out")
        return
    with subprocess.Popen(["socat", "-d", "-d",
                           "TCP-LISTEN:0,bind=127.0.0.1,fork", "EXEC:cat"],
                          stderr=subprocess.PIPE, text=True) as server:
        try:
            line = ""
            while "listening on" not in line:
                line = server.stderr.readline()
                check(line, "socat does not listen")
            threading.Thread(target=server.stderr.read, daemon=True).start()
            to = "127.0.0.1:" + line.rsplit(":", 1)[1].strip()
            with running(example("relay"), "127.0.0.1", to) as (port, _):
                content = data(16 << 20)
                done = subprocess.run(
                    ["socat", "-t", "60", "-", f"TCP:127.0.0.1:{port}"],
                    input=content, capture_output=True, timeout=PATIENCE,
                    check=False)
                check(done.returncode == 0 and done.stdout == content,
                      f"{done.returncode}, {len(done.stdout)} bytes")
        finally:
            server.terminate()


# --- The echo server ---------------------------------------------------------

def case_echoes(_):
    """Everything comes back, also behind the end; a reset hurts nobody."""
    with running(example("echo"), "127.0.0.1") as (port, process):
        before = descriptors(process)
        bystander = connect(port)
        with connect(port) as s:
            content = data(4 << 20)
            thread = send_in_background(s, content)
            got = bytearray()
            while len(got) < 1 << 20:
                got += s.recv(1 << 16)
            threading.Thread(target=lambda: (
                thread.join(PATIENCE), s.shutdown(socket.SHUT_WR))).start()
            check(bytes(got) + rest(s) == content, "other bytes")
        other = connect(port)
        other.sendall(b"x" * 100000)
        reset(other)
        bystander.sendall(b"still there")
        check(bystander.recv(100) == b"still there", "the bystander")
        bystander.close()
        wait_until(lambda: descriptors(process) == before,
                   "connections are left open")


def case_echo_without_a_connection(_):
    with running(example("echo"), "127.0.0.1") as (port, process):
        with descriptors_left(process, 0):
            s = connect(port)
        with s:
            s.sendall(b"x")
            check(s.recv(1) == b"x", "not served later")


def cost_of(count, each, *options):
    """Memory a client takes that sends and does not read; then all read, and
    every byte is compared."""
    with running(example("echo"), "127.0.0.1", *options) as (port, process):
        before = memory(process)
        clients = [connect(port, 4096) for _ in range(count)]
        content = {s: memoryview(data(each, i))
                   for i, s in enumerate(clients)}
        left = dict(content)
        for s in clients:
            s.setblocking(False)
        fill(clients, left)
        cost = (memory(process) - before) / count
        for s in clients:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        receive_all(clients, content, left)
        return cost


def receive_all(clients, content, left):
    got = {s: 0 for s in clients}
    poll = select.poll()
    by_number = {s.fileno(): s for s in clients}
    for number in by_number:
        poll.register(number, select.POLLIN | select.POLLOUT)
    while by_number:
        ready = poll.poll(PATIENCE * 1000)
        check(ready, f"{len(by_number)} get no more")
        for number, what in ready:
            s = by_number[number]
            if what & select.POLLOUT:
                left[s] = left[s][s.send(left[s][:1 << 16]):]
                if not left[s]:
                    s.shutdown(socket.SHUT_WR)
                    poll.modify(number, select.POLLIN)
            if what & select.POLLIN:
                piece = s.recv(1 << 16)
                at = got[s]
                check(content[s][at:at + len(piece)] == piece, "other bytes")
                got[s] += len(piece)
                if not piece:
                    check(got[s] == len(content[s]), f"{got[s]} bytes")
                    poll.unregister(number)
                    del by_number[number]
                    s.close()
            elif what & (select.POLLERR | select.POLLHUP):
                check(False, "it was reset")


def case_a_thousand_slow_readers(_):
    """Each costs at most its mark and a reading (and what the heap adds to
    both); without a mark, what it has sent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        if sanitized("echo"):
            cost_of(100, 192 * 1024)
            return
        bound = 2.1 * (16 * 1024 + READING) + 4096
        cost = cost_of(1000, 192 * 1024)
        without = cost_of(100, 192 * 1024, str(1 << 40))
        print(f"a client: {cost / 1024:.1f} KiB, without a mark "
              f"{without / 1024:.1f}, bound {bound / 1024:.1f}")
        check(cost < bound, "memory is not bounded")
        check(without > 2 * bound, "this test would not see it")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


if __name__ == "__main__":
    sys.exit(run_cases(dict(globals())))

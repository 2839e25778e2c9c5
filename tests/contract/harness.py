"""What the contract tests stand on: servers to talk to, and a way to run the
four programs and look at what came of it.

A case is run against each model by itself, against a server of its own on a
free loopback port. Nothing depends on speed or on the order of finishing;
`wait_for` polls until something is so, and fails loudly if it never is.
"""

import atexit
import concurrent.futures
import contextlib
import errno
import faulthandler
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request  # here: of two threads one would find it half there

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from runner import Failure, check

MODELS = ("threads", "processes", "evloop", "coroutines")
# The only ones to be run, for who works on one of them.
CHOSEN = os.environ.get("TRIPTYCH_MODELS", " ".join(MODELS)).split()
BIN = os.path.abspath(os.environ.get(
    "TRIPTYCH_BIN",
    os.path.join(os.path.dirname(__file__), "../../build/dev")))
# Longer than any run takes, sanitizers and a busy machine included.
PATIENCE = float(os.environ.get("TRIPTYCH_PATIENCE", "120"))
# And all cases of a file together: less than ctest's limit (CMakeLists.txt),
# which would end them without a word of which one it was.
LIMIT_OF_ALL = 3 * PATIENCE

COLUMNS = ("id url result status bytes attempts worker reused queued_us "
           "start_us connected_us first_byte_us done_us peak_buffered").split()


# "minimal": the tables are run against the minimal programs. Of each case they
# do what they cover; what they leave out is Beyond, and counted.
PROGRAM = os.environ.get("TRIPTYCH_PROGRAM", "fetch")
MINIMAL = PROGRAM == "minimal"


class Beyond(Exception):
    """The minimal programs leave this out."""


def program(model):
    return os.path.join(BIN, f"{PROGRAM}-{model}")


def preloaded(name):
    """The path of a library of the tests for LD_PRELOAD, whose list a space or
    a colon would cut: then of a copy."""
    path = os.path.join(BIN, "tests", name)
    if os.path.exists(path) and (" " in path or ":" in path):
        place = tempfile.mkdtemp(prefix="triptych-")
        atexit.register(shutil.rmtree, place)
        path = shutil.copy(path, place)
    return path


def copy_program(model, directory):
    """A copy of the program; returns its path. By a process of its own: what
    this one holds open for writing, a child that another thread forks just
    then would hold, too, and the copy could not be run (ETXTBSY)."""
    subprocess.run(["cp", program(model), directory], check=True)
    return os.path.join(directory, f"{PROGRAM}-{model}")


def equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: got {shorten(got)}, wanted {shorten(wanted)}")


def shorten(value, most=600):
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text)})"


def wait_for(condition, what):
    """Polls until the condition is true; returns its value."""
    deadline = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"waited {PATIENCE:.0f} s in vain: {what}")
        time.sleep(0.005)


# --- Servers ---------------------------------------------------------------

class Connection:
    """One connection of a scripted server, as the script sees it."""

    def __init__(self, server, sock, number):
        self.server = server
        self.sock = sock
        self.number = number

    def request(self):
        """Reads a request's head, and its body if that has a length. None at
        the end of the connection."""
        head = b""
        while b"\r\n\r\n" not in head:
            try:
                more = self.sock.recv(1)
            except OSError:
                more = b""
            if not more:
                return None
            head += more
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = self.read(int(length.group(1))) if length else b""
        self.server.requests.append(head)
        self.server.bodies.append(body)
        return head

    def read(self, n):
        data = bytearray()
        while len(data) < n:
            more = self.sock.recv(min(65536, n - len(data)))
            if not more:
                break
            data += more
        return bytes(data)

    def read_all(self):
        return self.read(1 << 62)

    def send(self, data, piece=None, pause=0.0):
        step = piece or max(len(data), 1)
        for at in range(0, len(data), step):
            self.sock.sendall(data[at:at + step])
            if pause:
                time.sleep(pause)

    def ok(self, body=b"", *headers):
        extra = b"".join(h + b"\r\n" for h in headers)
        self.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s"
                  % (len(body), extra, body))

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def hold(self):
        """Does nothing until the client closes, or the server is stopped."""
        try:
            while self.sock.recv(65536):
                pass
        except OSError:
            pass


class Server:
    """Runs `script(connection)` for each connection, in a thread each."""

    def __init__(self, script, address="127.0.0.1", port=0, backlog=128):
        self.script = script
        self.requests = []
        self.bodies = []
        self.connections = 0
        self.open = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server(
            (address, port), family=family, backlog=backlog)
        self.port = self.listener.getsockname()[1]
        host = f"[{address}]" if ":" in address else address
        self.http = f"http://{host}:{self.port}"
        self.tcp = f"tcp://{host}:{self.port}"
        self.error = None
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            connection = Connection(self, sock, self.connections)
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        try:
            self.script(connection)
        except OSError:
            pass  # the client is gone; the test looks at the client
        except Exception:  # a mistake in the script
            self.error = traceback.format_exc()
        finally:
            try:
                connection.sock.close()
            except OSError:
                pass

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for connection in self.open:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        check(self.error is None, f"the server's script failed:\n{self.error}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Holding(Server):
    """Answers "body", but holds the answers to `path` back until `go` is set;
    counts the connections that the client has closed."""

    def __init__(self, path):
        self.path = path.encode()
        self.go = threading.Event()
        self.closed = 0
        self.counting = threading.Lock()
        super().__init__(self.answer)

    def requested(self, c):
        return c.request()

    def answer(self, c):
        while head := self.requested(c):
            if self.path in head.split()[1]:
                self.go.wait(2 * PATIENCE)  # longer than wait_for waits
            c.ok(b"body")
        with self.counting:
            self.closed += 1


class Origin:
    """The practice server."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [os.path.join(BIN, "tests", "triptych-origin"), "--port=0",
             *args], stdout=subprocess.PIPE, text=True)
        self.http, self.tcp, self.udp = (
            self.process.stdout.readline().strip().rstrip("/")
            for _ in range(3))

    def stats(self):
        with urllib.request.urlopen(self.http + "/stats") as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, failure=None, *_):
        end(self.process)
        self.process.stdout.close()
        if failure is None:  # or that is what is to be told
            equal(self.process.returncode, 0, "the practice server's status")


def end(server):
    """Ends a process that ends when it is told to; or else all the same."""
    server.terminate()
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
        raise Failure(f"{server.args[0]} does not end") from None


def free_port():
    """A port on which nobody listens, kept so while the socket lives."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


@contextlib.contextmanager
def deaf_port():
    """A port whose listener's backlog is full drops what comes: nobody
    answers."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(
            socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        time.sleep(0.05)
        yield port


# --- Bodies, as the practice server makes them -----------------------------

PERIOD = 1048573
MASK = (1 << 64) - 1


def _splitmix64(x):
    x = (x + 0x9e3779b97f4a7c15) & MASK
    x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & MASK
    x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & MASK
    return x ^ (x >> 31)


_block = None


def content(n, seed=0):
    """The body of /bytes/n?seed=..."""
    global _block
    if _block is None:
        words = (PERIOD + 7) // 8
        _block = struct.pack(f"<{words}Q",
                             *(_splitmix64(i) for i in range(words)))[:PERIOD]
    start = _splitmix64(seed) % PERIOD if seed else 0
    repeated = _block[start:] + _block * (n // PERIOD + 1)
    return repeated[:n]


# --- Running a program -----------------------------------------------------

class Result:
    """What came of one run."""

    def __init__(self, model, status, out, err, rows, files):
        self.model = model
        self.status = status
        self.out = out
        self.err = err
        self._rows = rows   # of the report, each a dict
        self.files = files  # name: bytes, of --directory

    @property
    def rows(self):
        if self._rows is None:
            raise Beyond("no report")
        return self._rows

    def column(self, name):
        return [row[name] for row in self.rows]

    @property
    def words(self):
        return self.column("result")


class Workplace:
    """A directory for one run, removed afterwards."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="triptych-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def join(self, name):
        return os.path.join(self.path, name)


def read_report(path):
    with open(path, encoding="ascii") as file:
        lines = file.read().split("\n")
    check(lines[-1] == "", "the report does not end with a line end")
    check(lines[0] == "\t".join(COLUMNS), f"header line: {lines[0]!r}")
    rows = []
    for line in lines[1:-1]:
        fields = line.split("\t")
        check(len(fields) == len(COLUMNS), f"report line: {line!r}")
        rows.append(dict(zip(COLUMNS, fields)))
    for number, row in enumerate(rows):
        check(row["id"] == str(number), f"report: id {row['id']} in the "
              f"place of {number}")
        check_times(row)
    return rows


def check_times(row):
    """What is known rises from column to column."""
    known = [int(row[name]) for name in
             ("queued_us", "start_us", "connected_us", "first_byte_us",
              "done_us") if row[name] != "-"]
    check(known == sorted(known), f"times fall: {row}")
    if row["result"] == "ok":
        check(row["done_us"] != "-" and row["start_us"] != "-",
              f"times are missing: {row}")


def read_files(directory):
    files = {}
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path, "rb") as file:
                files[name] = file.read()
    return files


class Row(dict):
    """A request, as far as messages tell of it."""

    def __missing__(self, column):
        raise Beyond(f"no report, and so no {column}")


def stay_within(args, directory=None):
    """Beyond, if an argument is an option that the minimal programs lack."""
    skip = False
    for argument in args:
        text = os.fsdecode(argument) if isinstance(argument, bytes) \
            else str(argument)
        if not skip and text.startswith("-") and text not in ("-i", "-j",
                                                              "-n"):
            raise Beyond(text)
        if not skip and re.match("(https|file|udp):", text):
            raise Beyond(text)
        skip = not skip and text in ("-i", "-j")
    if directory:
        raise Beyond("files")


def rows_of_messages(model, args, status, err):
    """One row for each URL of the command line, from standard error; None if
    it cannot be known."""
    if "-i" in args or status not in (0, 1):
        return None
    rows = []
    lines = err.splitlines()
    skip = False
    for argument in args:
        text = str(argument)
        if not skip and not text.startswith("-"):
            if not re.fullmatch("[!-~]*", text):
                return None
            start = f"minimal-{model}: {text}: "
            mine = [line for line in lines if line.startswith(start)]
            rows.append(Row(result=mine[0][len(start):].split(":")[0]
                            if mine else "ok"))
            if mine:
                lines.remove(mine[0])
        skip = not skip and text in ("-i", "-j")
    return rows


def run(model, *args, stdin=None, directory=None, timeout=PATIENCE, wrap=(),
        report=True, **more):
    """Runs fetch-MODEL to its end. With `directory` it saves there."""
    if MINIMAL:
        stay_within(args, directory)
        report = False
    with Workplace() as place:
        command = [*wrap, program(model)]
        path = place.join("report")
        if report:
            command += ["--report", path]
        if directory:
            command += ["-d", directory]
        command += [a if isinstance(a, bytes) else str(a) for a in args]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE if stdin is not None
            else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, **more)
        try:
            out, err = child.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            state = look_inside(child.pid)
            kill_session(child.pid)
            _, err = child.communicate()
            raise Failure(f"it hangs; standard error: {err!r}\n{state}") \
                from None
        except BaseException:
            kill_session(child.pid)
            raise
        err = err.decode("utf-8", "replace")
        check_clean(child.returncode, err)
        rows = read_report(path) if report and os.path.exists(path) else []
        if MINIMAL:
            rows = rows_of_messages(model, args, child.returncode, err)
        files = read_files(directory) if directory and \
            os.path.isdir(directory) else {}
        return Result(model, child.returncode, out, err, rows, files)


def check_clean(status, err):
    check("Sanitizer" not in err and "runtime error" not in err, err)
    check(status >= 0, f"killed by signal {-status}: {err}")


def look_inside(pid):
    """The stacks of a program that hangs, if gdb is there."""
    if not shutil.which("gdb"):
        return "(gdb is not installed)"
    looked = subprocess.run(
        ["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        timeout=60, check=False)
    return looked.stdout[-6000:]


class Running:
    """A program that goes on while the test looks at it."""

    def __init__(self, model, *args, stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL, path=None, report=True, **more):
        if MINIMAL:
            stay_within(args)
            report = False
        self.args = args
        self.place = Workplace()
        self.model = model
        self.report = self.place.join("report")
        reporting = ["--report", self.report] if report else []
        self.err_path = self.place.join("stderr")
        with open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                [path or program(model), *reporting, *(str(a) for a in args)],
                stdin=stdin, stdout=stdout, stderr=err,
                start_new_session=True, **more)
        self.pid = self.process.pid

    def finish(self, timeout=PATIENCE):
        """Waits for the end; returns a Result, without output or files."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"it hangs; {self.errors()!r}\n"
                          f"{look_inside(self.pid)}")
        err = self.errors()
        check_clean(status, err)
        rows = read_report(self.report) if os.path.exists(self.report) else []
        if MINIMAL:
            rows = rows_of_messages(self.model, self.args, status, err)
        return Result(self.model, status, None, err, rows, {})

    def errors(self):
        with open(self.err_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def signal(self, number):
        os.kill(self.pid, number)

    def workers(self):
        """The children of the program."""
        return children(self.pid)

    def family(self):
        """All processes of the program's session that are still there."""
        return session(self.pid)

    def __enter__(self):
        return self

    def __exit__(self, finding, *_):
        if finding or self.process.poll() is None:
            # Its workers, too: what they hold open, somebody may be reading.
            kill_session(self.pid)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        self.place.__exit__()


def catches(pid, number):
    """True once a signal does not kill the program any more."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("SigCgt:"):
                return int(line.split()[1], 16) >> (number - 1) & 1
    return False


class Reading:
    """Reads `fd` in a thread, so that nothing that writes there has to wait.
    The thread is a daemon: a test that has failed does not wait for it."""

    def __init__(self, fd):
        self.fd = fd
        self.chunks = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while data := self._some():
            self.chunks.append(data)

    def _some(self):
        try:
            return os.read(self.fd, 65536)
        except OSError as error:
            if error.errno == errno.EIO:  # a terminal's end
                return b""
            raise

    def whole(self):
        """All that came, up to the end; closes `fd`."""
        self.thread.join(PATIENCE)
        check(not self.thread.is_alive(), "somebody can still write there")
        os.close(self.fd)
        return b"".join(self.chunks)


# --- Shortages -------------------------------------------------------------

# The leak checker itself needs descriptors, threads and processes.
UNCHECKED = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")


def held_until_warned(model, urls, *args, **more):
    """Runs against a server that answers nobody before the program has said
    that something is short."""
    go = threading.Event()

    def script(c):
        while head := c.request():
            go.wait(PATIENCE)
            path = head.split()[1]
            if path.startswith(b"/moved"):
                c.send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n"
                       b"Connection: close\r\nContent-Length: 0\r\n\r\n")
                return
            c.ok(path * 2000)
    with Server(script) as server:
        reader, writer = os.pipe()
        got = Reading(reader)
        with Running(model, *args, *(server.http + u for u in urls),
                     stdout=writer, env=UNCHECKED, **more) as running:
            os.close(writer)
            wait_for(lambda: shortages(running.errors()) or
                     running.process.poll() is not None, "the warning")
            go.set()
            r = running.finish()
        r.out = got.whole()
    check(f"{len(urls)} ok" in r.err, r.err)
    equal(r.status, 0, "exit status")
    equal(len(shortages(r.err)), 1, r.err)
    return r


def shortages(err):
    """The warnings; but for that of pipes that are smaller than wanted, as
    they are when their user, unless root, has many others just then."""
    return [line for line in err.splitlines()
            if "warning" in line and "a pipe cannot hold" not in line]


# --- Processes -------------------------------------------------------------

def _stat(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def _pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(parent):
    return [pid for pid in _pids()
            if (stat := _stat(pid)) and int(stat[1]) == parent]


def descendants(ancestor):
    return [pid for child in children(ancestor)
            for pid in (child, *descendants(child))]


def session(leader):
    return [pid for pid in _pids()
            if (stat := _stat(pid)) and int(stat[3]) == leader]


def kill_session(leader):
    """All that are left of it, the stopped ones, too."""
    for pid in session(leader):
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # it has just ended, or is another user's by now


def state(pid):
    """"R", "S", "Z" ...; None if there is no such process."""
    stat = _stat(pid)
    return stat[0] if stat else None


def sleeps(pid):
    """All its threads wait for something else than a processor."""
    states = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii") as file:
            states.add(file.read().rpartition(")")[2].split()[0])
    return states == {"S"}


def rests(pid):
    """It has used no processor for a while."""
    def used():
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().split()[13:15]
    before = used()
    time.sleep(0.2)
    return used() == before


def lonely_user(model):
    """The number of a user who has no processes: this script's and model's
    own, for the kernel counts a user's processes wherever they are."""
    return 20000 + os.getpid() % 10000 * len(MODELS) + MODELS.index(model)


def count_fds(pid):
    """FileNotFoundError: it has ended, or is about to: then root alone may
    look."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError as error:
        raise FileNotFoundError(pid) from error


def count_threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


# --- The runner ------------------------------------------------------------

class Skip(Exception):
    """The machine cannot do this; the runner says so aloud."""


CASES = []

# What the thread sanitizer can see nothing in: each has one thread. (But for
# the coroutines' helpers, where there is something for them to do.)
SINGLE = () if "tsan" not in os.path.basename(BIN) else \
    ("processes",) if os.path.basename(sys.argv[0]) in (
        "cases_io.py", "cases_names.py", "cases_upload.py") else \
    ("processes", "coroutines")


def case(function=None, *, models=MODELS):
    """Marks a test: a function of one argument, the model's name. What it
    returns, if anything, must be the same for all models."""
    def add(test):
        CASES.append((test, models))
        return test
    return add(function) if function else add


def give_up(futures, limit):
    """Says which cases do not end, and where they are; ends this process and
    its descendants. For a thread cannot be ended from outside."""
    for future, (test, model) in futures.items():
        if future.running():
            print(f"FAILED  {test.__name__} [{model}]: it has not ended after "
                  f"{limit:.0f} s", flush=True)
    faulthandler.dump_traceback(sys.stdout)
    sys.stdout.flush()
    for pid in descendants(os.getpid()):
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    os._exit(1)


def main(parallel=6, limit=LIMIT_OF_ALL):
    """Runs the cases whose names contain one of the arguments; all, without
    any, which may take so many seconds altogether. Ends the process."""
    wanted = sys.argv[1:]
    chosen = [(test, [m for m in models if m in CHOSEN and m not in SINGLE])
              for test, models in CASES
              if not wanted or any(w in test.__name__ for w in wanted)]
    outcomes = {}
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        futures = {pool.submit(test, model): (test, model)
                   for test, models in chosen for model in models}
        try:
            for future in concurrent.futures.as_completed(futures, limit):
                outcomes[futures[future]] = future
        except concurrent.futures.TimeoutError:
            give_up(futures, limit)
    failed = skipped = passed = beyond = 0
    for test, models in chosen:
        answers = {}
        for model in models:
            name = f"{test.__name__} [{model}]"
            try:
                answers[model] = outcomes[(test, model)].result()
                passed += 1
            except Beyond:
                beyond += 1
            except Skip as reason:
                skipped += 1
                print(f"SKIPPED {name}: {reason}")
            except Failure as finding:
                failed += 1
                print(f"FAILED  {name}: {str(finding)[:3000]}")
            except Exception:
                failed += 1
                print(f"FAILED  {name}:\n{traceback.format_exc()}")
        first = next(iter(answers), None)
        for model, answer in answers.items():
            if answer != answers[first]:
                failed += 1
                print(f"FAILED  {test.__name__}: {first} says "
                      f"{shorten(answers[first])}, {model} says "
                      f"{shorten(answer)}")
    for model in SINGLE:
        print(f"{model}: not run, for the thread sanitizer sees nothing there")
    print(f"{len(chosen)} cases: {passed} passed, {failed} failed, "
          f"{skipped} skipped")
    if MINIMAL:
        print(f"{beyond} not run: the minimal programs leave that out")
    if MINIMAL and passed == 0:
        failed = 1  # a table that covers nothing is no test
    sys.exit(1 if failed else 77 if skipped and not passed else 0)


def agree(result):
    """What the models must agree on: everything that a user sees, but for
    times, addresses and the bytes of what failed."""
    if MINIMAL:
        return result.words, result.out, result.status
    rows = [(row["result"], row["status"], row["attempts"],
             row["bytes"] if row["result"] == "ok" else None)
            for row in result.rows]
    return rows, result.out, result.status, result.files


def expect(result, words, out=None, status=None, err=None):
    """Checks the usual things; returns what the models must agree on."""
    equal(result.words, words, f"results ({result.err})")
    if out is not None:
        equal(result.out, out, "standard output")
    if status is None:
        status = 0 if all(word == "ok" for word in words) else 1
    equal(result.status, status, f"exit status ({result.err})")
    if err is not None:
        check(re.search(err, result.err), f"standard error: {result.err!r}")
    failures = [line for line in result.err.splitlines()
                if re.match(PROGRAM + r"-\w+: \S*: [a-z-]+: .", line)]
    wanted = sum(word not in ("ok", "cancelled") for word in words)
    equal(len(failures), wanted, f"messages ({result.err})")
    return agree(result)

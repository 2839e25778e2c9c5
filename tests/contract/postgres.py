"""A PostgreSQL server for the tests, from Debian's package: in a folder of its
own, on a free port, by a user who is not root."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import threading

from harness import (PATIENCE, Failure, Skip, Workplace, descendants,
                     free_port, wait_for)

# Who asks: by a password, or by none. `boss` looks on, through the socket.
HBA = """
local all boss trust
host all trusted 127.0.0.1/32 trust
host all plain 127.0.0.1/32 password
host all all 127.0.0.1/32 scram-sha-256
"""
CONF = """
listen_addresses = '127.0.0.1'
fsync = off
max_connections = 200
shared_buffers = 16MB
autovacuum = off
logging_collector = off
"""
# A URL has these signs percent-encoded.
PASSWORD = "pass:w@rd/?#% é"
SETUP = f"""
CREATE ROLE trusted LOGIN;
CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE "us:er@/é" LOGIN PASSWORD '{PASSWORD}';
CREATE DATABASE "d b/é" TEMPLATE template0;
"""
# Nothing of who runs the tests.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith("PG")}


def find_programs():
    """The folder of the newest PostgreSQL's programs."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"),
                   key=lambda path: float(path.split("/")[4]))
    if not found:
        raise Skip("postgresql is not installed")
    return os.path.dirname(found[-1])


class Onlooker:
    """A psql that stays, to ask again and again."""

    END = b"-- the end --"

    def __init__(self, command, **more):
        self.lock = threading.Lock()
        self.psql = subprocess.Popen(command, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, **more)

    def ask(self, query):
        """What it says: a line a row."""
        with self.lock:
            self.psql.stdin.write(query.encode() + b";\n\\echo " + self.END +
                                  b"\n")
            self.psql.stdin.flush()
            rows = []
            while (row := self.psql.stdout.readline().rstrip(b"\n")) != \
                    self.END:
                if not row and self.psql.poll() is not None:
                    raise Failure("psql has ended")
                rows.append(row)
            return rows

    def end(self):
        self.psql.stdin.close()
        self.psql.stdout.close()
        self.psql.wait(PATIENCE)


class Postgres:
    """It has one onlooker."""

    def __init__(self, tls=None):
        """`tls`: a file with its certificate and key; without, it has none."""
        self.programs = find_programs()
        self.place = Workplace()
        self.data = self.place.join("data")
        self.user = {}
        if os.geteuid() == 0:  # it refuses to run so
            nobody = pwd.getpwnam("nobody")
            os.chown(self.place.path, nobody.pw_uid, nobody.pw_gid)
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid,
                         "extra_groups": []}
        self.server = None
        self.onlooker = None
        try:
            self.make(tls)
            self.start()
            self.run("psql", *self.boss, "-v", "ON_ERROR_STOP=1", "-f", "-",
                     input=SETUP.encode())
        except BaseException:
            self.__exit__()
            raise

    def run(self, name, *args, **more):
        return subprocess.run(
            [os.path.join(self.programs, name), *args], check=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
            env=ENVIRONMENT, **self.user, **more).stdout

    def make(self, tls):
        self.run("initdb", "-D", self.data, "-U", "boss", "-A", "trust",
                 "-E", "UTF8", "--locale=C", "--no-sync")
        conf = CONF + f"unix_socket_directories = '{self.place.path}'\n"
        if tls:
            pair = shutil.copy(tls, self.place.join("pair.pem"))
            os.chmod(pair, 0o600)
            if self.user:
                os.chown(pair, self.user["user"], self.user["group"])
            conf += (f"ssl = on\nssl_cert_file = '{pair}'\n"
                     f"ssl_key_file = '{pair}'\n")
        with open(f"{self.data}/postgresql.conf", "a", encoding="utf8") as f:
            f.write(conf)
        with open(f"{self.data}/pg_hba.conf", "w", encoding="utf8") as f:
            f.write(HBA)

    def start(self):
        for _ in range(5):  # somebody may take the port before we do
            sock, self.port = free_port()
            sock.close()
            with open(self.place.join("log"), "ab") as log:
                self.server = subprocess.Popen(
                    # It ends with us, however we end.
                    ["setpriv", "--pdeathsig", "QUIT",
                     os.path.join(self.programs, "postgres"), "-D", self.data,
                     "-p", str(self.port)], stdout=log, stderr=log,
                    stdin=subprocess.DEVNULL, env=ENVIRONMENT, cwd="/",
                    start_new_session=True, **self.user)
            if wait_for(self.is_up, "PostgreSQL is up") == "up":
                self.onlooker = self.look()
                return
        raise Failure(self.words())

    def is_up(self):
        if self.server.poll() is not None:
            return "down"
        ready = subprocess.run(
            [os.path.join(self.programs, "pg_isready"), "-q", "-h",
             self.place.path, "-p", str(self.port)], check=False,
            env=ENVIRONMENT)
        return "up" if ready.returncode == 0 else None

    def words(self):
        with open(self.place.join("log"), encoding="utf8",
                  errors="replace") as log:
            return log.read()[-3000:]

    @property
    def boss(self):
        """What psql takes to ask as one who may see all."""
        return ("-X", "-q", "-A", "-t", "-h", self.place.path, "-p",
                str(self.port), "-U", "boss", "-d", "postgres")

    def copy(self, query):
        """What COPY says of the query."""
        return self.run("psql", *self.boss, "-c",
                        f"COPY ({query}) TO STDOUT")

    def look(self):
        """A new onlooker, for the caller to end."""
        return Onlooker([os.path.join(self.programs, "psql"), *self.boss],
                        env=ENVIRONMENT, cwd="/", **self.user)

    def ask(self, query):
        return self.onlooker.ask(query)

    def kill(self):
        """All its processes at once, as if the machine had stopped."""
        for pid in [self.server.pid, *descendants(self.server.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.server.wait()
        self.server = None
        self.onlooker.end()

    def stop(self):
        if self.server is None:
            return
        if self.onlooker is not None:
            self.onlooker.end()
        self.server.send_signal(signal.SIGQUIT)
        try:
            self.server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.place.__exit__()

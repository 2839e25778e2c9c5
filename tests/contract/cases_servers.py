"""Servers that we did not write: nginx, Apache httpd, lighttpd, Python's
http.server, all from Debian's packages, serving the same thousand files.

The client side of the same question: curl and wrk use our practice server.
"""

import atexit
import filecmp
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from authority import Authority
from harness import (Failure, Origin, Skip, Workplace, case, check, content,
                     end, equal, expect, main, run, wait_for)

COUNT = 1000


def make_files(root):
    """A thousand files of mixed sizes, the same every time."""
    dice = random.Random(1)
    sizes = [0, 1, 4095, 4096, 4097, 65536, 3000000]
    sizes += [int(2 ** dice.uniform(0, 17)) for _ in range(COUNT - 7)]
    for number, size in enumerate(sizes):
        with open(os.path.join(root, f"f{number}"), "wb") as file:
            file.write(dice.randbytes(size))


def all_files(root, count):
    """The first of them, one behind the other."""
    whole = []
    for number in range(count):
        with open(os.path.join(root, f"f{number}"), "rb") as file:
            whole.append(file.read())
    return b"".join(whole)


NGINX = """
user {user};
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {place}/t1; proxy_temp_path {place}/t2;
  fastcgi_temp_path {place}/t3; uwsgi_temp_path {place}/t4;
  scgi_temp_path {place}/t5;
  keepalive_requests 100;
  server {{
    listen 127.0.0.1:{port} {tls} backlog=1024;
    ssl_certificate {pair};
    ssl_certificate_key {pair};
    root {root};
    location /moved/ {{ return 301 /; }}
    location /chunked/ {{ ssi on; ssi_types *; alias {root}/; }}
  }}
}}
"""

APACHE = """
ServerRoot {place}
PidFile {place}/apache.pid
ErrorLog {place}/error.log
ServerName localhost
Listen 127.0.0.1:{port}
ListenBacklog 1024
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
User {user_of_apache}
Group {group_of_apache}
DocumentRoot {root}
KeepAliveTimeout 1
Redirect 301 /moved/ /
<Directory {root}>
  Require all granted
</Directory>
"""

LIGHTTPD = """
server.document-root = "{root}"
server.port = {port}
server.bind = "127.0.0.1"
server.username = "{user}"
server.groupname = "{group}"
server.listen-backlog = 1024
server.modules = ( "mod_redirect" )
url.redirect = ( "^/moved/" => "/" )
"""

PYTHON = """
import http.server, socketserver
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    request_queue_size = 1024
    daemon_threads = True
Server(("127.0.0.1", {port}), Handler).serve_forever()
"""


def find(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise Skip(f"{name} is not installed")
    return path


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def command_of(server, settings):
    place = settings["place"]
    if server in ("nginx", "nginx-tls"):
        return [find("nginx"), "-p", place, "-g", "daemon off;", "-c",
                write(f"{place}/nginx.conf", NGINX.format(**settings))]
    if server == "apache":
        return [find("apache2"), "-X" if os.geteuid() else "-DFOREGROUND",
                "-f",
                write(f"{place}/apache.conf", APACHE.format(**settings))]
    if server == "lighttpd":
        return [find("lighttpd"), "-D", "-f",
                write(f"{place}/l.conf", LIGHTTPD.format(**settings))]
    return [sys.executable, "-c", PYTHON.format(**settings)]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


AUTHORITY = []


def certificate():
    """A right one, with its key; TRUST says whom to believe."""
    if not AUTHORITY:
        AUTHORITY.append(Authority())
        atexit.register(AUTHORITY[0].remove)
        TRUST[:] = ["--cacert", AUTHORITY[0].ca]
    return AUTHORITY[0].issue("server")


TRUST = []


class RealServer:
    def __init__(self, server):
        # Its workers run as another user and must be able to read.
        self.place = Workplace()
        os.chmod(self.place.path, 0o755)
        root = self.place.join("root")
        os.mkdir(root)
        make_files(root)
        # An ordinary user may have no name, or a group of another; to Apache
        # alone it matters, for it looks them up.
        user = "www-data"
        ours = os.geteuid() != 0
        port = free_port()
        settings = {"place": self.place.path, "root": root, "port": port,
                    "user": user, "group": user, "pair": certificate(),
                    "user_of_apache": f"#{os.geteuid()}" if ours else user,
                    "group_of_apache": f"#{os.getegid()}" if ours else user,
                    "tls": "ssl" if server == "nginx-tls" else "",
                    "modules": "/usr/lib/apache2/modules"}
        self.root = root
        scheme = "https" if server == "nginx-tls" else "http"
        self.http = f"{scheme}://127.0.0.1:{port}"
        self.errors = self.place.join("stderr")
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                command_of(server, settings), cwd=root, stderr=errors,
                stdout=errors)
        try:
            wait_for(lambda: self.answers(port), f"{server} to start")
        except Failure:
            self.stop()
            raise

    def answers(self, port):
        if self.process.poll() is not None:
            with open(self.errors, encoding="utf-8") as file:
                check(False, f"it ended: {file.read()}")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def stop(self):
        end(self.process)
        self.place.__exit__()


STARTED = {}
LOCK = threading.Lock()


def started(server):
    """One of each will do for all cases; it is stopped at the end."""
    with LOCK:
        if server not in STARTED:
            STARTED[server] = RealServer(server)
            atexit.register(STARTED[server].stop)
        return STARTED[server]


def thousand_files(model, server, count=COUNT):
    real = started(server)
    with Workplace() as place:
        names = [f"f{i}" for i in range(count)]
        urls = [f"{real.http}/{name}" for name in names]
        lines = "\n".join(urls).encode()
        saved = place.join("saved")
        r = run(model, *TRUST, "-j", "50", "-i", "-", "-d", saved,
                stdin=lines)
        equal(set(r.words), {"ok"}, r.err)
        equal(sorted(os.listdir(saved)), sorted(names), "files")
        equal(filecmp.cmpfiles(real.root, saved, names, shallow=False),
              (names, [], []), "alike, not alike, not to be read")
        r = run(model, *TRUST, "-j", "50", "-i", "-", stdin=lines)
        equal(set(r.words), {"ok"}, r.err)
        check(r.out == all_files(real.root, count), "standard output differs")
        r = run(model, *TRUST, f"{real.http}/missing", f"{real.http}/moved/",
                f"{real.http}/f2", "-n", "--max-redirects", "0")
        moved = "200" if server == "python" else "301"
        if server != "python":
            equal(r.column("status"), ["404", moved, "200"], "status")
    return r.words[0], r.words[2], r.status


@case
def nginx(model):
    return thousand_files(model, "nginx")


@case
def nginx_over_tls(model):
    return thousand_files(model, "nginx-tls")


@case
def apache(model):
    return thousand_files(model, "apache")


@case
def lighttpd(model):
    return thousand_files(model, "lighttpd")


@case
def python_http_server(model):
    # A thousand would take it a third of the time of all these servers.
    return thousand_files(model, "python", 200)


@case
def chunked_by_nginx(model):
    real = started("nginx")
    r = run(model, *(f"{real.http}/chunked/f{i}" for i in range(4)))
    return expect(r, ["ok"] * 4, all_files(real.root, 4))


@case(models=("threads",))  # once will do: it is about our server
def curl_and_wrk_use_our_server(model):
    with Origin("--workers=2") as origin:
        curl = subprocess.run(
            [find("curl"), "-sS", "-L", "-D", "-",
             f"{origin.http}/bytes/100?redirect=2&chunked=7"],
            stdout=subprocess.PIPE, check=True)
        check(curl.stdout.endswith(content(100)), curl.stdout)
        with tempfile.NamedTemporaryFile() as file:
            file.write(content(3000000))
            file.flush()
            curl = subprocess.run(
                [find("curl"), "-sS", "-T", file.name,
                 f"{origin.http}/echo"], stdout=subprocess.PIPE, check=True)
            check(curl.stdout == content(3000000), "the echo differs")
            curl = subprocess.run(
                [find("curl"), "-sS", "-T", file.name,
                 f"{origin.http}/sink?rate=30000000"],
                stdout=subprocess.PIPE, check=True)
            equal(curl.stdout, b"received 3000000\n", "the sink")
        wrk = subprocess.run(
            [find("wrk"), "-t1", "-c8", "-d1s", f"{origin.http}/bytes/1000"],
            stdout=subprocess.PIPE, check=True, text=True).stdout
        check("Requests/sec" in wrk and "Socket errors" not in wrk and
              "Non-2xx" not in wrk, wrk)


if __name__ == "__main__":
    main(parallel=4)

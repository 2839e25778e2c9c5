#!/usr/bin/env python3
"""Programs that would harm the grader, its user or the machine: what a
student's code could do at worst, in each isolation that is to be had here. As
root, all of it is done a second time as a user who is not.

    cases_isolation.py [PART OF A NAME]..."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

from runner import check, run_cases  # noqa: E402
from triptych_lab import isolation, sandbox  # noqa: E402

TOKEN = "a-token-that-nobody-is-to-see"
PYTHON = isolation.PYTHON
USER = 61236  # whom nobody is: a user without any rights


def modes():
    """Each isolation that works here, put in force in turn. As root, one is
    left out: code that goes on being root's."""
    every = isolation.candidates
    try:
        for one in list(every()):
            if os.geteuid() == 0 and not one.another_user:
                continue
            isolation.candidates = lambda one=one: [one]
            isolation.isolation.cache_clear()
            if isolation.isolation().name != "none":
                yield one
    finally:
        isolation.candidates = every
        isolation.isolation.cache_clear()


def attack(text, limit=20, **how):
    """What a program in Python printed, shut in: the Outcome."""
    return sandbox.run([PYTHON, "-c", text],
                       {"PATH": "/usr/bin:/bin"}, limit, **how)


def case_some_isolation(_):
    check(list(modes()), "no code can be run here: " + isolation.NONE.warning)


def case_kill_all(_):
    for mode in modes():
        with subprocess.Popen(["sleep", "600"]) as bystander:
            attack("import os; print(1, flush=True); os.kill(-1, 9)")
            alive = bystander.poll() is None
            bystander.kill()
        check(alive, f"{mode.name}: the user's process was killed")


def case_no_rights(_):
    """No privileges, by sudo or any other program."""
    for mode in modes():
        said = attack("print(open('/proc/self/status').read())").output
        check("NoNewPrivs:\t1" in said, f"{mode.name}: {said}")
        check("CapEff:\t0000000000000000" in said, f"{mode.name}: {said}")
        if mode.another_user:
            check("Uid:\t0" not in said, f"{mode.name}: {said}")


def case_signals_have_their_meaning(_):
    """A shell makes what it starts in the background ignore these, and so do
    children's children: a right program would go on when it is interrupted."""
    numbers = signal.SIGINT, signal.SIGQUIT, signal.SIGHUP
    was = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        for mode in modes():
            said = attack(
                "import signal\nfor one in 'INT', 'QUIT', 'HUP':\n"
                "    print(one, signal.getsignal(getattr(signal, 'SIG' + one))"
                " == signal.SIG_IGN)").output
            check("True" not in said and said.count("False") == 3,
                  f"{mode.name}: {said}")
    finally:
        for number, one in zip(numbers, was):
            signal.signal(number, one)


SEES = """
import os
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        print(open(f'/proc/{pid}/environ', 'rb').read())
    except OSError:
        pass
print(dict(os.environ))
print('open:', sorted(os.listdir('/proc/self/fd'), key=int))
"""


def case_token_and_preload(_):
    """Neither the environment nor a descriptor of the grader is to be had.
    A process has the environment that it was started with: so one is started
    that has it."""
    with tempfile.TemporaryFile() as secret:
        os.set_inheritable(secret.fileno(), True)
        os.environ.update(GITHUB_TOKEN=TOKEN, LD_PRELOAD=f"/{TOKEN}")
        with subprocess.Popen(["sleep", "600"],
                              stderr=subprocess.DEVNULL) as other:
            for mode in modes():
                said = attack(SEES).output
                check(TOKEN not in said, f"{mode.name}: {said}")
                # Three, the pipe for the verdict, the folder itself.
                check(said.rpartition("open: ")[2].count("'") == 10,
                      f"{mode.name}: {said}")
            other.kill()
        del os.environ["GITHUB_TOKEN"], os.environ["LD_PRELOAD"]


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 100)
        time.sleep(600.123)
    os._exit(0)
os.wait()
"""


def left_of(word):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if word in Path(f"/proc/{pid}/cmdline").read_text():
                if sandbox.alive(pid):
                    found.append(pid)
        except OSError:
            continue
    return found


def case_daemons_and_fork_bombs(_):
    """When the run is over, and so before the result is written, no process
    of it is left."""
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n" \
        "    except OSError:\n        pass\n"
    for mode in modes():
        for what, text in (("daemon", DAEMON), ("bomb", bomb)):
            mark = f"mark-{os.getpid()}-{what}"
            attack(text + f"# {mark}", limit=2)
            left = left_of(mark)
            check(not left, f"{mode.name}: {what}: left: {left}")


FILLS = """
import os
for i, top in enumerate(('.', '/tmp', '/var/tmp', '/dev/shm') * 100):
    try:
        with open(f'{top}/MARK{i}', 'wb') as file:
            file.write(bytes(4 << 20))
    except OSError:
        pass
"""


SHARES = """
import ctypes
libc = ctypes.CDLL(None)
print('made', libc.shmget(0, 1 << 20, 0o1600), libc.msgget(0, 0o1600))
"""


def case_shared_memory_stays(_):
    """System V's belongs to no process: it is there until it is removed."""
    for mode in modes():
        said = attack(SHARES).output
        left = []
        for kind, at in (("shm", 7), ("msg", 7)):
            lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
            left += [line for line in lines
                     if int(line.split()[at]) in isolation.USERS]
        check("made" in said and "-1" not in said, f"{mode.name}: {said}")
        check(not left, f"{mode.name}: {left}")


def case_full_disk(_):
    for mode in modes():
        mark = f"mark-{os.getpid()}-"
        attack(FILLS.replace("MARK", mark))
        left = [str(p) for top in sandbox.WRITABLE if os.path.isdir(top)
                for p in Path(top).glob(f"{mark}*")]
        check(not left, f"{mode.name}: left: {left}")


def case_what_is_mounted_is_not_its_own(_):
    """Whatever its files' owner is called there."""
    with tempfile.TemporaryDirectory() as place:
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place],
                          stderr=subprocess.DEVNULL,
                          check=False).returncode != 0:
            print("  (nothing can be mounted here)")
            return
        try:
            os.chmod(place, 0o755)
            files = {Path(place) / str(user): user
                     for user in isolation.USERS}
            for file, user in files.items():
                file.write_text("kept")
                os.chown(file, user, user)
            for mode in modes():
                attack("pass")
                gone = [str(file) for file in files if not file.exists()]
                check(not gone, f"{mode.name}: removed: {gone}")
        finally:
            subprocess.run(["umount", place], check=True)


def case_what_a_compiler_makes_stays(_):
    """A folder that it was given to write in is the grader's, wherever it
    lies; what it leaves elsewhere goes, and is counted."""
    text = "open('made', 'wb').write(bytes(70 << 20))"
    for mode in modes():
        with tempfile.TemporaryDirectory() as place:
            os.chmod(place, 0o755)
            tree = Path(place) / "tree"
            tree.mkdir()
            status, said = sandbox.compile_in(
                tree, [PYTHON, "-c", text], {"PATH": "/usr/bin:/bin"}, 60,
                write=[tree])
            check(status == 0 and (tree / "made").exists(),
                  f"{mode.name}: {status}: {said}")


def case_network(_):
    """A server of the machine's is not to be reached, but one's own is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = "import socket\n" \
            "own = socket.create_server(('127.0.0.1', 0))\n" \
            "socket.create_connection(own.getsockname())\n" \
            "print('own reached')\n" \
            f"socket.create_connection(('127.0.0.1', {port}))\n" \
            "print('other reached')\n"
        for mode in modes():
            said = attack(text).output
            check("own reached" in said, f"{mode.name}: {said}")
            if mode.private:
                check("other reached" not in said, f"{mode.name}: {said}")
            else:
                check("network" in mode.warning, mode.warning)


def case_files_out_of_reach(_):
    """Neither what is hidden, nor what was not shown."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        for name in ("shown", "shown/hidden", "other"):
            (Path(place) / name).mkdir()
            (Path(place) / name / "file").write_text(f"text of {name}\n")
        text = "for name in 'shown', 'shown/hidden', 'other':\n" \
            f"    try:\n        print(open(f'{place}/{{name}}/file').read())\n" \
            "    except OSError:\n        pass\n"
        for mode in modes():
            said = attack(text, show=[f"{place}/shown"],
                          hide=[f"{place}/shown/hidden"]).output
            check("text of shown\n" in said, f"{mode.name}: {said}")
            check("of shown/hidden" not in said, f"{mode.name}: {said}")
            check("of other" not in said or "may read" in mode.warning,
                  f"{mode.name}: {said}")


def case_installed_programs(_):
    """They are the reference: a fetcher under test could become one."""
    path = os.environ["PATH"]
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        program = Path(place) / "fetch-threads"
        program.write_text("#!/bin/sh\necho was run\n")
        program.chmod(0o755)
        os.environ["PATH"] = f"{path}:{place}"
        try:
            for mode in modes():
                said = attack(f"import os; os.execl('{program}', 'x')",
                              show=[place]).output
                check(not mode.private or "was run" not in said and
                      "Error" in said, f"{mode.name}: {said}")
        finally:
            os.environ["PATH"] = path


def case_installed_source(_):
    """The labs' tool is installed with all that it cuts from, where compilers
    look for what they need."""
    path = os.environ["PATH"]
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        (Path(place) / "bin").mkdir()
        source = Path(place) / "share/triptych-lab/threads/queue.c"
        source.parent.mkdir(parents=True)
        source.write_text("the solution\n")
        read = f"print(open('{source}').read())"
        os.environ["PATH"] = f"{path}:{place}/bin"
        try:
            for mode in modes():
                if not mode.private:  # show is more there than hide
                    continue
                said = attack(read, show=[place]).output
                status, compiled = sandbox.compile_in(
                    place, [PYTHON, "-c", read], {"PATH": path}, 20)
                check("the solution" not in said + compiled and status != 0,
                      f"{mode.name}: {said}{compiled}")
        finally:
            os.environ["PATH"] = path


def case_no_programs_of_the_machine(_):
    """A debugger would do to a test what its code may not."""
    for mode in modes():
        said = attack("import os\nfor one in ('/bin/sh', '/usr/bin/gdb'):\n"
                      "    try: os.spawnl(os.P_WAIT, one, one, '-c', 'echo "
                      "was run', '--version')\n"
                      "    except OSError as error: print(error)\n").output
        check("was run" not in said and "GNU gdb" not in said,
              f"{mode.name}: {said}")


def case_code_is_not_written(_):
    """Through /proc a process could write where it may only execute."""
    for mode in modes():
        said = attack("import os\nos.open('/proc/self/mem', os.O_RDONLY)\n"
                      "print('read')\nos.open('/proc/self/mem', os.O_RDWR)\n"
                      "print('written')").output
        check("read" in said and (not mode.private or "written" not in said),
              f"{mode.name}: {said}")


def case_nothing_is_written_elsewhere(_):
    """By another user's code without a root of its own, neither: where
    everybody may write."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        for mode in modes():
            said = attack("import os\n"
                          "open('mine', 'w').write('x')\n"
                          f"os.mkdir('{place}/made')\n"
                          "print('made elsewhere')").output
            check(not os.listdir(place) and "Error" in said and "mine" not in
                  said or "may read" in mode.warning, f"{mode.name}: {said}")


def case_killed_grader(_):
    """What it was running ends with it, a daemon, too."""
    for mode in modes():
        mark = f"mark-{os.getpid()}-orphan"
        pid = os.fork()
        if pid == 0:
            attack(DAEMON + f"time.sleep(600)  # {mark}", limit=600)
            os._exit(0)
        end = time.monotonic() + 60
        while len(left_of(mark)) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.2)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        while left_of(mark) and time.monotonic() < end:
            time.sleep(0.05)
        check(not left_of(mark), f"{mode.name}: left: {left_of(mark)}")


def case_a_busy_machine(_):
    """What a test has stood in line for a processor does not count; who
    sleeps, or has had the time, is late all the same."""
    was = sandbox.kept_waiting
    environment = {"PATH": os.defpath}
    try:
        sandbox.kept_waiting = lambda pids: (0, 0)
        check(sandbox.run(["/bin/sleep", "20"], environment, 0.5).late,
              "who sleeps is not late")
        sandbox.kept_waiting = lambda pids: (0, 10)
        check(not sandbox.run(["/bin/sleep", "1.5"], environment, 0.5).late,
              "who has stood in line is late")
        sandbox.kept_waiting = lambda pids: (0, 3)
        check(sandbox.run(["/bin/sleep", "20"], environment, 0.5).late,
              "who has stood in line for 3 s is waited for without end")
        sandbox.kept_waiting = lambda pids: (1, 10)
        check(sandbox.run(["/bin/sleep", "1.5"], environment, 0.5).late,
              "whose threads wait for each other is given more time")
    finally:
        sandbox.kept_waiting = was
    check(min(was([os.getpid()])) > 0, "the kernel does not say who stood in line")


def case_nothing_to_be_had(_):
    """Here root is nobody else's root, and may make no namespaces."""
    text = "import sys; sys.path[:0] = [sys.argv[1]]\n" \
        "from triptych_lab import sandbox\n" \
        "print(sandbox.run(['/bin/echo', 'was', 'run'], {'PATH': '/bin'}, 5))"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c",
         "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"", "sh",
         PYTHON, "-B", "-c", text, str(HERE.parent)], text=True,
        capture_output=True, check=False, timeout=120)
    check("verdict='broken'" in done.stdout and "Refused" in done.stdout
          and "sudo" in done.stdout and "was run" not in done.stdout,
          done.stdout + done.stderr)


FORBIDS = """
import ctypes, os, struct, sys
def one(code, jt, jf, k):
    return struct.pack("<HBBI", code, jt, jf, k)
arch = {"x86_64": (272, 56, 435), "aarch64": (97, 220, 435)}[os.uname().machine]
program = one(0x20, 0, 0, 0)              # the number of the call
for number in arch[:1]:                    # unshare: EPERM
    program += one(0x15, 0, 1, number) + one(6, 0, 0, 0x50001)
program += one(0x15, 0, 1, arch[2]) + one(6, 0, 0, 0x50026)  # clone3: ENOSYS
program += one(6, 0, 0, 0x7fff0000)
held = ctypes.create_string_buffer(program)
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("at", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
whole = Program(len(program) // 8, ctypes.addressof(held))
for call in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(whole), 0, 0)):
    if libc.prctl(*call) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
"""
TRIES = """
import sys; sys.path[:0] = [sys.argv[1]]
from triptych_lab import isolation, sandbox
print(isolation.isolation().name, "|", isolation.isolation().warning)
print(sandbox.run(['/bin/echo', 'was', 'run'], {'PATH': '/bin'}, 20))
"""


def case_a_filter_without_namespaces(_):
    """As in a container, which forbids unshare by a filter: as root the code
    is another user's, else it is refused."""
    done = subprocess.run(
        [PYTHON, "-c", FORBIDS, PYTHON, "-B", "-c", TRIES, str(HERE.parent)],
        text=True, capture_output=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    if os.geteuid() == 0:
        check(said.startswith("another user | ") and "network" in said
              and "verdict='failed'" in said and "was run" in said, said)
    else:
        check(said.startswith("none | Refused") and "was run" not in said
              and "verdict='broken'" in said, said)


# --- Through sudo ------------------------------------------------------------

# Stands in for sudo, which the machine need not have: it hands what it was
# told to this test, which is root. Of sudo itself nothing is tested.
SUDO = """#!/usr/bin/env python3
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(os.path.dirname(os.path.abspath(__file__)) + "/socket")
    s.sendall(json.dumps([sys.argv[1:], dict(os.environ)]).encode())
    s.shutdown(socket.SHUT_WR)
    status, text = json.load(s.makefile())
sys.stdout.write(text)
sys.exit(status)
"""


def serve(server, asked):
    while True:
        try:
            peer = server.accept()[0]
        except OSError:
            return
        with peer:
            arguments, environment = json.loads(peer.makefile().read())
            asked.append((arguments, environment))
            done = subprocess.run(arguments[1:], env=environment, text=True,
                                  stdout=subprocess.PIPE, check=False)
            peer.sendall(json.dumps([done.returncode, done.stdout]).encode())


def case_sudo(place):
    """A user who has sudo grades as root, who is told no token, and gets what
    was written."""
    if os.geteuid() != 0:
        print("  (root alone can stand in for sudo: run as root, too)")
        return
    home = Path(place)
    home.chmod(0o777)
    (home / "sudo").write_text(SUDO)
    (home / "sudo").chmod(0o755)
    shutil.copytree(HERE.parent / "triptych_lab", home / "triptych_lab")
    (home / "tool").write_text(
        "import os, sys\nfrom pathlib import Path\n"
        "from triptych_lab import isolation, report\n"
        "isolation.through_sudo()\n"
        "report.write(Path(sys.argv[1]), str((os.getuid(), os.environ)))\n"
        "print('uid', os.getuid(), isolation.isolation().name)\n")
    asked = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home / "socket"))
        (home / "socket").chmod(0o777)
        server.listen()
        threading.Thread(target=serve, args=(server, asked),
                         daemon=True).start()
        done = subprocess.run(
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
             PYTHON, "-B", home / "tool", home / "result"], text=True,
            env={"PATH": f"{home}:/usr/bin:/bin", "GITHUB_TOKEN": TOKEN,
                 "LD_PRELOAD": "", "CLASSROOM": "c1"},
            capture_output=True, check=False, timeout=120)
    check("uid 0 " in done.stdout, done.stdout + done.stderr)
    check(TOKEN not in str(asked), str(asked))
    written = (home / "result").read_text()
    check(TOKEN not in written and "c1" in written, written)
    check((home / "result").stat().st_uid == USER, "the result is root's")


def as_a_user():
    """The same, as a user who is not root: its exit status."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        shutil.copytree(HERE.parent / "triptych_lab",
                        f"{place}/tests/lab/triptych_lab")
        (Path(place) / "tests/lab/attacks").mkdir()
        shutil.copy(__file__, f"{place}/tests/lab/attacks/cases.py")
        shutil.copy(HERE.parent.parent / "runner.py", f"{place}/tests")
        print("--- as another user", flush=True)
        return subprocess.run(
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
             PYTHON, "-B", f"{place}/tests/lab/attacks/cases.py",
             *sys.argv[1:]], check=False, cwd=place,
            env={"PATH": "/usr/bin:/bin", "HOME": place}).returncode


if __name__ == "__main__":
    status = run_cases(globals())
    if os.geteuid() == 0:
        status = as_a_user() or status
    sys.exit(status)

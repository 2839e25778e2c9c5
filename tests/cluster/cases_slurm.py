"""triptych-cluster, with a real Slurm of three machines: see slurm.py. A list
of a hundred URLs is in three shards. In the midst of each are gates, as many
as a fetcher has requests in flight: the practice server answers those when the
test has it do so. A shard waits there until then, so that what is whole when
something is killed does not hang on luck."""

import collections
import errno
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

import simulation  # noqa: E402
import slurm  # noqa: E402
from runner import check, run_cases  # noqa: E402
from slurm import until  # noqa: E402

BIN = os.path.abspath(os.environ["TRIPTYCH_BIN"])
TOOL = os.path.join(BIN, "tests/triptych-cluster")
COUNT, SHARDS, JOBS, FIRST_GATE = 100, 3, 4, 12
SIZES = [i * 397 for i in range(COUNT)]
STARTS = [-(-k * COUNT // SHARDS) for k in range(SHARDS)]  # rounded up
GATES = {start + FIRST_GATE + j: k
         for k, start in enumerate(STARTS) for j in range(JOBS)}
SMALL_DISK = None  # that all machines see
CLUSTER = None  # a Slurm for all cases
WHOLE = "TRIPTYCH_WHOLE" in os.environ  # ./run soak cluster


class Server:
    """The practice server, and what it was asked for."""

    def __init__(self, directory, port=0, name="log"):
        self.log = os.path.join(directory, name)
        self.process = subprocess.Popen(
            [os.path.join(BIN, "tests/triptych-origin"), "-p", str(port),
             "--log", self.log], stdout=subprocess.PIPE, text=True)
        self.at = self.process.stdout.readline().strip()
        self.open = set()
        self.ended = threading.Event()
        self.opener = threading.Thread(target=self.keep_open)

    def __enter__(self):
        self.opener.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.opener.join()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def asked(self):
        """How often for each target."""
        with open(self.log, encoding="ascii") as file:
            return collections.Counter(
                line.split()[1] for line in file if "opener" not in line)

    def keep_open(self):
        """Gates let requests through by groups of five: a group for each, and
        again."""
        port = int(self.at.rsplit(":", 1)[1].strip("/"))
        while not self.ended.wait(0.1):
            for key in list(self.open):
                for _ in range(JOBS + 1):
                    with socket.create_connection(("127.0.0.1", port)) as s:
                        s.sendall(b"GET /bytes/0?opener&barrier=%d&key=%d "
                                  b"HTTP/1.1\r\nHost: a\r\n\r\n"
                                  % (JOBS + 1, key))


def target(i):
    gate = f"&barrier={JOBS + 1}&key={GATES[i]}" if i in GATES else ""
    return f"/bytes/{SIZES[i]}?seed={i}{gate}"


class Run:
    """A list, its server, and calls of triptych-cluster."""

    def __init__(self, directory):
        self.directory = directory
        self.server = Server(directory)
        self.list = os.path.join(directory, "list")
        self.run = self.list + ".cluster"
        self.calls = 0

    def __enter__(self):
        self.server.__enter__()
        with open(self.list, "w", encoding="ascii") as file:
            for i in range(COUNT):
                file.write(self.server.at.rstrip("/") + target(i) + "\n")
        return self

    def __exit__(self, *_):
        subprocess.run(["scancel", "--me"], env=CLUSTER.environment,
                       check=False)
        self.server.__exit__()

    def start(self, *options, shards=("-n", str(SHARDS)), **variables):
        self.calls += 1
        self.said = os.path.join(self.directory, f"said.{self.calls}")
        with open(self.said, "wb") as said:
            return subprocess.Popen(
                [TOOL, "-i", self.list, *shards, "-o",
                 os.path.join(self.directory, "whole"), "-r",
                 os.path.join(self.directory, "report"), "-f",
                 os.path.join(BIN, "fetch-evloop"), *options, "--", "-j",
                 str(JOBS)], stderr=said, stdout=subprocess.DEVNULL,
                env=dict(CLUSTER.environment, **variables),
                cwd=self.directory)

    def wait(self, process, status=0):
        got = process.wait(slurm.PATIENCE * 2)
        check(got == status, f"{got}, not {status}: {self.words()}")

    def words(self):
        with open(self.said, encoding="utf-8") as file:
            return file.read()

    def whole_now(self):
        bodies = os.path.join(self.run, "bodies")
        return {int(name) for name in os.listdir(bodies)
                if not name.startswith(".")}

    def wait_at_the_gates(self):
        """All shards are there: what is before a gate is whole."""
        before = {start + i for start in STARTS for i in range(FIRST_GATE)}
        until(lambda: os.path.exists(self.run + "/bodies") and
              self.whole_now() == before and
              all(self.server.asked()[target(i)] for i in GATES),
              "all shards at their gates")
        return before

    def machine_of(self, shard):
        with open(f"{self.run}/rounds/1/node.{shard}",
                  encoding="ascii") as file:
            return file.read().strip()

    def expect_whole(self, known=()):
        """The bytes of one machine; what was whole before was asked for
        once."""
        whole = one_machine(self.directory)
        with open(os.path.join(self.directory, "whole"), "rb") as file:
            got = file.read()
        check(got == whole, f"{len(got)} bytes of {len(whole)}")
        asked = self.server.asked()
        check(set(asked) == {target(i) for i in range(COUNT)}, "other targets")
        twice = [i for i in known if asked[target(i)] != 1]
        check(not twice, f"fetched twice: {twice}")

    def rows(self):
        with open(os.path.join(self.directory, "report"),
                  encoding="ascii") as file:
            return [line.rstrip("\n").split("\t") for line in file]


def one_machine(directory):
    """The same bodies, without gates."""
    with Server(directory, name="log-of-one") as server:
        name = os.path.join(directory, "list-of-one")
        with open(name, "w", encoding="ascii") as file:
            for i in range(COUNT):
                file.write(f"{server.at}bytes/{SIZES[i]}?seed={i}\n")
        return subprocess.run([os.path.join(BIN, "fetch-threads"), "-q", "-i",
                               name], capture_output=True, check=True).stdout


def case_three_machines(directory):
    """The bytes and the report of one; each URL is asked for once, whatever
    options and habits the caller has with Slurm."""
    with Run(directory) as r:
        process = r.start("-s", "--comment=mine", "-s", "--job-name=mine",
                          SQUEUE_STATES="COMPLETED", SQUEUE_PARTITION="none")
        r.wait_at_the_gates()
        r.server.open |= set(range(SHARDS))
        r.wait(process)
        r.expect_whole(range(COUNT))
        header, *rows = r.rows()
        check(header[0] == "id" and len(header) == 14, f"{header}")
        check([row[0] for row in rows] == [str(i) for i in range(COUNT)],
              "ids")
        for i, row in enumerate(rows):
            check(row[1].endswith(target(i)) and
                  row[2:5] == ["ok", "200", str(SIZES[i])] and len(row) == 14,
                  f"{row}")
        table = re.findall(r"^(n\d) +(\d+) +(\d+) +0 +(\d+)$", r.words(),
                           re.MULTILINE)
        check([row[0] for row in table] == CLUSTER.names, r.words())
        check(sum(int(row[2]) for row in table) == COUNT, r.words())
        check(sum(int(row[3]) for row in table) == sum(SIZES), r.words())
        # Once more: nothing is left to be done.
        r.wait(r.start())
        r.expect_whole(range(COUNT))


def case_a_machine_dies(directory):
    with Run(directory) as r:
        process = r.start()
        known = r.wait_at_the_gates()
        machine = r.machine_of(2)
        CLUSTER.pull_the_plug(machine)
        try:
            r.server.open |= set(range(SHARDS))
            r.wait(process)
            r.expect_whole(known)
            check("1 not brought to its end" in r.words(), r.words())
            rows = r.rows()[1:]
            check(all(row[2] == "ok" and row[4] == str(SIZES[i])
                      for i, row in enumerate(rows)), f"{rows}")
        finally:
            CLUSTER.boot(machine)
            CLUSTER.wait_for(CLUSTER.names, "idle")


def case_a_step_dies(directory):
    """One fetcher is killed, and one task of the array; one Slurm takes back
    and starts again."""
    with Run(directory) as r:
        process = r.start()
        known = r.wait_at_the_gates()
        pids = [pid for pid in os.listdir("/proc") if pid.isdigit() and
                b"rounds/1/list.2" in words_of(pid) and
                b"fetch-evloop" in words_of(pid).split(b"\0")[0]]
        check(len(pids) == 1, f"{pids}")
        os.kill(int(pids[0]), signal.SIGKILL)
        job = slurm.run("squeue", "-h", "-o", "%F",
                        env=CLUSTER.environment).split()[0]
        slurm.run("scancel", f"{job}_3", env=CLUSTER.environment)
        slurm.run("scontrol", "update", f"JobId={job}_1", "Requeue=1",
                  env=CLUSTER.environment)
        slurm.run("scontrol", "requeue", f"{job}_1", env=CLUSTER.environment)
        # (Before that Slurm may take the end of the first start for that of
        # the second.)
        until(lambda: slurm.run("squeue", "-h", "-j", f"{job}_1", "-o", "%r",
                                env=CLUSTER.environment) == "BeginTime\n",
              "the task to be taken back")
        slurm.run("scontrol", "update", f"JobId={job}_1", "StartTime=now",
                  env=CLUSTER.environment)
        r.server.open |= set(range(SHARDS))
        r.wait(process)
        r.expect_whole(known)


def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def deaf(directory, name):
    """A folder for PATH, in which this command of Slurm's fails while a file
    is there. The file, and PATH."""
    stop = os.path.join(directory, "deaf")
    path = os.path.join(directory, "bin")
    os.mkdir(path)
    with open(os.path.join(path, name), "w", encoding="ascii") as file:
        file.write(f"""#!/bin/sh
            [ ! -e {stop} ] || {{ echo >>{stop}; exit 1; }}
            exec {shutil.which(name)} "$@"\n""")
    os.chmod(file.name, 0o755)
    return stop, f"{path}:{os.environ['PATH']}"


def case_interrupted(directory):
    """Ctrl-C stops the job, though Slurm does not answer at first; nor does
    SIGTERM come between, which some send behind it. The next call goes on."""
    with Run(directory) as r:
        stop, path = deaf(directory, "squeue")
        process = r.start(PATH=path)
        known = r.wait_at_the_gates()
        with open(stop, "w", encoding="ascii"):
            pass
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        until(lambda: os.path.getsize(stop) > 2, "questions")
        os.remove(stop)
        r.wait(process, 130)
        check(slurm.run("squeue", "-h", env=CLUSTER.environment) == "",
              "the job is still there")
        check(known == r.whole_now(), "files went, or came")
        check("64 of 100 are left" in r.words(), r.words())
        r.server.open |= set(range(SHARDS))
        r.wait(r.start())
        r.expect_whole(known)


def case_killed(directory):
    """The job goes on, and the next call follows it: nothing is done twice."""
    with Run(directory) as r:
        process = r.start()
        r.wait_at_the_gates()
        process.kill()
        process.wait()
        process = r.start()
        r.server.open |= set(range(SHARDS))
        r.wait(process)
        r.expect_whole(range(COUNT))


def fill_up(ended):
    """All that gets free meanwhile, too."""
    with open(os.path.join(SMALL_DISK, "full"), "wb", buffering=0) as file:
        while not ended.is_set():
            try:
                file.write(bytes(4096))
            except OSError as error:
                check(error.errno == errno.ENOSPC, f"{error}")
    os.remove(file.name)


def case_a_full_disk(directory):
    """Nothing else is begun, and nothing ends, while the folder's disk is
    full; with room on it the call goes on."""
    if not WHOLE:
        print("only in ./run soak cluster")
        return
    with Run(directory) as r:
        r.run = os.path.join(SMALL_DISK, "run")
        process = r.start("-C", r.run)
        known = r.wait_at_the_gates()
        ended = threading.Event()
        filler = threading.Thread(target=fill_up, args=(ended,))
        filler.start()
        try:
            time.sleep(8)  # several looks at the tasks
            check(process.poll() is None and "round 2" not in r.words(),
                  r.words())
        finally:
            ended.set()
            filler.join()
        r.server.open |= set(range(SHARDS))
        r.wait(process)
        r.expect_whole(known)


def case_no_room_for_the_bodies(directory):
    """What is joined is there, or the status says that it is not; a device
    stays one."""
    with Run(directory) as r:
        with open(r.list, "w", encoding="ascii") as file:
            file.write(f"{r.server.at}bytes/9000?0\n")
        os.makedirs(r.run + "/bodies")
        with open(r.run + "/bodies/000000000", "wb") as file:
            file.write(bytes(9000))
        whole = os.path.join(directory, "whole")
        os.symlink("/dev/full", whole)
        r.wait(r.start(), 3)
        check(os.path.islink(whole), "it has become a file")
        os.remove(whole)
        r.wait(r.start("-r", r.run + "/report"))
        check(os.path.getsize(whole) == 9000, "another size")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def case_half_a_row(directory):
    """Of a fetcher that was killed the last row counts only if it is whole."""
    with Run(directory) as r:
        with open(r.list, "w", encoding="ascii") as file:
            file.write(f"{r.server.at}bytes/1234?0\n"
                       "postgresql://a:se@cret@h/d?password=b&query=c@d\n")
        os.makedirs(r.run + "/bodies")
        os.makedirs(r.run + "/rounds/1")
        for name, text in (
                ("bodies/000000000", "x" * 1234),
                ("bodies/000000001", "y" * 5000),
                ("bodies/.fetch-0-0.part", "left behind"),
                ("rounds/1/node.1", "n1\n"),
                ("rounds/1/list.1", f"{r.server.at}bytes/1234?0\t000000000\n"),
                ("rounds/1/report.1", "id\turl\n0\tu\tok\t200\t1234\t1" +
                 "\t0" * 7 + "\t12")):
            with open(f"{r.run}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        r.wait(r.start())
        check(r.rows()[1][2:] == ["ok", "-", "1234"] + ["-"] * 9,
              f"{r.rows()}")
        url = r.rows()[2][1]
        check(url.startswith("postgresql://a:***@") and "cret" not in url and
              "=b" not in url, url)
        check(sorted(os.listdir(r.run + "/bodies")) ==
              ["000000000", "000000001"], "left behind")


def case_retry_failed(directory):
    """What has failed is tried again when that is asked for, and nothing
    else."""
    port = free_port()
    with Run(directory) as r:
        at = r.server.at
        with open(r.list, "w", encoding="utf-8", newline="") as file:
            file.write("\ufeff# a comment\r\n\r\n")
            for i in range(9):
                where = f"http://127.0.0.1:{port}/" if i % 3 == 1 else at
                file.write(f"{where}bytes/{i}?seed={i}\tname\r\n")
        r.wait(r.start(shards=()), 1)
        lists = [name for name in os.listdir(r.run + "/rounds/1")
                 if name.startswith("list.")]
        check(len(lists) == 6, f"two for each machine: {lists}")
        results = [row[2] for row in r.rows()[1:]]
        check(results == ["ok", "refused", "ok"] * 3, f"{results}")
        r.wait(r.start(), 1)
        check(results == [row[2] for row in r.rows()[1:]], f"{r.rows()}")
        with Server(directory, port, "log-of-late") as late:
            r.wait(r.start("--retry-failed"))
            check(len(late.asked()) == 3 and
                  set(late.asked().values()) == {1}, f"{late.asked()}")
        asked = r.server.asked()
        check(len(asked) == 6 and set(asked.values()) == {1}, f"{asked}")
        check([row[2] for row in r.rows()[1:]] == ["ok"] * 9, f"{r.rows()}")


def case_simulation(directory):
    """What is predicted for two machines, from a run of one, and what they
    take. No machine can be faster than the servers' waits allow; how much
    slower is the machine's affair, and only said."""
    waits = [(20 + i * 37 % 200) / 1000 for i in range(120)]
    took = {}
    with Run(directory) as r:
        with open(r.list, "w", encoding="ascii") as file:
            for i, wait in enumerate(waits):
                file.write(f"{r.server.at}bytes/1000?seed={i}"
                           f"&delay={wait * 1000:.0f}\n")
        for machines in (1, 2):
            run = os.path.join(directory, str(machines))
            r.wait(r.start("-C", run, shards=("-n", str(machines))))
            took[machines] = max(int(row[12]) for row in r.rows()[1:]) / 1e6
            least = simulation.on_machines(waits, 0, machines, JOBS)
            check(took[machines] >= least, f"{took}: less than {least}")
    work = simulation.fitted(waits, took[1], JOBS)
    told = simulation.on_machines(waits, work, 2, JOBS)
    print(f"one machine: {took[1]:.2f} s, so {work * 1e6:.0f} us of work for "
          f"each; two: predicted {told:.2f} s, measured {took[2]:.2f}")
    check(simulation.seconds([1, 2, 3, 4], 0, 2) == 6 and
          simulation.seconds([1] * 4, 0.5, 2) == 3.5, "the simulation")


def case_each(directory):
    """Any command for each line; one that fails does not fail the others."""
    with Run(directory) as r:
        with open(r.list, "w", encoding="ascii") as file:
            file.write("one two\nbad\nthr\\ee\n\tfour\n")
        r.wait(r.start("--each", '[ "$1" != bad ] && '
                       'printf "<%s> %s\\n" "$1" "$LC_ALL"', LC_ALL="mine"), 1)
        with open(os.path.join(directory, "whole"), encoding="ascii") as file:
            check(file.read() == "<one two> mine\n<thr\\ee> mine\n<> mine\n",
                  "other bodies")
        check([row[1:3] for row in r.rows()[1:]] ==
              [["one two", "ok"], ["bad", "failed"], ["thr\\ee", "ok"],
               ["", "ok"]], f"{r.rows()}")


def case_hand_ins(directory):
    """triptych-lab grade-all --slurm: the table of a run without it, and what
    is known is not graded again; a terminal's Ctrl-C ends it and the job."""
    tool = os.path.join(TESTS, "lab/triptych-lab")
    os.chmod(directory, 0o755)
    for name, text in (("ada", "nonsense"), ("bob", ""), ("eve", "x = 1")):
        os.makedirs(os.path.join(directory, "all", name))
        with open(os.path.join(directory, "all", name, "predictions.toml"),
                  "w", encoding="ascii") as file:
            file.write(text)

    def grade_all(*options, lab="comparison", folder="all"):
        return subprocess.Popen(
            [tool, "grade-all", folder, "--lab", lab, "--csv", "all.csv",
             *options],
            cwd=directory, text=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
            env=dict(CLUSTER.environment,
                     PATH=f"{BIN}/tests:{os.environ['PATH']}"))

    def table(*options, **more):
        process = grade_all(*options, **more)
        _, said = process.communicate()
        check(process.returncode == 0, said)
        with open(os.path.join(directory, "all.csv"),
                  encoding="utf-8") as file:
            return file.read(), said

    def jobs():
        return slurm.run("squeue", "-h", env=CLUSTER.environment)

    def machines(state):
        slurm.run("scontrol", "update", "NodeName=" + ",".join(CLUSTER.names),
                  f"State={state}", "Reason=test", env=CLUSTER.environment)

    machines("DRAIN")  # so the job waits
    try:
        process = grade_all("--state", "many", "--slurm")
        until(jobs, "the job")
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()
        check(process.returncode == 130 and "Interrupted" in said, said)
        check(jobs() == "", "the job is still there")
    finally:
        machines("RESUME")
    plain, _ = table("--state", "one")
    by_slurm, said = table("--state", "many", "--slurm")
    check(by_slurm == plain and plain.count("\n") == 4, by_slurm)
    check("round 1: 3 lines" in said, said)
    kept = set(os.listdir(os.path.join(directory, "many")))
    check(len(kept) == 3 and all(k.endswith(".json") for k in kept), f"{kept}")
    again, said = table("--state", "many", "--slurm")
    check(again == plain and "round" not in said, said)
    if not WHOLE:
        return
    for command in ("new", "solution"):  # these are compiled and run
        slurm.run(tool, command, "protocol",
                  os.path.join(directory, "programs", command))
    plain, _ = table("--state", "three", lab="protocol", folder="programs")
    by_slurm, _ = table("--state", "four", "--slurm", lab="protocol",
                        folder="programs")
    check(by_slurm == plain and "solution,100," in plain, by_slurm)


def kill_something(r, process):
    """The tool, gently or not, a fetcher or a machine."""
    what = random.choice(("INT", "KILL", "fetcher", "machine"))
    print(what, end=" ", flush=True)
    if what in ("INT", "KILL"):
        process.send_signal(getattr(signal, "SIG" + what))
        process.wait(slurm.PATIENCE)
    elif what == "fetcher":
        pids = [pid for pid in os.listdir("/proc") if pid.isdigit() and
                b"fetch-evloop\0-q\0--sync" in words_of(pid)]
        if pids:
            os.kill(int(random.choice(pids)), signal.SIGKILL)
    else:
        machine = random.choice(CLUSTER.names)
        CLUSTER.pull_the_plug(machine)
        CLUSTER.boot(machine)


def case_moments(directory):
    """Things die at moments of chance; nothing that was whole then is asked
    for again, and in the end all is there."""
    if not WHOLE:
        print("only in ./run soak cluster")
        return
    with Run(directory) as r:
        targets = [f"/bytes/{i * 31}?seed={i}&delay={i * 37 % 200 + 50}"
                   for i in range(400)]
        with open(r.list, "w", encoding="ascii") as file:
            file.writelines(f"{r.server.at.rstrip('/')}{t}\n"
                            for t in targets)
        known, kills = {}, 0
        process = r.start(shards=())
        while True:
            try:
                status = process.wait(random.uniform(0.5, 4))
            except subprocess.TimeoutExpired:
                if kills < 12:
                    kills += 1
                    asked = r.server.asked()
                    for i in r.whole_now():
                        known.setdefault(i, asked[targets[i]])
                    kill_something(r, process)
                continue
            if status == 0:
                break
            check(status in (130, -signal.SIGKILL), r.words())
            process = r.start(shards=())
        print(f"- {kills} kills, {len(known)} known before the last")
        asked = r.server.asked()
        twice = [i for i, n in known.items() if asked[targets[i]] != n]
        check(not twice, f"asked for again: {twice}")
        done = subprocess.run([os.path.join(BIN, "fetch-threads"), "-q", "-j",
                               "50", "-i", r.list], capture_output=True,
                              check=True)
        with open(os.path.join(directory, "whole"), "rb") as file:
            check(file.read() == done.stdout, "other bytes")


def case_refused(directory):
    """Another list, a second call at once, a list that is not there, or not
    yet; a path that Slurm misreads; a job that brings nothing is given up."""
    with Run(directory) as r:
        with open(r.list, "r+", encoding="ascii") as file:
            urls = file.read()
            file.truncate(0)
            r.wait(r.start(), 2)
            check("no URL" in r.words(), r.words())
            file.seek(0)
            file.write(urls)
        r.wait(r.start("-C", os.path.join(directory, "100%u")), 2)
        process = r.start()
        r.wait_at_the_gates()
        r.wait(r.start(), 3)
        process.send_signal(signal.SIGTERM)
        r.wait(process, 143)
        with open(r.list, "a", encoding="ascii") as file:
            file.write(r.server.at + "\n")
        r.wait(r.start(), 2)
        os.rename(r.list, r.list + ".other")
        r.wait(r.start(), 2)
        os.rename(r.list + ".other", r.list)
        os.rename(r.list, os.path.join(directory, "a=b"))
        r.list = "a=b"
        r.wait(r.start("-C", os.path.join(directory, "other"), "-f",
                       "/no/fetcher"), 3)
        check("three rounds" in r.words(), r.words())


def main():
    global CLUSTER, SMALL_DISK
    why = slurm.why_not()
    if why:
        print(f"{why}: left out")
        return 77
    slurm.enter()
    import tempfile
    with tempfile.TemporaryDirectory(prefix="triptych-") as directory:
        SMALL_DISK = os.path.join(directory, "small")
        os.mkdir(SMALL_DISK)
        slurm.run("mount", "-t", "tmpfs", "-o", "size=8m", "none", SMALL_DISK)
        try:
            with slurm.Slurm(directory) as CLUSTER:
                return run_cases(dict(globals()))
        finally:
            slurm.run("umount", "-l", SMALL_DISK)


if __name__ == "__main__":
    sys.exit(main())

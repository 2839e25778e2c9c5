"""Slurm of one's own on this machine, for a test and for ./run cluster: a
slurmctld, a munged, and a slurmd for each machine that is played. All live in
namespaces that end with whoever made them; each machine has a namespace of
processes, so that killing its first process is pulling its plug."""

import os
import shutil
import socket
import subprocess
import sys
import time

PATIENCE = 120  # seconds
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "unshare", "ip")
UNSHARE = ["unshare", "--net", "--pid", "--fork", "--kill-child",
           "--mount-proc"]
ADDRESS = "10.21.0.1"  # getaddrinfo wants one beside 127.0.0.1


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"this did not come: {what}")
        time.sleep(0.05)


def why_not():
    """Why there can be no Slurm here, or nothing."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    os.environ["PATH"] = path
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"Slurm is not installed ({', '.join(missing)})"
    if os.geteuid() != 0:
        return "Slurm's daemons want root"  # for setgroups, at the least
    done = subprocess.run([*UNSHARE, "true"], capture_output=True,
                          text=True, check=False)
    return "" if done.returncode == 0 else \
        f"no namespaces are to be had: {done.stderr.strip()}"


def enter():
    """Starts this program again, in namespaces of its own."""
    if "TRIPTYCH_INSIDE" in os.environ:
        run("ip", "link", "set", "lo", "up")
        run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
        return
    os.environ["TRIPTYCH_INSIDE"] = "yes"
    os.execvp("unshare", [*UNSHARE, sys.executable, *sys.argv])


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          **more)
    if done.returncode != 0:
        raise AssertionError(f"{argv}: {done.stdout}{done.stderr}")
    return done.stdout


CONFIGURATION = """
ClusterName=triptych
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={at}/munge.socket
SlurmUser=root
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/spool.%n
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd.%n.pid
SlurmctldLogFile={at}/slurmctld.log
SlurmdLogFile={at}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SlurmdTimeout=10
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
PartitionName=all Nodes=ALL Default=YES
"""


class Slurm:
    """Machines n1, n2, ..., a processor each. A machine that does not answer
    for ten seconds is dead."""

    def __init__(self, directory, machines=3):
        self.at = os.path.join(directory, "slurm")
        os.makedirs(os.path.join(self.at, "state"))
        self.names = [f"n{i + 1}" for i in range(machines)]
        self.conf = os.path.join(self.at, "slurm.conf")
        host = socket.gethostname()
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(host=host, at=self.at))
            for i, name in enumerate(self.names):
                file.write(f"NodeName={name} NodeHostname={host} "
                           f"NodeAddr=127.0.0.1 Port={6820 + i} CPUs=1\n")
        self.environment = dict(os.environ, SLURM_CONF=self.conf)
        self.daemons = {}

    def __enter__(self):
        key = os.path.join(self.at, "munge.key")
        with open(key, "wb") as file:
            file.write(os.urandom(128))
        os.chmod(key, 0o600)
        files = {"key-file": key, "socket": "munge.socket",
                 "pid-file": "munge.pid", "log-file": "munge.log",
                 "seed-file": "munge.seed"}
        self.start("munged", "munged", "--force", "--foreground",
                   *(f"--{option}={os.path.join(self.at, name)}"
                     for option, name in files.items()))
        until(lambda: os.path.exists(os.path.join(self.at, "munge.socket")),
              "munged")
        self.start("slurmctld", "slurmctld", "-D", "-f", self.conf)
        for name in self.names:
            self.boot(name)
        self.wait_for(self.names, "idle")
        return self

    def __exit__(self, *_):
        for daemon in self.daemons.values():
            daemon.kill()
            daemon.wait()

    def start(self, name, *argv):
        self.daemons[name] = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def boot(self, name):
        # The shell is the namespace's first process, and reaps.
        self.start(name, "unshare", "--pid", "--fork", "--kill-child",
                   "--mount-proc", "sh", "-c",
                   f"slurmd -D -f '{self.conf}' -N {name}; :")

    def pull_the_plug(self, name):
        self.daemons[name].kill()
        self.daemons[name].wait()

    def states(self):
        done = subprocess.run(["sinfo", "-h", "-N", "-o", "%N %T"], text=True,
                              env=self.environment, capture_output=True,
                              check=False)
        return dict(line.split() for line in done.stdout.splitlines())

    def wait_for(self, names, state):
        until(lambda: all(self.states().get(name) == state for name in names),
              f"{names} {state}")

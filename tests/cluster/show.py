"""./run cluster: the demo's list over three machines of a Slurm that lives as
long as this does; one of them dies on the way. Argument: a build."""

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time

import slurm

MACHINE, AFTER = "n2", 40  # dies when so many of its bodies are whole


def bodies_of(run, machine):
    """How many of the bodies that this machine was given are whole."""
    count = 0
    for at, _, files in os.walk(os.path.join(run, "rounds")):
        for name in files:
            if not name.startswith("node."):
                continue
            with open(os.path.join(at, name), encoding="ascii") as file:
                if file.read().strip() != machine:
                    continue
            path = os.path.join(at, name.replace("node", "list"))
            with open(path, encoding="ascii") as file:
                count += sum(os.path.exists(os.path.join(
                    run, "bodies", line.rstrip("\n").split("\t")[1]))
                             for line in file)
    return count


def pull_the_plug(cluster, run, ended):
    while not ended.wait(0.05):
        if bodies_of(run, MACHINE) >= AFTER:
            cluster.pull_the_plug(MACHINE)
            print(f"\n*** {MACHINE} is dead. Slurm will notice when it has "
                  "not answered for ten seconds.", file=sys.stderr)
            return


def digest(command, **more):
    """Of what it prints, and the seconds it took."""
    begun, told = time.monotonic(), hashlib.sha256()
    with subprocess.Popen(command, stdout=subprocess.PIPE, **more) as process:
        while piece := process.stdout.read(1 << 20):
            told.update(piece)
    if process.returncode != 0:
        sys.exit(f"{command[0]}: {process.returncode}")
    return told.hexdigest(), time.monotonic() - begun


def show(build, directory):
    tools = os.path.join(build, "tests")
    server = subprocess.Popen([os.path.join(tools, "triptych-origin"), "-p",
                               "0"], stdout=subprocess.PIPE, text=True)
    name = os.path.join(directory, "list")
    with open(name, "wb") as file:
        subprocess.run([os.path.join(tools, "triptych-demo"), "--list",
                        server.stdout.readline().strip()], stdout=file,
                       check=True)
    fetcher = os.path.join(build, "fetch-evloop")
    try:
        print("One machine ...", file=sys.stderr)
        one, _ = digest([fetcher, "-q", "-j", "8", "-i", name])
        print("Three machines: a slurmctld, and three slurmds ...",
              file=sys.stderr)
        with slurm.Slurm(directory) as cluster:
            ended = threading.Event()
            killer = threading.Thread(
                target=pull_the_plug, args=(cluster, name + ".cluster", ended))
            killer.start()
            many, seconds = digest(
                [os.path.join(tools, "triptych-cluster"), "-i", name, "-o",
                 "-", "-f", fetcher, "--", "-j", "8"],
                env=cluster.environment)
            ended.set()
            killer.join()
    finally:
        server.terminate()
        server.wait()
    print(f"\nThe bytes are {'' if one == many else 'NOT '}those of one "
          f"machine; it took {seconds:.0f} s.")
    return 0 if one == many else 1


def main():
    why = slurm.why_not()
    if why:
        print(why, file=sys.stderr)
        return 3
    slurm.enter()
    with tempfile.TemporaryDirectory(prefix="triptych-") as directory:
        return show(sys.argv[1], directory)


if __name__ == "__main__":
    sys.exit(main())

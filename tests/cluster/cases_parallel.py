"""The page on GNU parallel, README.md: its commands, word for word, with two
hosts. A stand-in for ssh gives each host a folder of its own on this machine,
and lets one be dead, or die. Each host waits for the first call of the other:
whether the second is asked before the first has done everything is chance
otherwise."""

import os
import re
import shutil
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from runner import check, run_cases  # noqa: E402

BIN = os.environ["TRIPTYCH_BIN"]

SSH = """#!/bin/sh
# ssh [-options] HOST [--] COMMAND...
while :; do
    case $1 in
    -[lpiFo]) shift 2 ;;
    -*) shift ;;
    *) break ;;
    esac
done
host=$1
shift
[ "${1:-}" != -- ] || shift
mkdir -p "$HOSTS/$host"
cd "$HOSTS/$host" || exit 255
export SHELL=/bin/sh # as sshd does; what parallel sends starts it
echo "$host" >>"$HOSTS/calls"
tries=300
until grep -q a "$HOSTS/calls" && grep -q b "$HOSTS/calls"; do
    [ $((tries -= 1)) -gt 0 ] || exit 255
    sleep .1
done
[ ! -e dead ] || {
    sh -c "$*" | head -c "$(cat dead)"
    exit 255
}
exec sh -c "$*"
"""


def commands():
    """What the page says under each heading."""
    page = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "README.md")
    with open(page, encoding="utf-8") as file:
        text = file.read()
    return {part.splitlines()[0]: re.findall(r"^ {4}(\S.*)$", part,
                                             re.MULTILINE)
            for part in text.split("\n## ")[1:]}


class Hosts:
    """Two hosts, a list, and what one machine makes of it."""

    def __init__(self, directory):
        self.directory = directory
        self.hosts = os.path.join(directory, "hosts")
        os.mkdir(self.hosts)
        ssh = os.path.join(directory, "ssh")
        with open(ssh, "w", encoding="ascii") as file:
            file.write(SSH)
        os.chmod(ssh, 0o755)
        self.environment = dict(
            os.environ, HOSTS=self.hosts, PARALLEL_SSH=ssh, HOME=directory,
            PATH=f"{BIN}:{os.environ['PATH']}")
        os.makedirs(os.path.join(directory, ".parallel"))
        with open(os.path.join(directory, ".parallel/will-cite"), "w",
                  encoding="ascii"):
            pass

    def __enter__(self):
        self.server = subprocess.Popen(
            [os.path.join(BIN, "tests/triptych-origin"), "-p", "0"],
            stdout=subprocess.PIPE, text=True)
        at = self.server.stdout.readline().strip()
        name = os.path.join(self.directory, "list")
        with open(name, "w", encoding="ascii") as file:
            for i in range(1, 101):
                file.write(f"{at}bytes/{i * 997}?seed={i}\n")
        self.whole = subprocess.run(
            [os.path.join(BIN, "fetch-threads"), "-q", "-i", name],
            capture_output=True, check=True).stdout
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()
        self.server.stdout.close()

    def dead(self, host, is_so, told=0):
        """It dies when it has told so many bytes."""
        path = os.path.join(self.hosts, host, "dead")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if is_so:
            with open(path, "w", encoding="ascii") as file:
                file.write(str(told))
        else:
            os.remove(path)

    def run(self, command, status=0):
        done = subprocess.run(["bash", "-c", command], cwd=self.directory,
                              env=self.environment, capture_output=True,
                              text=True, check=False)
        check((done.returncode == 0) == (status == 0),
              f"{command}: {done.returncode}\n{done.stderr}")

    def called(self):
        with open(os.path.join(self.hosts, "calls"), encoding="ascii") as f:
            return set(f.read().split())

    def expect_whole(self):
        with open(os.path.join(self.directory, "whole"), "rb") as file:
            got = file.read()
        check(got == self.whole, f"{len(got)} bytes of {len(self.whole)}")


def case_in_order(directory):
    with Hosts(directory) as hosts:
        (command,) = commands()["In order, while all hosts live"]
        hosts.run(command)
        hosts.expect_whole()
        check(hosts.called() == {"a", "b"}, "not by both")


def case_a_host_dies(directory):
    """All comes from the other, whether it was dead or dies in the midst of
    a body. In pieces so small that both have some."""
    with Hosts(directory) as hosts:
        (command,) = commands()["In order, though a host may die"]
        command = command.replace("--block 100k", "--block 1k")
        for told in (0, 30000):
            hosts.dead("b", True, told)
            hosts.run(command)
            hosts.expect_whole()
            check(hosts.called() == {"a", "b"}, "the dead one was not asked")
            os.remove(os.path.join(hosts.hosts, "calls"))


def case_resuming(directory):
    """What was done before is not fetched again."""
    with Hosts(directory) as hosts:
        split, run, join = commands()["Resuming a long run"]
        hosts.run(split)
        hosts.dead("b", True)
        hosts.run(run, status=1)
        log = os.path.join(directory, "log")
        with open(log, encoding="utf-8") as file:
            before = file.readlines()[1:]
        done = {line.split("\t")[0] for line in before
                if line.split("\t")[6] == "0"}
        check(0 < len(done) < 8, f"{len(done)} of 8 shards")
        hosts.dead("b", False)
        hosts.run(run)
        with open(log, encoding="utf-8") as file:
            again = [line.split("\t")[0]
                     for line in file.readlines()[1 + len(before):]]
        check(not done & set(again), f"fetched twice: {done & set(again)}")
        hosts.run(join)
        hosts.expect_whole()


def case_files(directory):
    with Hosts(directory) as hosts:
        (command,) = commands()["Files"]
        hosts.run(command)
        count = sum(len(os.listdir(os.path.join(hosts.hosts, h, "pages")))
                    for h in "ab")
        check(count == 100, f"{count} files")


if __name__ == "__main__":
    if shutil.which("parallel") is None:
        print("GNU parallel is not installed: left out")
        sys.exit(77)
    sys.exit(run_cases(dict(globals())))

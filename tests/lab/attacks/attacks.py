#!/usr/bin/env python3
"""Grades attacks alone, which `triptych-lab matrix` does for each lab, too.

    attacks.py [--whole] [PART OF A NAME]...
    attacks.py --everywhere [PART OF A NAME]...

An attack is a C file here, see README.md: it is put into the skeleton of its
lab and graded, by the tests that it names, with --whole by all. What cannot
be said in C stands in cases_*.py beside it.

With --everywhere they are graded by root, in each isolation that is to be had
here; by a user who may use sudo; and by one who may not."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import users  # noqa: E402
from triptych_lab import (attacks, build, grade, isolation,  # noqa: E402
                          labs)

NOT_HAD = 77  # the exit status if the isolation asked for is not to be had


def parsed():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--whole", action="store_true",
                           help="all tests of the lab, not the named ones")
    arguments.add_argument("--everywhere", action="store_true",
                           help="as each user, and in each isolation")
    arguments.add_argument("--isolation", metavar="NAME",
                           help="in this one, or not at all")
    arguments.add_argument("--bases", metavar="DIR", type=Path,
                           help="for each lab, what `triptych-lab prepare` "
                           "made")
    arguments.add_argument("names", nargs="*", metavar="NAME",
                           help="attacks whose name has this in it")
    return arguments.parse_args()


def chosen(names):
    return [a for a in attacks.all_attacks() if not names
            or any(n in a.name for n in names)]


def only(name):
    """Of the isolations that are to be had, this one. As root, code that goes
    on being root's is left out."""
    every = list(isolation.candidates())
    isolation.candidates = lambda: [
        one for one in every if one.name == name
        and (os.geteuid() != 0 or one.another_user)]


def grade_all(arguments, bases):
    bad = 0
    found = chosen(arguments.names)
    for name in sorted({a.lab for a in found}):
        lab = labs.lab(name)
        base = bases / name if bases else build.shared_base(lab)
        with grade.Bench(lab, base=base) as bench:
            for attack in [a for a in found if a.lab == name]:
                begun = time.monotonic()
                wrong = attacks.wrong_of(bench, attack, arguments.whole)
                bad += bool(wrong)
                print(f"{'WRONG' if wrong else 'ok   '} {name:10} "
                      f"{attack.name}: {attack.title} "
                      f"({time.monotonic() - begun:.1f} s)", flush=True)
                for line in wrong:
                    print(f"      {line}")
    print(f"{len(found)} attacks, {bad} with points or without a word",
          flush=True)
    return 1 if bad or not found else 0


# --- As each user, in each isolation ------------------------------------------

def ways(place, own, bases):
    """What is said of it, and what is started: None if it cannot be."""
    def command(at, name):
        return users.python(at / "attacks.py", "--bases", bases,
                            "--isolation", name)
    if os.geteuid() != 0:
        name = isolation.isolation().name
        sudo = isolation.OWNER in os.environ
        yield f"as this user{', through sudo' if sudo else ''}, {name}", \
            command(HERE, name)
        yield "as other users: it takes root", None
        return
    for one in isolation.candidates():
        if one.another_user:
            yield f"as root, {one.name}", command(HERE, one.name)
    there = users.copied_tree(labs.ROOT, own) / "tests/lab/attacks"
    yield "as a user without sudo", \
        users.plain(command(there, "user namespace"))
    if users.has_sudo():
        yield "as a user with sudo", \
            users.with_sudo(place, command(there, "namespaces"))
    else:
        yield "as a user with sudo: it is not installed", None


def everywhere(names):
    bad = 0
    with tempfile.TemporaryDirectory(prefix="attacks-") as place, \
            tempfile.TemporaryDirectory(prefix="attackers-") as own:
        os.chmod(own, 0o755)
        bases = Path(own) / "bases"
        for name in {a.lab for a in chosen(names)}:
            lab = labs.lab(name)
            (bases / name).mkdir(parents=True)
            if shared := build.shared_base(lab):
                build.copy_tree(shared, bases / name)
            if said := build.prepare(bases / name, lab, labs.ROOT):
                raise RuntimeError(said)
        for what, command in ways(place, Path(own) / "tree", bases):
            print(f"--- {what if command else f'NOT TRIED {what}'}",
                  flush=True)
            if command is None:
                continue
            status = subprocess.run(
                [*command, *names], check=False, cwd="/",
                stdin=subprocess.DEVNULL, env={"PATH": users.PATH}).returncode
            if status == NOT_HAD:
                print("NOT TRIED: it is not to be had here", flush=True)
            bad += status not in (0, NOT_HAD)
    return 1 if bad else 0


def main():
    os.umask(0o022)
    arguments = parsed()
    isolation.through_sudo()
    if arguments.everywhere:
        return everywhere(arguments.names)
    if arguments.isolation:
        only(arguments.isolation)
        if isolation.isolation().name != arguments.isolation:
            return NOT_HAD
    print(f"isolation: {isolation.isolation().name}", flush=True)
    return grade_all(arguments, arguments.bases)


if __name__ == "__main__":
    sys.exit(main())

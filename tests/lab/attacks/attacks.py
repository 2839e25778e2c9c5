#!/usr/bin/env python3
"""Hand-ins that want points that they have not earned: each must get the
skeleton's, which are none.

    attacks.py [--whole] [PART OF A NAME]...

An attack is a C file here, see README.md: it is put into the skeleton of its
lab and graded, by the tests that it names, with --whole by all. What cannot
be said in C stands in cases_*.py beside it."""

import argparse
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]

from triptych_lab import build, grade, labs, sandbox, source  # noqa: E402


@dataclass
class Attack:
    name: str   # of its file
    title: str
    lab: str
    file: str
    tests: list  # the names of those that it is tried against
    alone: bool  # it is the whole file, not an addition to the skeleton's
    says: str    # what the grader says of it, as a regular expression, or ""
    text: str


HEAD = re.compile(
    r"/\*\n \* Attack: (?P<title>.*?)\n \* Lab: (?P<lab>.*?)\n"
    r" \* File: (?P<file>.*?)\n \* Tests: (?P<tests>.*?)\n"
    r"(?P<alone> \* Alone\n)?(?: \* Says: (?P<says>.*?)\n)?(?: \*\n.*?)? \*/\n", re.DOTALL)


def read(path):
    text = path.read_text()
    head = HEAD.match(text)
    if head is None:
        raise SystemExit(f"{path}: its opening comment is not as README.md "
                         "says")
    words = {k: " ".join(v.replace("\n *", "\n").split()) if v else ""
             for k, v in head.groupdict().items()}
    return Attack(path.stem, words["title"], words["lab"], words["file"],
                  words["tests"].split(), bool(words["alone"]), words["says"],
                  text[head.end():])


def all_attacks():
    return [read(p) for p in sorted(HERE.glob("*.c"))]


def hand_in(attack, root=labs.ROOT):
    """The skeleton with the attack in it: functions that both have are the
    attack's."""
    lab = labs.lab(attack.lab, root)
    files = labs.skeleton_files(lab, root)
    text = "" if attack.alone else files[attack.file]
    for name, _ in source.definitions(attack.text):
        if source.find(text, name) is not None:
            text = source.remove(text, name, attack.file)
    return {**files, attack.file: text + attack.text}


def wrong_of(bench, attack, whole):
    """What of it is not as it ought to be, as lines."""
    lab = bench.lab
    tests = lab.tests if whole else [lab.test(t) for t in attack.tests]
    graded = grade.grade(bench, hand_in(attack), tests=tests)
    wrong = [f"{r.name} has passed" for r in graded.results if r.passed]
    wrong += [f"{r.name}: {r.state}: {r.observed}" for r in graded.results
              if r.state in ("broken", "not run")]
    said = graded.note + "".join(
        f"{r.observed}\n{r.output}\n" for r in graded.results)
    if attack.says and not re.search(attack.says, said):
        wrong.append(f"it does not say '{attack.says}': {said[:1500]}")
    return wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--whole", action="store_true",
                           help="all tests of the lab, not the named ones")
    arguments.add_argument("names", nargs="*", metavar="NAME",
                           help="attacks whose name has this in it")
    arguments = arguments.parse_args()
    chosen = [a for a in all_attacks() if not arguments.names
              or any(n in a.name for n in arguments.names)]
    print(f"isolation: {sandbox.isolation().name}")
    bad = 0
    for name in sorted({a.lab for a in chosen}):
        mine = [a for a in chosen if a.lab == name]
        with tempfile.TemporaryDirectory(prefix="lab-base-") as place:
            base = Path(place) / "base"
            messages = build.prepare(base, labs.lab(name), labs.ROOT)
            if messages:
                raise SystemExit(messages)
            for attack in mine:
                begun = time.monotonic()
                with grade.Bench(labs.lab(name), base=base) as bench:
                    wrong = wrong_of(bench, attack, arguments.whole)
                bad += bool(wrong)
                print(f"{'WRONG' if wrong else 'ok   '} {name:10} "
                      f"{attack.name}: {attack.title} "
                      f"({time.monotonic() - begun:.1f} s)", flush=True)
                for line in wrong:
                    print(f"      {line}")
    print(f"{len(chosen)} attacks, {bad} with points or without a word")
    return 1 if bad or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())

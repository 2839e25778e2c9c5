#!/usr/bin/env python3
"""Grades attacks alone, which `triptych-lab matrix` does for each lab, too.

    attacks.py [--whole] [PART OF A NAME]...

An attack is a C file here, see README.md: it is put into the skeleton of its
lab and graded, by the tests that it names, with --whole by all. What cannot
be said in C stands in cases_*.py beside it."""

import argparse
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]

from triptych_lab import attacks, build, grade, labs, sandbox  # noqa: E402


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--whole", action="store_true",
                           help="all tests of the lab, not the named ones")
    arguments.add_argument("--base", metavar="DIR", type=Path,
                           help="what `triptych-lab prepare` made, of one lab")
    arguments.add_argument("names", nargs="*", metavar="NAME",
                           help="attacks whose name has this in it")
    arguments = arguments.parse_args()
    chosen = [a for a in attacks.all_attacks() if not arguments.names
              or any(n in a.name for n in arguments.names)]
    print(f"isolation: {sandbox.isolation().name}")
    bad = 0
    for name in sorted({a.lab for a in chosen}):
        base = arguments.base or build.shared_base(labs.lab(name))
        with grade.Bench(labs.lab(name), base=base) as bench:
            for attack in [a for a in chosen if a.lab == name]:
                begun = time.monotonic()
                wrong = attacks.wrong_of(bench, attack, arguments.whole)
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

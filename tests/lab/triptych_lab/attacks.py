"""Hand-ins that want points that they have not earned: each must get the
skeleton's, which are none. An attack is a C file, see attacks/README.md."""

import re
from dataclasses import dataclass

from . import grade, labs, source

ATTACKS = "tests/lab/attacks"
INCLUDED = re.compile(r'^#include "([\w-]+\.inc)"$', re.MULTILINE)


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
    text = INCLUDED.sub(lambda m: (path.parent / m[1]).read_text(),
                        path.read_text())
    head = HEAD.match(text)
    if head is None:
        raise SystemExit(f"{path}: its opening comment is not as README.md "
                         "says")
    words = {k: " ".join(v.replace("\n *", "\n").split()) if v else ""
             for k, v in head.groupdict().items()}
    return Attack(path.stem, words["title"], words["lab"], words["file"],
                  words["tests"].split(), bool(words["alone"]), words["says"],
                  text[head.end():])


def all_attacks(root=labs.ROOT):
    return [read(p) for p in sorted((root / ATTACKS).glob("*.c"))]


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

"""Mutation testing of the graders: each mutant is graded until a test fails.

What is known is kept in a file for each lab, a line of JSON for each mutant, so
that a run that was ended goes on. A mutant that no test catches is a survivor:
either a test is missing, or it behaves as the reference does, and then it
stands in equivalent.toml with the reason."""

import json
import os
import queue
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import grade, labs, mutants, toml_reader

EQUIVALENT = "tests/lab/equivalent.toml"


@dataclass
class Score:
    """Of one lab."""
    lab: str
    all: int = 0         # that compile to other code
    caught: int = 0
    equivalent: int = 0  # in the list, and not caught
    survivors: list = field(default_factory=list)  # (Mutant, diff, key)
    not_graded: int = 0
    wrong: list = field(default_factory=list)  # listed as equivalent, caught

    @property
    def percent(self):
        graded = self.all - self.equivalent - self.not_graded
        return 100 * self.caught / graded if graded else 100.0


def equivalents(root=labs.ROOT):
    """The mutants that behave as the reference does: key to reason."""
    path = root / EQUIVALENT
    if not path.exists():
        return {}
    listed = toml_reader.loads(path.read_text(encoding="utf-8"))
    return {one["key"]: one["reason"] for one in listed.get("mutant", [])}


class State:
    """What is known of a lab's mutants, in a file that only grows."""

    def __init__(self, path):
        self.path = path
        self.known = {}
        self.lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    one = json.loads(line)
                    self.known[one["key"]] = one
                except (ValueError, KeyError):
                    pass  # the line that was being written

    def add(self, one):
        with self.lock:
            self.known[one["key"]] = one
            with open(self.path, "a", encoding="utf-8") as f:
                f.write(json.dumps(one) + "\n")


class Order:
    """In which order the tests are tried. First comes what has caught others
    in the same function, then what has caught any of late, and of two that
    have caught as many the quicker one: most mutants end at the first test."""

    def __init__(self, tests):
        self.lock = threading.Lock()
        self.tests = tests
        self.caught = {t.name: 0.0 for t in tests}
        self.here = {}  # the same, of a function
        self.seconds = {t.name: 1.0 for t in tests}

    def worth(self, test, function):
        """What a second of this test is worth, as far as is known."""
        here = self.here.get(function, {}).get(test.name, 0.0)
        return (0.05 + self.caught[test.name] + 10 * here) / \
            (0.5 + self.seconds[test.name])

    def now(self, function):
        """Program by program, for each is built once: those first whose best
        test is worth most."""
        with self.lock:
            worth = {t.name: self.worth(t, function) for t in self.tests}
        best = {}
        for test in self.tests:
            best[test.program] = max(best.get(test.program, 0),
                                     worth[test.name])
        return sorted(self.tests, key=lambda t: (
            -best[t.program], t.program, -worth[t.name]))

    def took(self, result):
        with self.lock:
            old = self.seconds[result.name]
            self.seconds[result.name] = (3 * old + result.seconds) / 4

    def won(self, name, function):
        with self.lock:
            here = self.here.setdefault(function, {})
            for all_of in (self.caught, here):
                for one in all_of:
                    all_of[one] *= 0.9
                all_of[name] = all_of.get(name, 0.0) + 1


def judge(bench, order, file, text, function=""):
    """The first test that a version of a file fails: name and state; else
    (None, "survived")."""
    built, said = None, ""
    for test in order.now(function):
        if test.program != built:
            said = bench.put({file: text}, [test], ours=True)
            built = test.program
        result = bench.run(test)
        if result.state not in ("passed", "failed"):
            raise RuntimeError(f"{test.name} is {result.state}: "
                               f"{result.observed} {said}")
        order.took(result)
        if not result.passed:
            order.won(test.name, function)
            return test.name, result.state
    return None, "survived"


def prove(lab, order, root, base):
    """The reference is graded as a mutant is, and none of the tests may fail:
    what fails for another reason, on this machine, would catch everything."""
    file = lab.editable[0]
    with bench_for(lab, root, base) as bench:
        test, _ = judge(bench, order, file, (root / file).read_text())
    if test is not None:
        raise RuntimeError(f"{lab.name}: {test} fails with the reference: no "
                           "mutant was graded")


def bench_for(lab, root=labs.ROOT, base=None):
    """What is not the mutant's is the reference's."""
    return grade.Bench(lab, root, base, labs.reference_files)


def work(lab, jobs, order, state, progress, root, base, ended):
    """What one thread does: mutant after mutant, on a bench of its own. When
    the run has been `ended`, the bench's folder is being taken away: what a
    test says then is not kept."""
    with bench_for(lab, root, base) as bench:
        while True:
            try:
                one, key, text = jobs.get_nowait()
            except queue.Empty:
                return
            began = time.monotonic()
            test, how = judge(bench, order, one.file, one.applied(text),
                              one.function)
            if ended.is_set():
                return
            state.add({"key": key, "test": test, "how": how,
                       "function": one.function, "kind": one.kind,
                       "line": one.line,
                       "seconds": round(time.monotonic() - began, 1)})
            progress(lab, one, test, jobs.qsize())


def chosen(lab, sample=None, seed=0, root=labs.ROOT, folder=None,
           workers=None):
    """A lab's mutants, or a sample of them. What they compile to is kept in
    `folder`, if one is given."""
    found = mutants.of_lab(lab, root)
    if sample is not None and sample < len(found):
        found = random.Random(seed).sample(found, sample)
    codes = mutants.Codes(folder / "codes.txt") if folder else None
    return mutants.sift(lab, found, root, codes, workers)[0]


def of_lab(lab, folder, progress, workers=None, sample=None, seed=0,
           root=labs.ROOT, base=None, again=False, proven=False):
    """Grades a lab's mutants, or a sample of them: a Score. `folder` holds what
    is known already; that is not graded again. `base` is a folder that
    `prepare` made. `again`: what has survived is graded once more, as after
    tests were added. `progress` is called with the lab, the mutant, the test
    that caught it or None, and how many are left. The reference is graded
    first, unless somebody else has `proven` that it gets full points."""
    kept = chosen(lab, sample, seed, root, folder, workers)
    texts = {m.file: (root / m.file).read_text() for m in kept}
    keyed = [(m, m.key(texts[m.file]), texts[m.file]) for m in kept]
    state = State(folder / f"{lab.name}.jsonl")
    jobs = queue.Queue()
    for one in keyed:
        known = state.known.get(one[1])
        if known is None or again and known["test"] is None:
            jobs.put(one)
    order = Order(lab.tests)
    if not proven and not jobs.empty():
        prove(lab, order, root, base)
    failures, ended = [], threading.Event()

    def worker():
        try:
            work(lab, jobs, order, state, progress, root, base, ended)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=worker, daemon=True)
               for _ in range(min(workers or os.cpu_count() or 2,
                                  jobs.qsize()))]
    for one in threads:
        one.start()
    try:
        for one in threads:
            one.join()
    finally:
        ended.set()
    if failures:
        raise failures[0]
    return score(lab, keyed, state, equivalents(root))


def score(lab, keyed, state, equal):
    made = Score(lab.name, all=len(keyed))
    for one, key, text in keyed:
        known = state.known.get(key)
        if known is None:
            made.not_graded += 1
        elif known["test"] is not None:
            made.caught += 1
            if key in equal:
                made.wrong.append((one, one.diff(text), key))
        elif key in equal:
            made.equivalent += 1
        else:
            made.survivors.append((one, one.diff(text), key))
    return made

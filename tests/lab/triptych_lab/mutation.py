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
from dataclasses import dataclass, field
from pathlib import Path

from . import grade, labs, mutants, toml_reader

LIKELY = 4  # tests that are tried first
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
    """The tests in the order in which they are tried: what has caught most of
    late first, for most mutants end there."""

    def __init__(self, tests):
        self.lock = threading.Lock()
        self.caught = {t.name: 0.0 for t in tests}
        self.tests = tests

    def now(self):
        with self.lock:
            return sorted(self.tests, key=lambda t: -self.caught[t.name])

    def won(self, name):
        with self.lock:
            for one in self.caught:
                self.caught[one] *= 0.95
            self.caught[name] += 1


def judge(bench, order, file, text):
    """The first test that a version of a file fails: name and state; else
    (None, "survived"). After the likeliest few the tests go program by
    program: each is built once."""
    tests = order.now()
    rest = sorted(tests[LIKELY:], key=lambda test: test.program)
    built = None
    for test in tests[:LIKELY] + rest:
        if test.program != built:
            bench.put({file: text}, [test])
            built = test.program
        result = bench.run(test)
        if result.state == "broken" or result.state == "not run":
            raise RuntimeError(f"{test.name}: {result.observed}")
        if not result.passed:
            order.won(test.name)
            return test.name, result.state
    return None, "survived"


def bench_for(lab, root=labs.ROOT, base=None):
    """What is not the mutant's is the reference's."""
    return grade.Bench(lab, root, base, labs.reference_files)


def work(lab, jobs, order, state, progress, root, base):
    """What one thread does: mutant after mutant, on a bench of its own."""
    with bench_for(lab, root, base) as bench:
        while True:
            try:
                one, key, text = jobs.get_nowait()
            except queue.Empty:
                return
            test, how = judge(bench, order, one.file, one.applied(text))
            state.add({"key": key, "test": test, "how": how,
                       "function": one.function, "kind": one.kind,
                       "line": one.line})
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
           root=labs.ROOT, base=None, again=False):
    """Grades a lab's mutants, or a sample of them: a Score. `folder` holds what
    is known already; that is not graded again. `base` is a
    folder that `prepare` made. `again`: what has survived is graded once more,
    as after tests were added. `progress` is called with the
    lab, the mutant, the test that caught it or None, and how many are left."""
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
    failures = []

    def worker():
        try:
            work(lab, jobs, order, state, progress, root, base)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=worker, daemon=True)
               for _ in range(min(workers or os.cpu_count() or 2,
                                  jobs.qsize()))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
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

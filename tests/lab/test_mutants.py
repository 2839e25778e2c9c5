#!/usr/bin/env python3
"""What changes in a function make mutants, and what becomes of them."""

import os
import random
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from runner import check, run_cases  # noqa: E402
from triptych_lab import build, labs, mutants, mutation  # noqa: E402

SOURCE = """\
#include <pthread.h>

#define TWICE(x) ((x) + (x))

int sum(int first, int last, pthread_cond_t *told)
{
    int all = 0;
    while (first <= last) {
        all += first;
        first++;
    }
    if (told != NULL && TWICE(all) > 0)
        pthread_cond_signal(told);
    return all;
}
"""

# What the function becomes, by the kind of change.
EXPECTED = {
    "bound: < for <=": "while (first < last) {",
    "condition negated": "while (!(first <= last)) {",
    "always": "while (((first <= last) || 1)) {",
    "if for while": "    if (first <= last) {",
    "= for +=": "all = first;",
    "statement dropped": "        (void)0;\n        first++;",
    "statements exchanged": "first++;\n        all += first;",
    "half of a condition": "if (told != NULL)",
    "operator: || for &&": "told != NULL || TWICE(all) > 0",
    "pthread_cond_broadcast for pthread_cond_signal":
        "pthread_cond_broadcast(told);",
    "another value": "return 0;",
}


def changes():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sum.c"
        path.write_text(SOURCE)
        found = mutants.Changes("sum.c", "sum", SOURCE)
        found.visit(mutants.syntax_tree(path, "sum", ["-std=c17"]))
    return found.found


def case_places(_):
    """Each kind of change comes to where clang sees it."""
    found = changes()
    for kind, text in EXPECTED.items():
        made = [m.applied(SOURCE) for m in found if m.kind == kind]
        check(any(text in one for one in made), f"{kind}: not among {made}")


def case_macros(_):
    """What a macro became is not changed: it does not stand in the text."""
    for one in changes():
        check("#define TWICE(x) ((x) + (x))" in one.applied(SOURCE),
              f"{one.kind} changed the macro")


def case_same_code(_):
    """A change that compiles to the code that was there is none; nor is one
    that a compiler refuses, or that leaves a function without its value."""
    lab = labs.lab("threads")
    text = (labs.ROOT / "threads/queue.c").read_text()
    at = text.index("size_t")
    same = mutants.Mutant("threads/queue.c", "queue_put", "none", 1, at, at,
                          "/* nothing */ ")
    wrong = mutants.Mutant("threads/queue.c", "queue_put", "none", 1, at, at,
                           "no_type ")
    last = text.index("return -error;\n}\n\nvoid *queue_take")
    none = mutants.Mutant("threads/queue.c", "queue_put", "none", 1, last,
                          last + len("return -error"), "(void)0")
    kept = mutants.sift(lab, [same, wrong, none])[0]
    check(kept == [], f"kept: {kept}")


def case_the_rest_is_right(_):
    """Of a lab's other files the reference's are there: else each mutant would
    fail for what was not changed. Nor is it caught if it cannot be built."""
    lab = labs.lab("threads")
    lab.tests = [lab.test("all_items_are_worked_on")]
    file = "threads/queue.c"
    text = (labs.ROOT / file).read_text()
    with mutation.bench_for(lab, base=build.shared_base(lab)) as bench:
        test, how = mutation.judge(bench, mutation.Order(lab.tests), file,
                                   text + "\n")
        check(test is None, f"the reference is {how} by {test}")
        try:
            caught = mutation.judge(bench, mutation.Order(lab.tests), file,
                                    text + "no_type")
        except RuntimeError:
            caught = None
        check(caught is None, f"what cannot be built counts as {caught}")


def case_a_sample(_):
    """A few of the threads' mutants, by a seed that is printed: each is caught,
    or stands among those that are none. All: ./run soak mutants."""
    seed = int(os.environ.get("SEED") or random.randrange(1 << 30))
    print(f"SEED={seed}")
    lab = labs.lab("threads")
    with tempfile.TemporaryDirectory() as folder:
        made = mutation.of_lab(lab, Path(folder), lambda *_: None, workers=1,
                               sample=2, seed=seed,
                               base=build.shared_base(lab), proven=True)
    check(not made.survivors and not made.wrong and not made.not_graded,
          f"SEED={seed}: {made.survivors} {made.wrong}")


sys.exit(run_cases(globals()))

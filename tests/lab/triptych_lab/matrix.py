"""The kill matrix: each mistake against the tests, each skeleton, the
reference, the right solutions in other styles, the attacks. It says what is not as it
ought to be, and nothing is well that was not seen."""

import os
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from . import attacks, build, grade, labs


@dataclass
class Row:
    """One thing that was graded, and what came of it."""
    kind: str   # mistake, skeleton, reference, solution, attack
    name: str
    lab: str
    failed: dict = field(default_factory=dict)  # test: Result
    passed: list = field(default_factory=list)
    wrong: list = field(default_factory=list)   # what ought not to be
    own: str = ""


def note(row, result):
    # With a mistake that hangs in one test after the other; the busier the
    # machine, the sooner. Whether this one sees it, is not known.
    if row.kind == "mistake" and result.observed == grade.TIME_IS_UP:
        return
    if result.passed:
        row.passed.append(result.name)
    else:
        row.failed[result.name] = result
    if result.state in ("broken", "not run"):
        row.wrong.append(f"{result.name}: {result.state}: {result.observed}")


def three_parts(row):
    """Each failure says what was observed, what it means, where to look."""
    for name, r in row.failed.items():
        if r.state == "failed" and not (r.observed and r.means and r.look):
            row.wrong.append(f"{name}: the message is not whole: "
                             f"{r.observed!r} {r.means!r} {r.look!r}")


def of_mistake(bench, one, quick):
    row = Row("mistake", f"{one.number}: {one.title}", one.lab,
              own=one.caught_by)
    lab = bench.lab
    if one.file not in lab.editable:
        raise labs.Unknown(f"{one.path.name}: {one.file} is not editable")
    own = lab.test(one.caught_by)
    tests = [own] if quick else lab.tests
    text = labs.with_mistake(bench.original[one.file], one)
    graded = grade.grade(bench, {one.file: text}, tests=tests, ours=True)
    for result in graded.results:
        note(row, result)
        if result.state == "not built":
            row.wrong.append(f"it does not build: {graded.note}")
            return row
    if row.own not in row.failed:
        row.wrong.append(f"its own test, {row.own}, lets it pass")
    three_parts(row)
    return row


def of_right(bench, kind, name, files):
    row = Row(kind, name, bench.lab.name)
    for result in grade.grade(bench, files).results:
        note(row, result)
    row.wrong += [f"{n}: failed: {r.observed}; {r.output[-600:]}"
                  for n, r in row.failed.items()]
    return row


def of_skeleton(bench):
    lab = bench.lab
    row = Row("skeleton", lab.name, lab.name)
    graded = grade.grade(bench, labs.skeleton_files(lab))
    for result in graded.results:
        note(row, result)
    if graded.note:
        row.wrong.append(f"it does not build: {graded.note}")
    cut = {name for part in lab.parts for names in part.cut.values()
           for name in names}
    if set(graded.stubs) != cut:
        row.wrong.append(f"it says of {graded.stubs} that they are stubs")
    if row.passed:
        row.wrong.append(f"it passes: {', '.join(row.passed)}")
    three_parts(row)
    return row


def of_attack(bench, attack, quick):
    row = Row("attack", f"{attack.name}: {attack.title}", bench.lab.name)
    row.wrong = attacks.wrong_of(bench, attack, not quick)
    return row


TIME_OUT = re.compile(r"(^|\.)\d+t(\.|$)")
REPLAY = re.compile(r"to run it again: --replay (\S+) (\S+)")


def replays_that_fail(bench, rows):
    """What the explorer shows of a mistake must not fail in right code: there
    the schedule does not fit, or leads to nothing wrong. (Points of decision
    that are addresses are of one program alone. A time-out that came when all
    others slept comes too early where they do not.)"""
    found = [(row, bench.lab.test(name).program, *seen.groups())
             for row in rows for name, r in row.failed.items()
             if (seen := REPLAY.search(r.observed))
             and not seen[1].startswith("f")
             and not TIME_OUT.search(seen[1])]
    wrong = []
    if found:
        bench.put({})
    for row, program, schedule, scenario in found:
        done = subprocess.run(
            [bench.tree / "bin" / program, "--replay", schedule, scenario],
            capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0 and "does not fit" not in done.stdout:
            row.wrong.append(f"what it shows fails in the reference, too: "
                             f"--replay {schedule} {scenario}: "
                             f"{done.stdout[-300:]}")
            wrong.append(row)
    return wrong


def sample(all_, lab, seed):
    """All; or with a seed a third of them, by chance: one run in three sees
    each."""
    if seed is None:
        return all_
    return random.Random(f"{seed} {lab.name}").sample(all_,
                                                      (len(all_) + 2) // 3)


def in_order(lab, mistakes, seed=None):
    """A lab's mistakes, or with a seed a sample. Those of one file come
    together: then the file that was changed before need not be built anew as
    it was."""
    mine = sample([one for one in mistakes if one.lab == lab.name], lab, seed)
    return sorted(mine, key=lambda one: (one.file, one.number))


def of_lab(lab, quick, progress, root=labs.ROOT, seed=None):
    """All rows of a lab."""
    rows = []
    with grade.Bench(lab, root, build.shared_base(lab, root),
                     labs.reference_files) as bench:
        def add(row):
            rows.append(row)
            progress(row)
        add(of_right(bench, "reference", lab.name, {}))
        add(of_skeleton(bench))
        for one in in_order(lab, labs.mistakes(root), seed):
            add(of_mistake(bench, one, quick))
        for folder in [] if quick else labs.solutions(lab.name, root):
            add(of_right(bench, "solution", folder.name,
                         labs.solution_files(folder, lab)))
        mine = [a for a in attacks.all_attacks(root) if a.lab == lab.name]
        for attack in sample(mine, lab, seed):
            add(of_attack(bench, attack, quick))
        for row in [] if quick else replays_that_fail(bench, rows):
            progress(row)
    return rows


def matrix(names, quick, progress, root=labs.ROOT, seed=None):
    """All rows of the labs named, or of all; two labs at a time. With a seed
    only a third of the mistakes and attacks."""
    chosen = [labs.lab(n, root) for n in names] if names else labs.labs(root)
    chosen = [lab for lab in chosen if lab.kind == "programs"]
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        done = pool.map(lambda lab: of_lab(lab, quick, progress, root, seed),
                        chosen)
        return [row for rows in done for row in rows]


def as_markdown(rows, root=labs.ROOT):
    """The table for the documentation: mistakes against tests."""
    lines = ["# Which test catches which mistake", "",
             "Made by `./run labs --write tests/lab/MATRIX.md`. **X** is the test "
             "that is there for the mistake, x another that catches it, too.",
             ""]
    for lab in labs.labs(root):
        mine = sorted((r for r in rows
                       if r.lab == lab.name and r.kind == "mistake"),
                      key=lambda r: int(r.name.partition(":")[0]))
        if not mine:
            continue
        used = [t.name for t in lab.tests
                if any(t.name in r.failed for r in mine)]
        lines += [f"## {lab.title}", "", "| mistake | "
                  + " | ".join(f"`{n}`" for n in used) + " |",
                  "|---|" + ":-:|" * len(used)]
        for r in mine:
            cells = ["**X**" if n == r.own and n in r.failed
                     else "x" if n in r.failed else "" for n in used]
            lines.append(f"| {r.name} | " + " | ".join(cells) + " |")
        rest = [t.name for t in lab.tests if t.name not in used]
        if rest:
            lines += ["", "Tests of what no mistake is shipped for: "
                      + ", ".join(f"`{n}`" for n in rest) + "."]
        lines.append("")
    return "\n".join(lines)

"""Grading: what a student handed in against the tests of its lab."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from . import build, headers, handed_in as reading, labs, machine, sandbox

BUDGET = 480  # seconds for all tests of a lab: services allow ten minutes
TIME_IS_UP = "the time for all tests was used up before: those that hung, or " \
    "were slow, come first"


@dataclass
class Result:
    """Of one test."""
    name: str
    part: str
    title: str
    points: int
    public: bool
    passed: bool = False
    state: str = "not run"  # passed, failed, broken, not built, not run
    observed: str = ""
    means: str = ""
    look: str = ""
    output: str = ""
    stacks: str = ""
    seconds: float = 0.0
    counts: bool = True
    worth: int = 0  # its points, also where it could not be run

    @property
    def score(self):
        return self.points if self.passed and self.counts else 0


@dataclass
class Grades:
    lab: str
    title: str
    parts: dict  # name: title
    results: list = field(default_factory=list)
    note: str = ""
    stubs: list = field(default_factory=list)  # functions not written yet
    finished: bool = False
    isolation: str = "none"  # of the code that was run, if any was
    warning: str = ""  # what it lacks, and how to get that
    hidden: str = "visible"  # who sees the tests that are not public, and when

    @property
    def score(self):
        return sum(r.score for r in self.results)

    @property
    def points(self):
        return sum(r.points for r in self.results)

    @property
    def full(self):
        return sum(r.worth or r.points for r in self.results)

    def as_dict(self):
        return {"schema": "triptych-lab/1", "lab": self.lab,
                "title": self.title, "score": self.score,
                "points": self.points, "finished": self.finished,
                "note": self.note, "stubs": self.stubs,
                "isolation": self.isolation, "warning": self.warning,
                "parts": self.parts,
                "tests": [dict(asdict(r), score=r.score)
                          for r in self.results]}


def new_grades(lab, tests=None):
    kind = sandbox.isolation()
    return Grades(lab.name, lab.title, {p.name: p.title for p in lab.parts},
                  [Result(t.name, t.part, t.title, t.points, t.public,
                          worth=t.points)
                   for t in (tests or lab.tests)],
                  isolation=kind.name, warning=kind.warning)


def handed_in(folder, lab):
    """The editable files from a student's folder; what is missing, with the
    reason; and what is to be said of where they lay."""
    return reading.all_files(folder, lab.editable)


STUB = re.compile(r'\bTODO_STUDENT\("(\w+)"\)')


def stubs(files, lab):
    """The functions in which a stub's statement still stands: what tests say
    of these is not about what the student wrote."""
    cut = {name for part in lab.parts for names in part.cut.values()
           for name in names}
    return [name for text in files.values() for name in STUB.findall(text)
            if name in cut]


def filled(lab, files, rest=labs.skeleton_files, root=labs.ROOT):
    """The lab's files: for what is missing the skeleton's, or another's."""
    return {**rest(lab, root), **files}


class Bench:
    """A tree where things of one lab are built and tested. What is not put
    into it is the skeleton's, for whoever is graded; `rest` has another."""

    def __init__(self, lab, root=labs.ROOT, base=None,
                 rest=labs.skeleton_files):
        self.lab = lab
        self.rest = filled(lab, {}, rest, root)
        self.folder = tempfile.TemporaryDirectory(prefix="lab-")
        self.tree = Path(self.folder.name) / "tree"
        os.chmod(self.folder.name, 0o755)
        if base is not None:
            build.copy_tree(base, self.tree)
        else:
            self.tree.mkdir()
        os.chmod(self.tree, 0o755)  # the base may have been closed to others
        messages = build.prepare(self.tree, lab, root)
        if messages:
            self.close()
            raise RuntimeError(f"the reference does not build:\n{messages}")
        # It is made of a source that a lab may cut: to be run, not to be read.
        if lab.server:
            (self.tree / "lab-bin/triptych-origin").chmod(0o111)
        if rest is labs.skeleton_files:
            build.forget_reference(self.tree)
        self.original = labs.reference_files(lab, root)

    def close(self):
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def put(self, files, tests=None, ours=False):
        """Takes in what is graded, for the rest what the bench was made with,
        and builds what the tests need, or all: what could not be built, as a
        text. What is `ours` needs no sandbox for its compiler, and is not
        searched for code that runs before main, which would take one more
        build."""
        work = self.tree / "work"
        build.copy_changed({**self.rest, **files}, work)
        wrong = headers.looked_at(self.tree, self.lab, self.original)
        if wrong:
            build.forget_reference(self.tree)
            return wrong
        messages = build.make(self.tree, self.lab, tests, ours)
        return messages + ("" if ours else before_main(self.tree, self.lab))

    def run(self, test):
        """One test: a Result."""
        result = Result(test.name, test.part, test.title, test.points,
                        test.public, worth=test.points)
        program = self.tree / "bin" / test.program
        if not program.exists():
            result.state = "not built"
            result.observed = "it does not compile or link"
            return result
        start = machine.start_of(self.lab.program(test.program).build)
        if start is None:
            result.state, result.points = "not run", 0
            result.observed = machine.NOT_HERE
            return result
        options, programs = machine.of_reports(test.leaks)
        outcome = sandbox.run(
            [*start, str(program)], {**self.environment(test), **options},
            test.limit,
            show=[self.tree / "bin", self.tree / "lab-bin", *programs],
            hide=[str(self.tree / name) for name in build.CLOSED])
        result.passed = outcome.verdict == "passed"
        result.state = outcome.verdict
        result.observed, result.means = outcome.observed, outcome.means
        result.look, result.stacks = outcome.look, outcome.stacks
        result.output, result.seconds = outcome.output, outcome.seconds
        if result.state == "failed":
            add_sanitizer(result)
        return result

    def environment(self, test):
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LC_ALL": "C.UTF-8",
            "LAB_TEST": test.name,
            "LAB_BIN": str(self.tree / "lab-bin"),
        }


def before_main(tree, lab):
    """Code that runs before main could take the grader's place."""
    wrong = []
    for file in lab.editable:
        path = tree / f"obj/dev/work/{file}.o"
        if not path.exists():
            continue
        sections = subprocess.run(["readelf", "-SW", path], check=True,
                                  capture_output=True, text=True).stdout
        if re.search(r"\.(pre)?init_array|\.ctors|\.fini_array|\.init\b",
                     sections):
            wrong.append(file)
    if not wrong:
        return ""
    shutil.rmtree(tree / "bin", ignore_errors=True)
    return f"{', '.join(wrong)}: code that runs before or after main is not " \
        "allowed in what is graded\n"


SANITIZER = re.compile(
    r"^.*(?:ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer"
    r"|runtime error): *(.*)$", re.MULTILINE)
PLACE = re.compile(r"^\s+#\d+ (?:0x[0-9a-f]+ in )?(\S+) (work/\S+)",
                   re.MULTILINE)


def add_sanitizer(result):
    """What a sanitizer saw says more than how the process ended."""
    seen = SANITIZER.search(result.output)
    if not seen:
        return
    places = []
    for name, place in PLACE.findall(result.output[seen.start():]):
        one = f"{name} ({place.removeprefix('work/')})"
        if one not in places:
            places.append(one)
    kind = "data race" if "ThreadSanitizer: data race" in seen[0] else seen[1]
    result.observed += f"; the sanitizer saw: {kind.strip()[:200]}"
    if places:
        result.observed += f" in {', '.join(places[:4])}"


def missing_note(missing, said):
    """What stands first in a result: what was not there to be graded."""
    lines = [f"{name}: {why}; the skeleton's was graded in its place, and the "
             "part that it is of gets nothing"
             for name, why in missing.items()]
    return "\n".join([*lines, *said])


def without_its_file(result, lab, missing):
    """A test of a part whose file was not handed in gets nothing."""
    part = next((p for p in lab.parts if p.name == result.part), None)
    mine = [] if part is None else \
        [f for f in missing if f in {*part.cut, *part.remove, *part.broken}]
    if mine and result.passed:
        result.passed, result.state = False, "failed"
        result.observed = f"{', '.join(mine)}: {missing[mine[0]]}"
        result.means = "what was tested is the skeleton's"
        result.look = "what was handed in, and under which names"


def grade(bench, files, missing=None, tests=None, progress=None, said=(),
          ours=False):
    """All tests against some files: Grades. `missing` is what was not handed
    in, with the reason. `progress` is called with them after every test, so
    that nothing is lost if we are ended. A test outside `tests` does not
    count. `ours`: see Bench.put."""
    missing = missing or {}
    lab = bench.lab
    grades = new_grades(lab, tests)
    grades.stubs = stubs(files, lab)
    grades.note = missing_note(missing, said)
    messages = bench.put(files, tests, ours)
    if messages:
        grades.note += ("\n" if grades.note else "") + messages
    begun = time.monotonic()
    for i, test in enumerate(tests or lab.tests):
        if time.monotonic() - begun > BUDGET:
            grades.results[i].observed = TIME_IS_UP
        else:
            grades.results[i] = bench.run(test)
            without_its_file(grades.results[i], lab, missing)
        first = grades.results[0]
        grades.results[i].counts = not lab.hunted or first.passed
        if progress is not None:
            progress(grades)
    grades.finished = True
    left_out = [r.name for r in grades.results if r.points < r.worth]
    if left_out:
        grades.warning += (" " if grades.warning else "") + \
            f"Not run here, and not counted: {', '.join(left_out)}. " + \
            machine.REMEDY
    return grades


def for_hunt(lab, mistake):
    """The lab as a bug hunt: half of the points for the mistake's own test,
    the other half for all others together, each a share. These count only
    with the first: a hunt handed in untouched breaks nothing else, either."""
    own = mistake.caught_by
    others = [t for t in lab.tests if t.name != own]
    tests = [replace(lab.test(own), points=50, part="hunt",
                     title="The mistake is mended")]
    for i, test in enumerate(others):
        share = 50 * (i + 1) // len(others) - 50 * i // len(others)
        tests.append(replace(test, points=share, part="rest"))
    parts = [labs.Part("hunt", "The hunt"),
             labs.Part("rest", "Nothing else is broken (counts once the "
                       "mistake is mended)")]
    return replace(lab, tests=tests, parts=parts, hunted=True,
                   title=f"Bug hunt {mistake.number}")

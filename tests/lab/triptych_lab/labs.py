"""What labs, mistakes and right solutions there are, read from their files."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from . import source, toml_reader

ROOT = Path(__file__).resolve().parents[3]
LAB_FOLDERS = ("puzzles/lab", "common/lab/protocol", "threads/lab",
               "processes/lab", "evloop/lab", "common/lab/comparison",
               "evloop/coroutines/lab")
MISTAKES = "tests/lab/mistakes"
SOLUTIONS = "tests/lab/solutions"

# Of a room, what is a program's or a module's, not the library's.
NOT_OF_THE_ROOM = ("common/main.c", "common/tls_module.c",
                   "evloop/kinds/secure_module.c",
                   "common/database_module.c", "common/database_cancel.c",
                   "common/minimal.c", "common/minimal_request.c",
                   "threads/minimal.c",
                   "processes/minimal.c", "evloop/minimal.c",
                   "evloop/minimal_source.c",
                   "evloop/coroutines/minimal.c",
                   "evloop/coroutines/stackless.c")


class Unknown(Exception):
    """No lab, mistake or test of that name: a mistake in using the tool."""


@dataclass
class Test:
    name: str
    part: str
    program: str
    title: str
    points: int
    public: bool = False
    limit: float = 30
    leaks: bool = False  # the one test that fails for memory left behind


@dataclass
class Program:
    name: str
    build: str = "dev"
    wrap: list = field(default_factory=list)
    sources: list = field(default_factory=list)
    fetcher: str = ""


@dataclass
class Part:
    name: str
    title: str
    cut: dict = field(default_factory=dict)
    remove: dict = field(default_factory=dict)
    broken: dict = field(default_factory=dict)


@dataclass
class Lab:
    name: str
    number: int
    title: str
    folder: Path
    kind: str = "programs"
    rooms: list = field(default_factory=list)
    left_out: list = field(default_factory=list)  # files of the rooms
    server: bool = True  # the practice server is there
    editable: list = field(default_factory=list)
    stub: dict = field(default_factory=dict)
    parts: list = field(default_factory=list)
    programs: list = field(default_factory=list)
    tests: list = field(default_factory=list)
    hunted: bool = False  # the others count only if the first test passes

    def program(self, name):
        return next(p for p in self.programs if p.name == name)

    def test(self, name):
        for test in self.tests:
            if test.name == name:
                return test
        raise Unknown(f"lab {self.name}: there is no test '{name}'")


def read_lab(folder):
    raw = toml_reader.loads((folder / "lab.toml").read_text(encoding="utf-8"))
    lab = Lab(folder=folder, parts=[Part(**p) for p in raw.pop("part", [])],
              programs=[Program(**p) for p in raw.pop("program", [])],
              tests=[Test(**t) for t in raw.pop("test", [])], **raw)
    check_lab(lab)
    return lab


def check_lab(lab):
    """That a lab's names refer to something, so that no test is lost."""
    names = [t.name for t in lab.tests]
    programs = {p.name for p in lab.programs}
    parts = {p.name for p in lab.parts}
    wrong = [n for n in names if names.count(n) > 1]
    wrong += [t.name for t in lab.tests
              if t.program not in programs or t.part not in parts]
    wrong += [f for p in lab.parts for f in (*p.cut, *p.remove, *p.broken)
              if f not in lab.editable]
    if wrong:
        raise Unknown(f"{lab.folder}/lab.toml: wrong: {', '.join(wrong)}")
    points = sum(t.points for t in lab.tests)
    if lab.kind == "programs" and points != 100:
        raise Unknown(f"{lab.folder}/lab.toml: {points} points, not 100")


def labs(root=ROOT):
    """All labs, in order of number."""
    found = [read_lab(root / f) for f in LAB_FOLDERS
             if (root / f / "lab.toml").exists()]
    return sorted(found, key=lambda lab: lab.number)


def lab(name, root=ROOT):
    for one in labs(root):
        if name in (one.name, str(one.number)):
            return one
    names = ", ".join(one.name for one in labs(root))
    raise Unknown(f"there is no lab '{name}'; there are {names}")


@dataclass
class Mistake:
    number: int
    title: str
    lab: str
    file: str
    caught_by: str  # the test that is there for it
    symptom: str
    functions: list  # (name, definition)
    path: Path


def read_mistake(path):
    text = path.read_text()
    comment = re.match(r"/\*\n(.*?)\n \*/\n", text, re.DOTALL)
    if not comment:
        raise Unknown(f"{path}: it does not begin with a comment")
    said = re.sub(r"^ \* ?", "", comment[1], flags=re.MULTILINE)
    head = re.fullmatch(r"Mistake (\d+): (.*?)\nLab: (.*?)\nFile: (.*?)\n"
                        r"Caught by: (.*?)\n\nSymptom: (.*)", said, re.DOTALL)
    if not head:
        raise Unknown(f"{path}: its opening comment is not as README.md says")
    functions = source.definitions(text[comment.end():])
    if not functions:
        raise Unknown(f"{path}: it has no function")
    return Mistake(int(head[1]), " ".join(head[2].split()), head[3], head[4],
                   head[5].strip(),
                   " ".join(head[6].split()), functions, path)


def mistakes(root=ROOT):
    """All mistakes, in order of number."""
    return sorted((read_mistake(p) for p in (root / MISTAKES).glob("*.c")),
                  key=lambda m: m.number)


def mistake(number, root=ROOT):
    for one in mistakes(root):
        if str(one.number) == str(number):
            return one
    raise Unknown(f"there is no mistake {number}: see triptych-lab list")


def with_mistake(text, one):
    """The text of the mistake's file, with the mistake in it."""
    for name, definition in one.functions:
        text = source.replace(text, name, definition, one.file)
    return text


def solutions(lab_name, root=ROOT):
    """Right solutions in other styles: folders to lay over the source."""
    return sorted(p for p in (root / SOLUTIONS).glob(f"{lab_name}-*")
                  if p.is_dir())


def solution_files(folder, one):
    """A solution's files; only editable ones may be there."""
    files = {str(p.relative_to(folder)): p.read_text()
             for p in sorted(folder.rglob("*")) if p.is_file()}
    wrong = [f for f in files if f not in one.editable]
    if wrong:
        raise Unknown(f"{folder.name}: not editable: {', '.join(wrong)}")
    return files


def reference_files(one, root=ROOT):
    return {f: (root / f).read_text() for f in one.editable}


def hunted_files(hunted, one, root=ROOT):
    """What a bug hunt hands out of the lab's editable files."""
    files = reference_files(one, root)
    return {**files, hunted.file: with_mistake(files[hunted.file], hunted)}


def skeleton_files(one, root=ROOT):
    """The lab's files with stubs in them."""
    files = reference_files(one, root)
    for part in one.parts:
        for file, number in part.broken.items():
            files[file] = with_mistake(files[file], mistake(number, root))
    for part in one.parts:
        for file, names in part.cut.items():
            for name in names:
                files[file] = source.stub(files[file], name,
                                          one.stub.get(name), file)
        for file, names in part.remove.items():
            for name in names:
                files[file] = source.remove(files[file], name, file)
    for file in {f for part in one.parts for f in part.cut}:
        files[file] = source.include(files[file], "todo.h")
    return files

"""Folders for students: a lab's skeleton, a bug hunt; and the solution."""

import json
import re
import textwrap
from pathlib import Path

from . import build, handed_in, labs, source

MARK = ".triptych-lab"
MARK_LIMIT = 4096  # bytes


class Exists(Exception):
    """The folder is there already, and not empty."""


def public_tests(lab):
    """The test programs that a student gets, without the hidden tests."""
    files = {}
    for program in lab.programs:
        tests = [t for t in lab.tests if t.program == program.name]
        if program.fetcher or not any(t.public for t in tests):
            continue
        name = f"{program.name}.c"
        text = (lab.folder / "tests" / name).read_text()
        hidden = [t.name for t in tests if not t.public]
        text = without(text, hidden, name)
        files[f"tests/{name}"] = text
        for extra in program.sources:
            files[f"tests/{extra}"] = \
                (lab.folder / "tests" / extra).read_text()
    if files:
        for path in sorted((lab.folder / "tests").glob("*.h")):
            files[f"tests/{path.name}"] = path.read_text()
    return files


def without(text, names, file):
    """A test program without some tests: their functions, their rows in its
    tables, and what then nobody calls any more."""
    for name in names:
        text = source.remove(text, name, file)
        text = re.sub(rf'\{{"{name}",[^{{}}]*(\{{[^{{}}]*\}})?\s*\}},\s*', "",
                      text)
        if f'"{name}"' in text:
            raise source.Missing(f"{file}: the row of {name}")
    unused = True
    while unused:
        unused = [name for name, _ in source.definitions(text)
                  if len(re.findall(rf"\b{name}\b", text)) == 1
                  and name != "main"]
        for name in unused:
            text = source.remove(text, name, file)
    return text


def rooms(lab, root):
    """The lab's rooms, and what the practice server is made of."""
    files = {}
    for room in lab.rooms:
        files.update(build.sources_of(room, root))
    if lab.server:
        files.update({name: text for name, text in
                      build.sources_of("evloop", root).items()
                      if name.startswith("evloop/stream.")})
        files.update(build.sources_of("tests/origin", root))
    return {name: text for name, text in files.items()
            if name not in (*labs.NOT_OF_THE_ROOM[1:], *lab.left_out)}


def cmake(lab, tests, root):
    """A CMake project that builds on its own, with the usual presets."""
    template = (root / "tests/lab/CMakeLists.in").read_text()
    sources = [name for name in rooms(lab, root) if name.endswith(".c")
               and name not in labs.NOT_OF_THE_ROOM
               and str(Path(name).parent) in lab.rooms]
    programs = []
    for p in lab.programs:
        if p.fetcher:
            programs.append(f"add_fetcher({p.name})")
        elif f"tests/{p.name}.c" in tests:
            names = " ".join(t.name for t in lab.tests
                             if t.program == p.name and t.public)
            more = "".join(f" SOURCES tests/{s}" for s in p.sources)
            wraps = f" WRAP {' '.join(p.wrap)}" if p.wrap else ""
            leaks = "".join(f" LEAKS {t.name}" for t in lab.tests
                            if t.program == p.name and t.leaks)
            explore = " EXPLORE" if p.build == "explore" else ""
            programs.append(f"add_lab_tests({p.name}{explore} "
                            f"TESTS {names}{more}{wraps}{leaks})")
    values = {
        "LAB": lab.name, "ROOMS": " ".join(lab.rooms),
        "EDITABLE": "\n  ".join(f for f in lab.editable
                                if f.endswith(".c")),
        # A library has at least one; this is linked in any case.
        "SOURCES": "\n  ".join(
            [s for s in sorted(sources) if s not in lab.editable]
            or ["tests/harness/word.c"]),
        "EXPLORER": "add_subdirectory(tests/explorer)\n"
                    if explores(lab, tests) else "",
        "SERVER": SERVER if lab.server else "",
        "PROGRAMS": "\n".join(programs)}
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template


SERVER = """\
# The practice server.
add_executable(triptych-origin
  tests/origin/content.c tests/origin/fast.c tests/origin/origin.c
  tests/origin/request.c tests/origin/server.c evloop/stream.c)
target_include_directories(triptych-origin PRIVATE tests/origin evloop
  tests/harness)
target_link_libraries(triptych-origin PRIVATE triptych_flags PkgConfig::EVENT)

"""


def explores(lab, tests):
    """True if one of the programs handed out is for the explorer."""
    return any(p.build == "explore" and f"tests/{p.name}.c" in tests
               for p in lab.programs)


def lab_files(lab, editable, root):
    """A student's folder: the rooms with `editable` in them, the public
    tests, the hand-out, a project."""
    tests = public_tests(lab)
    files = {**rooms(lab, root), **editable, **tests}
    for name in ("begin.h", "lab.c", "lab.h", "todo.h", "word.c",
                 "word.h"):
        files[f"tests/harness/{name}"] = \
            (root / build.HARNESS / name).read_text()
    if explores(lab, tests):
        explorer = root / build.EXPLORER
        for path in sorted((*explorer.iterdir(),
                            *(explorer / "include").iterdir())):
            if path.is_file():
                files[f"tests/explorer/{path.relative_to(explorer)}"] = \
                    path.read_text()
    files["HANDOUT.md"] = (lab.folder / "handout.md").read_text()
    files["CMakeLists.txt"] = cmake(lab, tests, root)
    files["CMakePresets.json"] = \
        (root / "tests/lab/CMakePresets.json").read_text()
    files.update(container(root))
    files[".gitignore"] = "/build/\n"
    files[MARK] = json.dumps({"lab": lab.name}) + "\n"
    return files


def container(root):
    """A container to work in, for editors that know of such."""
    there = root / "tests/lab/devcontainer"
    return {f".devcontainer/{p.name}": p.read_text()
            for p in sorted(there.iterdir())}


def other_files(lab, root):
    """Of a lab that is not made of programs: all that lies in its folder."""
    files = {p.name: p.read_text() for p in sorted(lab.folder.iterdir())
             if p.is_file() and p.name not in ("lab.toml", "handout.md")}
    files["HANDOUT.md"] = (lab.folder / "handout.md").read_text()
    files.update(container(root))
    files["toml_reader.py"] = \
        Path(__file__).with_name("toml_reader.py").read_text()
    files[MARK] = json.dumps({"lab": lab.name}) + "\n"
    return files


def new(lab, folder, root=labs.ROOT):
    if lab.kind != "programs":
        return write(other_files(lab, root), folder)
    return write(lab_files(lab, labs.skeleton_files(lab, root), root), folder)


def solution(lab, folder, root=labs.ROOT):
    if lab.kind != "programs":
        right = (lab.folder / "tests/predictions.toml").read_text()
        return write({**other_files(lab, root), "predictions.toml": right},
                     folder)
    return write(lab_files(lab, labs.reference_files(lab, root), root), folder)


def hunt(one, folder, root=labs.ROOT):
    """A program with a mistake in it, and a symptom to start from."""
    lab = labs.lab(one.lab, root)
    text = labs.with_mistake((root / one.file).read_text(), one)
    files = lab_files(lab, {one.file: text}, root)
    files = {name: text for name, text in files.items()
             if not name.startswith("tests/") or "origin" in name}
    files["CMakeLists.txt"] = cmake(lab, {}, root).replace(
        " && ctest --preset dev", "", 1)
    symptom = textwrap.fill(one.symptom, 77, initial_indent="> ",
                            subsequent_indent="> ")
    files["HANDOUT.md"] = HUNT.format(symptom=symptom,
                                      rooms=", ".join(lab.rooms))
    files["EXPLANATION.md"] = EXPLANATION
    files[MARK] = json.dumps({"lab": lab.name, "hunt": one.number}) + "\n"
    return write(files, folder)


HUNT = """# A bug hunt

Somebody changed this program, and now it has a mistake. All that is known is
what a user has seen:

{symptom}

Find it, in one of the folders {rooms}; explain it in
`EXPLANATION.md`; mend it, by as small a change as will do. The comments above
the functions are right: they say what is promised.

The grader runs a test that is made for this mistake, and then all the others
of the lab, to see that nothing else was broken. Those count once the mistake is
mended.

    cmake --preset asan && cmake --build --preset asan    # or dev, tsan
"""

EXPLANATION = """# What was wrong

(Which line; what happens, step by step, when it goes wrong; why it does not
always go wrong; what you changed, and why that is enough.)
"""


def write(files, folder):
    """Makes a folder of files; it must not be there, or be empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Exists(f"{folder} is there already, and not empty")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def what_is(folder):
    """What a student's folder says that it is of: the lab's name, and the hunt
    or None. It is a hint, from a file that a student may have written."""
    try:
        said = json.loads(handed_in.one(folder, MARK, MARK_LIMIT))
        name, hunted = said["lab"], said.get("hunt")
    except (handed_in.Unfit, OSError, ValueError, LookupError, TypeError,
            AttributeError, RecursionError):
        return None, None
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9]{1,40}", name) \
            or hunted is not None and type(hunted) is not int:
        return None, None
    return name, hunted


def write_one(path, text, mode):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)

#!/usr/bin/env python3
"""What is packed for services, and a whole class at once.

Use: test_services.py [--whole] [PART OF A NAME]...

With --whole the packages are unpacked and run as the services lay them out,
which takes minutes: ./run labs does that."""

import ast
import bz2
import csv
import gzip
import io
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from runner import check, run_cases  # noqa: E402
from triptych_lab import (allowed, build, classes, folder,  # noqa: E402
                          grade, headers, isolation, labs, machine, package,
                          report, sandbox, toml_reader, unpack)

TOOL = HERE / "triptych-lab"
PATIENCE = 900
PROGRAMS = [lab for lab in labs.labs() if lab.kind == "programs"]


def packed():
    """What is packed of all labs: name to bytes."""
    files = {}
    for lab in labs.labs():
        files.update({name: data for name, data, _ in
                      package.tree(lab, labs.ROOT)})
    return files


# --- On Ubuntu 22.04: Python 3.10, cmake 3.22, gcc 11 -------------------------

# Of later Pythons, by the names under which they would be used.
LATER = {"datetime.UTC", "hashlib.file_digest", "tomllib", "asyncio.timeout",
         "asyncio.TaskGroup", "typing.Self", "enum.StrEnum",
         "itertools.batched", "contextlib.chdir", "pathlib.Path.walk"}


def imported(tree):
    """Modules that are imported where nothing catches their absence."""
    caught = {id(inner) for node in ast.walk(tree)
              if isinstance(node, ast.Try) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in caught:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{n.name}" for n in node.names)


def case_python_3_10(_):
    """By the syntax tree, by imports, and by names that came later."""
    own = {Path(name).stem for name in packed() if name.endswith(".py")}
    count = 0
    for name, data in packed().items():
        if not name.endswith(".py") and name != package.TOOL:
            continue
        count += 1
        tree = ast.parse(data, name, feature_version=(3, 10))
        check(not any(isinstance(n, getattr(ast, "TryStar", ()))
                      for n in ast.walk(tree)), f"{name}: except*")
        for module in imported(tree):
            top = module.split(".")[0]
            check(module not in LATER and top not in LATER,
                  f"{name}: {module} came after Python 3.10")
            check(top in sys.stdlib_module_names or top in own or
                  top in ("triptych_lab", "grading", "laws"),
                  f"{name}: {module} is not of the standard library")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and \
                    isinstance(node.value, ast.Name):
                used = f"{node.value.id}.{node.attr}"
                check(used not in LATER, f"{name}: {used}")
    check(count > 15, f"{count} files of Python")


def case_toml(_):
    """Our own reader sees what tomllib sees."""
    import tomllib
    paths = [p for p in labs.ROOT.glob("*/lab/**/*.toml")]
    paths += labs.ROOT.glob("tests/lab/*.toml")
    check(len(paths) >= 7, str(paths))
    for path in paths:
        text = path.read_text()
        check(toml_reader.own_loads(text) == tomllib.loads(text), str(path))
    odd = 'a = "x\\n\\"y\\\\"\nb = [1, 2,\n# three\n 3.5e1,]\n[c.d]\n' \
        "e = '''\none\n two'''\n'f' = 1\n".replace("'f'", '"f"')
    check(toml_reader.own_loads(odd) == tomllib.loads(odd), odd)
    for wrong in ("a", "a = ", "a = 1 2", "a = 1\na = 2", "[a\n", 'a = "b',
                  "a = 2020-01-01", "a = 'b", "[[a]]\n[a]\n", "a = [1",
                  "a = {b = 1", 'a = "\\q"'):
        try:
            toml_reader.own_loads(wrong)
        except toml_reader.TOMLDecodeError:
            continue
        check(False, f"{wrong!r} was understood")


def case_cmake_3_22(_):
    """By the policy that the folder asks for, and its presets."""
    wanted = re.search(r"cmake_minimum_required\(VERSION (\d+)\.(\d+)\)",
                       (HERE / "CMakeLists.in").read_text())
    check((int(wanted[1]), int(wanted[2])) <= (3, 22), wanted[0])
    presets = json.loads((HERE / "CMakePresets.json").read_text())
    check(presets["version"] <= 3, "presets of version 3 came with 3.21")
    check(presets["cmakeMinimumRequired"]["minor"] <= 22, str(presets))


def case_gcc_11(_):
    """The C that is packed, by the compiler of that system."""
    if shutil.which("gcc-11") is None:
        print("skipped: gcc-11 is not installed")
        return
    flags = ["-std=c17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
             "-Wno-unused-function", "-D_GNU_SOURCE",
             '-DTRIPTYCH_VERSION="lab"', '-DTRIPTYCH_MODULES="."',
             *build.pkg_config("--cflags", "libevent").split()]
    for lab in PROGRAMS:
        files = [p for p in sorted((lab.folder / "tests").glob("*.c"))]
        files += [labs.ROOT / f for f in lab.editable if f.endswith(".c")]
        if lab.number == 1:  # once
            files += [labs.ROOT / f for f in build.shipped(lab, labs.ROOT)
                      if f.endswith(".c") and f not in labs.NOT_OF_THE_ROOM]
        rooms = [f"-I{labs.ROOT / r}" for r in
                 (*lab.rooms, "common", "evloop", "evloop/disks", build.HARNESS,
                  build.EXPLORER_API, "tests/origin")]
        done = subprocess.run(
            ["gcc-11", *flags, *rooms, *map(str, dict.fromkeys(files))],
            capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"{lab.name}: {done.stderr[:2000]}")


# --- What is said --------------------------------------------------------------

def some_grades():
    good = grade.Result("a", "queue", "Good", 3, True, True, "passed", worth=3)
    bad = grade.Result("b", "queue", "Bad", 5, False, False, "failed",
                       "saw ```\n3", "a meaning", "a place", worth=5)
    away = grade.Result("c", "pool", "Away", 0, True, False, "not run",
                        machine.NOT_HERE, worth=2)
    grades = grade.Grades("threads", "Title", {"queue": "The queue",
                                               "pool": "The pool"},
                          [good, bad, away], isolation="namespaces")
    grades.finished = True
    return grades


def case_gradescope_says(_):
    grades = some_grades()
    grades.hidden = "after_due_date"
    said = json.loads(report.as_gradescope(grades))
    check(said["score"] == 3.75, f"3 of 8 is 3.75 of 10, not {said['score']}")
    check([t["visibility"] for t in said["tests"]] ==
          ["visible", "after_due_date", "visible"], str(said["tests"]))
    check(said["output_format"] == "md" and
          all(t["output_format"] == "md" for t in said["tests"]), str(said))
    shown = said["tests"][1]["output"]
    check(shown.startswith("````text\n") and shown.endswith("\n````"), shown)
    check(said["tests"][2]["max_score"] == 0, str(said["tests"][2]))


def case_classroom50_says(_):
    said = json.loads(report.as_classroom50(some_grades()))
    check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["datetime"]),
          said["datetime"])
    check({"owner", "assignment_type"} <= set(said), str(said))
    check(isinstance(said["score"], int) and
          isinstance(said["max-score"], int), str(said))
    body = report.for_students(some_grades())
    check(body.startswith("# 3 of 8\n") and "a meaning" in body, body)


def case_autolab_says(_):
    lines = report.as_autolab(some_grades()).splitlines()
    check(json.loads(lines[-1]) == {"scores": {"queue": 3, "pool": 0}},
          lines[-1])
    shown = json.loads(lines[-2])
    check(shown["_presentation"] == "semantic" and
          shown["stages"] == ["The queue", "The pool"], lines[-2])
    check(shown["The queue"] == {"a": {"passed": True}, "b": {
        "passed": False, "hint": "a meaning"}}, lines[-2])


def case_prairielearn_says(_):
    said = json.loads(report.as_prairielearn(some_grades()))
    check(said["gradable"] is True and said["score"] == 3 / 8, str(said))
    check(said["tests"][1] == {
        "name": "The queue: Bad", "description": "b", "points": 0,
        "max_points": 5, "message": "a meaning\na place",
        "output": said["tests"][1]["output"]}, str(said["tests"][1]))
    check("saw" in said["tests"][1]["output"], str(said))
    grades = some_grades()
    grades.note = "queue.c: error"
    for one in grades.results:
        one.passed, one.state = False, "not built"
    said = json.loads(report.as_prairielearn(grades))
    check(said["gradable"] is False and said["score"] == 0 and
          said["format_errors"] == ["queue.c: error"], str(said))


def case_compilers_say_it_once(_):
    lines = [f"queue.c:{i}: error" for i in range(720)]
    said = build.shortened(lines).splitlines()
    check(len(said) == build.LINES + 1 and said[0] == lines[0] and
          "680 lines more" in said[-1], str(said[-2:]))


def case_hand_outs_say_the_points(_):
    """Each part's, as the tests' points add up; and what comes before."""
    for lab in PROGRAMS:
        text = (lab.folder / "handout.md").read_text()
        for word in ("## Before you begin", "**Time**", "**Points**",
                     "**To know before**", "First evening"):
            check(word in text, f"{lab.name}: no {word}")
        said = [int(n) for n in re.findall(r"\((\d+) points", text)]
        check(said == [package.points_of(lab, p) for p in lab.parts],
              f"{lab.name}: {said}")
        said = re.search(r"- \*\*Points\*\*: (.*)", text)[1]
        check([int(n) for n in re.findall(r"\d+", said)] ==
              [package.points_of(lab, p) for p in lab.parts],
              f"{lab.name}: {said}")


def case_hand_outs_say_what_is_refused(_):
    """Of headers, where a lab takes some; and the names that are refused."""
    for lab in PROGRAMS:
        text = (lab.folder / "handout.md").read_text()
        takes = any(file.endswith(".h") for file in lab.editable)
        said = f"**{headers.RULES}**" in text
        check(said == takes and said != bool(re.search(
            r"no\s+header|its header stays", text)),
            f"{lab.name}: it does not say what becomes of headers")
        for word in ("the body of a function", "`#ifdef`", "attributes",
                     "a macro of a name") if takes else ():
            check(word in text, f"{lab.name}: {word}")
        refused = text.partition("**What it refuses**")[2].partition("\n\n")[0]
        names = re.findall(r"`(\w+)`", refused)
        check({"atexit", "syscall", "longjmp"} <= set(names),
              f"{lab.name}: {names}")
        for name in names:
            check(name == "main" or re.fullmatch(allowed.UNCALLED, name),
                  f"{lab.name}: {name} is not refused")


# --- Sanitizers that do not start ------------------------------------------------

def case_sanitizers_that_do_not_start(_):
    """They are tried as they are, then with fixed addresses; then a test is
    left out, and its points with it."""
    works = machine.works
    try:
        machine.works = lambda argv, _: True
        check(machine.starts("thread") == [], "it starts as it is")
        machine.works = lambda argv, _: argv[0] == "setarch"
        check(machine.starts("thread") == ["setarch", "-R"], "by setarch")
        machine.works = lambda argv, _: False
        check(machine.starts("thread") is None, "not at all")
    finally:
        machine.works = works
    check(machine.start_of("dev") == machine.start_of("explore") == [],
          "these need nothing")
    grades = some_grades()
    check(grades.points == 8 and grades.full == 10, f"{grades.points}")


REACHES_TOO_FAR = """
#include <stdlib.h>
#include <string.h>
__attribute__((noinline)) static int reaches_too_far(volatile char *p, int i)
{
    return p[i];
}
int main(int argc, char **argv)
{
    char *p = calloc(8, 1);
    return reaches_too_far(p, 7 + argc) + (argv == NULL);
}
"""


def case_sanitizers_name_functions(_):
    """gcc's by themselves, clang's by a program, of which there are two."""
    was, found = os.environ.get("CC"), shutil.which
    try:
        for compiler, missing in (("gcc", ""), ("clang", ""),
                                  ("clang", "llvm-symbolizer")):
            if found(compiler) is None:
                print(f"  NOT TRIED: {compiler} is not installed")
                continue
            os.environ["CC"] = compiler
            machine.shutil.which = lambda name, no=missing, **more: None \
                if no and no in name else found(name, **more)
            machine.symbolizer.cache_clear()
            options, programs = machine.of_reports(False)
            check(bool(machine.symbolizer()) == (compiler == "clang"),
                  str(programs))
            with tempfile.TemporaryDirectory(prefix="lab-tiny-") as place:
                os.chmod(place, 0o755)
                (Path(place) / "tiny.c").write_text(REACHES_TOO_FAR)
                subprocess.run([compiler, "-g", "-fsanitize=address",
                                "tiny.c", "-o", "tiny"], cwd=place, check=True)
                said = sandbox.run([f"{place}/tiny"], options, 60,
                                   show=[place, *programs]).output
            check(re.search(r"in reaches_too_far .*tiny\.c:6", said),
                  f"{compiler} without '{missing}': {said}")
    finally:
        machine.shutil.which = found
        machine.symbolizer.cache_clear()
        os.environ.pop("CC")
        if was is not None:
            os.environ["CC"] = was


def case_the_doctor(_):
    done = subprocess.run([TOOL, "doctor"], capture_output=True, text=True,
                          check=False, timeout=PATIENCE)
    check(done.returncode in (0, 1) and "isolation:" in done.stdout and
          "-fsanitize=thread:" in done.stdout, done.stdout + done.stderr)
    bare = subprocess.run(
        [sys.executable, TOOL, "doctor"], capture_output=True, text=True,
        check=False, timeout=PATIENCE, env={"PATH": "/nowhere"})
    check(bare.returncode == 1 and "does not run" in bare.stdout,
          bare.stdout + bare.stderr)


# --- What is packed ----------------------------------------------------------------

def case_autolab_layout(_):
    """As its importer wants it."""
    lab = labs.lab("protocol")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "a.tar"
        package.autolab(lab, path)
        check(path.read_bytes()[257:262] == b"ustar", "it is no USTAR")
        with tarfile.open(path) as tar:
            first = tar.getmembers()[0]
            check(first.isdir() and first.name == lab.name, first.name)
            check(all(n.split("/")[0] == lab.name for n in tar.getnames()),
                  str(tar.getnames()))
            text = tar.extractfile(f"{lab.name}/{lab.name}.yml").read() \
                .decode()
        check(re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", lab.name), lab.name)
        scores = re.findall(r"- name: (\w+)\n.*\n +max_score: ([\d.]+)", text)
        check([n for n, _ in scores] == [p.name for p in lab.parts] and
              sum(float(s) for _, s in scores) == 100, text)


def case_prairielearn_layout(_):
    for lab in PROGRAMS:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "a.zip"
            package.prairielearn(lab, path)
            question = f"questions/triptych-{lab.name}/"
            with zipfile.ZipFile(path) as z:
                info = json.loads(z.read(question + "info.json"))
                page = z.read(question + "question.html").decode()
                inner = z.read(f"{question}clientFilesQuestion/{lab.name}.zip")
                names = set(z.namelist())
            options = info["externalGradingOptions"]
            check(info["gradingMethod"] == "External" and
                  options["timeout"] <= 600, str(info))
            server = options["entrypoint"].removeprefix("/grade/")
            check(server in names, f"{server} is not packed")
            for file in lab.editable:
                check(Path(file).name in page, f"{file} is not asked for")
            handed = zipfile.ZipFile(io.BytesIO(inner)).namelist()
            check(f"{lab.name}/HANDOUT.md" in handed, str(handed[:5]))


def case_hostile_archives(_):
    """No file leads out of the folder, none is a link, none too large."""
    with tempfile.TemporaryDirectory() as place:
        path, out = Path(place) / "a.tar", Path(place) / "out"
        with tarfile.open(path, "w") as tar:
            for name in ("../out-of-it", "/tmp/absolute", "good/./file"):
                package.add_to(tar, name, b"text")
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc"
            tar.addfile(link)
            package.add_to(tar, "link/passwd", b"mine")
        left_out = unpack.unpack(path, out)
        check(sorted(left_out) == ["../out-of-it", "/tmp/absolute"],
              str(left_out))
        found = sorted(str(p.relative_to(out)) for p in out.rglob("*")
                       if p.is_file() or p.is_symlink())
        check(found == ["good/file", "link/passwd"], str(found))
        bomb = Path(place) / "b.zip"
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr("zeros", bytes(unpack.BYTES + 1))
        for wrong, text in ((bomb, None), (Path(place) / "c.zip", "PK none")):
            if text:
                wrong.write_text(text)
            try:
                unpack.unpack(wrong, Path(place) / "other")
            except unpack.Unfit:
                continue
            check(False, f"{wrong.name} was unpacked")


def tar_head(kind, size):
    one = tarfile.TarInfo("one")
    one.type, one.size = kind, size
    return one.tobuf(format=tarfile.GNU_FORMAT)


def bombs(place):
    """Small archives that are large inside, or broken, each in its way."""
    zeros = bytes(1 << 20)
    for name, kind, opener in (("unknown.tar.bz2", b"Z", bz2.open),
                               ("pax.tar.xz", tarfile.XHDTYPE, lzma.open)):
        with opener(place / name, "wb") as file:
            file.write(tar_head(kind, 100 << 20))
            for _ in range(100):
                file.write(zeros)
    with gzip.open(place / "folders.tar.gz", "wb") as file:
        for _ in range(300):
            file.write(tar_head(tarfile.DIRTYPE, 0) * 500)
    for name, method in (("few.zip", zipfile.ZIP_BZIP2),
                         ("deflated.zip", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(place / name, "w", method) as z:
            z.writestr("queue.c", "x" * 5000)
    data = bytearray((place / "deflated.zip").read_bytes())
    data[45:55] = b"\xff" * 10
    (place / "deflated.zip").write_bytes(data)


def case_archives_that_are_large_inside(_):
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        bombs(place)
        for one in sorted(place.iterdir()):
            try:
                unpack.unpack(one, place / "out")
            except unpack.Unfit as why:
                check(one.name in str(why), str(why))
            else:
                check(False, f"{one.name} was unpacked")


# --- A whole class -------------------------------------------------------------------

LAB = labs.lab("comparison")  # it needs no building
RIGHT = (LAB.folder / "tests/predictions.toml").read_text()


def exports(place):
    """The same hand-ins, as three services export them."""
    scope = place / "assignment_1_export"
    for number, text in (("11", RIGHT), ("12", "nonsense"), ("13", "")):
        (scope / f"submission_{number}").mkdir(parents=True)
        (scope / f"submission_{number}/predictions.toml").write_text(text)
    (scope / "submission_metadata.yml").write_text(
        "submission_11:\n  :submitters:\n  - :name: Ada\n    :sid: '1'\n"
        "  - :name: Grace\n    :sid: '2'\nsubmission_12:\n  :submitters:\n"
        "  - :name: =HYPERLINK\n")
    moodle = place / "moodle.zip"
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as z:
        z.writestr("lab5/predictions.toml", RIGHT)
    with zipfile.ZipFile(moodle, "w") as z:
        z.writestr("Ada L_77_assignsubmission_file_/lab5.zip",
                   inner.getvalue())
        z.writestr("Eve_78_assignsubmission_file_/broken.zip", "PK no zip")
    room = place / "classroom"
    (room / "lab5-ada/.git").mkdir(parents=True)
    (room / "lab5-ada/predictions.toml").write_text(RIGHT)
    return [scope, moodle, room]


def case_a_class(_):
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        paths = exports(place)
        for turn in (1, 2):
            done = subprocess.run(
                [TOOL, "grade-all", *paths, "--lab", LAB.name, "--jobs", "2",
                 "--csv", place / "all.csv", "--html", place / "all.html",
                 "--state", place / "state"], capture_output=True, text=True,
                check=False, timeout=PATIENCE)
            check(done.returncode == 1, done.stderr)  # one cannot be unpacked
            with open(place / "all.csv", newline="") as f:
                rows = {r["name"]: r for r in csv.DictReader(f)}
            check(set(rows) == {
                "Ada, Grace (submission_11)", "'=HYPERLINK (submission_12)",
                "submission_13", "Ada L (77)", "Eve (78)", "lab5-ada"},
                str(sorted(rows)))
            for one in ("Ada, Grace (submission_11)", "Ada L (77)",
                        "lab5-ada"):
                check(rows[one]["score"] == "100" and
                      "no code is run" in rows[one]["isolation"],
                      str(rows[one]))
            check(rows["submission_13"]["score"] == "0", str(rows))
            check("cannot be unpacked" in rows["Eve (78)"]["trouble"],
                  str(rows["Eve (78)"]))
            page = (place / "all.html").read_text()
            check("5 of 6 hand-ins are graded" in page and
                  "<p>Isolation: none (no code is run)" in page and
                  "&amp;" not in page.split("<h2>")[0], page[:500])
            kept = list((place / "state").glob("*.json"))
            check(len(kept) == 3, f"turn {turn}: {kept}")  # each text once


def case_a_class_with_attackers(_):
    """Broken archives, links to another's hand-in, names that a spreadsheet
    or a terminal would obey, or that are no text: the others go on."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        every = place / "all"
        for one in ("deflated", "link", "formula", "no-text", "terminal",
                    "works"):
            (every / one).mkdir(parents=True)
        bombs(every / "deflated")
        for one in (every / "deflated").iterdir():
            if one.name != "deflated.zip":
                one.unlink()
        with zipfile.ZipFile(every / "right.zip", "w") as z:
            z.writestr("predictions.toml", RIGHT)
        (every / "link/mine.zip").symlink_to("../right.zip")
        (every / "works/predictions.toml").write_text(RIGHT)
        (every / "formula/=HYPERLINK(1).zip").write_text("none")
        (every / "terminal/\x1b[2J\n::error::.zip").write_text("none")
        Path(os.fsdecode(os.fsencode(every) + b"/no-text/\xff.zip")) \
            .write_text("none")
        done = subprocess.run(
            [TOOL, "grade-all", every, "--lab", LAB.name, "--csv",
             place / "all.csv", "--html", place / "all.html", "--state",
             place / "state"], capture_output=True, text=True, check=False,
            timeout=PATIENCE, errors="replace")
        check(done.returncode == 1 and "\x1b" not in done.stderr and
              "\n::" not in done.stderr, done.stderr)
        with open(place / "all.csv", newline="") as f:
            rows = {r["name"]: r for r in csv.DictReader(f)}
        check(rows["works"]["score"] == "100" and
              rows["right.zip"]["score"] == "100", str(rows))
        check(rows["link"]["score"] in ("", "0"), str(rows["link"]))
        check(rows["formula"]["trouble"].startswith("'="), str(rows))
        check("cannot be unpacked" in rows["deflated"]["trouble"], str(rows))
        check((place / "all.html").read_text().endswith("</html>\n"), "page")


def case_a_name_that_is_two_items(_):
    """For Slurm's machines the hand-ins are a list of lines: a folder's name
    could name another's hand-in, and where its result goes."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for one in ("works", "mine\n.theirs.json works"):
            (place / "all" / one).mkdir(parents=True)
            (place / "all" / one / "predictions.toml").write_text(one)
        (place / "state").mkdir()
        listed = []
        everybody = classes.Class(
            LAB, classes.found_in([place / "all"], LAB, place),
            place / "state", 1, lambda *_: None)
        everybody.call_cluster = lambda items, _: listed.append(
            items.read_text())
        everybody.grade_on_slurm(None)
        check(len(listed) == 1 and listed[0].count("\n") == 1 and
              "theirs" not in listed[0], str(listed))
        said = {h.path.name: h.trouble for h in everybody.hand_ins}
        check("no plain text" in said.pop("mine\n.theirs.json works"),
              str(said))


def case_modules_beside_the_autograder(_):
    """It may lie in the folder that was handed in."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        package.classroom50(LAB, place / "autograder.py")
        (place / "predictions.toml").write_text(RIGHT)
        for module in ("base64", "shutil", "subprocess", "tarfile",
                       "tempfile"):
            (place / f"{module}.py").write_text(
                "print('the student\\'s')\nraise SystemExit(0)\n")
        done = subprocess.run([sys.executable, place / "autograder.py"],
                              cwd=place, capture_output=True, text=True,
                              check=False, timeout=PATIENCE)
        check("the student's" not in done.stdout and
              (place / "result.json").exists(), done.stdout + done.stderr)


def case_one_that_hangs(_):
    """One hand-in's trouble is not the others'."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        stub = place / "stub"
        stub.write_text(
            "import sys, time, json\nfrom pathlib import Path\n"
            "where = Path(sys.argv[2])\n"
            "if where.name == 'hangs': time.sleep(1000)\n"
            "if where.name == 'dies': sys.exit('no memory')\n"
            "Path(sys.argv[6]).write_text(json.dumps({'score': 5, 'points': 9,"
            " 'finished': True, 'tests': []}))\n")
        for one in ("hangs", "dies", "works"):
            (place / "all" / one).mkdir(parents=True)
            (place / "all" / one / "predictions.toml").write_text(one)
        was = classes.TOOL, classes.PATIENCE
        for limit in (3, 30, 100):  # a busy machine needs longer to begin
            try:
                classes.TOOL, classes.PATIENCE = stub, limit
                found, whole = classes.grade_all(
                    LAB, [place / "all"], 3, place / f"state-{limit}",
                    lambda *_: None)
            finally:
                classes.TOOL, classes.PATIENCE = was
            said = {h.name: (h.score, h.trouble) for h in found}
            if "more than" not in said["works"][1] + said["dies"][1]:
                break
        check(whole and said["works"] == (5, ""), str(said))
        check(f"more than {limit} s" in said["hangs"][1], str(said))
        check(said["dies"][1] == "no memory", str(said))


# What of a class's grader is replaced here: who grades one hand-in. It writes
# down whom it grades, and one takes its time as long as the file `hold` is
# there.
SLOW_GRADER = """
import json, os, sys, time
from pathlib import Path
where = Path(sys.argv[2])
place = where.parent.parent
with open(place / "begun", "a") as f:
    f.write(where.name + "\\n")
while where.name == "b" and (place / "hold").exists():
    time.sleep(0.05)
Path(sys.argv[6]).write_text(json.dumps(
    {"score": 5, "points": 9, "finished": True, "tests": []}))
"""
WITH_GRADER = """
import sys
sys.path[:0] = [sys.argv.pop(1)]
from triptych_lab import classes, cli
classes.TOOL = sys.argv.pop(1)
sys.exit(cli.main())
"""


def case_a_class_interrupted(_):
    """What is done is kept, and the next call goes on: the one who was being
    graded begins anew, and nobody else."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        stub, begun = place / "stub", place / "begun"
        stub.write_text(SLOW_GRADER)
        (place / "hold").touch()
        for one in ("a", "b", "c"):
            (place / "all" / one).mkdir(parents=True)
            (place / "all" / one / "predictions.toml").write_text(one)

        def call():
            return subprocess.Popen(
                [sys.executable, "-c", WITH_GRADER, HERE, stub, "grade-all",
                 place / "all", "--lab", LAB.name, "--jobs", "1", "--csv",
                 place / "all.csv", "--state", place / "state"],
                # Through sudo it would be root's, whom a user cannot signal.
                env=dict(os.environ, **{isolation.OWNER: ""}),
                stderr=subprocess.PIPE, text=True)

        def scores():
            with open(place / "all.csv", newline="") as f:
                return {r["name"]: r["score"] for r in csv.DictReader(f)}

        process = call()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None and not (
                begun.exists() and "b" in begun.read_text()):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
        check(process.returncode == 130 and "goes on" in said, said)
        check(scores() == {"a": "5", "b": "", "c": ""}, str(scores()))
        (place / "hold").unlink()
        process = call()
        said = process.communicate()[1]
        check(process.returncode == 0, said)
        check(scores() == {"a": "5", "b": "5", "c": "5"}, str(scores()))
        check(begun.read_text().split() == ["a", "b", "b", "c"],
              begun.read_text())


# What sim_c prints, of three of whom one has the work of another.
SIMILAR = """File 0.c: 900 tokens, 120 lines
File 1.c: 910 tokens, 121 lines
File 2.c: 700 tokens, 99 lines
Total input: 3 files (3 new, 0 old), 2510 tokens

0.c consists for 97 % of 1.c material
1.c consists for 96 % of 0.c material
0.c consists for 22 % of 2.c material
2.c consists for 30 % of 1.c material
1.c consists for 21 % of 2.c material
"""


def case_who_is_alike(_):
    """Only what is unusual is shown, by the names of the hand-ins; without
    the tool it is said that nobody has looked."""
    lab = labs.lab("threads")
    handed_out = labs.skeleton_files(lab)["threads/queue.c"]

    class One:
        def __init__(self, name):
            self.name = name
            self.files = {"threads/queue.c": handed_out + f"own {name};\n",
                          "ANSWERS.md": "the same"}

    hand_ins = [One("Ada"), One("Bob <b>"), One("Eve")]
    was = classes.shutil.which, classes.sandbox.compile_in
    given = []

    def stand_in(place, argv, *_):
        given.append([(Path(place) / f).read_text() for f in argv[4:]])
        return 0, SIMILAR
    try:
        classes.shutil.which = lambda _: "/usr/bin/sim_c"
        classes.sandbox.compile_in = stand_in
        said = classes.alike(hand_ins, lab)
        check(given == [["own Ada;\n", "own Bob <b>;\n", "own Eve;\n"]],
              str(given))
        check(said == ["Ada and Bob <b>: 97% (usual here: 30%)",
                       "Bob <b> and Ada: 96% (usual here: 30%)"], str(said))
        classes.sandbox.compile_in = lambda *_: (1, "no such option")
        said = classes.alike(hand_ins, lab)
        check(said == ["Not looked at: sim_c failed: no such option"],
              str(said))
        classes.shutil.which = lambda _: None
        said = classes.alike(hand_ins, lab)
        check("not installed" in said[0], str(said))
    finally:
        classes.shutil.which, classes.sandbox.compile_in = was


# --- As the services run them: ./run labs ---------------------------------------------

def skipped_unless_whole():
    if not WHOLE:
        print("skipped: only with --whole")
    return not WHOLE


def case_autolab_runs(_):
    if skipped_unless_whole():
        return
    lab = labs.lab("protocol")
    with tempfile.TemporaryDirectory(prefix="autolab-") as name:
        place = Path(name)
        place.chmod(0o755)
        package.autolab(lab, place / "a.tar")
        with tarfile.open(place / "a.tar") as tar:
            tar.extractall(place)
        for make, whole in ((folder.solution, True), (folder.new, False)):
            work = place / f"work-{whole}"
            work.mkdir()
            shutil.copy(place / lab.name / "autograde-Makefile",
                        work / "Makefile")
            shutil.copy(place / lab.name / "autograde.tar", work)
            student = make(lab, place / f"student-{whole}")
            with tarfile.open(work / "handin.tar", "w") as tar:
                tar.add(student, "student")
            done = subprocess.run(["make"], cwd=work, capture_output=True,
                                  text=True, check=False, timeout=PATIENCE)
            lines = done.stdout.splitlines()
            scores = json.loads(lines[-1])["scores"]
            full = {p.name: package.points_of(lab, p) for p in lab.parts}
            check(scores == (full if whole else dict.fromkeys(full, 0)),
                  f"{lines[-1]}\n{done.stderr}")
            check(json.loads(lines[-2])["_presentation"] == "semantic",
                  lines[-2][:300])


def case_prairielearn_runs(_):
    if skipped_unless_whole():
        return
    lab = labs.lab("protocol")
    right = {Path(f).name: (labs.ROOT / f).read_text() for f in lab.editable}
    broken = {f: "nonsense\n" if f.endswith(".c") else text
              for f, text in right.items()}
    with tempfile.TemporaryDirectory(prefix="grade-") as name:
        home = Path(name)
        home.chmod(0o755)
        package.prairielearn(lab, home / "a.zip")
        with zipfile.ZipFile(home / "a.zip") as z:
            z.extractall(home / "course")
        run = home / "course/serverFilesCourse/triptych/run.sh"
        run.chmod(0o755)
        (run.parent / "tree" / package.TOOL).chmod(0o755)
        shutil.copytree(home / f"course/questions/triptych-{lab.name}/tests",
                        home / "tests")
        for files, gradable in ((right, True), (broken, False)):
            shutil.rmtree(home / "student", ignore_errors=True)
            (home / "student").mkdir()
            for file, text in files.items():
                (home / "student" / file).write_text(text)
            done = subprocess.run(
                [run], env=dict(os.environ, GRADE_HOME=str(home)),
                capture_output=True, text=True, check=False, timeout=PATIENCE)
            said = json.loads((home / "results/results.json").read_text())
            check(said["gradable"] is gradable and
                  said["score"] == (1 if gradable else 0),
                  f"{said}\n{done.stderr}")
            check(gradable or "error" in said["format_errors"][0], str(said))


SYSCTL = Path("/proc/sys/vm/mmap_rnd_bits")


def case_addresses_too_random(_):
    """The kernel's own setting, for a moment: it is everybody's here."""
    if skipped_unless_whole():
        return
    try:
        was = SYSCTL.read_text()
        SYSCTL.write_text("32")
    except OSError as error:
        print(f"skipped: {SYSCTL}: {error.strerror}")
        return
    try:
        start = machine.starts("thread")
    finally:
        SYSCTL.write_text(was)
    check(start in ([], ["setarch", "-R"]), f"it starts by {start}")


WHOLE = "--whole" in sys.argv
sys.argv = [a for a in sys.argv if a != "--whole"]
sys.exit(run_cases(globals()))

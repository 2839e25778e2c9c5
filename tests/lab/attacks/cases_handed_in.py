#!/usr/bin/env python3
"""Folders that are not what was asked for: what is missing or unfit is the
skeleton's, and said first.

Use: cases_handed_in.py [PART OF A NAME]..."""

import atexit
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

from runner import check, run_cases  # noqa: E402
from triptych_lab import build, folder, grade, handed_in, labs  # noqa: E402

TOOL = HERE.parent / "triptych-lab"
THREADS = labs.lab("threads")
QUEUE = "threads/queue.c"
PATIENCE = 200
OWN_BASE = Path(tempfile.mkdtemp(prefix="lab-base-"))
atexit.register(shutil.rmtree, OWN_BASE, ignore_errors=True)
# Prepared once, for all.
BASE = build.shared_base(THREADS) or OWN_BASE


def graded(where, *arguments, status=0):
    done = subprocess.run(
        [TOOL, "grade", where, "--format", "json", *arguments], text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
        check=False)
    check(done.returncode == status and "Traceback" not in done.stderr,
          f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout) if done.stdout else done.stderr


def one_test(where):
    return graded(where, "--lab", "threads", "--base", BASE, "--test",
                  "keeps_the_order")


def case_an_empty_folder_gets_nothing(_):
    with tempfile.TemporaryDirectory() as place:
        result = one_test(place)
    check(result["score"] == 0, f"{result['score']} points")
    for file in THREADS.editable:
        check(f"{file}: not handed in" in result["note"],
              f"{file} is not named: {result['note']}")


def case_what_is_missing_is_the_skeletons(_):
    """In every lab, and nothing of the reference is in its place."""
    for lab in labs.labs():
        if lab.kind == "programs":
            with tempfile.TemporaryDirectory() as place:
                files, missing, _ = grade.handed_in(Path(place), lab)
            check(not files and set(missing) == set(lab.editable), lab.name)
            filled = grade.filled(lab, files)
            check(filled == labs.skeleton_files(lab), lab.name)


def three_gib(path):
    """Of holes: it must not be read to know that it is too large."""
    path.touch()
    os.truncate(path, 3 << 30)


def case_what_is_no_plain_file(_):
    """In the queue's place; nothing may hang, or be followed."""
    outside = labs.ROOT / QUEUE
    unfit = {
        "a folder": lambda p: p.mkdir(),
        "a pipe": os.mkfifo,
        "a link": lambda p: p.symlink_to(outside),
        "larger than": lambda p: p.write_text(
            outside.read_text() + "\n" * (1 << 20)),
        "larger than 1024 KiB": three_gib,
    }
    for why, make in unfit.items():
        with tempfile.TemporaryDirectory() as place:
            where = folder.solution(THREADS, Path(place) / "one")
            (where / QUEUE).unlink()
            make(where / QUEUE)
            result = one_test(where)
            check(result["score"] == 0, f"{why}: {result['score']} points")
            check(result["note"].startswith(QUEUE) and why in result["note"],
                  f"{why}: it says {result['note']!r}")


def case_a_part_without_its_file_gets_nothing(_):
    """Though its test passes: a part can be of several files, of which the
    others were handed in."""
    for lab in labs.labs():
        for part in lab.parts:
            for file in {*part.cut, *part.remove, *part.broken}:
                for test in [t for t in lab.tests if t.part == part.name]:
                    one = grade.Result(test.name, part.name, "", test.points,
                                       True, True, "passed")
                    grade.without_its_file(one, lab, {"other.c": "a link"})
                    check(one.score == test.points, f"{lab.name}: {test}")
                    grade.without_its_file(one, lab, {file: "a link"})
                    check(one.score == 0 and file in one.observed and
                          "a link" in one.observed, f"{lab.name}: {one}")


def case_devices_and_sockets(_):
    """Neither is opened: that alone can have effects, or never end."""
    with tempfile.TemporaryDirectory() as place, \
            socket.socket(socket.AF_UNIX) as one:
        one.bind(f"{place}/queue.c")
        for where, name in ((place, "queue.c"), ("/dev", "zero"),
                            ("/dev", "tty")):
            files, unfit, _ = handed_in.all_files(where, [name])
            check(not files and "a device" in unfit[name], f"{name}: {unfit}")
    if os.geteuid() != 0:
        print("  (root alone can make a device: run as root, too)")
        return
    with tempfile.TemporaryDirectory() as place:
        where = folder.solution(THREADS, Path(place) / "one")
        (where / QUEUE).unlink()
        os.mknod(where / QUEUE, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        result = one_test(where)
        check(result["score"] == 0 and "a device" in result["note"],
              f"{result['score']}: {result['note']}")


def case_a_linked_folder(_):
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "threads").symlink_to(labs.ROOT / "threads")
        result = one_test(place)
        check(result["score"] == 0, f"{result['score']} points")


def case_one_folder_too_deep(_):
    with tempfile.TemporaryDirectory() as place:
        folder.solution(THREADS, Path(place) / "my lab")
        result = one_test(place)
        check(result["score"] == 3 and "one folder too deep" in
              result["note"], f"{result['score']}: {result['note']}")


def case_files_beside_their_folder(_):
    with tempfile.TemporaryDirectory() as place:
        for file in THREADS.editable:
            shutil.copy(labs.ROOT / file, place)
        result = one_test(place)
        check(result["score"] == 3 and "beside its folder" in
              result["note"], f"{result['score']}: {result['note']}")


def case_the_mark_is_a_hint(_):
    """With --lab it is not read: it chose another rubric."""
    with tempfile.TemporaryDirectory() as place:
        where = folder.new(THREADS, Path(place) / "one")
        (where / ".triptych-lab").write_text('{"lab":"threads","hunt":4}')
        tests = ("keeps_the_order", "full_is_full")
        result = graded(where, "--lab", "threads", "--base", BASE,
                        *(f"--test={test}" for test in tests))
        check(result["points"] == sum(THREADS.test(test).points
                                      for test in tests),
              str(result["points"]))
        hunt = graded(where, "--hunt", "1", "--base", BASE, "--test",
                       "woken_for_nothing")
        check(hunt["lab"] == "threads" and hunt["score"] == 0, str(hunt))


def case_the_comparison_reads_by_descriptor(_):
    """Its predictions, too: no link, no pipe, no device is read."""
    right = labs.lab("comparison").folder / "tests/predictions.toml"
    unfit = {"a link": lambda p: p.symlink_to(right),
             "a pipe": os.mkfifo,
             "larger than": lambda p: p.write_text(
                 right.read_text() + "\n" * (1 << 20)),
             "larger than 1024 KiB": three_gib}
    for why, make in unfit.items():
        with tempfile.TemporaryDirectory() as place:
            make(Path(place) / "predictions.toml")
            result = graded(place, "--lab", "comparison")
            check(result["score"] == 0 and why in result["note"],
                  f"{why}: {result['score']}: {result['note']}")
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "deep").mkdir()
        shutil.copy(right, Path(place) / "deep")
        result = graded(place, "--lab", "comparison")
        check(result["score"] == 100 and "too deep" in result["note"],
              f"{result['score']}: {result['note']}")


def case_any_mark_leads_to_a_message(_):
    marks = ("[]", "3", '{"lab": 3}', '{"lab": ["x"]}', '{"lab": "threads", '
             '"hunt": "4"}', '{"lab": "threads", "hunt": 99999}',
             '{"lab": "protocol", "hunt": 4}', "[" * 4000, "\0", "9" * 4000,
             '{"lab": "\\u001b[2J::error::"}', "x" * 100000)
    for text in marks:
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / ".triptych-lab").write_text(text)
            said = graded(place, status=2)
            check(said.startswith("triptych-lab: ") and "\x1b" not in said,
                  f"{text[:60]!r}: {said}")


def case_a_mark_that_never_ends(_):
    for make in (lambda mark: mark.symlink_to("/dev/zero"), os.mkfifo,
                 three_gib):
        with tempfile.TemporaryDirectory() as place:
            make(Path(place) / ".triptych-lab")
            check("--lab" in graded(place, status=2), str(make))


if __name__ == "__main__":
    if BASE == OWN_BASE:
        check(build.prepare(BASE, THREADS, labs.ROOT) == "",
              "it does not build")
    sys.exit(run_cases(globals()))

"""The lab of comparison: predictions on paper, checked by a program of its
own, which prints its tests as JSON."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from . import handed_in
from .grade import Grades, Result
from .plain import plain

FILES = ("predictions.toml", "results.tsv")
PATIENCE = 60  # seconds for arithmetic


def grade(lab, folder):
    files, missing, said = handed_in.all_files(folder, FILES)
    with tempfile.TemporaryDirectory(prefix="lab-") as place:
        for name, text in files.items():
            (Path(place) / name).write_text(text)
        done = subprocess.run(
            [sys.executable, lab.folder / "check.py", place, "--json"],
            capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{lab.folder.name}/check.py: "
                           + plain(done.stderr, last=True))
    grades = Grades(lab.name, lab.title, {p.name: p.title for p in lab.parts},
                    isolation="none (no code is run)")
    grades.note = "\n".join([*(f"{name}: {why}" for name, why
                               in missing.items()), *said])
    for test in json.loads(done.stdout)["tests"]:
        grades.results.append(Result(
            test["name"], test["part"], test["title"], test["points"], True,
            test["passed"], "passed" if test["passed"] else "failed",
            plain(test["observed"]), test["means"], plain(test["look"])))
    grades.finished = True
    return grades

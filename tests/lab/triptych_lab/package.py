"""Autograders ready to be uploaded: for Gradescope a zip, for Classroom 50 one
file, for Autolab a tar, for PrairieLearn a zip of a course's files. Each holds
the part of triptych that grading one lab needs."""

import base64
import io
import json
import tarfile
import tempfile
import uuid
import zipfile
from pathlib import Path

from . import build, folder, labs

TOOL = "tests/lab/triptych-lab"

NEEDED = ("gcc libc6-dev ninja-build pkg-config libevent-dev gdb "
          "iproute2 util-linux binutils python3")

SETUP = f"""#!/bin/sh
# Run once, when the autograder's image is made: installs, and builds what does
# not depend on who is graded.
set -e
needed="{NEEDED}"
if ! dpkg -s $needed >/dev/null 2>&1; then
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive \\
        apt-get -qq -y --no-install-recommends install $needed
fi
cd "$(dirname "$0")"
triptych/{TOOL} prepare @LAB@ base
"""

RUN = f"""#!/bin/sh
# Run for every submission. The result is written after every test, so that a
# submission that uses up the time keeps its points.
cd "${{AUTOGRADER_HOME:-/autograder}}"
mkdir -p results
chmod 700 results source  # the tests and the solution are in the source
exec source/triptych/{TOOL} grade submission @WHAT@ \\
    --base source/base --format gradescope --hidden @HIDDEN@ \\
    --output results/results.json
"""

AUTOGRADER = '''#!/usr/bin/env python3
"""Grades lab @LAB@ of triptych in the folder where it is started, and writes
result.json there; the messages, for which that has no room, go to standard
output, and so into the log of the run. Exit status 0, even if tests fail; 1 if
the grader itself could not do its work. Needs Debian's packages
@NEEDED@"""

import sys

# This file may lie beside what was handed in: a module of that is not ours.
del sys.path[0]

import base64
import io
import os
import shutil
import subprocess
import tarfile
import tempfile

PACKAGES = "@NEEDED@".split()
TOOLS = ("gcc", "ninja", "pkg-config", "gdb")


def install():
    if all(shutil.which(tool) for tool in TOOLS):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "-qq", "update"], check=True)
    subprocess.run([*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get",
                    "-qq", "-y", "--no-install-recommends", "install",
                    *PACKAGES], check=True, stdout=subprocess.DEVNULL)


def main():
    install()
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(base64.b85decode(TREE))) as tree:
            tree.extractall(folder)
        return subprocess.run(
            [sys.executable, folder + "/tests/lab/triptych-lab", "grade", ".",
             *"@WHAT@".split(), "--format", "classroom50", "--output",
             "result.json", "--text"], check=False).returncode


TREE = """
@TREE@
""".replace("\\n", "")

sys.exit(main())
'''


def needed_mistakes(lab, hunted):
    """Those that the skeleton has in it, or that is hunted."""
    return {n for part in lab.parts for n in part.broken.values()} | \
        ({hunted} if hunted is not None else set())


def filled(text, lab, hunted):
    what = f"--lab {lab.name}" if hunted is None else f"--hunt {hunted}"
    return text.replace("@LAB@", lab.name).replace("@WHAT@", what) \
        .replace("@NEEDED@", NEEDED)


def tree(lab, root, hunted=None):
    """The files that grading the lab, or a bug hunt of it, needs, as (path,
    bytes, mode)."""
    names = {str(p.relative_to(root)) for p in lab.folder.rglob("*")
             if p.is_file()}
    if lab.kind == "programs":
        names |= set(build.shipped(lab, root))
    names |= {str(p.relative_to(root))
              for p in (root / "tests/lab").rglob("*") if p.is_file()
              and p.suffix != ".pyc"
              and not str(p.relative_to(root)).startswith(labs.SOLUTIONS)}
    # What proves the graders is not needed for grading.
    keep = {str(labs.mistake(n, root).path.relative_to(root))
            for n in needed_mistakes(lab, hunted)}
    names -= {n for n in names - keep if n.startswith(
        (labs.MISTAKES, "tests/lab/attacks/", "tests/lab/explorer/tests/",
         "tests/lab/test_", "tests/lab/MATRIX", "tests/lab/equivalent"))
        or n.endswith("/test_check.py")}
    for name in sorted(names):
        path = root / name
        yield name, path.read_bytes(), path.stat().st_mode & 0o777


def gradescope(lab, path, hidden="visible", hunted=None, root=labs.ROOT):
    run = filled(RUN, lab, hunted).replace("@HIDDEN@", hidden)
    path.write_bytes(zip_of([
        ("setup.sh", filled(SETUP, lab, hunted).encode(), 0o755),
        ("run_autograder", run.encode(), 0o755),
        *((f"triptych/{name}", data, mode)
          for name, data, mode in tree(lab, root, hunted))]))


def classroom50(lab, path, _=None, hunted=None, root=labs.ROOT):
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:xz") as package:
        for name, data, mode in tree(lab, root, hunted):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            package.addfile(info, io.BytesIO(data))
    coded = base64.b85encode(memory.getvalue()).decode()
    lines = "\n".join(coded[i:i + 76] for i in range(0, len(coded), 76))
    text = filled(AUTOGRADER, lab, hunted)
    folder.write_one(path, text.replace("@TREE@", lines), 0o755)


# --- Autolab ------------------------------------------------------------------

LAB_YML = """---
general:
  name: @LAB@
  description: >-
    @TITLE@
  display_name: "@TITLE@"
  handin_filename: handin.tar
  handin_directory: handin
  max_grace_days: 0
  handout: @LAB@-handout.tar
  writeup: writeup/HANDOUT.md
  max_submissions: -1
  disable_handins: false
  max_size: 4
  has_svn: false
  category_name: triptych
problems:
@PROBLEMS@
autograder:
  autograde_timeout: 600
  autograde_image: autograding_image
  release_score: true
"""

# What Autolab calls in a folder that has autograde.tar and the hand-in. Its
# output's last line is the score.
MAKEFILE = """all:
	@tar -xf autograde.tar
	@sh autograde/run.sh handin.tar
"""

AUTOLAB_RUN = f"""#!/bin/sh
# The hand-in is a tar of the student's folder. The image needs Debian's
# {NEEDED}
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/triptych/{TOOL}" grade "$1" --lab @LAB@ --format autolab
"""


def add_to(package, name, data, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    package.addfile(info, io.BytesIO(data))


def add_folder(package, name):
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    package.addfile(info)


def tar_of(files):
    """(name, bytes, mode) each, as the bytes of a tar."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w",
                      format=tarfile.USTAR_FORMAT) as package:
        for name, data, mode in files:
            add_to(package, name, data, mode)
    return memory.getvalue()


def handed_out(lab, root):
    """A student's folder, as (name, bytes, mode)."""
    with tempfile.TemporaryDirectory() as place:
        made = folder.new(lab, Path(place) / lab.name, root)
        return [(f"{lab.name}/{p.relative_to(made)}", p.read_bytes(),
                 p.stat().st_mode & 0o777)
                for p in sorted(made.rglob("*")) if p.is_file()]


def points_of(lab, part):
    return sum(t.points for t in lab.tests if t.part == part.name)


def autolab(lab, path, _=None, root=labs.ROOT):
    problems = "\n".join(
        f'- name: {part.name}\n  description: "{part.title}"\n'
        f"  max_score: {points_of(lab, part)}.0\n  optional: false"
        for part in lab.parts)
    text = LAB_YML.replace("@LAB@", lab.name) \
        .replace("@TITLE@", lab.title).replace("@PROBLEMS@", problems)
    run = AUTOLAB_RUN.replace("@LAB@", lab.name).encode()
    grader = tar_of([("autograde/run.sh", run, 0o755),
                     *((f"autograde/triptych/{name}", data, mode)
                       for name, data, mode in tree(lab, root))])
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as package:
        add_folder(package, f"{lab.name}/")  # the importer looks for it first
        for name, data in (
                (f"{lab.name}.yml", text.encode()),
                ("autograde-Makefile", MAKEFILE.encode()),
                ("autograde.tar", grader),
                (f"{lab.name}-handout.tar", tar_of(handed_out(lab, root)))):
            add_to(package, f"{lab.name}/{name}", data)
        add_folder(package, f"{lab.name}/writeup/")
        add_to(package, f"{lab.name}/writeup/HANDOUT.md",
               (lab.folder / "handout.md").read_bytes())


# --- PrairieLearn -------------------------------------------------------------

QUESTION = """<pl-question-panel>
  <p>@TITLE@. The folder to work in, with the hand-out (<code>HANDOUT.md</code>)
  and the public tests, is
  <a href="{{options.client_files_question_url}}/@LAB@.zip">@LAB@.zip</a>.
  Hand in these files as they lie there:</p>
  <pl-file-upload file-names="@FILES@"></pl-file-upload>
</pl-question-panel>
<pl-submission-panel>
  <pl-external-grader-results></pl-external-grader-results>
  <pl-file-preview></pl-file-preview>
</pl-submission-panel>
"""

PRAIRIELEARN_RUN = f"""#!/bin/sh
# The entrypoint of the external grader; the question's tests/lab names the lab.
# The image needs Debian's
# {NEEDED}
here=$(cd "$(dirname "$0")" && pwd)
grade=${{GRADE_HOME:-/grade}}
mkdir -p "$grade/results"
exec "$here/tree/{TOOL}" grade "$grade/student" \\
    --lab "$(cat "$grade/tests/lab")" --format prairielearn \\
    --output "$grade/results/results.json"
"""


def info_json(lab):
    """A question's; the same lab has the same number always."""
    return json.dumps({
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"triptych/{lab.name}")),
        "title": lab.title, "topic": "Concurrency", "tags": ["triptych", "C"],
        "type": "v3", "singleVariant": True, "gradingMethod": "External",
        "externalGradingOptions": {
            "enabled": True, "image": "triptych/grader",
            "entrypoint": "/grade/serverFilesCourse/triptych/run.sh",
            "serverFilesCourse": ["triptych/"], "timeout": 600}},
        indent=2) + "\n"


# For the image that info.json names.
DOCKERFILE = f"""FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends \\
    {NEEDED} && rm -rf /var/lib/apt/lists/*
"""


def zip_of(files):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data, mode in files:
            info = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, data)
    return memory.getvalue()


def prairielearn(lab, path, _=None, root=labs.ROOT):
    question = f"questions/triptych-{lab.name}"
    names = ", ".join(Path(f).name for f in lab.editable)
    page = QUESTION.replace("@TITLE@", lab.title) \
        .replace("@LAB@", lab.name).replace("@FILES@", names)
    server = "serverFilesCourse/triptych"
    files = [
        (f"{question}/info.json", info_json(lab).encode(), 0o644),
        (f"{question}/question.html", page.encode(), 0o644),
        (f"{question}/tests/lab", f"{lab.name}\n".encode(), 0o644),
        (f"{question}/clientFilesQuestion/{lab.name}.zip",
         zip_of(handed_out(lab, root)), 0o644),
        (f"{server}/run.sh", PRAIRIELEARN_RUN.encode(), 0o755),
        (f"{server}/Dockerfile", DOCKERFILE.encode(), 0o644),
        *((f"{server}/tree/{name}", data, mode)
          for name, data, mode in tree(lab, root))]
    path.write_bytes(zip_of(files))


KINDS = {"gradescope": (gradescope, "{lab}-gradescope.zip"),
         "classroom50": (classroom50, "{lab}-classroom50/autograder.py"),
         "autolab": (autolab, "{lab}-autolab.tar"),
         "prairielearn": (prairielearn, "{lab}-prairielearn.zip")}
HUNTS = {"gradescope", "classroom50"}  # these can pack a bug hunt

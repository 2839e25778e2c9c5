"""Autograders ready to be uploaded: for Gradescope a zip, for Classroom 50 one
file. Both hold the part of triptych that grading one lab needs."""

import base64
import io
import tarfile
import zipfile

from . import build, folder, labs

TOOL = "tests/lab/triptych-lab"

NEEDED = ("gcc libc6-dev ninja-build pkg-config check libevent-dev gdb "
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
exec source/triptych/{TOOL} grade submission --lab @LAB@ \\
    --base source/base --format gradescope --output results/results.json
"""

AUTOGRADER = '''#!/usr/bin/env python3
"""Grades lab @LAB@ of triptych in the folder where it is started, and writes
result.json there; the messages, for which that has no room, go to standard
output, and so into the log of the run. Exit status 0, even if tests fail; 1 if
the grader itself could not do its work. Needs Debian's packages
@NEEDED@"""

import base64
import io
import os
import shutil
import subprocess
import sys
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
             "--lab", "@LAB@", "--format", "classroom50", "--output",
             "result.json", "--text"], check=False).returncode


TREE = """
@TREE@
""".replace("\\n", "")

sys.exit(main())
'''


def tree(lab, root):
    """The files that grading the lab needs, as (path, bytes, mode)."""
    names = {str(p.relative_to(root)) for p in lab.folder.rglob("*")
             if p.is_file()}
    if lab.kind == "programs":
        names |= set(build.shipped(lab, root))
    names |= {str(p.relative_to(root))
              for p in (root / "tests/lab").rglob("*") if p.is_file()
              and p.suffix != ".pyc"
              and not str(p.relative_to(root)).startswith(labs.SOLUTIONS)}
    names -= {n for n in names if n.startswith(labs.MISTAKES)}
    for name in sorted(names):
        path = root / name
        yield name, path.read_bytes(), path.stat().st_mode & 0o777


def gradescope(lab, path, root=labs.ROOT):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        def add(name, data, mode):
            info = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, data)
        add("setup.sh", SETUP.replace("@LAB@", lab.name), 0o755)
        add("run_autograder", RUN.replace("@LAB@", lab.name), 0o755)
        for name, data, mode in tree(lab, root):
            add(f"triptych/{name}", data, mode)


def classroom50(lab, path, root=labs.ROOT):
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:xz") as package:
        for name, data, mode in tree(lab, root):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            package.addfile(info, io.BytesIO(data))
    coded = base64.b85encode(memory.getvalue()).decode()
    lines = "\n".join(coded[i:i + 76] for i in range(0, len(coded), 76))
    text = AUTOGRADER.replace("@LAB@", lab.name).replace("@NEEDED@", NEEDED)
    folder.write_one(path, text.replace("@TREE@", lines), 0o755)


KINDS = {"gradescope": (gradescope, "{lab}-gradescope.zip"),
         "classroom50": (classroom50, "{lab}-classroom50/autograder.py")}

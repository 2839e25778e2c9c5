"""Users whom the machine does not have, to grade as: one without any rights,
and one who may use sudo without a password, as a runner's may. It takes root.
What they read is a copy: our own may lie in a closed folder."""

import shutil
import sys
from pathlib import Path

PLAIN, WITH_SUDO = 61236, 61237
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
ROOMS = ("common", "threads", "processes", "evloop", "puzzles", "tests/lab",
         "tests/origin")

# In a mount namespace of its own, so that no other finds that user.
AS_SUDOER = f"""set -e
mount --make-rprivate /
for name in passwd group; do
    cp /etc/$name "$1/$name"
    mount --bind "$1/$name" /etc/$name
done
echo 'lab-user:*:{WITH_SUDO}:{WITH_SUDO}::/nonexistent:/bin/sh' >>/etc/passwd
echo 'lab-user:*:{WITH_SUDO}:' >>/etc/group
mkdir -p "$1/sudoers.d"
chmod 755 "$1/sudoers.d"
echo 'lab-user ALL=(ALL) NOPASSWD: ALL' >"$1/sudoers.d/lab"
chmod 440 "$1/sudoers.d/lab"
mount --bind "$1/sudoers.d" /etc/sudoers.d
shift
exec setpriv --reuid={WITH_SUDO} --regid={WITH_SUDO} --clear-groups "$@"
"""


def python(*arguments):
    return [sys.executable, "-B", *arguments]


def plain(command):
    return ["setpriv", f"--reuid={PLAIN}", f"--regid={PLAIN}",
            "--clear-groups", *command]


def with_sudo(place, command):
    """`place` is an empty folder, of root's."""
    return ["unshare", "--mount", "sh", "-c", AS_SUDOER, "sh", place, *command]


def has_sudo():
    return shutil.which("sudo") is not None


def copied_tree(root, to):
    """Of the project, what grading needs."""
    for room in ROOMS:
        shutil.copytree(Path(root) / room, Path(to) / room)
    shutil.copy(Path(root) / "tests/runner.py", Path(to) / "tests")
    return Path(to)

"""What of this machine would change a grade: sanitizers that cannot start, and
what `triptych-lab doctor` says of the rest."""

import functools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import isolation

SANITIZERS = {"asan": "address,undefined", "tsan": "thread"}
TINY = "int main(void) { return 0; }\n"
NOT_HERE = "not run here: this machine cannot start the sanitizer; it counts " \
    "neither way"
REMEDY = "The sanitizers do not start here, with addresses as random as the " \
    "kernel makes them: sysctl vm.mmap_rnd_bits=28 (as root), or let the " \
    "container call personality(2)."


def compiler():
    return os.environ.get("CC", "gcc")


def works(argv, folder):
    """A program ends well, shut in as students' are."""
    one = isolation.isolation()
    if one.name == "none":
        return True  # nothing will be run, and that is said elsewhere
    with tempfile.TemporaryDirectory(prefix="lab-cwd-") as cwd:
        os.chmod(cwd, 0o777)
        command = isolation.command(one, argv, cwd, isolation.free_user(),
                                    show=[folder])
        try:
            done = subprocess.run(
                command, capture_output=True, cwd="/", timeout=60,
                check=False, stdin=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath)})
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def starts(flags, tries=8):
    """How a program with such a sanitizer is started here: [], or through
    setarch, which takes the chance out of addresses; None: not at all. With
    bad luck it fails at times only: so it is tried several times."""
    with tempfile.TemporaryDirectory(prefix="lab-tiny-") as folder:
        os.chmod(folder, 0o755)
        source, program = Path(folder) / "tiny.c", Path(folder) / "tiny"
        source.write_text(TINY)
        try:
            built = subprocess.run(
                [compiler(), f"-fsanitize={flags}", str(source), "-o",
                 str(program)], capture_output=True, check=False)
        except OSError:
            return None
        if built.returncode != 0:
            return None
        for start in ([], ["setarch", "-R"]):
            if all(works([*start, str(program)], folder)
                   for _ in range(tries)):
                return start
    return None


@functools.cache
def start_of(build):
    """The same for one of a lab's builds."""
    flags = SANITIZERS.get(build)
    return [] if flags is None else starts(flags)


@functools.cache
def symbolizer():
    """The program by which clang's sanitizers name functions and lines, or "".
    gcc's do it by themselves. A test finds no program of the machine's, so
    that it must be told of this one."""
    clang = compiler().split()
    if "clang" not in version_of(*clang, "--version"):
        return ""
    told = version_of(*clang, "-print-prog-name=llvm-symbolizer")
    return shutil.which(told or "llvm-symbolizer") or \
        shutil.which("addr2line") or ""


def of_reports(leaks):
    """What sanitizers are told, and the programs that a test must see so that
    they, and the explorer, name functions and lines."""
    named = symbolizer()
    programs = {named, shutil.which("addr2line")} - {"", None}
    path = f":external_symbolizer_path={named}" if named else ""
    return {
        # gcc 13 looks for the last by itself, gcc 12 does not.
        "ASAN_OPTIONS": f"abort_on_error=0:detect_leaks={int(leaks)}:"
                        f"detect_stack_use_after_return=1{path}",
        "UBSAN_OPTIONS": f"print_stacktrace=1{path}",
        "TSAN_OPTIONS": f"halt_on_error=1:exitcode=66{path}",
    }, [path for one in programs for path in (one, os.path.realpath(one))]


# --- The doctor --------------------------------------------------------------

def version_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0] if done.returncode == 0 and lines else ""


def has_package(name):
    return subprocess.run(["pkg-config", "--exists", name], check=False,
                          capture_output=True).returncode == 0


def limit_of(path):
    try:
        return Path(path).read_text().split()[0]
    except (OSError, IndexError):
        return ""


def tools():
    for name, package in (("ninja", "ninja-build"), ("pkg-config",) * 2,
                          ("readelf", "binutils"), ("unshare", "util-linux"),
                          ("setpriv", "util-linux"), ("ip", "iproute2")):
        if shutil.which(name) is None:
            yield f"{name} is not installed: nothing can be graded", \
                f"apt-get install {package}"
    if shutil.which("gdb") is None:
        yield "gdb is not installed: who hangs is not shown where", \
            "apt-get install gdb"
    if shutil.which("pkg-config"):
        for name, package in (("libevent", "libevent-dev"),
                              ("libevent_pthreads", "libevent-dev")):
            if not has_package(name):
                yield f"{name} is not there for the compiler", \
                    f"apt-get install {package}"


def findings():
    """What would change a grade, each with its remedy."""
    if sys.version_info < (3, 10):
        yield f"Python is {platform.python_version()}", \
            "Python 3.10 or newer is needed"
    if not version_of(compiler(), "--version"):
        yield f"{compiler()} does not run", "apt-get install gcc libc6-dev"
        return
    yield from tools()
    kind = isolation.isolation()
    if kind.warning:
        yield f"isolation of students' code: {kind.name}", kind.warning
    for build, flags in SANITIZERS.items():
        start = start_of(build)
        if start is None:
            yield f"programs with -fsanitize={flags} do not start: tests of " \
                "that kind are left out of the grade", REMEDY
        elif start:
            yield f"programs with -fsanitize={flags} start only with fixed " \
                "addresses: they are started so, and no grade changes", REMEDY
    yield from names()
    yield from room()


def names():
    if "clang" in version_of(*compiler().split(), "--version") and \
            not symbolizer():
        yield "clang's sanitizers cannot name functions here", \
            "apt-get install llvm, or binutils"


def room():
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < 1 << 30:
        yield f"{free >> 20} MiB are free in {tempfile.gettempdir()}", \
            "a gigabyte is needed: set TMPDIR to another folder"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    most = limit_of("/sys/fs/cgroup/memory.max")
    if most.isdigit():
        memory = min(memory, int(most))
    if memory < 700 << 20:
        yield f"there are {memory >> 20} MiB of memory", \
            "768 MiB are the least: take a larger container"
    share = limit_of("/sys/fs/cgroup/cpu.max")
    if share.isdigit() and int(share) < 50000:
        yield "the container has less than half a processor: tests may meet " \
            "their limits", "give it half of one, or more"


def facts():
    yield "Python", platform.python_version()
    yield "compiler", version_of(compiler(), "--version") or "none"
    yield "kernel", platform.release()
    yield "isolation", isolation.isolation().name
    for build, flags in SANITIZERS.items():
        start = start_of(build)
        yield f"-fsanitize={flags}", "does not start" if start is None else \
            " ".join(start) or "starts"
    yield "addresses", "vm.mmap_rnd_bits=" + \
        (limit_of("/proc/sys/vm/mmap_rnd_bits") or "?")


def doctor():
    """(the text, how many findings)."""
    lines = [f"{name + ':':30} {value}" for name, value in facts()]
    found = list(findings())
    lines.append("")
    for what, remedy in found:
        lines += [f"- {what}", f"  {remedy}"]
    if not found:
        lines.append("Nothing here would change a grade.")
    return "\n".join(lines) + "\n", len(found)

"""Building a lab's test programs with ninja.

    tree/ref/     the rooms as shipped, but for the files that are graded; the
                  practice server, harness; in hidden/ the tests
    tree/work/    the files that are graded
    tree/given/   the same files as shipped: for the names that may be seen
    tree/obj/     objects, a folder for each build (dev, asan, tsan, explore)
    tree/bin/     the test programs
    tree/lab-bin/ the fetchers and triptych-origin: LAB_BIN of the tests

What is graded gets into one object for each build, and only the functions that
the reference has are seen outside it: it cannot take the place of anything of
the tests or the libraries."""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import labs, sandbox
from .allowed import COMPILERS, UNCALLED, WORDS
from .plain import plain

FLAGS = {
    "dev": "-O1",
    "asan": "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all",
    "tsan": "-O1 -fsanitize=thread -fno-builtin",
    "explore": "-O1",
}
LINK = {"dev": "", "asan": "-fsanitize=address,undefined",
        "tsan": "-fsanitize=thread", "explore": ""}
EXPLORER = "tests/lab/explorer"
EXPLORER_API = f"{EXPLORER}/include"
# As its CMakeLists.txt has it: for code under test, and for itself.
EXPLORED = "-fsanitize=thread -fno-builtin"
EXPLORING = "-O2 -fno-builtin -U_FORTIFY_SOURCE -Dmemcpy=__real_memcpy " \
    "-Dmemmove=__real_memmove -Dmemset=__real_memset"
HARNESS = "tests/lab/harness"


def copy_changed(files, folder):
    """Writes the files that differ; the others keep their time, for ninja."""
    for name, text in files.items():
        path = folder / name
        if path.exists() and path.read_text() == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def sources_of(folder, root):
    """The C files and headers right below a folder of the project."""
    found = [*(root / folder).glob("*.[ch]"), *(root / folder).glob("wraps")]
    return {str(p.relative_to(root)): p.read_text() for p in sorted(found)}


def shipped(lab, root):
    """The sources that a lab is built from, by path."""
    files = {}
    rooms = {*lab.rooms}
    if lab.server:  # it is made of evloop's stream
        rooms |= {"common", "evloop", "tests/origin"}
    for folder in (*rooms, HARNESS, EXPLORER, EXPLORER_API):
        files.update(sources_of(folder, root))
    return {name: text for name, text in files.items()
            if name not in (*labs.NOT_OF_THE_ROOM[1:], *lab.left_out)}


def reference(lab, root):
    """The same, and its tests, by the path in the tree."""
    files = shipped(lab, root)
    for path in sorted((lab.folder / "tests").glob("*.[ch]")):
        files[f"hidden/{path.name}"] = path.read_text()
    return files


def pkg_config(what, *packages):
    done = subprocess.run(["pkg-config", what, *packages], check=True,
                          capture_output=True, text=True)
    return done.stdout.strip()


def without_lines(compiler):
    """What keeps a compiler from showing the line that it complains of: it may
    be a hidden test's, with which a student's header does not go."""
    done = subprocess.run([*compiler.split(), "--version"], check=True,
                          capture_output=True, text=True)
    return "-fno-caret-diagnostics" if "clang" in done.stdout else \
        "-fno-diagnostics-show-caret"


def of_compiler(build):
    """The flags of a build. What clang has against NULL + 0, gcc has not: no
    grade is to depend on that."""
    if build == "asan" and "clang" in os.environ.get("CC", "gcc"):
        return FLAGS[build] + " -fno-sanitize=pointer-overflow"
    return FLAGS.get(build, "-O1")


BUILD_TIME = 240  # seconds


# Code that runs before or after main: none of what is graded, in any build.
BEFORE_AND_AFTER = " ".join(f"--remove-section='{name}'" for name in (
    ".preinit_array*", ".init_array*", ".fini_array*", ".ctors*", ".dtors*",
    ".init", ".fini", ".rela.preinit_array*", ".rela.init_array*",
    ".rela.fini_array*", ".rela.ctors*", ".rela.dtors*", ".rela.init",
    ".rela.fini", ".interp", ".gnu.lto*", ".dynamic*", ".dynsym*",
    ".dynstr*", ".got*", ".plt*", ".rela.dyn*", ".rela.plt*", ".rela.iplt*"))
# The loader calls an indirect function's resolver before main.
INDIRECT = "indirect functions are not allowed in what is graded"
# AddressSanitizer's own, which guards global variables, has a priority of its
# own. It goes into a section that the test's process calls (begin.h): what
# else may stand there has no judge near it, either.
GUARDS = "--remove-section graded_begin --remove-section .rela.graded_begin " \
    "--rename-section .init_array.00099=graded_begin " \
    "--rename-section .init_array.1=graded_begin"

# The build in stages, by what an edge is about. Of what the reference is in,
# only objects are there when a student's source meets a compiler, and of the
# hidden tests not even these; a student's header meets the tests, after it was
# looked at.
STAGES = {
    "build.ninja": {"reference", "work", "rest", "link"},
    "work.ninja": {"work"},           # what is graded alone
    "link.ninja": {"rest", "link"},   # what is graded is there, or is not
}
HIDDEN = {"work.ninja": ("given", "obj/reference", "obj/origin", "ref/hidden",
                         "bin", "lab-bin",
                         *(f"obj/{one}/{folder}" for one in FLAGS
                           for folder in ("ref/hidden", "tests"))),
          "link.ninja": ("given", "obj/reference")}
CLOSED = ("given", "obj", "ref", "work")  # to the tests that run


def ninja_quoted(text):
    """As ninja and the shell, within double quotes, take it."""
    return re.sub(r'(["`\\])', r"\\\1", text).replace("$", "$$")


def compiling(quiet):
    """The command that compiles a source of ours. Tests prepare all labs, and
    most of what a lab is built from is another's, too: there what has come out
    of the preprocessor is compiled once, and the object then copied. (Where a
    compiler is shut in it does not see the folder of these.)"""
    how = f"$cc {quiet} $flags $more"
    place = f"$includes -MMD -MF $out.d"
    if not os.environ.get("TRIPTYCH_LAB_BASES"):
        return f"{how} {place} -c $in -o $out"
    one = f"'{ninja_quoted(str(shared_objects()))}'/$$n"
    return (f"{how} {place} -E $in -o $out.i && "
            "n=$$( { echo '$cc $more'; cat $out.i; } | sha256sum | "
            "cut -c 1-40) && "
            f"{{ cp {one} $out 2>/dev/null || "
            f"{how} -x cpp-output -c $out.i -o $out; }} && "
            f"{{ [ -e {one} ] || {{ cp $out {one}.$$$$ && "
            f"mv {one}.$$$$ {one}; }} 2>/dev/null || :; }}; "
            "s=$$?; rm -f $out.i; exit $$s")


def shared_objects():
    return Path(os.environ["TRIPTYCH_LAB_BASES"]) / "objects"


class Ninja:
    """The build, as lines for ninja; each object is named once."""

    def __init__(self, lab, root, stage="build.ninja"):
        self.edges = STAGES[stage]
        self.lab = lab
        self.root = root
        self.lines = []
        self.objects = set()
        rooms = [f"-Iref/{room}"
                 for room in (*lab.rooms, HARNESS, EXPLORER_API)]
        if stage != "work.ninja":
            rooms.append("-Iref/hidden")
        work = sorted({f"-Iwork/{Path(f).parent}" for f in lab.editable})
        self.includes = " ".join(work + rooms)

    def rules(self):
        event = "libevent libevent_pthreads"
        cflags = pkg_config("--cflags", *event.split())
        libs = pkg_config("--libs", *event.split())
        keep = " ".join(f"obj/reference/{f}.o" for f in self.lab.editable
                        if f.endswith(".c"))
        compiler = os.environ.get("CC", "gcc")
        return f"""\
cc = {compiler}
flags = -std=c17 -g -D_GNU_SOURCE -DTRIPTYCH_VERSION='"lab"' $
 -DTRIPTYCH_MODULES='"."' -Wall -Wextra -Wno-unused-function $
 -fno-omit-frame-pointer {cflags}
libs = {libs} -ldl -lpthread -Wl,-z,relro,-z,now
rule cc
 command = {compiling(without_lines(compiler))}
 depfile = $out.d
 deps = gcc
rule graded
 command = $cc $flags $more $includes -MMD -MF $out.d -E $in -o $out.i && $
  {{ grep -av '^# [0-9]' $out.i | grep -aP "{ninja_quoted(WORDS)}"; $
  [ $$? = 1 ] || {{ $
  echo "$in: such a line is not allowed in what is graded"; false; }}; }} && $
  $cc $flags $more -x cpp-output -c $out.i -o $out
 depfile = $out.d
 deps = gcc
rule names
 command = nm -g --defined-only --format=posix {keep} | $
  awk 'NF > 1 {{ print $$1 }}' | sort -u > $out
rule seal
 command = ld -r -d --force-group-allocation $in -o $out.all && $
  ! {{ readelf -sW $out.all | grep -q ' IFUNC ' && $
  echo '{INDIRECT}'; }} && $
  {{ nm -uP $out.all | cut -d ' ' -f 1 | grep -xE '{UNCALLED}' | $
  grep -vxE '{COMPILERS}'; [ $$? = 1 ] || {{ $
  echo 'such a name may not be used in what is graded'; false; }}; }} && $
  objcopy {GUARDS} $out.all && $
  objcopy --keep-global-symbols=obj/names {BEFORE_AND_AFTER} $
  $out.all $out
rule close
 command = ld -r $in -o $out.all && objcopy -w $
  --keep-global-symbol=main --keep-global-symbol='__wrap_*' $
  --keep-global-symbol='__tsan_*' --keep-global-symbol='__lsan_*' $
  --keep-global-symbol=epoll_wait $out.all $out
rule link
 command = $cc $more $in -o $out $libs
rule server
 command = $cc -static $in -o $out $libs 2>$out.said || $
  $cc $in -o $out $libs; rm -f $out.said
"""

    def compile(self, build, path, includes=None, extra="", folder="ref"):
        out = f"obj/{build}/{folder}/{path}.o"
        if out not in self.objects:
            self.objects.add(out)
            more = of_compiler(build)
            kind = "work" if folder == "work" else \
                "reference" if build == "origin" else "rest"
            rule = "graded" if folder == "work" else "cc"
            self.edge(kind, f"build {out}: {rule} {folder}/{path}\n"
                      f" more = {more} {extra}\n"
                      f" includes = {includes or self.includes}\n")
        return out

    def edge(self, kind, text):
        """What another stage has made is only a name in this one."""
        if kind in self.edges:
            self.lines.append(text)

    def names(self):
        """The functions that may be seen: those of the reference."""
        includes = " ".join(f"-I{tree}/{room}" for tree in ("given", "ref")
                            for room in self.lab.rooms)
        out = []
        for file in self.lab.editable:
            if file.endswith(".c"):
                name = f"obj/reference/{file}.o"
                self.edge("reference", f"build {name}: cc given/{file}\n"
                          f" more = -O1\n includes = {includes}\n")
                out.append(name)
        self.edge("reference", f"build obj/names: names {' '.join(out)}\n")

    def graded(self, build):
        """The one object of what is graded."""
        extra = EXPLORED if build == "explore" else ""
        out = f"obj/{build}/graded.o"
        if out not in self.objects:
            self.objects.add(out)
            parts = [self.compile(build, f, extra=extra, folder="work")
                     for f in self.lab.editable if f.endswith(".c")]
            self.edge(
                "work", f"build {out}: seal {' '.join(parts)} | obj/names\n")
        return out

    def room(self, build):
        """The rest of the lab's rooms, as shipped. It is not explored, so the
        explorer's programs have the objects of the plain ones."""
        build = "dev" if build == "explore" else build
        out = []
        for room in self.lab.rooms:
            for path in sorted((self.root / room).glob("*.c")):
                file = str(path.relative_to(self.root))
                if file not in (*self.lab.editable, *self.lab.left_out,
                                *labs.NOT_OF_THE_ROOM):
                    out.append(self.compile(build, file))
        return out

    def program(self, program):
        build = program.build
        if program.fetcher:
            own = [self.compile(build, one) for one in
                   ("common/main.c", f"{HARNESS}/at_start.c")]
            out = f"lab-bin/{program.name}"
        else:
            own = [self.compile(build, f"hidden/{program.name}.c",
                                extra=EXPLORED if build == "explore"
                                else "")]
            own += [self.compile(build, f"{HARNESS}/{one}.c")
                    for one in ("lab", "word")]
            out = f"bin/{program.name}"
        own += [self.compile(build, f"hidden/{s}",
                             extra=EXPLORED if build == "explore" else "")
                for s in program.sources]
        more = [LINK[build]] + [f"-Wl,--wrap={w}" for w in program.wrap]
        if build == "explore":
            explorer = sorted((self.root / EXPLORER).glob("*.c"))
            own += [self.compile(build, str(p.relative_to(self.root)),
                                 extra=EXPLORING)
                    for p in explorer]
            more.append(f"@ref/{EXPLORER}/wraps")
        if not program.fetcher:
            own = [self.closed(build, program, own)]
        objects = own + [self.graded(build)] + self.room(build)
        self.edge("link", f"build {out}: link {' '.join(objects)}\n"
                  f" more = {' '.join(more)}\n")

    def closed(self, build, program, own):
        """The test and its harness, as one object whose names no other can
        use; but for those that stand in a library's place: the loop's sleep
        (loop.c), and whether leaks are looked for."""
        out = f"obj/{build}/tests/{program.name}.o"
        self.edge("rest", f"build {out}: close {' '.join(own)}\n")
        return out

    def origin(self):
        files = [str(p.relative_to(self.root))
                 for p in sorted((self.root / "tests/origin").glob("*.c"))]
        includes = "-Iref/tests/origin -Igiven/evloop -Iref/evloop"
        stream = "evloop/stream.c"
        objects = [self.compile("origin", f, includes) for f in files]
        objects.append(self.compile(
            "origin", stream, includes,
            folder="given" if stream in self.lab.editable else "ref"))
        # Without a loader, which would load what a student's code names.
        self.edge("link", "build lab-bin/triptych-origin: server "
                  f"{' '.join(objects)}\n")

    def text(self):
        self.names()
        self.graded("dev")
        for program in self.lab.programs:
            self.program(program)
        if self.lab.server:
            self.origin()
        return self.rules() + "".join(self.lines)


def prepare(tree, lab, root):
    """Writes the tree of a lab with the reference in the student's place, and
    builds it. What could not be built is returned as a text."""
    copy_changed({name: text for name, text in reference(lab, root).items()
                  if name not in lab.editable}, tree / "ref")
    copy_changed(labs.reference_files(lab, root), tree / "given")
    todo = (root / HARNESS / "todo.h").read_text()
    files = labs.reference_files(lab, root)
    files.update({str(Path(f).parent / "todo.h"): todo for f in lab.editable})
    copy_changed(files, tree / "work")
    copy_changed({name: Ninja(lab, root, name).text() for name in STAGES},
                 tree)
    (tree / "lab-bin").mkdir(exist_ok=True)
    for name in (*CLOSED, "ref/hidden"):
        if (tree / name).is_dir():
            os.chmod(tree / name, 0o755)  # the last run may have closed it
    return ninja(tree, "build.ninja", (), trusted=True)


def shared_base(lab, root=labs.ROOT):
    """A prepared tree, to be copied: where TRIPTYCH_LAB_BASES says, all tests
    share one for each lab, which the first of them builds. Else None."""
    bases = os.environ.get("TRIPTYCH_LAB_BASES")
    if not bases or root != labs.ROOT:
        return None
    tree = Path(bases) / lab.name
    names = "\n".join(sorted(reference(lab, root)))
    shared_objects().mkdir(parents=True, exist_ok=True)
    with open(f"{tree}.names", "a+", encoding="utf-8") as known:
        fcntl.flock(known, fcntl.LOCK_EX)
        known.seek(0)
        if known.read() != names:  # a file that is gone must not stay
            shutil.rmtree(tree, ignore_errors=True)
            known.truncate(0)
            known.write(names)
            known.flush()
        tree.mkdir(exist_ok=True)
        messages = prepare(tree, lab, root)
    if messages:
        raise RuntimeError(f"the reference does not build:\n{messages}")
    return tree


def forget_reference(tree):
    """What was made of the reference, in the place of what is graded."""
    for path in (*tree.glob("obj/*/work"), *tree.glob("bin")):
        shutil.rmtree(path)
    for path in (*tree.glob("obj/*/graded.o*"), *tree.glob("lab-bin/fetch-*")):
        path.unlink()


def needed(lab, tests):
    """What tests need, or all of a lab's: for each build, the programs that are
    linked in it."""
    wanted = {}
    for test in tests or lab.tests:
        program = lab.program(test.program)
        wanted.setdefault(program.build, set()).add(f"bin/{program.name}")
        sources = [f"{program.name}.c", *program.sources]
        if any("LAB_BIN" in (lab.folder / "tests" / s).read_text()
               for s in sources):
            wanted.setdefault("", set()).add("lab-bin/triptych-origin")
            for one in lab.programs:
                if one.fetcher:
                    wanted.setdefault(one.build, set()).add(
                        f"lab-bin/{one.name}")
    return wanted


def make(tree, lab, tests=None, trusted=False):
    """Builds what tests need with what is graded, within limits: a source can
    ask a compiler for anything, unless it is `trusted`. What cannot be built
    is missing then; the messages are returned. The plain objects, which
    before_main looks at, are built as well for what is not trusted."""
    wanted = needed(lab, tests)
    graded = {f"obj/{one}/graded.o"
              for one in {*wanted, *([] if trusted else ["dev"])} if one}
    for old in (*tree.glob("bin/*"), *tree.glob("obj/*/graded.o*")):
        if f"obj/{old.parent.name}/graded.o" in graded or \
                old.parent.name == "bin":
            old.unlink()  # built before, it is not this one
    messages = ninja(tree, "work.ninja", sorted(graded), trusted)
    built = [name for one, names in wanted.items() for name in names
             if not one or (tree / f"obj/{one}/graded.o").exists()]
    if built:
        messages += ninja(tree, "link.ninja", sorted(built), trusted)
    return messages


def in_stage(tree, stage, argv):
    """Runs what calls compilers, which see what this stage may see: (its exit
    status, what it printed)."""
    environment = {"PATH": os.environ.get("PATH", os.defpath),
                   "LC_ALL": "C.UTF-8"}
    for name in (*CLOSED, *HIDDEN["work.ninja"]):
        if (tree / name).is_dir():
            os.chmod(tree / name, 0o755)
    return sandbox.compile_in(
        tree, argv, environment, BUILD_TIME, write=[tree],
        hide=[str(tree / name) for name in HIDDEN[stage]
              if (tree / name).is_dir()])


def ninja(tree, stage, targets, trusted=False):
    """"" or what the compiler and the linker said."""
    argv = ["ninja", "-f", stage, "-k", "0", "-j", "2", *targets]
    if trusted:
        done = subprocess.run(argv, cwd=tree, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              errors="replace", check=False)
        status, said = done.returncode, done.stdout
    else:
        status, said = in_stage(tree, stage, argv)
    if status == 0:
        return ""
    keep = [line for line in said.splitlines()
            if not line.startswith(("[", "ninja:", "FAILED:", "gcc ", "ld "))]
    return plain(shortened(keep or said.splitlines()), 14000)


LINES = 40  # of what a compiler says; the first errors matter


def shortened(lines):
    kept = [line[:300] for line in lines[:LINES]]
    if len(lines) > LINES:
        kept.append(f"... and {len(lines) - LINES} lines more: mend the "
                    "first errors first")
    return "\n".join(kept)


def copy_tree(base, tree):
    """A prepared and built tree, with all its times."""
    shutil.copytree(base, tree, dirs_exist_ok=True,
                    copy_function=shutil.copy2)

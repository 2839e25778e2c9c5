"""What is packaged and installed: that it is whole, documented, works without
the source tree, and goes away again. tests/package/inside installs the packages
in a Debian that has nothing else."""

import filecmp
import glob
import itertools
import os
import re
import shutil
import subprocess
import sys
import tarfile

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from runner import check, run_cases  # noqa: E402

TREE = os.path.dirname(TESTS)
BUILD = os.environ["TRIPTYCH_BIN"]
PACKAGES = {"triptych", "triptych-lab", "libtriptych-stream1",
            "libtriptych-coroutine1", "libtriptych-dev"}


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          **more)
    check(done.returncode == 0,
          f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def files_below(folder):
    return {os.path.relpath(os.path.join(at, name), folder)
            for at, folders, files in os.walk(folder)
            for name in files + [f for f in folders
                                 if os.path.islink(os.path.join(at, f))]}


def install(directory, name="usr", **more):
    prefix = os.path.join(directory, name)
    run("cmake", "--install", BUILD, "--prefix", prefix, **more)
    return prefix


# What a user looks for in each, and what its description must name.
HOLDS = {
    "triptych": [f"bin/fetch-{model}" for model in
                 ("threads", "processes", "evloop", "coroutines")] +
                [f"bin/triptych-{tool}" for tool in
                 ("origin", "bench", "race", "demo", "drain", "cluster")],
    "triptych-lab": ["bin/triptych-lab",
                     "share/triptych-lab/tests/lab/explorer/engine.h"],
    "libtriptych-dev": ["include/triptych/stream.h",
                        "include/triptych/coroutine.h"],
}
NAMES = {
    "triptych": ["threads", "processes", "event loop", "coroutines",
                 "http", "https", "file", "tcp", "udp", "postgresql",
                 "practice server", "Slurm"],
    "triptych-lab": ["puzzles", "protocol", "threads", "processes|workers",
                     "event loop", "comparison", "coroutines"],
}


def look_at_package(package, root, fields):
    """What Debian's policy asks, and a reader of the description."""
    files = files_below(root)
    doc = f"usr/share/doc/{package}"
    for file in ("copyright", "changelog.gz", "changelog.Debian.gz"):
        check(f"{doc}/{file}" in files, f"{package}: {file}")
    check(len(re.findall(r"\n ", fields)) >= 5,
          f"{package}: its description is short")
    check("\nDepends: " in fields, f"{package} depends on nothing")
    check(not [f for f in files if not f.startswith("usr/")],
          f"{package} is not in /usr alone")
    missing = [f for f in HOLDS.get(package, ()) if f"usr/{f}" not in files]
    check(not missing, f"{package} lacks {missing}")
    told = fields.partition("\nDescription: ")[2].partition("\nMaintainer")[0]
    missing = [name for name in NAMES.get(package, ())
               if not re.search(rf"\b({name})\b", " ".join(told.split()))]
    check(not missing, f"{package}: its description lacks {missing}")
    plain = [f for f in files if "/man/" in f and not f.endswith(".gz")]
    check(not plain, f"{package}: not compressed: {plain}")
    for file in files:
        path = os.path.join(root, file)
        if os.path.islink(path):
            continue
        with open(path, "rb") as opened:
            content = opened.read()
        check(TREE.encode() not in content,
              f"{package}: {file} tells where it was built")
        if content.startswith(b"\x7fELF"):
            check(".symtab" not in run("readelf", "-SW", path),
                  f"{package}: {file} is not stripped")
    return files


def case_packages(directory):
    """Each has what Debian wants, and together they have all that is
    installed."""
    run("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"),
        "-B", directory)
    packed = {}
    for name in os.listdir(directory):
        if not name.endswith(".deb"):
            continue
        path = os.path.join(directory, name)
        package = run("dpkg-deb", "-f", path, "Package").strip()
        root = os.path.join(directory, "roots", package)
        os.makedirs(root)
        run("dpkg-deb", "-x", path, root)
        fields = run("dpkg-deb", "-f", path)
        packed[package] = look_at_package(package, root, fields)
        depends = re.search(r"\nDepends: (.*)", fields).group(1)
        # Modules that are loaded are not what a program is linked with.
        for module, library in (("triptych-tls.so", "libssl3"),
                                ("triptych-database.so", "libpq5")):
            check(not [f for f in packed[package] if f.endswith(module)] or
                  library in depends, f"{package}: {module}: {depends}")
    check(set(packed) == PACKAGES, f"{set(packed)}")
    for one, other in itertools.combinations(sorted(packed), 2):
        both = packed[one] & packed[other]
        check(not both, f"both {one} and {other} have {both}")
    together = {re.sub(r"^usr/", "", re.sub(r"(man/.*)\.gz$", r"\1", f))
                for files in packed.values() for f in files}
    wanted = files_below(install(directory))
    check(wanted <= together, f"not packed: {wanted - together}")
    more = {f for f in together - wanted
            if not f.startswith(("share/doc/", "share/lintian/"))}
    check(not more, f"packed, and not installed: {more}")


def case_man_pages(directory):
    """Each program has one, and it has the program's options."""
    prefix = install(directory)
    programs = sorted(os.listdir(os.path.join(prefix, "bin")))
    check(len(programs) >= 13, f"{programs}")
    for program in programs:
        page = os.path.join(prefix, "share/man/man1", program + ".1")
        check(os.path.exists(page), f"{program} has no man page")
        with open(page, encoding="utf-8") as file:
            text = file.read().replace("\\", "")
        check(not re.search(r"@\w+@", text), f"{page}: an @ is left")
        if program.startswith("digest-"):
            continue  # those of the fetcher
        done = subprocess.run([os.path.join(prefix, "bin", program), "--help"],
                              capture_output=True, text=True, check=False)
        wanted = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", done.stdout))
        wanted |= set(re.findall(r"^    ([a-z][a-z-]+)(?:  |$)", done.stdout,
                                 re.MULTILINE) if "-lab" in program else ())
        missing = [word for word in wanted if word not in text]
        check(not missing, f"{program}: its man page lacks {missing}")


def case_lab_without_the_tree(directory):
    """The installed tool hands out what the tree's hands out."""
    prefix = install(directory)
    tools = {"tree": os.path.join(TESTS, "lab/triptych-lab"),
             "installed": os.path.join(prefix, "bin/triptych-lab")}
    listed = {name: run(tool, "list", cwd=directory)
              for name, tool in tools.items()}
    check(listed["tree"] == listed["installed"], "other labs or mistakes")
    labs = re.findall(r"^\d\. (\w+)", listed["tree"], re.MULTILINE)
    check(len(labs) >= 5, f"{labs}")
    for lab in labs:
        for command in ("new", "solution") if lab == "evloop" else ("new",):
            made = {}
            for name, tool in tools.items():
                made[name] = os.path.join(directory, f"{lab}-{command}-{name}")
                run(tool, command, lab, made[name], cwd=directory)
            names = files_below(made["tree"])
            check(names == files_below(made["installed"]),
                  f"{lab}, {command}: other files")
            _, differ, errors = filecmp.cmpfiles(
                made["tree"], made["installed"], names, shallow=False)
            check(not differ and not errors, f"{lab}: {differ}{errors}")
    check(not [f for f in files_below(prefix) if f.endswith(".pyc")],
          "Python has left files behind")


def case_grades_beside_a_link(directory):
    """The installed tool grades where PATH has the folder of programs by
    another name, too, as /bin is one of /usr/bin."""
    prefix = install(directory, "a/usr")
    os.symlink("a/usr/bin", os.path.join(directory, "bin"))
    path = os.path.join(directory, "bin") + ":" + os.environ["PATH"]
    tool = os.path.join(prefix, "bin/triptych-lab")
    skeleton = os.path.join(directory, "skeleton")
    run(tool, "new", "puzzles", skeleton)
    told = run(tool, "grade", skeleton, env=dict(os.environ, PATH=path))
    check(re.search("^Together: 0 of 100", told, re.MULTILINE), told)
    check(not [f for f in files_below(prefix) if f.endswith(".pyc")],
          "Python has left files behind")


def uninstall(directory, *below):
    """What the target does, for what this test has installed: meanwhile others
    install from the same build."""
    mine = os.path.join(directory, "installed")
    os.mkdir(mine)
    for record in glob.glob(os.path.join(BUILD, "installed", "*.txt")):
        with open(record, encoding="utf-8") as file:
            if any(folder in file.read() for folder in below):
                shutil.copy(record, mine)
    run("cmake", "-P", os.path.join(TREE, "packaging/uninstall.cmake"),
        cwd=directory)
    check(not os.path.exists(mine) or not os.listdir(mine),
          "the records are still there")


def everything_below(folder):
    return {os.path.relpath(os.path.join(at, name), folder)
            for at, folders, files in os.walk(folder)
            for name in folders + files}


def case_uninstall(directory):
    """Nothing of ours is left, wherever it was put and by whatever number of
    calls, nor what Python has left there; what others have there is."""
    used = os.path.join(directory, "used")
    for folder in ("share/man/man1", "bin", "lib"):
        os.makedirs(os.path.join(used, folder))
    with open(os.path.join(used, "bin/other"), "w", encoding="ascii"):
        pass
    before = everything_below(used)
    install(directory, "used")
    install(directory, "used")  # once more, over it
    caches = os.path.join(used, "share/triptych-lab/tests/lab/triptych_lab",
                          "__pycache__")
    os.mkdir(caches)
    with open(os.path.join(caches, "x.cpython-311.pyc"), "wb"):
        pass
    install(directory, "new/a b/local")
    run("cmake", "--install", BUILD, "--prefix",
        os.path.join(directory, "new/parts"), "--component", "triptych-lab")
    stage = os.path.join(directory, "stage")
    install("/", "opt/triptych-test", env=dict(os.environ, DESTDIR=stage))
    for folder, program in ((used, "bin/fetch-evloop"),
                            (stage, "opt/triptych-test/bin/fetch-evloop"),
                            (directory, "new/a b/local/bin/fetch-evloop"),
                            (directory, "new/parts/bin/triptych-lab")):
        check(os.path.lexists(os.path.join(folder, program)),
              f"{program} is not installed")
    uninstall(directory, directory)
    check(everything_below(used) == before,
          f"{everything_below(used) ^ before}")
    for name in ("new", "stage"):
        left = everything_below(os.path.join(directory, name))
        check(not os.path.exists(os.path.join(directory, name)),
              f"{name}: {sorted(left)[:20]}")


def case_source(directory):
    """The tarball has what git has, and nothing else that lies there, such as
    a student's work or another folder to build in."""
    if shutil.which("git") is None or \
            not os.path.exists(os.path.join(TREE, ".git")):
        print("this tree is not git's: left out")
        return
    tree = os.path.join(directory, "a (tree)")
    wanted = set(run("git", "-c", f"safe.directory={TREE}", "ls-files", "-z",
                     cwd=TREE).split("\0")) - {""}
    for name in wanted:
        os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
        shutil.copy(os.path.join(TREE, name), os.path.join(tree, name),
                    follow_symlinks=False)
    run("git", "init", "--quiet", tree)
    run("git", "add", "--force", "--all", cwd=tree)
    for name in ("out/dev/log", "hand-ins/anne/secret.c", "common/notes+",
                 "build/x", "tests/lab/__pycache__/x.pyc"):
        path = os.path.join(tree, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii"):
            pass
    run("cpack", "--config", os.path.join(BUILD, "CPackSourceConfig.cmake"),
        "-D", f"CPACK_INSTALLED_DIRECTORIES={tree};/", "-B", directory)
    with tarfile.open(glob.glob(os.path.join(directory, "*.tar.gz"))[0]) as tar:
        packed = {re.sub("^[^/]*/", "", member.name)
                  for member in tar.getmembers() if not member.isdir()}
    check(packed == wanted,
          f"more: {packed - wanted}; missing: {wanted - packed}")


def case_versions(_):
    """One number in all places, and a changelog in the form of Keep a
    Changelog: the newest first, under headings that it names."""
    def read(name):
        with open(os.path.join(TREE, name), encoding="utf-8") as file:
            return file.read()
    version = re.search(r"project\(triptych VERSION ([\d.]+)",
                        read("CMakeLists.txt")).group(1)
    debian = re.match(r"triptych \(([\d.]+)-\d+\)",
                      read("packaging/changelog.Debian")).group(1)
    check(debian == version, f"changelog.Debian: {debian}")
    named = set(re.findall(r"triptych-(\d[\d.]+)\.tar\.gz", read("README.md")))
    check(named == {version}, f"README.md: {named}")
    changes = read("CHANGELOG.md")
    check(changes.startswith("# Changelog\n"), "CHANGELOG.md: its title")
    headings = re.findall(r"^## (.*)", changes, re.MULTILINE)
    dated = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d", heading)
             for heading in headings if heading != "[Unreleased]"]
    check(headings and "[Unreleased]" not in headings[1:] and all(dated),
          f"CHANGELOG.md: {headings}")
    numbers = [tuple(map(int, found[1].split("."))) for found in dated]
    check(numbers == sorted(numbers, reverse=True), f"{numbers}")
    if headings[0] == "[Unreleased]":
        check(f"This will be {version}." in changes,
              "CHANGELOG.md does not say what version this will be")
    else:
        check(dated[0][1] == version, f"CHANGELOG.md: {headings[0]}")
    kinds = set(re.findall(r"^### (.*)", changes, re.MULTILINE))
    check(kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed",
                    "Security"}, f"CHANGELOG.md: {kinds}")


OLDEST = (3, 22)  # CMake's version in Ubuntu 22.04
ADDED = r"\.\. versionadded:: (\d+)\.(\d+)"


def is_newer(version):
    return tuple(map(int, version)) > OLDEST


def cmake_files():
    for at, folders, files in os.walk(TREE):
        folders[:] = [f for f in folders
                      if f not in ("build", "node_modules", ".git")]
        for name in files:
            if re.fullmatch(r"CMakeLists\.(txt|in)|.*\.cmake(\.in)?", name):
                with open(os.path.join(at, name), encoding="utf-8") as file:
                    yield re.sub(r"#.*", "", file.read())


def case_old_cmake(_):
    """By what CMake's own manual says of its versions: no command, variable,
    property or module that is newer than what we ask for, and no newer option
    of a command. It cannot see that what is old behaved otherwise once."""
    text = "\n".join(cmake_files())
    ask = re.findall(r"cmake_minimum_required\(VERSION (\d+)\.(\d+)", text)
    check(ask and not any(map(is_newer, ask)), f"{ask}")
    words = set(re.findall(r"[A-Za-z_][\w-]*", text))
    manual = run("cmake", "--help-full")
    new, old = set(), set()
    for name, *version in re.findall(
            rf"^(\S+)\n[-^]+\n\n(?:{ADDED})?", manual, re.MULTILINE):
        (new if version[0] and is_newer(version) else old).add(name)
    new -= old  # a variable may be old, and new in the environment
    version = re.search(r"version (\d+)\.(\d+)", run("cmake", "--version"))
    check(new or not is_newer(version.groups()), "the manual says nothing")
    check(not new & words, f"newer than CMake 3.22: {new & words}")
    # A later manual says of old options what is new with them.
    if tuple(map(int, version.groups())) > (3, 27):
        print(f"options of commands: not looked for in CMake {version[0]}")
        return
    calls = {}
    for name, words in re.findall(
            r"^\s*(\w+)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", text,
            re.MULTILINE):
        calls.setdefault(name, set()).update(re.findall(r"[A-Z_]{2,}", words))
    known = run("cmake", "--help-command-list").split()
    for name in sorted(set(calls) & set(known)):
        manual = run("cmake", "--help-command", name)
        for found in re.finditer(ADDED, manual):
            # The option stands behind it, or in the line before.
            near = manual[:found.start()].rstrip().rsplit("\n", 1)[-1] + \
                " ".join(manual[found.end():].split("\n\n")[:2])
            late = set(re.findall(r"``([A-Z][A-Z_]+)``", near)) & calls[name]
            check(not late or not is_newer(found.groups()),
                  f"{name}: {late} came with {'.'.join(found.groups())}")


if __name__ == "__main__":
    sys.exit(run_cases(dict(globals())))

#!/usr/bin/env python3
"""triptych-lab itself: what it makes, what it says, and that no student's code
gets the better of it. The graders of the labs are proven by `matrix`.

Use: test_lab.py [--whole] [I/N] [PART OF A NAME]...

With --whole, as ./run labs does it, the packages that are run are of large
labs, which are built anew there."""

import atexit
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "attacks"), str(HERE.parent)]

import users  # noqa: E402
from runner import check, run_cases  # noqa: E402
from triptych_lab import (build, folder, grade, headers,  # noqa: E402
                          isolation, labs, matrix, mutation, package, sandbox,
                          source)

TOOL = HERE / "triptych-lab"
PATIENCE = 300
# Of which lab the packages are that are run here.
WHOLE = "--whole" in sys.argv
PACKED = ("protocol", "evloop") if WHOLE else ("coroutines", "coroutines")
OWN_BASE = Path(tempfile.mkdtemp(prefix="lab-base-"))
atexit.register(shutil.rmtree, OWN_BASE, ignore_errors=True)
# Prepared once, for all.
BASE = build.shared_base(labs.lab("threads")) or OWN_BASE


def tool(*arguments, cwd=None, status=0, **environment):
    done = subprocess.run(
        [TOOL, *map(str, arguments)], text=True, cwd=cwd, timeout=PATIENCE,
        env=dict(os.environ, **environment), stdin=subprocess.DEVNULL,
        capture_output=True, check=False)
    check(done.returncode == status,
          f"{arguments} ended with {done.returncode}:\n"
          f"{done.stdout}{done.stderr}")
    return done


# --- What students do ---------------------------------------------------------

THREADS = labs.lab("threads")
QUEUE = "threads/queue.c"
REFERENCE = labs.reference_files(THREADS)[QUEUE]
ORDER = replace(THREADS.test("keeps_the_order"), limit=20)
SHORT = replace(ORDER, limit=3)  # for what never ends


def by_oneself(**environment):
    """An environment in which the tool does not start itself anew through sudo:
    a user cannot signal what is root's then, nor see what it runs."""
    return dict(os.environ, **{isolation.OWNER: ""}, **environment)


def queue_with(body, above="", name="queue_put", reference=REFERENCE):
    """The queue, or another file, with other statements in one function."""
    old = source.find(reference, name)
    head = reference[old.start:old.body]
    text = reference[:old.start] + above + head + "{\n" + "".join(
        f"    (void){p};\n" for p in source.parameters(head)) \
        + body + "\n}\n" + reference[old.end:]
    return "#include <fcntl.h>\n#include <signal.h>\n#include <stdio.h>\n" \
        "#include <string.h>\n#include <sys/mman.h>\n#include <unistd.h>\n" \
        + text


ENDS_EARLY = r"ended early|exit\b|status|killed|signal|EXIT|Killed"

# What a student's queue_put does; the test; what the message must say.
HOSTILE = {
    "exits with 0": ("exit(0);", SHORT, ENDS_EARLY),
    "leaves at once with 0": ("_exit(0);", SHORT, ENDS_EARLY),
    "crashes": ("*(volatile int *)8 = 1; return 0;", SHORT, "signal 11|SIGSEGV|crash"),
    "loops for ever": ("for (;;) ;", SHORT, "not done after|endless"),
    "sleeps for ever": ("for (;;) pause();", SHORT, "not done after|stuck"),
    "takes all memory": (
        "for (size_t i = 0;; i++) { char *p = malloc(1 << 20);"
        " if (p != NULL) memset(p, 1, 1 << 20); }",
        ORDER, "memory|killed|Killed|not done|SIGSEGV"),
    "fills the disk": (
        "for (int i = 0; i < 1000; i++) { char name[99]; "
        "snprintf(name, sizeof name, \"%s/f%d\", i % 2 ? \".\" : \"/tmp\", i);"
        "int fd = open(name, O_CREAT | O_WRONLY, 0600);"
        "static char big[1 << 20]; memset(big, 1, sizeof big);"
        "for (int k = 0; k < 256 && fd != -1; k++)"
        " if (write(fd, big, sizeof big) == -1) break; }"
        "return 0;", ORDER, ""),
    "writes a verdict of its own": (
        "for (int fd = 3; fd < 100; fd++)"
        " (void)!write(fd, \"passed\\0\\0\\0\\0\", 10);"
        "_exit(0);", SHORT, ""),
    "prints that all is well": (
        "puts(\"keeps_the_order: passed\"); fflush(stdout); exit(0);", SHORT,
        ENDS_EARLY),
    "kills its parent": ("kill(getppid(), SIGKILL); return 0;", SHORT, ""),
    "kills everything": ("kill(-1, SIGKILL); return 0;", SHORT, ""),
    "forks without end": (
        "for (;;) if (fork() == 0) setsid();", SHORT, ""),
}


def case_hostile_code(place):
    os.chmod(place, 0o755)
    there = set(Path("/tmp").glob("f[0-9]*"))
    with grade.Bench(THREADS, base=BASE) as right, \
            grade.Bench(THREADS, base=BASE,
                        rest=labs.reference_files) as bench, \
            temporary_files_in(place):
        right.put(labs.reference_files(THREADS), [ORDER])
        for what, (body, test, says) in HOSTILE.items():
            bench.put({QUEUE: queue_with(body)}, [test])
            begun = time.monotonic()
            result = bench.run(test)
            check(not result.passed, f"{what}: it passed")
            check(re.search(says, result.observed + result.output),
                  f"{what}: the message is {result.observed!r}")
            check(time.monotonic() - begun < 60, f"{what}: it took too long")
            left = processes_of(bench.tree)
            check(not left, f"{what}: left behind: {left}")
            check(right.run(ORDER).passed, f"after {what}, the right one fails")
        left = {*os.listdir(place), *Path("/tmp").glob("f[0-9]*")} - there
        check(not left, f"the disk is fuller than before: {left}")


@contextlib.contextmanager
def temporary_files_in(place):
    """Others of the machine have theirs elsewhere."""
    before = tempfile.tempdir
    tempfile.tempdir = place
    try:
        yield
    finally:
        tempfile.tempdir = before


def processes_of(tree):
    """Processes that run a program of the tree."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue
        if exe.startswith(str(tree)):
            found.append((pid, exe))
    return found


# What does not get as far as a test.
NOT_BUILT = {
    "does not compile": (queue_with("return nonsense;"), "nonsense"),
    "lacks a function": (source.remove(REFERENCE, "queue_put", QUEUE),
                         "queue_put"),
    "is empty": ("", "queue_"),
    "runs before main": (
        queue_with("return 0;", "__attribute__((constructor)) static void"
                   " first(void)\n{\n    _exit(0);\n}\n"), "before or after"),
    "asks the compiler for all": ('#include "/dev/zero"\n' + REFERENCE, ""),
}


def case_unbuildable_code(_):
    with grade.Bench(THREADS, base=BASE,
                     rest=labs.reference_files) as bench:
        for what, (text, says) in NOT_BUILT.items():
            graded = grade.grade(bench, {QUEUE: text}, tests=[ORDER])
            check(graded.results[0].state == "not built" and
                  graded.score == 0, f"{what}: {graded.results[0]}")
            check(says in graded.note, f"{what}: it says {graded.note!r}")


# Words by which a function hides from a sanitizer, or reaches past C.
WORDS = """
#define JOINED(a, b) a##b
__attribute__((no_sanitize("thread"))) static int one(void) { return 1; }
__attribute__((JOINED(no_sani, tize_address))) static int two(void);
static int two(void) { __asm__ volatile("nop"); return one(); }
%:pragma weak puts
_Pragma("GCC optimize 0")
??=pragma redefine_extname puts lab_fail
static long three(void) { return (long)__builtin_frame_address(0) + two(); }
static void four(void *p) { __builtin_memset(p, 0, 8); }
__attribute__((constructor(99))) static void five(void) {}
static int six __attribute__((section ("graded_begin")));
static int seven __attribute__((section
    ("graded_begin")));
"""
# In the file where the preprocessor leaves what is looked at: it is there for
# who reads the source twice.
TWICE = """
#ifdef __SANITIZE_THREAD__
#if __has_include("../../obj/explore/work/threads/queue.c.o.d")
__attribute__((no_sanitize("thread")))
#error seen twice
#endif
#endif
static int once(void) { return 1; }
"""
NAMES = """
void __lsan_disable(void), AnnotateIgnoreReadsBegin(const char *, int),
    *dlsym(void *, const char *), *__real_malloc(size_t), lab_doing(void),
    ex_child_beat(void), __tsan_acquire(void *);
long syscall(long, ...);
int mprotect(void *, size_t, int);
void longjmp(void *, int);
int atexit(void (*)(void)), hidden(void) __asm__("" "__lsan_ignore_object");
void *__libc_malloc(size_t);
ssize_t __write(int, const void *, size_t);
int __pthread_mutex_lock(void *);
void call_all(void);
void call_all(void)
{
    __lsan_disable(), AnnotateIgnoreReadsBegin("", 1), __tsan_acquire(0);
    (void)atexit(lab_doing), ex_child_beat(), hidden();
    (void)__write(__pthread_mutex_lock(0), __libc_malloc(1), 1);
    (void)dlsym(__real_malloc(1), ""), (void)syscall(mprotect(0, 0, 0));
    longjmp(0, sigaltstack(0, 0));
}
"""


def case_what_makes_a_sanitizer_look_away(_):
    with grade.Bench(THREADS, base=BASE,
                     rest=labs.reference_files) as bench:
        for above, says in (
                (WORDS, ("no_sanitize(", "no_sanitize_address", "__asm__",
                         "pragma weak", "pragma GCC optimize",
                         "redefine_extname", "frame_address", "builtin_memset",
                         "constructor(99)", "section (")),
                (NAMES, ("__lsan_disable", "AnnotateIgnoreReadsBegin",
                         "dlsym", "__real_malloc", "lab_doing", "atexit",
                         "ex_child_beat", "__tsan_acquire",
                         "__lsan_ignore_object", "syscall", "mprotect",
                         "sigaltstack", "longjmp", "__libc_malloc", "__write",
                         "__pthread_mutex_lock"))):
            graded = grade.grade(
                bench, {QUEUE: queue_with("return 0;", above)}, tests=[ORDER])
            check(graded.results[0].state == "not built", graded.note)
            for word in says:
                check(word in graded.note, f"{word}: {graded.note}")
        for old in bench.tree.glob("obj/explore/work/threads/*.d"):
            old.unlink()
        said = bench.put({QUEUE: queue_with("return (int)once();", TWICE)},
                         [ORDER])
        check("seen twice" not in said, said)


# What a header may not have when tests are compiled with it.
IN_HEADERS = {
    "static inline int f(void)\n{\n    return 0;\n}\n": "functions",
    "int f(a) int a; <% return a; %>\n": "functions",
    "#define BEGIN {\nint f(void) BEGIN return 0; }\n": "than a value",
    "#define BEGIN ??<\nint f(void) BEGIN return 0; }\n": "than a value",
    "#define BEGIN <%\nint f(void) BEGIN return 0; }\n": "than a value",
    "#define NOTHING\nint f(void) NOTHING { return 0; }\n": "functions",
    "#define HEAD x f(void)\nstruct HEAD { return 0; }\n": "functions",
    "#define JOINED(a, b) a##b\n": "than a value",
    "#define LAST(x) 0; return\n": "than a value",
    "#define __errno_location() (0\n": "the system's",
    "#define __atomic_fetch_add\n": "the system's",
    "#define queue_take(queue) 0\n": "the tests use",
    "%:define lab_check(...)\n": "lab_check",
    "#define lab_\\\ncheck(...)\n": "lab_check",
    "#ifdef TODO_STUDENT\n#endif\n": "a guard",
    "#if 0\n' /*\n#endif\nint x;\n/* */\n": "half a literal",
    "int x; // \r int y;\n": "no use for",
    "int caf\u00e9;\n": "no use for",
    "static int done = 1;\n": "a value for a variable",
    "_Noreturn void queue_free(struct queue *queue);\n": "_Noreturn",
    "[[gnu::noreturn]] void queue_free(struct queue *queue);\n": "[[",
    "#pragma GCC poison lab_check\n": "#pragma",
    "#line 1 \"x\"\n": "#line",
    "#include \"../../etc/passwd\"\n": "#include",
    "#include </proc/self/environ>\n": "#include",
}


def case_headers_that_change_the_tests(_):
    header = labs.reference_files(THREADS)["threads/queue.h"]
    with grade.Bench(THREADS, base=BASE,
                     rest=labs.reference_files) as bench:
        for text, says in IN_HEADERS.items():
            said = bench.put({"threads/queue.h": header.replace(
                "#endif\n", text + "#endif\n")}, [ORDER])
            check("may not have" in said and says in said, f"{text}: {said}")
        more = header.replace("TRIPTYCH_QUEUE_H", "_QUEUE_H_") \
            .replace("bool closed;", "bool closed;\n    int more;") \
            .replace("struct queue {", "#define MORE(n) ((n) + 1)\n"
                     "enum kind { ONE = 1, TWO = MORE(ONE) };\n"
                     "struct queue { /* don't */")
        said = bench.put({"threads/queue.h": more}, [ORDER])
        check(more != header and said == "", f"a field: {said}")


def case_a_value_that_a_header_keeps(_):
    """What tests compare with must not become another, as all of them one."""
    protocol = labs.lab("protocol")
    original = labs.reference_files(protocol)["common/http.h"]
    names = headers.words_of([protocol.folder / "tests/feed.c"])
    same = original.replace("    HTTP_BAD\n", "    HTTP_BAD = HTTP_DONE\n")
    check(same != original, "the enum has changed")
    check("another 'enum http_state" in str(
        list(headers.faults(same, names, original))), "it was not seen")
    check(not list(headers.faults(original, names, original)), "the original")


def case_hidden_tests_are_not_shown(_):
    """A header with which tests do not compile: the message has their place,
    and not their text."""
    header = labs.reference_files(THREADS)["threads/queue.h"]
    files = {"threads/queue.h": header.replace("void *item, int ms)",
                                               "void *item)"),
             QUEUE: "#include \"queue.h\"\n",
             "threads/pool.c": "#include \"pool.h\"\n"}
    with grade.Bench(THREADS, base=BASE,
                     rest=labs.reference_files) as bench:
        said = bench.put(files, [ORDER])
        check("hidden/queue.c:" in said and "too many arguments" in said and
              "LONG_MS);" not in said, said)


READS = """
import os
for top in ["", "/proc/self/cwd", "/proc/self/root"] + [
        f"/proc/{pid}/{one}" for pid in filter(str.isdigit, os.listdir("/proc"))
        for one in ("root", "cwd")]:
    for path in %r:
        try:
            os.listdir(top + path) if path[-1] == "/" else open(top + path)
        except OSError:
            continue
        print("reached:", top + path)
print("tried")
"""


def case_no_reference_test_or_result_in_reach(_):
    """By no path: neither where compilers run, nor where tests do."""
    with tempfile.TemporaryDirectory() as place, \
            grade.Bench(THREADS, base=BASE) as bench:
        os.chmod(place, 0o755)
        result = Path(place) / "result.json"
        result.write_text("{}")
        bench.put(labs.skeleton_files(THREADS), [ORDER])
        ours = [f"{result}", f"{TOOL}", f"{labs.ROOT}/{QUEUE}",
                f"{labs.ROOT}/tests/lab/mistakes/",
                f"{THREADS.folder}/tests/queue.c"]
        built = [f"{bench.tree}/{name}" for name in (
            f"given/{QUEUE}", f"obj/reference/{QUEUE}.o")]
        tests = [f"{bench.tree}/ref/hidden/{name}" for name in ("", "queue.c")]
        rest = [f"{bench.tree}/{name}" for name in (
            "build.ninja", f"work/{QUEUE}", "obj/explore/", f"ref/{QUEUE}")]
        python = isolation.PYTHON
        for stage, paths in (("work.ninja", ours + built + tests),
                             ("link.ninja", ours + built),
                             ("a test", ours + built + tests + rest)):
            if stage == "a test":
                said = sandbox.run(
                    [python, "-c", READS % paths], {"PATH": "/bin"}, 60,
                    show=[bench.tree / "bin", bench.tree / "lab-bin"],
                    hide=[str(bench.tree / one) for one in build.CLOSED]
                    ).output
            else:
                _, said = build.in_stage(bench.tree, stage,
                                         [python, "-c", READS % paths])
            check("tried" in said and "reached" not in said,
                  f"{stage}: {said}")


# What the loader is asked to load into the practice server, which nobody may
# read: it is made of the reference.
LOADED = """
#include <stdio.h>
__attribute__((constructor)) static void first(void)
{
    puts("within the server");
    fflush(stdout);
}
"""
LOADS = """
    char text[4096];
    int fd = memfd_create("loaded", 0);
    (void)!write(fd, code, sizeof code);
    snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
    setenv("LD_PRELOAD", text, 1);
    snprintf(text, sizeof text, "%s/triptych-origin", getenv("LAB_BIN"));
    execl(text, text, "--help", NULL);
    _exit(1);
"""


def case_nothing_gets_into_the_server(place):
    source_file, code = Path(place) / "loaded.c", Path(place) / "loaded.so"
    source_file.write_text(LOADED)
    subprocess.run(["gcc", "-shared", "-fPIC", source_file, "-o", code],
                   check=True)
    above = "static const unsigned char code[] = {" + \
        ",".join(map(str, code.read_bytes())) + "};\n"
    with grade.Bench(THREADS, base=BASE,
                     rest=labs.reference_files) as bench:
        test = THREADS.test("thousands_of_items")
        said = bench.put({QUEUE: queue_with(LOADS, above)}, [test])
        check(not said, said)
        said = bench.run(test).output
        check("--port" in said and "within" not in said, said)


# It waits until the test's process has given its word back, and ends it before
# what is left behind has been looked for.
ENDS_EARLY = """
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static void *end_early(void *unused)
{
    struct stat status;
    int fd = 3;
    while (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode))
        fd++;
    while (fstat(fd, &status) == 0)
        ;
    _exit(0);
    return unused;
}
"""


def case_an_end_before_leaks_are_found(_):
    lab = labs.lab("protocol")
    file = "common/http.c"
    text = labs.reference_files(lab)[file]
    old = source.find(text, "http_start")
    text = text[:old.start] + ENDS_EARLY + text[old.start:old.body + 2] + \
        "    static pthread_t thread;\n" \
        "    if (thread == 0)\n" \
        "        pthread_create(&thread, NULL, end_early, NULL);\n" \
        "    *(volatile char *)malloc(77) = 1;\n" + text[old.body + 2:]
    with grade.Bench(lab, base=build.shared_base(lab),
                     rest=labs.reference_files) as bench:
        test = lab.test("nothing_leaks")
        check(not bench.put({file: text}, [test]), "it does not compile")
        result = bench.run(test)
        check(not result.passed and "leak" in result.observed, str(result))


# The same for a thread that nobody has joined: ThreadSanitizer looks for it at
# the process's end, which is another program's then. By a signal, or by a
# thread, which is detached.
BECOMES_ANOTHER = """
#include <sys/stat.h>
#include <sys/time.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int end = 3;

static void become_another(int number)
{
    char path[4096];
    (void)number; /* ThreadSanitizer would see a use of the descriptor */
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", end);
    if (access(path, F_OK) == 0)
        return;
    (void)snprintf(path, sizeof path, "%s/triptych-origin", getenv("LAB_BIN"));
    (void)execl(path, path, "--version", NULL);
}

static void find_the_end(void)
{
    struct stat status;
    while (fstat(end, &status) != 0 || !S_ISSOCK(status.st_mode))
        end++;
}
"""
BY_A_SIGNAL = """
static void begin_early(void)
{
    const struct itimerval often = {{0, 300}, {0, 300}};
    find_the_end();
    (void)signal(SIGALRM, become_another);
    (void)setitimer(ITIMER_REAL, &often, NULL);
}
"""
BY_A_THREAD = """
static void *watch(void *unused)
{
    for (;;)
        become_another(0);
    return unused;
}

static void begin_early(void)
{
    pthread_t thread;
    find_the_end();
    pthread_create(&thread, NULL, watch, NULL);
    pthread_detach(thread);
}
"""


def case_an_end_before_threads_are_found(_):
    one = labs.mistake(39)
    text = labs.with_mistake(labs.reference_files(THREADS)[one.file], one)
    test = THREADS.test(one.caught_by)
    with grade.Bench(THREADS, base=BASE,
                     rest=labs.reference_files) as bench:
        for above in BY_A_THREAD, BY_A_SIGNAL:
            old = source.find(text, "pool_open")
            said = bench.put({one.file: text[:old.start] + BECOMES_ANOTHER +
                              above + text[old.start:old.body + 2] +
                              "    begin_early();\n" + text[old.body + 2:]},
                             [test])
            check(not said, said)
            result = bench.run(test)
            check(not result.passed, f"{above}: {result}")


def case_the_explorers_tables_name_lines(_):
    one = labs.mistake(3)
    text = labs.with_mistake(REFERENCE, one)
    with grade.Bench(THREADS, base=BASE,
                     rest=labs.reference_files) as bench:
        test = THREADS.test(one.caught_by)
        bench.put({QUEUE: text}, [test])
        said = bench.run(test).observed
        check(re.search(r"queue\.c:\d+ queue_take", said), said)


def case_names_of_the_grader(_):
    """A student's functions of the names of others' stay the student's."""
    above = """
void lab_fail(const char *a, const char *b, const char *c, ...);
void lab_fail(const char *a, const char *b, const char *c, ...)
{
    (void)a, (void)b, (void)c;
    _exit(0);
}
ssize_t write(int fd, const void *p, size_t n)
{
    (void)fd, (void)p;
    return (ssize_t)n;
}
"""
    with grade.Bench(THREADS, base=BASE,
                     rest=labs.reference_files) as bench:
        bench.put({QUEUE: queue_with("return -5;", above)}, [ORDER])
        result = bench.run(ORDER)
        check(not result.passed and result.state == "failed" and
              result.look, str(result))


def case_stubs_are_named(_):
    """Who has written one function is told which are not written."""
    files = labs.skeleton_files(THREADS)
    named = grade.stubs(files, THREADS)
    check({"queue_put", "pool_free"} <= set(named), str(named))
    files[QUEUE] = queue_with("return 0;")
    check(not any(n.startswith("queue_") for n in grade.stubs(files, THREADS)),
          str(grade.stubs(files, THREADS)))
    check(grade.stubs(labs.reference_files(THREADS), THREADS) == [], "the reference")


def case_links_and_missing_files(_):
    with tempfile.TemporaryDirectory() as place:
        one = folder.new(THREADS, Path(place) / "one")
        (one / QUEUE).unlink()
        (one / QUEUE).symlink_to("/etc/passwd")
        (one / "threads/pool.h").unlink()
        files, missing, _ = grade.handed_in(one, THREADS)
        check(set(missing) == {QUEUE, "threads/pool.h"}, str(missing))
        check("a link" in missing[QUEUE], missing[QUEUE])
        check("root:" not in str(files), "the link was followed")


# --- What it makes ------------------------------------------------------------

def case_folders_build_alone(_):
    """Each lab's solution, as a student's folder: CMake, the public tests. Two
    of them by lot, all with --whole."""
    built = [lab for lab in labs.labs() if lab.kind == "programs"]
    if not WHOLE:
        built = random.sample(built, 2)
        print(f"built alone: {', '.join(lab.name for lab in built)}")
    for lab in built:
        with tempfile.TemporaryDirectory() as place:
            where = folder.solution(lab, Path(place) / "solution")
            for command in (["cmake", "--preset", "dev"],
                            ["cmake", "--build", "--preset", "dev", "-j2"],
                            ["ctest", "--preset", "dev"]):
                done = subprocess.run(command, cwd=where, text=True,
                                      capture_output=True, check=False)
                check(done.returncode == 0 and "warning:" not in done.stdout,
                      f"{lab.name}: {command}: {done.stdout[-3000:]}"
                      f"{done.stderr[-1000:]}")
            by_hand(where, lab)
            count = re.search(r"out of (\d+)", done.stdout)
            public = [t for t in lab.tests if t.public]
            check(count and int(count[1]) == len(public),
                  f"{lab.name}: {count} tests, not {len(public)}")


def case_the_comparison_has_a_solution(_):
    lab = labs.lab("comparison")
    with tempfile.TemporaryDirectory() as place:
        student, right = Path(place) / "student", Path(place) / "right"
        folder.new(lab, student)
        tool("solution", "comparison", right)
        for where, points in ((student, 0), (right, 100)):
            graded = json.loads(tool("grade", where, "--format",
                                     "json").stdout)
            check(graded["score"] == points, f"{where}: {graded['score']}")
        check(sorted(os.listdir(student)) == sorted(os.listdir(right)),
              f"{os.listdir(right)}")


def case_a_container_to_work_in(_):
    """Each folder has one, made of Debian's packages for any machine; the
    repository's has what building and testing need."""
    run = (labs.ROOT / "run").read_text()
    for lab in labs.labs():
        with tempfile.TemporaryDirectory() as place:
            where = folder.new(lab, Path(place) / "student")
            check_container(where, package.NEEDED.split())
    if (labs.ROOT / ".devcontainer").is_dir():
        wanted = " ".join(re.findall(
            r'^for_(?:building|testing|labs)="([^"]*)"', run, re.M))
        wanted = wanted.replace("\\\n", "").replace(
            "$clang_rt", "libclang-rt-14-dev")
        check_container(labs.ROOT, wanted.split())


def check_container(where, wanted):
    said = json.loads((where / ".devcontainer/devcontainer.json").read_text())
    made = "\n".join(line for line in (where / ".devcontainer" / said["build"][
        "dockerfile"]).read_text().splitlines() if line[:1] != "#") + "\n"
    check(f"\nUSER {said['remoteUser']}\n" in made and
          made.startswith("FROM debian:bookworm-slim\n"), made)
    check(not re.search("amd64|x86|arm64|aarch64|https?:|--platform", made),
          "it is for one machine alone")
    missing = {*wanted} - {*made.split()}
    check(not missing, f"{where}: the container lacks {missing}")


def by_hand(where, lab):
    """One test of each program as the hand-outs start it: it finds what it
    needs by itself."""
    public = {t.program: t.name for t in lab.tests if t.public}
    for program, test in public.items():
        explored = lab.program(program).build == "explore"
        done = subprocess.run(
            [f"build/dev/{program}", *([test] if explored else [])],
            cwd=where, env={"PATH": os.environ["PATH"], "LAB_TEST": test},
            text=True, capture_output=True, check=False, timeout=PATIENCE)
        check(done.returncode == 0, f"{lab.name}: {program}, {test}: "
              f"{done.stdout}{done.stderr}")


def case_hidden_tests_stay_hidden(_):
    for lab in labs.labs():
        if lab.kind != "programs":
            continue
        text = "".join(folder.public_tests(lab).values())
        for test in lab.tests:
            there = f'"{test.name}"' in text
            check(there == test.public, f"{lab.name}: {test.name}")


def case_existing_folders_are_kept(_):
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "work").write_text("of weeks")
        done = tool("new", "threads", place, status=2)
        check("not empty" in done.stderr, done.stderr)
        check(os.listdir(place) == ["work"], "something was written")


def case_mistakes_in_using_it(_):
    for arguments, says in (
            (("new", "thread", "/nowhere"), "there is no lab 'thread'"),
            (("hunt", "999", "/nowhere"), "there is no mistake 999"),
            (("grade", "/nowhere"), "not a folder"),
            (("grade", "/tmp"), "--lab"),
            (("frobnicate",), "invalid choice")):
        done = tool(*arguments, status=2)
        check(says in done.stderr, f"{arguments}: {done.stderr}")


def case_a_hunt(_):
    one = labs.mistake(4)
    with tempfile.TemporaryDirectory() as place:
        where = Path(place) / "hunt"
        tool("hunt", "4", where)
        handed_out = (where / "HANDOUT.md").read_text()
        check(one.symptom.split(".")[0] in handed_out.replace("\n> ", " "),
              "the symptom is not handed out")
        check("Mistake" not in (where / one.file).read_text(),
              "the mistake is given away")
        before = json.loads(tool("grade", where, "--base", BASE, "--format",
                                  "json").stdout)
        own = before["tests"][0]
        check(own["score"] == 0 and own["name"] == one.caught_by, str(own))
        check(before["score"] == 0, f"untouched: {before['score']}")
        check(any(t["passed"] for t in before["tests"]), "no other test passes")
        shutil.copy(labs.ROOT / one.file, where / one.file)
        after = json.loads(tool("grade", where, "--base", BASE, "--format",
                                  "json", "--test", own["name"]).stdout)
        check(after["score"] == after["points"] > 0,
              f"mended: {after['score']} of {after['points']}")


def case_solutions_have_all_functions(_):
    """A solution in another style stands in for the files it has: whatever
    the rooms ask of those, which may have grown since. (That it passes is for
    ./run labs.)"""
    def seen(text):
        return {name for name, code in source.definitions(text)
                if not code.startswith("static ")}
    for lab in labs.labs():
        files = labs.reference_files(lab) if lab.kind == "programs" else {}
        for one in labs.solutions(lab.name):
            own = labs.solution_files(one, lab)
            missing = set().union(*(seen(files[f]) for f in own)) \
                - set().union(*(seen({**files, **own}[f]) for f in files))
            check(not missing, f"{one.name} has no {missing}")


def case_the_matrix_is_of_these_mistakes(_):
    """The table in the documentation: every mistake, caught by its own."""
    text = (HERE / "MATRIX.md").read_text()
    for one in labs.mistakes():
        row = next((line for line in text.splitlines()
                    if line.startswith(f"| {one.number}: {one.title} |")), "")
        check("**X**" in row, f"mistake {one.number} is not in MATRIX.md: "
              "./run labs --write tests/lab/MATRIX.md")
        check(f"`{one.caught_by}`" in text, f"{one.caught_by}: not there")


def case_the_matrix_knows_what_did_not_run(_):
    """On a busy machine the time for all tests may be up early: of a mistake
    that hangs no more is known then; what is right must not meet it."""
    late = grade.new_grades(THREADS, None).results[0]
    late.observed = grade.TIME_IS_UP
    for kind in ("mistake", "reference"):
        row = matrix.Row(kind, "x", "threads")
        matrix.note(row, late)
        check(bool(row.wrong) == bool(row.failed) == (kind != "mistake"),
              f"{row}")


# --- What it says -------------------------------------------------------------

def case_the_man_page_has_all(_):
    """Each command, and each of its options, as --help has them; no other.
    (The completion asks --help.)"""
    page = (HERE / "triptych-lab.1.in").read_text().replace("\\-", "-")
    heads = dict(re.findall(r'^\.SH "?OPTIONS OF ([A-Z-]+)"?\n(.*?)(?=^\.SH)',
                            page, re.M | re.S))
    commands = re.findall(r"^    ([a-z-]+)", tool("--help").stdout, re.M)
    check(len(commands) > 9, str(commands))
    described = page[page.index(".SH COMMANDS"):]
    for command in commands:
        check(re.search(rf"^\.TP\n\.[BIR]+ {command}\b", described, re.M),
              f"{command} is not in the manual page")
        said = {*re.findall(r"--[a-z]+", tool(command, "--help").stdout)}
        said -= {"--help"} if command == "grade" else {"--help", "--base"}
        there = {*re.findall(r"^\.B[I]? (--[a-z]+)",
                             heads.pop(command.upper(), ""), re.M)}
        check(said == there, f"{command}: --help has {sorted(said - there)}, "
              f"the manual page {sorted(there - said)}")
    check(not heads, f"options of no command: {sorted(heads)}")


def some_grades():
    """Of a lab in which one test passes and another does not."""
    good = grade.Result("a", "queue", "Good", 3, True, True, "passed")
    bad = grade.Result("b", "queue", "Bad", 4, True, False, "failed",
                       "saw \"3\" & <4>", "a meaning", "a place")
    grades = grade.Grades("threads", "Title", {"queue": "The queue"},
                          [good, bad], stubs=["queue_put", "queue_take"],
                          isolation="another user", warning="Mind that.")
    grades.finished = True
    return grades


def case_formats(_):
    from triptych_lab import report
    grades = some_grades()
    text = report.as_text(grades)
    for part in ("3 of 7", "FAIL", "saw \"3\"", "a meaning", "a place",
                 "queue_put, queue_take"):
        check(part in text, f"{part!r} is not in the text")
    not_built = some_grades()
    for one in not_built.results:
        one.passed, one.state = False, "not built"
    for make in report.FORMATS.values():
        for one in grades, not_built:
            said = make(one)
            check("another user" in said and "Mind that." in said, said)
    scope = json.loads(report.as_gradescope(grades))
    check(scope["score"] == 3 and [t["status"] for t in scope["tests"]] ==
          ["passed", "failed"], str(scope))
    check(all(isinstance(t["number"], str) for t in scope["tests"]),
          "numbers are strings")
    check("a place" in scope["tests"][1]["output"], str(scope))
    check("queue_put, queue_take" in scope["output"], str(scope))
    os.environ.update(CLASSROOM="c1", SUBMISSION_TAG="s1")
    room = json.loads(report.as_classroom50(grades))
    check(room["schema"] == "classroom50/result/v1" and room["score"] == 3
          and room["max-score"] == 7 and room["classroom"] == "c1"
          and room["submission"] == "s1", str(room))
    check(room["tests"][1] == {"test-name": "Bad", "passed": False,
                               "score": 0, "max-score": 4}, str(room))
    tap = report.as_tap(grades).splitlines()
    rows = [line for line in tap if not line.startswith("#")]
    check(rows[1] == "1..2" and rows[2].startswith("ok 1 - ") and
          rows[3].startswith("not ok 2 - "), str(tap))
    check("queue_put, queue_take" in tap[2], str(tap))


HARMFUL = "\x1b[2J\x1b]0;title\x07\r::error::one\n  ::add-mask::two\n" \
    "\x0b::warning::three\n\u2028::notice::four\n##[error]five\n" \
    "\x85\u202e\u200b\ufeff::debug::six\n\0 and more"


def strings(value):
    """All of what a JSON text holds."""
    if isinstance(value, dict):
        return [s for one in value.values() for s in strings(one)]
    if isinstance(value, list):
        return [s for one in value for s in strings(one)]
    return [value] if isinstance(value, str) else []


def check_harmless(text, where):
    for line in text.split("\n"):
        bad = [c for c in line if c != "\t" and not c.isprintable()]
        check(not bad, f"{where}: {bad} in {line!r}")
        check(not line.strip().startswith("::") and "##[" not in line,
              f"{where}: a command: {line!r}")


def case_text_of_a_student_is_harmless(_):
    """In every format: what it printed, what a test says that it saw, what the
    compiler said of it; and not without end."""
    from triptych_lab import report
    code = "".join(f"\\{b:03o}" for b in HARMFUL.encode())
    # Into the page that is shared with the judge: FAILED, its child, the text.
    page = 'static const char text[] = "%s"; FILE *maps = ' \
        'fopen("/proc/self/maps", "r"); char line[512]; long at; ' \
        'while (fgets(line, sizeof line, maps) != NULL) if (strstr(line, ' \
        '" rw-s ") != NULL && sscanf(line, "%%lx-", &at) == 1) { ' \
        '*(int *)at = 2; memcpy((char *)at + 8, text, sizeof text - 1); ' \
        'memcpy((char *)at + 16, text, sizeof text - 1); ' \
        'memcpy((char *)at + 2008, text, sizeof text - 1); ' \
        'memset((char *)at + 2700, 0x1b, 900); } ' % code
    printed = f'for (int i = 0; i < 9000; i++) printf("{code}\\n"); ' \
        'fflush(stdout); '
    with grade.Bench(THREADS, base=BASE,
                     rest=labs.reference_files) as bench:
        real = [THREADS.test("thousands_of_items")]
        ran = grade.grade(bench, {QUEUE: queue_with(
            printed + page + "_exit(1);")}, tests=real)
        check("error" in ran.results[0].output and "six" in
              ran.results[0].observed, str(ran.results[0])[:3000])
        broken = grade.grade(bench, {QUEUE: "#error \x1b[2J\n" + HARMFUL +
                                     "\n#line 1 \"\x1b[2J\"\nint a = b;"},
                             tests=real)
        check("error" in broken.note, broken.note)
    for grades in (ran, broken):
        for name, make in report.FORMATS.items():
            said = make(grades)
            check(len(said) < 100_000, f"{name}: {len(said)} characters")
            for text in strings(json.loads(said)) if said[0] == "{" \
                    else [said]:
                check_harmless(text, name)


def case_partial_results(_):
    """Killed in the middle, the grader leaves what it knows: here it hangs
    when the queue's tests have passed."""
    pool = labs.reference_files(THREADS)["threads/pool.c"]
    with tempfile.TemporaryDirectory() as place:
        where, out = Path(place) / "one", Path(place) / "results.json"
        folder.solution(THREADS, where)
        text = queue_with("for (;;) pause();", name="pool_submit",
                          reference=pool)
        (where / "threads/pool.c").write_text(text)
        process = subprocess.Popen(
            [TOOL, "grade", where, "--base", BASE, "--format", "gradescope",
             "--output", out], env=by_oneself(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        some = {}
        while time.monotonic() < end and some.get("score", 0) == 0:
            time.sleep(0.05)
            if out.exists():
                some = json.loads(out.read_text())
        process.send_signal(signal.SIGINT)
        process.wait()
        check(some.get("score", 0) > 0, "nothing was written on the way")
        check(len(some["tests"]) == len(THREADS.tests), "tests are missing")


def case_a_killed_grader(_):
    """Killed, the grader takes with it what it was running."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        where = folder.solution(THREADS, Path(place) / "one")
        (where / QUEUE).write_text(queue_with("for (;;) pause();"))
        said = Path(place) / "said"
        with open(said, "wb") as file:
            process = subprocess.Popen(
                [TOOL, "grade", where, "--base", BASE,
                 "--test", "thousands_of_items"],  # which ends by nothing else
                env=by_oneself(TMPDIR=place), stdout=file, stderr=file)
        end = time.monotonic() + PATIENCE
        running = []
        while time.monotonic() < end and not running and \
                process.poll() is None:
            time.sleep(0.05)
            running = processes_of(place)
        process.kill()
        process.wait()
        check(running, f"no test ever ran: {said.read_text()[-3000:]}")
        while time.monotonic() < end and processes_of(place):
            time.sleep(0.05)
        check(not processes_of(place), f"left: {processes_of(place)}")


# --- Through sudo -------------------------------------------------------------

TOKEN = "ghp_that_nobody_is_to_see"
# It looks for the token, and goes on overwriting the result for ever.
OVERWRITES = r"""
    for (int p = 1; p < 70000; p++) {
        char path[64], text[20000];
        snprintf(path, sizeof path, "/proc/%%d/environ", p);
        FILE *file = fopen(path, "r");
        size_t n = file != NULL ? fread(text, 1, sizeof text, file) : 0;
        if (file != NULL)
            fclose(file);
        if (memmem(text, n, "ghp_", 4) != NULL)
            printf("token seen\n");
    }
    printf("uid %%d\n", (int)getuid());
    printf("sudo gives %%d\n", system("sudo -n true"));
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (;;) {
                int fd = open("%(result)s", O_CREAT | O_WRONLY | O_TRUNC, 0666);
                (void)!write(fd, "{}", 2);
                close(fd);
                usleep(1000);
            }
        }
    }
    _exit(0);
"""


def with_sudo(own, *arguments):
    """What the tool, in a tree that the user can read, says to one who has
    sudo; None: nobody can be made one."""
    if os.geteuid() != 0 or not users.has_sudo():
        print("  NOT TRIED: it takes root, who makes the user, and sudo",
              flush=True)
        return None
    own.chmod(0o777)
    tree = users.copied_tree(labs.ROOT, own / "triptych")
    with tempfile.TemporaryDirectory(prefix="sudo-") as place:
        return subprocess.run(
            users.with_sudo(place, users.python(
                tree / "tests/lab/triptych-lab", *arguments)),
            env={"PATH": users.PATH, "GITHUB_TOKEN": TOKEN}, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=PATIENCE)


def case_through_sudo(_):
    """A runner whose user has sudo: the code is another user's, has no token,
    and the result stays what the grader wrote."""
    with tempfile.TemporaryDirectory(prefix="runner-") as name:
        own = Path(name)
        result = own / "result.json"
        where = folder.solution(THREADS, own / "one")
        (where / QUEUE).write_text("#include <stdlib.h>\n" + queue_with(
            OVERWRITES % {"result": result}))
        done = with_sudo(own, "grade", where, "--lab", "threads", "--base",
                         BASE, "--test", "thousands_of_items", "--format",
                         "json", "--output", result)
        if done is None:
            return
        check(done.returncode == 0, f"{done.stdout}{done.stderr}")
        written = json.loads(result.read_text())
        said = written["tests"][0]["output"]
        check(written["isolation"] == "namespaces" and written["score"] == 0
              and written["finished"], str(written)[:3000])
        check("uid" in said and "uid 0\n" not in said and
              f"uid {users.WITH_SUDO}" not in said and
              "token seen" not in said and "sudo gives 0" not in said, said)
        check(result.stat().st_uid == users.WITH_SUDO, "the result is root's")
        time.sleep(0.3)
        check(json.loads(result.read_text()) == written, "it was overwritten")


def case_a_class_through_sudo(_):
    """Whatever is left of it is the user's who asked for it."""
    with tempfile.TemporaryDirectory(prefix="class-") as name:
        own = Path(name)
        folder.new(labs.lab("comparison"), own / "all/ada")
        made = own / "made"
        done = with_sudo(own, "grade-all", own / "all", "--lab", "comparison",
                         "--csv", own / "all.csv", "--html", own / "all.html",
                         "--state", made / "state")
        if done is None:
            return
        check(done.returncode == 0 and "ada" in (own / "all.csv").read_text(),
              f"{done.stdout}{done.stderr}")
        left = [own / "all.csv", own / "all.html", made, *made.rglob("*")]
        check(len(left) == 5, f"{left}")
        for path in left:
            check(path.stat().st_uid == users.WITH_SUDO, f"{path} is root's")


# --- Packages -----------------------------------------------------------------

def case_gradescope_package(_):
    """Laid out as that service does: a zip, setup.sh, run_autograder."""
    with tempfile.TemporaryDirectory(prefix="autograder-") as place:
        home = Path(place)
        home.chmod(0o755)
        tool("package", "gradescope", PACKED[0], "--output", home / "a.zip")
        with zipfile.ZipFile(home / "a.zip") as package:
            names = package.namelist()
            check({"setup.sh", "run_autograder"} <= set(names), str(names[:5]))
            package.extractall(home / "source")
            for info in package.infolist():
                (home / "source" / info.filename).chmod(
                    info.external_attr >> 16 & 0o777)
        folder.solution(labs.lab(PACKED[0]), home / "submission")
        for script in ("setup.sh", "run_autograder"):
            done = subprocess.run(
                [home / "source" / script], cwd="/", text=True,
                env={"PATH": os.environ["PATH"],
                     "AUTOGRADER_HOME": str(home)},
                capture_output=True, check=False, timeout=PATIENCE)
            check(done.returncode == 0,
                  f"{script}: {done.stdout}{done.stderr}")
        result = json.loads((home / "results/results.json").read_text())
        check(result["score"] == 100, f"{result['score']}: {result['output']}")
        # The tests and the solution lie there, and what others got.
        for name in ("source", "results"):
            mode = (home / name).stat().st_mode & 0o777
            check(mode == 0o700, f"{name}: others may look: {mode:o}")


def packed(place, *arguments):
    """A package for Gradescope, unpacked."""
    tool("package", "gradescope", *arguments, "--output", place / "a.zip")
    with zipfile.ZipFile(place / "a.zip") as package:
        package.extractall(place / "source")
    return place / "source"


def case_packages_have_the_mistakes_that_they_need(_):
    """The skeleton of one lab has a mistake in it: what is not handed in is
    graded as that. A hunt's mistake is packed; the others are not."""
    with tempfile.TemporaryDirectory(prefix="autograder-") as place:
        home = Path(place)
        home.chmod(0o755)
        source = packed(home, "--hunt", "4")
        mine = sorted(p.name[:2] for p in source.rglob("mistakes/*.c"))
        check(mine == ["04", "36"], str(mine))
        check("--hunt 4 " in (source / "run_autograder").read_text(),
              "it does not grade the hunt")
        packed_tool = source / "triptych/tests/lab/triptych-lab"
        packed_tool.chmod(0o755)
        (home / "empty").mkdir()
        for what in ("--lab", "threads"), ("--hunt", "4"):
            done = subprocess.run(
                [packed_tool, "grade", home / "empty", *what, "--base", BASE,
                 "--format", "json", "--test", labs.mistake(4).caught_by],
                capture_output=True, text=True, stdin=subprocess.DEVNULL,
                timeout=PATIENCE, check=False)
            check(done.returncode == 0, f"{what}: {done.stderr}")
            result = json.loads(done.stdout)
            check(result["score"] == 0 and "not handed in" in result["note"],
                  f"{what}: {result['score']}: {result['note']}")
    done = tool("package", "gradescope", "evloop", "--hunt", "4", status=2)
    check("mistake 4 is one of the lab threads" in done.stderr, done.stderr)
    done = tool("package", "autolab", "--hunt", "4", status=2)
    check("a bug hunt can be packed for" in done.stderr, done.stderr)
    check("name a lab" in tool("package", "gradescope", status=2).stderr,
          "no lab was named")


def case_classroom50_package(_):
    """autograder.py runs in the student's checkout."""
    with tempfile.TemporaryDirectory(prefix="checkout-") as place:
        program = Path(place) / "autograder.py"
        lab = labs.lab(PACKED[1])
        tool("package", "classroom50", lab.name, "--output", program)
        where = folder.new(lab, Path(place) / "student")
        done = subprocess.run(
            [sys.executable, program], cwd=where, text=True,
            env=dict(os.environ, CLASSROOM="c1", ASSIGNMENT="a1"),
            capture_output=True, check=False, timeout=PATIENCE)
        check(done.returncode == 0, f"{done.stdout}{done.stderr}")
        result = json.loads((where / "result.json").read_text())
        check(result["score"] == 0 and result["max-score"] == 100 and
              result["assignment"] == "a1" and
              len(result["tests"]) == len(lab.tests), str(result)[:800])
        for part in ("Still stubs", "Observed:", "Probably:", "Look at:"):
            check(part in done.stdout, f"{part!r} is not printed:\n"
                  f"{done.stdout[:2000]}")


# --- The puzzles ----------------------------------------------------------------

PUZZLES = labs.lab("puzzles")
# Programs that cannot fail, since what they are there for is gone.
LEFT_OUT = {
    "counters": "void count(bool hit) { (void)hit; }\n"
                "int counted(bool hit) { return hit ? 2 : 1; }",
    "wake_up": "void wait_ready(void) {}\nvoid make_ready(void) {}",
    "locks": "void transfer(int a, int b, int n) { (void)a, (void)b, (void)n; }"
             "\nint money(int a) { return a == 0 ? 98 : 102; }",
    "philosophers":
        "#include <pthread.h>\n"
        "static pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;\n"
        "void take_forks(int i) { (void)i, pthread_mutex_lock(&all); }\n"
        "void put_forks(int i) { (void)i, pthread_mutex_unlock(&all); }",
    "readers":
        "#include <pthread.h>\n"
        "static pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;\n"
        "void begin_read(void) { pthread_mutex_lock(&all); }\n"
        "void end_read(void) { pthread_mutex_unlock(&all); }\n"
        "void begin_write(void) { pthread_mutex_lock(&all); }\n"
        "void end_write(void) { pthread_mutex_unlock(&all); }",
    "barrier": "void meet(void) {}",
    "buffer": "static _Atomic int n;\nvoid put(int i) { (void)i; }\n"
              "int take(void) { return ++n; }",
    "once": "int get(int (*compute)(void)) { (void)compute; return 42; }",
    "turnstile": "void insert_coin(void) {}\nvoid pass(void) {}\n"
                 "int coins_left(void) { return 0; }"}


def case_puzzles(_):
    """The answers are what the explorer finds; and leaving out is no mending."""
    answers = {name: answer for name, answer in re.findall(
        r"predict_(\w+)\(void\)\n\{\n    return \(struct prediction\)"
        r"\{(\w+, \d+)", labs.reference_files(PUZZLES)["puzzles/predictions.c"])}
    check(len(answers) == 10, str(answers))
    with grade.Bench(PUZZLES, base=build.shared_base(PUZZLES)) as bench:
        bench.put(labs.skeleton_files(PUZZLES), [PUZZLES.test("counters")])
        for name, answer in answers.items():
            done = subprocess.run([bench.tree / "bin/puzzles", name],
                                  capture_output=True, text=True, check=False,
                                  timeout=PATIENCE)
            found = re.search(r"^Preemptions: (\d+)$", done.stdout, re.M)
            found = f"FAILS, {found[1]}" if found else "NEVER_FAILS, 0" \
                if "all there are" in done.stdout else done.stdout
            check(found == answer, f"{name}: {answer} in predictions.c, and "
                  f"the explorer says {found}")
        tests = [PUZZLES.test(name) for name in LEFT_OUT]
        check(len(tests) == sum(t.part == "mend" for t in PUZZLES.tests),
              "a puzzle is not tried")
        graded = grade.grade(bench, {
            f"puzzles/{name}.c": f'#include "puzzles.h"\n{text}\n'
            for name, text in LEFT_OUT.items()}, tests=tests)
        for one in graded.results:
            check(one.state == "failed", f"{one.name}: {one.state}: "
                  f"{one.observed} {graded.note}")


def case_mutants_are_graded(_):
    """A mutant is caught by a test; a run that goes on grades none twice."""
    lab = labs.lab("threads")
    tests = [replace(lab.test("closed_takes_nothing_more"), limit=5)]
    part = replace(lab.parts[0], cut={"threads/queue.c": ["queue_close"]},
                   remove={})
    lab = replace(lab, parts=[part], tests=tests)
    graded = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            made = mutation.of_lab(
                lab, Path(folder), lambda lab, one, *_: graded.append(one),
                workers=1, sample=6, seed=1, base=BASE)
    check(len(graded) == made.all > 0, f"{len(graded)} of {made.all}")
    check(made.survivors and made.caught, "one test catches some of the "
          f"mutants of queue_close, not all: {made}")
    check(made.caught + len(made.survivors) == made.all, f"{made}")


if BASE == OWN_BASE:
    tool("prepare", "threads", BASE)
sys.argv = [a for a in sys.argv if a != "--whole"]
print(f"isolation: {isolation.isolation().name}")
sys.exit(run_cases(globals()))

"""The library as others get it: installed into a folder of its own, and used
from there alone. What is installed is taken away again without a trace."""

import asyncio
import contextlib
import errno
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from runner import check, run_cases  # noqa: E402

TREE = os.path.dirname(TESTS)
BUILD = os.environ["TRIPTYCH_BIN"]
CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "c++")
WARNINGS = ["-std=c17", "-Wall", "-Wextra", "-Wshadow", "-Wconversion",
            "-Werror"]

PREAMBLE = """
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <triptych/stream.h>
"""

# Writes past the high mark into a pair of sockets, and waits for the drain.
PROGRAM = PREAMBLE + """
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static int fds[2];
static size_t got;
static char bytes[4 << 20];
static void on_done(void *arg, int error)
{
    printf("drained %d\\n", error);
    (void)event_base_loopbreak(arg);
}
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    ssize_t n = read(fd, bytes, sizeof bytes);
    (void)what, (void)arg;
    got += n > 0 ? (size_t)n : 0;
}
int main(void)
{
    struct event_base *base = event_base_new();
    struct stream_waiter waiter = {.done = on_done, .arg = base};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
        return 1;
    struct bufferevent *bev = bufferevent_socket_new(base, fds[0], 0);
    struct stream *s = stream_new(bev);
    struct event *reader = event_new(base, fds[1], EV_READ | EV_PERSIST,
                                     on_readable, NULL);
    printf("%d %d\\n", stream_write(s, "x", 1), stream_drain(s, &waiter));
    printf("%d ", stream_write(s, bytes, sizeof bytes));
    printf("%d\\n", stream_drain(s, &waiter) == STREAM_WAITS);
    (void)event_add(reader, NULL);
    (void)event_base_dispatch(base);
    stream_free(s);
    bufferevent_free(bev);
    event_free(reader);
    event_base_free(base);
    return 0;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.22)
project(user C)
foreach(library stream coroutine)
  foreach(asked 2.0 0.9 1.99 "1.0;COMPONENTS;nonsense")
    find_package(triptych-${library} ${asked} QUIET)
    if(triptych-${library}_FOUND)
      message(FATAL_ERROR "${library} ${asked} was found")
    endif()
  endforeach()
  find_package(triptych-${library} 1.0 REQUIRED)
  add_executable(${library}-shared ${library}.c)
  target_link_libraries(${library}-shared PRIVATE triptych::${library})
  add_executable(${library}-static ${library}.c)
  target_link_libraries(${library}-static PRIVATE triptych::${library}_static)
endforeach()
"""


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          **more)
    check(done.returncode == 0,
          f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def install(directory):
    """What libtriptych-dev and the library's package hold; moved away from
    where it was installed, and to a name with a space."""
    first = os.path.join(directory, "first")
    for component in ("libtriptych-dev",
                      *(f"libtriptych-{name}1" for name in LIBRARIES)):
        run("cmake", "--install", BUILD, "--prefix", first,
            "--component", component)
    prefix = os.path.join(directory, "usr local")
    os.rename(first, prefix)
    return prefix


def library_folder(prefix):
    for folder, _, files in os.walk(prefix):
        if "libtriptych-stream.so.1" in files:
            return folder
    raise AssertionError("libtriptych-stream.so.1 is not installed")


def environment(prefix):
    lib = library_folder(prefix)
    return dict(os.environ, LD_LIBRARY_PATH=lib, CMAKE_PREFIX_PATH=prefix,
                PKG_CONFIG_PATH=os.path.join(lib, "pkgconfig"))


def flags(prefix, library, *options):
    return shlex.split(run("pkg-config", *options, f"triptych-{library}",
                           env=environment(prefix)))


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


EXPECTED = "0 0\n0 1\ndrained 0\n"

# Two coroutines wait at once, in a group.
COROUTINES = """
#include <event2/event.h>
#include <stdio.h>
#include <triptych/coroutine.h>
#include <triptych/group.h>
static int64_t begun;
static int wait_for(void *arg)
{
    const int *ms = arg;
    int error = await_time(begun + *ms * 1000);
    printf("%d ", *ms);
    return error;
}
static int both(void *arg)
{
    static int times[] = {20, 10};
    struct coroutine_group group;
    (void)arg;
    begun = coroutine_now();
    group_open(&group);
    for (int i = 0; i < 2; i++)
        (void)group_start(&group, wait_for, &times[i]);
    return await_group(&group, COROUTINE_NEVER);
}
int main(void)
{
    struct coroutines *coroutines;
    struct event_base *base = event_base_new();
    if (coroutines_open(&coroutines, base) != 0)
        return 1;
    printf("%d\\n", coroutines_run(coroutines, both, NULL));
    coroutines_close(coroutines);
    event_base_free(base);
    return 0;
}
"""

# Each library: a program, what it prints, the headers.
LIBRARIES = {
    "stream": (PROGRAM, EXPECTED, ["evloop/stream.h"]),
    "coroutine": (COROUTINES, "10 20 0\n",
                  [f"evloop/coroutines/{name}.h"
                   for name in ("coroutine", "group", "aside")]),
}


def case_pkg_config_shared_and_static(directory):
    """A program is built with nothing of the source tree, and runs."""
    prefix = install(directory)
    for library, (text, expected, _) in LIBRARIES.items():
        source = write(directory, "user.c", text)
        program = os.path.join(directory, "user")
        run(CC, *WARNINGS, "-MD", source, "-o", program,
            *flags(prefix, library, "--cflags", "--libs"))
        with open(program + ".d", encoding="utf-8") as file:
            check(TREE not in file.read().replace(directory, ""),
                  "it took a header of the source tree")
        check(run(program, env=environment(prefix)) == expected, "shared")
        needs = run("objdump", "-p", program)
        check(f"libtriptych-{library}.so.1" in needs, f"not linked: {needs}")
        archive = os.path.join(library_folder(prefix),
                               f"libtriptych-{library}.a")
        run(CC, *WARNINGS, source, archive, "-o", program, "-pthread",
            *flags(prefix, library, "--cflags"),
            *run("pkg-config", "--libs", "libevent").split())
        check(run(program) == expected, "static")


def case_fully_static(directory):
    """What pkg-config says is all that a static program needs."""
    prefix = install(directory)
    for library, (text, expected, _) in LIBRARIES.items():
        source = write(directory, "user.c", text)
        program = os.path.join(directory, "user")
        bare = write(directory, "bare.c",
                     "#include <event2/event.h>\n"
                     "int main(void) { return event_base_new() == NULL; }")
        try:
            run(CC, "-static", bare, "-o", program, "-levent", "-pthread")
        except AssertionError:
            print("no static libevent: left out")
            return
        run(CC, "-static", source, "-o", program,
            *flags(prefix, library, "--static", "--cflags", "--libs"))
        check(run(program) == expected, "static")


def case_headers(directory):
    """Each header stands alone, and may be included twice; in old C, in
    pedantic C, and in C++, which links."""
    prefix = install(directory)
    for library, (_, _, headers) in LIBRARIES.items():
        cflags = flags(prefix, library, "--cflags")
        for header in headers:
            name = f"#include <triptych/{os.path.basename(header)}>\n"
            source = write(directory, "alone.c", name * 2 + "extern int x;\n")
            for standard in ("c99", "c11", "gnu17"):
                run(CC, *WARNINGS[1:], f"-std={standard}", "-pedantic",
                    "-fsyntax-only", source, *cflags)
            if shutil.which(CXX) is None:
                print(f"no {CXX}: left out")
                continue
            functions = sorted(declared_in([header]))
            source = write(directory, "user.cc", name * 2 + f"""
int main(int argc, char **)
{{
    const void *all[] = {{{", ".join(
        f"reinterpret_cast<const void *>(&{f})" for f in functions)}}};
    return all[argc - 1] == nullptr;
}}
""")
            program = os.path.join(directory, "user")
            for standard in ("c++11", "c++20"):
                run(CXX, "-Wall", "-Wextra", "-Wshadow", "-pedantic",
                    "-Werror", f"-std={standard}", source, "-o", program,
                    *flags(prefix, library, "--cflags", "--libs"))
            run(program, env=environment(prefix))


def case_cmake(directory):
    prefix = install(directory)
    for library, (text, _, _) in LIBRARIES.items():
        write(directory, f"{library}.c", text)
    write(directory, "CMakeLists.txt", CMAKE)
    build = os.path.join(directory, "build")
    run("cmake", "-G", "Ninja", "-S", directory, "-B", build,
        env=environment(prefix))
    run("cmake", "--build", build)
    for library, (_, expected, _) in LIBRARIES.items():
        for kind in ("shared", "static"):
            program = os.path.join(build, f"{library}-{kind}")
            check(run(program) == expected, program)


def declared_in(headers):
    """The functions."""
    declared = set()
    for header in headers:
        with open(os.path.join(TREE, header), encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
        declared |= set(re.findall(r"^\w[\w \n]*[ *](\w+)\(", text,
                                   re.MULTILINE))
    return declared


def named_in(headers):
    """Constants, structs, and functions that the caller puts into one."""
    names = set()
    for header in headers:
        with open(os.path.join(TREE, header), encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
        names |= set(re.findall(r"^#define (\w+) +\S", text, re.MULTILINE))
        names |= set(re.findall(r"^struct (\w+) {", text, re.MULTILINE))
        names |= set(re.findall(r"^    .*\(\*(\w+)\)\(", text, re.MULTILINE))
    return names


def example_in(prefix, library):
    """The program that the man page shows."""
    path = os.path.join(prefix, f"share/man/man3/triptych_{library}.3")
    with open(path, encoding="utf-8") as file:
        shown = re.findall(r"^\.EX\n(.*?)^\.EE\n", file.read(),
                           re.DOTALL | re.MULTILINE)
    check(len(shown) == 1, f"{path}: {len(shown)} programs")
    return shown[0].replace("\\-", "-").replace("\\e", "\\")


def case_man_pages(directory):
    """Their programs build as they are shown, and do what is said of them."""
    prefix = install(directory)
    programs = {}
    for library in LIBRARIES:
        source = write(directory, f"{library}.c", example_in(prefix, library))
        programs[library] = source[:-2]
        run(CC, "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror",
            source, "-o", programs[library],
            *flags(prefix, library, "--cflags", "--libs"))
    content = bytes(range(256)) * 40000
    with subprocess.Popen([programs["coroutine"]], stdout=subprocess.PIPE,
                          env=environment(prefix)) as server:
        try:
            port = int(server.stdout.readline())
            with socket.create_connection(("127.0.0.1", port), 60) as s:
                s.sendall(b"hello")
                check(s.recv(5, socket.MSG_WAITALL) == b"hello", "no echo")
        finally:
            server.terminate()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        at = f"127.0.0.1:{listener.getsockname()[1]}"
        with subprocess.Popen([programs["stream"], at], stdin=subprocess.PIPE,
                              env=environment(prefix)) as feed:
            far, _ = listener.accept()
            threading.Thread(target=lambda: (
                feed.stdin.write(content), feed.stdin.close())).start()
            with far, far.makefile("rb") as file:
                check(file.read() == content, "not what was fed")
        check(feed.returncode == 0, f"feed: {feed.returncode}")
    done = subprocess.run([programs["stream"], at], input=b"x", check=False,
                          capture_output=True, env=environment(prefix))
    check(done.returncode == 1 and b"refused" in done.stderr, f"{done}")


def case_symbols(directory):
    """Those of the headers, all of them, and no others; each is in the man
    page."""
    lib = library_folder(install(directory))
    for library, (_, _, headers) in LIBRARIES.items():
        shared = os.path.join(lib, f"libtriptych-{library}.so")
        listed = run("nm", "-D", "--defined-only",
                     "--without-symbol-versions", shared)
        shown = {line.split()[2] for line in listed.splitlines()
                 if line.split()[1] != "A"}
        declared = declared_in(headers)
        check(shown == declared and declared, f"{shown ^ declared}")
        # Nobody can hide what an archive holds: the page names the prefixes.
        archive = run("nm", "-g", "--defined-only", os.path.join(
            lib, f"libtriptych-{library}.a"))
        prefixes = {"stream": "stream"}.get(
            library, "aside|await|condition|context|coroutines?|group")
        for name in re.findall(r" [A-Z] (\w+)$", archive, re.MULTILINE):
            check(re.match(rf"({prefixes})_|__odr_asan", name), name)
        version = run("objdump", "-p", shared)
        check(re.search(rf"SONAME +libtriptych-{library}\.so\.1\n", version),
              version)
        page = os.path.join(TREE, os.path.dirname(headers[0]),
                            f"triptych_{library}.3.in")
        with open(page, encoding="utf-8") as file:
            text = file.read()
        missing = [name for name in declared | named_in(headers)
                   if not re.search(rf"\b{name}\b", text)]
        check(not missing, f"{page} lacks {missing}")


def case_examples(directory):
    """They, and the page for those who know asyncio, build as installed."""
    prefix = install(directory)
    shared = os.path.join(prefix, "share/doc/libtriptych-dev")
    examples = os.path.join(shared, "examples")
    check(sorted(os.listdir(examples)) == ["echo.c", "relay.c"],
          "an example is more than its file")
    for name in ("relay", "echo"):
        source = os.path.join(examples, f"{name}.c")
        with open(source, encoding="utf-8") as file:
            check(len(file.readlines()) <= 150, f"{name} is long")
        run(CC, *WARNINGS, "-D_GNU_SOURCE", source,
            "-o", os.path.join(directory, f"example-{name}"),
            *flags(prefix, "stream", "--cflags", "--libs"))
    with open(os.path.join(shared, "asyncio.md"), encoding="utf-8") as file:
        blocks = re.findall(r"```c\n(.*?)```", file.read(), re.DOTALL)
    check(blocks, "the page has no C")
    source = write(directory, "page.c", PREAMBLE + "".join(blocks) + """
int main(void)
{
    struct client c = {0};
    bufferevent_setcb(c.bev, on_readable, NULL, on_event, &c);
    c.waiter.done = on_room;
}
""")
    run(CC, *WARNINGS, "-D_GNU_SOURCE", "-c", source, "-o", source + ".o",
        *flags(prefix, "stream", "--cflags"))
    run(sys.executable, os.path.join(TESTS, "library/cases_examples.py"),
        "echoes", "half_close", env=dict(environment(prefix),
                                         TRIPTYCH_BIN=directory))


async def ask_asyncio(answers):
    """What asyncio does where asyncio.md says what it does."""
    much = b"x" * (32 << 20)  # more than the kernel takes
    go_on = asyncio.Event()
    peers = []

    async def peer(reader, writer):
        peers.append(asyncio.current_task())
        await go_on.wait()
        with contextlib.suppress(OSError):
            n = len(await reader.read(-1))
            answers["arrived"] = max(n, answers.get("arrived", 0))
        writer.close()

    async def connection():
        go_on.clear()
        return await asyncio.open_connection(
            *server.sockets[0].getsockname()[:2])

    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    _, writer = await connection()
    answers["limits"] = writer.transport.get_write_buffer_limits()
    writer.write(much)
    drains = [asyncio.create_task(writer.drain()) for _ in range(2)]
    await asyncio.sleep(0)
    writer.transport.abort()
    answers["aborted"] = [await drain for drain in drains]
    answers["abort closed"] = await writer.wait_closed()

    _, writer = await connection()
    writer.write(much)
    writer.close()
    writer.write(b"y")
    go_on.set()
    await writer.wait_closed()
    while answers.get("arrived", 0) <= len(much) // 2:
        await asyncio.sleep(0.01)

    _, writer = await connection()
    writer.write_eof()
    set_limits = writer.transport.set_write_buffer_limits
    for what, call in (("eof", lambda: writer.write(b"x")),
                       ("marks", lambda: set_limits(1, 2))):
        try:
            call()
        except (RuntimeError, ValueError) as error:
            answers[what] = type(error)
    writer.transport.abort()

    reader, writer = await connection()
    writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
    writer.write(b"x")  # fails
    answers["drains"] = []
    for _ in range(2):
        try:
            await writer.drain()
        except OSError as error:
            answers["drains"].append((str(error), error.errno))
    answers["paused above"] = 2 * reader._limit  # for want of a getter
    go_on.set()
    await asyncio.gather(*peers)


def case_asyncio(_):
    """The page's sentences about Python, asked of the Python that is here."""
    answers = {}
    asyncio.run(asyncio.wait_for(ask_asyncio(answers), 60))
    check(answers == {
        "limits": (16 * 1024, 64 * 1024), "aborted": [None, None],
        "abort closed": None, "arrived": (32 << 20) + 1, "eof": RuntimeError,
        "marks": ValueError, "paused above": 128 * 1024,
        "drains": [("Connection lost", None),
                   (f"[Errno {errno.EPIPE}] Broken pipe", errno.EPIPE)],
    }, f"{answers}")


if __name__ == "__main__":
    sys.exit(run_cases(dict(globals())))

#!/usr/bin/env python3
"""triptych-bench itself: its command line, its files, its verdicts, and what
it leaves behind when it is interrupted. Nothing here depends on speed: what is
measured is little, and only counts are judged.

TRIPTYCH_BIN is the build directory."""

import hashlib
import html.parser
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from runner import check, run_cases
BIN = os.path.abspath(os.environ.get(
    "TRIPTYCH_BIN",
    os.path.join(os.path.dirname(__file__), "../../build/dev")))
BENCH = os.path.join(BIN, "tests/triptych-bench")
MODELS = ("threads", "processes", "evloop", "coroutines")
PATIENCE = 300

# A small real run, which several cases look at.
SMALL, CRASH, JOBS, ROUNDS = 200, 200, 64, 2


def bench(*arguments, **more):
    return subprocess.run([BENCH, *arguments], text=True, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          check=False, **more)


class Results:
    """results.tsv, taken apart."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "results.tsv")
        with open(self.path, encoding="utf-8") as file:
            text = file.read()
        check(text.endswith("\n"), "the last line of results.tsv is cut short")
        lines = text.splitlines()
        self.notes = [line for line in lines if line.startswith("# ")]
        lines = [line for line in lines if not line.startswith("# ")]
        self.names = lines[0].split("\t")
        self.rows = [dict(zip(self.names, line.split("\t"), strict=True))
                     for line in lines[1:]]


class Page(html.parser.HTMLParser):
    """report.html: what is open must be closed, and nothing is fetched."""

    EMPTY = {"meta", "rect", "path", "circle", "line", "polygon", "use", "br"}

    def __init__(self, directory):
        super().__init__()
        self.path = os.path.join(directory, "report.html")
        self.open = []
        self.tags = []
        self.ids = []
        self.text = ""
        with open(self.path, encoding="utf-8") as file:
            self.source = file.read()
        self.feed(self.source)
        self.close()
        check(not self.open, f"left open in report.html: {self.open}")
        check(len(self.source) < 1 << 20, "report.html is 1 MiB or more")

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in self.EMPTY:
            self.open.append(tag)
        if "id" in attrs:
            check(attrs["id"] not in self.ids, f"id {attrs['id']} twice")
            self.ids.append(attrs["id"])
        for name, value in attrs.items():
            check(not re.search(r"(https?:)?//", value or ""),
                  f"<{tag} {name}={value!r}> leads elsewhere")
        check(tag not in ("script", "link", "iframe", "img", "object"),
              f"<{tag}> in report.html")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag in self.EMPTY:
            return
        check(self.open and self.open[-1] == tag,
              f"</{tag}> closes {self.open[-3:]}")
        self.open.pop()

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "style":
            check("url(" not in data and "@import" not in data,
                  "the style sheet fetches something")


# --- The command line ------------------------------------------------------

def case_help_and_lists(_):
    for option, wanted in (("--help", "Usage: triptych-bench"),
                           ("--version", "triptych-bench "),
                           ("--list", "slow-sink"),
                           ("--peers", "py-asyncio")):
        done = bench(option)
        check(done.returncode == 0 and wanted in done.stdout,
              f"{option}: {done}")


def case_help_of_the_minimal_client(_):
    floor = os.path.join(BIN, "tests/triptych-floor")
    for arguments, status in ((["--help"], 0), ([], 2), (["0", "list"], 2)):
        done = subprocess.run([floor, *arguments], capture_output=True,
                              text=True, check=False)
        said, silent = (done.stdout, done.stderr) if status == 0 else \
            (done.stderr, done.stdout)
        check(done.returncode == status and not silent and
              said.startswith("Usage: triptych-floor JOBS LIST\n"), f"{done}")


def case_peers_are_found_or_missing(directory):
    # No program is found along a path that leads nowhere.
    environment = dict(os.environ, PATH=directory)
    done = bench("--peers", env=environment)
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines())
    for name in ("curl", "wget2", "aria2c", "xargs-curl", "wrk", "h2load"):
        check(lines[name] == "missing", f"{name}: {lines[name]}")
    for name in MODELS:
        check(lines[name].startswith(BIN), f"{name}: {lines[name]}")
    check(lines["floor"].endswith(": a minimal client"), lines["floor"])
    check("min-threads" in lines and "py-aiohttp" in lines, f"{lines}")


def case_usage_errors(_):
    for arguments in (["--no-such"], ["nonsense"], ["-r0"], ["-r", "2x"],
                      ["-n0"], ["--only=nobody"], ["compare", "one"],
                      ["report"], ["--peer=curl"], ["--peer=a=nonsense"],
                      ["--peer=curl=/bin/curl"], ["--peer==/bin/curl"],
                      ["--peer=x="], ["--peer=" + 30 * "x" + "=curl"]):
        done = bench(*arguments)
        check(done.returncode == 2 and "Usage:" in done.stderr
              and not done.stdout, f"{arguments}: {done}")


def case_switch(_):
    """What a wait costs: a line for each way, least to most."""
    done = bench("switch", "3")
    check(done.returncode == 0, f"{done}")
    lines = re.findall(r"^  (\w+): .* ([\d.]+) +([\d.]+) +([\d.]+)$",
                       done.stdout, re.M)
    check([line[0] for line in lines] ==
          ["threads", "processes", "loop", "coroutines", "coroutines"],
          done.stdout)
    for _, median, least, most in lines:
        check(0 < float(least) <= float(median) <= float(most), done.stdout)
    for arguments in (["switch", "0"], ["switch", "1", "2"]):
        check(bench(*arguments).returncode == 2, f"{arguments}")


def case_output_cannot_be_written(directory):
    path = os.path.join(directory, "file")
    with open(path, "w", encoding="ascii"):
        pass
    done = bench("-o", path, "small")
    check(done.returncode == 3 and "results.tsv" in done.stderr, f"{done}")


# --- A real run ------------------------------------------------------------

def check_run(row, requests):
    # wrk runs for a time of its own.
    check(row["program"] == "wrk" or float(row["wall_s"]) > 0, f"{row}")
    for name in ("user_s", "system_s", "cpu_s", "pss", "threads",
                 "processes", "descriptors"):
        check(float(row[name]) >= 0, f"{name}: {row}")
    check(abs(float(row["user_s"]) + float(row["system_s"])
              - float(row["cpu_s"])) < 1e-6, f"{row}")
    if row["program"] in MODELS:
        check(row["status"] == "0" and
              row["ok"] == row["requests"] == str(requests), f"{row}")
        check(int(row["bytes"]) == requests * 1024, f"{row}")
        check(int(row["served"]) >= requests, f"{row}")
        check(0 < float(row["mean_us"]) <= float(row["max_us"]), f"{row}")
        check(0 < float(row["p50_us"]) <= float(row["p99_us"])
              <= float(row["max_us"]) <= float(row["wall_s"]) * 1e6, f"{row}")


def check_rows(results, wanted):
    """Every program has a row in each round of each workload."""
    for workload, requests in wanted.items():
        rows = [r for r in results.rows if r["workload"] == workload]
        programs = {r["program"] for r in rows}
        check(programs >= set(MODELS), f"{workload}: {programs}")
        for program in programs:
            rounds = [r["round"] for r in rows if r["program"] == program]
            check(rounds == [str(i + 1) for i in range(ROUNDS)],
                  f"{workload}, {program}: rounds {rounds}")
        for row in rows:
            if workload != "crash":
                check_run(row, requests)


def check_crash(results):
    for row in results.rows:
        if row["workload"] != "crash":
            continue
        check(int(row["ok"]) <= CRASH == int(row["requests"]), f"{row}")
        if row["program"] == "processes":
            check(row["status"] in ("0", "1"), f"processes died: {row}")
            # A request whose one new try was hit, too, is not done.
            check(int(row["ok"]) >= CRASH * .8, f"{row}")


def check_page(directory):
    page = Page(directory)
    tags = [tag for tag, _ in page.tags]
    for table in range(tags.count("table")):
        check(tags.count("caption") > table, "a table without caption")
    check(all("scope" in attrs for tag, attrs in page.tags if tag == "th"),
          "a heading without scope")
    plots = [attrs for tag, attrs in page.tags
             if tag == "svg" and attrs.get("class") == "plot"]
    if shutil.which("gnuplot"):
        check(len(plots) == 5, f"{len(plots)} plots: {plots}")
        check("black" not in page.source, "black text in a picture")
    falls = [attrs for tag, attrs in page.tags
             if tag == "svg" and attrs.get("class") == "fall"]
    check(len(falls) == len(MODELS), f"{len(falls)} waterfalls")
    check(all(attrs.get("aria-label") for attrs in plots + falls),
          "a picture without a name")
    for wanted in ("Time:", "Processor:", "Memory:", "Requests done:",
                   "missing: curl", "Server: triptych-origin.",
                   "a minimal client", "nearest rank"):
        check(wanted in page.text, f"not in report.html: {wanted}")


def case_small_run(directory):
    """Without curl, which is then named as missing."""
    path = os.path.join(directory, "path")
    out = os.path.join(directory, "out")
    os.mkdir(path)
    for name in ("gnuplot", "sh", "wget2", "aria2c"):
        found = shutil.which(name)
        if found:
            os.symlink(found, os.path.join(path, name))
    done = bench("-q", "-r", str(ROUNDS), "-n", str(SMALL), "-o", out,
                 "small", "small-fast", "saved", "tail", "crash",
                 env=dict(os.environ, PATH=path))
    check(done.returncode == 0, f"{done.stdout}{done.stderr}")
    check("# missing: curl\n" in done.stdout, f"{done.stdout}")
    check("  Server: triptych-origin.\n" in done.stdout, f"{done.stdout}")
    check("failed in" not in done.stdout.split("\ncrash: ")[0],
          f"somebody failed: {done.stdout}{done.stderr}")
    check(re.search(r"requests done: threads \d+ of 200.*; processes \d+ of "
                    r"200.*; evloop \d+ of 200", done.stdout),
          f"no verdict of crash: {done.stdout}")
    results = Results(out)
    check("# missing: curl" in results.notes, f"{results.notes}")
    check_rows(results, {"small": SMALL, "small-fast": SMALL, "saved": SMALL,
                         "tail": SMALL, "crash": CRASH})
    check_crash(results)
    check_page(out)
    # It can be written again from the rows alone, and says the same.
    before = Page(out).source
    again = bench("report", out)
    check(again.returncode == 0 and Page(out).source == before, f"{again}")


def beside(directory, name=None, text=None):
    """A benchmark of one's own, with another program for one fetcher, if one
    is named."""
    place = os.path.join(directory, "bin")
    os.makedirs(os.path.join(place, "tests"))
    for other in ("tests/triptych-origin", "tests/triptych-floor",
                  *(f"fetch-{model}" for model in MODELS),
                  *(f"tests/digest-{model}" for model in MODELS)):
        os.symlink(os.path.join(BIN, other), os.path.join(place, other))
    shutil.copy(BENCH, os.path.join(place, "tests"))
    if name is not None:
        path = os.path.join(place, name)
        os.unlink(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)
    return os.path.join(place, "tests/triptych-bench")


REPORTS = """#!{python}
import sys
report = next(a[9:] for a in sys.argv if a.startswith("--report="))
with open(report, "w") as file:
    for i in range(100):
        print(i, "u", "ok", 200, 1024, 1, 0, 0, 0, 5, 5, 5,
              5 + 1000 * (100 - i), 0, sep="\\t", file=file)
"""


def case_percentiles_are_by_the_nearest_rank(directory):
    """Of 100 times, 1 to 100 ms, the 99th percentile is 99 ms."""
    own = beside(directory, "fetch-threads",
                 REPORTS.format(python=sys.executable))
    out = os.path.join(directory, "out")
    done = subprocess.run(
        [own, "-r1", "-n100", "--no-calls", "--only=threads", "-o", out,
         "files"], text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
        capture_output=True, check=False)
    check(done.returncode == 0, f"{done}")
    row, = Results(out).rows
    got = [float(row[name]) / 1000 for name in
           ("mean_us", "p50_us", "p90_us", "p99_us", "p99_9_us", "max_us")]
    check(got == [50.5, 50, 90, 99, 100, 100], f"{got}")


def case_memory_while_all_are_held(directory):
    """Processes: all of them are there when memory is looked at."""
    out = os.path.join(directory, "out")
    jobs = 10000
    done = bench("-q", "-r1", "-n24", "--only=processes", "-o", out, "c10k")
    check(done.returncode == 0, f"{done}")
    rows = {row["program"]: row for row in Results(out).rows}
    row = rows["processes"]
    check(row["jobs"] == str(jobs) and row["processes"] == "25", f"{row}")
    check(float(row["kernel_stacks"]) >= 25 * 16384, f"{row}")
    check(float(row["page_tables"]) > 25 * 4096, f"{row}")
    check(rows["floor"]["processes"] == rows["floor"]["threads"] == "1",
          f"{rows['floor']}")
    check(row["socket_memory"] == "-" or
          float(row["socket_memory"]) >= 24 * 1000, f"{row}")
    check(re.search(r"MiB while all wait +its own \(PSS\) +kernel stacks +"
                    r"page tables +sockets\n  processes", done.stdout),
          done.stdout)
    check("a minimal client" in done.stdout, done.stdout)
    Page(out)


def case_as_many_are_held_as_can_be(directory):
    """Processes need two descriptors for each, so of all programs fewer are
    held when there are too few. (Some of us may raise the limit again.)"""
    out = os.path.join(directory, "out")
    done = bench("-q", "-r1", "-n24", "--only=processes", "-o", out, "c10k",
                 preexec_fn=lambda: resource.setrlimit(
                     resource.RLIMIT_NOFILE, (140, 140)))
    check(done.returncode == 0, f"{done}")
    allowed = int(re.search("# descriptors allowed: (.*)", done.stdout)[1])
    held = min(24, (allowed - 100) // 2)
    rows = {row["program"]: row for row in Results(out).rows}
    check(rows["processes"]["processes"] == str(held + 1), f"{rows}")
    check(float(rows["floor"]["pss"]) > 0, f"{rows}")


PEER = """#!/bin/sh
if [ "$1" = --version ]; then echo "new-curl 9.1"; exit; fi
exec "{program}" -q -n "$@"
"""


def case_a_peer_of_ones_own(directory):
    """By a template, and in the way of the peer whose name it bears."""
    path = os.path.join(directory, "peer")
    with open(path, "w", encoding="utf-8") as file:
        file.write(PEER.format(program=os.path.join(BIN, "fetch-evloop")))
    os.chmod(path, 0o755)
    like = os.path.join(directory, "curl-9")
    with open(like, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n[ \"$1\" != --more ] || exit 9\nexit 7\n")
    os.chmod(like, 0o755)
    out = os.path.join(directory, "out")
    done = bench("-r1", f"-n{SMALL}", "--no-calls", "-o", out, "--peer",
                 f"mine={path} -j%j -i%l", "--peer", f"newer={like} --more",
                 "--only=mine", "small")
    check(done.returncode == 0, f"{done}")
    results = Results(out)
    rows = {row["program"]: row for row in results.rows}
    check(set(rows) == {"mine", "floor"} and rows["mine"]["ok"] ==
          rows["mine"]["served"] == str(SMALL), f"{rows}")
    check("# mine: new-curl 9.1" in results.notes, f"{results.notes}")
    check(any(note.startswith("# newer is asked: ") and "--more -qZsf" in note
              for note in results.notes), f"{results.notes}")
    done = bench("-r1", f"-n{SMALL}", "--no-calls", "-o", out, "--peer",
                 f"newer={like} --more", "--only=newer", "small")
    check("failed in 1 of 1 rounds: status 9" in done.stdout, f"{done}")


def case_growth(directory):
    """Each workload at 1, 2 and 4 times, and exponents of all that was."""
    out = os.path.join(directory, "out")
    done = bench("-q", "-r1", "-n64", "--no-calls", "--growth", "-o", out,
                 "--only=evloop", "files")
    check(done.returncode == 0, f"{done}")
    rows = [(row["workload"], row["jobs"], row["requests"])
            for row in Results(out).rows if row["program"] == "evloop"]
    check(rows == [("files", "16", "64"), ("files*2", "16", "128"),
                   ("files*4", "16", "256"), ("files^2", "32", "64"),
                   ("files^4", "64", "64")], f"{rows}")
    for growth in ("by requests", r"by limit \(-j\)"):
        check(re.search(rf"exponents of growth, {growth}:\n  threads.*\n"
                        r"  processes.*\n  evloop +time +-?\d+\.\d\d"
                        r".*memory +-?\d+\.\d\d", done.stdout), done.stdout)
    page = Page(out)
    check(page.text.count("Exponents of growth") == 2, "not in report.html")
    again = bench("report", out)
    check(again.returncode == 0 and Page(out).source == page.source,
          f"{again}")


def case_the_demo(_):
    """What the README shows first: all four have done the same."""
    done = subprocess.run(
        [os.path.join(BIN, "tests/triptych-demo"), BIN,
         os.path.join(BIN, "tests/triptych-origin")], text=True,
        timeout=PATIENCE * 2, stdin=subprocess.DEVNULL, capture_output=True,
        check=False)
    check(done.returncode == 0, f"{done}")
    check(done.stdout.count("every byte as it should be") == 4, done.stdout)
    rates = re.search(r"\n  requests/s +(.*)\n", done.stdout).group(1)
    rates = rates.replace("*", "").split()
    check(len(rates) == 4 and all(float(rate) > 0 for rate in rates) and
          "requests done" not in done.stdout, done.stdout)


LATE = """#!{python}
import os, sys, time
time.sleep(0.5)
os.execv({program!r}, [{program!r}, *sys.argv[1:]])
"""


def case_a_crash_before_there_are_workers(directory):
    """On a busy machine processes may need longer for its workers than it is
    to the first crash, which then must not be its own."""
    own = beside(directory, "fetch-processes",
                 LATE.format(python=sys.executable, program=os.path.join(
                     BIN, "fetch-processes")))
    out = os.path.join(directory, "out")
    done = subprocess.run(
        [own, "-q", "-r1", "-n",
         str(CRASH), "--no-calls", "-o", out, "crash"], text=True,
        timeout=PATIENCE, stdin=subprocess.DEVNULL, capture_output=True,
        check=False)
    check(done.returncode == 0, f"{done}")
    check_crash(Results(out))


def case_failed_runs_are_no_times(directory):
    """A peer that does nothing, and one that fails, are not shown as fast."""
    path = os.path.join(directory, "path")
    out = os.path.join(directory, "out")
    os.mkdir(path)
    for name, status in (("wget2", 0), ("h2load", 8)):
        program = os.path.join(path, name)
        with open(program, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\nexit {status}\n")
        os.chmod(program, 0o755)
    done = bench("-r1", "-n", str(SMALL), "--no-calls", "-o", out, "small",
                 env=dict(os.environ, PATH=path))
    check(done.returncode == 0, f"{done}")
    for name, status in (("wget2", 0), ("h2load", 8)):
        wanted = (f"failed in 1 of 1 rounds: status {status}, 0 of {SMALL} "
                  "requests done")
        line = next(line for line in done.stdout.splitlines()
                    if line.startswith(f"  {name} "))
        check(line.split(None, 1)[1] == wanted, line)
        check(f"{name} {wanted}." in Page(out).text, "not in report.html")


# --- Digests -----------------------------------------------------------------

def digest_program(model):
    return os.path.join(BIN, "tests/digest-" + model)


def case_each_model_digests_each_body(_):
    """What digest-MODEL prints is what hashlib makes of the same bytes: few,
    none, and so many that a program that drops them need not look at them."""
    if not os.path.exists(digest_program("threads")):
        return  # a build without OpenSSL
    sizes = (0, 1, 4096, 300_000, 5_000_000, 1_000_000, 3)
    with subprocess.Popen(
            [os.path.join(BIN, "tests/triptych-origin"), "--port=0"],
            stdout=subprocess.PIPE, text=True) as origin:
        try:
            base = origin.stdout.readline().strip()
            urls = [f"{base}bytes/{size}?seed={size}" for size in sizes]
            wanted = {}
            for number, url in enumerate(urls):
                with urllib.request.urlopen(url) as answer:
                    wanted[str(number)] = hashlib.sha3_512(
                        answer.read()).hexdigest()
            for model in MODELS:
                done = subprocess.run(
                    [digest_program(model), "-q", "-n", "-j3", *urls],
                    text=True, timeout=PATIENCE, capture_output=True,
                    check=False)
                got = dict(line.split() for line in done.stderr.splitlines())
                check(done.returncode == 0 and got == wanted,
                      f"{model}: {done}")
        finally:
            origin.terminate()


CARELESS = """#!{python}
import subprocess, sys
text = subprocess.run([{program!r}, *sys.argv[1:]], stderr=subprocess.PIPE,
                      text=True).stderr
for line in text.splitlines():
    number, digest = line.split()
    if number == "1":
        continue
    print(number, digest[1:] + "0" if number == "2" else digest,
          file=sys.stderr)
"""


def case_a_digest_that_is_missing_or_wrong(directory):
    """A request counts only with its right digest, whatever the program says
    of itself."""
    if not os.path.exists(digest_program("threads")):
        return
    own = beside(directory, "tests/digest-evloop",
                 CARELESS.format(python=sys.executable,
                                 program=digest_program("evloop")))
    out = os.path.join(directory, "out")
    done = subprocess.run(
        [own, "-q", "-r1", "-n5", "--no-calls", "-o", out, "cpu"], text=True,
        timeout=PATIENCE, stdin=subprocess.DEVNULL, capture_output=True,
        check=False)
    check(done.returncode == 0, f"{done}")
    ok = {row["program"]: row["ok"] for row in Results(out).rows}
    check(ok == {"threads": "5", "processes": "5", "evloop": "3",
                 "coroutines": "5"}, f"{ok}: {done}")
    check(re.search(r"\n  evloop +failed in 1 of 1 rounds: status 0, 3 of 5 "
                    "requests done", done.stdout), done.stdout)


# --- Results -----------------------------------------------------------------

HEAD = ("workload jobs program round status requests ok bytes wall_s ideal_s "
        "requests_s mb_s p50_us p90_us p99_us p99_9_us max_us user_s system_s "
        "pss threads processes descriptors voluntary involuntary "
        "calls_a_request served").split()


def write_results(path, factor=1.0, requests=100):
    with open(path, "w", encoding="ascii") as file:
        file.write("# made by hand\n" + "\t".join(HEAD) + "\n")
        for number in range(3):
            for program, wall in zip(MODELS, (1.0, 1.5, 0.7, 0.8)):
                values = dict.fromkeys(HEAD, "-")
                values.update(
                    workload="small", jobs="64", program=program,
                    round=str(number + 1), status="0", requests=str(requests),
                    ok=str(requests), bytes="1000", pss="1000000",
                    wall_s=f"{wall * factor * (1 + number / 100):g}")
                file.write("\t".join(values[name] for name in HEAD) + "\n")


def case_compare(directory):
    old, new, other = (os.path.join(directory, name + ".tsv")
                       for name in ("old", "new", "other"))
    write_results(old)
    write_results(new, 2)
    write_results(other, 2, 50)
    done = bench("compare", old, old)
    check(done.returncode == 0 and
          done.stdout == "0 of 12 figures differ beyond their spread.\n",
          f"{done}")
    done = bench("compare", old, new)
    check(done.returncode == 0 and done.stdout.count("2.00 times as much") == 4
          and done.stdout.count("MORE") == 4
          and done.stdout.endswith(
              "4 of 12 figures differ beyond their spread.\n"), f"{done}")
    done = bench("compare", new, old)
    check(done.stdout.count("less") == 4, f"{done}")
    done = bench("compare", old, other)
    check("4 programs' runs made another number of requests" in done.stdout
          and done.stdout.endswith("0 of 0 figures differ beyond their "
                                   "spread.\n"), f"{done}")


def case_garbage(directory):
    good = os.path.join(directory, "good.tsv")
    path = os.path.join(directory, "results.tsv")
    write_results(good)
    with open(good, "rb") as file:
        whole = file.read()
    for bad in (b"", b"garbage", b"\x00\xff" * 5000, b"# only notes\n",
                whole[:-20], whole.replace(b"64", b"many"),
                whole.replace(b"\t1.5\t", b"\tlong\t"),
                whole + b"x" * 9000 + b"\n", b"# n\nother\tnames\n"):
        with open(path, "wb") as file:
            file.write(bad)
        for arguments in (["compare", good, path], ["compare", path, good],
                          ["report", directory]):
            done = bench(*arguments)
            check(done.returncode == 3 and not done.stdout and
                  f"{path}: not what triptych-bench writes" in done.stderr,
                  f"{bad[:60]!r}: {done}")
    done = bench("compare", good, os.path.join(directory, "none"))
    check(done.returncode == 3 and "No such file" in done.stderr, f"{done}")


# --- Interrupted -------------------------------------------------------------

def children_of(pid):
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii",
                      errors="replace") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid:
            found.append(int(name))
            found += children_of(int(name))
    return found


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < deadline, f"waited in vain: {what}")
        time.sleep(.01)


def interrupt(directory, number, ready):
    """Starts one that would take long, and stops it once ready(out, pid)."""
    out = os.path.join(directory, "out")
    scratch = os.path.join(directory, "scratch")
    os.makedirs(scratch)
    with subprocess.Popen([BENCH, "-r", "1000", "-n", "3",
                           "-o", out, "latency"],
                          env=dict(os.environ, TMPDIR=scratch),
                          stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            wait_for(lambda: ready(out, process.pid), "it has begun")
            family = children_of(process.pid)
            process.send_signal(number)
            said, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    check(process.returncode == 128 + number,
          f"status {process.returncode}: {said}")
    wait_for(lambda: not any(map(alive, family)), f"the end of {family}")
    check(os.listdir(scratch) == [], f"left: {os.listdir(scratch)}")
    return out


def rows_so_far(out):
    try:
        with open(os.path.join(out, "results.tsv"), encoding="ascii") as file:
            return sum(not line.startswith("#") for line in file) - 1
    except OSError:
        return -1


def case_interrupted_keeps_what_it_has(directory):
    # A server and a client are running.
    out = interrupt(directory, signal.SIGINT,
                    lambda out, pid: rows_so_far(out) >= 5
                    and len(children_of(pid)) >= 2)
    results = Results(out)
    check(len(results.rows) >= 5, f"{results.rows}")
    for row in results.rows:
        check(row["status"] == "0" and row["ok"] == row["requests"], f"{row}")
    check("latency" in Page(out).ids, "no latency in report.html")
    check(bench("compare", results.path, results.path).returncode == 0,
          "the rows cannot be read")


def case_terminated_before_the_first_row(directory):
    out = interrupt(directory, signal.SIGTERM,
                    lambda out, pid: rows_so_far(out) == 0)
    Results(out)
    Page(out)


if __name__ == "__main__":
    sys.exit(run_cases(globals()))

"""A whole class: every hand-in of an export is graded, and a table and a page
say how it went.

An export is a folder or an archive: Gradescope's (submission_NNN, and a file
that says whose they are), Moodle's (NAME_NNN_assignsubmission_file_), a folder
of repositories, or any folder of hand-ins, each a folder or an archive.

Each is graded by a process of its own: whatever it does, the others go on.
What is known is kept in a folder; the next call goes on there."""

import csv
import html
import io
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from . import grade, handed_in, isolation, labs, sandbox, unpack
from .plain import plain

TOOL = Path(__file__).resolve().parents[1] / "triptych-lab"
PATIENCE = 1200  # seconds for one hand-in: more than all its tests may take
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2")
METADATA = "submission_metadata.yml"
ALIKE = 30  # percent above what is usual in the class


@dataclass
class HandIn:
    name: str
    path: Path        # a folder or an archive
    trouble: str = ""  # why it could not be graded
    grades: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)

    @property
    def score(self):
        return self.grades.get("score", 0)


# --- What there is to be graded ------------------------------------------------

def is_archive(path):
    """It is no link, which could lead to another's."""
    return path.is_file() and not path.is_symlink() and \
        path.name.lower().endswith(ARCHIVES)


def line(text):
    """A name or a message as one harmless line: of both a student has part."""
    return " ".join(plain(text).split())


def gradescope_names(folder):
    """submission_NNN to the names of who handed it in."""
    path = folder / METADATA
    if not path.is_file():
        return {}
    names, now = {}, None
    for line in path.read_text(errors="replace").splitlines():
        if found := re.match(r"(submission_\d+):", line):
            now = found[1]
        elif now and (found := re.match(r"\s*-?\s*:name: *(.+)", line)):
            name = found[1].strip("'\" ")
            names[now] = f"{names[now]}, {name}" if now in names else name
    return names


def name_of(path, known):
    if path.name in known:
        return f"{known[path.name]} ({path.name})"
    moodle = re.match(r"(.+?)_(\d+)_assignsubmission_file_?", path.name)
    if moodle:
        return f"{moodle[1]} ({moodle[2]})"
    return path.name


def names_of(lab):
    return lab.editable or ["predictions.toml"]


def holds_files(folder, lab):
    """It is a hand-in itself, as far as one can see."""
    return any((folder / name).exists() or (folder / Path(name).name).exists()
               for name in names_of(lab))


def below(folder, lab):
    """The hand-ins of a folder."""
    if holds_files(folder, lab):
        return [HandIn(folder.name, folder)]
    known = gradescope_names(folder)
    inside = [p for p in sorted(folder.iterdir())
              if not p.name.startswith((".", "__"))
              and (p.is_dir() and not p.is_symlink() or is_archive(p))]
    if len(inside) == 1 and inside[0].is_dir() and \
            not holds_files(inside[0], lab) and not known:
        return below(inside[0], lab)  # the export's own folder
    return [HandIn(name_of(p, known), p) for p in inside]


def found_in(paths, lab, place):
    """All hand-ins of what was named; archives of many are unpacked in
    `place`. No name is there twice."""
    found = []
    for i, path in enumerate(paths):
        if path.is_dir():
            found += below(path, lab)
        elif is_archive(path.resolve()):
            to = place / f"export-{i}"
            to.mkdir()
            unpack_export(path, to)
            found += below(to, lab)
        else:
            raise labs.Unknown(f"{path} is neither a folder nor an archive")
    seen = {}
    for one in found:
        one.name = line(one.name)
        seen[one.name] = seen.get(one.name, 0) + 1
        if seen[one.name] > 1:
            one.name += f" [{seen[one.name]}]"
    return found


def unpack_export(path, to):
    """An export is the service's: larger than a hand-in."""
    files, size = unpack.FILES, unpack.BYTES
    unpack.FILES, unpack.BYTES = 200_000, 4 << 30
    try:
        unpack.unpack(path, to)
    except unpack.Unfit as why:
        raise labs.Unknown(str(why)) from None
    finally:
        unpack.FILES, unpack.BYTES = files, size


def opened(one, lab, place):
    """The folder of a hand-in; an archive in it, or it itself, is unpacked."""
    path = one.path
    if path.is_dir() and not holds_files(path, lab):
        inside = [p for p in sorted(path.iterdir()) if is_archive(p)]
        path = inside[0] if len(inside) == 1 else path
    if path.is_dir():
        return path
    to = Path(tempfile.mkdtemp(dir=place))
    unpack.unpack(path, to)
    return to


# --- Grading -------------------------------------------------------------------

class Class:
    def __init__(self, lab, hand_ins, state, jobs, progress):
        self.lab, self.hand_ins, self.state = lab, hand_ins, state
        self.jobs, self.progress = jobs, progress
        self.running, self.lock, self.ended = set(), threading.Lock(), False
        self.done = 0

    def grade_all(self, base):
        """False: it was interrupted."""
        with tempfile.TemporaryDirectory(prefix="class-") as place, \
                ThreadPoolExecutor(self.jobs) as pool:
            waiting = [pool.submit(self.one, h, base, place)
                       for h in self.hand_ins]
            try:
                for one in waiting:
                    one.result()
            except KeyboardInterrupt:
                self.end()
                for one in waiting:
                    one.cancel()
                return False
        return True

    def end(self):
        with self.lock:
            self.ended = True
            for process in self.running:
                process.terminate()

    def one(self, hand_in, base, place):
        if self.ended:
            return
        try:
            self.known_or_graded(hand_in, base, place)
        except Exception as error:  # the others go on, whatever this one is
            hand_in.trouble = str(error) or type(error).__name__
        hand_in.trouble = line(hand_in.trouble)
        with self.lock:
            self.done += 1
            if not self.ended:
                self.progress(self.done, len(self.hand_ins), hand_in)

    def known_or_graded(self, hand_in, base, place):
        where, kept = self.look_at(hand_in, place)
        if not self.is_known(hand_in, kept):
            self.run(hand_in, where, base, kept)

    def look_at(self, hand_in, place):
        """Where it is, and where what is known of it is kept."""
        where = opened(hand_in, self.lab, place)
        hand_in.files, _, _ = handed_in.all_files(where,
                                                    names_of(self.lab))
        text = json.dumps([self.lab.name, hand_in.files], sort_keys=True)
        return where, \
            self.state / f"{sha256(text.encode()).hexdigest()[:24]}.json"

    @staticmethod
    def is_known(hand_in, kept):
        if kept.exists():
            hand_in.grades = json.loads(kept.read_text())
        return kept.exists()

    def grade_on_slurm(self, base):
        """All that are not known, by an array job. False: interrupted."""
        wanted, items = {}, {}
        with tempfile.TemporaryDirectory(dir=self.state) as name:
            place = Path(name)
            for hand_in in self.hand_ins:
                try:
                    where, kept = self.look_at(hand_in, place)
                    if not self.is_known(hand_in, kept):
                        items[kept.name] = as_item(kept, where)
                        wanted[hand_in.name] = kept
                except (unpack.Unfit, OSError, ValueError) as error:
                    hand_in.trouble = str(error)
            listed = place / "list"
            listed.write_text("".join(f"{i}\n" for i in items.values()))
            done = not items or self.call_cluster(listed, base)
        for i, hand_in in enumerate(self.hand_ins):
            kept = wanted.get(hand_in.name)
            if kept and not self.is_known(hand_in, kept):
                why = kept.with_suffix(".why")
                hand_in.trouble = (why.read_text(errors="replace").strip()
                                   if why.exists() else "") or \
                    ("its machine died" if done else "not come to")
                why.unlink(missing_ok=True)
            self.progress(i + 1, len(self.hand_ins), hand_in)
        return done

    def call_cluster(self, listed, base):
        """A machine's result gets its name when it is whole; else what was
        said does."""
        command = [sys.executable, TOOL, "grade", "--lab", self.lab.name]
        if base is not None:
            command += ["--base", base.resolve()]
        words = shlex.join(map(str, command))
        state = shlex.quote(str(self.state.resolve()))
        parts = shlex.quote(str(listed.parent.resolve()))  # goes with the list
        each = f"""at={state}/${{1%% *}}
            part=$(mktemp {parts}/.part-XXXXXX) || exit
            if timeout {PATIENCE} {words} "${{1#* }}" --json "$part" \\
                    2>"$part.said" >/dev/null; then
                mv "$part" "$at"
                rm "$part.said"
            else
                rm -f "$part"
                mv "$part.said" "${{at%json}}why"
                exit 1
            fi"""
        # A session of its own: the terminal's Ctrl-C comes once, from here.
        process = subprocess.Popen([cluster_tool(), "-i", listed, "--each",
                                    each], start_new_session=True)
        while True:
            try:
                status = process.wait()
                break
            except KeyboardInterrupt:
                process.terminate()
        if status == 3:
            raise labs.Unknown("triptych-cluster could not do its work")
        return 0 <= status < 128

    def run(self, hand_in, where, base, kept):
        part = kept.with_suffix(f".part-{threading.get_ident()}")
        command = [sys.executable, TOOL, "grade", where, "--lab",
                   self.lab.name, "--json", part]
        if base is not None:
            command += ["--base", base]
        with self.lock:
            if self.ended:
                return
            process = subprocess.Popen(
                list(map(str, command)), stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True, errors="replace",
                stdin=subprocess.DEVNULL, start_new_session=True)
            self.running.add(process)
        try:
            _, said = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.terminate()
            _, said = process.communicate()
            hand_in.trouble = f"it took more than {PATIENCE} s"
        finally:
            with self.lock:
                self.running.discard(process)
        if self.ended:
            part.unlink(missing_ok=True)
            return
        if part.exists():
            hand_in.grades = json.loads(part.read_text())
        if process.returncode == 0 and hand_in.grades.get("finished"):
            os.replace(part, kept)
        else:
            part.unlink(missing_ok=True)
            hand_in.trouble = hand_in.trouble or said.strip()[-500:] or \
                "the grader could not do its work"


# --- What came of it -----------------------------------------------------------

def by_part(hand_in):
    points = {}
    for test in hand_in.grades.get("tests", []):
        points[test["part"]] = points.get(test["part"], 0) + test["score"]
    return points


def as_csv(lab, hand_ins):
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["name", "score", "points",
                   *(part.name for part in lab.parts), "trouble",
                   "isolation"])
    for one in hand_ins:
        points = by_part(one)
        rows.writerow([cell(one.name), one.score if one.grades else "",
                       one.grades.get("points", ""),
                       *(points.get(part.name, "") for part in lab.parts),
                       cell(one.trouble), one.grades.get("isolation", "")])
    return text.getvalue()


def cell(text):
    """A text that begins so would be a formula to a spreadsheet."""
    return "'" + text if text.startswith(("=", "+", "-", "@")) else text


def own_lines(files, lab):
    """Of a hand-in's C files the lines that were not handed out: all hand-ins
    are alike in these, and they are most of what is handed in."""
    given = {line.strip() for text in labs.skeleton_files(lab).values()
             for line in text.splitlines()}
    return "".join(line + "\n" for name, text in sorted(files.items())
                   if name.endswith(".c") for line in text.splitlines()
                   if line.strip() not in given)


def alike(hand_ins, lab):
    """Groups of hand-ins that are more alike than is usual, as texts; what a
    person should look at. Needs Debian's similarity-tester."""
    if shutil.which("sim_c") is None:
        return ["Not looked at: Debian's package similarity-tester is not "
                "installed."]
    texts = {h.name: own_lines(h.files, lab) for h in hand_ins if h.files}
    with tempfile.TemporaryDirectory() as place:
        names = {}
        for i, (name, text) in enumerate(texts.items()):
            names[f"{i}.c"] = name
            (Path(place) / f"{i}.c").write_text(text)
        os.chmod(place, 0o755)
        # Shut in, as a compiler is: it reads what students have written.
        status, said = sandbox.compile_in(
            place, ["sim_c", "-e", "-s", "-p", *names],
            {"PATH": os.environ.get("PATH", os.defpath)}, PATIENCE)
    if status != 0:
        return [f"Not looked at: sim_c failed: {said.strip()[-300:]}"]
    pairs = [(int(p), names[a], names[b]) for a, p, b in re.findall(
        r"^(\S+) consists for (\d+) % of (\S+) material", said, re.M)]
    if not pairs:
        return []
    usual = statistics.median(p for p, _, _ in pairs)
    return [f"{a} and {b}: {p}% (usual here: {usual:.0f}%)"
            for p, a, b in sorted(pairs, reverse=True)
            if p >= min(usual + ALIKE, 98)]


STYLE = """body { font: 16px/1.5 sans-serif; max-width: 70em; margin: 2em auto;
  padding: 0 1em } table { border-collapse: collapse } td, th { padding: .2em
  .8em; text-align: left; border-bottom: 1px solid #ccc } td.n { text-align:
  right } pre { overflow: auto; background: #f4f4f4; padding: 1em }"""


def as_page(lab, hand_ins):
    say = html.escape
    graded = [h for h in hand_ins if h.grades]
    out = [f"<!doctype html><html lang=en><meta charset=utf-8><title>"
           f"{say(lab.title)}</title><style>{STYLE}</style>"
           f"<h1>{say(lab.title)}</h1>",
           f"<p>{len(graded)} of {len(hand_ins)} hand-ins are graded"]
    if graded:
        scores = [h.score for h in graded]
        out.append(f"; the points are {min(scores)} to {max(scores)}, half of "
                   f"them at {statistics.median(scores):g} or more")
    out.append(".</p>")
    out += [f"<p>Isolation: {say(line)}</p>" for line in
            sorted({" ".join([h.grades["isolation"], h.grades["warning"]])
                    for h in graded})]
    out.append("<h2>Tests</h2><table><tr><th>test<th>failed<th>of")
    for test in lab.tests:
        rows = [t for h in graded for t in h.grades["tests"]
                if t["name"] == test.name]
        failed = sum(not t["passed"] for t in rows)
        out.append(f"<tr><td>{say(test.title)}<td class=n>{failed}"
                   f"<td class=n>{len(rows)}")
    out.append("</table><h2>Hand-ins</h2><table><tr><th>name<th>points"
               + "".join(f"<th>{say(p.title)}" for p in lab.parts))
    for one in hand_ins:
        points = by_part(one)
        out.append(f"<tr><td>{say(one.name)}<td class=n>"
                   + (str(one.score) if one.grades else say(one.trouble))
                   + "".join(f"<td class=n>{points.get(p.name, '')}"
                             for p in lab.parts))
    out.append("</table><h2>Alike</h2><p>More than is usual in this class. "
               "It proves nothing: look at both.</p><ul>")
    out += [f"<li>{say(line)}" for line in alike(graded, lab)] or \
        ["<li>None."]
    out.append("</ul><h2>What each was told</h2>")
    for one in graded:
        out.append(f"<details><summary>{say(one.name)}: {one.score}"
                   "</summary><pre>")
        out += [say(f"{t['title']}\n  Observed: {t['observed']}\n  Probably: "
                    f"{t['means']}\n  Look at:  {t['look']}\n\n")
                for t in one.grades["tests"] if not t["passed"]]
        out.append(say(one.grades.get("note", "")) + "</pre></details>")
    return "\n".join(out) + "</html>\n"


def as_item(kept, where):
    """A line of the list that machines are given. A folder's name is the
    student's: with a line's end in it, it would be another item."""
    where = str(where.resolve())
    if not where.isprintable():
        raise unpack.Unfit("a folder's name in its path is no plain text")
    return f"{kept.name} {where}"


def cluster_tool():
    """triptych-cluster, installed or built here."""
    found = shutil.which("triptych-cluster", path=os.pathsep.join(
        [os.environ["PATH"], *map(str, labs.ROOT.glob("build/*/tests"))]))
    if found is None:
        raise labs.Unknown("there is no triptych-cluster: install the package "
                           "triptych, or ./run build")
    return found


def grade_all(lab, paths, jobs, state, progress, slurm=False):
    """(hand-ins, whether all were come to). Slurm's machines see the folder of
    what is known, and so what is unpacked and built is there, too."""
    isolation.make_folder(state)
    with tempfile.TemporaryDirectory(prefix="class-",
                                     dir=state if slurm else None) as place:
        hand_ins = found_in(paths, lab, Path(place))
        base = None
        if lab.kind == "programs":
            base = Path(place) / "base"
            os.chmod(place, 0o755)
            with grade.Bench(lab) as bench:  # says so if it cannot be built
                shutil.copytree(bench.tree, base, copy_function=shutil.copy2)
        everybody = Class(lab, hand_ins, state, jobs, progress)
        whole = everybody.grade_on_slurm(base) if slurm \
            else everybody.grade_all(base)
    return hand_ins, whole

"""The command line of triptych-lab."""

import argparse
import functools
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

from . import build, classes, folder, grade, isolation, labs, machine, matrix
from . import mutation, package, predictions, report, sandbox, source, unpack
from .plain import plain


LAB = "a lab's name or number: see `list`"
NEW = "the folder to be made; it must not be there yet, or be empty"


def parser():
    top = argparse.ArgumentParser(
        prog="triptych-lab", description="Labs on three models of "
        "concurrency: hands them out, grades them, packs their graders, and "
        "proves the graders by the mistakes they must catch.")
    commands = top.add_subparsers(dest="command", required=True,
                                  metavar="COMMAND")

    def add(name, text):
        return commands.add_parser(name, help=text, description=text)

    add("list", "list the labs, and the mistakes for bug hunts")
    for name, text in (
            ("new", "make a student's folder: the skeleton, the hand-out, "
                    "the public tests"),
            ("solution", "make the same folder with the solution in it")):
        one = add(name, text)
        one.add_argument("lab", metavar="LAB", help=LAB)
        one.add_argument("folder", metavar="DIR", type=Path, help=NEW)
    one = add("hunt", "make a bug hunt: a program with one mistake in it")
    one.add_argument("number", metavar="N", type=int,
                     help="the mistake's number: see `list`")
    one.add_argument("folder", metavar="DIR", type=Path, help=NEW)
    one = add("grade", "grade a student's folder; the exit status is 0 if the "
              "grader did its work, whatever the grade")
    one.add_argument("folder", metavar="DIR", type=Path,
                     help="what the student handed in: a folder, or a tar or zip "
                     "of it")
    one.add_argument("--lab", help="the lab; what the folder says of itself is "
                     "not read then")
    one.add_argument("--hunt", type=int, metavar="N",
                     help="the bug hunt of mistake N; what the folder says of "
                     "itself is not read then")
    one.add_argument("--test", action="append", metavar="NAME",
                     help="this test alone; may be repeated")
    one.add_argument("--json", metavar="FILE", type=Path,
                     help="everything, as JSON, written after every test")
    one.add_argument("--format", choices=report.FORMATS, default="text",
                     help="how the grade is said (text)")
    one.add_argument("--output", metavar="FILE", type=Path,
                     help="the format's text goes there, after every test, "
                     "not to standard output")
    one.add_argument("--text", action="store_true",
                     help="print the text, too, when --output takes another "
                     "format")
    one.add_argument("--base", metavar="DIR", type=Path,
                     help="a folder that `prepare` made: saves time")
    hidden(one)
    one = add("grade-all", "grade a class: the exports of Gradescope, Moodle "
              "or Classroom, or folders of hand-ins; Ctrl-C keeps what is "
              "done, and the next call goes on")
    one.add_argument("paths", metavar="DIR_OR_ZIP", nargs="+", type=Path)
    one.add_argument("--lab", required=True, help=LAB)
    one.add_argument("--jobs", type=int, default=1, metavar="N",
                     help="hand-ins at a time (1)")
    one.add_argument("--slurm", action="store_true",
                     help="by an array job of Slurm; its machines must see "
                     "the hand-ins and the folder of --state")
    one.add_argument("--csv", metavar="FILE", type=Path,
                     help="a row for each hand-in")
    one.add_argument("--html", metavar="FILE", type=Path,
                     help="a page: tests, points, messages, who is alike")
    one.add_argument("--state", metavar="DIR", type=Path,
                     help="what is known is kept there (build/class/LAB)")
    one = add("prepare", "build what does not depend on who is graded")
    one.add_argument("lab", metavar="LAB", help=LAB)
    one.add_argument("folder", metavar="DIR", type=Path,
                     help="for `grade --base`")
    one = add("package", "make an autograder ready to be uploaded")
    one.add_argument("kind", choices=package.KINDS,
                     help="the service: gradescope (a zip), classroom50 (one "
                     "Python file), autolab (a tar), prairielearn (a zip)")
    one.add_argument("lab", metavar="LAB", nargs="?",
                     help=f"{LAB}; with --hunt it need not be named")
    one.add_argument("--hunt", type=int, metavar="N",
                     help="pack the bug hunt of mistake N, for gradescope or "
                     "classroom50")
    one.add_argument("--output", metavar="FILE", type=Path,
                     help="where it goes (LAB-gradescope.zip, "
                     "LAB-classroom50/autograder.py, LAB-autolab.tar, "
                     "LAB-prairielearn.zip)")
    hidden(one)
    one = add("doctor", "say what of this machine would change a grade, and "
              "what helps; the exit status is 1 if there is something")
    one = add("matrix", "grade every mistake, skeleton, the reference, "
              "right solutions of other styles and attacks: the kill matrix")
    one.add_argument("labs", metavar="LAB", nargs="*",
                     help=f"{LAB}; all, if none is named")
    one.add_argument("--quick", action="store_true",
                     help="each mistake against its own test only, each attack "
                     "against those that it names")
    one.add_argument("--sample", action="store_true",
                     help="a third of the mistakes and attacks, chosen by --seed")
    one.add_argument("--seed", type=int, metavar="N",
                     help="what the sample is chosen by; printed")
    one.add_argument("--write", metavar="FILE", type=Path,
                     help="write the table, as Markdown")
    one.add_argument("--times", type=int, default=1, metavar="N",
                     help="grade the reference N times, and nothing else")
    one = add("mutate", "change the reference in one place at a time, grade "
              "each such mutant, and list what no test catches")
    one.add_argument("labs", metavar="LAB", nargs="*",
                     help=f"{LAB}; all, if none is named")
    one.add_argument("--sample", type=int, metavar="N",
                     help="N of each lab's mutants, chosen by --seed")
    one.add_argument("--seed", type=int, metavar="N",
                     help="what the sample is chosen by; printed")
    one.add_argument("--jobs", type=int, metavar="N",
                     help="gradings at a time; as many as there are cores")
    one.add_argument("--state", metavar="DIR", type=Path,
                     default=labs.ROOT / "build/mutants",
                     help="what is known is kept there, and not graded again "
                     "(build/mutants)")
    one.add_argument("--again", action="store_true",
                     help="grade once more what has survived")
    one.add_argument("--list", action="store_true",
                     help="list the mutants, and grade none")
    return top


def hidden(one):
    one.add_argument("--hidden", metavar="WHEN", default="visible",
                     choices=("visible", "after_due_date", "after_published",
                              "hidden"),
                     help="Gradescope: when students see the tests that their "
                     "folder does not have (visible; after_due_date, "
                     "after_published, hidden)")


def say(text):
    print(plain(text), file=sys.stderr)


def do_list(_):
    for lab in labs.labs():
        print(f"{lab.number}. {lab.name:12} {lab.title}")
    print("\nMistakes, for bug hunts:")
    for one in labs.mistakes():
        print(f"{one.number:3}  {one.lab:12} {one.title}")
    return 0


def do_new(arguments):
    make = folder.new if arguments.command == "new" else folder.solution
    made = make(labs.lab(arguments.lab), arguments.folder)
    say(f"Made {made}: begin with HANDOUT.md")
    return 0


def do_hunt(arguments):
    made = folder.hunt(labs.mistake(arguments.number), arguments.folder)
    say(f"Made {made}: begin with HANDOUT.md")
    return 0


def writer(arguments):
    """What is called after every test."""
    make = report.FORMATS[arguments.format]

    def progress(grades):
        grades.hidden = arguments.hidden
        if arguments.json:
            report.write(arguments.json, report.as_json(grades))
        if arguments.output:
            report.write(arguments.output, make(grades))
        if arguments.output and arguments.format == "classroom50":
            report.write(arguments.output.with_name("release-body.md"),
                         report.for_students(grades))
        ended = [r for r in grades.results if r.state != "not run"]
        if sys.stderr.isatty() and not grades.finished:
            print(f"\r{len(ended)} of {len(grades.results)} tests",
                  end="", file=sys.stderr, flush=True)
    return progress


def what_to_grade(arguments):
    """The lab, and the hunted mistake's number or None. What the folder says
    is the student's word: it is for who grades by hand, and names neither."""
    name, hunted = arguments.lab, arguments.hunt
    if name is None and hunted is None:
        name, hunted = folder.what_is(arguments.folder)
        if name is None:
            raise labs.Unknown(f"{arguments.folder} does not say which lab it "
                               "is of: please name it with --lab")
    return lab_of(name, hunted)


def lab_of(name, hunted):
    """The lab of a name, or of a hunt, or of both; and the hunt."""
    if hunted is not None:
        hunted_in = labs.mistake(hunted).lab
        if name not in (None, hunted_in):
            raise labs.Unknown(f"mistake {hunted} is one of the lab "
                               f"{hunted_in}, not of {name}")
        name = hunted_in
    if name is None:
        raise labs.Unknown("please name a lab, or a mistake with --hunt")
    return labs.lab(name), hunted


def do_grade(arguments):
    isolation.through_sudo()
    if arguments.folder.is_file():
        with tempfile.TemporaryDirectory(prefix="lab-in-") as place:
            try:
                unpack.unpack(arguments.folder, Path(place))
            except unpack.Unfit as why:
                raise labs.Unknown(str(why)) from None
            arguments.folder = Path(place)
            return grade_folder(arguments)
    return grade_folder(arguments)


def grade_folder(arguments):
    if not arguments.folder.is_dir():
        raise labs.Unknown(f"{arguments.folder} is not a folder")
    lab, hunted = what_to_grade(arguments)
    progress = writer(arguments)
    if lab.kind == "predictions":
        grades = predictions.grade(lab, arguments.folder)
    else:
        grades = grade_programs(lab, hunted, arguments, progress)
    if sys.stderr.isatty():
        say("")
    progress(grades)
    if not arguments.output:
        sys.stdout.write(report.FORMATS[arguments.format](grades))
    elif arguments.text:
        sys.stdout.write(report.as_text(grades))
    return 1 if any(r.state == "broken" for r in grades.results) else 0


def grade_programs(lab, hunted, arguments, progress):
    files, missing, said = grade.handed_in(arguments.folder, lab)
    rest = labs.skeleton_files
    tests = [lab.test(t) for t in arguments.test] if arguments.test else None
    if hunted is not None:
        # The other files of a hunt are as they were handed out.
        one = labs.mistake(hunted)
        missing = {f: why for f, why in missing.items() if f == one.file}
        rest = functools.partial(labs.hunted_files, one)
        if tests is None:
            lab = grade.for_hunt(lab, one)
    with grade.Bench(lab, base=arguments.base, rest=rest) as bench:
        begun = grade.new_grades(lab, tests)
        begun.hidden = arguments.hidden
        progress(begun)  # nothing is lost from here on
        return grade.grade(bench, files, missing, tests, progress, said)


def do_grade_all(arguments):
    isolation.through_sudo()
    lab = labs.lab(arguments.lab)

    def progress(done, of, one):
        score = f"{one.score} of {one.grades['points']}" if one.grades \
            else "not graded"
        say(f"{done:4} of {of}  {one.name}: {one.trouble or score}")

    state = arguments.state or labs.ROOT / "build/class" / lab.name
    hand_ins, whole = classes.grade_all(lab, arguments.paths, arguments.jobs,
                                        state, progress, arguments.slurm)
    if arguments.csv:
        report.write(arguments.csv, classes.as_csv(lab, hand_ins))
    if arguments.html:
        report.write(arguments.html, classes.as_page(lab, hand_ins))
    if not whole:
        say("Interrupted: the same call goes on where this one ended.")
        return 130
    return 1 if any(h.trouble for h in hand_ins) else 0


def do_prepare(arguments):
    lab = labs.lab(arguments.lab)
    if lab.kind != "programs":
        return 0
    messages = build.prepare(arguments.folder, lab, labs.ROOT)
    if messages:
        say(messages)
    return 1 if messages else 0


def do_package(arguments):
    make, name = package.KINDS[arguments.kind]
    lab, hunted = lab_of(arguments.lab, arguments.hunt)
    more, title = {}, lab.name
    if hunted is not None:
        if arguments.kind not in package.HUNTS:
            raise labs.Unknown("a bug hunt can be packed for "
                               f"{' and '.join(sorted(package.HUNTS))}")
        more, title = {"hunted": hunted}, f"hunt-{hunted}"
    path = arguments.output or Path(name.format(lab=title))
    path.parent.mkdir(parents=True, exist_ok=True)
    make(lab, path, arguments.hidden, **more)
    say(f"Made {path}")
    return 0


def do_doctor(_):
    text, found = machine.doctor()
    sys.stdout.write(text)
    return 1 if found else 0


def show_row(row):
    caught = f"caught by {', '.join(row.failed)}" if row.kind == "mistake" \
        else "nothing earned" if row.kind == "attack" \
        else f"{len(row.passed)} passed, {len(row.failed)} failed"
    mark = "WRONG" if row.wrong else "ok"
    say(f"{mark:6}{row.lab:12}{row.kind:10} {row.name}: {caught}")
    for line in row.wrong:
        say(f"      {line}")


def do_matrix(arguments):
    if arguments.times > 1:
        return many_times(arguments)
    seed = None
    if arguments.sample:
        seed = arguments.seed if arguments.seed is not None \
            else random.randrange(1 << 16)
        say("a third of the mistakes and attacks: --sample --seed "
            f"{seed}")
    rows = matrix.matrix(arguments.labs, arguments.quick, show_row, seed=seed)
    if arguments.write:
        arguments.write.write_text(matrix.as_markdown(rows))
    wrong = [r for r in rows if r.wrong]
    kinds = {k: sum(r.kind == k for r in rows)
             for k in ("mistake", "skeleton", "reference", "solution",
                       "attack")}
    say(f"{kinds['mistake']} mistakes, {kinds['skeleton']} skeletons, "
        f"{kinds['reference']} references, {kinds['solution']} solutions, "
        f"{kinds['attack']} attacks: {len(wrong)} not as they ought to be")
    return 1 if wrong or not rows else 0


def many_times(arguments):
    """The reference must pass every time: one failure is one too many."""
    bad = 0
    chosen = arguments.labs or [lab.name for lab in labs.labs()
                                if lab.kind == "programs"]
    for name in chosen:
        with grade.Bench(labs.lab(name),
                         rest=labs.reference_files) as bench:
            for i in range(1, arguments.times + 1):
                row = matrix.of_right(bench, "reference", name, {})
                if row.wrong:
                    bad += 1
                    show_row(row)
                if i % 10 == 0:
                    say(f"{name}: {i} times, {bad} failures so far")
    return 1 if bad else 0


def do_mutate(arguments):
    seed = arguments.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
    if arguments.sample is not None:
        say(f"--seed {seed}")
    bad = 0
    for lab in [labs.lab(n) for n in arguments.labs] or labs.labs():
        if lab.kind != "programs":
            continue
        if arguments.list:
            for one in mutation.chosen(lab, arguments.sample, seed,
                                       folder=arguments.state):
                print(f"{one.file}:{one.line}: {one.function}: {one.kind}")
            continue
        made = mutation.of_lab(lab, arguments.state, show_mutant,
                               arguments.jobs, arguments.sample, seed,
                               base=build.shared_base(lab),
                               again=arguments.again)
        bad += show_score(made)
    return 1 if bad else 0


def show_mutant(lab, one, test, left):
    say(f"{lab.name:12}{left:5} left  {one.function}:{one.line} {one.kind}: "
        + (f"caught by {test}" if test else "SURVIVES"))


def show_score(made):
    """Survivors with their diffs, then the score: how many are bad."""
    for one, diff, key in made.survivors:
        print(f"\n{key}: {one.file}: {one.function}: {one.kind}\n{diff}")
    for one, diff, key in made.wrong:
        print(f"\n{key} stands in {mutation.EQUIVALENT}, and a test fails on "
              f"it: {one.function}: {one.kind}\n{diff}")
    print(f"\n{made.lab}: {made.all} mutants, {made.caught} caught, "
          f"{made.equivalent} equivalent, {len(made.survivors)} survivors: "
          f"{made.percent:.1f}%")
    return len(made.survivors) + len(made.wrong)


DO = {"list": do_list, "mutate": do_mutate, "new": do_new,
      "solution": do_new, "hunt": do_hunt, "doctor": do_doctor,
      "grade": do_grade, "grade-all": do_grade_all, "prepare": do_prepare, "package": do_package,
      "matrix": do_matrix}


def stop(number, _):
    raise SystemExit(128 + number)


def main():
    arguments = parser().parse_args()
    os.umask(0o022)  # other users compile and run what we write
    signal.signal(signal.SIGTERM, stop)  # so that what was started is ended
    try:
        return DO[arguments.command](arguments)
    except (labs.Unknown, folder.Exists, source.Missing,
            sandbox.Refused) as error:
        say(f"triptych-lab: {error}")
        return 2
    except BrokenPipeError:  # as after `triptych-lab list | head`
        sys.stdout = None
        return 1
    except (OSError, RuntimeError) as error:
        say(f"triptych-lab: {error}")
        return 1
    except KeyboardInterrupt:
        return 130

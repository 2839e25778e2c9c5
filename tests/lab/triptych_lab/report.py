"""Grades in the formats that people and services read (formats.md's facts:
Gradescope's results.json, Classroom 50's result.json, TAP, our own JSON)."""

import json
import os
import textwrap
from datetime import datetime, timezone
from pathlib import Path

from . import isolation


def message(result):
    """What a failure says: observed, meaning, where to look."""
    lines = [f"Observed: {result.observed}"]
    if result.means:
        lines.append(f"Probably: {result.means}")
    if result.look:
        lines.append(f"Look at:  {result.look}")
    if result.stacks:
        lines.append("The threads, as they stood:\n"
                     + textwrap.indent(result.stacks, "  "))
    if result.output and ("below" in result.look or not result.means):
        lines.append("What it printed:\n"
                     + textwrap.indent(last(result.output), "  "))
    return "\n".join(lines)


def last(text, characters=1500):
    return text if len(text) <= characters else "..." + text[-characters:]


def remarks(grades):
    """What concerns all tests, as lines."""
    lines = grades.note.splitlines()
    if grades.stubs:
        lines += textwrap.wrap(
            "Still stubs, which say TODO(student): "
            + ", ".join(grades.stubs) + ". A test that comes to one of them "
            "fails, and its \"Probably\" is not meant for that.", 79)
    lines.append(f"Isolation: {grades.isolation}")
    if grades.warning:
        lines += textwrap.wrap(f"Warning: {grades.warning}", 79)
    return lines


def as_text(grades):
    lines = [f"{grades.title}", ""]
    if remarks(grades):
        lines += [*remarks(grades), ""]
    for name, title in grades.parts.items():
        mine = [r for r in grades.results if r.part == name]
        if not mine:
            continue
        got = sum(r.score for r in mine)
        lines.append(f"{title}: {got} of {sum(r.points for r in mine)}")
        for r in mine:
            mark = "ok  " if r.passed else "FAIL"
            lines.append(f"  {mark} {r.score:3}/{r.points:<3} {r.title} "
                         f"[{r.name}]")
            if not r.passed:
                lines.append(textwrap.indent(message(r), "         "))
            elif r.observed:  # of a prediction: how far off it was
                lines.append(f"         {r.observed}")
        lines.append("")
    broken = [r.name for r in grades.results if r.state == "broken"]
    if broken:
        lines += ["The grader itself could not do its work in: "
                  + ", ".join(broken), ""]
    lines.append(f"Together: {grades.score} of {grades.points}")
    return "\n".join(lines) + "\n"


def as_tap(grades):
    lines = ["TAP version 13", f"1..{len(grades.results)}"]
    lines += [f"# {line}" for line in remarks(grades)]
    for i, r in enumerate(grades.results, 1):
        lines.append(f"{'ok' if r.passed else 'not ok'} {i} - {r.part}:"
                     f"{r.name}: {r.title} ({r.score}/{r.points})")
        if not r.passed:
            lines += [f"# {line}" for line in message(r).splitlines()]
    return "\n".join(lines) + "\n"


def as_json(grades):
    return json.dumps(grades.as_dict(), indent=1) + "\n"


def as_md(text):
    """Markdown that shows a text as it stands: tables keep their columns."""
    if not text:
        return ""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


def scaled(grades):
    """The score as part of a lab's full points, for who knows only these: what
    was not run here counts neither way."""
    if grades.points in (0, grades.full):
        return grades.score
    return round(grades.score * grades.full / grades.points, 2)


def as_gradescope(grades):
    tests = []
    for i, r in enumerate(grades.results, 1):
        tests.append({
            "number": str(i), "name": f"{grades.parts[r.part]}: {r.title}",
            "score": r.score, "max_score": r.points,
            "status": "passed" if r.passed else "failed",
            "output": "" if r.passed else as_md(message(r)),
            "output_format": "md", "tags": [r.part, r.name],
            "visibility": "visible" if r.public else
            grades.hidden})
    note = "\n".join(remarks(grades))
    if not grades.finished:
        note += "\nThe grader has not come to the end."
    return json.dumps({
        "score": scaled(grades), "output": as_md(note), "output_format": "md",
        "execution_time": round(sum(r.seconds for r in grades.results)),
        "stdout_visibility": "visible", "visibility": "visible",
        "tests": tests}, indent=1) + "\n"


def as_classroom50(grades):
    env = os.environ.get
    return json.dumps({
        "schema": "classroom50/result/v1",
        "classroom": env("CLASSROOM", ""),
        "assignment": env("ASSIGNMENT", ""),
        "submission": env("SUBMISSION_TAG", ""),
        "commit": env("COMMIT_URL", ""),
        "release": env("RELEASE_URL", ""),
        "review": env("REVIEW_URL", ""),
        "owner": env("OWNER", ""),
        "assignment_type": env("ASSIGNMENT_TYPE", "individual"),
        "datetime": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "isolation": grades.isolation, "warning": grades.warning,
        "score": grades.score, "max-score": grades.points,
        "tests": [{"test-name": r.title, "passed": r.passed,
                   "score": r.score, "max-score": r.points}
                  for r in grades.results]}, indent=1) + "\n"


def as_autolab(grades):
    """The text; the line that Autolab shows as stages; the scores by part, as
    LAB.yml names them. A part's points are what it is worth there."""
    stages, scores = {}, {}
    for name, title in grades.parts.items():
        mine = [r for r in grades.results if r.part == name]
        if not mine:
            continue
        stages[title] = {
            r.name: {"passed": r.passed} if r.passed else
            {"passed": False, "hint": r.means or r.observed[:300]}
            for r in mine}
        there = sum(r.points for r in mine)
        full = sum(r.worth or r.points for r in mine)
        got = sum(r.score for r in mine)
        scores[name] = got if there in (0, full) else \
            round(got * full / there, 2)
    shown = {"_presentation": "semantic", "stages": list(stages), **stages}
    return as_text(grades) + json.dumps(shown) + "\n" + \
        json.dumps({"scores": scores}) + "\n"


def as_prairielearn(grades):
    built = any(r.state != "not built" for r in grades.results)
    if grades.finished and not built:
        return json.dumps({
            "gradable": False, "score": 0,
            "format_errors": [grades.note or "It does not compile."],
            "message": "\n".join(["It does not compile: no attempt is counted.",
                                  *remarks(grades)]),
            "output": "", "images": [], "tests": []}, indent=1) + "\n"
    return json.dumps({
        "gradable": True,
        "score": grades.score / grades.points if grades.points else 0,
        "message": "\n".join(remarks(grades)), "output": "", "images": [],
        "tests": [{
            "name": f"{grades.parts[r.part]}: {r.title}",
            "description": r.name, "points": r.score, "max_points": r.points,
            "message": "" if r.passed else f"{r.means}\n{r.look}".strip(),
            "output": "" if r.passed else message(r)[:16000]}
            for r in grades.results]}, indent=1) + "\n"


FORMATS = {"text": as_text, "tap": as_tap, "json": as_json,
           "gradescope": as_gradescope, "classroom50": as_classroom50,
           "autolab": as_autolab, "prairielearn": as_prairielearn}


def for_students(grades):
    """What Classroom 50 shows to students: release-body.md."""
    return f"# {grades.score} of {grades.points}\n\n{as_md(as_text(grades))}\n"


def write(path, text):
    """Whole or not at all: whoever looks finds the last whole one."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    # It could be a link in what was handed in, to any file of ours.
    part.unlink(missing_ok=True)
    with open(part, "x", encoding="utf-8") as file:
        file.write(text)
    isolation.give_to_owner(part)
    os.replace(part, path)

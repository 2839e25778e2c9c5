#!/usr/bin/env python3
"""Checks the arithmetic of predictions, and says how far off they were.

    check.py DIR             DIR/predictions.toml, for a person
    check.py DIR --json      the same as a list of tests with points
    check.py DIR --results FILE   another file than DIR/results.tsv

Speed is not judged: a prediction that was far off costs nothing. Exit status:
0, or 1 if something is wrong or missing, 2 if it was called wrongly."""

import argparse
import json
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE / "grading")]
# A student has the reader of TOML here.
sys.path.append(str(HERE.parents[2] / "tests/lab/triptych_lab"))

import measured  # noqa: E402
import toml_reader  # noqa: E402
from questions import QUESTIONS  # noqa: E402
from quantity import (Missing, Quantity, Wrong, dimension_name,  # noqa: E402
                      formula, quantity, show)

try:
    from laws import LAWS
except ImportError:  # a student's copy
    LAWS = {}

UNDONE = "it has not been predicted yet"
LENIENT = 0.01  # what rounding may make of a result
LONGEST = 100_000  # bytes of predictions.toml


class Failed(Exception):
    """A test that is not passed: observed, means."""


def near(a, b):
    return abs(a.value - b.value) <= LENIENT * max(abs(b.value), 1e-12)


def inputs_of(question, said):
    """The inputs as quantities; those that the question needs are there."""
    given = said.get("inputs", {})
    if not isinstance(given, dict):
        raise Failed("inputs is not a table", "the file's form")
    for name, dimension in question.needs.items():
        if name not in given:
            raise Failed(f"there is no input '{name}'",
                         "the question names what goes into it")
    found = {}
    for name, value in given.items():
        try:
            found[name] = quantity(value)
        except Missing as missing:
            raise Failed(f"input {name}: {missing}", UNDONE) from None
        except Wrong as wrong:
            raise Failed(f"input {name}: {wrong}",
                         "each input is a number and its unit, such as "
                         "\"100 ms\"") from None
        expected = question.needs.get(name, found[name].dimension)
        if found[name].dimension != expected:
            raise Failed(
                f"input {name} is {dimension_name(found[name].dimension)}, "
                f"not {dimension_name(expected)}", "its unit is wrong")
        if name in question.needs and found[name].value <= 0:
            raise Failed(f"input {name} is not above zero", "an estimate is "
                         "missing")
    return found


def check_linear(question, text, given):
    """That each connection costs the same: base + connections x ..."""
    name = question.linear_in
    n = given[name].value
    at = [formula(text, {**given, name: Quantity(n * k)}).value
          for k in (1, 2, 3)]
    if abs((at[2] - at[1]) - (at[1] - at[0])) > 1e-6 * abs(at[2]) or \
            at[1] <= at[0]:
        raise Failed(f"'{text}' does not grow evenly with {name}",
                     "memory is a base and so much for each connection")


def check(question, said):
    """The formula's value, the formula and its inputs; else Failed."""
    if not isinstance(said, dict):
        raise Failed("there is no such table in the file", UNDONE)
    given = inputs_of(question, said)
    text = said.get("formula", "")
    value = formula(text, given)
    result = quantity(said.get("result", ""))
    for what, one in (("formula", value), ("result", result)):
        if one.dimension != question.dimension:
            raise Failed(f"the {what} comes to "
                         f"{dimension_name(one.dimension)}, not to "
                         f"{dimension_name(question.dimension)}",
                         "units are multiplied and divided like numbers; "
                         "where they do not fit, the formula does not")
    if not near(result, value):
        raise Failed(f"'{text}' is {show(value)} with these inputs, and the "
                     f"result says {show(result)}",
                     "the arithmetic is wrong; often it is a unit")
    if question.linear_in:
        check_linear(question, text, given)
    check_law(question, text, value, given)
    return value, text, given


def check_law(question, text, value, given):
    if question.name not in LAWS:
        return
    law, means = LAWS[question.name]
    try:
        expected = law(given)
    except Wrong as wrong:
        raise Failed(f"'{text}': {wrong}", means) from None
    if not near(value, expected):
        raise Failed(f"'{text}' is {show(value)}: its arithmetic is right, "
                     "but this is no answer to the question", means)


# --- How far off it was -----------------------------------------------------

def distance(seen, predicted):
    ratio = seen / predicted if predicted else float("inf")
    if 0.5 < ratio < 2:
        return f"{(ratio - 1) * 100:+.0f} %"
    return f"{ratio:.0f} times as much" if ratio >= 10 else \
        f"{ratio:.2g} times as much"


def comparison(question, results, value, text, given):
    """Lines on what was measured."""
    lines = []
    for seen in question.seen(results):
        facts = {n: q for n, q in seen.facts.items() if n in given}
        if seen.value is None:
            lines.append(f"{seen.what}: not measured in these results")
            continue
        try:
            predicted = formula(text, {**given, **facts})
            if seen.each:
                more = {seen.each: Quantity(given[seen.each].value + 1)}
                predicted = Quantity(
                    formula(text, {**given, **more}).value - value.value,
                    *value.dimension)
        except Wrong:
            predicted = value
        was = Quantity(seen.value, *value.dimension)
        lines.append(f"{seen.what}: predicted {show(predicted)}, measured "
                     f"{show(was)} ({distance(was.value, predicted.value)})")
    return lines


# --- The tests --------------------------------------------------------------

def read_predictions(folder):
    """The file's tables, and a fault that makes all tests fail."""
    path = folder / "predictions.toml"
    try:
        if not path.is_file():
            return {}, "there is no file predictions.toml"
        if path.stat().st_size > LONGEST:
            return {}, "predictions.toml is too long"
        return toml_reader.loads(path.read_text()), ""
    except OSError as error:
        return {}, f"predictions.toml: {error.strerror}"
    except (UnicodeDecodeError, toml_reader.TOMLDecodeError,
            RecursionError) as error:
        return {}, f"predictions.toml cannot be read: {error}"


def read_results(path):
    """The results, and a note on them."""
    if not path.is_file():
        return None, "There is no results.tsv: nothing is compared."
    try:
        return measured.read(path), ""
    except (OSError, ValueError, UnicodeDecodeError) as error:
        return None, f"{path.name} cannot be read: {error}. Nothing is " \
            "compared."


def outcome(question, said, results):
    """Of one prediction: passed, observed, means."""
    try:
        value, text, given = check(question, said)
    except Failed as failed:
        return False, *failed.args
    except Missing as missing:
        return False, str(missing), UNDONE
    except Wrong as wrong:
        return False, str(wrong), "the formula, or its result, makes no sense"
    lines = [f"{text} = {show(value)}"]
    if results is not None:
        lines += comparison(question, results, value, text, given)
    return True, "; ".join(lines), ""


def one_test(question, said, fault, results):
    passed, observed, means = (False, fault, "the file's form") if fault \
        else outcome(question, said, results)
    look = "" if passed else "predictions.toml"
    if not passed and not fault:
        look += f", [{question.name}]"
    return {"name": question.name, "part": question.part,
            "title": question.title, "points": question.points,
            "passed": passed, "observed": observed, "means": means,
            "look": look}


def tests_of(folder, results_path):
    predictions, fault = read_predictions(folder)
    results, note = read_results(results_path)
    return [one_test(q, predictions.get(q.name), fault, results)
            for q in QUESTIONS], note


def as_text(tests, note):
    lines = []
    for test in tests:
        mark = "ok  " if test["passed"] else "FAIL"
        lines.append(f"{mark} {test['name']}: {test['title']}")
        for part in test["observed"].split("; "):
            lines += textwrap.wrap(part, 76, initial_indent="       ",
                                   subsequent_indent="         ")
        if test["means"]:
            lines += textwrap.wrap(test["means"], 76,
                                   initial_indent="       probably: ",
                                   subsequent_indent="         ")
    if note:
        lines += ["", note]
    if not LAWS:
        lines += ["", "Checked here: units and arithmetic. Whether a formula "
                  "answers its question, the grader says."]
    done = sum(t["passed"] for t in tests)
    return "\n".join([*lines, "", f"{done} of {len(tests)} predictions"])


def main():
    parser = argparse.ArgumentParser(
        description="Checks the arithmetic of predictions, and says how far "
        "off they were. Speed is not judged.")
    parser.add_argument("folder", metavar="DIR", type=Path,
                        help="where predictions.toml and results.tsv are")
    parser.add_argument("--results", metavar="FILE", type=Path,
                        help="instead of DIR/results.tsv")
    parser.add_argument("--json", action="store_true",
                        help="a list of tests with points")
    arguments = parser.parse_args()
    tests, note = tests_of(arguments.folder,
                           arguments.results
                           or arguments.folder / "results.tsv")
    if arguments.json:
        print(json.dumps({"tests": tests, "note": note}, indent=1))
    else:
        print(as_text(tests, note))
    return 0 if all(t["passed"] for t in tests) else 1


if __name__ == "__main__":
    sys.exit(main())

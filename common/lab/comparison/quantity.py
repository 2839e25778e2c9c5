"""Numbers with units, and formulas over them.

A quantity is a value in seconds and bytes, and a dimension: the powers of time
and of bytes. Requests, connections, cores and the like are counted, and have
no dimension."""

import ast
import math
import re
from dataclasses import dataclass

TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0}
BYTES = {"B": 1, "kB": 1000, "MB": 10**6, "GB": 10**9,
         "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
COUNTED = {"request", "requests", "connection", "connections", "core", "cores",
           "job", "jobs", "worker", "workers", "kill", "kills", "round",
           "rounds", "1"}
LONGEST = 300  # characters of a formula


# A comma parts thousands; it is no decimal point.
NUMBER = re.compile(r"\s*([+-]?(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)"
                    r"(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)(?![\d,.])\s*(.*?)\s*",
                    re.ASCII)


class Wrong(Exception):
    """What is wrong with a quantity or a formula, in words."""


class Missing(Wrong):
    """Nothing is wrong: nothing is there."""


@dataclass(frozen=True)
class Quantity:
    value: float
    time: int = 0
    bytes: int = 0

    @property
    def dimension(self):
        return self.time, self.bytes


def dimension_name(dimension):
    names = {(0, 0): "a number", (1, 0): "a time", (-1, 0): "a rate (.../s)",
             (0, 1): "bytes", (-1, 1): "bytes a second"}
    return names.get(dimension, "time to the power %d, bytes to the power %d"
                     % dimension)


def unit(text):
    """A unit such as ms, requests/s or KiB/request, as a quantity."""
    value, time, size = 1.0, 0, 0
    for place, word in enumerate(text.split("/")):
        word = word.strip()
        sign = -1 if place > 0 else 1
        if word in TIME:
            value *= TIME[word] ** sign
            time += sign
        elif word in BYTES:
            value *= BYTES[word] ** sign
            size += sign
        elif word and word not in COUNTED:
            raise Wrong(f"'{word}' is no unit; there are "
                        f"{', '.join([*TIME, *BYTES])}, and words for what "
                        "is counted")
    return Quantity(value, time, size)


def quantity(given):
    """What a file says: 100, "100 ms", "2.5e4 requests/s"."""
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        raise Wrong(f"{given!r} is no number")
    if not isinstance(given, str):
        return plain(given)
    if not given.strip():
        raise Missing("nothing is there yet")
    match = NUMBER.fullmatch(given)
    if not match:
        raise Wrong(f"'{given[:40]}' does not begin with a number such as "
                    "2000, 2,000 or 0.05, or goes on in another way")
    scale = unit(match[2])
    number = plain(re.sub("[_,]", "", match[1]))
    return finite(Quantity(number.value * scale.value, *scale.dimension))


def plain(number):
    try:
        return finite(Quantity(float(number)))
    except OverflowError:
        raise Wrong("the number is too large") from None


def finite(result):
    if not math.isfinite(result.value):
        raise Wrong("the number is not finite")
    return result


def formula(text, names):
    """The value of a formula over named quantities: + - * / ( ), min, max,
    ceil."""
    if not isinstance(text, str) or not text.strip():
        raise Missing("there is no formula yet")
    if len(text) > LONGEST:
        raise Wrong(f"the formula has more than {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return finite(evaluate(tree.body, names))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Wrong(f"'{text}' is no formula") from None
    except (OverflowError, ZeroDivisionError):
        raise Wrong(f"'{text}' divides by zero, or is too large") from None


def evaluate(node, names):
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool) or \
                not isinstance(node.value, (int, float)):
            raise Wrong(f"{node.value!r} is no number")
        return Quantity(float(node.value))
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise Wrong(f"'{node.id}' is in the formula but not among the "
                        "inputs")
        return names[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        one = evaluate(node.operand, names)
        return Quantity(-one.value, *one.dimension)
    if isinstance(node, ast.BinOp):
        return combine(node.op, evaluate(node.left, names),
                       evaluate(node.right, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and \
            node.args and not node.keywords:
        return call(node.func.id, [evaluate(a, names) for a in node.args])
    raise Wrong("a formula is made of names, numbers, + - * / ( ), min, max "
                "and ceil")


def combine(operator, a, b):
    if isinstance(operator, ast.Mult):
        return Quantity(a.value * b.value, a.time + b.time, a.bytes + b.bytes)
    if isinstance(operator, ast.Div):
        return Quantity(a.value / b.value, a.time - b.time, a.bytes - b.bytes)
    if not isinstance(operator, (ast.Add, ast.Sub)):
        raise Wrong("a formula is made of names, numbers, + - * / ( ), min, "
                    "max and ceil")
    same_dimension("added or subtracted", [a, b])
    sign = 1 if isinstance(operator, ast.Add) else -1
    return Quantity(a.value + sign * b.value, *a.dimension)


def call(name, arguments):
    if name in ("min", "max") and len(arguments) > 1:
        same_dimension("compared", arguments)
        choose = min if name == "min" else max
        return choose(arguments, key=lambda one: one.value)
    if name == "ceil" and len(arguments) == 1:
        if arguments[0].dimension != (0, 0):
            raise Wrong("ceil rounds a number up, and this is "
                        + dimension_name(arguments[0].dimension))
        return Quantity(float(math.ceil(arguments[0].value)))
    raise Wrong(f"{name} is none of min, max and ceil, or has the wrong "
                "number of arguments")


def same_dimension(what, quantities):
    first = quantities[0].dimension
    for one in quantities:
        if one.dimension != first:
            raise Wrong(f"{dimension_name(first)} and "
                        f"{dimension_name(one.dimension)} cannot be {what}")


def show(one):
    """For a person: three digits, and a unit that suits them."""
    units = {(1, 0): [("s", 1), ("ms", 1e-3), ("us", 1e-6)],
             (0, 1): [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
                      ("B", 1)],
             (-1, 0): [("/s", 1)], (-1, 1): [("MB/s", 1e6)]}
    for name, scale in units.get(one.dimension, [("", 1)]):
        if abs(one.value) >= scale * 0.9995:
            break
    number = one.value / scale
    text = f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
    return f"{text} {name}".strip()

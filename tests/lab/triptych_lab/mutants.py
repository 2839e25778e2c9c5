"""Mutants: the reference, changed in one place, as a student might have it.

The places come from clang's syntax tree, so that only code is changed, and
only where the change means something: a statement dropped, a condition negated
or taken as always so, a bound moved by one, a signal for a broadcast. A change
that does not compile, or that compiles to the code that was there or that
another change made, is none."""

import json
import os
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path

from . import build, labs


@dataclass(frozen=True)
class Mutant:
    """One change: text[start:end] becomes `new`."""
    file: str
    function: str
    kind: str
    line: int
    start: int
    end: int
    new: str

    def applied(self, text):
        return text[:self.start] + self.new + text[self.end:]

    def diff(self, text):
        lines = unified_diff(text.splitlines(), self.applied(text).splitlines(),
                             self.file, self.file, lineterm="", n=1)
        return "\n".join(list(lines)[2:])

    def key(self, text):
        """What it is known by from run to run: its change, not its place, so
        that what is added above it does not make it another."""
        said = f"{self.file} {self.function} {self.kind}\n{self.diff(text)}"
        body = [line for line in said.splitlines()
                if not line.startswith("@@")]
        return sha256("\n".join(body).encode()).hexdigest()[:12]


# --- Where nodes stand in the text ------------------------------------------

def in_file(place):
    """A place in the text, seen past macros: offset and length of its token,
    and whether it is a macro's."""
    if "expansionLoc" in place:
        outer = place["expansionLoc"]
        return outer.get("offset"), outer.get("tokLen", 0), True
    return place.get("offset"), place.get("tokLen", 0), False


def span(node, text):
    """Where a node begins and ends, or None: it is not in this text, or is a
    part of what a macro became."""
    begin, _, from_macro = in_file(node["range"]["begin"])
    last, length, to_macro = in_file(node["range"]["end"])
    if begin is None or last is None:
        return None
    end = last + length
    if to_macro and text[end:].lstrip().startswith("("):
        end = behind_parentheses(text, end)
    if from_macro and to_macro and begin == last and \
            not text[begin:end].replace("_", "").isalnum():
        return None
    return begin, end


def behind_parentheses(text, at):
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0 and text[i] == ")":
            return i + 1
    return len(text)


def syntax_tree(path, name, flags):
    """clang's tree of a function's definition."""
    done = subprocess.run(
        ["clang", *flags, "-w", "-fsyntax-only", "-Xclang", "-ast-dump=json",
         "-Xclang", f"-ast-dump-filter={name}", str(path)],
        capture_output=True, text=True, check=True)
    decoder, said, at = json.JSONDecoder(), done.stdout, 0
    while (at := said.find("{", at)) != -1:
        node, at = decoder.raw_decode(said, at)
        if node.get("kind") != "FunctionDecl" or node.get("name") != name:
            continue
        for inner in node.get("inner", []):
            if inner["kind"] == "CompoundStmt":
                return inner
    raise labs.Unknown(f"{path}: clang finds no function {name}")


# --- What is changed ---------------------------------------------------------

BOUNDS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
OTHERS = {"&&": "||", "||": "&&", "+": "-", "-": "+"}
WAKES = {"pthread_cond_signal": "pthread_cond_broadcast",
         "pthread_cond_broadcast": "pthread_cond_signal"}
CASTS = ("ImplicitCastExpr", "ParenExpr", "ConstantExpr")
DROPPED = ("CallExpr", "BinaryOperator", "CompoundAssignOperator",
           "UnaryOperator")


def bare(node):
    """The node below conversions and parentheses."""
    while node.get("kind") in CASTS and node.get("inner"):
        node = node["inner"][0]
    return node


class Changes:
    """All mutants of one function."""

    def __init__(self, file, function, text):
        self.file, self.function, self.text = file, function, text
        self.found = []

    def change(self, kind, start, end, new):
        line = self.text.count("\n", 0, start) + 1
        if self.text[start:end] != new:
            self.found.append(Mutant(self.file, self.function, kind, line,
                                     start, end, new))

    def replace(self, kind, node, new):
        """A node by a text, in which {} is what was there."""
        at = span(node, self.text)
        if at:
            old = self.text[slice(*at)]
            self.change(kind, *at, new.replace("{}", old))

    def visit(self, node):
        """The node and all below it."""
        kind = node.get("kind", "")
        getattr(self, f"of_{kind}", lambda _: None)(node)
        for child in node.get("inner", []):
            self.visit(child)

    def of_CompoundStmt(self, node):
        statements = node.get("inner", [])
        for one in statements:
            if one["kind"] in DROPPED or one["kind"] == "ReturnStmt":
                self.replace("statement dropped", one, "(void)0")
        for one, two in zip(statements, statements[1:]):
            if one["kind"] in DROPPED and two["kind"] in DROPPED:
                self.exchange("statements exchanged", one, two)

    def exchange(self, kind, one, two):
        a, b = span(one, self.text), span(two, self.text)
        if a and b and a[1] <= b[0]:
            text = self.text
            self.change(kind, a[0], b[1], text[slice(*b)]
                        + text[a[1]:b[0]] + text[slice(*a)])

    def condition(self, node):
        self.replace("condition negated", node, "!({})")
        self.replace("always", node, "(({}) || 1)")
        self.replace("never", node, "(({}) && 0)")

    def lone(self, statement):
        """What stands behind an if or while without braces."""
        if statement.get("kind") in DROPPED:
            self.replace("statement dropped", statement, "(void)0")

    def of_IfStmt(self, node):
        inner = node["inner"]
        self.condition(inner[0])
        for branch in inner[1:]:
            self.lone(branch)
        if not node.get("hasElse"):
            self.word("if", "while", node)

    def of_WhileStmt(self, node):
        self.condition(node["inner"][0])
        self.lone(node["inner"][-1])
        self.word("while", "if", node)

    def of_DoStmt(self, node):
        self.condition(node["inner"][-1])

    def of_ForStmt(self, node):
        for part in node["inner"]:
            if part.get("kind") and part is node["inner"][2]:
                self.condition(part)
        self.lone(node["inner"][-1])

    def of_ConditionalOperator(self, node):
        self.condition(node["inner"][0])

    def word(self, old, new, node):
        at = span(node, self.text)
        if at and self.text.startswith(old, at[0]):
            self.change(f"{new} for {old}", at[0], at[0] + len(old), new)

    def of_BinaryOperator(self, node):
        left, right = node["inner"]
        a, b = span(left, self.text), span(right, self.text)
        code = node["opcode"]
        if not a or not b or code not in self.text[a[1]:b[0]]:
            return
        at = self.text.index(code, a[1])
        for kind, others in (("bound", BOUNDS), ("operator", OTHERS)):
            if code in others:
                self.change(f"{kind}: {others[code]} for {code}", at,
                            at + len(code), others[code])
        if code in ("+", "-"):
            self.change(f"{code} lost", a[1], b[1], "")
        elif code in ("&&", "||"):
            self.change("half of a condition", a[0], b[1],
                        self.text[slice(*a)])
            self.change("half of a condition", a[0], b[1],
                        self.text[slice(*b)])

    def of_CompoundAssignOperator(self, node):
        left, right = node["inner"]
        a, b = span(left, self.text), span(right, self.text)
        if a and b:
            at = self.text.index(node["opcode"], a[1])
            self.change("= for " + node["opcode"], at,
                        at + len(node["opcode"]), "=")

    def of_CallExpr(self, node):
        callee = bare(node["inner"][0])
        name = callee.get("referencedDecl", {}).get("name", "")
        at = span(callee, self.text)
        if name in WAKES and at:
            self.change(f"{WAKES[name]} for {name}", *at, WAKES[name])
        arguments = node["inner"][1:]
        for one, two in zip(arguments, arguments[1:]):
            self.exchange("arguments exchanged", one, two)

    def of_ReturnStmt(self, node):
        if not node.get("inner"):
            return
        value = node["inner"][0]
        at = span(value, self.text)
        kind = value.get("type", {}).get("qualType", "")
        if not at:
            return
        if kind in ("_Bool", "bool"):
            self.replace("another value", value, "!({})")
        elif kind.endswith("*"):
            self.replace("another value", value, "((void *)0)")
        elif not kind.startswith("struct"):
            zero = self.text[slice(*at)] == "0"
            self.replace("another value", value, "-1" if zero else "0")

    def of_IntegerLiteral(self, node):
        at = span(node, self.text)
        if not at:
            return
        word = self.text[slice(*at)]
        if word.startswith("E") and word.isalnum() and word.isupper():
            self.change("another errno", *at,
                        "EINVAL" if word == "EIO" else "EIO")
        elif word.isdigit():
            self.change("a number, one more", *at, str(int(word) + 1))


def functions(lab):
    """What a lab cuts from its files: file and function."""
    return [(file, name) for part in lab.parts
            for cut in (part.cut, part.remove)
            for file, names in cut.items() for name in names]


def compiler_flags(lab, root):
    rooms = [f"-I{root / room}" for room in lab.rooms]
    return ["-std=c17", "-D_GNU_SOURCE", '-DTRIPTYCH_VERSION="lab"',
            '-DTRIPTYCH_MODULES="."', *rooms,
            *build.pkg_config("--cflags", "libevent").split()]


def of_lab(lab, root=labs.ROOT):
    """All changes in the lab's functions that clang's tree gives, whether they
    compile or not; each once."""
    flags = compiler_flags(lab, root)
    found = {}
    for file, name in functions(lab):
        text = (root / file).read_text()
        changes = Changes(file, name, text)
        changes.visit(syntax_tree(root / file, name, flags))
        for one in changes.found:
            found.setdefault((file, one.applied(text)), one)
    return list(found.values())


# --- Which of them are any ----------------------------------------------------

# What a compiler only warns of, and no student would leave. (Beside -w, which
# turns warnings off, they would be no errors.)
STRICT = ["-Werror=incompatible-pointer-types", "-Werror=int-conversion",
          "-Werror=return-type", "-Werror=implicit-function-declaration"]


def object_code(lab, file, text, root):
    """What a file compiles to; None if it does not. Debugging information
    would tell lines apart, so there is none."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        path = Path(folder) / Path(file).name
        path.write_text(text)
        out = Path(folder) / "out.o"
        here = [f"-I{(root / file).parent}", *compiler_flags(lab, root)]
        done = subprocess.run(
            [os.environ.get("CC", "gcc"), "-O2", *STRICT, *here, "-c",
             path.name, "-o", out.name], cwd=folder, capture_output=True)
        return out.read_bytes() if done.returncode == 0 else None


class Codes:
    """What texts compile to, as a hash; kept in a file, for the next time."""

    def __init__(self, path=None):
        self.path = path
        self.known = {}
        self.lock = threading.Lock()
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                text, _, code = line.partition(" ")
                self.known[text] = code

    def of(self, lab, file, text, root):
        """None if it does not compile."""
        key = sha256(f"{file}\n{text}".encode()).hexdigest()[:24]
        if key not in self.known:
            code = object_code(lab, file, text, root)
            self.add(key, "-" if code is None else sha256(code).hexdigest())
        return None if self.known[key] == "-" else self.known[key]

    def add(self, key, code):
        with self.lock:
            self.known[key] = code
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with open(self.path, "a", encoding="utf-8") as f:
                    f.write(f"{key} {code}\n")


def sift(lab, mutants, root=labs.ROOT, codes=None, workers=None):
    """Those that compile, and to other code than the reference and all before
    them; and how many were left out."""
    codes = codes or Codes()
    texts = {file: (root / file).read_text() for file, _ in functions(lab)}
    seen = {codes.of(lab, f, t, root) for f, t in texts.items()}
    kept = []
    with ThreadPoolExecutor(workers or os.cpu_count() or 2) as pool:
        compiled = pool.map(lambda m: codes.of(
            lab, m.file, m.applied(texts[m.file]), root), mutants)
        for one, code in zip(mutants, compiled):
            if code is not None and code not in seen:
                seen.add(code)
                kept.append(one)
    return kept, len(mutants) - len(kept)

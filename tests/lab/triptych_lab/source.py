"""C source by function name: found, replaced, cut to stubs.

It knows the style of this source, not C: a definition begins in the first
column, and its body stands between a brace in the first column and another.
What a student writes is never read by this."""

import re
from dataclasses import dataclass


class Missing(Exception):
    """A function that ought to be there is not."""


@dataclass
class Function:
    """Where a function stands in a text, as offsets."""
    name: str
    comment: int  # where the comment above it begins; else `start`
    start: int    # where its type begins
    body: int     # its opening brace
    end: int      # behind its closing brace and line end


def find(text, name):
    """The function's definition, or None."""
    head = re.compile(
        rf"^[A-Za-z_][^\n;{{}}=]*?\b{re.escape(name)}\([^;{{}}]*\)\n\{{",
        re.MULTILINE)
    for match in head.finditer(text):
        start = match.start()
        close = text.index("\n}\n", match.end() - 1)
        return Function(name, comment_above(text, start), start,
                        match.end() - 1, close + 3)
    return None


def comment_above(text, start):
    """Where the comment that ends right above `start` begins."""
    above = text[:start]
    if not above.endswith("*/\n"):
        return start
    return above.rindex("/*")


def require(text, name, file):
    function = find(text, name)
    if function is None:
        raise Missing(f"{file}: there is no function {name}")
    return function


def replace(text, name, definition, file):
    """The text with another definition for a function; its comment stays."""
    old = require(text, name, file)
    return text[:old.start] + definition + text[old.end:]


def remove(text, name, file):
    """The text without the function, its comment and its declarations."""
    old = require(text, name, file)
    text = text[:old.comment] + text[old.end:].lstrip("\n")
    declared = re.compile(
        rf"^static [^\n;{{}}=]*?\b{re.escape(name)}\([^;{{}}]*\);\n\n?",
        re.MULTILINE)
    return declared.sub("", text)


def definitions(text):
    """All functions that a text defines: name and definition, in order."""
    names = re.findall(r"^[A-Za-z_][^\n;{}=]*?\b(\w+)\([^;{}]*\)\n\{",
                       text, re.MULTILINE)
    found = [find(text, name) for name in names]
    return [(f.name, text[f.start:f.end]) for f in found]


def parameters(head):
    """The names of a function's parameters, from its head."""
    inside = head[head.index("(") + 1:head.rindex(")")]
    depth, parts = 0, [""]
    for c in inside:
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    names = []
    for part in parts:
        pointer = re.search(r"\(\*\s*(\w+)\)", part)
        words = re.findall(r"\w+", re.sub(r"\[[^]]*\]", "", part))
        if pointer:
            names.append(pointer[1])
        elif words and words != ["void"]:
            names.append(words[-1])
    return names


def usual_value(head, text):
    """What a stub returns: a failure where the type has one."""
    kind = head[:head.index("(")].rsplit(None, 1)[0] + " "
    kind = kind.replace("static ", "").replace("const ", "")
    name = head[:head.index("(")].split()[-1]
    if "*" in name or "*" in kind:
        return "return NULL;"
    if kind.strip() == "void":
        return ""
    if kind.strip() == "bool":
        return "return false;"
    if kind.startswith("struct "):
        return f"return ({kind.strip()}){{0}};"
    if kind.startswith("enum "):
        return f"return ({kind.strip()})0;"
    if kind.strip() in ("int", "ssize_t"):
        has_errno = "#include <errno.h>" in text
        return "return -ENOSYS;" if has_errno else "return -1;"
    return "return 0;"


def stub(text, name, statements, file):
    """The text with a stub for a function: it compiles, fails cleanly, and
    says TODO(student). The comment above it stays as the specification."""
    old = require(text, name, file)
    head = text[old.start:old.body]
    lines = [f"TODO_STUDENT(\"{name}\");"]
    lines += [f"(void){p};" for p in parameters(head)]
    value = usual_value(head, text) if statements is None else statements
    lines += value.split("\n") if value else []
    body = "{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
    return text[:old.body] + body + text[old.end:]


def include(text, header):
    """The text with one more header, before its first."""
    at = text.index("#include")
    return text[:at] + f'#include "{header}"\n' + text[at:]

"""A student's header is compiled together with the tests, which must mean then
what they mean. So it may declare things, define types and constants, and no
more: for each source that includes it, it says the same."""

import re
from pathlib import Path

WORD = re.compile(r"[A-Za-z_]\w*")
# What is no code, as a compiler reads a text from left to right; a line that
# goes on is joined before. A quotation mark without its other one is where
# compilers and this would part: it is not allowed.
NO_CODE = re.compile(r'(?P<kept>"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')'
                     r"|/\*.*?(?:\*/|$)|//[^\n]*|(?P<odd>[\"'])", re.DOTALL)
ODD = re.compile(r"[^\n\t -~]|[\\`@$]")
LINE_ENDS = re.compile(r"\r(?!\n)|[\v\f\0]")  # for some compilers, or none
# These reach past the language: other names, code in other places, calls that
# do not come back.
REFUSED = {"asm", "__asm", "__asm__", "_Pragma", "__attribute__",
           "__attribute", "constructor", "destructor", "incbin",
           "__constructor__", "__destructor__", "_Noreturn", "noreturn",
           "include_next", "import", "embed", "__has_include"}
STATEMENTS = {"return", "goto", "break", "continue", "if", "else", "for",
              "while", "do", "switch", "case", "default"}
BRACE = re.compile(r"(\S*)\s+(\w+)\s*\{|(\w+|[^\w\s])\s*\{")
ENUM = re.compile(r"\benum\s+\w*\s*\{[^}]*\}")
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w*)[ \t]*(.*)$", re.MULTILINE)
MACRO = re.compile(r"(\w+)(\([^)]*\))?\s*(.*)", re.DOTALL)
GUARD = re.compile(r"\s*#[ \t]*ifndef[ \t]+(\w+)\s*#[ \t]*define[ \t]+\1[ \t]*"
                   r"\n(.*)\n[ \t]*#[ \t]*endif\s*", re.DOTALL)
TRIGRAPHS = dict(zip("=/'()!<>-", "#\\^[]|{}~"))
TRIGRAPH = re.compile(r"\?\?([=/'()!<>-])")
DIGRAPHS = {"<%": "{", "%>": "}", "<:": "[", ":>": "]", "%:": "#"}
DIGRAPH = re.compile("|".join(DIGRAPHS))


def bare(text):
    """The text without what is no code, in the usual characters."""
    text = TRIGRAPH.sub(lambda m: TRIGRAPHS[m[1]], text.replace("\r\n", "\n"))
    text = re.sub(r"\\[ \t]*\n", "", text)
    text = NO_CODE.sub(lambda m: m["kept"] or (m["odd"] and "`") or " ", text)
    return DIGRAPH.sub(lambda m: DIGRAPHS[m[0]], text)


def odd(text, code):
    """A character that is none of C's, outside of comments and literals; or
    that ends a line for some."""
    return LINE_ENDS.search(text) or ODD.search(NO_CODE.sub(" ", code))


def macros(code):
    """name: (parameters, body) of what a text defines."""
    found = {}
    for directive, rest in DIRECTIVE.findall(code):
        one = MACRO.fullmatch(rest.strip())
        if directive == "define" and one:
            found[one[1]] = one[2] or "", " ".join(one[3].split())
    return found


def is_value(body):
    """It can be a part of an expression, and is none of a statement."""
    depth = 0
    for c in NO_CODE.sub(" ", body):
        depth += (c in "([") - (c in ")]")
        if depth < 0 or c in ";{}":
            return False
    return depth == 0 and "##" not in body and \
        not STATEMENTS & set(WORD.findall(body))


def macro_faults(mine, names, theirs, guard):
    for name, macro in mine.items():
        parameters, body = macro
        if theirs.get(name) == macro:
            continue
        if name in names:
            yield f"a macro of the name '{name}', which the tests use"
        elif name.startswith("_") and (parameters or body or name != guard):
            yield f"a macro of the name '{name}', which is the system's"
        elif not is_value(body):
            yield f"a macro that is more than a value: '{name}'"


def faults(text, names, original):
    """What a header has that it may not have. `names` are the words of all that
    it is compiled with; `original` is the reference's header."""
    code, theirs = bare(text), bare(original)
    if odd(text, code):
        yield "a character that C has no use for, or half a literal"
    guarded = GUARD.fullmatch(code)
    yield from macro_faults(macros(code), names, macros(theirs),
                            guarded and guarded[1])
    mine = {m[0] for m in WORD.finditer(code)}
    yield from (f"'{word}'" for word in sorted(
        mine & REFUSED | {w for w in mine if w.startswith("__builtin")}))
    if re.search(r"\[\s*\[", code):
        yield "'[['"
    for directive, rest in DIRECTIVE.findall(guarded[2] if guarded else code):
        if directive == "include":
            if not re.fullmatch(r"<[\w/]+\.h>|\"\w+\.h\"", rest.strip()):
                yield f"#include {rest.strip()[:60]}"
        elif directive not in ("define", "") and \
                not (directive == "pragma" and rest.strip() == "once"):
            yield f"#{directive}, but for a guard around all of it"
    if any("=" in line for line in without_enums(code).splitlines()
           if not DIRECTIVE.match(line)):
        yield "a value for a variable: it may declare it"
    yield from (f"another '{one[:30]} ...'" for one in
                enums(theirs, names) - enums(code, names))


def without_enums(code):
    return ENUM.sub(" ", NO_CODE.sub(" ", code))


def enums(code, names):
    """Those of which others know a name: its value must stay."""
    return {" ".join(one.split()) for one in ENUM.findall(code)
            if set(WORD.findall(one.partition("{")[2])) & names}


def functions(code, defined):
    """How many braces open something else than a type: a function could take
    one's place that the tests call. A macro could stand for its head."""
    found = 0
    types = {"struct", "union", "enum"}
    for before, name, last in BRACE.findall(code):
        found += not ({name, last} & types or
                      before in types and name not in defined)
    return found


def words_of(paths):
    found = set()
    for path in paths:
        found.update(WORD.findall(bare(Path(path).read_text())))
    return found


def looked_at(tree, lab, original):
    """"" or, in words, what a header of what is graded may not have."""
    texts = {}
    for file in lab.editable:
        with open(tree / "work" / file, newline="", errors="replace",
                  encoding="utf-8") as given:
            texts[file] = given.read()
    edited = [f for f in lab.editable if f.endswith(".h")
              and texts[f] != original[f]]
    if not edited:
        return ""
    names = words_of((tree / "ref").rglob("*.[ch]")) | KEYWORDS
    defined = {name for f in edited for name in macros(bare(texts[f]))}
    said = ""
    for file in edited:
        found = list(faults(texts[file], names, original[file]))
        if functions(bare(texts[file]), defined):
            found.append("functions: it may declare them")
        if found:
            said += f"{file}: a header that the tests are compiled with may " \
                f"not have {', '.join(found[:8])} (HANDOUT.md: {RULES})\n"
    return said


RULES = "A header that you change"  # what hand-outs call them
KEYWORDS = set("""auto break case char const continue default do double else enum
extern float for goto if inline int long register restrict return short signed
sizeof static struct switch typedef union unsigned void volatile while _Alignas
_Alignof _Atomic _Bool _Complex _Generic _Noreturn _Static_assert _Thread_local
bool true false NULL assert errno""".split())

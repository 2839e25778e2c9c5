"""A student's header is compiled together with the tests, which must mean then
what they mean. So what it may hold is looked at before."""

import re
from pathlib import Path

WORD = re.compile(r"[A-Za-z_]\w*")
# A string, a character or a comment; a line that goes on is joined before.
NO_CODE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
                     r"|/\*.*?(?:\*/|$)|//[^\n]*", re.DOTALL)
# These reach past the language: other names, code in other places.
REFUSED = {"asm", "__asm", "__asm__", "_Pragma", "__attribute__",
           "__attribute", "constructor", "destructor", "incbin",
           "__constructor__", "__destructor__",
           "include_next", "import", "embed", "__has_include"}
BRACE = re.compile(r"(\S*)\s+(\w+)\s*\{|(\w+|[^\w\s])\s*\{")
DIRECTIVE = re.compile(r"^[ \t\f\v]*#[ \t\f\v]*(\w*)[ \t\f\v]*(.*)$",
                       re.MULTILINE)
TRIGRAPHS = dict(zip("=/'()!<>-", "#\\^[]|{}~"))
TRIGRAPH = re.compile(r"\?\?([=/'()!<>-])")
DIGRAPHS = {"<%": "{", "%>": "}", "<:": "[", ":>": "]", "%:": "#"}
DIGRAPH = re.compile("|".join(DIGRAPHS))
HARMLESS = {"ifndef", "ifdef", "if", "else", "elif", "endif", "define",
            "include", "", "error"}


def bare(text):
    """The text without what is no code, in the usual characters."""
    text = TRIGRAPH.sub(lambda m: TRIGRAPHS[m[1]], text)
    text = re.sub(r"\\[ \t]*\r?\n", "", text)
    text = NO_CODE.sub(lambda m: m[0] if m[0][0] in "\"'" else " ", text)
    return DIGRAPH.sub(lambda m: DIGRAPHS[m[0]], text)


def faults(text, names, allowed):
    """What a header has that it may not have. `names` are the words of all that
    it is compiled with; what the reference's header has is `allowed`."""
    code = bare(text)
    mine = {m[0] for m in WORD.finditer(code)}
    found = [f"'{word}'" for word in sorted(mine & REFUSED - allowed)]
    for directive, rest in DIRECTIVE.findall(code):
        if directive == "define":
            word = WORD.match(rest)
            if word and word[0] in names and word[0] not in allowed:
                found.append(f"a macro of the name '{word[0]}', which the "
                             "tests use")
            if "{" in rest or "##" in rest:
                found.append("a macro with a brace or ##")
        elif directive == "include":
            if not re.fullmatch(r"<[\w/]+\.h>|\"\w+\.h\"", rest.strip()):
                found.append(f"#include {rest.strip()[:60]}")
        elif directive not in HARMLESS:
            if not (directive == "pragma" and rest.strip() == "once"):
                found.append(f"#{directive}")
    return found


def functions(code):
    """How many braces open something else than a type or a list of values: a
    function could take one's place that the tests call. A macro could stand
    for its head."""
    macros = set(re.findall(r"^\s*#\s*define\s+(\w+)", code, re.MULTILINE))
    found = 0
    types = {"struct", "union", "enum"}
    for before, name, last in BRACE.findall(code):
        found += not (last == "=" or {name, last} & types or
                      before in types and name not in macros)
    return found


def words_of(paths):
    found = set()
    for path in paths:
        found.update(WORD.findall(bare(Path(path).read_text())))
    return found


def looked_at(tree, lab, original):
    """"" or, in words, what a header of what is graded may not have."""
    edited = [f for f in lab.editable if f.endswith(".h")
              and (tree / "work" / f).read_text(errors="replace")
              != original[f]]
    if not edited:
        return ""
    names = words_of((tree / "ref").rglob("*.[ch]")) | KEYWORDS
    said = ""
    for file in edited:
        text = (tree / "work" / file).read_text(errors="replace")
        allowed = set(WORD.findall(bare(original[file])))
        found = faults(text, names, allowed - KEYWORDS)
        if functions(bare(text)):
            found.append("functions: it may declare them")
        if found:
            said += f"{file}: a header that the tests are compiled with may " \
                f"not have {', '.join(found[:8])}\n"
    return said


KEYWORDS = set("""auto break case char const continue default do double else enum
extern float for goto if inline int long register restrict return short signed
sizeof static struct switch typedef union unsigned void volatile while _Alignas
_Alignof _Atomic _Bool _Complex _Generic _Noreturn _Static_assert _Thread_local
bool true false NULL assert errno""".split())

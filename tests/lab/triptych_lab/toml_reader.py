"""TOML for Python 3.10, which has no tomllib: as much of it as labs and
predictions are written in. Where tomllib is there it does the work.

What is not understood is refused, never guessed: dates, keys with dots or
quotes, escapes beyond \\n \\t \\" \\\\."""

import re

try:
    from tomllib import TOMLDecodeError, loads
except ModuleNotFoundError:
    class TOMLDecodeError(ValueError):
        """It is no TOML, or none that is understood here."""
    loads = None

ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
BARE = re.compile(r"[A-Za-z0-9_-]+")
KEY = re.compile(r'[A-Za-z0-9_-]+|"[^"\\\n]*"')
NUMBER = re.compile(r"[+-]?\d[\d_]*(\.\d[\d_]*)?([eE][+-]?\d+)?(?![\w.:-])")
STRINGS = (("'''", re.compile(r"'''\n?(.*?)'''(?!')", re.DOTALL)),
           ('"""', re.compile(r'"""\n?((?:[^"\\]|\\.|"(?!""))*)"""',
                              re.DOTALL)),
           ("'", re.compile(r"'([^'\n]*)'")),
           ('"', re.compile(r'"((?:[^"\\\n]|\\.)*)"')))


class Reader:
    """A text, and where in it we are."""

    def __init__(self, text):
        self.text = text.replace("\r\n", "\n")
        self.at = 0

    def fail(self, what):
        line = self.text.count("\n", 0, self.at) + 1
        raise TOMLDecodeError(f"{what} (at line {line})")

    def skip(self, lines=True):
        blank = re.compile(r"(?:\s|#[^\n]*)*" if lines
                           else r"[ \t]*(?:#[^\n]*)?")
        self.at = blank.match(self.text, self.at).end()

    def next(self, word):
        if self.text.startswith(word, self.at):
            self.at += len(word)
            return True
        return False

    def need(self, word):
        if not self.next(word):
            self.fail(f"no {word}")

    def key(self):
        found = KEY.match(self.text, self.at)
        if not found:
            self.fail("no name")
        self.at = found.end()
        return found[0].strip('"')

    def unescape(self, text):
        def one(found):
            if found[1][0] == "\n":
                return ""
            if found[1][0] not in ESCAPES:
                self.fail(f"an escape that is not understood: {found[0]}")
            return ESCAPES[found[1][0]]
        return re.sub(r"\\(\n\s*|.)", one, text, flags=re.DOTALL)

    def value(self):
        for quote, form in STRINGS:
            if self.text.startswith(quote, self.at):
                found = form.match(self.text, self.at)
                if not found:
                    self.fail("a string without an end")
                self.at = found.end()
                return found[1] if "'" in quote else self.unescape(found[1])
        if self.next("["):
            return self.array()
        if self.next("{"):
            return self.inline_table()
        for word, meaning in (("true", True), ("false", False)):
            if self.next(word):
                return meaning
        found = NUMBER.match(self.text, self.at)
        if not found:
            self.fail("a value that is not understood")
        self.at = found.end()
        digits = found[0].replace("_", "")
        return float(digits) if found[1] or found[2] else int(digits)

    def array(self):
        values = []
        self.skip()
        while not self.next("]"):
            values.append(self.value())
            self.skip()
            if not self.next(","):
                self.need("]")
                break
            self.skip()
        return values

    def inline_table(self):
        table = {}
        self.skip(lines=False)
        while not self.next("}"):
            self.pair(table)
            self.skip(lines=False)
            if not self.next(","):
                self.need("}")
                break
            self.skip(lines=False)
        return table

    def pair(self, table):
        name = self.key()
        self.skip(lines=False)
        self.need("=")
        self.skip(lines=False)
        if name in table:
            self.fail(f"{name} stands there twice")
        table[name] = self.value()

    def header(self, top, several):
        """[name.name], or [[name]]: the table that it opens."""
        names = [self.key()]
        while self.next("."):
            names.append(self.key())
        self.need("]]" if several else "]")
        table = top
        for name in names[:-1]:
            table = table.setdefault(name, {})
            table = table[-1] if isinstance(table, list) else table
        if not isinstance(table, dict):
            self.fail(f"{'.'.join(names)} is no table")
        last = names[-1]
        if several:
            made = table.setdefault(last, [])
            if not isinstance(made, list):
                self.fail(f"{last} is no list of tables")
            made.append({})
            return made[-1]
        if last in table:
            self.fail(f"{last} stands there twice")
        table[last] = {}
        return table[last]

    def document(self):
        top = table = {}
        self.skip()
        while self.at < len(self.text):
            if self.next("[["):
                table = self.header(top, True)
            elif self.next("["):
                table = self.header(top, False)
            else:
                self.pair(table)
            self.skip(lines=False)
            if self.at < len(self.text) and not self.next("\n"):
                self.fail("something behind a value")
            self.skip()
        return top


def own_loads(text):
    """What loads is where there is no tomllib."""
    return Reader(text).document()


loads = loads or own_loads

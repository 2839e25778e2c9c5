"""Text that a student's code had a hand in - what it printed, what a compiler
said of it, what a test says that it saw - made harmless for every reader: a
terminal, a web page, a runner that takes commands from lines of its log."""

import re
import unicodedata

# Characters kept of one thing that is said, the explorer's table among it; of
# what was printed, the last.
SAID = 64_000
PRINTED = 20_000

# "::error::" at the start of a line, white space before it or not, and
# "##[error]" anywhere are commands to GitHub's runner, and to others.
COMMAND = re.compile(r"^(\s*)(?=::)|(?<=##)(?=\[)", re.MULTILINE)
KEPT = re.compile(r"[\t\n -~]*")


def visible(character):
    """A character that a terminal or a page might obey, as its number."""
    if character in "\t\n" or \
            unicodedata.category(character) not in (
                "Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def plain(text, most=SAID, last=False):
    """The text, or its beginning or end, as printable lines."""
    # Before it grows: each character becomes ten at most.
    text = text[-most:] if last else text[:most + 1]
    text = text.replace("\r\n", "\n")
    if not KEPT.fullmatch(text):
        text = "".join(map(visible, text))
    text = COMMAND.sub(lambda m: (m[1] or "") + ("| " if m[1] is not None
                                                 else " "), text)
    if len(text) > most:
        text = "..." + text[-most:] if last else text[:most] + "..."
    return text

"""A terminal for tests: a program on a pty of its own, and what its screen
shows. It knows the sequences that triptych-race sends, and no others."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

PATIENCE = 120

SEQUENCE = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])")


class Screen:
    """What a terminal shows. `other` is the screen without a history, which
    programs take for themselves; `last` is how that was when it was left."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.modes = {"7": True, "25": True, "1049": False}
        self.looks = set()
        self.last = None
        self.text = ""
        self.main = self.empty()
        self.other = self.empty()
        self.row = self.column = 0
        self.rest = ""

    def empty(self):
        return [[" "] * self.width for _ in range(self.height)]

    def cells(self):
        return self.other if self.modes["1049"] else self.main

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells()]

    def resize(self, width, height):
        self.width, self.height = width, height
        self.main, self.other = self.empty(), self.empty()

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = SEQUENCE.match(text, at)
                if not found:
                    assert re.fullmatch(r"\x1b(\[\??[0-9;]*)?", text[at:]), \
                        f"an unknown sequence: {text[at:at + 20]!r}"
                    self.rest = text[at:]
                    return
                self.do(*found.groups())
                at = found.end()
            else:
                self.put(text[at])
                at += 1

    def put(self, c):
        if c == "\r":
            self.column = 0
        elif c == "\n":
            self.row += 1
            if self.row >= self.height:
                self.main.pop(0)
                self.main.append([" "] * self.width)
                self.row = self.height - 1
        else:
            assert " " <= c <= "~", f"a character that is not ASCII: {c!r}"
            if not self.modes["1049"]:
                self.text += c
            # Beyond the margin only while a new size is not known there yet.
            if self.row < self.height and self.column < self.width:
                self.cells()[self.row][self.column] = c
            self.column += 1

    def do(self, private, numbers, kind):
        if private:
            assert numbers in self.modes, f"an unknown mode: {numbers}"
            if numbers == "1049" and kind == "l" and self.modes["1049"]:
                self.last = self.lines()
                self.row = self.column = 0
            if numbers == "1049" and kind == "h":
                self.other = self.empty()
            self.modes[numbers] = {"h": True, "l": False}[kind]
        elif kind == "H":
            self.row, self.column = (int(n) - 1 for n in numbers.split(";"))
        elif kind == "J":
            assert numbers == "2", f"J {numbers}"
            for row in self.cells():
                row[:] = " " * self.width
        elif kind == "m":
            self.looks.add(numbers)
        else:
            raise AssertionError(f"an unknown sequence: {numbers}{kind}")

    def is_restored(self):
        return self.modes == {"7": True, "25": True, "1049": False}

    def has_colours(self):
        """Any but bold, faint, reverse and the usual."""
        return any(int(n) > 7 for look in self.looks
                   for n in look.split(";") if n)


class Terminal:
    """A program on a pty. Use with `with`: it does not outlive that."""

    def __init__(self, argv, width=80, height=24, **environment):
        self.screen = Screen(width, height)
        self.master, slave = pty.openpty()
        self.slave = slave
        self.set_size(width, height)
        self.before = termios.tcgetattr(slave)
        environment = {"TERM": "xterm-256color", **environment}
        clean = {k: v for k, v in os.environ.items()
                 if k not in ("NO_COLOR", "COLORTERM")}
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, env={**clean, **environment},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def set_size(self, width, height):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", height, width, 0, 0))

    def resize(self, width, height):
        self.screen.resize(width, height)
        self.set_size(width, height)

    def type(self, keys):
        os.write(self.master, keys)

    def signal(self, number):
        self.process.send_signal(number)

    def read(self, seconds):
        """Shows what comes within so long."""
        if select.select([self.master], [], [], seconds)[0]:
            text = os.read(self.master, 65536).decode("ascii")
            self.screen.feed(text)
            return text
        return ""

    def wait_for(self, condition, what):
        """Until condition(lines) is true of what is shown."""
        deadline = time.monotonic() + PATIENCE
        while not condition(self.screen.lines()):
            assert self.process.poll() is None, \
                f"it ended before: {what}; {self.screen.lines()}"
            assert time.monotonic() < deadline, \
                f"waited in vain: {what}; {self.screen.lines()}"
            self.read(.05)

    def finish(self):
        """Shows all that comes until it ends. Returns the exit status."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, \
                f"it does not end: {self.screen.lines()}"
            self.read(.05)
        while self.read(0):
            pass
        return self.process.returncode

    def keys_are_restored(self):
        return termios.tcgetattr(self.slave) == self.before


class Cast:
    """An asciicast, checked line by line."""

    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            text = file.read()
        assert text.endswith("\n"), "the last line is not whole"
        lines = [json.loads(line) for line in text.splitlines()]
        self.head, self.events = lines[0], lines[1:]
        assert self.head["version"] == 2, self.head
        assert isinstance(self.head["timestamp"], int), self.head
        last = 0
        for event in self.events:
            when, kind, data = event
            assert when >= last and kind in "or" and isinstance(data, str), \
                event
            last = when

    def play(self):
        """The screen at its end."""
        screen = Screen(self.head["width"], self.head["height"])
        for _, kind, data in self.events:
            if kind == "r":
                screen.resize(*map(int, data.split("x")))
            else:
                screen.feed(data)
        assert screen.rest == "", "it ends within a sequence"
        return screen


def interrupted(number):
    """The status of a program that ends in its own way after a signal."""
    return 128 + signal.Signals(number)

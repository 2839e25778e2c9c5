"""The picture of includes: no circle, and no arrow from a room up to another;
one word for one thing; and words that name the noun.

A part is a header with the source of the same name. Rooms stand on those that
the table names, and on nothing else of the project; libevent is known to the
loop's rooms alone. A struct's name stands for one thing in all of them.

And no model is longer than it was when it was last made shorter.

    rooms.py            the test
    rooms.py --lines    how long the models are
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# A room, and the rooms below it.
ROOMS = {
    "common": (),
    "threads": ("common",),
    "processes": ("common",),
    "evloop/disks": ("common",),
    "evloop": ("evloop/disks", "common"),
    "evloop/kinds": ("evloop", "evloop/disks", "common"),
    "evloop/coroutines": ("evloop", "common"),
}
LIBEVENT = ("evloop", "evloop/disks", "evloop/kinds", "evloop/coroutines")

# Names of structs that stand in several rooms, for one thing has to be said of
# several models.
SAME = {
    "fetch": "all that a run of the model has",
    "pool": "its workers, made as they are needed",
    "worker": "what serves one request after the other",
    "request": "a request in flight",
}
STRUCT = re.compile(r"^(?:static )?struct (\w+) \{", re.M)

# Comments and messages name the noun instead.
VAGUE = re.compile(r"\b(whoever|somebody|nobody|anybody|everybody)\b", re.I)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')

# Of a model, what is no part of how it waits: a library of its own, or another
# shape of it, which the main path does without.
ASIDE = {
    "threads": {},
    "processes": {"nursery": "thousands of workers"},
    "evloop": {
        "stream": "the library",
        "loops": "several loops",
        "sending": "uploads",
        "disks/": "disks", "kinds/diskfile": "disks",
        "kinds/secure": "https", "kinds/secure_module": "https",
        "kinds/query": "databases", "kinds/datagram": "datagrams",
    },
}
# The most lines that a model has without these.
MOST = {"threads": 1000, "processes": 1700, "evloop": 2700}
# What README.md says of these lengths: the whole, then without what stands
# beside; of threads, beside which nothing stands, the whole alone.
SAID = {
    "threads": r"the threads have ([\d,]+) lines",
    "processes": r"the processes ([\d,]+) and.*?\bprocesses have ([\d,]+)",
    "evloop": r"the event loop ([\d,]+)\..*?\band the loop ([\d,]+)",
}
ROUNDED = 50 # lines that README.md may be off
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<(event2/[^>]+)>)', re.M)


def read_arrows(root):
    """Arrows between parts, and complaints about arrows that lead nowhere that
    the table allows."""
    arrows, wrong = {}, []
    for room, below in ROOMS.items():
        for file in sorted((root / room).glob("*.[ch]")):
            part = f"{room}/{file.stem}"
            text = file.read_text(encoding="utf-8")
            for own, event in INCLUDE.findall(text):
                if event and room not in LIBEVENT:
                    wrong.append(f"{room}/{file.name} includes <{event}>")
                if event:
                    continue
                found = next((r for r in (room, *below)
                              if (root / r / own).is_file()), None)
                if found is None:
                    wrong.append(f'{room}/{file.name} includes "{own}", which '
                                 "is in no room below")
                elif f"{found}/{Path(own).stem}" != part:
                    arrows.setdefault(part, set()).add(
                        f"{found}/{Path(own).stem}")
    return arrows, wrong


def find_circle(arrows):
    """The parts of one circle, in order; or None."""
    done = set()

    def walk(part, way):
        if part in way:
            return [*way[way.index(part):], part]
        if part in done:
            return None
        for other in sorted(arrows.get(part, ())):
            circle = walk(other, [*way, part])
            if circle is not None:
                return circle
        done.add(part)
        return None

    for part in sorted(arrows):
        circle = walk(part, [])
        if circle is not None:
            return circle
    return None


def find_double_names(root):
    """Structs of one name in two rooms, or parts, that the table lacks."""
    places = {}
    for room in ROOMS:
        for file in sorted((root / room).glob("*.[ch]")):
            # Each is a program that is whole in its file.
            if file.stem in ("minimal", "stackless"):
                continue
            for name in STRUCT.findall(file.read_text(encoding="utf-8")):
                places.setdefault(name, set()).add(f"{room}/{file.name}")
    return [f"struct {name} is in {' and in '.join(sorted(files))}"
            for name, files in places.items()
            if len(files) > 1 and name not in SAME]


def find_vague_words(root):
    wrong = []
    for room in ROOMS:
        for file in sorted((root / room).glob("*.[ch]")):
            text = file.read_text(encoding="utf-8")
            wrong += [f"{room}/{file.name}: it says {found[0]}"
                      for words in COMMENT.findall(text) + STRING.findall(text)
                      if (found := VAGUE.search(words))]
    return wrong


def count(root, model):
    """Lines as wc counts them, of a model but its first reading: the whole,
    and by reason what stands beside it."""
    whole, beside = 0, {}
    rooms = [r for r in ROOMS
             if r.split("/")[0] == model and not r.endswith("coroutines")]
    for file in (f for r in rooms for f in (root / r).glob("*.[ch]")):
        part = str(file.relative_to(root / model).with_suffix(""))
        if part.startswith("minimal"):
            continue
        n = len(file.read_bytes().splitlines())
        whole += n
        why = ASIDE[model].get(part) or ASIDE[model].get(
            f"{part.split('/')[0]}/")
        if why:
            beside[why] = beside.get(why, 0) + n
    return whole, beside


def find_long_models(root):
    wrong = []
    for model, most in MOST.items():
        whole, beside = count(root, model)
        lines = whole - sum(beside.values())
        if lines > most:
            wrong.append(f"{model} has {lines} lines: more than {most}")
    return wrong


def find_wrong_figures(root):
    """Lengths that README.md gives, and that are others by now."""
    wrong = []
    said = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    for model, pattern in SAID.items():
        found = re.search(pattern, said)
        if found is None:
            wrong.append(f"README.md does not say how long {model} is")
            continue
        whole, beside = count(root, model)
        for figure, lines in zip(found.groups(),
                                 (whole, whole - sum(beside.values()))):
            if abs(int(figure.replace(",", "")) - lines) > ROUNDED:
                wrong.append(f"README.md says that {model} has {figure} "
                             f"lines: it has {lines}")
    return wrong


def print_lines(root):
    for model in ASIDE:
        whole, beside = count(root, model)
        print(f"{model}: {whole}; without what stands beside it: "
              f"{whole - sum(beside.values())}",
              "".join(f"\n    {n} {why}" for why, n in sorted(beside.items())),
              sep="")


def look(root):
    arrows, wrong = read_arrows(root)
    wrong += find_double_names(root) + find_vague_words(root)
    wrong += find_long_models(root)
    if (root / "README.md").is_file():
        wrong += find_wrong_figures(root)
    # Each is told, not only the first.
    while (circle := find_circle(arrows)) is not None:
        wrong.append("a circle: " + " -> ".join(circle))
        arrows[circle[-2]].discard(circle[-1])
    return arrows, wrong


def main():
    if sys.argv[1:] == ["--lines"]:
        print_lines(ROOT)
        return 0
    arrows, wrong = look(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    print(f"{len(arrows)} parts, {sum(map(len, arrows.values()))} arrows")
    for line in wrong:
        print(line)
    return 1 if wrong or len(arrows) < 60 else 0


if __name__ == "__main__":
    sys.exit(main())

"""The picture of includes: no circle, and no arrow from a room up to another.

A part is a header with the source of the same name. Rooms stand on those that
the table names, and on nothing else of the project; libevent is known to the
loop's rooms alone.
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
    "evloop": ("common",),
    "evloop/coroutines": ("evloop", "common"),
}
LIBEVENT = ("evloop", "evloop/coroutines")
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


def look(root):
    arrows, wrong = read_arrows(root)
    # Each is told, not only the first.
    while (circle := find_circle(arrows)) is not None:
        wrong.append("a circle: " + " -> ".join(circle))
        arrows[circle[-2]].discard(circle[-1])
    return arrows, wrong


def main():
    arrows, wrong = look(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    print(f"{len(arrows)} parts, {sum(map(len, arrows.values()))} arrows")
    for line in wrong:
        print(line)
    return 1 if wrong or len(arrows) < 60 else 0


if __name__ == "__main__":
    sys.exit(main())

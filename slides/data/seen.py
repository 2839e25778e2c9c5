"""seen: what the labs' tests say of each mistake, for the mistakes' pages:

    python3 slides/data/seen.py slides/data/seen.json

Each mistake is graded by its own test, as a hand-in would be. What is known of
a mistake that has not changed since is not graded again; with --again it is.
"""

import hashlib
import json
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lab"))

from triptych_lab import build, grade, labs, matrix  # noqa: E402


def code_hash(path):
    """Of the code alone: the first comment may change. slides/lib/seen.mjs has
    the same."""
    text = path.read_text(encoding="ascii")
    return hashlib.sha256(text[text.index("*/") + 2:].strip().encode()
                          ).hexdigest()[:16]


def plain(text):
    """Without what is of one run or one machine: ports, folders, addresses."""
    text = re.sub(r"(127\.0\.0\.1|\[::1\]):\d+", r"\1:PORT", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "0x...", text)
    text = re.sub(r"/(tmp|var/tmp)/[\w./-]*?/(?=[\w.-]+(\s|$))", "", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def told(bench, one):
    row = matrix.of_mistake(bench, one, True)
    result = row.failed.get(one.caught_by)
    if result is None or result.state != "failed":
        raise SystemExit(f"{one.number}: {one.caught_by} does not fail")
    return {"code": code_hash(one.path), "test": one.caught_by,
            "title": result.title, "observed": plain(result.observed),
            "means": plain(result.means), "look": plain(result.look)}


def main():
    file = Path(sys.argv[1])
    known = json.loads(file.read_text()) if file.exists() else {"seen": {}}
    seen = {} if "--again" in sys.argv else known["seen"]
    every = labs.mistakes(ROOT)
    seen = {n: s for n, s in seen.items() if any(
        str(one.number) == n and code_hash(one.path) == s["code"]
        for one in every)}
    for lab in labs.labs():
        mine = [one for one in matrix.in_order(lab, every)
                if str(one.number) not in seen]
        if not mine or lab.name == "puzzles":
            continue
        with grade.Bench(lab, ROOT, build.shared_base(lab, ROOT),
                         labs.reference_files) as bench:
            for one in mine:
                seen[str(one.number)] = told(bench, one)
                print(one.number, one.caught_by, file=sys.stderr)
                ordered = dict(sorted(seen.items(), key=lambda p: int(p[0])))
                file.write_text(json.dumps(
                    {"date": time.strftime("%Y-%m-%d"), "seen": ordered},
                    indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

"""How fast a large body is relayed, beside a plain loop, in one run.

    relay.py BUILD [GIB [ROUNDS]]

Each round has the plain loop (triptych-plain) and the three fetchers relay the
same body of GIB (4) from the practice server into `cat >/dev/null`, one after
the other; rounds are interleaved, the first is thrown away. Prints GB/s and
the ratio to the plain loop of the same round: median, least, most.
"""

import os
import statistics
import subprocess
import sys
import time
import urllib.parse

MODELS = ("threads", "processes", "evloop", "coroutines")


def relay(command):
    """Seconds that it takes into `cat >/dev/null`."""
    begun = time.monotonic()
    source = subprocess.Popen(command, stdout=subprocess.PIPE)
    with open(os.devnull, "wb") as null:
        drain = subprocess.Popen(["cat"], stdin=source.stdout, stdout=null)
    source.stdout.close()
    if source.wait() != 0 or drain.wait() != 0:
        sys.exit(f"{command[0]} failed")
    return time.monotonic() - begun


def main():
    build = sys.argv[1]
    size = int(float(sys.argv[2] if len(sys.argv) > 2 else 4) * (1 << 30))
    rounds = int(sys.argv[3] if len(sys.argv) > 3 else 5)
    with subprocess.Popen([f"{build}/tests/triptych-origin", "--port=0"],
                          stdout=subprocess.PIPE, text=True) as origin:
        base = origin.stdout.readline().strip().rstrip("/")
        url = urllib.parse.urlsplit(base)
        path = f"/bytes/{size}?close"
        commands = {"plain": [f"{build}/tests/triptych-plain", url.hostname,
                              str(url.port), path]}
        for model in MODELS:
            commands[model] = [f"{build}/fetch-{model}", "-q", base + path]
        rates = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                seconds = relay(command)
                if number > 0:
                    rates[name].append(size / seconds / 1e9)
        origin.terminate()
    for name, figures in rates.items():
        ratios = [a / b for a, b in zip(figures, rates["plain"])]
        print(f"{name:10} {statistics.median(figures):5.2f} GB/s   "
              f"{statistics.median(ratios):4.2f} of plain "
              f"({min(ratios):.2f} to {max(ratios):.2f})")


main()

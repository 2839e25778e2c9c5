"""How long a list takes on one machine, on two, on a hundred: a simulation,
whose prediction for two is compared with Slurm's by cases_slurm.py."""

import heapq
from itertools import islice

SLOTS = 8  # requests in flight at once, on each machine


def seconds(waits, work, slots=SLOTS):
    """A machine has so many requests in flight. For each the server takes its
    time, and then the core, which they share, has some work."""
    rest = iter(waits)
    ready = list(islice(rest, slots))  # when each has its answer
    heapq.heapify(ready)
    core = 0.0
    while ready:
        core = max(core, heapq.heappop(ready)) + work
        for wait in islice(rest, 1):
            heapq.heappush(ready, core + wait)
    return core


def on_machines(waits, work, machines, slots=SLOTS):
    """The slowest shard is the last."""
    n = len(waits)
    cuts = [-(-i * n // machines) for i in range(machines + 1)]
    return max(seconds(waits[a:b], work, slots)
               for a, b in zip(cuts, cuts[1:]))


def fitted(waits, measured, slots=SLOTS):
    """The work for each request with which one machine takes as long as it
    was seen to take."""
    least, most = 0.0, measured
    for _ in range(50):
        work = (least + most) / 2
        if seconds(waits, work, slots) < measured:
            least = work
        else:
            most = work
    return work


def tail(n):
    """Waits of 20 ms; each hundredth request waits a second."""
    return [1.0 if i % 100 == 50 else 0.02 for i in range(n)]


def main():
    waits = tail(10_000)
    one = on_machines(waits, 30e-6, 1)
    print("10,000 requests of 20 ms, each hundredth of a second; "
          f"{SLOTS} in flight, 30 us of work")
    print("machines   seconds   times as fast")
    for machines in (1, 2, 10, 100):
        took = on_machines(waits, 30e-6, machines)
        print(f"{machines:8} {took:9.2f} {one / took:15.1f}")


if __name__ == "__main__":
    main()

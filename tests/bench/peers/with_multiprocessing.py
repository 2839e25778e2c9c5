#!/usr/bin/env python3
"""The multi-request fetcher with Python's processes: workers that take URLs
from one queue and put counts into another, both over pipes.
Use: with_multiprocessing.py JOBS LIST"""

import multiprocessing
import sys

from with_threading import work  # the same, in a process


def main():
    limit = int(sys.argv[1])
    context = multiprocessing.get_context("fork")
    jobs = context.Queue(limit)
    totals = context.Queue()
    workers = [context.Process(target=work, args=(jobs, totals))
               for _ in range(limit)]
    for worker in workers:
        worker.start()
    wanted = 0
    with open(sys.argv[2], encoding="ascii") as lines:
        for line in lines:
            jobs.put(line.rstrip("\n"))
            wanted += 1
    for _ in workers:
        jobs.put(None)
    sums = [totals.get() for _ in workers]
    for worker in workers:
        worker.join()
    requests = sum(done for done, _ in sums)
    print(f"{requests} requests, {sum(count for _, count in sums)} bytes")
    return requests != wanted


if __name__ == "__main__":
    sys.exit(0 if "--check" in sys.argv else main())

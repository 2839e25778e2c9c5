#!/usr/bin/env python3
"""The multi-request fetcher with Python's threads: a bounded queue, a pool of
workers, a kept connection each. Use: with_threading.py JOBS LIST

Bodies are read and counted. Python's interpreter lock lets one thread at a
time compute, but not one at a time wait."""

import http.client
import queue
import sys
import threading
import urllib.parse

CHUNK = 65536


def fetch(connections, url):
    """One request; returns the number of body bytes."""
    parts = urllib.parse.urlsplit(url)
    connection = connections.get(parts.netloc)
    if connection is None:
        connection = http.client.HTTPConnection(parts.netloc, timeout=600)
        connections[parts.netloc] = connection
    connection.request("GET", f"{parts.path}?{parts.query}")
    response = connection.getresponse()
    if response.status >= 400:
        raise OSError(f"{url}: {response.status}")
    count = 0
    while chunk := response.read(CHUNK):
        count += len(chunk)
    return count


def work(jobs, totals):
    connections = {}
    requests = count = 0
    while (url := jobs.get()) is not None:
        count += fetch(connections, url)
        requests += 1
    totals.put((requests, count))


def main():
    limit = int(sys.argv[1])
    jobs = queue.Queue(limit)
    totals = queue.Queue()
    threads = [threading.Thread(target=work, args=(jobs, totals), daemon=True)
               for _ in range(limit)]
    for thread in threads:
        thread.start()
    wanted = 0
    with open(sys.argv[2], encoding="ascii") as lines:
        for line in lines:
            jobs.put(line.rstrip("\n"))
            wanted += 1
    for _ in threads:
        jobs.put(None)
    for thread in threads:
        thread.join()
    sums = [totals.get_nowait() for _ in range(totals.qsize())]
    requests = sum(done for done, _ in sums)
    print(f"{requests} requests, {sum(count for _, count in sums)} bytes")
    return requests != wanted


if __name__ == "__main__":
    sys.exit(0 if "--check" in sys.argv else main())

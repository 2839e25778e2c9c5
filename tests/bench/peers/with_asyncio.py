#!/usr/bin/env python3
"""The multi-request fetcher with Python's asyncio: streams, with drain.
Use: with_asyncio.py JOBS LIST

HTTP is spoken by hand, as far as the practice server and nginx need it: that
is what streams are for."""

import asyncio
import sys
import urllib.parse

CHUNK = 65536


async def receive(reader):
    """One response; returns the number of body bytes."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if not lines[0].startswith(b"http/1.1 2"):
        raise OSError(lines[0].decode())
    length = next(int(line[15:]) for line in lines
                  if line.startswith(b"content-length:"))
    left = length
    while left:
        chunk = await reader.read(min(CHUNK, left))
        if not chunk:
            raise EOFError("the body is cut short")
        left -= len(chunk)
    return length


async def work(jobs, totals):
    streams = {}
    requests = count = 0
    for line in jobs:
        parts = urllib.parse.urlsplit(line.rstrip("\n"))
        if parts.netloc not in streams:
            streams[parts.netloc] = await asyncio.open_connection(
                parts.hostname, parts.port)
        reader, writer = streams[parts.netloc]
        writer.write(f"GET {parts.path}?{parts.query} HTTP/1.1\r\n"
                     f"Host: {parts.netloc}\r\n\r\n".encode())
        await writer.drain()
        count += await receive(reader)
        requests += 1
    for _, writer in streams.values():
        writer.close()
        await writer.wait_closed()
    totals.append((requests, count))


async def run():
    totals = []
    with open(sys.argv[2], encoding="ascii") as lines:
        jobs = iter(lines.readlines())
    await asyncio.gather(*(work(jobs, totals)
                           for _ in range(int(sys.argv[1]))))
    print(f"{sum(done for done, _ in totals)} requests, "
          f"{sum(count for _, count in totals)} bytes")


if __name__ == "__main__":
    if "--check" not in sys.argv:
        asyncio.run(run())

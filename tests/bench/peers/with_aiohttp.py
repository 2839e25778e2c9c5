#!/usr/bin/env python3
"""The multi-request fetcher with aiohttp, if that is installed.
Use: with_aiohttp.py JOBS LIST"""

import asyncio
import sys

import aiohttp

CHUNK = 65536


async def work(session, jobs, totals):
    requests = count = 0
    for line in jobs:
        async with session.get(line.rstrip("\n")) as response:
            response.raise_for_status()
            async for chunk in response.content.iter_chunked(CHUNK):
                count += len(chunk)
        requests += 1
    totals.append((requests, count))


async def run():
    limit = int(sys.argv[1])
    totals = []
    with open(sys.argv[2], encoding="ascii") as lines:
        jobs = iter(lines.readlines())
    connector = aiohttp.TCPConnector(limit=limit)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(work(session, jobs, totals)
                               for _ in range(limit)))
    print(f"{sum(done for done, _ in totals)} requests, "
          f"{sum(count for _, count in totals)} bytes")


if __name__ == "__main__":
    if "--check" not in sys.argv:
        asyncio.run(run())

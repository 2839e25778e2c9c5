"""--trace: what is written is the Chrome Trace Event format, as far as viewers
ask for it, and it tells what the report tells."""

import collections
import json
import os
import signal
import time

from harness import (Origin, Running, Server, Workplace, case, check,
                     content, equal, expect, main, rests, run, sleeps, wait_for)

SHAPES = {
    "threads": ([], ["--spawn", "each"]),
    "processes": ([], ["--spawn", "each"]),
    "evloop": ([], ["--loops", "3"]),
    "coroutines": ([],),
}
STEPS = ("start take connect send receive deliver finish expire retry "
         "stop").split()
# What each kind of event must have, beside ph, pid and tid.
FIELDS = {
    "X": {"name": str, "cat": str, "ts": int, "dur": int, "args": dict},
    "M": {"name": str, "args": dict},
    "C": {"name": str, "id": int, "ts": int, "args": dict},
    "s": {"name": str, "cat": str, "id": int, "ts": int},
    "f": {"name": str, "cat": str, "id": int, "ts": int, "bp": str},
}


def read(path):
    """The events of a trace that is whole, checked one by one."""
    with open(path, encoding="ascii") as file:
        whole = json.load(file)
    events = whole["traceEvents"]
    for event in events:
        fields = FIELDS.get(event.get("ph"))
        check(fields, f"no such kind: {event}")
        for name, kind in {**fields, "pid": int, "tid": int}.items():
            check(type(event.get(name)) is kind, f"{name}: {event}")
        check(set(event) == {*fields, "ph", "pid", "tid"}, event)
        check(event.get("ts", 0) >= 0 and event.get("dur", 0) >= 0, event)
    return events


def of_kind(events, ph):
    return [event for event in events if event["ph"] == ph]


def lane(event):
    return event["pid"], event["tid"]


def check_lanes(events):
    """Each has a name; its steps stand beside or within each other."""
    names = collections.Counter(
        lane(e) for e in of_kind(events, "M") if e["name"] == "thread_name")
    lanes = collections.defaultdict(list)
    for event in of_kind(events, "X"):
        check(event["name"] in STEPS, event)
        lanes[lane(event)].append((event["ts"], -event["dur"], event))
    check(set(lanes) <= set(names), "a lane has no name")
    for steps in lanes.values():
        open_ = []
        for start, minus, event in sorted(steps, key=lambda s: s[:2]):
            end = start - minus
            while open_ and open_[-1][0] <= start:
                open_.pop()
            check(not open_ or end <= open_[-1][0],
                  f"{event} overlaps with {open_ and open_[-1][1]}")
            open_.append((end, event))
    return lanes


def check_arrows(events, lanes):
    """Each leads from a step to a later step on another lane."""
    ends = collections.defaultdict(lambda: ([], []))
    for event in events:
        if event["ph"] in "sf":
            ends[event["cat"], event["id"]][event["ph"] == "f"].append(event)
            check(any(start <= event["ts"] <= start - minus
                      for start, minus, _ in lanes[lane(event)]),
                  f"an arrow's end lies in no step: {event}")
    for name, (out, in_) in ends.items():
        equal(len(out), len(in_), f"ends of the arrow {name}")
        for start, end in zip(out, in_):
            check(start["ts"] <= end["ts"], f"it leads back: {start} {end}")
            check(lane(start) != lane(end), f"it leads nowhere: {start}")
    return ends


def check_numbers(lanes):
    """To start and to stop is about no request; nor is a worker's last step,
    if it is to take: nothing came."""
    for (_, number), steps in lanes.items():
        whole = [event for _, _, event in sorted(steps, key=lambda s: s[:2])]
        none = [e for e in whole if e["name"] in ("start", "stop")]
        if number != 0 and whole[-1]["name"] == "take":
            none.append(whole[-1])
        check(not any("id" in e["args"] for e in none), f"{none}")


def check_counters(events, jobs, most):
    highest = collections.Counter()
    last = {}
    for event in of_kind(events, "C"):
        (value,) = event["args"].values()
        check(value >= 0, event)
        name = event["name"]
        highest[name] = max(highest[name], value)
        last[name, event["id"]] = value
    check(0 < highest["in flight"] <= jobs, f"in flight: {highest}")
    check(highest["buffered"] <= most, f"buffered: {highest}")
    for (name, number), value in last.items():
        if name != "in the pipe":
            equal(value, 0, f"{name} {number} at the end")
    return highest


def steps_of(events, number):
    return {e["name"] for e in of_kind(events, "X")
            if e["args"].get("id") == number}


@case
def a_mixed_run(model):
    for shape in SHAPES[model]:
        with Origin() as origin, Workplace() as place:
            with open(place.join("file"), "wb") as file:
                file.write(content(200000))
            urls, out = [], b""
            for i in range(12):
                urls += [f"{origin.http}/bytes/{90000 + i}?delay={i % 5 * 9}",
                         f"{origin.tcp}/t{i}", f"{origin.udp}/u{i}",
                         f"file://{place.join('file')}"]
                out += content(90000 + i) + b"t%du%d" % (i, i) + \
                    content(200000)
            r = run(model, *shape, "-j", "5", "--trace", place.join("trace"),
                    *urls)
            expect(r, ["ok"] * 48, out)
            events = read(place.join("trace"))
        lanes = check_lanes(events)
        check_numbers(lanes)
        arrows = check_arrows(events, lanes)
        highest = check_counters(events, 5, 65536 + 65536)
        check(highest["buffered"] > 0, "nothing was buffered")
        for row in r.rows:
            wanted = {"connect", "receive", "deliver", "finish"}
            if not row["url"].startswith("file"):
                wanted.add("send")
            check(steps_of(events, int(row["id"])) >= wanted,
                  f"{row['url']}: {steps_of(events, int(row['id']))}")
        kinds = {kind for kind, _ in arrows}
        equal(kinds, {"threads": {"job"},
                      "processes": {"job", "body", "result"},
                      "evloop": {"body"},
                      "coroutines": {"job"},
                      }[model], "what is handed over")
        finished = {e["args"]["id"]: e["args"]
                    for e in of_kind(events, "X") if "url" in e["args"]}
        equal(sorted(finished), list(range(48)), "requests finished")
        for row in r.rows:
            told = finished[int(row["id"])]
            equal((told["url"], told["result"], str(told["bytes"])),
                  (row["url"], row["result"], row["bytes"]), "what is told")


@case
def all_ten_steps(model):
    """A run with a limit that passes, and a retry."""
    with Server(lambda c: c.hold()) as server, Workplace() as place:
        r = run(model, "-t", "2", "--retries", "1", "--trace",
                place.join("trace"), server.http)
        expect(r, ["timeout"])
        events = read(place.join("trace"))
        lanes = check_lanes(events)
        check_arrows(events, lanes)
        equal({e["name"] for e in of_kind(events, "X")} | {"deliver"},
              set(STEPS), "steps")


@case
def a_pause_is_seen(model):
    """Behind a slow consumer, deliver lasts as long as it is slow."""
    with Origin() as origin, Workplace() as place:
        with Running(model, "--trace", place.join("trace"),
                     f"{origin.http}/bytes/3000000", stdout=-1) as program:
            read_ = program.process.stdout.read(1)
            wait_for(lambda: sleeps(program.pid) and rests(program.pid) and
                     sleeps(program.pid), "it waits for its consumer")
            time.sleep(0.5)
            read_ += program.process.stdout.read()
            check(read_ == content(3000000), "the body differs")
            program.finish()
        events = read(place.join("trace"))
        check_lanes(events)
        longest = max(e["dur"] for e in of_kind(events, "X")
                      if e["name"] == "deliver")
        check(longest > 300000, f"the longest delivery: {longest} us")


@case
def an_interrupted_run(model):
    """The trace is whole, although the run is not."""
    with Server(lambda c: c.hold()) as server, Workplace() as place:
        with Running(model, "--trace", place.join("trace"),
                     *[server.http] * 9) as program:
            wait_for(lambda: server.connections == 8, "eight connections")
            program.signal(signal.SIGINT)
            equal(program.finish().status, 130, "exit status")
        check_lanes(read(place.join("trace")))


@case(models=("processes",))
def a_worker_is_killed(model):
    """The step that it was at is lost; the rest is there, and the retry."""
    def script(c):
        c.request()
        if c.number == 1:
            c.hold()
        c.ok(b"fine")
    with Server(script) as server, Workplace() as place:
        with Running(model, "-n", "--trace", place.join("trace"),
                     server.http) as program:
            wait_for(lambda: server.requests, "the request")
            os.kill(program.workers()[0], signal.SIGKILL)
            equal(program.finish().words, ["ok"], "results")
        events = read(place.join("trace"))
        check_lanes(events)
        equal(len([e for e in of_kind(events, "X") if e["name"] == "retry"]),
              1, "retries")
        equal(len([e for e in events if e["name"] == "thread_name"]), 3,
              "names: the parent, a worker, and its successor")


@case
def odd_urls(model):
    with Workplace() as place:
        url = b"file:///\xff\"\\\x01" + b"x" * 3000
        path = place.join("list")
        with open(path, "wb") as file:
            file.write(url)
        r = run(model, "--trace", place.join("trace"), "-i", path)
        expect(r, ["bad-url"])
        (told,) = [e["args"]["url"] for e in of_kind(
            read(place.join("trace")), "X") if "url" in e["args"]]
        check(url.decode("latin-1").startswith(told), told)


@case
def a_trace_that_cannot_be_written(model):
    with Origin() as origin:
        r = run(model, "--trace", "/dev/full", f"{origin.http}/bytes/9",
                report=False)
        equal(r.status, 3, "exit status")
        check("/dev/full: No space left" in r.err, r.err)
        r = run(model, "--trace", "/no/such/place", f"{origin.http}/bytes/9",
                report=False)
        equal(r.status, 3, "exit status")
        check("/no/such/place: No such file" in r.err, r.err)


@case
def a_disk_that_fills_up_later(model):
    """RLIMIT_FSIZE: the bodies arrive; the exit status tells."""
    import resource
    with Origin() as origin, Workplace() as place:
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        r = run(model, "--trace", place.join("trace"),
                *[f"{origin.http}/bytes/9"] * 20, preexec_fn=limit,
                report=False)
        equal(r.status, 3, "exit status")
        equal(r.out, content(9) * 20, "bodies")


if __name__ == "__main__":
    main()

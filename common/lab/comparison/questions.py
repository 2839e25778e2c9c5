"""What is to be predicted, for how many points, and what of a run of the
benchmark it is compared with."""

from dataclasses import dataclass, field
from typing import Callable

import measured
from measured import MODELS
from quantity import Quantity

NUMBER, TIME, RATE, BYTES = (0, 0), (1, 0), (-1, 0), (0, 1)


@dataclass
class Seen:
    """Something that was measured, and the facts of the run: a prediction's
    formula is evaluated anew with them."""
    what: str
    value: float | None
    facts: dict = field(default_factory=dict)
    each: str = ""  # an input: it is the formula's slope in it that was seen


@dataclass
class Question:
    name: str
    part: str
    title: str
    points: int
    dimension: tuple
    needs: dict = field(default_factory=dict)  # inputs: name, dimension
    linear_in: str = ""
    seen: Callable = lambda results: []


def run_facts(results, workload, program, jobs=None):
    """The inputs of a formula that a run may set otherwise than the text of
    the question: with --quick there are fewer requests."""
    found = {}
    for name, column in (("requests", "requests"), ("bytes", "bytes")):
        value = results.median(column, workload, program, jobs)
        if value is not None:
            found[name] = Quantity(value, 0, 1 if name == "bytes" else 0)
    return found


def walls(workload, jobs):
    return lambda results: [
        Seen(m, measured.wall(results, workload, jobs, m),
             run_facts(results, workload, m, jobs)) for m in MODELS]


def rates(workload, jobs):
    return lambda results: [
        Seen(m, measured.rate(results, workload, jobs, m)) for m in MODELS]


def knee(model):
    return Question(
        f"knee_{model}", "knee", f"The knee of the {model}", 8, NUMBER,
        {"cores": NUMBER, "cpu": TIME, "delay": TIME},
        seen=lambda results: [
            Seen("highest rate x delay",
                 measured.knee(results, model, 0.1))])


def memory(model):
    def seen(results):
        connections = [results.median(c, "c10k", model)
                       for c in ("jobs", "requests")]
        facts = {"connections": Quantity(min(connections))} \
            if None not in connections else {}
        return [Seen("in c10k", measured.memory(results, model), facts),
                Seen("each connection", measured.memory_each(results, model),
                     each="connections")]
    return Question(
        f"memory_{model}", "memory", f"Memory at 10,000 connections: {model}",
        6, BYTES, {"base": BYTES, "connections": NUMBER}, "connections", seen)


def crash_done(results):
    return [Seen(m, results.median("ok", "crash", m))
            for m in ("threads", "evloop")]


def crash_repeated(results):
    done = results.median("ok", "crash", "processes")
    served = results.median("served", "crash", "processes")
    again = served - done if None not in (done, served) else None
    return [Seen("served twice", again,
                 run_facts(results, "crash", "processes"))]


QUESTIONS = [
    Question("rate_10", "waiting", "The rate with 10 in flight", 6, RATE,
             seen=rates("latency", 10)),
    Question("in_flight_2500", "waiting",
             "How many in flight for 2,500 requests a second", 6, NUMBER),
    Question("wall_100", "waiting",
             "The time for 2,000 requests, 100 in flight", 6, TIME,
             seen=walls("latency", 100)),
    Question("wall_2050", "waiting",
             "The time for 2,050 requests, 100 in flight", 6, TIME),
    Question("wall_tail", "waiting",
             "The time when one answer of a hundred is slow", 6, TIME,
             seen=walls("tail", 50)),
    knee("threads"), knee("processes"), knee("evloop"),
    Question("past_the_knee", "knee",
             "Processes, 20,000 requests, 10,000 in flight", 6, TIME,
             {"requests": NUMBER, "in_flight": NUMBER, "delay": TIME,
              "cores": NUMBER, "cpu": TIME},
             seen=lambda results: walls("latency", 10000)(results)[1:2]),
    memory("threads"), memory("processes"), memory("evloop"),
    Question("bound_slow_sink", "memory",
             "The promised bound on bodies held in slow-sink", 6, BYTES,
             seen=lambda results: [
                 Seen(f"{m}, the whole program",
                      results.median("pss", "slow-sink", m))
                 for m in MODELS]),
    Question("wall_slow_sink", "losses", "The time of slow-sink", 4, TIME,
             seen=walls("slow-sink", 16)),
    Question("done_before_crash", "losses",
             "Requests done before the first crash", 6, NUMBER,
             seen=crash_done),
    Question("done_again", "losses",
             "Requests that the processes do a second time", 6, NUMBER,
             seen=crash_repeated),
]

"""The laws that predictions must follow: for whoever grades. Students do not
get this file; without it only their arithmetic is checked.

Where the question fixes all facts there is one value. Where an estimate goes
in, the value follows from the estimate."""

from quantity import Quantity, Wrong

LITTLE = "in flight = rate x time of each (Little): with so many in " \
    "flight, each of them comes back after its delay"
ROUNDS = "N requests, c at a time, are N/c rounds of one delay each"


def fixed(value, time=0, size=0):
    return lambda given: Quantity(value, time, size)


def knee(given):
    """What the cores can do in a second, all in flight meanwhile."""
    return Quantity(given["cores"].value / given["cpu"].value
                    * given["delay"].value)


def knee_of_one_loop(given):
    if given["cores"].value != 1:
        raise Wrong("one loop runs on one core, however many there are")
    return knee(given)


def past_the_knee(given):
    """The longer of the two: waiting, or working."""
    if given["requests"].value != 20000 or given["in_flight"].value != 10000:
        raise Wrong("the question is about 20,000 requests, 10,000 in flight")
    waiting = 20000 / 10000 * given["delay"].value
    working = 20000 * given["cpu"].value / given["cores"].value
    return Quantity(max(waiting, working), 1)


KNEE = "up to the knee waiting is all there is, and the rate is c/delay; " \
    "beyond it the processor's time is, and the rate is cores/cpu. The " \
    "knee is where both are the same"
BOUND = "the contract: jobs x (high-water + 64 KiB) + 1 MiB"

# name: (value from the inputs, what it means when it is missed)
LAWS = {
    "rate_10": (fixed(100, -1), LITTLE),
    "in_flight_2500": (fixed(250), LITTLE),
    "wall_100": (fixed(2, 1), ROUNDS),
    "wall_2050": (fixed(2.1, 1),
                  ROUNDS + "; a round that is not full takes as long"),
    "wall_tail": (fixed(3000 / 50 * (0.99 * 0.010 + 0.01 * 0.500), 1),
                  "the places are held for the mean of all delays"),
    "knee_threads": (knee, KNEE),
    "knee_processes": (knee, KNEE),
    "knee_evloop": (knee_of_one_loop, KNEE),
    "past_the_knee": (past_the_knee,
                      "the wall time is the longer of waiting, N/c x delay, "
                      "and working, N x cpu / cores"),
    "bound_slow_sink": (fixed(16 * (128 << 10) + (1 << 20), 0, 1), BOUND),
    "wall_slow_sink": (fixed(16 * (8 << 20) / 40e6, 1),
                       "bodies in order into one reader: nobody is faster "
                       "than it takes all bytes"),
    "done_before_crash": (fixed(80), LITTLE + "; and all ends at the crash"),
    "done_again": (fixed(25),
                   "each crash costs one request one more try, and there "
                   "are as many as intervals in the whole run"),
}

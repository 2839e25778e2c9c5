/* model: fetch-evloop, with one loop, which is the rule, or with several. */
#include "model.h"

#include "base.h"
#include "fetch.h"
#include "loops.h"

#include <event2/event.h>
#include <string.h>

const char model_name[] = "evloop";

/* The loop has no thread besides the program's own, and shares nothing. */
static int run_one(struct run *run, struct flight *flight)
{
    struct fetch fetch;
    int error = base_prepare(false);
    if (error == 0)
        error = fetch_open(&fetch, run, flight, 0, 1);
    if (error != 0)
        return error;
    fetch_run(&fetch);
    fetch_close(&fetch);
    return 0;
}

void model_run(struct run *run)
{
    struct flight flight;
    size_t jobs = run->options->jobs;
    size_t count = run->options->loops < jobs ? run->options->loops : jobs;
    flight_open(&flight, base_most(run, jobs));
    int error =
        count == 1 ? run_one(run, &flight) : loops_run(run, &flight, count);
    if (error != 0)
        run_fail(run, "the event loop: %s", strerror(-error));
    libevent_global_shutdown();
}

/* race_work: workloads of a lecture's size. See race_work.h. */
#include "race_work.h"

#include <string.h>

#define KIB 1024ULL

const struct race_work race_works[] = {
    {.workload = {.name = "tail",
                  .shows = "One answer of twelve is 2 s late. It holds one "
                           "place; the others go on.",
                  .path = "bytes/20000?delay=150&rate=50000&seed=",
                  .requests = 96,
                  .jobs = {8},
                  .size = 20000,
                  .slow_every = 12,
                  .slow_ms = 2000}},
    {.workload = {.name = "latency",
                  .shows = "Each answer takes 0.4 s: all are equally "
                           "good at waiting.",
                  .path = "bytes/100?delay=400&seed=",
                  .requests = 96,
                  .jobs = {8},
                  .size = 100}},
    {.workload = {.name = "small",
                  .shows = "No answer is waited for: look at the switches "
                           "that a request costs.",
                  .path = "bytes/1024?seed=",
                  .requests = 20000,
                  .jobs = {16},
                  .size = KIB}},
    {.workload = {.name = "slow-sink",
                  .shows = "In order into a slow reader: who is early holds "
                           "its bytes (d), and waits.",
                  .path = "bytes/262144?seed=",
                  .requests = 40,
                  .jobs = {8},
                  .size = 256 * KIB,
                  .destination = TO_READER},
     .rate = 1.5e6},
    {.workload = {.name = "crash",
                  .shows = "Something is killed every 0.7 s: of the processes "
                           "one worker, else all.",
                  .path = "bytes/1000?delay=400&seed=",
                  .requests = 96,
                  .jobs = {8},
                  .size = 1000,
                  .kills = true},
     .kill_ms = 700},
    {.workload = {.name = "c10k",
                  .shows = "All at once, each answered after 3 s: what does "
                           "it cost to wait?",
                  .path = "bytes/100?delay=3000&seed=",
                  .requests = 400,
                  .jobs = {400},
                  .size = 100}},
};

const size_t race_work_count = sizeof race_works / sizeof *race_works;

const struct race_work *race_work_find(const char *name)
{
    for (size_t i = 0; i < race_work_count; i++) {
        if (strcmp(race_works[i].workload.name, name) == 0)
            return &race_works[i];
    }
    return NULL;
}

/* workload: what there is to be done. See workload.h. */
#include "workload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KIB 1024ULL
#define MIB (1024 * KIB)

/* A slow reader's rate is in trial.c: it is the harness that reads. */
const struct workload workloads[] = {
    {.name = "small",
     .shows = "Many small bodies over kept connections: what one request "
              "costs. Here the system calls and the switches between workers "
              "count, and one loop that never sleeps for a single connection "
              "does least of both; a process for each connection pays most.",
     .path = "bytes/1024?seed=",
     .requests = 20000,
     .quick = 1500,
     .jobs = {64},
     .size = KIB,
     .peers = true},
    {.name = "small-fast",
     .shows = "The same bodies from a server that looks at no request and "
              "answers each from memory with one send: it is the client that "
              "is waited for, and its calls, switches and copies show as they "
              "are.",
     .path = "bytes/1024?seed=",
     .requests = 20000,
     .quick = 1500,
     .jobs = {64},
     .size = KIB,
     .peers = true,
     .fast = true},
    {.name = "saved",
     .shows = "The same, but each body becomes a file: opening, writing and "
              "renaming cost more than fetching. The loop does them one after "
              "the other; workers do them side by side.",
     .path = "bytes/1024?seed=",
     .requests = 8000,
     .quick = 2000,
     .jobs = {64},
     .size = KIB,
     .destination = TO_FILES,
     .peers = true},
    {.name = "churn",
     .shows = "A new connection for each small body: the kernel's work at "
              "connecting and closing outweighs what the models differ in.",
     .path = "bytes/1024?seed=",
     .requests = 6000,
     .quick = 1500,
     .jobs = {64},
     .size = KIB,
     .option = "--no-keep-alive"},
    {.name = "latency",
     .shows = "Each answer comes after 100 ms: waiting is all there is, and "
              "more in flight means more done, by Little's law, until the "
              "machine itself is the limit: the knee. It comes first for "
              "processes and last for the loop.",
     .path = "bytes/100?delay=100&seed=",
     .requests = 20,
     .quick = 2,
     .quick_jobs = 1000,
     .jobs = {1, 10, 100, 1000, 10000},
     .delay_ms = 100,
     .size = 100},
    {.name = "bulk",
     .shows = "Large bodies, counted and dropped: the copy out of the kernel "
              "is what costs. A blocking read of a big buffer is the least "
              "one can do; the loop asks before each read whether there is "
              "something, and has one core for all.",
     .path = "bytes/268435456?seed=",
     .requests = 8,
     .quick = 2,
     .jobs = {4},
     .size = 256 * MIB,
     .peers = true},
    {.name = "slow-sink",
     .shows = "Bodies in order into a reader of 40 MB/s: nobody can be faster "
              "than it is. What counts is what is held meanwhile: threads and "
              "loop hold up to their marks, processes their pipes, too.",
     .path = "bytes/8388608?seed=",
     .requests = 16,
     .quick = 3,
     .jobs = {16},
     .size = 8 * MIB,
     .destination = TO_READER},
    {.name = "tail",
     .shows = "One answer of fifty takes 50 times as long. Each holds a "
              "worker or a place, the others go on: look at the 99th and at "
              "the 50th percentile.",
     .path = "bytes/1024?delay=10&seed=",
     .requests = 3000,
     .quick = 200,
     .jobs = {50},
     .size = KIB,
     .slow_every = 50,
     .slow_ms = 500},
    {.name = "c10k",
     .shows = "Ten thousand at once, each answered after a second: what does "
              "waiting cost? A connection costs the loop a few kilobytes, "
              "a thread its stack, a process a page table and two pipes. "
              "Memory is that of a run of its own, in which the server holds "
              "all requests until it has been looked at.",
     .path = "bytes/100?delay=1000&seed=",
     .requests = 10000,
     .quick = 1000,
     .jobs = {10000},
     .delay_ms = 1000,
     .size = 100,
     .holds = true},
    {.name = "upload",
     .shows = "A file is sent to each URL at the pace of the server. The "
              "blocking models sleep in poll and send; the loop stashes, "
              "drains and takes turns.",
     .path = "sink?seed=",
     .requests = 64,
     .quick = 16,
     .jobs = {4},
     .size = 32 * MIB,
     .uploads = true},
    {.name = "files",
     .shows = "Regular files, which no loop can wait for: it hands each read "
              "to a helper thread and is told by an eventfd, and that detour "
              "is all the difference; workers just read.",
     .requests = 40000,
     .quick = 10000,
     .jobs = {16},
     .size = 64 * KIB},
    {.name = "crash",
     .shows = "Every 50 ms something crashes. Of the processes it is one "
              "worker, whose request is tried once more; threads and the loop "
              "have nothing smaller than the whole program to lose, and all "
              "that was in flight or still to come is lost with it.",
     .path = "bytes/20000?delay=10&seed=",
     .requests = 2000,
     .quick = 500,
     .jobs = {16},
     .size = 20000,
     .destination = TO_FILES,
     .kills = true},
    {.name = "cpu",
     .shows = "Each body goes through SHA3-512: work for the processor, which "
              "one loop has on one core only, with all others waiting behind "
              "it, while workers use all cores there are.",
     .path = "bytes/4194304?seed=",
     .requests = 64,
     .quick = 24,
     .jobs = {8},
     .size = 4 * MIB,
     .digests = true},
};

const size_t workload_count = sizeof workloads / sizeof *workloads;

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; i < workload_count; i++) {
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    }
    return NULL;
}

bool workload_counts_calls(const struct workload *workload)
{
    return workload == &workloads[0];
}

unsigned workload_requests(const struct workload *workload, unsigned jobs,
                           bool quick)
{
    unsigned requests = quick ? workload->quick : workload->requests;
    bool sweeps = workload->jobs[1] != 0;
    /* In a sweep each place is used more than once, and a run takes its time
     * also with few in flight. */
    unsigned each = jobs >= 1000 ? 2 : requests;
    return sweeps && requests < each * jobs ? each * jobs : requests;
}

unsigned workload_warm_up(unsigned requests)
{
    return requests / 10 + 1;
}

double workload_ideal(const struct workload *workload, unsigned requests,
                      unsigned jobs)
{
    unsigned rounds = (requests + jobs - 1) / jobs;
    return rounds * (workload->delay_ms / 1000.0);
}

/* A file for `files`: the same few, over and over, so that they stay in the
 * page cache: the disk is not what is measured. */
#define FILES 64

/* A file of letters. */
static int write_letters(const char *path, unsigned long long size,
                         unsigned first)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return -errno;
    for (unsigned long long n = 0; n < size; n++)
        (void)putc((int)('a' + (n + first) % 26), file);
    bool bad = ferror(file) != 0;
    return fclose(file) != 0 || bad ? -EIO : 0;
}

int workload_prepare(const struct workload *workload, const char *directory)
{
    char path[4200];
    int error = 0;
    snprintf(path, sizeof path, "%s/upload", directory);
    if (workload->uploads)
        error = write_letters(path, workload->size, 0);
    for (unsigned i = 0; workload->path == NULL && i < FILES && error == 0;
         i++) {
        snprintf(path, sizeof path, "%s/file%u", directory, i);
        error = write_letters(path, workload->size, i);
    }
    return error;
}

int workload_write_list(const struct workload *workload, unsigned requests,
                        const char *base, const char *directory,
                        const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return -errno;
    for (unsigned i = 0; i < requests; i++) {
        if (workload->path == NULL) {
            fprintf(file, "file://%s/file%u\n", directory, i % FILES);
            continue;
        }
        bool slow = workload->slow_every != 0 &&
                    i % workload->slow_every == workload->slow_every / 2;
        fprintf(file, "%s%s%u", base, workload->path, i);
        if (slow) /* the last of two counts */
            fprintf(file, "&delay=%u", workload->slow_ms);
        (void)putc('\n', file);
    }
    bool bad = ferror(file) != 0;
    return fclose(file) != 0 || bad ? -EIO : 0;
}

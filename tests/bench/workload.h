/*
 * workload: what there is to be done, and what it is meant to show.
 *
 * Each is an entry of one table. To add one, add an entry.
 */
#ifndef TRIPTYCH_WORKLOAD_H
#define TRIPTYCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>

/* What becomes of the bodies. */
enum destination {
    TO_NOWHERE, /* counted only: --discard */
    TO_FILES,   /* --directory */
    TO_READER   /* standard output, in order, read at a limited rate */
};

#define SWEEP_MOST 8

struct workload {
    const char *name;
    const char *shows; /* a sentence for whoever reads the figures */

    /* A URL, between the server's address and the number of the request; NULL:
     * files on the disk. */
    const char *path;
    unsigned requests;         /* at least; each of `jobs` gets two */
    unsigned quick;            /* the same, for --quick */
    unsigned quick_jobs;       /* ... and how far it sweeps; 0: all */
    unsigned jobs[SWEEP_MOST]; /* in flight; several: a sweep; ends with 0 */
    unsigned delay_ms;         /* the server waits so long: for the ideal */
    unsigned long long size;   /* of one body, or upload */

    enum destination destination;
    const char *option;  /* one more for the three fetchers, or NULL */
    unsigned slow_every; /* each so many'th answer is ... */
    unsigned slow_ms;    /* ... delayed so long instead */
    bool peers;          /* other programs are asked, too */
    bool fast;           /* of a server that looks at nothing */
    bool uploads;
    bool kills;   /* something is killed on and on */
    bool digests; /* with a digest of each body */
    bool holds;   /* memory is looked at while all are held: see held.h */
};

extern const struct workload workloads[];
extern const size_t workload_count;

/* NULL: there is none of that name. */
const struct workload *workload_find(const char *name);

/* True where the system calls of each request are to be counted. */
bool workload_counts_calls(const struct workload *workload);

/* How many requests one run makes with so many in flight. */
unsigned workload_requests(const struct workload *workload, unsigned jobs,
                           bool quick);

/* How many are enough for the first round, which need not be long. */
unsigned workload_warm_up(unsigned requests);

/* Makes the files in `directory` that are fetched, or sent (upload). 0 or a
 * negative errno. */
int workload_prepare(const struct workload *workload, const char *directory);

/* Writes the list of URLs to the file `path`; `base` is "http://A:P/", and
 * `directory` where the files are. 0 or a negative errno. */
int workload_write_list(const struct workload *workload, unsigned requests,
                        const char *base, const char *directory,
                        const char *path);

/* The wall time, in seconds, that an ideal client would need: N/c x delay; 0
 * where that says nothing. */
double workload_ideal(const struct workload *workload, unsigned requests,
                      unsigned jobs);

#endif

/*
 * jobs: the requests to be made, in order of input.
 *
 * The URLs of the command line come first, then the lines of --input, which
 * the model reads in its own way and feeds in pieces of any size. Lines are
 * taken apart only when a job is asked for, so that a long list is never in
 * memory. Ids and file names are given out in order of input.
 *
 * Nothing here waits or locks: the jobs belong to one thread.
 */
#ifndef TRIPTYCH_JOBS_H
#define TRIPTYCH_JOBS_H

#include "bytes.h"
#include "names.h"
#include "options.h"
#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One request, from its line to the report. Allocated by jobs_next, freed by
 * run_finish; between the two it has one holder at a time. */
struct job {
    uint64_t id;
    char *url; /* as given, with a NUL after it; may contain any byte */
    size_t url_length;
    char *name; /* of the file to save in; NULL without --directory */
    int64_t queued_us;
    int64_t start_us; /* -1: not started */
    int worker;       /* the slot; -1: none */
    unsigned crashes; /* workers that died with it */
    struct outcome outcome;
    struct job *next; /* the holder's */

    /* The report's: */
    bool finished;
    struct job *before; /* in order of input */
    struct job *after;
};

struct jobs {
    const struct options *options;
    size_t urls_taken;
    struct bytes text; /* of --input, not yet taken apart */
    size_t text_used;
    size_t searched; /* of `text`: no line ends before this place */
    int64_t fed_us;
    bool begun; /* the first line of --input was taken */
    bool ended;
    bool skipping; /* an overlong line, whose rest is of no use */
    uint64_t next_id;
    struct job *returned; /* lowest id first */
    struct names names;   /* given out, with --directory */
};

/* Prepares to take jobs. 0 or a negative errno. */
int jobs_open(struct jobs *jobs, const struct options *options);

/* Frees everything; jobs that were handed out are not touched. */
void jobs_free(struct jobs *jobs);

/* Makes room for `n` bytes, which can then be fed without failing. 0 or
 * -ENOMEM. Call it before reading what could otherwise be lost. */
int jobs_reserve(struct jobs *jobs, size_t n);

/* Gives `n` bytes of --input. 0 or -ENOMEM with nothing taken. */
int jobs_feed(struct jobs *jobs, const char *p, size_t n, int64_t now);

/* Tells that --input is at its end: a last line without LF counts. */
void jobs_end(struct jobs *jobs);

/*
 * Takes the next job: one given back, else the next of the command line, else
 * of what was fed. Returns 1 and sets *job; 0 when there is none for now; or
 * -ENOMEM, with nothing lost.
 */
int jobs_next(struct jobs *jobs, struct job **job);

/* Puts a job back, to be taken again before any later one. */
void jobs_give_back(struct jobs *jobs, struct job *job);

/* The id of the job that is taken next, if there is one. */
uint64_t jobs_first(const struct jobs *jobs);

/* True when no job is left and none will come. */
bool jobs_done(const struct jobs *jobs);

void job_free(struct job *job);

/* Appends the URL as messages and the report show it: bytes outside 0x21 to
 * 0x7e as \xHH, so that no URL can draw on a terminal, and *** for a password.
 * 0 or -ENOMEM. */
int job_print_url(struct bytes *out, const char *url, size_t n);

#endif

/*
 * options: the command line, as a struct.
 *
 * One table in options.c says which options there are; --help is made from
 * it. Nothing here prints or exits: main does.
 */
#ifndef TRIPTYCH_OPTIONS_H
#define TRIPTYCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

/* --high-water none */
#define WATER_NONE ((size_t)INT64_MAX)

struct options {
    char **urls; /* from the command line; points into argv */
    size_t url_count;
    const char *input; /* NULL: none; "-": standard input */
    unsigned jobs;

    const char *directory; /* at most one of these two */
    bool discard;
    bool sync; /* a file and its name are on the disk before it counts */

    const char *upload;   /* NULL: GET */
    uint64_t upload_size; /* bytes; run_open fills these two in */
    int upload_fd;        /* -1: none */

    char **headers; /* each "Name: value"; points into argv */
    size_t header_count;
    int64_t timeout_us;
    int64_t connect_timeout_us;
    int64_t epoch_us; /* Unix time at the zero of clock.h; main fills it in */
    unsigned retries;
    unsigned max_redirects;
    uint64_t max_body; /* UINT64_MAX: no limit */
    bool keep_alive;
    size_t high_water; /* bytes; WATER_NONE: no back-pressure */
    size_t low_water;

    bool spawn_each;     /* threads, processes: a worker for each request */
    unsigned loops;      /* evloop: how many */
    const char *backend; /* evloop: how it waits; NULL: the best there is */

    const char *no_https; /* why https is not spoken, in words; NULL: it is */
    const char *no_database; /* the same of postgresql */
    const char *cacert;      /* NULL: the system's store */
    bool insecure;

    const char *report; /* NULL: none */
    const char *trace;  /* NULL: none */
    enum progress_mode progress;
    bool quiet;
    bool help;
    bool version;
};

/*
 * Reads argv for the model named `model` ("threads", ...). Returns 0; -ENOMEM;
 * or -EINVAL with one line for the user in `message`. It may reorder argv, as
 * getopt does, and what it finds points into argv. Free with options_free.
 */
int options_parse(struct options *options, const char *model, int argc,
                  char **argv, char *message, size_t message_size);

void options_free(struct options *options);

/* Prints --help for the model to `out`. */
void options_help(const char *model, FILE *out);

/* True if the bodies go to standard output, in order of input. */
static inline bool options_ordered(const struct options *options)
{
    return options->directory == NULL && !options->discard;
}

#endif

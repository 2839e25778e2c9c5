/*
 * race_record: what a terminal shows, as a file that can be replayed: an
 * asciicast of version 2, as asciinema writes it. A line of
 * JSON that says how large the terminal is, then one for everything that was
 * sent to it, with its time.
 *
 * Each line is one write, so the file is whole at any moment.
 */
#ifndef TRIPTYCH_RACE_RECORD_H
#define TRIPTYCH_RACE_RECORD_H

#include <stddef.h>

struct record {
    int fd; /* -1: nothing is recorded */
    double begun;
    int error; /* the first that writing met; a negative errno */
};

/* Creates the file, for a terminal of that size. 0 or a negative errno. */
int record_open(struct record *record, const char *path, int width, int height,
                const char *title);

/* The terminal was sent this. */
void record_output(struct record *record, const char *text, size_t n);

/* Its size has changed. */
void record_resize(struct record *record, int width, int height);

/* 0, or the first error that there was. */
int record_close(struct record *record);

#endif

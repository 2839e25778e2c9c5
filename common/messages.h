/*
 * messages: what the program says on standard error: its messages, and below
 * them the progress line, if that is shown.
 *
 * No function waits for a reader (spool.h). Any thread may call.
 */
#ifndef TRIPTYCH_MESSAGES_H
#define TRIPTYCH_MESSAGES_H

#include "jobs.h"
#include "spool.h"

#include <stdarg.h>
#include <stdbool.h>

struct messages {
    struct spool spool;
    bool shown; /* the last in the spool is the progress line; behind its
                 * lock */
};

/* Prepares to write to standard error. 0 or a negative errno. */
int messages_open(struct messages *messages);
void messages_close(struct messages *messages);

/* Appends "fetch-MODEL: ", `kind` and the text. */
void messages_say(struct messages *messages, const char *kind,
                  const char *format, va_list arguments);

/* Appends the line about a request that failed. */
void messages_failure(struct messages *messages, const struct job *job);

/* Puts `text` into the place of the progress line; but not before all that was
 * said is written, or lines would heap up behind a reader that has stalled. */
void messages_progress(struct messages *messages, const char *text);

/* Writes what was appended, as far as that goes. Returns how much is left. */
size_t messages_flush(struct messages *messages);

#endif

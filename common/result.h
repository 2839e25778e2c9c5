/*
 * result: the one word in which every request ends, and what goes with it.
 *
 * The words are those of the report, of the messages and of the tests.
 */
#ifndef TRIPTYCH_RESULT_H
#define TRIPTYCH_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum result {
    RESULT_OK,
    RESULT_HTTP_ERROR,
    RESULT_BAD_URL,
    RESULT_UNSUPPORTED,
    RESULT_DNS,
    RESULT_REFUSED,
    RESULT_UNREACHABLE,
    RESULT_CONNECT_TIMEOUT,
    RESULT_TIMEOUT,
    RESULT_RESET,
    RESULT_TRUNCATED,
    RESULT_PROTOCOL,
    RESULT_TOO_LARGE,
    RESULT_REDIRECT_LIMIT,
    RESULT_TLS,
    RESULT_DATABASE_ERROR,
    RESULT_FILE_ERROR,
    RESULT_WRITE_FAILED,
    RESULT_WORKER_CRASHED,
    RESULT_NO_RESOURCES,
    RESULT_CANCELLED
};

/* What a request came to. Times are those of clock.h; -1: does not apply. */
struct outcome {
    enum result result;
    int status;           /* the last one received; 0: none */
    bool reused;          /* the last attempt went over a kept connection */
    unsigned attempts;    /* 0: nothing was tried */
    uint64_t bytes;       /* what the destination took */
    size_t peak_buffered; /* most body bytes held in user space */
    int64_t connected_us; /* these two: of the last attempt */
    int64_t first_byte_us;
    int64_t done_us;
    char cause[120]; /* in words, for a person; "" if ok */
};

/* Before anything was tried. */
#define OUTCOME_NONE                                                          \
    ((struct outcome){.connected_us = -1, .first_byte_us = -1, .done_us = -1})

/* The result's word, as in the report: "ok", "http-error", ... */
const char *result_word(enum result result);

/* True if a new try may mend it (the man page lists them: --retries). */
bool result_mendable(enum result result, int status);

/* What it means when a body could not be handed on, says a negative errno.
 * -ECANCELED: the run stops, or the request gives way. */
enum result result_of_writing(int error);

/* Fills an outcome in that no exchange has made, or overrules one. */
void outcome_set(struct outcome *outcome, enum result result,
                 const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The run ended first. */
void outcome_cancel(struct outcome *outcome);

#endif

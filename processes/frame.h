/*
 * frame: messages over a pipe.
 *
 * A pipe carries bytes, not messages: one read may bring half of what one
 * write put in, or three of them. So every message goes behind a header that
 * says how long it is.
 *
 *     parent to worker   FRAME_JOB      struct frame_job, URL, file name
 *     worker to parent   FRAME_BODY     body bytes, for standard output
 *                        FRAME_RESULT   struct outcome
 *
 * Both ends are one program on one machine, forked and not executed anew, so
 * structs cross as they are in memory.
 */
#ifndef TRIPTYCH_FRAME_H
#define TRIPTYCH_FRAME_H

#include "bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum frame_type {
    FRAME_NONE, /* nothing is complete yet */
    FRAME_JOB,
    FRAME_BODY,
    FRAME_RESULT,
    FRAME_BROKEN /* what was read is no frame; nothing can follow */
};

/* The fixed part of FRAME_JOB. URL and name follow, each with a NUL behind it
 * that is not counted. */
struct frame_job {
    uint64_t id;
    uint32_t url_length;
    uint32_t name_length; /* 0: there is none */
};

/* What frame_feed found. */
struct frame {
    enum frame_type type;
    const char *at; /* the message, or for FRAME_BODY the next piece of one */
    size_t length;
};

/* Puts frames together again. Start from all zeroes. */
struct frame_reader {
    unsigned char header[8];
    size_t header_length;
    size_t left;          /* of the message, still to come */
    struct bytes message; /* so far; a body is not gathered */
};

/* A message longer than this is none of ours; bodies come in any length. */
#define FRAME_MOST ((size_t)256 * 1024)

/* Appends a frame, made of the `n` parts, to `out`. 0 or -ENOMEM. */
int frame_append(struct bytes *out, enum frame_type type,
                 const struct iovec *parts, int n);

/* Writes a frame with one part to a blocking descriptor, all of it: sleeps in
 * write while a pipe is full. 0 or a negative errno; -EPIPE when the reader
 * is gone. */
int frame_write(int fd, enum frame_type type, const void *data, size_t n);

/*
 * Takes some of the `n` bytes at `p`, returns how many, and sets *frame.
 * FRAME_NONE: all were taken and more are needed. FRAME_BODY: a piece, which
 * stands in `p`. Else the message is whole; it is the reader's and valid
 * until the next call. FRAME_BROKEN also when memory is short.
 */
size_t frame_feed(struct frame_reader *reader, const char *p, size_t n,
                  struct frame *frame);

void frame_free(struct frame_reader *reader);

#endif

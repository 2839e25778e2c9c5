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
#include <sys/types.h>
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

/* What frame_next found. */
struct frame {
    enum frame_type type;
    const char *at; /* the message, or for FRAME_BODY what is here of one */
    size_t length;
};

/* The reading end of a pipe. Start from all zeroes. */
struct frame_reader {
    struct bytes in; /* what was read */
    size_t used;     /* of it, from the front */
    size_t body;     /* bytes of a FRAME_BODY that are still to be taken */
};

/* A message longer than this is none of ours; a body's may be as long as its
 * header can say: less than 4 GiB. */
#define FRAME_MOST ((size_t)256 * 1024)

/* Appends a frame, made of the `n` parts, to `out`. 0 or -ENOMEM. */
int frame_append(struct bytes *out, enum frame_type type,
                 const struct iovec *parts, int n);

/* Writes a frame with one part to a blocking descriptor, all of it: sleeps in
 * write while a pipe is full. 0 or a negative errno; -EPIPE when the reader
 * is gone. */
int frame_write(int fd, enum frame_type type, const void *data, size_t n);

/* Reads once; less than FRAME_CHUNK if memory is short. What read returns, or
 * a negative errno. */
ssize_t frame_read(struct frame_reader *reader, int fd);
#define FRAME_CHUNK ((size_t)64 * 1024)

/*
 * Finds the next frame in what was read; it stands there, and is valid until
 * the next frame_read. FRAME_NONE: more must be read first. FRAME_BODY: as
 * much of a body as is here, at least a byte; it is found again until
 * frame_took has taken all of it. A message is whole, and is found once.
 */
struct frame frame_next(struct frame_reader *reader);

/* `n` bytes of the FRAME_BODY at hand are dealt with. */
void frame_took(struct frame_reader *reader, size_t n);

#endif

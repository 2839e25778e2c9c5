/*
 * spool: text for standard error or for the report; no request waits for it.
 *
 * The reader of a terminal or a pipe may stop reading; that is no reason for a
 * request to stop. So text is appended to memory, and written as far as the
 * descriptor takes it, by the next thread that comes along: after a message,
 * after a row, at a tick. The rest is kept for the thread after it.
 *
 *     spool_begin --> text --> spool_end      any thread, memory alone
 *                      |
 *     spool_flush:     +--> taken --> the descriptor      one thread at a time
 *
 * A thread that writes holds no lock meanwhile: the others append, and leave
 * the writing to it. A descriptor that cannot be asked to go on without
 * waiting (a file on a slow disk) makes this thread wait, and no other.
 *
 * The memory has a bound, because a spool that is full stops new requests
 * (run_next): a consumer that stops reading stops the servers, here too.
 */
#ifndef TRIPTYCH_SPOOL_H
#define TRIPTYCH_SPOOL_H

#include "bytes.h"
#include "output.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* With so much in it a spool is full. What a pipe holds. */
#define SPOOL_MOST ((size_t)64 * 1024)

struct spool {
    struct output output;
    struct bytes taken; /* is being written; for the one who writes */
    size_t written;     /* of it */

    /* Behind `lock`: */
    pthread_mutex_t lock;
    struct bytes text; /* to be written after `taken` */
    size_t length;     /* of both, not written yet */
    bool writing;      /* a thread is at it */
    bool stalled;      /* the last writing had to leave something */
    int error;         /* the first that writing met; a negative errno */
};

/* Prepares for text to `fd`, which stays the caller's. `room` bytes can then
 * be appended without failing, and as many more while those are written. 0 or
 * a negative errno. */
int spool_open(struct spool *spool, int fd, size_t room);

/* Locks, and returns where text is to be appended until spool_end. */
struct bytes *spool_begin(struct spool *spool);
void spool_end(struct spool *spool);

/* Writes what there is, if it is `least` bytes or more, without waiting for a
 * reader; after an error it is forgotten. Returns how much is left. */
size_t spool_flush(struct spool *spool, size_t least);

/* True if no more should be appended before some is written. */
bool spool_is_full(struct spool *spool);

/* True if something waits for a reader: spool_flush is to be called again. */
bool spool_is_stalled(struct spool *spool);

/* The first error that writing met, a negative errno; 0: none. */
int spool_error(struct spool *spool);

/* Frees it; what is left in it is lost. */
void spool_close(struct spool *spool);

#endif

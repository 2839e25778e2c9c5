/* diskfile: a connection to a file, which only speaks: a helper thread opens
 * and reads it. See connection_kind.h and helper.h.
 *
 * A chunk is read only when it is asked for, so not asking is back-pressure,
 * and a file that waits for its turn keeps no other from being read.
 *
 *     idle --- read_next ---> BUSY --- chunk_is_read ---> idle
 */
#include "connection_kind.h"

#include "regular.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Read at once, at most. */
#define READ_MOST ((size_t)64 * 1024)

struct reading {
    struct errand errand;
    struct helper *reader;
    struct connection *connection; /* NULL: of no interest any more */
    bool busy;                     /* the rest is the thread's */
    char *path;
    int fd; /* -1: not open yet */
    uint64_t offset;
    uint64_t parcel; /* by this the chunk is told apart, in --trace */
    ssize_t length;  /* of the chunk; 0: the end; or a negative errno as of
                      * regular_open */
    char chunk[READ_MOST];
};

/* --- Reading ------------------------------------------------------------ */

/* In the thread: opens the file if need be, and reads a chunk. */
static void read_chunk(void *arg)
{
    struct reading *r = arg;
    uint64_t size;
    if (r->fd == -1) {
        int fd = regular_open(r->path, &size);
        r->length = fd;
        if (fd < 0)
            return;
        r->fd = fd;
    }
    do
        r->length = pread(r->fd, r->chunk, READ_MOST, (off_t)r->offset);
    while (r->length == -1 && errno == EINTR);
    if (r->length == -1)
        r->length = -errno;
    else
        r->offset += (uint64_t)r->length;
    trace_hand_over(&r->reader->lane, PARCEL_BODY, r->parcel);
}

static void free_reading(struct reading *r)
{
    if (r->fd != -1)
        (void)close(r->fd);
    free(r->path);
    free(r);
}

static int read_next(struct connection *c)
{
    struct reading *r = c->reading;
    r->parcel = ++c->loop->parcels;
    int error = helper_do(r->reader, &r->errand);
    r->busy = error == 0;
    return error;
}

/* Hands on what was read, unless we are paused, and asks for more, unless we
 * are paused by that. */
static void hand_on(struct connection *c)
{
    struct reading *r = c->reading;
    c->held = !connection_is_readable(c);
    if (c->held)
        return;
    if (r->length <= 0) {
        c->owner->ended(c->arg, (int)r->length);
        return;
    }
    c->owner->readable(c->arg, r->chunk, (size_t)r->length);
    if (connection_is_readable(c) && read_next(c) != 0)
        c->owner->ended(c->arg, -ENOMEM);
}

/* The file cannot be opened; when descriptors are short, an idle connection's
 * place will do. */
static void open_failed(struct connection *c, int error)
{
    enum result result = regular_result(error);
    if (result == RESULT_NO_RESOURCES && idle_drop(&c->loop->idle) &&
        read_next(c) == 0)
        return;
    c->owner->failed(c->arg, result, regular_fault(error));
}

static void chunk_is_read(void *arg, bool was_run)
{
    struct reading *r = arg;
    struct connection *c = r->connection;
    (void)was_run; /* at the end of the run, when there is no connection */
    r->busy = false;
    if (c == NULL) {
        free_reading(r);
        return;
    }
    trace_take_over(c->lane, PARCEL_BODY, r->parcel);
    if (c->state != OPEN && r->length < 0) {
        open_failed(c, (int)r->length);
        return;
    }
    if (c->state != OPEN)
        connection_is_open(c);
    if (c->state == OPEN)
        hand_on(c);
}

/* --- A kind of connection ----------------------------------------------- */

static void pause_reading(struct connection *c)
{
    (void)c; /* what is being read just now is held */
}

static void resume_reading(struct connection *c)
{
    if (c->held)
        hand_on(c);
    else if (!c->reading->busy && read_next(c) != 0)
        c->owner->ended(c->arg, -ENOMEM);
}

static void read_arrived(struct connection *c)
{
    (void)c; /* nothing arrives by itself */
}

static void drop(struct connection *c)
{
    struct reading *r = c->reading;
    c->reading = NULL;
    if (r != NULL && r->busy)
        r->connection = NULL; /* chunk_is_read frees it */
    else if (r != NULL)
        free_reading(r);
}

static int open_file(struct connection *c, const struct addrinfo *address)
{
    (void)address; /* a file has none */
    struct reading *r = malloc(sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    r->errand = (struct errand){
        .run = read_chunk, .done = chunk_is_read, .arg = r, .id = c->lane->id};
    r->reader = &c->loop->reader;
    r->connection = c;
    r->busy = false;
    r->path = strdup(c->url->target);
    r->fd = -1;
    r->offset = 0;
    c->reading = r;
    return r->path != NULL ? read_next(c) : -ENOMEM;
}

const struct connection_kind diskfile_kind = {
    .open = open_file,
    .pause = pause_reading,
    .resume = resume_reading,
    .read_arrived = read_arrived,
    .drop = drop,
};

/* sending: what a request uploads, piece by piece. See sending.h. */
#include "sending.h"

#include "base.h"
#include "clock.h"
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An upload is read and written in pieces of this size. */
#define UPLOAD_PIECE ((size_t)64 * 1024)

/* Memory of its own: thousands of requests that upload nothing may be waiting
 * for their answers, and the thread may be at a piece when its request has
 * ended. */
struct sending {
    struct loop *loop;
    struct exchange *x;
    struct stream *out;         /* NULL: it has left its connection */
    void (*advance)(void *arg); /* NULL: its request has ended */
    void *arg;
    struct stream_waiter waiter; /* for the drain of the piece */
    struct errand errand;        /* reads a piece, by the loop's helper */
    struct event again;          /* ... or the loop does, if there is none */
    bool reads;                  /* the next four are the thread's */
    const struct options *options;
    uint64_t offset;
    size_t size; /* at most to be read */
    ssize_t got; /* as of upload_read_at */
    char *piece; /* NULL: none */
    bool stale;  /* what is being read is of no use */
};

static void drop_piece(struct sending *s)
{
    free(s->piece);
    s->piece = NULL;
}

static void free_sending(struct sending *s)
{
    free(s->piece);
    free(s);
}

/* --- A piece is read: send it -------------------------------------------- */

void sending_failed(struct exchange *x, int error)
{
    enum result result = net_result_of_transfer(-error, exchange_url(x));
    if (result == RESULT_NO_RESOURCES)
        exchange_failed(x, result, strerror(-error), clock_us());
    else
        exchange_unsendable(x);
}

/* The server has taken what was stashed of the piece, or takes no more. */
static void piece_is_sent(struct sending *s, int error)
{
    if (exchange_want(s->x) != WANT_SEND)
        return; /* it has heard enough */
    if (error == 0)
        exchange_sent(s->x, (size_t)s->got);
    else
        sending_failed(s->x, error);
}

static void on_sendable(void *arg, int error)
{
    struct sending *s = arg;
    piece_is_sent(s, error);
    s->advance(s->arg);
}

/* The piece: written, drained. What drain says, or, for the last piece, when
 * nothing of it is stashed: sent means with the kernel. */
static int send_piece(struct sending *s)
{
    uint64_t offset;
    if (s->got <= 0) {
        upload_failed(s->x, s->got);
        return -EIO;
    }
    size_t n = (size_t)s->got;
    bool last = n == exchange_upload(s->x, &offset);
    int error =
        stream_set_limits(s->out, last ? 0 : (int64_t)s->options->high_water,
                          last ? 0 : (int64_t)s->options->low_water);
    if (error == 0)
        error = stream_write(s->out, s->piece, n);
    drop_piece(s); /* now it is stashed: not to hold it twice */
    if (error != 0) {
        exchange_failed(s->x, RESULT_NO_RESOURCES, strerror(-error),
                        clock_us());
        return error;
    }
    s->waiter = (struct stream_waiter){.done = on_sendable, .arg = s};
    return stream_drain(s->out, &s->waiter);
}

static void piece_is_read(void *arg, bool was_run)
{
    struct sending *s = arg;
    bool stale = s->stale;
    s->reads = false;
    s->stale = false;
    if (s->advance == NULL)
        free_sending(s);
    else if (was_run && exchange_want(s->x) != WANT_SEND)
        drop_piece(s);
    else if (was_run) {
        int error = 0;
        if (stale)
            drop_piece(s); /* it begins anew, over another connection */
        else
            error = send_piece(s);
        if (error == STREAM_WAITS)
            return; /* on_sendable goes on */
        if (!stale)
            piece_is_sent(s, error);
        s->advance(s->arg);
    }
}

/* --- The next piece ------------------------------------------------------ */

/* In the helper's thread: it touches nothing of the request. */
static void read_piece(void *arg)
{
    struct sending *s = arg;
    s->got = upload_read_at(s->options, s->offset, s->piece, s->size);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    read_piece(arg);
    piece_is_read(arg, true);
}

/* So the other requests have their turn between two pieces, even if the server
 * takes everything at once. */
void sending_go_on(struct sending *s, struct stream *out)
{
    uint64_t left = exchange_upload(s->x, &s->offset);
    s->size = left < UPLOAD_PIECE ? (size_t)left : UPLOAD_PIECE;
    s->piece = malloc(s->size);
    if (s->piece == NULL) {
        exchange_failed(s->x, RESULT_NO_RESOURCES, strerror(ENOMEM),
                        clock_us());
        return;
    }
    s->out = out;
    s->reads = true;
    if (helper_do(&s->loop->reader, &s->errand) != 0)
        base_next_turn(&s->again); /* the loop reads it itself */
}

bool sending_is_busy(const struct sending *s)
{
    return s != NULL && (s->waiter.waits || s->reads);
}

/* --- Beginning and end --------------------------------------------------- */

struct sending *sending_new(struct loop *loop, const struct options *options,
                            struct exchange *x, uint64_t id,
                            void (*advance)(void *arg), void *arg)
{
    struct sending *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->loop = loop;
    s->options = options;
    s->x = x;
    s->advance = advance;
    s->arg = arg;
    s->errand = (struct errand){
        .run = read_piece, .done = piece_is_read, .arg = s, .id = id};
    evtimer_assign(&s->again, loop->base, on_again, s);
    return s;
}

void sending_leave(struct sending *s)
{
    if (s == NULL)
        return;
    if (s->out != NULL)
        stream_cancel(s->out, &s->waiter);
    s->out = NULL;
    if (evtimer_pending(&s->again, NULL)) {
        event_del(&s->again);
        drop_piece(s);
        s->reads = false;
    }
    s->stale = s->reads;
}

void sending_close(struct sending *s)
{
    if (s == NULL)
        return;
    sending_leave(s);
    s->advance = NULL;
    if (!s->reads)
        free_sending(s); /* else piece_is_read does */
}

/* mailbox: the parent's ends of one worker's pipes. See mailbox.h. */
#include "mailbox.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Readings of one pipe in a row, before the others have their turn. */
#define FAIR_SHARE 4

static int watch(struct mailbox *m, int fd, uint64_t about, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = about};
    if (epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &event) == -1)
        return -errno;
    return 0;
}

static void unwatch(struct mailbox *m, int fd)
{
    (void)epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* --- Sending ------------------------------------------------------------ */

static void forget_outbox(struct mailbox *m)
{
    if (m->outbox_watched)
        unwatch(m, m->worker->jobs_fd);
    m->outbox_watched = false;
    bytes_free(&m->outbox);
}

/* Writes what the pipe takes. 0 or a negative errno. */
static int flush_outbox(struct mailbox *m)
{
    ssize_t n = write(m->worker->jobs_fd, m->outbox.data, m->outbox.length);
    int error = n == -1 && errno != EAGAIN && errno != EINTR ? -errno : 0;
    if (n > 0)
        bytes_drop(&m->outbox, (size_t)n);
    if (m->outbox.length == 0 || error != 0)
        forget_outbox(m);
    return error;
}

/* Only a part of the frame was sent. The next frame would complete it, and the
 * worker would do something that was never asked for. So its pipe is closed:
 * the worker finds the end of the pipe, and ends; then SIGCHLD tells. */
static void give_up(struct mailbox *m)
{
    forget_outbox(m);
    (void)close(m->worker->jobs_fd);
    m->worker->jobs_fd = -1;
}

void mailbox_writable(struct mailbox *m)
{
    if (flush_outbox(m) != 0)
        give_up(m);
}

int mailbox_send(struct mailbox *m, enum frame_type type,
                 const struct iovec *parts, int n)
{
    int error = frame_append(&m->outbox, type, parts, n);
    size_t whole = m->outbox.length;
    if (error == 0)
        error = flush_outbox(m);
    if (error != 0 || m->outbox.length == 0 || m->outbox_watched)
        return error;
    error = watch(m, m->worker->jobs_fd, m->about + 1, EPOLLOUT);
    m->outbox_watched = error == 0;
    if (error == 0 || m->outbox.length == whole)
        return error;
    give_up(m);
    return -EPIPE;
}

/* --- Receiving ---------------------------------------------------------- */

int mailbox_watch(struct mailbox *m)
{
    int error = 0;
    if (!m->watched && !m->ended)
        error = watch(m, m->worker->results_fd, m->about, EPOLLIN);
    m->watched = !m->ended && error == 0;
    return error;
}

void mailbox_unwatch(struct mailbox *m)
{
    if (m->watched)
        unwatch(m, m->worker->results_fd);
    m->watched = false;
}

void mailbox_open(struct mailbox *m)
{
    bytes_lend(&m->inbox, m->room[0], sizeof m->room[0]);
    bytes_lend(&m->reader.message, m->room[1], sizeof m->room[1]);
}

/* Reads once. 1; 0 when nothing is there; or -ENOMEM. */
static int fill(struct mailbox *m)
{
    if (m->ended)
        return 0;
    if (m->used == m->inbox.length && m->body == 0)
        m->used = m->inbox.length = 0;
    /* Less at once will do, down to what mailbox_open has lent. */
    size_t room = MAILBOX_CHUNK;
    if (bytes_reserve(&m->inbox, room) != 0)
        room = m->inbox.capacity - m->inbox.length;
    if (room == 0)
        return -ENOMEM;
    ssize_t n;
    do
        n = read(m->worker->results_fd, m->inbox.data + m->inbox.length, room);
    while (n == -1 && errno == EINTR);
    if (n > 0) {
        m->inbox.length += (size_t)n;
        return 1;
    }
    if (n == 0 || errno != EAGAIN) {
        /* Why, the worker's death will tell. Left in epoll, it would be
         * reported again and again. */
        mailbox_unwatch(m);
        m->ended = true;
    }
    return 0;
}

int mailbox_receive(struct mailbox *m, struct frame *frame)
{
    for (;;) {
        if (m->body > 0) {
            *frame = (struct frame){
                FRAME_BODY, m->inbox.data + m->used - m->body, m->body};
            return 1;
        }
        while (m->used < m->inbox.length) {
            m->used += frame_feed(&m->reader, m->inbox.data + m->used,
                                  m->inbox.length - m->used, frame);
            if (frame->type == FRAME_BODY)
                m->body = frame->length;
            if (frame->type != FRAME_NONE &&
                (frame->type != FRAME_BODY || m->body > 0))
                return 1;
        }
        int filled = fill(m);
        if (filled <= 0)
            return filled;
    }
}

int mailbox_hoard(struct mailbox *m)
{
    int filled = 1;
    for (int i = 0; i < FAIR_SHARE && filled > 0; i++)
        filled = fill(m);
    return filled < 0 ? filled : 0;
}

size_t mailbox_held(const struct mailbox *m)
{
    return m->inbox.length - m->used + m->body;
}

void mailbox_took(struct mailbox *m, size_t n)
{
    m->body -= n;
}

bool mailbox_drain(struct mailbox *m)
{
    while (fill(m) > 0)
        ;
    mailbox_unwatch(m);
    m->ended = true;

    char room[MAILBOX_LEAST];
    struct frame_reader reader = m->reader;
    struct frame frame = {.type = FRAME_NONE};
    size_t used = m->used;
    bytes_lend(&reader.message, room, sizeof room); /* not m's own */
    while (used < m->inbox.length && frame.type != FRAME_RESULT &&
           frame.type != FRAME_BROKEN)
        used += frame_feed(&reader, m->inbox.data + used,
                           m->inbox.length - used, &frame);
    frame_free(&reader);
    return frame.type == FRAME_RESULT;
}

void mailbox_clear(struct mailbox *m)
{
    forget_outbox(m);
    frame_free(&m->reader);
    bytes_free(&m->inbox);
    m->used = m->body = 0;
}

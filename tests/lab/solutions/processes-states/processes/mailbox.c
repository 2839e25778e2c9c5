/* Style: the jobs pipe is always filled by one function, until it says no. */
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

/* Writes until all is written or the pipe is full, and sees to it that epoll
 * tells when there is room again. 0 or a negative errno. */
static int push(struct mailbox *m)
{
    size_t done = 0;
    int error = 0;
    while (done < m->outbox.length && error == 0) {
        ssize_t n = write(m->worker->jobs_fd, m->outbox.data + done,
                          m->outbox.length - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            error = -errno;
    }
    bytes_drop(&m->outbox, done);
    if (m->outbox.length == 0 || error != -EAGAIN) {
        forget_outbox(m);
        return error;
    }
    if (m->outbox_watched)
        return 0;
    error = watch(m, m->worker->jobs_fd, m->about + 1, EPOLLOUT);
    m->outbox_watched = error == 0;
    return error;
}

/* The worker waits for the rest of a frame, and will get the end instead. */
static void give_up(struct mailbox *m)
{
    forget_outbox(m);
    (void)close(m->worker->jobs_fd);
    m->worker->jobs_fd = -1;
}

void mailbox_writable(struct mailbox *m)
{
    (void)push(m);
}

int mailbox_send(struct mailbox *m, enum frame_type type,
                 const struct iovec *parts, int n)
{
    int error = frame_append(&m->outbox, type, parts, n);
    size_t whole = m->outbox.length;
    if (error == 0)
        error = push(m);
    if (error == 0 || m->outbox.length == 0 || m->outbox.length == whole)
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

/* True if a result begins somewhere in the `n` bytes at `p`, and is whole. */
static bool has_result(struct frame_reader *reader, const char *p, size_t n)
{
    struct frame frame = {.type = FRAME_NONE};
    if (n == 0)
        return false;
    size_t used = frame_feed(reader, p, n, &frame);
    if (frame.type == FRAME_RESULT || frame.type == FRAME_BROKEN)
        return frame.type == FRAME_RESULT;
    return has_result(reader, p + used, n - used);
}

bool mailbox_drain(struct mailbox *m)
{
    int filled;
    do
        filled = fill(m);
    while (filled > 0);
    mailbox_unwatch(m);
    m->ended = true;

    /* A copy of what it has of a message, too: m->reader goes on from there
     * when the frames are taken. */
    struct frame_reader reader = m->reader;
    reader.message = (struct bytes){0};
    bool found = bytes_append(&reader.message, m->reader.message.data,
                              m->reader.message.length) == 0 &&
                 has_result(&reader, m->inbox.data + m->used,
                            m->inbox.length - m->used);
    frame_free(&reader);
    return found;
}

void mailbox_clear(struct mailbox *m)
{
    forget_outbox(m);
    frame_free(&m->reader);
    bytes_free(&m->inbox);
    m->used = m->body = 0;
}

/* Style: the jobs pipe is always filled by one function, until it says no. */
/* mailbox: the parent's ends of one worker's pipes. See mailbox.h. */
#include "mailbox.h"

#include "watch.h"

#include <errno.h>
#include <unistd.h>

int mailbox_open(struct mailbox *m, struct pool_worker *worker, int epoll_fd)
{
    if (m->open)
        return 0;
    *m = (struct mailbox){.worker = worker,
                          .epoll_fd = epoll_fd,
                          .about = 2 * (uint64_t)worker->slot};
    mailbox_clear(m);
    int error = watch(epoll_fd, worker->results_fd, m->about, 0);
    if (error == 0)
        error = watch(epoll_fd, worker->jobs_fd, m->about + 1, 0);
    m->open = error == 0;
    return error;
}

void mailbox_clear(struct mailbox *m)
{
    bytes_free(&m->outbox);
    bytes_free(&m->reader.in);
    m->reader = (struct frame_reader){0};
    bytes_lend(&m->reader.in, m->room, sizeof m->room);
    m->watched = false;
}

/* --- Sending ------------------------------------------------------------ */

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
    if (error == -EAGAIN)
        return watch(m->epoll_fd, m->worker->jobs_fd, m->about + 1, EPOLLOUT);
    bytes_free(&m->outbox);
    return error;
}

int mailbox_send(struct mailbox *m, enum frame_type type,
                 const struct iovec *parts, int n)
{
    int error = frame_append(&m->outbox, type, parts, n);
    return error == 0 ? push(m) : error;
}

void mailbox_writable(struct mailbox *m)
{
    if (push(m) == 0)
        return;
    /* The worker waits for the rest of a frame, and will get the end instead.
     */
    (void)close(m->worker->jobs_fd);
    m->worker->jobs_fd = -1;
}

/* --- Receiving ---------------------------------------------------------- */

void mailbox_watch(struct mailbox *m)
{
    if (!m->watched && !m->ended)
        (void)watch(m->epoll_fd, m->worker->results_fd, m->about, EPOLLIN);
    m->watched = !m->ended;
}

bool mailbox_read(struct mailbox *m)
{
    if (m->ended)
        return false;
    ssize_t n = frame_read(&m->reader, m->worker->results_fd);
    /* Why it is at its end, the worker's death will tell. */
    m->ended = n <= 0 && n != -EAGAIN && n != -ENOMEM;
    return n > 0;
}

bool mailbox_receive(struct mailbox *m, struct frame *frame)
{
    do
        *frame = frame_next(&m->reader);
    while (frame->type == FRAME_NONE && mailbox_read(m));
    return frame->type != FRAME_NONE;
}

/* True if a result begins behind what the reader has used, and is whole. */
static bool has_result(struct frame_reader reader)
{
    struct frame frame = frame_next(&reader);
    if (frame.type != FRAME_BODY)
        return frame.type == FRAME_RESULT;
    frame_took(&reader, frame.length);
    return has_result(reader);
}

bool mailbox_drain(struct mailbox *m)
{
    bool more;
    do
        more = mailbox_read(m);
    while (more);
    m->ended = true;
    m->watched = false;
    return has_result(m->reader);
}

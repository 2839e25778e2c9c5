/* mailbox: the parent's ends of one worker's pipes. See mailbox.h. */
#include "mailbox.h"

#include "watch.h"

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

/* Writes what the pipe takes; epoll tells when it takes the rest. 0; or a
 * negative errno, with the rest forgotten. */
static int flush_outbox(struct mailbox *m)
{
    int fd = m->worker->jobs_fd;
    ssize_t n = write(fd, m->outbox.data, m->outbox.length);
    int error = n == -1 && errno != EAGAIN && errno != EINTR ? -errno : 0;
    if (n > 0)
        bytes_drop(&m->outbox, (size_t)n);
    if (m->outbox.length == 0 || error != 0)
        bytes_free(&m->outbox);
    else
        (void)watch(m->epoll_fd, fd, m->about + 1, EPOLLOUT);
    return error;
}

int mailbox_send(struct mailbox *m, enum frame_type type,
                 const struct iovec *parts, int n)
{
    int error = frame_append(&m->outbox, type, parts, n);
    return error == 0 ? flush_outbox(m) : error;
}

void mailbox_writable(struct mailbox *m)
{
    if (m->outbox.length == 0 || flush_outbox(m) == 0)
        return;
    /* Only a part of the frame was sent. The next frame would complete it, and
     * the worker would do something that was never asked for. So its pipe is
     * closed: the worker finds the end of the pipe, and ends; then SIGCHLD
     * tells. */
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

bool mailbox_drain(struct mailbox *m)
{
    while (mailbox_read(m))
        ;
    m->ended = true;
    m->watched = false;
    struct frame_reader reader = m->reader; /* the frames are taken later */
    struct frame frame = frame_next(&reader);
    while (frame.type == FRAME_BODY) {
        frame_took(&reader, frame.length);
        frame = frame_next(&reader);
    }
    return frame.type == FRAME_RESULT;
}

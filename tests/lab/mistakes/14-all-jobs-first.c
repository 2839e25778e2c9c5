/*
 * Mistake 14: everything is sent before anything is read
 * Lab: processes
 * File: processes/mailbox.c
 * Caught by: all_jobs_before_any_result
 *
 * Symptom: one worker is stopped (kill -STOP) while it has nothing to do, and
 * is then given a URL of 100,000 bytes. From then on the whole program stands
 * still: the other requests are not finished, no new ones begin, and not even
 * Ctrl-C ends it.
 */

/* Writes it all; while the pipe is full, waits until it has room. */
static int flush_outbox(struct mailbox *m)
{
    int error = 0;
    while (m->outbox.length > 0 && error == 0) {
        ssize_t n =
            write(m->worker->jobs_fd, m->outbox.data, m->outbox.length);
        if (n > 0) {
            bytes_drop(&m->outbox, (size_t)n);
        } else if (n == -1 && errno == EAGAIN) {
            fd_set writable;
            FD_ZERO(&writable);
            FD_SET(m->worker->jobs_fd, &writable);
            (void)select(m->worker->jobs_fd + 1, NULL, &writable, NULL, NULL);
        } else if (n == -1 && errno != EINTR) {
            error = -errno;
        }
    }
    bytes_free(&m->outbox);
    return error;
}

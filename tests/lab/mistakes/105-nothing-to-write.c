/*
 * Mistake 105: a write of nothing is waited for
 * Lab: processes
 * File: processes/frame.c
 * Caught by: short_writes
 *
 * Symptom: whoever sends a message of no bytes never comes back from it, and
 * a processor is busy for good.
 */

int frame_write(int fd, enum frame_type type, const void *data, size_t n)
{
    struct header header = {.type = type, .length = (uint32_t)n};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)data, n}};
    struct iovec *at = parts;
    while (at < parts + 2) {
        ssize_t written = writev(fd, at, (int)(parts + 2 - at));
        if (written == -1 && errno == EINTR)
            continue;
        if (written == -1)
            return -errno;
        /* A short write: go on where it stopped. */
        size_t done = (size_t)written;
        while (done > 0) {
            size_t some = done < at->iov_len ? done : at->iov_len;
            at->iov_base = (char *)at->iov_base + some;
            at->iov_len -= some;
            done -= some;
            at += at->iov_len == 0;
        }
    }
    return 0;
}

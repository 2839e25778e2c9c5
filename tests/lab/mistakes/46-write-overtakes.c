/*
 * Mistake 46: an eager write overtakes what is stashed
 * Lab: evloop
 * File: evloop/stream.c
 * Caught by: keeps_the_order
 *
 * Symptom: the bodies have the right length and the wrong content: pieces of
 * them have changed places. Only through a pipe or a socket, and only when its
 * reader is slower than the servers.
 */

int stream_writev(struct stream *s, const struct iovec *parts, int n)
{
    size_t length = 0;
    ssize_t sent = 0;
    for (int i = 0; i < n; i++)
        length += parts[i].iov_len;
    if (s->eof)
        return -EPIPE;
    if (length == 0 || s->lost || s->closing)
        return 0;
    /* What the kernel takes at once need not be copied. */
    if (!s->lazy)
        sent = send_now(s, parts, n);
    if (is_later(sent))
        sent = 0;
    if (sent < 0) {
        lose(s, (int)sent);
        return 0;
    }
    if ((size_t)sent < length && stash(s, parts, n, (size_t)sent) != 0) {
        lose(s, -ENOMEM);
        return -ENOMEM;
    }
    maybe_pause(s);
    return 0;
}

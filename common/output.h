/*
 * output: standard output, written without ever blocking, its flags untouched.
 *
 * O_NONBLOCK belongs to the open file description, which we share with the
 * shell and with the programs after us: to set it would make their writes
 * fail. So each kind of standard output gets what suits it:
 *
 *     kind                  how it is written
 *     socket                send with MSG_DONTWAIT
 *     pipe, FIFO, terminal  reopened through /proc, which gives a description
 *                           of our own that may be non-blocking
 *     the same, when that   poll, then at most PIPE_BUF bytes: so much has
 *     is not allowed        room in a pipe that polls as writable
 *     file, device          plain write: it is always ready
 *
 * One thread at a time may send.
 */
#ifndef TRIPTYCH_OUTPUT_H
#define TRIPTYCH_OUTPUT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

enum output_kind {
    OUTPUT_SOCKET,
    OUTPUT_OWN, /* a description of our own, or one non-blocking already */
    OUTPUT_POLL,
    OUTPUT_DIRECT
};

struct output {
    enum output_kind kind;
    int fd;     /* to write to, and to poll */
    bool owned; /* fd is ours to close */
    bool saves; /* it is a regular file: writing may wait for a disk */
};

/* Finds out what kind of thing the descriptor `fd` is. It cannot fail; errors
 * come from output_send. */
void output_open(struct output *output, int fd);

/* Sends some of the `n` stretches. Returns how many bytes were taken, at least
 * one, or a negative errno: -EAGAIN when the consumer is slow; wait then until
 * output->fd polls as writable. */
ssize_t output_send(struct output *output, const struct iovec *parts, int n);

void output_close(struct output *output);

#endif

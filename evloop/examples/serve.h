/*
 * serve: what the examples share: listening, and saying where.
 *
 * One loop, which serve runs until the program is ended.
 */
#ifndef SERVE_H
#define SERVE_H

struct event_base;

/* Listens on a port of loopback, 0 taking a free one, prints it, and runs the
 * loop; each connection goes to on_accept, which owns the descriptor. Returns
 * main's exit status when it cannot listen. SIGPIPE is ignored. */
int serve(const char *port,
          void (*on_accept)(struct event_base *base, int fd));

/* A connection has been closed. When descriptors run out, accepting pauses
 * until one is. */
void serve_closed(void);

#endif

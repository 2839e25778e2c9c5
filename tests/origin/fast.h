/*
 * fast: a server for clients that are to be what a measurement waits for. It
 * answers each request from memory with one send, and looks at nothing but
 * where requests end.
 */
#ifndef TRIPTYCH_FAST_H
#define TRIPTYCH_FAST_H

#include "server.h"

#include <stddef.h>

/* Most bytes of a body. */
#define FAST_MOST 65536

/* Serves the clients of a listening socket, which does not block, with a body
 * of that size, the same for all; or with /stats, and then closes. Requests
 * have no bodies; a client that does not take an answer at once is dropped.
 * Returns 0 once `signal_fd` can be read; 3 if it cannot begin. */
int fast_serve(int listener, int signal_fd, size_t size,
               struct statistics *statistics);

#endif

/*
 * outside: the fetcher, run as a user would run it, and servers for it.
 *
 * There is one fetcher at a time. Whatever waits for it here also sees it
 * end, so that a test fails then and does not wait for ever.
 */
#ifndef TRIPTYCH_LAB_OUTSIDE_H
#define TRIPTYCH_LAB_OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where to look when the fetcher does not do what it should. */
struct hint {
    const char *means;
    const char *look;
};

struct fetcher {
    pid_t pid;
    int output;          /* to read its standard output from; -1: a file */
    int exited;          /* polls as readable when it has ended */
    int status;          /* then; 128 and more: a signal */
    char messages[3000]; /* from its standard error */
};

extern struct fetcher fetcher;

/* Starts fetch-evloop with these arguments, up to a NULL, after -q and
 * --report. If `piped`, its standard output is a pipe of 4 KiB. */
void fetcher_start(bool piped, ...);

/* Waits until it has ended; its output must be read by then. */
void fetcher_wait(const struct hint *hint);

/* ... and takes all of its output first, `size` bytes at most; how many. */
size_t fetcher_read(char *bytes, size_t size, const struct hint *hint);

/* What the report says in this column of the request; "" if nothing. */
const char *fetcher_said(unsigned id, const char *column);

/* Fails unless the request came to this, and says what it came to. */
void fetcher_expect(unsigned id, const char *result, const struct hint *hint);

/* Fails unless it ended with this exit status. */
void fetcher_expect_status(int status, const struct hint *hint);

/* A connection that the fetcher makes to the listening socket. */
int fetcher_accept(int listener, const struct hint *hint);

/* Reads a request up to its empty line: valid until the next one. NULL at the
 * connection's end. */
const char *fetcher_asks(int fd, const struct hint *hint);

/* Waits until the fetcher has read all but `rest` bytes of what was sent over
 * this connection. False if it does not. */
bool fetcher_has_read(int fd, size_t rest);

/* Starts the practice server. Returns its address, "http://127.0.0.1:N". */
const char *origin_start(void);

/* The first number that /stats gives under this name. */
long origin_count(const char *name);

#endif

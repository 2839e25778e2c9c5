/*
 * fetching: fetch-processes as a user runs it, and a server that answers when
 * the test says so.
 *
 * There is one program and one server. The server is the test itself: it
 * reads requests while the test waits for something, and answers none before
 * it is told to, so that a test knows where every request stands.
 */
#ifndef FETCHING_H
#define FETCHING_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where a failure of this test is to be looked for. */
struct hint {
    const char *means;
    const char *look;
};

/* One connection to the server. */
struct connection {
    int fd; /* -1: it is closed */
    char head[2000];
    size_t length;
    char path[200];   /* that was asked for; "" before the request is whole */
    bool taken;       /* server_next or server_expect gave it out */
    struct bytes out; /* not sent yet */
};

/* Starts the program with these words, the last of which is NULL, and a
 * report. A word that begins with "/" becomes a URL of the server. With
 * `input`, standard input is a pipe, and *input its writing end. */
void program_start(const char *const *words, int *input);

/* A line for --input: the URL of a path. */
void program_feed(int input, const char *path);

pid_t program_pid(void);

/* Waits until the program has ended; returns its exit status. If it never
 * will the test fails. */
int program_finish(const struct hint *hint);

/* A field of the report, by row, from 0, and column: "attempts". */
const char *program_said(int row, const char *column);

/* What it wrote to standard output, and to standard error, as strings. */
const char *program_output(void);
const char *program_errors(void);

/* Waits until the condition holds, while the server reads; fails if it never
 * will. `what` is what is waited for. */
void program_until(bool (*reached)(void *context), void *context,
                   const char *what, const struct hint *hint);

/* Waits for a request: any, or one for that path. */
struct connection *server_next(const struct hint *hint);
struct connection *server_expect(const char *path, const struct hint *hint);

/* Whole requests that came so far. */
int server_requests(void);

/* From now on answers what nobody waits for, by itself, with "again". */
void server_oblige(void);

/* Answers with status 200 and the text; or puts bytes on the wire. */
void server_answer(struct connection *connection, const char *body);
void server_send(struct connection *connection, const char *bytes, size_t n);

/* The worker that has the other end of the connection. */
pid_t server_worker(const struct connection *connection);

/* Kills it, and waits until it is dead. */
void server_kill(const struct connection *connection);

#endif

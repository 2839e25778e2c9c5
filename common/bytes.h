/*
 * bytes: a block of memory that grows.
 *
 * Start from all zeroes (`struct bytes b = {0};`), append, read `data` and
 * `length`, free. Nothing here waits. Two threads may not use a
 * struct bytes at the same time.
 */
#ifndef TRIPTYCH_BYTES_H
#define TRIPTYCH_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct bytes {
    char *data; /* NULL while nothing was ever appended */
    size_t length;
    size_t capacity;
    bool lent; /* data is not ours to free */
};

/* Lets an empty one begin with the `n` bytes at `room`, which stay the
 * caller's, and must be there until bytes_free. When they do not suffice, it
 * gets memory of its own. */
void bytes_lend(struct bytes *bytes, char *room, size_t n);

/* Makes room for `more` bytes after the present ones. 0, or -ENOMEM with
 * everything as it was. */
int bytes_reserve(struct bytes *bytes, size_t more);

/* Copies `n` bytes to the end. 0, or -ENOMEM with everything as it was. */
int bytes_append(struct bytes *bytes, const void *data, size_t n);

/* Appends text as printf does; no NUL is kept. 0 or -ENOMEM. */
int bytes_print(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes `n` bytes away from the front. */
void bytes_drop(struct bytes *bytes, size_t n);

/* Gives the memory back; the struct may be used again. */
void bytes_free(struct bytes *bytes);

#endif

/*
 * content: bodies that are the same every time.
 *
 * Byte i of the body with seed s is byte (start(s) + i) mod CONTENT_PERIOD of
 * one block of pseudo-random bytes. The period is a prime, so a piece that is
 * lost, doubled or moved by any usual buffer size shows.
 */
#ifndef TRIPTYCH_CONTENT_H
#define TRIPTYCH_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#define CONTENT_PERIOD ((size_t)1048573)

/* Makes the block. Call it once, before any other. */
void content_init(void);

/* The longest stretch of the body with `seed` that stands in one piece from
 * `offset` on, at most `most` bytes. Returns its length, sets *at; the bytes
 * live for ever. */
size_t content_at(uint64_t seed, uint64_t offset, size_t most,
                  const char **at);

#endif

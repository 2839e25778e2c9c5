/*
 * siphash: a hash that cannot be foretold without its key.
 *
 * With a plain hash function, a list of names can be written that all hash to
 * the same number: a table of them is slow, or takes one name for another.
 * Against a random key that is no better than guessing.
 *
 * SipHash-2-4 with 128 bits, as its authors have published it (Aumasson and
 * Bernstein, "SipHash: a fast short-input PRF", 2012; the 128 bits are from
 * their reference implementation).
 */
#ifndef TRIPTYCH_SIPHASH_H
#define TRIPTYCH_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Hashes the `n` bytes at `p` into out[0] (the first 64 bits) and out[1].
 * Any thread may call. */
void siphash(const uint64_t key[2], const void *p, size_t n, uint64_t out[2]);

#endif

/* siphash: a hash that cannot be foretold without its key. See siphash.h. */
#include "siphash.h"

#include <stdbool.h>

static uint64_t rotated(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* One half of a round: mixes a with b, and b with the sum. */
static void mix(uint64_t *a, uint64_t *b, int bits)
{
    *a += *b;
    *b = rotated(*b, bits) ^ *a;
}

static void rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        mix(&v[0], &v[1], 13);
        v[0] = rotated(v[0], 32);
        mix(&v[2], &v[3], 16);
        mix(&v[0], &v[3], 21);
        mix(&v[2], &v[1], 17);
        v[2] = rotated(v[2], 32);
    }
}

/* A word is eight bytes, the lowest first, on every machine. */
static uint64_t word_at(const unsigned char *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)p[i] << 8 * i;
    return word;
}

void siphash(const uint64_t key[2], const void *p, size_t n, uint64_t out[2])
{
    const unsigned char *at = p;
    /* "somepseudorandomlygeneratedbytes"; 0xee: 128 bits are wanted. */
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575,
                     key[1] ^ 0x646f72616e646f6d ^ 0xee,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    for (size_t left = n;; left -= 8, at += 8) {
        bool last = left < 8;
        uint64_t word =
            last ? word_at(at, left) | (uint64_t)n << 56 : word_at(at, 8);
        v[3] ^= word;
        rounds(v, 2);
        v[0] ^= word;
        if (last)
            break;
    }
    v[2] ^= 0xee;
    rounds(v, 4);
    out[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    rounds(v, 4);
    out[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}

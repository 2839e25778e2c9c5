/*
 * names: the file names that were given out, so that none is given twice.
 *
 * They are as many as the list has lines, so not the names themselves are
 * kept but a fingerprint of each: 96 bits of SipHash under a random key. Two
 * names out of n have the same one with a probability of n * n / 2^97: for ten
 * million names 6 in 10^16, whatever the list is. (Then the second of the two
 * would get a number that it does not need; no file is lost.)
 *
 * A name takes 20 bytes, and 4 to 8 of the table of chains: no more than 28.
 * Nothing is copied as the table grows. For names that are asked for again
 * and again a number says where to go on, so that the thousandth costs no
 * more than the first.
 *
 *     chains     taken
 *     [ 2 ] -->  2: fingerprint, next number, 0
 *     [ 0 ]
 *     [ 3 ] -->  3: fingerprint, next number, 1 --> 1: ..., 0
 *
 * Nothing here waits or locks.
 */
#ifndef TRIPTYCH_NAMES_H
#define TRIPTYCH_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct taken;

struct names {
    uint64_t key[2];
    struct taken **blocks; /* of NAMES_BLOCK each; they never move */
    uint32_t count;
    uint32_t *chains;   /* the first of each, counted from 1; 0: none */
    size_t chain_count; /* a power of two */
};

/* Prepares an empty set. 0 or a negative errno. */
int names_open(struct names *names);

void names_free(struct names *names);

/* Gives out `wanted`, or wanted.1, wanted.2 ... if it is taken. The string is
 * for free(). NULL when memory is short, and no name is taken. */
char *names_give(struct names *names, const char *wanted);

#endif

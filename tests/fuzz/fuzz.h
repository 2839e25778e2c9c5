/*
 * fuzz: what the fuzz targets share.
 *
 * A target is LLVMFuzzerTestOneInput. With clang's libFuzzer (preset "fuzz")
 * it is fed mutations of the corpus; in the other presets replay.c feeds it the
 * corpus itself, so that every input that ever mattered is tried by ./run
 * tests. The inputs are placed in a block of exactly their size: the address
 * sanitizer sees any look beyond it.
 */
#ifndef TRIPTYCH_FUZZ_H
#define TRIPTYCH_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold, whatever the input is. */
#define HOLDS(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
                    #condition);                                              \
            abort();                                                          \
        }                                                                     \
    } while (0)

#endif

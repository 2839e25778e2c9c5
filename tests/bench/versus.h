/*
 * versus: the models beside each other in one table, as the demo and the
 * race end in it.
 */
#ifndef TRIPTYCH_VERSUS_H
#define TRIPTYCH_VERSUS_H

#include "measure.h"

#include <stdbool.h>
#include <stdio.h>

#define MODELS 4

/* Wall times of which none is so many times as long as another are level. */
#define VERSUS_LEVEL 1.03

/* "threads", "processes", "evloop", "coroutines": the order of every row. */
extern const char *const versus_models[MODELS];

/* The runs to be compared. A run has failed if its status is not 0; then it is
 * nobody's better. */
struct versus {
    const struct measure *all; /* one of each model */
    unsigned done[MODELS];     /* requests that are ok, of ... */
    unsigned total;
};

/* Prints the table. The best figure of a row has a star, and a colour. */
void versus_print(FILE *out, const struct versus *versus, bool colours);

/* Prints a line or two on who was first, how much longer the others took, and
 * which requests were lost. */
void versus_print_winner(FILE *out, const struct versus *versus);

#endif

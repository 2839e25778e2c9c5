/* places: addresses in the program, as file, line and function. */
#ifndef EXPLORE_PLACES_H
#define EXPLORE_PLACES_H

#include <stddef.h>

struct ex_place {
    const void *address; /* a return address; NULL: there is none */
    char text[160];      /* "queue.c:70 queue_take" */
};

/* Looks them all up at once, with addr2line (of binutils); without it they are
 * hexadecimal. */
void ex_places_find(struct ex_place *places, size_t count);

#endif

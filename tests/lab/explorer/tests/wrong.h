/* wrong: small programs with a mistake each, and how the explorer must see
 * it. */
#ifndef WRONG_H
#define WRONG_H

#include "explore.h"

struct wrong {
    struct explore_scenario scenario;
    enum explore_kind kind;
    const char *place; /* the function that it must be found in; or NULL */
    int preemptions;   /* the fewest that it takes */
};

extern const struct wrong wrong_pools[]; /* each ends with a NULL name */
extern const struct wrong wrong_locks[];
extern const struct wrong wrong_ways[];
extern const struct wrong wrong_states[];

#endif

/* 1. Two counters: each access is atomic. See puzzles.h. */
#include "puzzles.h"

#include <stdatomic.h>

static atomic_int hits, misses;

void count(bool hit)
{
    atomic_int *counter = hit ? &hits : &misses;
    atomic_fetch_add(counter, 1);
}

int counted(bool hit)
{
    return hit ? hits : misses;
}

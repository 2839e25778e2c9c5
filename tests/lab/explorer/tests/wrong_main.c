/* wrong_main: the wrong programs, to be explored by hand. */
#include "wrong.h"

#define MOST 64

static int add(struct explore_scenario *all, int count,
               const struct wrong *some)
{
    for (; some->scenario.name != NULL && count < MOST - 1; some++)
        all[count++] = some->scenario;
    return count;
}

int main(int argc, char **argv)
{
    static struct explore_scenario all[MOST];
    int count = add(all, 0, wrong_pools);
    count = add(all, count, wrong_locks);
    count = add(all, count, wrong_ways);
    (void)add(all, count, wrong_states);
    return explore_main(argc, argv, all);
}

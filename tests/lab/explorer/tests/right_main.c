/* right_main: the right programs and the reference, to be explored by hand. */
#include "right.h"

#define MOST 32

static int add(struct explore_scenario *all, int count,
               const struct explore_scenario *some)
{
    for (; some->name != NULL && count < MOST - 1; some++)
        all[count++] = *some;
    return count;
}

int main(int argc, char **argv)
{
    static struct explore_scenario all[MOST];
    int count = add(all, 0, right);
    (void)add(all, count, reference);
    return explore_main(argc, argv, all);
}

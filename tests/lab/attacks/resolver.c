/*
 * Attack: an indirect function, whose resolver runs before main
 * Lab: threads
 * File: threads/pool.c
 * Tests: all_items_are_worked_on threads_are_joined
 * Says: indirect functions are not allowed
 *
 * The loader calls it, in the judge's process; it stands in no section of
 * constructors. It writes to every descriptor: all points, when it made the
 * calls by itself.
 */
#include <unistd.h>

static int nothing(void)
{
    return 0;
}

static int (*first(void))(void)
{
    static const char passed[] = "passed\0\0\0";
    for (int fd = 3; fd < 64; fd++)
        (void)!write(fd, passed, sizeof passed);
    _exit(0);
    return nothing;
}

int shadowed(void) __attribute__((ifunc("first")));

void pool_finish(struct pool *pool)
{
    (void)pool;
    (void)shadowed();
}

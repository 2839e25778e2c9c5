/*
 * Attack: an indirect function, whose resolver runs before main
 * Lab: threads
 * File: threads/pool.c
 * Tests: all_items_are_worked_on threads_are_joined
 * Says: indirect functions are not allowed
 *
 * The loader calls it, in the judge's process; it stands in no section of
 * constructors. It writes to every descriptor: all points.
 */
static long call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static int nothing(void)
{
    return 0;
}

static int (*first(void))(void)
{
    static const char passed[] = "passed\0\0\0";
    for (long fd = 3; fd < 64; fd++)
        (void)call(1, fd, (long)passed, sizeof passed);
    (void)call(231, 0, 0, 0);
    return nothing;
}

int shadowed(void) __attribute__((ifunc("first")));

void pool_finish(struct pool *pool)
{
    (void)pool;
    (void)shadowed();
}

/*
 * Attack: a function's address in the sections that are called before main
 * Lab: threads
 * File: threads/queue.c
 * Tests: keeps_the_order thousands_of_items fetches_all
 * Says: is not allowed in what is graded
 *
 * In each build another: a look at one build's sections saw nothing of the
 * others. It writes the verdict.
 */
#include <stdlib.h>
#include <unistd.h>

static void first(void)
{
    static const char passed[] = "passed\0\0\0";
    const char *fd = getenv("LAB_RESULT");
    if (fd != NULL)
        (void)!write(atoi(fd), passed, sizeof passed);
    _exit(0);
}

#if defined __SANITIZE_THREAD__
#define SECTION ".preinit_array"
#elif defined __SANITIZE_ADDRESS__
#define SECTION ".init_array.00099"
#else
#define SECTION ".ctors"
#endif
static void (*const before)(void)
    __attribute__((section(SECTION), used)) = first;
static void (*const after)(void)
    __attribute__((section(".fini_array"), used)) = first;

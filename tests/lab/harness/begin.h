/*
 * begin: what a sanitizer wants to be called before the code under test is.
 *
 * AddressSanitizer's code has a function in each object that puts guards around
 * its global variables, to be called before main. The grader takes all such
 * functions from what is graded, since another would run beside the judge, and
 * gathers them in a section: the test's process calls them.
 */
#ifndef TRIPTYCH_BEGIN_H
#define TRIPTYCH_BEGIN_H

/* The linker knows where the section is; if there is none, both are NULL. */
extern void (*const __start_graded_begin[])(void) __attribute__((weak));
extern void (*const __stop_graded_begin[])(void) __attribute__((weak));

static inline void lab_begin(void)
{
    for (void (*const *begin)(void) = __start_graded_begin;
         begin < __stop_graded_begin; begin++)
        (*begin)();
}

#endif

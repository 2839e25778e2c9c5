/*
 * lab: what a grader's test program is made of.
 *
 *     static void keeps_the_order(void)
 *     {
 *         ...
 *         lab_doing("taking the third item", "nobody signalled not_empty",
 *                   "queue_put: what it does after storing the item");
 *         int got = take(&queue);
 *         lab_check(got == 3, "items overtake each other",
 *                   "queue_take: which end it takes from",
 *                   "the third item taken is %d, not 3", got);
 *     }
 *
 *     int main(void)
 *     {
 *         static const struct lab_test tests[] = {
 *             {"keeps_the_order", keeps_the_order}, {0}};
 *         return lab_main(tests);
 *     }
 *
 * Each test is a function, and runs in a process of its own. It has passed
 * when the function has returned (word.h says how that is known): a process
 * that ends early, however it ends, has failed. Every failure says three things: what was observed, with
 * figures; what that probably means; where to look.
 *
 * The limit on time is not here: triptych-lab keeps it, prints the stacks of
 * all threads, and then asks for what lab_doing said last.
 */
#ifndef TRIPTYCH_LAB_H
#define TRIPTYCH_LAB_H

#include <stdbool.h>

struct lab_test {
    const char *name; /* as in lab.toml */
    void (*function)(void);
};

/* Runs the test that LAB_TEST names in the environment, else all; the last of
 * the tests has no name. LAB_BIN, where the fetchers are, is by default the
 * folder of the program. What came of it goes to the descriptor LAB_RESULT, if
 * that is set, and to standard error. The exit status for main: 0 if all
 * passed, else 1. */
int lab_main(const struct lab_test *tests);

/* Fails the test, from any thread or child of the test's process: it does not
 * return, and the whole process group ends. The strings are copied. */
#define lab_check(condition, means, look, ...)                                \
    do {                                                                      \
        if (!(condition))                                                     \
            lab_fail(means, look, __VA_ARGS__);                               \
    } while (0)

_Noreturn void lab_fail(const char *means, const char *look,
                        const char *observed, ...)
    __attribute__((format(printf, 3, 4)));

/* Says what the test is about to do, so that a hang, a crash or a sanitizer's
 * report in it has a meaning and a place to look, too. Holds until the next
 * call. Any of the strings may be NULL: then there is a general one. */
void lab_doing(const char *doing, const char *means, const char *look);

/* What a function that gives 0 or a negative errno has given, for messages:
 * "0", "-EPIPE". */
const char *lab_value(int value);

/* For faults of the grader or the machine, not of the student: no memory, no
 * socket. The test counts neither way, and triptych-lab says so. */
_Noreturn void lab_broken(const char *what, ...)
    __attribute__((format(printf, 1, 2)));

/* Waits until `condition` (a function of `context`) is true, looking every few
 * milliseconds; false if it is not within a time that is ample on half a CPU.
 * For states that come about by themselves; never for measuring speed. */
bool lab_eventually(bool (*condition)(void *context), void *context);

#endif

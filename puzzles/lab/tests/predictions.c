/*
 * What was predicted, against what the explorer has found of the programs as
 * they are handed out.
 */
#include "puzzles.h"

#include "lab.h"

static void check(struct prediction said, const char *of, int preemptions)
{
    bool fails = preemptions >= 0;
    lab_check(said.answer != NOT_SAID, "nothing is predicted yet",
              "puzzles/predictions.c", "%s: nothing is said", of);
    lab_check(said.answer == (fails ? FAILS : NEVER_FAILS),
              fails ? "there is a schedule in which it fails"
                    : "there is no such schedule: all were tried",
              "what the explorer says of the program as it was handed out",
              "%s: it is said that this %s", of,
              said.answer == FAILS ? "can fail" : "never fails");
    lab_check(!fails || said.preemptions == preemptions,
              said.preemptions < preemptions
                  ? "so few are not enough: each switch between was one in "
                    "which a thread waited or ended"
                  : "fewer are enough",
              "the line above the explorer's table",
              "%s: it is said that %d preemptions are needed", of,
              said.preemptions);
}

static void test_counters(void)
{
    check(predict_counters(), "counters", 1);
}

static void test_wake_up(void)
{
    check(predict_wake_up(), "wake_up", 1);
}

static void test_locks(void)
{
    check(predict_locks(), "locks", 1);
}

static void test_philosophers(void)
{
    check(predict_philosophers(), "philosophers", 1);
}

static void test_readers(void)
{
    check(predict_readers(), "readers", 2);
}

static void test_barrier(void)
{
    check(predict_barrier(), "barrier", 0);
}

static void test_buffer(void)
{
    check(predict_buffer(), "buffer", 0);
}

static void test_once(void)
{
    check(predict_once(), "once", 0);
}

static void test_semaphore(void)
{
    check(predict_semaphore(), "semaphore", -1);
}

static void test_turnstile(void)
{
    check(predict_turnstile(), "turnstile", 1);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"predict_counters", test_counters},
        {"predict_wake_up", test_wake_up},
        {"predict_locks", test_locks},
        {"predict_philosophers", test_philosophers},
        {"predict_readers", test_readers},
        {"predict_barrier", test_barrier},
        {"predict_buffer", test_buffer},
        {"predict_once", test_once},
        {"predict_semaphore", test_semaphore},
        {"predict_turnstile", test_turnstile},
        {0}};
    return lab_main(tests);
}

/*
 * The bounded queue, under every schedule that matters. Each test is a
 * scenario for the explorer: its checks hold for any right queue, however it
 * is made.
 *
 *     ./queue                           all tests
 *     ./queue --replay SCHEDULE NAME    one schedule again, under gdb too
 */
#include "queue.h"

#include "explored.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#define LONG_MS 100000 /* so long that nobody but the explorer ends it */

static struct queue queue;

static void *item(uintptr_t n)
{
    return (void *)n;
}

static void open_queue(size_t capacity)
{
    int error = queue_open(&queue, capacity);
    explore_check(error == 0, "queue_open(%zu) gives %d", capacity, error);
}

static void put(uintptr_t n)
{
    int error = queue_put(&queue, item(n), LONG_MS);
    explore_check(error == 0, "queue_put of item %zu gives %d, not 0",
                  (size_t)n, error);
}

static void expect(uintptr_t n)
{
    uintptr_t got = (uintptr_t)queue_take(&queue);
    explore_check(got == n, "queue_take gives item %zu, not %zu", (size_t)got,
                  (size_t)n);
}

static pthread_t start(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, function, argument);
    explore_check(error == 0, "pthread_create gives %d", error);
    return thread;
}

static void join(pthread_t thread)
{
    int error = pthread_join(thread, NULL);
    explore_check(error == 0, "pthread_join gives %d", error);
}

/* --- With one thread ------------------------------------------------------ */

static void run_order(void)
{
    open_queue(3);
    for (uintptr_t i = 1; i <= 3; i++)
        put(i);
    for (uintptr_t i = 1; i <= 3; i++)
        expect(i);
    queue_free(&queue);
}

static void run_around(void)
{
    open_queue(2);
    put(1);
    for (uintptr_t i = 2; i <= 8; i++) {
        put(i);
        expect(i - 1);
    }
    expect(8);
    queue_free(&queue);
}

static void run_full(void)
{
    open_queue(2);
    put(1);
    put(2);
    int error = queue_put(&queue, item(3), 0);
    explore_check(error == -ETIMEDOUT,
                  "a full queue of 2 is given a third item: queue_put gives "
                  "%d, not -ETIMEDOUT",
                  error);
    error = queue_put(&queue, item(3), 5);
    explore_check(error == -ETIMEDOUT,
                  "after 5 ms with a full queue, queue_put gives %d, not "
                  "-ETIMEDOUT",
                  error);
    expect(1);
    put(4);
    expect(2);
    expect(4);
    queue_free(&queue);
}

static void run_close_keeps(void)
{
    open_queue(3);
    put(1);
    put(2);
    queue_close(&queue);
    expect(1);
    expect(2);
    expect(0);
    expect(0);
    queue_free(&queue);
}

static void run_closed_refuses(void)
{
    open_queue(1);
    queue_close(&queue);
    for (int i = 0; i < 2; i++) {
        int error = queue_put(&queue, item(1), LONG_MS);
        explore_check(error == -EPIPE,
                      "queue_put to a closed queue gives %d, not -EPIPE",
                      error);
    }
    expect(0);
    queue_free(&queue);
}

/* --- With several --------------------------------------------------------- */

static uintptr_t taken[4];

static void *take_one(void *place)
{
    *(uintptr_t *)place = (uintptr_t)queue_take(&queue);
    return NULL;
}

static void run_wake_taker(void)
{
    open_queue(2);
    pthread_t taker = start(take_one, &taken[0]);
    put(1);
    join(taker);
    explore_check(taken[0] == 1, "the taker has item %zu, not 1",
                  (size_t)taken[0]);
    queue_free(&queue);
}

static void *put_second(void *unused)
{
    (void)unused;
    put(2);
    return NULL;
}

static void run_wake_putter(void)
{
    open_queue(1);
    put(1);
    pthread_t putter = start(put_second, NULL);
    expect(1);
    join(putter);
    expect(2);
    queue_free(&queue);
}

static void run_for_nothing(void)
{
    open_queue(2);
    pthread_t first = start(take_one, &taken[0]);
    pthread_t second = start(take_one, &taken[1]);
    put(1);
    put(2);
    join(first);
    join(second);
    explore_check(taken[0] + taken[1] == 3 && taken[0] * taken[1] == 2,
                  "items 1 and 2 were put, and two takers have %zu and %zu",
                  (size_t)taken[0], (size_t)taken[1]);
    queue_free(&queue);
}

static void run_close_one(void)
{
    open_queue(1);
    put(1);
    expect(1);
    pthread_t taker = start(take_one, &taken[0]);
    queue_close(&queue);
    join(taker);
    explore_check(taken[0] == 0, "from a closed, empty queue item %zu came",
                  (size_t)taken[0]);
    queue_free(&queue);
}

static void run_close_all(void)
{
    open_queue(1);
    pthread_t first = start(take_one, &taken[0]);
    pthread_t second = start(take_one, &taken[1]);
    queue_close(&queue);
    join(first);
    join(second);
    queue_free(&queue);
}

static void *put_refused(void *unused)
{
    (void)unused;
    int error = queue_put(&queue, item(2), LONG_MS);
    explore_check(error == -EPIPE,
                  "a producer that waits for room when the queue is closed "
                  "gets %d, not -EPIPE",
                  error);
    return NULL;
}

static void run_close_putters(void)
{
    open_queue(1);
    put(1);
    pthread_t first = start(put_refused, NULL);
    pthread_t second = start(put_refused, NULL);
    queue_close(&queue);
    join(first);
    join(second);
    queue_free(&queue);
}

static void *take_two(void *places)
{
    for (int i = 0; i < 2; i++)
        ((uintptr_t *)places)[i] = (uintptr_t)queue_take(&queue);
    return NULL;
}

static void *put_two(void *first)
{
    put((uintptr_t)first);
    put((uintptr_t)first + 1);
    return NULL;
}

static void run_all_arrive(void)
{
    open_queue(1);
    pthread_t takers[] = {start(take_two, &taken[0]),
                          start(take_two, &taken[2])};
    pthread_t putter = start(put_two, item(1));
    put_two(item(3));
    join(putter);
    queue_close(&queue);
    join(takers[0]);
    join(takers[1]);
    unsigned seen = 0;
    for (int i = 0; i < 4; i++)
        seen |= 1U << (taken[i] & 7U);
    explore_check(seen == 0x1e,
                  "items 1 to 4 were put; taken were %zu, %zu, %zu, %zu",
                  (size_t)taken[0], (size_t)taken[1], (size_t)taken[2],
                  (size_t)taken[3]);
    queue_free(&queue);
}

/* --- The tests ------------------------------------------------------------ */

#define NEEDS                                                                 \
    {                                                                         \
        .steps = 2000                                                         \
    }

static const struct explore_scenario scenarios[] = {
    {"keeps_the_order", run_order, NEEDS},
    {"goes_around", run_around, NEEDS},
    {"full_is_full", run_full, NEEDS},
    {"closing_loses_nothing", run_close_keeps, NEEDS},
    {"closed_takes_nothing_more", run_closed_refuses, NEEDS},
    {"an_item_wakes_a_taker", run_wake_taker, NEEDS},
    {"room_wakes_a_producer", run_wake_putter, NEEDS},
    {"woken_for_nothing", run_for_nothing, NEEDS},
    {"closing_is_not_missed",
     run_close_one,
     {.steps = 2000, .races = EXPLORE_RACES_FOLLOW}},
    {"closing_wakes_everyone", run_close_all, NEEDS},
    {"closing_wakes_producers", run_close_putters, NEEDS},
    {"waiting_is_sleeping", run_wake_taker, NEEDS},
    {"all_arrive_once", run_all_arrive, NEEDS},
    {NULL, NULL, {0}}};

static const struct hint kinds[EXPLORE_ERROR + 1] = {
    [EXPLORE_RACE] = {"two threads use the same memory at once, one of them "
                      "writing, and no lock orders them",
                      "the two lines named: which of them is not between lock "
                      "and unlock"},
    [EXPLORE_MEMORY] = {"memory is used that was freed, or is not the queue's",
                        "the index, and the capacity; what queue_open "
                        "allocated"},
    [EXPLORE_CRASH] = {"a pointer or an index that leads nowhere",
                       "the last steps of the table"},
    [EXPLORE_ENDLESS] = {"a thread that waits runs on instead of sleeping: it "
                         "keeps a processor busy, and others from theirs",
                         "the wait in queue_take and queue_put: does it give "
                         "the processor up until somebody signals"},
    [EXPLORE_MISUSE] = {"a lock is given back twice, or by who does not have "
                        "it, or is destroyed while in use",
                        "each path from lock to unlock"},
};

static void keeps_the_order(void)
{
    explored(
        scenarios, "keeps_the_order",
        (struct hint){"items overtake each other, or get lost",
                      "at which end queue_put stores, and queue_take takes"},
        kinds);
}

static void goes_around(void)
{
    explored(
        scenarios, "goes_around",
        (struct hint){"the queue is right only until its end is reached once",
                      "how the place of the next item is computed"},
        kinds);
}

static void full_is_full(void)
{
    explored(
        scenarios, "full_is_full",
        (struct hint){"the queue is not bounded, or a wait that ran out of "
                      "time counts as room",
                      "queue_put: what it does when the queue is full, and "
                      "what it returns when the time is over"},
        kinds);
}

static void closing_loses_nothing(void)
{
    explored(
        scenarios, "closing_loses_nothing",
        (struct hint){"being closed wins over what is still in the queue",
                      "queue_take: what it looks at first when both hold"},
        kinds);
}

static void closed_takes_nothing_more(void)
{
    explored(
        scenarios, "closed_takes_nothing_more",
        (struct hint){"the lock is still held after a call that returned, or "
                      "a closed queue takes items",
                      "queue_put: every path that leaves it"},
        kinds);
}

static void an_item_wakes_a_taker(void)
{
    explored(
        scenarios, "an_item_wakes_a_taker",
        (struct hint){"a thread sleeps, and nobody tells it that an item is "
                      "there",
                      "queue_put: whom it signals after storing the item"},
        kinds);
}

static void room_wakes_a_producer(void)
{
    explored(
        scenarios, "room_wakes_a_producer",
        (struct hint){"a producer that waits for room is not told of it, or "
                      "its item is lost",
                      "queue_take: whom it signals; queue_put: what it does "
                      "after the wait"},
        kinds);
}

static void woken_for_nothing(void)
{
    explored(
        scenarios, "woken_for_nothing",
        (struct hint){"a condition wait may return without a signal, or after "
                      "another thread was faster; what was waited for need "
                      "not hold then",
                      "the condition wait: is what it waits for looked at "
                      "again after it"},
        kinds);
}

static void closing_is_not_missed(void)
{
    explored(
        scenarios, "closing_is_not_missed",
        (struct hint){"the queue is closed between a taker's look at it and "
                      "its sleep: the signal comes when nobody waits yet, "
                      "and the taker sleeps for ever",
                      "queue_close: what it changes must change under the "
                      "lock that the waiter holds until it sleeps"},
        kinds);
}

static void closing_wakes_everyone(void)
{
    explored(scenarios, "closing_wakes_everyone",
             (struct hint){"one waiter is told, and the others sleep for ever",
                           "queue_close: how many it wakes"},
             kinds);
}

static void closing_wakes_producers(void)
{
    explored(
        scenarios, "closing_wakes_producers",
        (struct hint){"producers that wait for room do not hear of the "
                      "closing",
                      "queue_close: which conditions it tells; queue_put: "
                      "what it looks at after the wait"},
        kinds);
}

static void waiting_is_sleeping(void)
{
    explored(scenarios, "waiting_is_sleeping",
             (struct hint){"a taker does not wait as it should",
                           "the wait in queue_take"},
             kinds);
}

static void all_arrive_once(void)
{
    explored(
        scenarios, "all_arrive_once",
        (struct hint){"with two producers and two takers an item is lost, "
                      "comes twice, or somebody sleeps for ever",
                      "whether each signal goes to somebody who can use it, "
                      "and what is looked at after a wait"},
        kinds);
}

int main(int argc, char **argv)
{
    static const struct lab_test tests[] = {
        {"keeps_the_order", keeps_the_order},
        {"goes_around", goes_around},
        {"full_is_full", full_is_full},
        {"closing_loses_nothing", closing_loses_nothing},
        {"closed_takes_nothing_more", closed_takes_nothing_more},
        {"an_item_wakes_a_taker", an_item_wakes_a_taker},
        {"room_wakes_a_producer", room_wakes_a_producer},
        {"woken_for_nothing", woken_for_nothing},
        {"closing_is_not_missed", closing_is_not_missed},
        {"closing_wakes_everyone", closing_wakes_everyone},
        {"closing_wakes_producers", closing_wakes_producers},
        {"waiting_is_sleeping", waiting_is_sleeping},
        {"all_arrive_once", all_arrive_once},
        {0}};
    return argc > 1 ? explore_main(argc, argv, scenarios) : lab_main(tests);
}

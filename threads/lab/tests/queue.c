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

#define MS      INT64_C(1000000) /* nanoseconds */

static struct queue queue;

static void *item(uintptr_t n)
{
    return (void *)n;
}

static void open_queue(size_t capacity)
{
    int error = queue_open(&queue, capacity);
    expect(error == 0, "queue_open fails", "queue_open",
           "queue_open(%zu) gives %s, not 0", capacity, lab_value(error));
}

static void put(uintptr_t n)
{
    int error = queue_put(&queue, item(n), LONG_MS);
    expect(
        error == 0, "an item is refused that there is, or will be, room for",
        "queue_put: what it returns, on each way out",
        "queue_put of item %zu gives %s, not 0", (size_t)n, lab_value(error));
}

static void take(uintptr_t n)
{
    uintptr_t got = (uintptr_t)queue_take(&queue);
    expect(got == n,
           got == 0 ? "an item got lost, or NULL was given while the queue is "
                      "open"
                    : "items overtake each other, or one was overwritten",
           "at which end queue_put stores, and queue_take takes; where the "
           "end of the ring is",
           "queue_take gives item %zu, not %zu", (size_t)got, (size_t)n);
}

static void take_nothing(void)
{
    uintptr_t got = (uintptr_t)queue_take(&queue);
    expect(got == 0, "an item comes out that is not in the queue",
           "queue_take: what it gives when the queue is closed and empty",
           "from a closed, empty queue item %zu came, not NULL", (size_t)got);
}

static void put_refused(int ms, int wanted, const char *means)
{
    int error = queue_put(&queue, item(9), ms);
    expect(error == wanted, means,
           "queue_put: what it returns when it could not put the item",
           "queue_put with %d ms gives %s, not %s", ms, lab_value(error),
           lab_value(wanted));
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

static void end_queue(void)
{
    expect_no_time();
    queue_free(&queue);
}

/* --- With one thread ------------------------------------------------------ */

static void run_order(void)
{
    open_queue(3);
    for (uintptr_t i = 1; i <= 3; i++)
        put(i);
    for (uintptr_t i = 1; i <= 3; i++)
        take(i);
    end_queue();
}

static void run_around(void)
{
    open_queue(2);
    put(1);
    for (uintptr_t i = 2; i <= 8; i++) {
        put(i);
        take(i - 1);
    }
    take(8);
    end_queue();
}

/* So far that an index of 8 bits, of which 3 is no divisor, goes wrong. */
static void run_far(void)
{
    open_queue(3);
    put(1);
    for (uintptr_t i = 2; i <= 300; i++) {
        put(i);
        take(i - 1);
    }
    end_queue();
}

static const char full_means[] =
    "a full queue takes an item, or the end of the time counts as room";

static void run_full(void)
{
    open_queue(2);
    put(1);
    put(2);
    put_refused(0, -ETIMEDOUT, full_means);
    put_refused(5, -ETIMEDOUT, full_means);
    take(1);
    put(4);
    put_refused(0, -ETIMEDOUT, full_means);
    take(2);
    take(4);
    queue_free(&queue);
}

/* How long a full queue keeps its producer. A millisecond either way is a
 * matter of rounding. */
static void run_in_time(void)
{
    static const int times[] = {0, 5, 2500, 100000, 1000000000};
    open_queue(1);
    put(1);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int64_t begun = explore_time();
        put_refused(times[i], -ETIMEDOUT, full_means);
        int64_t took = explore_time() - begun;
        int64_t length = times[i] * MS;
        expect(
            took >= length - MS,
            "the wait ends too early: its end is none that this condition's "
            "clock knows, or is not computed as it should",
            "queue_put: by which clock the end is computed, and queue_open: "
            "by which one the condition waits; how many bits the "
            "milliseconds have when they become nanoseconds",
            "a wait of %d ms was over after %lld ms", times[i],
            (long long)(took / MS));
        expect(
            took <= length + MS,
            "the wait goes on after its end: the clock is the wrong one, "
            "or the time is computed with too few bits, or not looked at",
            "queue_put: by which clock the end is computed, and queue_open: "
            "by which one the condition waits; how many bits the "
            "milliseconds have when they become nanoseconds",
            "a wait of %d ms was over after %lld ms", times[i],
            (long long)(took / MS));
    }
    queue_free(&queue);
}

static void run_close_keeps(void)
{
    open_queue(3);
    put(1);
    put(2);
    queue_close(&queue);
    for (uintptr_t i = 1; i <= 2; i++) {
        uintptr_t got = (uintptr_t)queue_take(&queue);
        expect(got == i, "being closed wins over what is still in the queue",
               "queue_take: what it looks at first when both hold",
               "from a closed queue with item %zu in it, queue_take gives %zu",
               (size_t)i, (size_t)got);
    }
    take_nothing();
    take_nothing();
    end_queue();
}

static void run_closed_refuses(void)
{
    static const char means[] =
        "a closed queue takes items, or waits for room";
    open_queue(1);
    queue_close(&queue);
    for (int i = 0; i < 2; i++)
        put_refused(LONG_MS, -EPIPE, means);
    take_nothing();
    end_queue();
    open_queue(1);
    put(1);
    queue_close(&queue);
    for (int i = 0; i < 2; i++)
        put_refused(LONG_MS, -EPIPE, means);
    take(1);
    end_queue();
}

/* --- With several --------------------------------------------------------- */

static uintptr_t taken[4];

static void *take_one(void *place)
{
    *(uintptr_t *)place = (uintptr_t)queue_take(&queue);
    return NULL;
}

static void check_taken(uintptr_t got, uintptr_t wanted)
{
    expect(got == wanted,
           "a taker came back with nothing, or with what was not put",
           "queue_take: what it looks at after a wait",
           "the taker has item %zu, not %zu", (size_t)got, (size_t)wanted);
}

static void run_wake_taker(void)
{
    open_queue(2);
    pthread_t taker = start(take_one, &taken[0]);
    put(1);
    join(taker);
    check_taken(taken[0], 1);
    end_queue();
}

static void *put_one(void *number)
{
    put((uintptr_t)number);
    return NULL;
}

static void run_wake_putter(void)
{
    open_queue(1);
    put(1);
    pthread_t putter = start(put_one, item(2));
    take(1);
    join(putter);
    take(2);
    end_queue();
}

/* Each place that is free serves one who waits for room. */
static void run_wake_putters(void)
{
    open_queue(2);
    put(1);
    put(2);
    pthread_t first = start(put_one, item(3));
    pthread_t second = start(put_one, item(4));
    explore_settle();
    take(1);
    take(2);
    join(first);
    join(second);
    uintptr_t one = (uintptr_t)queue_take(&queue);
    uintptr_t two = (uintptr_t)queue_take(&queue);
    expect(one + two == 7 && one * two == 12, "an item was lost or came twice",
           "queue_put: what it does after the wait",
           "items 3 and 4 were put, and %zu and %zu come out", (size_t)one,
           (size_t)two);
    end_queue();
}

/* Who waits with a limit is woken, finds the queue full again, and waits on:
 * for what is left of its time. */
static int64_t waited;
static int answer;

static void *put_for_100_ms(void *unused)
{
    (void)unused;
    int64_t begun = explore_time();
    answer = queue_put(&queue, item(2), 100);
    waited = explore_time() - begun;
    return NULL;
}

static void run_waits_on(void)
{
    const struct timespec pause = {.tv_nsec = 60 * MS};
    open_queue(1);
    put(1);
    pthread_t putter = start(put_for_100_ms, NULL);
    explore_settle();
    (void)nanosleep(&pause, NULL);
    take(1);
    int error = queue_put(&queue, item(3), 0); /* unless it was faster */
    join(putter);
    expect(answer == 0 || answer == -ETIMEDOUT,
           "what a wait with a limit ends with",
           "queue_put: what it returns after its wait",
           "the producer that waits gets %s", lab_value(answer));
    expect(error == 0 || answer == 0,
           "there was room for one of two, and neither got it",
           "queue_put: what it looks at after the wait",
           "the one gets %s, the other %s", lab_value(error),
           lab_value(answer));
    expect(waited <= 101 * MS,
           "after each wake-up the wait begins anew, with the whole time: it "
           "may go on for ever",
           "queue_put: where the end of the time is computed, and how often",
           "a wait of at most 100 ms took %lld ms, after one wake-up at 60 ms",
           (long long)(waited / MS));
    queue_free(&queue);
}

/* The time is up just when there is room: the item is either in the queue or
 * the caller's, and the answer says which. */
static void run_time_and_room(void)
{
    open_queue(1);
    put(1);
    pthread_t putter = start(put_for_100_ms, NULL);
    take(1);
    join(putter);
    queue_close(&queue);
    uintptr_t got = (uintptr_t)queue_take(&queue);
    expect(answer == 0 || answer == -ETIMEDOUT,
           "the end of a wait with a limit is another error",
           "queue_put: what it returns after its wait",
           "the producer that waits gets %s", lab_value(answer));
    expect((got == 2) == (answer == 0),
           "the time was up when there was room again: the answer is of the "
           "one, what was done is of the other",
           "queue_put: what it returns when its wait has run out of time, and "
           "there is room",
           "queue_put gives %s, and its item is %s the queue",
           lab_value(answer), got == 2 ? "in" : "not in");
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
    expect(taken[0] + taken[1] == 3 && taken[0] * taken[1] == 2,
           "a condition wait may return without a signal, or after another "
           "thread was faster; what was waited for need not hold then",
           "the condition wait: is what it waits for looked at again after it",
           "items 1 and 2 were put, and two takers have %zu and %zu",
           (size_t)taken[0], (size_t)taken[1]);
    end_queue();
}

static void run_close_one(void)
{
    open_queue(1);
    put(1);
    take(1);
    pthread_t taker = start(take_one, &taken[0]);
    queue_close(&queue);
    join(taker);
    check_taken(taken[0], 0);
    end_queue();
}

static void run_close_all(void)
{
    open_queue(1);
    put(1);
    take(1); /* who never waits need not be woken */
    pthread_t first = start(take_one, &taken[0]);
    pthread_t second = start(take_one, &taken[1]);
    queue_close(&queue);
    join(first);
    join(second);
    check_taken(taken[0], 0);
    check_taken(taken[1], 0);
    expect(!queue_is_wanted(&queue),
           "who has gone is still counted among those who wait",
           "queue_take: takers, on each way out",
           "both takers have got NULL and ended, and queue_is_wanted says "
           "that somebody waits");
    end_queue();
}

static void *put_too_late(void *unused)
{
    (void)unused;
    put_refused(LONG_MS, -EPIPE,
                "a producer that waits for room when the queue is closed is "
                "not told what has happened");
    return NULL;
}

static void run_close_putters(void)
{
    open_queue(1);
    put(1);
    pthread_t first = start(put_too_late, NULL);
    pthread_t second = start(put_too_late, NULL);
    queue_close(&queue);
    join(first);
    join(second);
    take(1);
    end_queue();
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
    expect(seen == 0x1e,
           "with two producers and two takers an item is lost or comes twice",
           "what is looked at after a wait, and what is done under the lock",
           "items 1 to 4 were put; taken were %zu, %zu, %zu, %zu",
           (size_t)taken[0], (size_t)taken[1], (size_t)taken[2],
           (size_t)taken[3]);
    end_queue();
}

/* --- The tests ------------------------------------------------------------ */

#define NEEDS                                                                 \
    {                                                                         \
        .steps = 2000                                                         \
    }

static const struct explore_scenario scenarios[] = {
    {"keeps_the_order", run_order, NEEDS},
    {"goes_around", run_around, NEEDS},
    {"goes_around_for_long", run_far, {.steps = 20000}},
    {"full_is_full", run_full, NEEDS},
    {"waits_end_in_time", run_in_time, NEEDS},
    {"closing_loses_nothing", run_close_keeps, NEEDS},
    {"closed_takes_nothing_more", run_closed_refuses, NEEDS},
    {"an_item_wakes_a_taker", run_wake_taker, NEEDS},
    {"room_wakes_a_producer", run_wake_putter, NEEDS},
    {"room_wakes_each_producer", run_wake_putters, NEEDS},
    {"time_is_up_and_room", run_time_and_room, {.steps = 2000, .timeouts = 1}},
    {"a_wait_is_not_begun_again", run_waits_on, NEEDS},
    {"woken_for_nothing", run_for_nothing, NEEDS},
    {"closing_is_not_missed",
     run_close_one,
     {.steps = 2000, .races = EXPLORE_RACES_FOLLOW}},
    {"closing_wakes_everyone", run_close_all, NEEDS},
    {"closing_wakes_producers", run_close_putters, NEEDS},
    {"waiting_is_sleeping", run_wake_taker, NEEDS},
    {"all_arrive_once", run_all_arrive, NEEDS},
    {NULL, NULL, {0}}};

static void keeps_the_order(void)
{
    explored(scenarios, "keeps_the_order", NULL, NULL);
}

static void goes_around(void)
{
    explored(scenarios, "goes_around", NULL, NULL);
    explored(scenarios, "goes_around_for_long", NULL, NULL);
}

static void full_is_full(void)
{
    explored(scenarios, "full_is_full", NULL, NULL);
}

static void waits_end_in_time(void)
{
    explored(scenarios, "waits_end_in_time", NULL, NULL);
    explored(scenarios, "time_is_up_and_room", NULL, NULL);
}

static void closing_loses_nothing(void)
{
    explored(scenarios, "closing_loses_nothing", NULL, NULL);
}

static void closed_takes_nothing_more(void)
{
    explored(scenarios, "closed_takes_nothing_more", NULL, NULL);
}

static void an_item_wakes_a_taker(void)
{
    explored(scenarios, "an_item_wakes_a_taker",
             "a thread sleeps, and nobody tells it that an item is there",
             "queue_put: whom it signals after storing the item");
}

static void room_wakes_a_producer(void)
{
    explored(scenarios, "room_wakes_a_producer",
             "a producer that waits for room is not told of it",
             "queue_take: whom it signals");
}

static void room_wakes_each_producer(void)
{
    explored(
        scenarios, "room_wakes_each_producer",
        "two places became free, and one of two producers is told",
        "queue_take: when it signals; is it only when the queue was full");
}

static void a_wait_is_not_begun_again(void)
{
    explored(scenarios, "a_wait_is_not_begun_again", NULL, NULL);
}

static void woken_for_nothing(void)
{
    explored(
        scenarios, "woken_for_nothing",
        "two items were put, and one of two takers is told",
        "queue_put: when it signals; is it only when the queue was empty");
}

static void closing_is_not_missed(void)
{
    explored(
        scenarios, "closing_is_not_missed",
        "the queue is closed between a taker's look at it and its sleep: "
        "the signal comes when nobody waits yet, and the taker sleeps for "
        "ever",
        "queue_close: what it changes must change under the lock that "
        "the waiter holds until it sleeps");
}

static void closing_wakes_everyone(void)
{
    explored(scenarios, "closing_wakes_everyone",
             "one waiter is told, and the others sleep for ever",
             "queue_close: how many it wakes");
}

static void closing_wakes_producers(void)
{
    explored(scenarios, "closing_wakes_producers",
             "producers that wait for room do not hear of the closing",
             "queue_close: which conditions it tells");
}

static void waiting_is_sleeping(void)
{
    explored(scenarios, "waiting_is_sleeping", NULL, NULL);
}

static void all_arrive_once(void)
{
    explored(scenarios, "all_arrive_once",
             "somebody sleeps for ever: a signal went to who cannot use it",
             "whom each signal can wake, and what that one does then");
}

int main(int argc, char **argv)
{
    static const struct lab_test tests[] = {
        {"keeps_the_order", keeps_the_order},
        {"goes_around", goes_around},
        {"full_is_full", full_is_full},
        {"waits_end_in_time", waits_end_in_time},
        {"closing_loses_nothing", closing_loses_nothing},
        {"closed_takes_nothing_more", closed_takes_nothing_more},
        {"an_item_wakes_a_taker", an_item_wakes_a_taker},
        {"room_wakes_a_producer", room_wakes_a_producer},
        {"room_wakes_each_producer", room_wakes_each_producer},
        {"a_wait_is_not_begun_again", a_wait_is_not_begun_again},
        {"woken_for_nothing", woken_for_nothing},
        {"closing_is_not_missed", closing_is_not_missed},
        {"closing_wakes_everyone", closing_wakes_everyone},
        {"closing_wakes_producers", closing_wakes_producers},
        {"waiting_is_sleeping", waiting_is_sleeping},
        {"all_arrive_once", all_arrive_once},
        {0}};
    return argc > 1 ? explore_main(argc, argv, scenarios) : lab_main(tests);
}

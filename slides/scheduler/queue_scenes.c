/*
 * Scenes for the page on which the reader is the scheduler: the bounded queue,
 * with few threads that have little to do. tests/lab/explorer makes all states
 * and steps of a scene (--export).
 */
#include "queue.h"

#include "explore.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#define FOR_LONG 100000 /* ms: nobody waits so long but at a deadlock */

static struct queue queue;
static size_t room;      /* items that the queue was opened for */
static uintptr_t got[3]; /* what each taker has; from the second on, one has */
static int answer;       /* of the last queue_put */

/* What the page shows beside the code. */
static void show(void)
{
    char items[60] = "";
    size_t length = 0;
    if (queue.items == NULL)
        return;
    for (size_t i = 0; i < queue.length && i < queue.capacity; i++) {
        size_t at = (queue.first + i) % queue.capacity;
        length +=
            (size_t)snprintf(items + length, sizeof items - length, "%s%zu",
                             i > 0 ? ", " : "", (uintptr_t)queue.items[at]);
    }
    explore_value("items", "%s", items[0] == '\0' ? "none" : items);
    explore_value("length", "%zd of %zu", (ssize_t)queue.length,
                  queue.capacity);
    explore_value("closed", "%s", queue.closed ? "true" : "false");
}

static void begin(size_t capacity)
{
    room = capacity;
    explore_check(queue_open(&queue, capacity) == 0, "queue_open fails");
    explore_name(&queue.lock, "lock");
    explore_name(&queue.not_empty, "not_empty");
    explore_name(&queue.not_full, "not_full");
    explore_show(show);
}

static pthread_t start(const char *name, void *(*function)(void *))
{
    pthread_t thread;
    (void)pthread_create(&thread, NULL, function, NULL);
    (void)pthread_setname_np(thread, name);
    return thread;
}

static void join(pthread_t thread)
{
    (void)pthread_join(thread, NULL);
}

static void put(uintptr_t item)
{
    answer = queue_put(&queue, (void *)item, FOR_LONG);
    explore_check(answer == 0, "item %zu was not put in time", item);
}

static void *take_first(void *unused)
{
    (void)unused;
    got[0] = (uintptr_t)queue_take(&queue);
    return NULL;
}

static void *take_second(void *unused)
{
    (void)unused;
    got[1] = (uintptr_t)queue_take(&queue);
    return NULL;
}

static void *close_it(void *unused)
{
    (void)unused;
    queue_close(&queue);
    return NULL;
}

/* --- Two items for two takers ---------------------------------------------*/

static void *put_two(void *unused)
{
    (void)unused;
    put(1);
    put(2);
    return NULL;
}

static void two_takers(void)
{
    begin(2);
    pthread_t a = start("taker A", take_first);
    pthread_t b = start("taker B", take_second);
    pthread_t p = start("producer", put_two);
    join(a);
    join(b);
    join(p);
    explore_check(got[0] + got[1] == 3 && got[0] * got[1] == 2,
                  "items 1 and 2 were put; A has %zu, and B %zu", got[0],
                  got[1]);
}

/* --- The end --------------------------------------------------------------*/

static void closing(void)
{
    begin(1);
    pthread_t taker = start("taker", take_first);
    pthread_t closer = start("closer", close_it);
    join(taker);
    join(closer);
    explore_check(got[0] == 0, "an item came that nobody put: %zu", got[0]);
}

static void closing_two(void)
{
    begin(1);
    pthread_t a = start("taker A", take_first);
    pthread_t b = start("taker B", take_second);
    pthread_t closer = start("closer", close_it);
    join(a);
    join(b);
    join(closer);
}

static void *put_and_close(void *unused)
{
    (void)unused;
    put(1);
    queue_close(&queue);
    return NULL;
}

static void *take_all(void *unused)
{
    (void)unused;
    while (queue_take(&queue) != NULL)
        got[0]++;
    return NULL;
}

static void closing_keeps(void)
{
    begin(1);
    pthread_t taker = start("taker", take_all);
    pthread_t producer = start("producer", put_and_close);
    join(taker);
    join(producer);
    explore_check(got[0] == 1, "one item was put, and %zu were taken", got[0]);
}

static void *put_or_not(void *unused)
{
    (void)unused;
    for (uintptr_t item = 1; item <= 2; item++)
        (void)queue_put(&queue, (void *)item, FOR_LONG);
    return NULL;
}

static void closing_refuses(void)
{
    begin(1);
    pthread_t producer = start("producer", put_or_not);
    pthread_t closer = start("closer", close_it);
    join(producer);
    join(closer);
    while (queue_take(&queue) != NULL)
        got[0]++;
}

/* --- A bound --------------------------------------------------------------*/

static void *put_three(void *unused)
{
    (void)unused;
    for (uintptr_t item = 1; item <= 3; item++) {
        put(item);
        explore_check(queue.capacity == room,
                      "the queue was opened for %zu, and has room for %zu",
                      room, queue.capacity);
    }
    return NULL;
}

static void *take_three(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < 3; i++)
        got[i] = (uintptr_t)queue_take(&queue);
    return NULL;
}

static void bounded(void)
{
    begin(1);
    pthread_t taker = start("taker", take_three);
    pthread_t producer = start("producer", put_three);
    join(taker);
    join(producer);
    explore_check(got[0] == 1 && got[1] == 2 && got[2] == 3,
                  "the taker has %zu, %zu and %zu", got[0], got[1], got[2]);
}

static void *put_for_100_ms(void *unused)
{
    (void)unused;
    put(1);
    answer = queue_put(&queue, (void *)(uintptr_t)2, 100);
    return NULL;
}

static void time_is_up(void)
{
    begin(1);
    pthread_t taker = start("taker", take_first);
    pthread_t producer = start("producer", put_for_100_ms);
    join(taker);
    join(producer);
    explore_check(got[0] == 1, "item 1 was put, and the taker has %zu",
                  got[0]);
}

/* --- Nothing to do --------------------------------------------------------*/

static void *wait_and_close(void *unused)
{
    (void)unused;
    explore_settle(); /* until nobody can go on */
    queue_close(&queue);
    return NULL;
}

static void silence(void)
{
    begin(1);
    pthread_t taker = start("taker", take_first);
    pthread_t closer = start("closer", wait_and_close);
    join(taker);
    join(closer);
}

static const struct explore_scenario scenarios[] = {
    {"two-takers", two_takers, {.spurious = EXPLORE_NONE}},
    {"closing", closing, {.races = EXPLORE_RACES_FOLLOW}},
    {"closing-two", closing_two, {.spurious = EXPLORE_NONE}},
    {"closing-keeps", closing_keeps, {.spurious = EXPLORE_NONE}},
    {"closing-refuses", closing_refuses, {.spurious = EXPLORE_NONE}},
    {"bounded", bounded, {.spurious = EXPLORE_NONE}},
    {"time-is-up", time_is_up, {.spurious = EXPLORE_NONE, .timeouts = 1}},
    {"silence", silence, {.spurious = EXPLORE_NONE}},
    {NULL, NULL, {0}}};

int main(int argc, char **argv)
{
    return explore_main(argc, argv, scenarios);
}

/*
 * The pool, under every schedule that matters: workers that share a queue,
 * their end, and a thread made for each item.
 *
 *     ./pool                           all tests
 *     ./pool --replay SCHEDULE NAME    one schedule again, under gdb too
 */
#include "pool.h"

#include "explored.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define LONG_MS 100000
#define ITEMS   4

/* What a scenario's work leaves behind. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int times[ITEMS];    /* that each item was worked on */
    size_t slots[ITEMS]; /* of the thread that did */
    int inside, meet; /* works that have begun; that must, before one ends */
    bool ended;       /* the pool is freed */
} seen;

static struct pool pool;
static int items[ITEMS];

static int prepare(size_t slot, void *context)
{
    explore_check(context == &seen, "prepare gets another context");
    explore_check(slot < pool.limit, "prepare is told of slot %zu of %zu",
                  slot, pool.limit);
    return 0;
}

static void work(struct pool_thread *thread, void *argument, void *context)
{
    int i = (int)((int *)argument - items);
    explore_check(context == &seen, "the work gets another context");
    explore_check(i >= 0 && i < ITEMS, "the work gets an item not handed in");
    pthread_mutex_lock(&seen.lock);
    explore_check(!seen.ended, "work begins after pool_free");
    seen.times[i]++;
    seen.slots[i] = thread->slot;
    seen.inside++;
    pthread_cond_broadcast(&seen.changed);
    while (seen.inside < seen.meet)
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

static void open_pool(size_t limit, bool each, int meet)
{
    memset(&seen, 0, sizeof seen);
    (void)pthread_mutex_init(&seen.lock, NULL);
    (void)pthread_cond_init(&seen.changed, NULL);
    seen.meet = meet;
    int error = pool_open(&pool, limit, each, prepare, work, &seen);
    explore_check(error == 0, "pool_open gives %d", error);
}

static void submit(int i)
{
    bool is_short;
    int error = pool_submit(&pool, &items[i], LONG_MS, &is_short);
    explore_check(error == 0, "pool_submit of item %d gives %d, not 0", i,
                  error);
    explore_check(!is_short, "pool_submit says that threads are short");
}

static void end_pool(int count)
{
    pool_finish(&pool);
    bool ended = pool_wait(&pool, LONG_MS);
    explore_check(ended,
                  "after pool_finish, pool_wait gives false: %zu "
                  "threads have not ended",
                  pool_alive(&pool));
    pool_free(&pool);
    pthread_mutex_lock(&seen.lock);
    seen.ended = true;
    for (int i = 0; i < count; i++)
        explore_check(seen.times[i] == 1, "item %d was worked on %d times", i,
                      seen.times[i]);
    pthread_mutex_unlock(&seen.lock);
    (void)pthread_cond_destroy(&seen.changed);
    (void)pthread_mutex_destroy(&seen.lock);
}

static void run_all(void)
{
    open_pool(2, false, 0);
    for (int i = 0; i < 3; i++)
        submit(i);
    end_pool(3);
}

static void run_together(void)
{
    open_pool(2, false, 2);
    submit(0);
    submit(1);
    end_pool(2);
}

static void run_slots(void)
{
    open_pool(2, false, 2);
    submit(0);
    submit(1);
    pthread_mutex_lock(&seen.lock);
    while (seen.inside < 2)
        pthread_cond_wait(&seen.changed, &seen.lock);
    explore_check(seen.slots[0] + seen.slots[1] == 1,
                  "two threads work, and their slots are %zu and %zu, not 0 "
                  "and 1",
                  seen.slots[0], seen.slots[1]);
    pthread_mutex_unlock(&seen.lock);
    end_pool(2);
}

static void run_wait(void)
{
    open_pool(1, false, 2); /* the work waits for us */
    submit(0);
    bool ended = pool_wait(&pool, 0);
    explore_check(!ended, "pool_wait gives true, and a thread still works");
    explore_check(pool_alive(&pool) == 1, "pool_alive gives %zu, not 1",
                  pool_alive(&pool));
    pthread_mutex_lock(&seen.lock);
    seen.inside++;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
    end_pool(1);
    explore_check(pool.threads == NULL, "pool_free leaves its array behind");
}

static void run_each(void)
{
    open_pool(1, true, 0);
    for (int i = 0; i < 3; i++)
        submit(i);
    end_pool(3);
}

#define NEEDS                                                                 \
    {                                                                         \
        .steps = 3000                                                         \
    }

static const struct explore_scenario scenarios[] = {
    {"all_items_are_worked_on", run_all, NEEDS},
    {"works_at_the_same_time", run_together, NEEDS},
    {"each_thread_has_its_own_slot", run_slots, NEEDS},
    {"waits_for_its_threads", run_wait, NEEDS},
    {"free_slots_are_used_again", run_each, NEEDS},
    {NULL, NULL, {0}}};

static const struct hint kinds[EXPLORE_ERROR + 1] = {
    [EXPLORE_RACE] = {"two threads use the same memory at once, one of them "
                      "writing, and no lock orders them",
                      "the two lines named: what guards that memory (pool.h "
                      "says it), and who does not hold it; is it a variable "
                      "of which a thread was given the address"},
    [EXPLORE_MEMORY] = {"memory is used that was freed: a thread still runs "
                        "when what it uses is gone",
                        "pool_free: what it waits for before it frees; what "
                        "each thread was given as its argument"},
    [EXPLORE_CRASH] = {"a pointer that leads nowhere, or no longer anywhere",
                       "the last steps of the table, and pool_free"},
    [EXPLORE_ENDLESS] = {"a thread that waits runs on instead of sleeping",
                         "each wait: does it sleep until somebody signals"},
};

static void all_items_are_worked_on(void)
{
    explored(
        scenarios, "all_items_are_worked_on",
        (struct hint){"items get lost at the end, or threads do not end",
                      "thread_main's loop; pool_finish and queue_take: in "
                      "which order closed and empty are looked at"},
        kinds);
}

static void works_at_the_same_time(void)
{
    static struct hint hints[EXPLORE_ERROR + 1];
    memcpy(hints, kinds, sizeof hints);
    hints[EXPLORE_DEADLOCK] = (struct hint){
        "the works wait for each other, and one cannot begin before the other "
        "has ended: a lock is held during the work, or there is one thread "
        "only",
        "thread_main: what is locked around pool->work; pool_submit: when a "
        "thread is made"};
    explored(scenarios, "works_at_the_same_time",
             (struct hint){"two items are not worked on at the same time",
                           "thread_main and pool_submit"},
             hints);
}

static void each_thread_has_its_own_slot(void)
{
    explored(
        scenarios, "each_thread_has_its_own_slot",
        (struct hint){"two threads look at one and the same variable for what "
                      "they are",
                      "make_thread: whose memory the new thread's argument "
                      "points to, and who changes it when"},
        kinds);
}

static void waits_for_its_threads(void)
{
    explored(
        scenarios, "waits_for_its_threads",
        (struct hint){"pool_wait or pool_alive count other than they should",
                      "where alive is changed, and what pool_wait waits for"},
        kinds);
}

static void free_slots_are_used_again(void)
{
    explored(
        scenarios, "free_slots_are_used_again",
        (struct hint){"a slot is taken over while its thread still runs, or "
                      "is never free again",
                      "get_slot: what it looks at under which lock, and who "
                      "is joined"},
        kinds);
}

int main(int argc, char **argv)
{
    static const struct lab_test tests[] = {
        {"all_items_are_worked_on", all_items_are_worked_on},
        {"works_at_the_same_time", works_at_the_same_time},
        {"each_thread_has_its_own_slot", each_thread_has_its_own_slot},
        {"waits_for_its_threads", waits_for_its_threads},
        {"free_slots_are_used_again", free_slots_are_used_again},
        {0}};
    return argc > 1 ? explore_main(argc, argv, scenarios) : lab_main(tests);
}

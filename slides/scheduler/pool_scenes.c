/*
 * Scenes for the page on which the reader is the scheduler: the pool, with few
 * threads that have little to do. tests/lab/explorer makes all states and steps
 * of a scene (--export).
 */
#include "pool.h"

#include "explore.h"

#include <stdint.h>

#define FOR_LONG 100000 /* ms: nobody waits so long but at a deadlock */

static struct pool pool;
static int items[3];

/* What the work leaves behind. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t both;
    int begun;
    int meet; /* works that must have begun before one ends: a server that
               * answers when so many ask */
    size_t slots[3]; /* who worked on each item */
} seen;

static const char *state_of(enum pool_state state)
{
    return state == POOL_RUNS    ? "runs"
           : state == POOL_ENDED ? "ended"
                                 : "vacant";
}

/* What the page shows beside the code. */
static void show(void)
{
    static const char *const names[] = {"slot 0", "slot 1"};
    if (pool.threads == NULL)
        return;
    explore_value("alive", "%zu", pool.alive);
    for (size_t i = 0; i < pool.limit && i < 2; i++)
        explore_value(names[i], "%s", state_of(pool.threads[i].state));
    explore_value("in the queue", "%zu", pool.queue.length);
    explore_value("works that have begun", "%d", seen.begun);
}

static int prepare(size_t slot, void *context)
{
    (void)slot;
    (void)context;
    return 0;
}

static void work(struct pool_thread *thread, void *item, void *context)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    seen.slots[(int *)item - items] = thread->slot;
    seen.begun++;
    pthread_cond_broadcast(&seen.both);
    while (seen.begun < seen.meet)
        pthread_cond_wait(&seen.both, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

static void begin(size_t limit, bool each, int meet)
{
    (void)pthread_mutex_init(&seen.lock, NULL);
    (void)pthread_cond_init(&seen.both, NULL);
    seen.meet = meet;
    explore_check(pool_open(&pool, limit, each, prepare, work, NULL) == 0,
                  "pool_open fails");
    explore_name(&pool.lock, "pool's lock");
    explore_name(&pool.one_ended, "one_ended");
    explore_name(&pool.queue.lock, "queue's lock");
    explore_name(&pool.queue.not_empty, "not_empty");
    explore_name(&pool.queue.not_full, "not_full");
    explore_name(&seen.lock, "work's lock");
    explore_name(&seen.both, "both");
    explore_show(show);
}

static void submit(int item)
{
    bool is_short;
    int error = pool_submit(&pool, &items[item], FOR_LONG, &is_short);
    explore_check(error == 0, "item %d was not taken in time", item);
}

static void end(void)
{
    pool_finish(&pool);
    explore_check(pool_wait(&pool, FOR_LONG), "the threads do not end");
    pool_free(&pool);
}

/* --- A server that answers two at once ------------------------------------*/

static void together(void)
{
    begin(2, false, 2);
    submit(0);
    submit(1);
    end();
}

/* --- Who am I? ------------------------------------------------------------*/

static void slots(void)
{
    begin(2, false, 2);
    submit(0);
    submit(1);
    end();
    explore_check(seen.slots[0] + seen.slots[1] == 1,
                  "two threads worked, and their slots are %zu and %zu",
                  seen.slots[0], seen.slots[1]);
}

/* --- A thread for each item -----------------------------------------------*/

static void each(void)
{
    begin(1, true, 0);
    submit(0);
    submit(1);
    end();
}

/* --- The end --------------------------------------------------------------*/

static void joined(void)
{
    begin(1, false, 0);
    submit(0);
    end();
    explore_check(explore_unjoined() == 0, "a thread has ended, and nobody "
                                           "has joined it");
}

static const struct explore_scenario scenarios[] = {
    {"together", together, {.spurious = EXPLORE_NONE}},
    {"slots",
     slots,
     {.spurious = EXPLORE_NONE, .races = EXPLORE_RACES_FOLLOW}},
    {"each", each, {.spurious = EXPLORE_NONE}},
    {"joined", joined, {.spurious = EXPLORE_NONE}},
    {NULL, NULL, {0}}};

int main(int argc, char **argv)
{
    return explore_main(argc, argv, scenarios);
}

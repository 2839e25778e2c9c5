/*
 * The pool, under every schedule that matters: workers that share a queue,
 * their end, threads that cannot be made, and a thread made for each item.
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
#define MS      INT64_C(1000000) /* nanoseconds */
#define ITEMS   4

/* What a scenario's work leaves behind. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int times[ITEMS];    /* that each item was worked on */
    size_t slots[ITEMS]; /* of the thread that did */
    int inside, meet; /* works that have begun; that must, before one ends */
    bool ended;       /* the pool is freed */
    size_t limit;
    int prepared;   /* how often */
    int unprepared; /* so often `prepare` fails */
    bool asks;      /* the work asks how many threads there are: one */
    bool first;     /* only the first item's work waits for the others */
} seen;

static struct pool pool;
static int items[ITEMS];

#define MAKE "make_thread: what it hands to pool->prepare and to the thread"

static int prepare(size_t slot, void *context)
{
    expect(context == &seen, "the caller's context got lost", MAKE,
           "prepare gets another context");
    expect(slot < seen.limit, "a slot is used that is not there", MAKE,
           "prepare is told of slot %zu of %zu", slot, seen.limit);
    if (seen.unprepared > 0) {
        seen.unprepared--;
        return -ENOMEM;
    }
    seen.prepared++;
    return 0;
}

static void check_alive(size_t wanted)
{
    size_t alive = pool_alive(&pool);
    expect(alive == wanted, "threads are counted other than they are there",
           "make_thread and thread_main: where `alive` is changed, also on "
           "the ways that fail; is a thread counted before it can run?",
           "pool_alive gives %zu, not %zu", alive, wanted);
}

static void work(struct pool_thread *thread, void *argument, void *context)
{
    int i = (int)((int *)argument - items);
    expect(context == &seen, "the caller's context got lost",
           "thread_main: what it hands to pool->work",
           "the work gets another context");
    expect(i >= 0 && i < ITEMS, "the work is called with what is no item",
           "thread_main: what it hands to pool->work, and when",
           "the work gets an item that was not handed in");
    if (seen.asks)
        check_alive(1);
    pthread_mutex_lock(&seen.lock);
    expect(!seen.ended, "pool_free did not wait for a thread",
           "pool_free: for whom it waits, and how",
           "work begins after pool_free");
    seen.times[i]++;
    seen.slots[i] = thread->slot;
    seen.inside++;
    pthread_cond_broadcast(&seen.changed);
    while (seen.inside < seen.meet && (i == 0 || !seen.first))
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

static void open_pool(size_t limit, bool each, int meet)
{
    memset(&seen, 0, sizeof seen);
    (void)pthread_mutex_init(&seen.lock, NULL);
    (void)pthread_cond_init(&seen.changed, NULL);
    seen.meet = meet;
    seen.limit = limit;
    int error = pool_open(&pool, limit, each, prepare, work, &seen);
    expect(error == 0, "pool_open fails", "pool_open", "pool_open gives %s",
           lab_value(error));
}

static void submit(int i)
{
    bool is_short = true;
    int error = pool_submit(&pool, &items[i], LONG_MS, &is_short);
    expect(error == 0, "an item is refused while the pool is open",
           "pool_submit: what it returns, on each way out",
           "pool_submit of item %d gives %s, not 0", i, lab_value(error));
    expect(!is_short, "it was not set, or set although no thread failed",
           "pool_submit: *short_of_threads, on each way out",
           "after pool_submit of item %d *short_of_threads is true", i);
}

/* Lets works go on that wait for `meet` of them. */
static void release(void)
{
    pthread_mutex_lock(&seen.lock);
    seen.meet = 0;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static void check_counts(int count)
{
    int unjoined = explore_unjoined();
    expect(unjoined == 0,
           "nobody has joined a thread: it may be at work still; or it has "
           "ended, and what it had, its stack above all, is never given back, "
           "or some time after the pool is gone",
           "pool_free: what it does for each thread that there was",
           "after pool_free %d threads are not joined", unjoined);
    pthread_mutex_lock(&seen.lock);
    seen.ended = true;
    for (int i = 0; i < count; i++)
        expect(seen.times[i] == 1,
               seen.times[i] == 0
                   ? "an item got lost: the threads have ended, and it was in "
                     "the queue still, or never came there"
                   : "an item was worked on again",
               "thread_main's loop, pool_submit; pool_finish and queue_take: "
               "in which order closed and empty are looked at",
               "item %d was worked on %d times", i, seen.times[i]);
    pthread_mutex_unlock(&seen.lock);
    (void)pthread_cond_destroy(&seen.changed);
    (void)pthread_mutex_destroy(&seen.lock);
}

/* Of one item alone: it was worked on once. */
static void submitted_alone(int i)
{
    expect(seen.times[i] == 1, "an item got lost, or was worked on again",
           "thread_main, and what it is given", "item %d: %d times", i,
           seen.times[i]);
}

static const char prefer[] =
    "pool_submit: how it finds out whether a thread waits for work";

static void end_pool(int count)
{
    pool_finish(&pool);
    int64_t begun = explore_time();
    bool ended = pool_wait(&pool, LONG_MS);
    expect(ended || explore_time() - begun >= (LONG_MS - 1) * MS,
           "the wait ends with the first wake-up, though threads are there "
           "and there is time",
           "pool_wait: what it looks at after a wake-up, and before the next",
           "after pool_finish, pool_wait of %d ms gives false after %lld",
           LONG_MS, (long long)((explore_time() - begun) / MS));
    pthread_mutex_lock(&seen.lock);
    expect(ended || seen.inside >= seen.meet,
           "the works wait for each other, and one cannot begin before the "
           "other has ended: a thread was not made, for another seemed to "
           "wait; or it was not woken",
           prefer, "%d of %d works have begun, and nobody begins another",
           seen.inside, seen.meet);
    pthread_mutex_unlock(&seen.lock);
    expect(ended, "threads do not end, or are not counted as ended",
           "thread_main: what it does after its loop; pool_wait: what it "
           "returns",
           "after pool_finish, pool_wait gives false: %zu threads have not "
           "ended",
           pool_alive(&pool));
    check_alive(0);
    expect_no_time();
    pool_free(&pool);
    check_counts(count);
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
    expect(seen.slots[0] + seen.slots[1] == 1,
           "two threads look at one and the same variable for what they are",
           "make_thread: whose memory the new thread's argument points to, "
           "and who changes it when",
           "two threads work, and their slots are %zu and %zu, not 0 and 1",
           seen.slots[0], seen.slots[1]);
    pthread_mutex_unlock(&seen.lock);
    end_pool(2);
}

/* A thread that works, and pool_wait. */
static void wait_for_one(bool each)
{
    open_pool(1, each, 2); /* the work waits for us */
    seen.asks = true;
    expect(pool_wait(&pool, 0), "without threads all have ended",
           "pool_wait: what it looks at before it waits",
           "before the first item, pool_wait gives false");
    submit(0);
    bool ended = pool_wait(&pool, 0);
    expect(!ended, "a thread that works is taken for one that has ended",
           "where `alive` is changed, and what pool_wait waits for",
           "pool_wait gives true, and a thread still works");
    check_alive(1);
    int64_t begun = explore_time();
    ended = pool_wait(&pool, 2500);
    int64_t took = explore_time() - begun;
    expect(!ended, "the end of the time is taken for the end of the threads",
           "pool_wait: what it returns after its wait",
           "pool_wait gives true, and a thread still works");
    expect(took >= 2499 * MS && took <= 2501 * MS,
           "the wait is shorter or longer than it was to be",
           "pool_wait: the end of its wait, and the condition's clock",
           "pool_wait of 2500 ms came back after %lld ms",
           (long long)(took / MS));
    release();
    pool_finish(&pool);
    ended = pool_wait(&pool, LONG_MS);
    expect(ended, "the thread does not end, or is not counted as ended",
           "thread_main: what it does after its loop",
           "pool_wait gives false: %zu threads have not ended",
           pool_alive(&pool));
    expect(explore_time() - begun == took,
           "pool_wait was not told that the last thread had ended",
           "thread_main: whom it tells of its end",
           "%lld ms went by until pool_wait saw it",
           (long long)((explore_time() - begun - took) / MS));
    pool_free(&pool);
    check_counts(1);
}

static void run_wait(void)
{
    wait_for_one(false);
}

static void run_wait_each(void)
{
    wait_for_one(true);
}

/* pool_finish, and pool_free at once: it waits by itself. */
static void free_at_once(bool each)
{
    open_pool(2, each, 0);
    submit(0);
    submit(1);
    pool_finish(&pool);
    pool_free(&pool);
    check_counts(2);
}

static void run_free(void)
{
    free_at_once(false);
}

static void run_free_each(void)
{
    free_at_once(true);
}

static void run_idle(void)
{
    open_pool(3, false, 0);
    submit(0);
    explore_settle(); /* its thread waits for the next */
    submit(1);
    explore_settle();
    expect(seen.prepared == 1,
           "a thread is made although another one waits for work", prefer,
           "two items came one after the other, and %d threads were made",
           seen.prepared);
    pthread_mutex_lock(&seen.lock);
    seen.meet = seen.inside + 2;
    pthread_mutex_unlock(&seen.lock);
    submit(2); /* for who waits */
    submit(3); /* nobody else does */
    end_pool(4);
}

static const char fails[] =
    "make_thread and pool_submit: the way on which pthread_create gives an "
    "error";

static void refuse(int wanted, int ms)
{
    bool is_short = false;
    int error = pool_submit(&pool, &items[0], ms, &is_short);
    expect(error == wanted, "an error is not given on, or is another one",
           fails, "pool_submit without a thread gives %s, not %s",
           lab_value(error), lab_value(wanted));
}

/* The first thread cannot be made; later it can. */
static void run_no_thread(void)
{
    open_pool(2, false, 0);
    explore_fail_create(0, 1);
    refuse(-EAGAIN, LONG_MS);
    check_alive(0);
    seen.unprepared = 1;
    refuse(-ENOMEM, LONG_MS);
    check_alive(0);
    submit(0);
    submit(1);
    end_pool(2);
}

/* With a thread for each item, and a place that must be free again. */
static void run_no_thread_each(void)
{
    open_pool(1, true, 0);
    explore_fail_create(0, 1);
    refuse(-EAGAIN, LONG_MS);
    check_alive(0);
    seen.unprepared = 1;
    refuse(-ENOMEM, LONG_MS);
    check_alive(0);
    submit(0);
    explore_settle(); /* its thread has ended: the slot is to be used again */
    explore_fail_create(0, 1);
    refuse(-EAGAIN, LONG_MS);
    check_alive(0);
    submit(1);
    end_pool(2);
}

/* The last thread that was asked for could not be made. */
static void run_no_thread_at_last(void)
{
    open_pool(1, true, 0);
    submit(1);
    explore_settle();
    explore_fail_create(0, 1);
    refuse(-EAGAIN, LONG_MS);
    pool_finish(&pool);
    expect(pool_wait(&pool, 0), "a thread is counted that is not there", fails,
           "pool_wait gives false, and no thread is alive");
    pool_free(&pool);
    submitted_alone(1);
}

/* The second thread cannot be made: the first one does it all. */
static void run_fewer(void)
{
    bool is_short = false;
    open_pool(2, false, 2);
    submit(0);
    explore_settle(); /* its work waits for us */
    explore_fail_create(0, 1);
    int error = pool_submit(&pool, &items[1], LONG_MS, &is_short);
    expect(error == 0,
           "there is a thread, and so the item need not be refused", fails,
           "pool_submit with one thread of two gives %s, not 0",
           lab_value(error));
    expect(is_short, "nobody hears that threads are short", fails,
           "pool_submit could not make a thread, and *short_of_threads is "
           "false");
    check_alive(1);
    release();
    end_pool(2);
}

/* The same, where `prepare` has no room for a second one. */
static void run_fewer_prepared(void)
{
    bool is_short = false;
    open_pool(2, false, 2);
    submit(0);
    explore_settle();
    seen.unprepared = 1;
    int error = pool_submit(&pool, &items[1], LONG_MS, &is_short);
    expect(error == 0 && is_short,
           "there is a thread, and so the item need not be refused",
           "make_thread and pool_submit: the way on which pool->prepare gives "
           "an error",
           "prepare failed for a second thread: pool_submit gives %s, "
           "*short_of_threads is %d",
           lab_value(error), is_short);
    check_alive(1);
    release();
    end_pool(2);
}

static void run_fewer_each(void)
{
    bool is_short = false;
    open_pool(2, true, 2);
    submit(0);
    explore_settle();
    explore_fail_create(0, 1);
    int64_t begun = explore_time();
    int error = pool_submit(&pool, &items[1], 50, &is_short);
    expect(error == -ETIMEDOUT && is_short,
           "an item whose thread cannot be made is to wait for another one's "
           "end",
           fails,
           "pool_submit with a thread for each item gives %s, and "
           "*short_of_threads is %d",
           lab_value(error), is_short);
    expect(explore_time() - begun <= 51 * MS, "the wait is longer than it may",
           fails, "a wait of 50 ms took %lld",
           (long long)((explore_time() - begun) / MS));
    check_alive(1);
    release();
    submit(1);
    pool_finish(&pool);
    expect(pool_wait(&pool, LONG_MS), "a thread does not end", fails,
           "pool_wait gives false");
    pool_free(&pool);
    check_counts(2);
}

/* A thread cannot be made just while another one ends. */
static void run_fewer_ending(void)
{
    bool is_short = false;
    open_pool(2, true, 0);
    submit(0);
    explore_fail_create(0, 1);
    int error = pool_submit(&pool, &items[1], 50, &is_short);
    expect(error == -EAGAIN || (error == -ETIMEDOUT && is_short),
           "an error is not given on, or is another one", fails,
           "pool_submit with a thread for each item gives %s, and "
           "*short_of_threads is %d",
           lab_value(error), is_short);
    submit(1);
    pool_finish(&pool);
    expect(pool_wait(&pool, LONG_MS), "a thread does not end", fails,
           "pool_wait gives false");
    pool_free(&pool);
    check_counts(2);
}

static void run_each(void)
{
    open_pool(1, true, 0);
    for (int i = 0; i < 3; i++)
        submit(i);
    end_pool(3);
}

/* One works on, the other has ended: its slot is the third one's. */
static void run_each_beside(void)
{
    open_pool(2, true, 3);
    seen.first = true;
    for (int i = 0; i < 3; i++)
        submit(i);
    end_pool(3);
}

/* What was there before the pool is all that is there after it. */
static void run_memory(void)
{
    int blocks, objects, blocks_after, objects_after;
    explore_left(&blocks, &objects);
    int error = pool_open(&pool, 2, false, prepare, work, &seen);
    explore_check(error == 0, "pool_open gives %d", error);
    pool_finish(&pool);
    pool_free(&pool);
    explore_left(&blocks_after, &objects_after);
    expect(blocks_after == blocks,
           "memory is never given back: a program that opens pools again and "
           "again grows",
           "pool_free: each malloc and calloc of pool_open and queue_open",
           "%d blocks of memory are left", blocks_after - blocks);
    expect(objects_after <= objects, "what was initialised is not destroyed",
           "pool_free: each pthread_..._init of pool_open and queue_open",
           "%d mutexes, conditions or semaphores are left",
           objects_after - objects);
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
    {"waits_for_its_thread_each", run_wait_each, NEEDS},
    {"frees_without_waiting", run_free, NEEDS},
    {"frees_without_waiting_each", run_free_each, NEEDS},
    {"who_waits_is_preferred", run_idle, NEEDS},
    {"no_thread_at_all", run_no_thread, NEEDS},
    {"no_thread_for_an_item", run_no_thread_each, NEEDS},
    {"fewer_threads_than_wanted", run_fewer, NEEDS},
    {"fewer_threads_prepared", run_fewer_prepared, NEEDS},
    {"fewer_threads_each", run_fewer_each, NEEDS},
    {"fewer_threads_ending", run_fewer_ending, NEEDS},
    {"no_thread_at_last", run_no_thread_at_last, NEEDS},
    {"free_slots_are_used_again", run_each, NEEDS},
    {"free_slot_beside_another", run_each_beside, NEEDS},
    {"gives_its_memory_back", run_memory, NEEDS},
    {NULL, NULL, {0}}};

static const char lost[] =
    "a thread waits, and who changed what it waits for did not tell it";

static void all_items_are_worked_on(void)
{
    explored(scenarios, "all_items_are_worked_on", lost,
             "thread_main's loop, its end, and queue_close");
}

static void works_at_the_same_time(void)
{
    explored(scenarios, "works_at_the_same_time",
             "the works wait for each other, and one cannot begin before the "
             "other has ended: there is one thread only",
             "pool_submit: when a thread is made");
}

static void each_thread_has_its_own_slot(void)
{
    explored(scenarios, "each_thread_has_its_own_slot", lost,
             "pool_submit and make_thread: when a thread is made");
}

static void waits_for_its_threads(void)
{
    static const char look[] =
        "where alive is changed, who is told, and what pool_wait waits for";
    explored(scenarios, "waits_for_its_threads", lost, look);
    explored(scenarios, "waits_for_its_thread_each", lost, look);
}

static void frees_without_waiting(void)
{
    static const char look[] =
        "pool_free: what it holds while it waits for threads, and what it "
        "does before";
    explored(scenarios, "frees_without_waiting", lost, look);
    explored(scenarios, "frees_without_waiting_each", lost, look);
}

static void who_waits_is_preferred(void)
{
    explored(scenarios, "who_waits_is_preferred",
             "a thread waits for work and two items came: one for it, the "
             "other for a thread that was not made",
             prefer);
}

static void no_thread_at_all(void)
{
    explored(scenarios, "no_thread_at_all", lost, fails);
    explored(scenarios, "no_thread_for_an_item", lost, fails);
    explored(scenarios, "no_thread_at_last", lost, fails);
}

static void fewer_threads_than_wanted(void)
{
    explored(scenarios, "fewer_threads_than_wanted", lost, fails);
    explored(scenarios, "fewer_threads_prepared", lost, fails);
    explored(scenarios, "fewer_threads_each", lost, fails);
    explored(scenarios, "fewer_threads_ending", lost, fails);
}

static void free_slots_are_used_again(void)
{
    explored(scenarios, "free_slots_are_used_again",
             "a slot is taken over while its thread still runs, or is never "
             "free again",
             "get_slot: what it looks at under which lock, and who is joined");
    explored(scenarios, "free_slot_beside_another",
             "a thread has ended, and who waits for its slot was not told",
             "thread_main: whom it tells of its end, and on which condition");
}

static void gives_its_memory_back(void)
{
    explored(scenarios, "gives_its_memory_back", NULL, NULL);
}

int main(int argc, char **argv)
{
    static const struct lab_test tests[] = {
        {"all_items_are_worked_on", all_items_are_worked_on},
        {"works_at_the_same_time", works_at_the_same_time},
        {"each_thread_has_its_own_slot", each_thread_has_its_own_slot},
        {"waits_for_its_threads", waits_for_its_threads},
        {"frees_without_waiting", frees_without_waiting},
        {"who_waits_is_preferred", who_waits_is_preferred},
        {"no_thread_at_all", no_thread_at_all},
        {"fewer_threads_than_wanted", fewer_threads_than_wanted},
        {"free_slots_are_used_again", free_slots_are_used_again},
        {"gives_its_memory_back", gives_its_memory_back},
        {0}};
    return argc > 1 ? explore_main(argc, argv, scenarios) : lab_main(tests);
}

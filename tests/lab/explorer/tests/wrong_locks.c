/* wrong_locks: mistakes with locks, conditions and shared memory that are in
 * every textbook. */
#include "wrong.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static pthread_mutex_t locks[3] = {PTHREAD_MUTEX_INITIALIZER,
                                   PTHREAD_MUTEX_INITIALIZER,
                                   PTHREAD_MUTEX_INITIALIZER};
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static atomic_bool ready;
static bool plain_ready;
static int value;

static void run_two(void *(*first)(void *), void *(*second)(void *))
{
    pthread_t one;
    pthread_t two;
    explore_name(&locks[0], "a");
    explore_name(&locks[1], "b");
    explore_name(&locks[2], "c");
    explore_name(&changed, "changed");
    (void)pthread_create(&one, NULL, first, NULL);
    (void)pthread_create(&two, NULL, second, NULL);
    (void)pthread_join(one, NULL);
    (void)pthread_join(two, NULL);
}

/* --- A wake-up that is lost: the flag is looked at before the lock --- */

static void *look_then_wait(void *unused)
{
    if (!atomic_load(&ready)) {
        pthread_mutex_lock(&locks[0]);
        pthread_cond_wait(&changed, &locks[0]);
        pthread_mutex_unlock(&locks[0]);
    }
    return unused;
}

static void *make_ready(void *unused)
{
    atomic_store(&ready, true);
    pthread_mutex_lock(&locks[0]);
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&locks[0]);
    return unused;
}

static void lost_wake_up(void)
{
    run_two(look_then_wait, make_ready);
}

/* --- Orders of locks --- */

static void both(int first, int second)
{
    pthread_mutex_lock(&locks[first]);
    pthread_mutex_lock(&locks[second]);
    value++;
    pthread_mutex_unlock(&locks[second]);
    pthread_mutex_unlock(&locks[first]);
}

static void *lock_ab(void *unused)
{
    both(0, 1);
    return unused;
}

static void *lock_ba(void *unused)
{
    both(1, 0);
    return unused;
}

static void lock_order(void)
{
    run_two(lock_ab, lock_ba);
}

static void *lock_round(void *argument)
{
    const int *first = argument;
    pthread_mutex_lock(&locks[*first]);
    pthread_mutex_lock(&locks[(*first + 1) % 3]);
    pthread_mutex_unlock(&locks[(*first + 1) % 3]);
    pthread_mutex_unlock(&locks[*first]);
    return NULL;
}

static void three_locks(void)
{
    static const int firsts[] = {0, 1, 2};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        (void)pthread_create(&threads[i], NULL, lock_round,
                             (void *)(uintptr_t)&firsts[i]);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
}

/* --- The flag is looked at twice, once without the lock --- */

static void *make_once(void *unused)
{
    if (!plain_ready) {
        pthread_mutex_lock(&locks[0]);
        if (!plain_ready) {
            value = 42;
            plain_ready = true;
        }
        pthread_mutex_unlock(&locks[0]);
    }
    return unused;
}

static void double_checked(void)
{
    run_two(make_once, make_once);
}

/* --- Each access is locked, but what belongs together is not --- */

static int get(void)
{
    pthread_mutex_lock(&locks[0]);
    int got = value;
    pthread_mutex_unlock(&locks[0]);
    return got;
}

static void set(int to)
{
    pthread_mutex_lock(&locks[0]);
    value = to;
    pthread_mutex_unlock(&locks[0]);
}

static void *add_one(void *unused)
{
    set(get() + 1);
    return unused;
}

static void torn(void)
{
    run_two(add_one, add_one);
    explore_check(value == 2, "one and one is %d", value);
}

/* --- A path on which the lock is kept --- */

static void *fail_locked(void *unused)
{
    pthread_mutex_lock(&locks[0]);
    value++;
    if (value == 2)
        return unused; /* an error: and the lock? */
    pthread_mutex_unlock(&locks[0]);
    return unused;
}

static void kept_lock(void)
{
    run_two(fail_locked, fail_locked);
    pthread_mutex_lock(&locks[0]);
    pthread_mutex_unlock(&locks[0]);
}

/* --- Misuse --- */

static void *unlock_only(void *unused)
{
    pthread_mutex_unlock(&locks[0]);
    return unused;
}

static void *lock_and_pause(void *unused)
{
    pthread_mutex_lock(&locks[0]);
    explore_pause("works");
    pthread_mutex_unlock(&locks[0]);
    return unused;
}

static void not_mine(void)
{
    run_two(lock_and_pause, unlock_only);
}

static void twice(void)
{
    pthread_mutex_lock(&locks[0]);
    pthread_mutex_lock(&locks[0]);
}

static void destroyed(void)
{
    pthread_mutex_t lock;
    (void)pthread_mutex_init(&lock, NULL);
    (void)pthread_mutex_destroy(&lock);
    pthread_mutex_lock(&lock);
}

static void *use_block(void *argument)
{
    pthread_mutex_t *lock = argument;
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

static void never_initialised(void)
{
    pthread_t thread;
    pthread_mutex_t *lock = malloc(sizeof *lock);
    (void)pthread_create(&thread, NULL, use_block, lock);
    (void)pthread_join(thread, NULL);
    free(lock);
}

static void destroyed_too_early(void)
{
    pthread_t thread;
    pthread_mutex_t *lock = malloc(sizeof *lock);
    explore_check(lock != NULL, "no memory");
    (void)pthread_mutex_init(lock, NULL);
    (void)pthread_create(&thread, NULL, use_block, lock);
    (void)pthread_mutex_destroy(lock);
    (void)pthread_join(thread, NULL);
    free(lock);
}

static void wait_without(void)
{
    pthread_cond_wait(&changed, &locks[0]);
}

static void joined_twice(void)
{
    pthread_t thread;
    (void)pthread_create(&thread, NULL, lock_ab, NULL);
    (void)pthread_join(thread, NULL);
    (void)pthread_join(thread, NULL);
}

const struct wrong wrong_locks[] = {
    {{"lost-wake-up", lost_wake_up, {0}}, EXPLORE_DEADLOCK, NULL, 1},
    {{"lock-order", lock_order, {0}}, EXPLORE_DEADLOCK, NULL, 1},
    {{"three-locks", three_locks, {0}}, EXPLORE_DEADLOCK, NULL, 1},
    {{"double-checked", double_checked, {0}}, EXPLORE_RACE, "make_once", 0},
    {{"torn", torn, {0}}, EXPLORE_CHECK, "torn", 1},
    {{"kept-lock", kept_lock, {0}}, EXPLORE_DEADLOCK, NULL, 0},
    {{"not-mine", not_mine, {0}}, EXPLORE_MISUSE, "unlock_only", 0},
    {{"twice", twice, {0}}, EXPLORE_DEADLOCK, NULL, 0},
    {{"destroyed", destroyed, {0}}, EXPLORE_MISUSE, "destroyed", 0},
    {{"never-initialised", never_initialised, {0}},
     EXPLORE_MISUSE,
     "use_block",
     0},
    {{"destroyed-too-early", destroyed_too_early, {0}},
     EXPLORE_MISUSE,
     NULL,
     0},
    {{"wait-without", wait_without, {0}}, EXPLORE_MISUSE, "wait_without", 0},
    {{"joined-twice", joined_twice, {0}}, EXPLORE_MISUSE, "joined_twice", 0},
    {{NULL, NULL, {0}}, EXPLORE_PASSED, NULL, 0},
};

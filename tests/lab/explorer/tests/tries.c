/*
 * tries: attempts at locks. A program of its own: where there are any, each
 * unlock is a point of decision, too (see mutex.c).
 */
#include "explore.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counted;
static int missed;

static void *count(void *unused)
{
    pthread_mutex_lock(&lock);
    counted++;
    pthread_mutex_unlock(&lock);
    return unused;
}

static void *count_if_free(void *unused)
{
    if (pthread_mutex_trylock(&lock) == 0) {
        counted++;
        pthread_mutex_unlock(&lock);
    } else {
        missed++;
    }
    return unused;
}

static void *count_in_time(void *unused)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    if (pthread_mutex_timedlock(&lock, &until) == ETIMEDOUT) {
        missed++;
    } else {
        counted++;
        pthread_mutex_unlock(&lock);
    }
    return unused;
}

static void run(void *(*other)(void *))
{
    pthread_t threads[2];
    (void)pthread_create(&threads[0], NULL, count, NULL);
    (void)pthread_create(&threads[1], NULL, other, NULL);
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    explore_check(counted + missed == 2, "%d counted, %d missed", counted,
                  missed);
    explore_check(missed == 0, "the lock was busy");
}

static void tries(void)
{
    run(count_if_free);
}

static void waits_a_while(void)
{
    run(count_in_time);
}

static int expect(const char *name, void (*scenario)(void), int timeouts,
                  enum explore_kind kind)
{
    const struct explore_scenario one = {
        name, scenario, {.exhaustive = true, .timeouts = timeouts}};
    struct explore_result result;
    if (explore_run(&one, NULL, &result) != 0)
        return 1;
    int failed = result.kind != kind;
    if (failed)
        (void)printf("%s: %s, not %s\n%s\n", name,
                     explore_kind_name(result.kind), explore_kind_name(kind),
                     result.table == NULL ? "" : result.table);
    explore_result_free(&result);
    return failed;
}

int main(void)
{
    int failed = expect("tries", tries, 0, EXPLORE_CHECK);
    failed += expect("waits", waits_a_while, 0, EXPLORE_PASSED);
    failed += expect("waits in vain", waits_a_while, 1, EXPLORE_CHECK);
    return failed == 0 ? 0 : 1;
}

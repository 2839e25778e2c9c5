/*
 * The queue and the pool with real threads, watched by ThreadSanitizer: what
 * the explorer's small scenarios may be too small for, and threads that nobody
 * joins.
 */
#include "pool.h"

#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define PRODUCERS 3
#define TAKERS    3
#define EACH      2000

static struct queue queue;
static atomic_uchar taken[PRODUCERS * EACH];
static atomic_uint full; /* times that a producer met a full queue */

static void *produce(void *number)
{
    uintptr_t first = (uintptr_t)number * EACH;
    for (uintptr_t i = first; i < first + EACH; i++) {
        int error;
        while ((error = queue_put(&queue, &taken[i], 1)) == -ETIMEDOUT)
            atomic_fetch_add(&full, 1);
        lab_check(error == 0, "only a closed queue may refuse an item",
                  "queue_put: its return values",
                  "queue_put gives %d while the queue is open", error);
    }
    return NULL;
}

static void *take(void *unused)
{
    atomic_uchar *place;
    (void)unused;
    while ((place = queue_take(&queue)) != NULL)
        atomic_fetch_add(place, 1);
    return NULL;
}

static void start(pthread_t *thread, void *(*function)(void *), uintptr_t n)
{
    int error = pthread_create(thread, NULL, function, (void *)n);
    if (error != 0)
        lab_broken("pthread_create gives %d", error);
}

static void thousands_of_items(void)
{
    pthread_t producers[PRODUCERS], takers[TAKERS];
    lab_doing("moving 6000 items between 3 producers and 3 takers",
              "a wake-up is lost, or two threads use the same memory without "
              "a lock",
              "what is done under the lock, and whom each change wakes");
    lab_check(queue_open(&queue, 4) == 0, "queue_open fails", "queue_open",
              "queue_open(4) does not give 0");
    for (uintptr_t i = 0; i < TAKERS; i++)
        start(&takers[i], take, i);
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        start(&producers[i], produce, i);
    for (int i = 0; i < PRODUCERS; i++)
        (void)pthread_join(producers[i], NULL);
    queue_close(&queue);
    for (int i = 0; i < TAKERS; i++)
        (void)pthread_join(takers[i], NULL);
    unsigned lost = 0, twice = 0;
    for (size_t i = 0; i < PRODUCERS * EACH; i++) {
        lost += taken[i] == 0;
        twice += taken[i] > 1;
    }
    lab_check(lost == 0 && twice == 0,
              "two threads took the same item, or one was overwritten",
              "queue_put and queue_take: what happens to the index, under "
              "which lock",
              "of 6000 items %u are lost, and %u came twice or more", lost,
              twice);
    queue_free(&queue);
}

static atomic_int worked;

static int prepare(size_t slot, void *context)
{
    (void)slot;
    (void)context;
    return 0;
}

static void work(struct pool_thread *thread, void *item, void *context)
{
    (void)thread;
    (void)item;
    (void)context;
    atomic_fetch_add(&worked, 1);
}

static void *nothing(void *unused)
{
    return unused;
}

static int threads_there(void)
{
    int found = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        lab_broken("/proc/self/task: %s", strerror(errno));
    while (readdir(tasks) != NULL)
        found++;
    (void)closedir(tasks);
    return found;
}

static bool are_as_many(void *before)
{
    return threads_there() <= *(int *)before;
}

/* ThreadSanitizer finds at the process's end who was not joined; who still runs
 * then could be what keeps it from that. */
static void threads_are_joined(void)
{
    static struct pool pool;
    pthread_t first;
    bool is_short;
    start(&first, nothing, 0); /* with it the sanitizer makes one of its own */
    (void)pthread_join(first, NULL);
    int before = threads_there();
    lab_doing("ending a process that had a pool",
              "a thread has ended, and nobody has joined it: what it had, its "
              "stack above all, is never given back",
              "pool_free: what it does for each thread that there was");
    lab_check(pool_open(&pool, 3, false, prepare, work, NULL) == 0,
              "pool_open fails", "pool_open", "pool_open does not give 0");
    for (int i = 0; i < 20; i++) {
        int error = pool_submit(&pool, &worked, 100000, &is_short);
        lab_check(error == 0, "an item is refused while the pool is open",
                  "pool_submit: what it returns", "pool_submit gives %d",
                  error);
    }
    pool_finish(&pool);
    while (!pool_wait(&pool, 1000))
        ;
    pool_free(&pool);
    lab_check(worked == 20, "items get lost, or are worked on twice",
              "thread_main's loop", "of 20 items %d were worked on",
              (int)worked);
    lab_check(lab_eventually(are_as_many, &before),
              "a thread goes on when the pool is gone",
              "pool_free, and each pthread_create",
              "%d threads are left when the pool was freed",
              threads_there() - before);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"thousands_of_items", thousands_of_items},
        {"threads_are_joined", threads_are_joined},
        {0}};
    return lab_main(tests);
}

/* database_cancel: queries that are left are cancelled on the server, by
 * helper threads. See database.h. */
#include "database_module.h"

#include "clock.h"
#include "thread.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdlib.h>

/* So many wait for a thread; what comes beyond is not cancelled: the server
 * notices when it has a row to send, or at the query's end. */
#define WAITING_MOST 1000

/* How long the end of the program waits. It must end within a second of a
 * signal, and the parent of a worker process does not wait longer. */
#define SETTLE_MS 200

struct cancel {
    PGcancel *request;
    struct cancel *next;
};

/* Static, for a thread that is left behind may outlive everything else. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_cond_t settled; /* nothing is under way any more */
static struct cancel *waiting; /* the newest first */
static unsigned waiting_count;
static unsigned under_way;
static unsigned threads;

static void make_condition(void)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&settled, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

/* --- In a thread -------------------------------------------------------- */

/* The next one. NULL: there is none, and the thread is to end. */
static struct cancel *take(bool was_at_work)
{
    pthread_mutex_lock(&lock);
    under_way -= was_at_work;
    struct cancel *c = waiting;
    if (c != NULL) {
        waiting = c->next;
        waiting_count--;
        under_way++;
    } else {
        threads--;
    }
    if (c == NULL && under_way == 0)
        pthread_cond_broadcast(&settled);
    pthread_mutex_unlock(&lock);
    return c;
}

static void *run(void *arg)
{
    char words[256];
    struct cancel *c;
    bool was_at_work = false;
    (void)arg;
    while ((c = take(was_at_work)) != NULL) {
        /* If it fails, there is nothing more that we could do. */
        (void)PQcancel(c->request, words, sizeof words);
        PQfreeCancel(c->request);
        free(c);
        was_at_work = true;
    }
    return NULL;
}

/* --- For the rest of the module ----------------------------------------- */

/* Puts it where a thread will take it. False if there is none. */
static bool put_locked(struct cancel *c)
{
    if (waiting_count == WAITING_MOST)
        return false;
    if (threads < DATABASE_THREADS &&
        thread_start(NULL, THREAD_STACK, run, NULL) == 0)
        threads++;
    if (threads == 0)
        return false;
    c->next = waiting;
    waiting = c;
    waiting_count++;
    return true;
}

void database_cancel(PGcancel *request)
{
    if (request == NULL)
        return;
    struct cancel *c = malloc(sizeof *c);
    bool will_be_done = false;
    if (c != NULL) {
        c->request = request;
        (void)pthread_once(&once, make_condition);
        pthread_mutex_lock(&lock);
        will_be_done = put_locked(c);
        pthread_mutex_unlock(&lock);
    }
    if (!will_be_done) {
        PQfreeCancel(request);
        free(c);
    }
}

void database_cancels_settle(void)
{
    struct timespec until = clock_in_ms(SETTLE_MS);
    (void)pthread_once(&once, make_condition);
    pthread_mutex_lock(&lock);
    while (waiting_count + under_way > 0 &&
           pthread_cond_timedwait(&settled, &lock, &until) == 0)
        ;
    pthread_mutex_unlock(&lock);
}

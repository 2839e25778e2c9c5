/* lookup: the addresses of a name, by a thread that can be left. See
 * lookup.h. */
#include "lookup.h"

#include "net.h"
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lookup {
    char *host; /* these three do not change */
    char port[6];
    int socktype;

    /* The thread's until `done`; then they do not change: */
    struct addrinfo *addresses;
    enum result result;
    const char *cause;

    /* Behind `lock`: */
    unsigned owners;  /* who asked, and the thread */
    unsigned waiters; /* may still poll `told` */
    int told;         /* an eventfd; -1: no more */
    bool done;
    bool taken; /* by a thread; else it is in the queue */
    struct lookup *next;
};

/* Static, for a thread that is left behind may outlive everything else. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lookup *under_way; /* queued or taken, the oldest first */
static unsigned threads;

/* --- One look-up -------------------------------------------------------- */

static void free_lookup(struct lookup *l)
{
    if (l->addresses != NULL)
        freeaddrinfo(l->addresses);
    if (l->told != -1)
        (void)close(l->told);
    free(l->host);
    free(l);
}

static struct lookup *new_lookup(const struct url *url)
{
    struct lookup *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->host = strdup(url->host);
    if (l->host == NULL) {
        free(l);
        return NULL;
    }
    memcpy(l->port, url->port, strlen(url->port) + 1);
    l->socktype = net_socket_type(url);
    l->told = -1;
    l->owners = 1;
    return l;
}

/* Asks the system, with more flags for getaddrinfo. */
static void resolve(struct lookup *l, int flags)
{
    struct addrinfo hints = {.ai_socktype = l->socktype,
                             .ai_flags = AI_NUMERICSERV | flags};
    errno = 0;
    int error = getaddrinfo(l->host, l->port, &hints, &l->addresses);
    int number = errno;
    if (error == 0) {
        l->result = RESULT_OK;
        return;
    }
    l->addresses = NULL;
    l->result = net_result_of_lookup(error, number);
    l->cause = l->result == RESULT_DNS || error == EAI_MEMORY
                   ? gai_strerror(error)
                   : strerror(number);
}

/* --- The list ----------------------------------------------------------- */

static bool asks_the_same(const struct lookup *l, const struct url *url)
{
    return l->socktype == net_socket_type(url) &&
           strcmp(l->port, url->port) == 0 && strcmp(l->host, url->host) == 0;
}

/* Where the look-up of the URL's host is linked, or a new one is to be. */
static struct lookup **find_locked(const struct url *url)
{
    struct lookup **at = &under_way;
    while (*at != NULL && !asks_the_same(*at, url))
        at = &(*at)->next;
    return at;
}

static void unlink_locked(struct lookup *l)
{
    struct lookup **at = &under_way;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
}

static void disown_locked(struct lookup *l)
{
    if (--l->owners > 0)
        return;
    if (!l->done)
        unlink_locked(l); /* not wanted any more, and no thread has taken it */
    free_lookup(l);
}

/* --- In a thread -------------------------------------------------------- */

/* The next in the queue. NULL: there is none, and the thread is to end. */
static struct lookup *take(void)
{
    pthread_mutex_lock(&lock);
    struct lookup *l = under_way;
    while (l != NULL && l->taken)
        l = l->next;
    if (l != NULL) {
        l->taken = true;
        l->owners++;
    } else {
        threads--;
    }
    pthread_mutex_unlock(&lock);
    return l;
}

static void answer(struct lookup *l)
{
    uint64_t one = 1;
    pthread_mutex_lock(&lock);
    unlink_locked(l);
    l->done = true;
    (void)!write(l->told, &one, sizeof one); /* has room: it does not wait */
    disown_locked(l);
    pthread_mutex_unlock(&lock);
}

static void *run(void *arg)
{
    struct lookup *l;
    (void)arg;
    while ((l = take()) != NULL) {
        resolve(l, 0);
        answer(l);
    }
    return NULL;
}

/* --- For the models ----------------------------------------------------- */

/* Looks it up in the calling thread. */
static void answer_at_once(struct lookup *l, int flags)
{
    resolve(l, flags);
    l->done = true;
}

/* Puts the look-up into the list, at its end, and sees to it that a thread
 * will take it: a new one, or, if there may be no more, one that is at work.
 * (Making a thread or a descriptor waits for nothing.) */
static int queue_locked(struct lookup *l, struct lookup **end)
{
    l->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->told == -1)
        return -errno;
    int error = threads < LOOKUP_THREADS
                    ? thread_start(NULL, THREAD_STACK, run, NULL)
                    : 0;
    if (error == 0 && threads < LOOKUP_THREADS)
        threads++;
    if (threads == 0)
        return error;
    l->waiters = 1;
    *end = l;
    return 0;
}

static int begin_name(const struct url *url, bool may_wait,
                      struct lookup **lookup)
{
    struct lookup *l = new_lookup(url);
    if (l == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&lock);
    struct lookup **at = find_locked(url);
    struct lookup *same = *at;
    int error = 0;
    if (same != NULL) {
        same->owners++;
        same->waiters++;
    } else {
        error = queue_locked(l, at);
    }
    pthread_mutex_unlock(&lock);
    if (error != 0 && l->told != -1 && may_wait) { /* no thread */
        (void)close(l->told);
        l->told = -1;
        answer_at_once(l, 0);
        error = 0;
    }
    if (error == 0)
        *lookup = same != NULL ? same : l;
    if (same != NULL || error != 0)
        free_lookup(l);
    return error;
}

int lookup_begin(const struct url *url, bool may_wait, struct lookup **lookup)
{
    *lookup = NULL;
    if (!net_is_address(url))
        return begin_name(url, may_wait, lookup);
    *lookup = new_lookup(url);
    if (*lookup == NULL)
        return -ENOMEM;
    /* Spares getaddrinfo from asking the kernel for all its interfaces. */
    answer_at_once(*lookup, AI_NUMERICHOST);
    return 0;
}

int lookup_fd(const struct lookup *l)
{
    return l->told;
}

enum result lookup_answer(struct lookup *l, const struct addrinfo **addresses,
                          const char **cause)
{
    pthread_mutex_lock(&lock);
    *addresses = l->addresses;
    *cause = l->cause;
    /* The descriptor makes room for the connection's. */
    if (l->told != -1 && --l->waiters == 0) {
        (void)close(l->told);
        l->told = -1;
    }
    pthread_mutex_unlock(&lock);
    return l->result;
}

void lookup_drop(struct lookup *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&lock);
    disown_locked(l);
    pthread_mutex_unlock(&lock);
}

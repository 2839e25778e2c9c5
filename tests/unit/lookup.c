/* lookup: names that are asked for at once, left, and never answered; and what
 * is short. The linker puts our functions into the place of the system's
 * (CMakeLists.txt: --wrap), so that a test says when a name server answers. */
#include "lookup.h"

#include "main.h"
#include "net.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- The system --------------------------------------------------------- */

int __real_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, struct addrinfo **out);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);
int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int asked;    /* calls of getaddrinfo for names */
static atomic_int answered; /* ... that have returned */
static atomic_int error;    /* what they return ... */
static atomic_int number;   /* ... and errno then */
static atomic_bool no_threads;
static atomic_bool no_descriptors;

/* Names are answered while the gate is open, with an address. */
int __wrap_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, struct addrinfo **out)
{
    if ((hints->ai_flags & AI_NUMERICHOST) != 0)
        return __real_getaddrinfo(host, port, hints, out);
    atomic_fetch_add(&asked, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    int result = atomic_load(&error);
    if (result == 0)
        result = __real_getaddrinfo("127.0.0.1", port, hints, out);
    atomic_fetch_add(&answered, 1);
    if (result != 0)
        errno = atomic_load(&number);
    return result;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg)
{
    return atomic_load(&no_threads)
               ? EAGAIN
               : __real_pthread_create(thread, attributes, start, arg);
}

int __wrap_eventfd(unsigned count, int flags)
{
    if (!atomic_load(&no_descriptors))
        return __real_eventfd(count, flags);
    errno = EMFILE;
    return -1;
}

/* --- Asking ------------------------------------------------------------- */

static struct lookup *begin(const char *text)
{
    struct url url;
    const char *cause;
    struct lookup *lookup;
    ck_assert_int_eq(url_parse(&url, text, strlen(text), &cause), RESULT_OK);
    ck_assert_int_eq(lookup_begin(&url, false, &lookup), 0);
    ck_assert_ptr_nonnull(lookup);
    url_free(&url);
    return lookup;
}

static int fail_to_begin(const char *text, bool may_wait,
                         struct lookup **lookup)
{
    struct url url;
    const char *cause;
    ck_assert_int_eq(url_parse(&url, text, strlen(text), &cause), RESULT_OK);
    int failure = lookup_begin(&url, may_wait, lookup);
    url_free(&url);
    return failure;
}

static void wait_until(atomic_int *count, int wanted)
{
    while (atomic_load(count) < wanted)
        usleep(1000);
}

static bool is_there(struct lookup *lookup, int ms)
{
    struct pollfd fd = {.fd = lookup_fd(lookup), .events = POLLIN};
    return fd.fd == -1 || poll(&fd, 1, ms) == 1;
}

/* Waits for the answer, and checks it; the look-up is still the caller's. */
static void expect(struct lookup *lookup, enum result result)
{
    const struct addrinfo *addresses;
    const char *cause;
    ck_assert(is_there(lookup, 60000));
    ck_assert_int_eq(lookup_answer(lookup, &addresses, &cause), result);
    if (result == RESULT_OK)
        ck_assert_ptr_nonnull(addresses);
    else
        ck_assert_ptr_nonnull(cause);
}

/* --- The cases ---------------------------------------------------------- */

START_TEST(digits_are_not_asked_for)
{
    struct lookup *lookup = begin("http://[::1]:80/");
    ck_assert_int_eq(lookup_fd(lookup), -1);
    expect(lookup, RESULT_OK);
    lookup_drop(lookup);
    lookup_drop(NULL);
    ck_assert_int_eq(atomic_load(&asked), 0);
}
END_TEST

START_TEST(one_name_is_asked_for_once)
{
    struct lookup *all[20];
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 20; i++)
        all[i] = begin("http://one.test:80/");
    wait_until(&asked, 1);
    ck_assert(!is_there(all[0], 50));
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < 20; i++) {
        /* Each sees it, though others have had their answer. */
        expect(all[i], RESULT_OK);
        if (i % 2 == 0)
            lookup_drop(all[i]);
    }
    for (int i = 1; i < 20; i += 2)
        lookup_drop(all[i]);
    ck_assert_int_eq(atomic_load(&asked), 1);
}
END_TEST

START_TEST(others_are_asked_for_apart)
{
    static const char *const urls[] = {
        "http://one.test:80/", "http://two.test:80/", "http://one.test:81/",
        "udp://one.test:80/"};
    struct lookup *all[4];
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 4; i++)
        all[i] = begin(urls[i]);
    wait_until(&asked, 4);
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < 4; i++) {
        expect(all[i], RESULT_OK);
        lookup_drop(all[i]);
    }
}
END_TEST

START_TEST(an_answer_is_not_kept)
{
    for (int i = 0; i < 2; i++) {
        struct lookup *lookup = begin("http://one.test:80/");
        expect(lookup, RESULT_OK);
        lookup_drop(lookup);
    }
    ck_assert_int_eq(atomic_load(&asked), 2);
}
END_TEST

START_TEST(left_while_under_way)
{
    pthread_mutex_lock(&gate);
    struct lookup *left = begin("http://one.test:80/");
    struct lookup *kept = begin("http://one.test:80/");
    lookup_drop(left);
    struct lookup *alone = begin("http://two.test:80/");
    wait_until(&asked, 2);
    lookup_drop(alone); /* now it is the thread's alone */
    struct lookup *again = begin("http://two.test:80/");
    ck_assert(!is_there(again, 0));
    pthread_mutex_unlock(&gate);
    expect(kept, RESULT_OK);
    expect(again, RESULT_OK); /* of the same look-up: it was under way */
    lookup_drop(kept);
    lookup_drop(again);
    wait_until(&answered, 2);
    ck_assert_int_eq(atomic_load(&asked), 2);
}
END_TEST

START_TEST(left_in_the_queue)
{
    struct lookup *all[LOOKUP_THREADS];
    char url[40];
    pthread_mutex_lock(&gate);
    for (int i = 0; i < LOOKUP_THREADS; i++) {
        snprintf(url, sizeof url, "http://n%d.test:80/", i);
        all[i] = begin(url);
    }
    wait_until(&asked, LOOKUP_THREADS);
    struct lookup *left = begin("http://one.test:80/");
    struct lookup *queued = begin("http://two.test:80/");
    lookup_drop(left);
    ck_assert(!is_there(queued, 50));
    pthread_mutex_unlock(&gate);
    expect(queued, RESULT_OK);
    lookup_drop(queued);
    for (int i = 0; i < LOOKUP_THREADS; i++) {
        expect(all[i], RESULT_OK);
        lookup_drop(all[i]);
    }
    ck_assert_int_eq(atomic_load(&asked), LOOKUP_THREADS + 1);
}
END_TEST

START_TEST(without_a_thread)
{
    struct lookup *lookup;
    const char *url = "http://one.test:80/";
    atomic_store(&no_threads, true);
    ck_assert_int_eq(fail_to_begin(url, false, &lookup), -EAGAIN);
    ck_assert_ptr_null(lookup);
    ck_assert_int_eq(atomic_load(&asked), 0);
    /* Who may wait does it alone. */
    ck_assert_int_eq(fail_to_begin(url, true, &lookup), 0);
    ck_assert_int_eq(lookup_fd(lookup), -1);
    expect(lookup, RESULT_OK);
    lookup_drop(lookup);
}
END_TEST

START_TEST(with_one_thread_for_all)
{
    pthread_mutex_lock(&gate);
    struct lookup *first = begin("http://one.test:80/");
    wait_until(&asked, 1);
    atomic_store(&no_threads, true);
    struct lookup *second = begin("http://two.test:80/");
    pthread_mutex_unlock(&gate);
    expect(second, RESULT_OK);
    expect(first, RESULT_OK);
    lookup_drop(first);
    lookup_drop(second);
}
END_TEST

START_TEST(without_a_descriptor)
{
    struct lookup *lookup;
    atomic_store(&no_descriptors, true);
    for (int may_wait = 0; may_wait < 2; may_wait++) {
        ck_assert_int_eq(
            fail_to_begin("http://one.test:80/", may_wait, &lookup), -EMFILE);
        ck_assert_ptr_null(lookup);
    }
}
END_TEST

START_TEST(what_failures_mean)
{
    static const struct {
        int error;
        int number;
        enum result result;
    } cases[] = {
        {EAI_NONAME, 0, RESULT_DNS},
        {EAI_AGAIN, ECONNREFUSED, RESULT_DNS},
        {EAI_FAIL, 0, RESULT_DNS},
        {EAI_SYSTEM, ECONNREFUSED, RESULT_DNS},
        {EAI_MEMORY, 0, RESULT_NO_RESOURCES},
        {EAI_NONAME, EMFILE, RESULT_NO_RESOURCES},
        {EAI_AGAIN, EMFILE, RESULT_NO_RESOURCES},
        {EAI_SYSTEM, EMFILE, RESULT_NO_RESOURCES},
        {EAI_SYSTEM, ENFILE, RESULT_NO_RESOURCES},
        {EAI_SYSTEM, ENOMEM, RESULT_NO_RESOURCES},
        {EAI_SYSTEM, ENOBUFS, RESULT_NO_RESOURCES},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        atomic_store(&error, cases[i].error);
        atomic_store(&number, cases[i].number);
        struct lookup *lookup = begin("http://one.test:80/");
        expect(lookup, cases[i].result);
        lookup_drop(lookup);
    }
}
END_TEST

/* Asks for few names, waits for some, leaves others. */
static void *ask_and_leave(void *arg)
{
    unsigned seed = (unsigned)(size_t)arg;
    for (int i = 0; i < 300; i++) {
        char url[40];
        snprintf(url, sizeof url, "http://n%d.test:80/", rand_r(&seed) % 3);
        struct lookup *lookup = begin(url);
        if (rand_r(&seed) % 2 == 0 && is_there(lookup, rand_r(&seed) % 3))
            expect(lookup, RESULT_OK);
        lookup_drop(lookup);
    }
    return NULL;
}

START_TEST(many_ask_and_leave)
{
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(
            __real_pthread_create(&threads[i], NULL, ask_and_leave, (void *)i),
            0);
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    int all = atomic_load(&asked);
    wait_until(&answered, all);
    ck_assert_int_lt(all, 8 * 300);
}
END_TEST

/* Of two failures the more telling counts, whichever comes first; of two alike
 * the later one's words. */
START_TEST(the_most_telling_failure)
{
    static const enum result rising[] = {
        RESULT_OK,    RESULT_UNREACHABLE,     RESULT_REFUSED,
        RESULT_RESET, RESULT_CONNECT_TIMEOUT, RESULT_TIMEOUT,
        RESULT_TLS,   RESULT_NO_RESOURCES};
    size_t n = sizeof rising / sizeof *rising;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 1; j < n; j++) {
            struct net_failure failure = {rising[i], "first"};
            net_weigh(&failure, rising[j], "second");
            ck_assert_int_eq(failure.result, rising[j >= i ? j : i]);
            ck_assert_str_eq(failure.cause, j >= i ? "second" : "first");
        }
    }
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, digits_are_not_asked_for);
    tcase_add_test(tc, one_name_is_asked_for_once);
    tcase_add_test(tc, others_are_asked_for_apart);
    tcase_add_test(tc, an_answer_is_not_kept);
    tcase_add_test(tc, left_while_under_way);
    tcase_add_test(tc, left_in_the_queue);
    tcase_add_test(tc, without_a_thread);
    tcase_add_test(tc, with_one_thread_for_all);
    tcase_add_test(tc, without_a_descriptor);
    tcase_add_test(tc, what_failures_mean);
    tcase_add_test(tc, many_ask_and_leave);
    tcase_add_test(tc, the_most_telling_failure);
}

UNIT_MAIN("lookup", add_cases)

/* coroutine: switching, waiting for everything, cancelling, stacks. */
#include "coroutine.h"

#include "context.h"
#include "loop.h"
#include "main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* What happened, in order. */
static char story[200];

static void tell(const char *what)
{
    ck_assert(strlen(story) + strlen(what) < sizeof story);
    strcat(story, what);
}

static struct coroutine *start(int (*f)(void *arg), void *arg)
{
    struct coroutine *c = coroutine_start(f, arg);
    ck_assert_ptr_nonnull(c);
    return c;
}

/* Its result, when it has ended. */
static int end_of(struct coroutine *c)
{
    int result = 1;
    ck_assert_int_eq(await_end(c, COROUTINE_NEVER, &result), 0);
    return result;
}

/* --- Running ------------------------------------------------------------ */

static int thrice(void *name)
{
    for (int i = 0; i < 3; i++) {
        tell(name);
        ck_assert_int_eq(await_others(), 0);
    }
    return -(int)strlen(name);
}

COROUTINE_TEST(in_turn)
{
    (void)unused;
    story[0] = '\0';
    struct coroutine *a = start(thrice, "a");
    struct coroutine *b = start(thrice, "bb");
    tell("-"); /* to start one runs nothing */
    ck_assert_int_eq(end_of(a), -1);
    ck_assert_int_eq(end_of(b), -2);
    ck_assert_str_eq(story, "-abbabbabb");
    return 0;
}

static int give_five(void *unused)
{
    (void)unused;
    return 5;
}

COROUTINE_TEST(end_is_awaited)
{
    (void)unused;
    int result = 0;
    struct coroutine *c = start(give_five, NULL);
    settle(); /* it has ended */
    ck_assert_int_eq(end_of(c), 5);
    c = start(give_five, NULL); /* it has not even begun */
    ck_assert_int_eq(end_of(c), 5);
    c = start(thrice, "x");
    story[0] = '\0';
    ck_assert_int_eq(await_end(c, 0, &result), -ETIMEDOUT);
    ck_assert_int_eq(end_of(c), -1);
    coroutine_detach(start(give_five, NULL)); /* before and ... */
    c = start(give_five, NULL);
    settle();
    coroutine_detach(c); /* ... after the end */
    return 0;
}

static int wait_for_ever(void *arg)
{
    struct condition never = {0};
    int *result = arg;
    *result = await_condition(&never, COROUTINE_NEVER);
    return *result;
}

static int leave_others(void *arg)
{
    coroutine_detach(start(wait_for_ever, arg));
    settle();
    return 7;
}

/* What is left is cancelled, and has ended when the run has. */
START_TEST(end_of_the_run)
{
    int result = 0;
    ck_assert_int_eq(run_first_of_loop(leave_others, &result), 7);
    ck_assert_int_eq(result, -ECANCELED);
}
END_TEST

/* More live values than there are registers; some of each kind are kept where
 * a called function must leave them. */
static int compute(void *arg)
{
    long n = *(long *)arg;
    long a = n, b = n + 1, c = n + 2, d = n + 3, e = n + 4, f = n + 5;
    double x = (double)n, y = x + .5, z = x + .25, w = x * 2;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(await_others(), 0);
        a += b, b += c, c += d, d += e, e += f, f += n;
        x += y, y += z, z += w, w += 1;
    }
    *(long *)arg = a + b + c + d + e + f + (long)(x + y + z + w);
    return 0;
}

COROUTINE_TEST(registers_are_kept)
{
    (void)unused;
    long alone[3] = {1, 20, 300};
    long together[3] = {1, 20, 300};
    struct coroutine *c[3];
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(end_of(start(compute, &alone[i])), 0);
    for (int i = 0; i < 3; i++)
        c[i] = start(compute, &together[i]);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(end_of(c[i]), 0);
        ck_assert_int_eq(together[i], alone[i]);
    }
    return 0;
}

/* --- Time --------------------------------------------------------------- */

struct sleeper {
    const char *name;
    int64_t until;
};

static int sleep_until(void *arg)
{
    struct sleeper *s = arg;
    int error = await_time(s->until);
    ck_assert_int_ge(coroutine_now(), s->until);
    tell(s->name);
    return error;
}

COROUTINE_TEST(time_passes)
{
    (void)unused;
    int64_t unit = 5 * MS;
    bool late;
    do { /* on a busy machine all may be over before the last has begun */
        int64_t now = coroutine_now();
        unit *= 2;
        struct sleeper s[] = {
            {"c", now + 3 * unit}, {"a", now + unit}, {"b", now + 2 * unit}};
        struct coroutine *c[3];
        story[0] = '\0';
        for (int i = 0; i < 3; i++)
            c[i] = start(sleep_until, &s[i]);
        ck_assert_int_eq(await_others(), 0);
        ck_assert_int_eq(await_others(), 0);
        late = coroutine_now() >= now + unit;
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(end_of(c[i]), 0);
    } while (late);
    ck_assert_str_eq(story, "abc");
    return 0;
}

/* libevent takes the time at the beginning of its turn. Were that believed,
 * who was long at work before it sleeps would wake too early. */
COROUTINE_TEST(not_before_the_time)
{
    (void)unused;
    ck_assert_int_eq(await_others(), 0);
    while (usleep(150000) != 0)
        ;
    int64_t until = coroutine_now() + 40 * MS;
    ck_assert_int_eq(await_time(until), 0);
    ck_assert_int_ge(coroutine_now(), until);
    ck_assert_int_eq(await_time(0), 0); /* long past */
    return 0;
}

/* --- Descriptors -------------------------------------------------------- */

struct ends {
    int a;
    int b;
};

static struct ends pair(void)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    return (struct ends){fds[0], fds[1]};
}

static void close_pair(struct ends ends)
{
    (void)close(ends.a);
    (void)close(ends.b);
}

static void fill(int fd)
{
    static char zeroes[65536];
    while (send(fd, zeroes, sizeof zeroes, 0) > 0)
        ;
}

static int echo(void *arg)
{
    struct ends *ends = arg;
    char byte;
    while (await_fd(ends->b, POLLIN, COROUTINE_NEVER) == POLLIN &&
           recv(ends->b, &byte, 1, 0) == 1)
        ck_assert_int_eq(send(ends->b, &byte, 1, 0), 1);
    return 0;
}

COROUTINE_TEST(descriptors)
{
    (void)unused;
    struct ends ends = pair();
    struct coroutine *c = start(echo, &ends);
    char byte;
    for (char i = 0; i < 50; i++) {
        ck_assert_int_eq(await_fd(ends.a, POLLOUT, COROUTINE_NEVER), POLLOUT);
        ck_assert_int_eq(send(ends.a, &i, 1, 0), 1);
        ck_assert_int_eq(await_fd(ends.a, POLLIN, COROUTINE_NEVER), POLLIN);
        ck_assert_int_eq(recv(ends.a, &byte, 1, 0), 1);
        ck_assert_int_eq(byte, i);
    }
    ck_assert_int_eq(shutdown(ends.a, SHUT_WR), 0);
    ck_assert_int_eq(end_of(c), 0);
    close_pair(ends);
    return 0;
}

COROUTINE_TEST(deadlines_of_descriptors)
{
    (void)unused;
    struct ends ends = pair();
    int64_t until = coroutine_now() + 10 * MS;
    ck_assert_int_eq(await_fd(ends.a, POLLIN, until), -ETIMEDOUT);
    ck_assert_int_ge(coroutine_now(), until);
    /* What is ready counts more than a deadline that is long past. */
    ck_assert_int_eq(await_fd(ends.a, POLLIN | POLLOUT, 0), POLLOUT);
    ck_assert_int_eq(send(ends.b, "x", 1, 0), 1);
    ck_assert_int_eq(await_fd(ends.a, POLLIN, 0), POLLIN);
    ck_assert_int_eq(await_fd(ends.a, POLLIN | POLLOUT, until),
                     POLLIN | POLLOUT);
    fill(ends.a);
    ck_assert_int_eq(await_fd(ends.a, POLLOUT, 0), -ETIMEDOUT);
    ck_assert_int_eq(close(ends.b), 0); /* a hang-up is both */
    ck_assert_int_eq(await_fd(ends.a, POLLIN | POLLOUT, COROUTINE_NEVER),
                     POLLIN | POLLOUT);
    (void)close(ends.a);
    return 0;
}

COROUTINE_TEST(files_are_ready)
{
    (void)unused;
    int fd = open("/proc/self/exe", O_RDONLY);
    ck_assert_int_eq(await_fd(fd, POLLIN, COROUTINE_NEVER), POLLIN);
    (void)close(fd);
    fd = open("/dev/null", O_RDWR);
    ck_assert_int_eq(await_fd(fd, POLLIN | POLLOUT, COROUTINE_NEVER),
                     POLLIN | POLLOUT);
    (void)close(fd);
    return 0;
}

/* A helper thread's answer is a descriptor, too. */
static void *answer(void *arg)
{
    uint64_t one = 1;
    ck_assert_int_eq(write(*(int *)arg, &one, sizeof one), sizeof one);
    return NULL;
}

COROUTINE_TEST(answer_of_a_thread)
{
    (void)unused;
    pthread_t thread;
    int told = eventfd(0, EFD_NONBLOCK);
    for (int first = 0; first < 2; first++) { /* who comes first? */
        uint64_t count = 0;
        ck_assert_int_eq(pthread_create(&thread, NULL, answer, &told), 0);
        if (first == 1)
            ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_int_eq(await_fd(told, POLLIN, COROUTINE_NEVER), POLLIN);
        ck_assert_int_eq(read(told, &count, sizeof count), sizeof count);
        if (first == 0)
            ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    (void)close(told);
    return 0;
}

/* --- Conditions --------------------------------------------------------- */

struct waiter {
    struct condition *list;
    int64_t deadline;
    int error; /* 1: waits */
    int second;
};

static int wait_in_list(void *arg)
{
    struct waiter *w = arg;
    w->error = 1;
    w->error = await_condition(w->list, w->deadline);
    w->second = await_others();
    return 0;
}

COROUTINE_TEST(conditions)
{
    (void)unused;
    struct condition list = {0};
    struct waiter w[3];
    struct coroutine *c[3];
    for (int i = 0; i < 3; i++) {
        w[i] = (struct waiter){.list = &list, .deadline = COROUTINE_NEVER};
        c[i] = start(wait_in_list, &w[i]);
    }
    settle();
    condition_wake(&list); /* the first to come */
    settle();
    ck_assert_int_eq(w[0].error, 0);
    ck_assert_int_eq(w[1].error, 1);
    ck_assert_int_eq(w[2].error, 1);
    condition_wake_all(&list);
    condition_wake_all(&list); /* nobody is left */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(end_of(c[i]), 0);
    ck_assert_int_eq(w[1].error, 0);
    ck_assert_int_eq(w[2].error, 0);
    ck_assert_int_eq(await_condition(&list, coroutine_now() + MS), -ETIMEDOUT);
    ck_assert_ptr_null(list.first);
    return 0;
}

/* A wake-up that was meant for one of several must not be lost when that one
 * is cancelled: before, it goes to the next; after, the one that has it knows
 * that it has, and hears of the cancelling from its next await. */
COROUTINE_TEST(no_wake_up_is_lost)
{
    (void)unused;
    for (int first = 0; first < 3; first++) {
        struct condition list = {0};
        struct waiter w[2];
        struct coroutine *c[2];
        for (int i = 0; i < 2; i++) {
            w[i] = (struct waiter){.list = &list, .deadline = COROUTINE_NEVER};
            c[i] = start(wait_in_list, &w[i]);
        }
        settle();
        if (first == 0) {
            coroutine_cancel(c[0]);
            condition_wake(&list);
        } else if (first == 1) {
            condition_wake(&list);
            coroutine_cancel(c[0]);
        } else {
            condition_wake(&list);
            condition_wake(&list);
        }
        settle();
        ck_assert_int_eq(w[0].error, first == 0 ? -ECANCELED : 0);
        ck_assert_int_eq(w[0].second, first < 2 ? -ECANCELED : 0);
        ck_assert_int_eq(w[1].error, first == 1 ? 1 : 0);
        condition_wake_all(&list);
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(end_of(c[i]), 0);
    }
    return 0;
}

/* A turn that is passed round: whoever looks and then waits sees every
 * passing, for nobody else runs in between. */
static int turn;
static struct condition passed;

static int take_turns(void *arg)
{
    int mine = *(int *)arg;
    for (int round = 0; round < 20; round++) {
        while (turn % 5 != mine)
            ck_assert_int_eq(await_condition(&passed, COROUTINE_NEVER), 0);
        turn++;
        condition_wake_all(&passed);
        if (round % 3 == mine % 3)
            ck_assert_int_eq(await_others(), 0);
    }
    return 0;
}

COROUTINE_TEST(turns)
{
    (void)unused;
    int ids[5] = {3, 1, 4, 0, 2};
    struct coroutine *c[5];
    turn = 0;
    passed = (struct condition){0};
    for (int i = 0; i < 5; i++)
        c[i] = start(take_turns, &ids[i]);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(end_of(c[i]), 0);
    ck_assert_int_eq(turn, 100);
    return 0;
}

/* --- Cancelling --------------------------------------------------------- */

static struct ends silent;
static struct condition nobody;
static struct coroutine *endless;

static int await_silence(void)
{
    return await_fd(silent.a, POLLIN, COROUTINE_NEVER);
}

static int await_silence_in_time(void)
{
    return await_fd(silent.a, POLLIN, coroutine_now() + 3600 * 1000 * MS);
}

static int await_much_time(void)
{
    return await_time(coroutine_now() + 3600 * 1000 * MS);
}

static int await_nobody(void)
{
    return await_condition(&nobody, COROUTINE_NEVER);
}

static int await_endless(void)
{
    int result;
    return await_end(endless, COROUTINE_NEVER, &result);
}

static int (*const kinds[])(void) = {await_silence, await_silence_in_time,
                                     await_much_time, await_nobody,
                                     await_endless};

static bool cancel_again; /* it has had its first cancelling taken back */

static int until_cancelled(void *arg)
{
    int (*await)(void) = *(int (*const *)(void))arg;
    ck_assert_int_eq(await(), -ECANCELED);
    ck_assert_int_eq(await(), -ECANCELED); /* it stays */
    ck_assert_int_eq(await_others(), -ECANCELED);
    coroutine_shield();
    coroutine_shield();
    ck_assert_int_eq(await_others(), 0);
    coroutine_unshield();
    ck_assert_int_eq(await_time(coroutine_now() + 1), 0);
    coroutine_unshield();
    ck_assert_int_eq(await(), -ECANCELED);
    coroutine_uncancel(coroutine_self());
    cancel_again = true;
    ck_assert_int_eq(await_others(), 0);
    ck_assert_int_eq(await(), -ECANCELED); /* once more: see below */
    return 9;
}

COROUTINE_TEST(cancel_during_every_wait)
{
    (void)unused;
    int ignored;
    silent = pair();
    endless = start(wait_for_ever, &ignored);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct coroutine *c = start(until_cancelled, (void *)&kinds[i]);
        if (i % 2 == 0)
            settle(); /* else it has not even begun, but does */
        cancel_again = false;
        coroutine_cancel(c);
        while (!cancel_again)
            ck_assert_int_eq(await_others(), 0);
        settle();
        coroutine_cancel(c);
        coroutine_cancel(c);
        ck_assert_int_eq(end_of(c), 9);
        ck_assert_ptr_null(nobody.first);
    }
    /* Nobody waits for it any more: another may. */
    ck_assert_int_eq(send(silent.b, "x", 1, 0), 1);
    ck_assert_int_eq(await_silence(), POLLIN);
    coroutine_cancel(endless);
    ck_assert_int_eq(end_of(endless), -ECANCELED);
    close_pair(silent);
    return 0;
}

static int shielded(void *arg)
{
    struct waiter *w = arg;
    coroutine_shield();
    w->error = await_condition(w->list, COROUTINE_NEVER);
    coroutine_unshield();
    w->second = await_others();
    return 0;
}

COROUTINE_TEST(shield)
{
    (void)unused;
    struct condition list = {0};
    struct waiter w = {.list = &list, .error = 1};
    struct coroutine *c = start(shielded, &w);
    settle();
    coroutine_cancel(c);
    settle();
    ck_assert_int_eq(w.error, 1); /* it still waits */
    condition_wake(&list);
    ck_assert_int_eq(end_of(c), 0);
    ck_assert_int_eq(w.error, 0);
    ck_assert_int_eq(w.second, -ECANCELED);
    return 0;
}

/* The descriptor is ready and the coroutine cancelled, in one turn of the
 * loop: what is read there later is not lost. */
static int read_one(void *arg)
{
    int *answer_and_fd = arg;
    answer_and_fd[0] = await_fd(answer_and_fd[1], POLLIN, COROUTINE_NEVER);
    return 0;
}

COROUTINE_TEST(cancelled_while_ready)
{
    (void)unused;
    struct ends ends = pair();
    int one[2] = {1, ends.a};
    int other[2] = {1, ends.a};
    struct coroutine *a = start(read_one, one);
    struct coroutine *b = start(read_one, other); /* of the same one */
    settle();
    ck_assert_int_eq(send(ends.b, "x", 1, 0), 1);
    coroutine_cancel(a);
    ck_assert_int_eq(end_of(a), 0);
    ck_assert_int_eq(end_of(b), 0);
    ck_assert_int_eq(one[0], -ECANCELED);
    ck_assert_int_eq(other[0], POLLIN);
    close_pair(ends);
    return 0;
}

/* --- Stacks ------------------------------------------------------------- */

/* Uses so many KiB of the stack. */
static int deep(int kib)
{
    char room[1024];
    memset(room, kib, sizeof room);
    if (kib > 1 && deep(kib - 1) < 0)
        return -1;
    return room[kib % 1024];
}

static void *where;

static int use_stack(void *arg)
{
    char here_is[16] = {0};
    *(void **)arg = here_is;
    ck_assert_int_ge(deep(40), 0);
    ck_assert_int_eq(await_others(), 0);
    ck_assert_int_ge(deep(30), 0);
    return 0;
}

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* More stacks than are kept end in one turn: each is given back while the
 * coroutine that stood on it is the last to have run. */
COROUTINE_TEST(stack_freed_after_it_was_left)
{
    (void)unused;
    struct coroutine *c[2 * STACKS_KEPT];
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 2 * STACKS_KEPT; i++)
            c[i] = start(i % 2 == 0 ? use_stack : nothing, &where);
        for (size_t i = 0; i < 2 * STACKS_KEPT; i++) {
            if (i % 3 == 0)
                coroutine_detach(c[i]);
            else
                ck_assert_int_eq(end_of(c[i]), 0);
        }
    }
    settle();
    return 0;
}

COROUTINE_TEST(stacks_are_used_again)
{
    (void)unused;
    void *first;
    void *second;
    ck_assert_int_eq(end_of(start(use_stack, &first)), 0);
    ck_assert_int_eq(end_of(start(use_stack, &second)), 0);
    if (!SANITIZED) /* which keep frames elsewhere */
        ck_assert_ptr_eq(first, second);
    return 0;
}

/* What a function that is abandoned had on a stack is no concern of the next:
 * the address sanitizer marks the ends of its arrays. */
static struct context main_context;
static struct context other;

static void be_abandoned(void *unused)
{
    char room[300];
    (void)unused;
    memset(room, 1, sizeof room);
    where = room;
    context_switch(&other, &main_context, false);
}

static void go_deep(void *unused)
{
    char room[3000];
    (void)unused;
    memset(room, 1, sizeof room);
    where = room;
    context_switch(&other, &main_context, true);
}

START_TEST(stack_begun_anew)
{
    context_here(&main_context);
    ck_assert_int_eq(context_open(&other, 65536), 0);
    for (int i = 0; i < 6; i++) {
        context_begin(&other, i % 2 == 0 ? be_abandoned : go_deep, NULL);
        context_switch(&main_context, &other, false);
    }
    context_close(&other);
}
END_TEST

/* A write below the stack ends the program: just below, or as far as a function
 * goes whose large frame begins on the stack; not into another stack. */
START_TEST(guard_page)
{
    static const int below[] = {1, 5000, 20000, 65536};
    if (getenv("CK_FORK") != NULL) /* valgrind would tell of it */
        return;
    struct context c;
    struct context others[4]; /* beside it */
    ck_assert_int_eq(context_open(&others[0], 65536), 0);
    ck_assert_int_eq(context_open(&others[1], 65536), 0);
    ck_assert_int_eq(context_open(&c, 65536), 0);
    ck_assert_int_eq(context_open(&others[2], 65536), 0);
    ck_assert_int_eq(context_open(&others[3], 65536), 0);
    ((volatile char *)c.bottom)[0] = 1; /* the lowest of the stack */
    pid_t child = fork();
    if (child == 0) {
        int none = open("/dev/null", O_WRONLY);
        struct rlimit no_core = {0, 0};
        (void)dup2(none, 2); /* sanitizers say what happened */
        (void)setrlimit(RLIMIT_CORE, &no_core);
        ((volatile char *)c.bottom)[-below[_i]] = 1;
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    context_close(&c);
    for (size_t i = 0; i < 4; i++)
        context_close(&others[i]);
}
END_TEST

/* As many as the thread sanitizer has room for, and valgrind time, or ten
 * thousand. */
#define MANY (SANITIZED || getenv("CK_FORK") != NULL ? 1000 : 10000)

static int sleep_a_little(void *arg)
{
    (void)arg;
    return await_time(coroutine_now() + 5 * MS);
}

COROUTINE_TEST(many)
{
    (void)unused;
    struct coroutine **c = calloc((size_t)MANY, sizeof *c);
    ck_assert_ptr_nonnull(c);
    for (int i = 0; i < MANY; i++)
        c[i] = start(sleep_a_little, NULL);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(end_of(c[i]), 0);
    free(c);
    return 0;
}

/* No room for one more stack: an error, and those that are there go on. */
static int start_too_many(void *unused)
{
    struct rlimit before;
    struct coroutine *c[200];
    size_t n = 0;
    (void)unused;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit little = before;
    little.rlim_cur = (rlim_t)16 * 1024 * 1024;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &little), 0);
    void *more = mmap(NULL, 2 * (size_t)little.rlim_cur, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (more != MAP_FAILED) { /* an emulator may know no such limit */
        ck_assert_int_eq(munmap(more, 2 * (size_t)little.rlim_cur), 0);
        return 0;
    }
    while (n < 200 && (c[n] = coroutine_start(thrice, "")) != NULL)
        n++;
    ck_assert_int_lt((int)n, 200);
    ck_assert_int_gt((int)n, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(end_of(c[i]), 0);
    return 0;
}

START_TEST(memory_is_short)
{
    if (SANITIZED || getenv("CK_FORK") != NULL) /* they need it themselves */
        return;
    ck_assert_int_eq(run_first_of_loop(start_too_many, NULL), 0);
}
END_TEST

/* --- Used where it cannot be -------------------------------------------- */

static int wait_for_ever_and_a_day(void *arg)
{
    (void)arg;
    return await_time(COROUTINE_NEVER - 1);
}

START_TEST(outside)
{
    ck_assert_ptr_null(coroutine_self());
    ck_assert_ptr_null(coroutine_start(nothing, NULL));
    ck_assert_int_eq(run_first_of_loop(nothing, NULL), 0);
    ck_assert_ptr_null(coroutine_self());
    ck_assert_ptr_null(coroutine_start(nothing, NULL));
}
END_TEST

static bool was_called;

static void await_in_a_callback(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)arg;
    was_called = true;
    ck_assert_ptr_null(coroutine_self());
    struct rlimit no_core = {0, 0};
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)setrlimit(RLIMIT_CORE, &no_core);
        _exit(await_time(0) + fd);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

COROUTINE_TEST(await_outside)
{
    (void)unused;
    was_called = false;
    ck_assert_int_eq(event_base_once(the_base, -1, EV_TIMEOUT,
                                     await_in_a_callback, NULL, NULL),
                     0);
    while (!was_called)
        ck_assert_int_eq(await_time(coroutine_now() + MS), 0);
    return 0;
}

COROUTINE_TEST(deadlines_of_every_size)
{
    (void)unused;
    ck_assert_int_eq(await_time(INT64_MIN), 0);
    ck_assert_int_eq(await_time(-1), 0);
    ck_assert_int_eq(await_fd(-1, POLLIN, coroutine_now() + MS), -ETIMEDOUT);
    struct coroutine *c = start(wait_for_ever_and_a_day, NULL);
    settle();
    coroutine_cancel(c);
    ck_assert_int_eq(end_of(c), -ECANCELED);
    return 0;
}

/* A callback that breaks the loop, as those do that are used to another one,
 * leaves no coroutine behind. */
COROUTINE_TEST(loop_is_broken)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(event_base_loopbreak(the_base), 0);
        ck_assert_int_eq(await_time(coroutine_now() + MS), 0);
        ck_assert_int_eq(event_base_loopexit(the_base, NULL), 0);
        ck_assert_int_eq(await_time(coroutine_now() + MS), 0);
    }
    return 0;
}

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, in_turn);
    tcase_add_test(tc, end_is_awaited);
    tcase_add_test(tc, end_of_the_run);
    tcase_add_test(tc, registers_are_kept);
    tcase_add_test(tc, time_passes);
    tcase_add_test(tc, not_before_the_time);
    tcase_add_test(tc, descriptors);
    tcase_add_test(tc, deadlines_of_descriptors);
    tcase_add_test(tc, files_are_ready);
    tcase_add_test(tc, answer_of_a_thread);
    tcase_add_test(tc, conditions);
    tcase_add_test(tc, no_wake_up_is_lost);
    tcase_add_test(tc, turns);
    tcase_add_test(tc, cancel_during_every_wait);
    tcase_add_test(tc, shield);
    tcase_add_test(tc, cancelled_while_ready);
    tcase_add_test(tc, stack_freed_after_it_was_left);
    tcase_add_test(tc, stacks_are_used_again);
    tcase_add_test(tc, stack_begun_anew);
    tcase_add_loop_test(tc, guard_page, 0, 4);
    tcase_add_test(tc, many);
    tcase_add_test(tc, memory_is_short);
    tcase_add_test(tc, outside);
    tcase_add_test(tc, await_outside);
    tcase_add_test(tc, deadlines_of_every_size);
    tcase_add_test(tc, loop_is_broken);
}

UNIT_MAIN("coroutine", add_cases)

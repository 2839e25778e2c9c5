/*
 * coroutine: functions that wait in a loop's thread. See coroutine.h.
 *
 * Which coroutine runs next is decided on the loop's own stack: by run_ready,
 * in the order in which they were woken, or by on_event, when what one waits
 * for has come. A coroutine switches to the loop only, never to another. Hence
 * the states:
 *
 *     coroutine_start --> READY --> RUNNING --> ENDED
 *                           ^        |   ^
 *                     wake  | suspend|   | on_event
 *                           +-- WAITING -+
 *
 *     state     where it is linked          left by
 *     READY     coroutines.ready            run_ready
 *     RUNNING   nowhere; coroutines.current suspend; the return of its function
 *     WAITING   a condition, or nowhere     wake; on_event
 *     ENDED     nowhere                     await_end, coroutine_detach
 */
#include "coroutine.h"

#include "context.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define SECOND INT64_C(1000000)

/* So many ready coroutines run before the loop looks at its descriptors again.
 */
#define READY_SHARE 64

enum state { READY, RUNNING, WAITING, ENDED };

/* A stack that may have a coroutine on it. */
struct stack {
    struct context context;
    struct stack *next; /* among those that are kept */
};

struct coroutine {
    struct coroutines *all;
    struct stack *stack; /* until it has ended */
    int (*f)(void *arg);
    void *arg;
    enum state state;
    int answer; /* what the await returns; then what f has returned */
    bool cancelled;
    bool detached;
    unsigned shields;
    short events;           /* waited for, as poll has them */
    struct event event;     /* descriptor or deadline that is waited for */
    int64_t deadline;       /* ... of that */
    struct condition *list; /* in which it stands; NULL: none */
    struct coroutine *next; /* ... there */
    struct coroutine *previous;
    struct condition ended;  /* in await_end for this one */
    struct coroutine *older; /* of all that have not ended */
    struct coroutine *newer;
};

struct coroutines {
    struct event_base *base;
    struct context loop;       /* where it goes on when a coroutine waits */
    struct coroutine *current; /* NULL: the loop itself */
    struct condition ready;    /* those that are to run, in order */
    struct event turn;         /* there are some */
    bool turn_is_set;
    struct coroutine *newest; /* of all that have not ended */
    struct stack *stacks;     /* of ended ones, to be used again */
    size_t kept;
};

/* What coroutines_run runs in this thread; `nowhere`: nothing, and nothing can
 * be started. */
static struct coroutines nowhere;
static _Thread_local struct coroutines *here = &nowhere;

int64_t coroutine_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec / 1000;
}

/* --- Stacks ------------------------------------------------------------- */

static struct stack *take_stack(struct coroutines *all)
{
    struct stack *stack = all->stacks;
    if (stack != NULL) {
        all->stacks = stack->next;
        all->kept--;
        return stack;
    }
    stack = all != &nowhere ? malloc(sizeof *stack) : NULL;
    if (stack != NULL && context_open(&stack->context, COROUTINE_STACK) == 0)
        return stack;
    free(stack);
    return NULL;
}

static void free_stack(struct stack *stack)
{
    context_close(&stack->context);
    free(stack);
}

bool coroutines_trim(struct coroutines *all)
{
    bool any = all->stacks != NULL;
    while (all->stacks != NULL) {
        struct stack *stack = all->stacks;
        all->stacks = stack->next;
        free_stack(stack);
    }
    all->kept = 0;
    return any;
}

static void give_stack_back(struct coroutines *all, struct stack *stack)
{
    if (all->kept == STACKS_KEPT) {
        free_stack(stack);
        return;
    }
    stack->next = all->stacks;
    all->stacks = stack;
    all->kept++;
}

/* --- Lists -------------------------------------------------------------- */

static void append(struct condition *list, struct coroutine *c)
{
    c->list = list;
    c->next = NULL;
    c->previous = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = c;
    list->last = c;
}

static void unlink_coroutine(struct coroutine *c)
{
    if (c->list == NULL)
        return;
    *(c->next != NULL ? &c->next->previous : &c->list->last) = c->previous;
    *(c->previous != NULL ? &c->previous->next : &c->list->first) = c->next;
    c->list = NULL;
}

/* --- Waking and running ------------------------------------------------- */

/* Has run_ready called on the loop's next turn, when it has looked at its
 * descriptors. (event_active would have it called on this turn, and a
 * coroutine that always has something to do would be all that runs.) */
static void set_turn(struct coroutines *all)
{
    static const struct timeval at_once = {0, 0};
    if (all->turn_is_set)
        return;
    all->turn_is_set = true;
    if (event_add(&all->turn, &at_once) == 0)
        return;
    /* No memory for a timer: then on this turn, but the others first. */
    event_active(&all->turn, EV_TIMEOUT, 1);
    (void)event_base_loopcontinue(all->base);
}

/* Ends the coroutine's await, if it is in one. The first to do so decides what
 * the await returns. */
static void wake(struct coroutine *c, int answer)
{
    if (c->state != WAITING)
        return;
    unlink_coroutine(c);
    (void)event_del(&c->event);
    c->answer = answer;
    c->state = READY;
    append(&c->all->ready, c);
    set_turn(c->all);
}

static void free_coroutine(struct coroutine *c)
{
    give_stack_back(c->all, c->stack);
    if (c->detached)
        free(c);
}

/* On the loop's stack: switches to the coroutine, until it waits or ends. Only
 * here can its stack be given back: nothing runs on it any more. */
static void resume(struct coroutine *c)
{
    struct coroutines *all = c->all;
    unlink_coroutine(c);
    c->state = RUNNING;
    all->current = c;
    context_switch(&all->loop, &c->stack->context, false);
    all->current = NULL;
    if (c->state == ENDED)
        free_coroutine(c);
}

static void run_ready(evutil_socket_t fd, short what, void *arg)
{
    struct coroutines *all = arg;
    (void)fd;
    (void)what;
    all->turn_is_set = false;
    /* Those that become ready meanwhile have the next turn. */
    struct coroutine *c = NULL;
    struct coroutine *last = all->ready.last;
    for (int i = 0; i < READY_SHARE && c != last; i++) {
        c = all->ready.first;
        resume(c);
    }
    if (all->ready.first != NULL)
        set_turn(all);
    else if (all->newest == NULL)
        (void)event_base_loopbreak(all->base);
}

/* On the coroutine's stack: switches to the loop, until on_event or run_ready
 * switches back. */
static int suspend(struct coroutine *c)
{
    context_switch(&c->stack->context, &c->all->loop, false);
    return c->answer;
}

/* The first function of every coroutine, and the last. */
static void begin(void *arg)
{
    struct coroutine *c = arg;
    c->answer = c->f(c->arg);
    c->state = ENDED;
    *(c->newer != NULL ? &c->newer->older : &c->all->newest) = c->older;
    if (c->older != NULL)
        c->older->newer = c->newer;
    condition_wake_all(&c->ended);
    if (c->all->newest == NULL)
        set_turn(c->all); /* run_ready ends the loop */
    context_switch(&c->stack->context, &c->all->loop, true);
}

/* --- Waiting ------------------------------------------------------------ */

/* What poll would say now. */
static int poll_now(int fd, short events)
{
    struct pollfd look = {.fd = fd, .events = events};
    if (fd == -1 || poll(&look, 1, 0) != 1)
        return 0;
    if ((look.revents & ~events) != 0) /* an error: reading tells which */
        return events;
    return look.revents;
}

/* Sets the event, with the time that is left until the deadline. */
static int set_event(struct coroutine *c)
{
    if (c->deadline == COROUTINE_NEVER)
        return event_add(&c->event, NULL);
    int64_t now = coroutine_now();
    int64_t left = c->deadline > now ? c->deadline - now : 0;
    struct timeval time = {.tv_sec = (time_t)(left / SECOND),
                           .tv_usec = (suseconds_t)(left % SECOND)};
    return event_add(&c->event, &time);
}

/* The descriptor is ready, or the deadline has come; or seems to have come,
 * for libevent reckons from the beginning of its turn. */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct coroutine *c = arg;
    int answer = ((what & EV_READ) != 0 ? POLLIN : 0) |
                 ((what & EV_WRITE) != 0 ? POLLOUT : 0);
    /* libevent forgets that it is ready when the deadline comes as well. */
    if (answer == 0)
        answer = poll_now(fd, c->events);
    if (answer == 0 && coroutine_now() < c->deadline && set_event(c) == 0)
        return;
    unlink_coroutine(c);
    c->answer = answer != 0 ? answer : -ETIMEDOUT;
    resume(c);
}

static bool is_cancelled(const struct coroutine *c)
{
    if (c == NULL)
        abort(); /* an await, but not in a coroutine: none would go on */
    return c->cancelled && c->shields == 0;
}

/* Waits for a descriptor (-1: none), a deadline, to be woken; whichever comes
 * first. The caller has put it into a list to be woken from, or not. */
static int await_any(struct coroutine *c, int fd, short events,
                     int64_t deadline)
{
    short what = (short)(((events & POLLIN) != 0 ? EV_READ : 0) |
                         ((events & POLLOUT) != 0 ? EV_WRITE : 0));
    c->state = WAITING;
    c->events = events;
    c->deadline = deadline;
    (void)event_assign(&c->event, c->all->base, fd, what, on_event, c);
    if ((fd != -1 || deadline != COROUTINE_NEVER) && set_event(c) != 0) {
        int ready = poll_now(fd, events);
        wake(c, ready != 0 ? ready : -ENOMEM); /* after the others */
    }
    return suspend(c);
}

int await_fd(int fd, short events, int64_t deadline)
{
    struct coroutine *c = here->current;
    if (is_cancelled(c))
        return -ECANCELED;
    return await_any(c, fd, events, deadline);
}

int await_time(int64_t deadline)
{
    struct coroutine *c = here->current;
    if (is_cancelled(c))
        return -ECANCELED;
    int error = await_any(c, -1, 0, deadline);
    return error == -ETIMEDOUT ? 0 : error;
}

int await_others(void)
{
    struct coroutine *c = here->current;
    if (is_cancelled(c))
        return -ECANCELED;
    c->state = WAITING;
    wake(c, 0);
    return suspend(c);
}

int await_condition(struct condition *condition, int64_t deadline)
{
    struct coroutine *c = here->current;
    if (is_cancelled(c))
        return -ECANCELED;
    append(condition, c);
    return await_any(c, -1, 0, deadline);
}

void condition_wake(struct condition *condition)
{
    if (condition->first != NULL)
        wake(condition->first, 0);
}

void condition_wake_all(struct condition *condition)
{
    while (condition->first != NULL)
        wake(condition->first, 0);
}

int await_end(struct coroutine *c, int64_t deadline, int *result)
{
    while (c->state != ENDED) {
        int error = await_condition(&c->ended, deadline);
        if (error != 0)
            return error;
    }
    *result = c->answer;
    free(c);
    return 0;
}

/* --- One coroutine ------------------------------------------------------ */

struct coroutine *coroutine_start(int (*f)(void *arg), void *arg)
{
    struct coroutines *all = here;
    struct coroutine *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->stack = take_stack(all);
    if (c->stack == NULL) {
        free(c);
        return NULL;
    }
    c->all = all;
    c->f = f;
    c->arg = arg;
    c->older = all->newest;
    if (c->older != NULL)
        c->older->newer = c;
    all->newest = c;
    (void)event_assign(&c->event, all->base, -1, 0, on_event, c);
    context_begin(&c->stack->context, begin, c);
    c->state = WAITING;
    wake(c, 0);
    return c;
}

void coroutine_detach(struct coroutine *c)
{
    if (c->state == ENDED)
        free(c);
    else
        c->detached = true;
}

struct coroutine *coroutine_self(void)
{
    return here->current;
}

void coroutine_cancel(struct coroutine *c)
{
    c->cancelled = true;
    if (is_cancelled(c))
        wake(c, -ECANCELED);
}

void coroutine_uncancel(struct coroutine *c)
{
    c->cancelled = false;
}

void coroutine_shield(void)
{
    here->current->shields++;
}

void coroutine_unshield(void)
{
    here->current->shields--;
}

/* --- The loop ----------------------------------------------------------- */

int coroutines_open(struct coroutines **coroutines, struct event_base *base)
{
    struct coroutines *all = calloc(1, sizeof *all);
    *coroutines = all;
    if (all == NULL)
        return -ENOMEM;
    all->base = base;
    (void)event_assign(&all->turn, base, -1, 0, run_ready, all);
    return 0;
}

/* The first coroutine of a run. */
struct first {
    struct coroutines *all;
    int (*f)(void *arg);
    void *arg;
    int result;
};

static int run_first(void *arg)
{
    struct first *first = arg;
    first->result = first->f(first->arg);
    for (struct coroutine *c = first->all->newest; c != NULL; c = c->older)
        coroutine_cancel(c);
    return 0;
}

int coroutines_run(struct coroutines *all, int (*f)(void *arg), void *arg)
{
    struct first first = {all, f, arg, -EIO};
    struct coroutines *before = here;
    here = all;
    context_here(&all->loop);
    struct coroutine *c = coroutine_start(run_first, &first);
    if (c != NULL) {
        coroutine_detach(c);
        /* Who breaks the loop does not end it: stacks would be left. */
        while (all->newest != NULL &&
               event_base_loop(all->base, EVLOOP_NO_EXIT_ON_EMPTY) == 0)
            continue;
    } else {
        first.result = -ENOMEM;
    }
    here = before;
    return first.result;
}

void coroutines_close(struct coroutines *all)
{
    if (all == NULL)
        return;
    (void)event_del(&all->turn);
    (void)coroutines_trim(all);
    free(all);
}

/* engine: one run of a scenario, under decisions that somebody else makes.
 * See engine.h. */
#include "engine.h"

#include "child.h"
#include "context.h"
#include "heap.h"
#include "objects.h"
#include "race.h"
#include "search.h"
#include "state.h"
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Just before a full second, so that who adds nanoseconds without carrying
 * them over is found out. */
#define START_OF_TIME (INT64_C(1000999500) * 1000000)

EX_OWN struct ex_thread *ex_current = NULL;
EX_OWN int64_t ex_now = 0;
EX_OWN struct ex_spent ex_spent = {0};
EX_OWN struct ex_limits ex_limits = {0};

static EX_OWN struct ex_thread *threads = NULL;
static EX_OWN int count = 0;
static EX_OWN struct ex_thread *last = NULL; /* who ran last */
static EX_OWN void (*scenario_now)(void) = NULL;

int ex_engine_open(void)
{
    if (threads != NULL)
        return 0;
    int error = ex_context_open();
    if (error == 0)
        error = ex_heap_open();
    if (error == 0)
        error = ex_race_open();
    if (error == 0)
        error = ex_state_open();
    if (error != 0)
        return error;
    threads = calloc(EX_THREADS, sizeof *threads);
    return threads == NULL ? -1 : 0;
}

struct ex_thread *ex_thread(int id)
{
    return &threads[id];
}

int ex_thread_count(void)
{
    return count;
}

bool explore_active(void)
{
    return ex_current != NULL;
}

int64_t explore_time(void)
{
    return ex_current == NULL ? 0 : ex_now - START_OF_TIME;
}

/* --- Failing --------------------------------------------------------------*/

static void note_failure(enum explore_kind kind, const void *place,
                         const char *format, va_list arguments)
{
    if (ex_failure.kind != EXPLORE_PASSED)
        return;
    ex_failure.kind = kind;
    ex_failure.place = place;
    ex_failure.thread = ex_current == NULL ? -1 : ex_current->id;
    (void)vsnprintf(ex_failure.message, sizeof ex_failure.message, format,
                    arguments);
}

void ex_note_failure(enum explore_kind kind, const void *place,
                     const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note_failure(kind, place, format, arguments);
    va_end(arguments);
}

void ex_fail(enum explore_kind kind, const void *place, const char *format,
             ...)
{
    va_list arguments;
    va_start(arguments, format);
    note_failure(kind, place, format, arguments);
    va_end(arguments);
    ex_context_abandon();
}

/* --- Threads --------------------------------------------------------------*/

static void thread_main(void)
{
    struct ex_thread *thread = ex_current;
    if (thread->id == 0) {
        scenario_now();
        ex_thread_end(NULL);
    }
    ex_thread_end(thread->start(thread->argument));
}

struct ex_thread *ex_thread_make(void *(*start)(void *), void *argument,
                                 const void *place)
{
    if (count == EX_THREADS)
        return NULL;
    struct ex_thread *thread = &threads[count];
    memset(thread, 0, sizeof *thread);
    thread->id = count++;
    thread->life = EX_ALIVE;
    thread->start = start;
    thread->argument = argument;
    thread->clock[thread->id] = 1;
    thread->next = (struct ex_next){
        .op = EX_GO, .deadline = EX_NEVER, .verb = "starts", .place = place};
    (void)snprintf(thread->name, sizeof thread->name,
                   thread->id == 0 ? "main" : "T%d", thread->id);
    ex_context_make(thread, thread_main);
    return thread;
}

void ex_thread_end(void *result)
{
    ex_trace(ex_current, NULL, "ends");
    ex_current->result = result;
    ex_current->life = EX_ENDED;
    ex_context_abandon();
}

/* --- Points ---------------------------------------------------------------*/

void ex_point(const struct ex_next *next)
{
    struct ex_thread *thread = ex_current;
    if (next != &thread->next)
        thread->next = *next;
    ex_context_leave();
    ex_context_wipe();
    thread->segment = 0;
    thread->accesses = 0;
    thread->shown = false;
}

void ex_point_simple(enum ex_op op, struct ex_object *object, const char *verb,
                     const void *place)
{
    ex_current->next = (struct ex_next){.op = op,
                                        .object = object,
                                        .deadline = EX_NEVER,
                                        .verb = verb,
                                        .place = place};
    ex_point(&ex_current->next);
}

bool ex_can_go(const struct ex_thread *thread)
{
    const struct ex_next *next = &thread->next;
    const struct ex_object *object = next->object;
    switch (next->op) {
    case EX_GO:
    case EX_YIELD:
        return true;
    case EX_LOCK:
        return object->owner == NULL;
    case EX_RELOCK:
        return next->mutex->owner == NULL;
    case EX_WAITING:
    case EX_ARRIVED:
        return false;
    case EX_JOIN:
        return next->other->life == EX_ENDED;
    case EX_TAKE:
        return object->count > 0;
    case EX_READLOCK:
        return object->owner == NULL;
    case EX_WRITELOCK:
        return object->owner == NULL && object->count == 0;
    }
    return false;
}

/* A wait whose end nobody but the clock need bring. */
static bool has_deadline(const struct ex_thread *thread)
{
    return thread->life == EX_ALIVE && thread->next.deadline != EX_NEVER &&
           !thread->next.timed_out && thread->next.op != EX_RELOCK &&
           thread->next.op != EX_GO && thread->next.op != EX_YIELD &&
           !ex_can_go(thread);
}

static int add_option(struct ex_option *options, int n, enum ex_choice choice,
                      const struct ex_thread *thread, bool preempts)
{
    if (preempts && ex_spent.preemptions >= ex_limits.preemptions) {
        ex_limits.met = true;
        return n;
    }
    options[n] = (struct ex_option){.choice = choice,
                                    .number = (uint16_t)thread->id,
                                    .preempts = preempts};
    return n + 1;
}

/* Who can go on. First the one that ran last: the others would preempt it,
 * unless it asked to make way. */
static int list_runs(struct ex_option *options)
{
    int n = 0;
    bool can_go = last != NULL && last->life == EX_ALIVE && ex_can_go(last);
    bool yields = can_go && last->yielded;
    if (can_go && !yields)
        n = add_option(options, n, EX_RUN, last, false);
    for (int i = 0; i < count; i++) {
        if (&threads[i] != last && threads[i].life == EX_ALIVE &&
            ex_can_go(&threads[i]))
            n = add_option(options, n, EX_RUN, &threads[i],
                           can_go && !yields && !last->next.slow);
    }
    if (yields)
        n = add_option(options, n, EX_RUN, last, n > 0);
    return n;
}

static int list_time_outs(struct ex_option *options, int n, bool idle)
{
    int64_t earliest = EX_NEVER;
    for (int i = 0; i < count; i++) {
        if (has_deadline(&threads[i]) && threads[i].next.deadline < earliest)
            earliest = threads[i].next.deadline;
    }
    if (earliest == EX_NEVER)
        return n;
    for (int i = 0; i < count; i++) {
        if (!has_deadline(&threads[i]))
            continue;
        bool due = threads[i].next.deadline <= ex_now ||
                   (idle && threads[i].next.deadline == earliest);
        if (due || ex_spent.timeouts < ex_limits.timeouts)
            n = add_option(options, n, EX_TIMEOUT, &threads[i], false);
    }
    return n;
}

/* All that can come next. A spurious wake-up may come, but nobody may count on
 * it: if nothing else can come, nothing can. */
static int list_options(struct ex_option *options)
{
    int runs = list_runs(options);
    int n = list_time_outs(options, runs, runs == 0);
    if (n == 0 || ex_spent.spurious >= ex_limits.spurious)
        return n;
    for (int i = 0; i < count; i++) {
        if (threads[i].life == EX_ALIVE && threads[i].next.op == EX_WAITING)
            n = add_option(options, n, EX_SPURIOUS, &threads[i], false);
    }
    return n;
}

static void time_out(struct ex_thread *thread)
{
    struct ex_next *next = &thread->next;
    bool idle = true;
    for (int i = 0; i < count; i++)
        idle =
            idle && !(threads[i].life == EX_ALIVE && ex_can_go(&threads[i]));
    if (!idle && next->deadline > ex_now)
        ex_spent.timeouts++;
    if (ex_now < next->deadline)
        ex_now = next->deadline;
    next->timed_out = true;
    next->op = next->op == EX_WAITING ? EX_RELOCK : EX_GO;
    thread->shown = false;
    ex_trace(thread, next->place, "(its time is up)");
}

static void run_thread(struct ex_thread *thread, bool preempts)
{
    ex_spent.preemptions += preempts;
    ex_spent.switches += last != NULL && last != thread;
    for (int i = 0; i < count; i++)
        threads[i].yielded = false;
    last = thread;
    ex_child_beat();
    ex_context_enter(thread);
    thread->yielded = thread->life == EX_ALIVE && thread->next.op == EX_YIELD;
    if (thread->life == EX_ALIVE && ex_failure.kind == EXPLORE_PASSED &&
        !ex_can_go(thread))
        ex_trace_waits(thread);
}

static void apply(const struct ex_option *option)
{
    struct ex_thread *thread = &threads[option->number];
    switch (option->choice) {
    case EX_RUN:
        run_thread(thread, option->preempts);
        break;
    case EX_SPURIOUS:
        ex_spent.spurious++;
        thread->next.op = EX_RELOCK;
        thread->shown = false;
        ex_trace(thread, thread->next.place, "(wakes for no reason)");
        break;
    case EX_TIMEOUT:
        time_out(thread);
        break;
    case EX_VALUE: /* is for the thread itself: see ex_choose */
        break;
    }
}

/* --- A run ----------------------------------------------------------------*/

/* A lock that is wanted and never given back is another thing than a wake-up
 * that was lost. */
static void explain_lock(const struct ex_thread *thread)
{
    enum ex_op op = thread->next.op;
    if (op != EX_LOCK && op != EX_RELOCK)
        return;
    ex_failure.means = "a lock is never given back, and another thread, or "
                       "its owner, waits for it for ever";
    ex_failure.look = "who has the lock, below the table: does it wait while "
                      "it has it, or was there a way out without unlocking";
}

static void fail_deadlock(void)
{
    int waiting = 0;
    for (int i = 0; i < count; i++) {
        waiting += threads[i].life == EX_ALIVE;
        if (threads[i].life == EX_ALIVE) {
            ex_trace_waits(&threads[i]);
            explain_lock(&threads[i]);
        }
    }
    if (threads[0].life == EX_ENDED)
        ex_note_failure(EXPLORE_DEADLOCK, NULL,
                        "main has finished, and %d thread%s wait%s for ever",
                        waiting, waiting == 1 ? "" : "s",
                        waiting == 1 ? "s" : "");
    else
        ex_note_failure(EXPLORE_DEADLOCK, NULL,
                        "nobody can run: %d thread%s wait%s for ever", waiting,
                        waiting == 1 ? "" : "s", waiting == 1 ? "s" : "");
}

static void reset(void)
{
    ex_state_reset();
    ex_heap_reset();
    ex_objects_reset();
    ex_race_reset();
    ex_access_reset();
    ex_atomic_reset();
    ex_failure = (struct ex_failure){.thread = -1};
    ex_spent = (struct ex_spent){0};
    ex_now = START_OF_TIME;
    count = 0;
    last = NULL;
}

/* Before the last step, so that nothing that failed is done. */
static bool too_long(void)
{
    if (++ex_spent.decisions <= ex_limits.steps)
        return false;
    ex_note_failure(EXPLORE_ENDLESS, last->next.place,
                    "%d steps, and no end: threads wait busily, or wake "
                    "each other for ever",
                    ex_limits.steps);
    return true;
}

enum ex_end ex_engine_run(void (*scenario)(void))
{
    struct ex_option options[EX_OPTIONS];
    reset();
    ex_search_begin();
    scenario_now = scenario;
    (void)ex_thread_make(NULL, NULL, NULL);
    enum ex_end end = EX_DONE;
    while (end == EX_DONE) {
        int n = list_options(options);
        int chosen = 0;
        if (n > 0 && too_long())
            break;
        if (n > 0)
            chosen = ex_search_choose(options, n, false, last);
        if (n == 0 || chosen < 0) {
            end = chosen < 0 ? EX_CUT : EX_DONE;
            break;
        }
        apply(&options[chosen]);
        if (ex_failure.kind != EXPLORE_PASSED)
            break;
    }
    for (int i = 0; i < count && end == EX_DONE; i++) {
        if (threads[i].life == EX_ALIVE && ex_failure.kind == EXPLORE_PASSED)
            fail_deadlock();
    }
    if (ex_failure.kind != EXPLORE_PASSED)
        end = EX_FAILED;
    ex_trace_end();
    return end;
}

int ex_choose(const struct ex_option *options, int n)
{
    int chosen = ex_search_choose(options, n, true, last);
    if (chosen < 0)
        ex_context_abandon();
    return chosen;
}

/* trace: what happened in a run, step by step, for the table; and how it
 * failed. See trace.h. */
#include "trace.h"

#include "objects.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

EX_OWN struct ex_failure ex_failure = {0};
static EX_OWN struct ex_trace *trace = NULL;
static EX_OWN const void *watched[2] = {NULL};

void ex_trace_to(struct ex_trace *to, const void *place, const void *other)
{
    trace = to;
    watched[0] = place;
    watched[1] = other;
    if (trace != NULL) {
        trace->count = 0;
        trace->full = false;
        trace->threads = 0;
    }
}

/* What a list of the objects that a thread holds is made of. */
struct holding {
    const struct ex_thread *thread;
    char *text;
    size_t size;
    int count;
};

static void add_held(struct ex_object *object, void *context)
{
    struct holding *holding = context;
    const struct ex_thread *thread = holding->thread;
    bool holds =
        object->owner == thread || (object->readers >> thread->id & 1) != 0;
    if (!holds || object->type == EX_ONCE)
        return;
    holding->count++;
    if (holding->text == NULL)
        return;
    size_t length = strlen(holding->text);
    (void)snprintf(holding->text + length, holding->size - length, "%s%s",
                   holding->count > 1 ? ", " : "", object->name);
}

static int held(const struct ex_thread *thread, char *text, size_t size)
{
    struct holding holding = {.thread = thread, .text = text, .size = size};
    ex_objects_each(add_held, &holding);
    return holding.count;
}

static void add_step(const struct ex_thread *thread, const void *place,
                     const char *text)
{
    if (trace->count == EX_STEPS) {
        trace->full = true;
        return;
    }
    struct ex_step *step = &trace->steps[trace->count++];
    *step = (struct ex_step){.thread = thread->id, .place = place};
    (void)snprintf(step->text, sizeof step->text, "%s", text);
    for (int i = 0; i < ex_thread_count(); i++) {
        const struct ex_thread *each = ex_thread(i);
        unsigned mark = EX_MARK_NONE;
        if (each->life == EX_ALIVE && held(each, NULL, 0) > 0)
            mark |= EX_MARK_HOLDS;
        if (each->life == EX_ALIVE && each->shown)
            mark |= EX_MARK_WAITS;
        step->marks[i] = (unsigned char)mark;
    }
}

void ex_trace(const struct ex_thread *thread, const void *place,
              const char *format, ...)
{
    char text[sizeof trace->steps[0].text];
    va_list arguments;
    if (trace == NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add_step(thread, place, text);
}

void ex_trace_access(const char *verb, const void *place)
{
    if (trace != NULL && (place == watched[0] || place == watched[1]))
        ex_trace(ex_current, place, "%s", verb);
}

/* "waits for m1, which T2 holds" */
void ex_trace_wait(const struct ex_thread *thread, char *text, size_t size)
{
    const struct ex_next *next = &thread->next;
    const struct ex_object *object =
        next->op == EX_RELOCK ? next->mutex : next->object;
    if (next->op == EX_JOIN)
        (void)snprintf(text, size, "waits for %s to end", next->other->name);
    else if (object != NULL && object->owner == thread)
        (void)snprintf(text, size, "waits for %s, which it holds itself",
                       object->name);
    else if (object != NULL && object->owner != NULL)
        (void)snprintf(text, size, "waits for %s, which %s holds",
                       object->name, object->owner->name);
    else
        (void)snprintf(text, size, "waits for %s%s",
                       next->op == EX_WAITING ? "a signal of " : "",
                       object == NULL ? "nothing" : object->name);
}

void ex_trace_waits(struct ex_thread *thread)
{
    const struct ex_next *next = &thread->next;
    const struct ex_object *object =
        next->op == EX_RELOCK ? next->mutex : next->object;
    if (trace == NULL || thread->shown || next->op == EX_WAITING)
        return;
    thread->shown = true;
    if (next->op == EX_JOIN)
        ex_trace(thread, next->place, "(waits for %s)", next->other->name);
    else if (object != NULL && object->owner != NULL)
        ex_trace(thread, next->place, "(needs %s, %s has it)", object->name,
                 object->owner->name);
    else if (object != NULL)
        ex_trace(thread, next->place, "(waits for %s)", object->name);
}

int ex_trace_count(void)
{
    return trace == NULL ? 0 : trace->count;
}

const struct ex_step *ex_trace_step(int number)
{
    return &trace->steps[number];
}

void ex_trace_end(void)
{
    if (trace == NULL)
        return;
    trace->threads = ex_thread_count();
    for (int i = 0; i < trace->threads; i++) {
        const struct ex_thread *thread = ex_thread(i);
        struct ex_stand *stand = &trace->stands[i];
        char holds[100] = "";
        char does[100];
        *stand = (struct ex_stand){.alive = thread->life == EX_ALIVE,
                                   .place = thread->next.place,
                                   .start = (const void *)thread->start};
        (void)snprintf(stand->name, sizeof stand->name, "%s", thread->name);
        if (!stand->alive) {
            (void)snprintf(stand->text, sizeof stand->text, "has ended");
            continue;
        }
        if (thread->next.op == EX_GO || ex_can_go(thread))
            (void)snprintf(does, sizeof does, "could run");
        else
            ex_trace_wait(thread, does, sizeof does);
        if (i == ex_failure.thread) {
            (void)snprintf(does, sizeof does, "was running");
            stand->place = ex_failure.place;
        }
        bool any = held(thread, holds, sizeof holds) > 0;
        (void)snprintf(stand->text, sizeof stand->text, "%s%s%s", does,
                       any ? ", and holds " : "", holds);
    }
}

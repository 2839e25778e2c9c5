/* threads: pthread_create, join, detach, self, exit and once. */
#include "objects.h"
#include "race.h"
#include "real.h"
#include "trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* What pthread_self gives: any number but 0 would do. */
static pthread_t handle_of(const struct ex_thread *thread)
{
    return (pthread_t)(unsigned)(thread->id + 1);
}

static struct ex_thread *thread_of(pthread_t handle, const char *verb,
                                   const void *place)
{
    unsigned long number = (unsigned long)handle;
    if (number < 1 || number > (unsigned long)ex_thread_count())
        ex_fail(EXPLORE_MISUSE, place, "%s %s a thread that does not exist",
                ex_current->name, verb);
    struct ex_thread *thread = ex_thread((int)number - 1);
    if (thread->joined || thread->detached)
        ex_fail(EXPLORE_MISUSE, place, "%s %s %s, which was %s already",
                ex_current->name, verb, thread->name,
                thread->joined ? "joined" : "detached");
    return thread;
}

/* See explore_fail_create. Variables of the run: they are set back. */
static int good_ones = 0;
static int failing_ones = 0;

void explore_fail_create(int after, int times)
{
    good_ones = after;
    failing_ones = times;
}

static bool is_to_fail(void)
{
    if (failing_ones == 0)
        return false;
    if (good_ones > 0) {
        good_ones--;
        return false;
    }
    failing_ones--;
    return true;
}

int explore_unjoined(void)
{
    int count = 0;
    for (int i = 1; ex_current != NULL && i < ex_thread_count(); i++)
        count += !ex_thread(i)->joined;
    return count;
}

int __wrap_pthread_create(pthread_t *handle, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    int state = PTHREAD_CREATE_JOINABLE;
    if (ex_current == NULL)
        return __real_pthread_create(handle, attributes, start, argument);
    if (is_to_fail()) {
        ex_trace(ex_current, EX_PLACE, "create: fails");
        return EAGAIN;
    }
    struct ex_thread *thread = ex_thread_make(start, argument, EX_PLACE);
    if (thread == NULL)
        return EAGAIN;
    if (attributes != NULL)
        (void)pthread_attr_getdetachstate(attributes, &state);
    thread->detached = state == PTHREAD_CREATE_DETACHED;
    ex_race_publish(thread->clock);
    thread->clock[thread->id] = 1;
    ex_race_access(handle, sizeof *handle, EX_WRITE, EX_PLACE);
    *handle = handle_of(thread);
    ex_trace(ex_current, EX_PLACE, "create %s", thread->name);
    return 0;
}

int __wrap_pthread_join(pthread_t handle, void **result)
{
    if (ex_current == NULL)
        return __real_pthread_join(handle, result);
    struct ex_thread *thread = thread_of(handle, "joins", EX_PLACE);
    struct ex_next next = {.op = EX_JOIN,
                           .other = thread,
                           .deadline = EX_NEVER,
                           .verb = "join",
                           .place = EX_PLACE};
    ex_point(&next);
    ex_race_acquire(thread->clock);
    thread->joined = true;
    if (result != NULL)
        *result = thread->result;
    ex_trace(ex_current, EX_PLACE, "join %s", thread->name);
    return 0;
}

int __wrap_pthread_detach(pthread_t handle)
{
    if (ex_current == NULL)
        return __real_pthread_detach(handle);
    thread_of(handle, "detaches", EX_PLACE)->detached = true;
    return 0;
}

pthread_t __wrap_pthread_self(void)
{
    return ex_current == NULL ? __real_pthread_self() : handle_of(ex_current);
}

void __wrap_pthread_exit(void *result)
{
    if (ex_current == NULL)
        __real_pthread_exit(result);
    ex_thread_end(result);
}

void explore_thread_name(const char *name)
{
    if (ex_current != NULL)
        (void)snprintf(ex_current->name, sizeof ex_current->name, "%s", name);
}

int __wrap_pthread_setname_np(pthread_t handle, const char *name)
{
    if (ex_current == NULL)
        return __real_pthread_setname_np(handle, name);
    struct ex_thread *thread = thread_of(handle, "names", EX_PLACE);
    (void)snprintf(thread->name, sizeof thread->name, "%s", name);
    return 0;
}

/* The first to come is like the owner of a lock; the others wait for it. */
int __wrap_pthread_once(pthread_once_t *once, void (*function)(void))
{
    if (ex_current == NULL)
        return __real_pthread_once(once, function);
    struct ex_object *object =
        ex_object_use(once, EX_ONCE, sizeof *once, EX_PLACE);
    ex_point_simple(EX_LOCK, object, "once", EX_PLACE);
    if (!object->done) {
        object->owner = ex_current;
        ex_trace(ex_current, EX_PLACE, "once %s", object->name);
        function();
        object->done = true;
        object->owner = NULL;
        ex_race_release(object->clock);
        ex_trace(ex_current, EX_PLACE, "done %s", object->name);
    }
    ex_race_acquire(object->clock);
    return 0;
}

void explore_check(bool condition, const char *format, ...)
{
    char text[300];
    va_list arguments;
    if (condition || ex_current == NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ex_fail(EXPLORE_CHECK, EX_PLACE, "%s", text);
}

void explore_expect(bool condition, const char *means, const char *look,
                    const char *format, ...)
{
    char text[300];
    va_list arguments;
    if (condition || ex_current == NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (ex_failure.kind == EXPLORE_PASSED) {
        ex_failure.means = means;
        ex_failure.look = look;
    }
    ex_fail(EXPLORE_CHECK, EX_PLACE, "%s", text);
}

void explore_note(const char *format, ...)
{
    char text[50];
    va_list arguments;
    if (ex_current == NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ex_trace(ex_current, EX_PLACE, "%s", text);
}

void explore_pause(const char *what)
{
    if (ex_current == NULL)
        return;
    const struct ex_next next = {.op = EX_GO,
                                 .slow = true,
                                 .deadline = EX_NEVER,
                                 .verb = what,
                                 .place = EX_PLACE};
    ex_point(&next);
    ex_trace(ex_current, EX_PLACE, "%s", what);
}

int explore_choose(int count, const char *what)
{
    struct ex_option options[EX_OPTIONS];
    if (ex_current == NULL || count < 2)
        return 0;
    if (count > EX_OPTIONS)
        ex_fail(EXPLORE_UNSUPPORTED, EX_PLACE, "a choice of more than %d",
                EX_OPTIONS);
    for (int i = 0; i < count; i++)
        options[i] =
            (struct ex_option){.choice = EX_VALUE, .number = (uint16_t)i};
    int chosen = ex_choose(options, count);
    ex_trace(ex_current, EX_PLACE, "%s: %d", what, chosen);
    return chosen;
}

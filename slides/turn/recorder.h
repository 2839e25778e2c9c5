/*
 * recorder: what a minimal program does, for the page "One turn of the loop",
 * and one more.
 * The program's source is included in recorded_*.c, so that its own variables
 * can be looked at; what it calls is told by -finstrument-functions.
 *
 * A line of the file that RECORD names, times in microseconds:
 *
 *     TIME THREAD + FUNCTION PLACE      is entered; the place in flight, or -1
 *     TIME THREAD - FUNCTION            is left
 *     TIME 0 sleeps PLACE:EVENTS ...    the loop, in poll
 *     TIME 0 wakes PLACE:EVENTS ...     what is ready
 *     TIME 0 has PLACE WANT AHEAD ENDED ID   what a request remembers
 */
#ifndef TRIPTYCH_RECORDER_H
#define TRIPTYCH_RECORDER_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define UNSEEN __attribute__((no_instrument_function))

struct recorder_name {
    void *function;
    const char *name;
};

static int recorder_fd = -1;
static int64_t recorder_began;

UNSEEN static int64_t recorder_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

UNSEEN __attribute__((constructor)) static void recorder_open(void)
{
    const char *file = getenv("RECORD");
    recorder_began = recorder_us();
    if (file != NULL)
        recorder_fd =
            open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

/* One line, in one write: threads need no lock between them. */
UNSEEN __attribute__((format(printf, 2, 3))) static void
recorder_say(int thread, const char *format, ...)
{
    char line[2000];
    va_list arguments;
    int n = snprintf(line, sizeof line, "%lld %d ",
                     (long long)(recorder_us() - recorder_began), thread);
    va_start(arguments, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
    va_end(arguments);
    if (recorder_fd != -1 && (size_t)n < sizeof line)
        (void)!write(recorder_fd, line, (size_t)n);
}

UNSEEN static inline const char *
recorder_find(const struct recorder_name *names, const void *function)
{
    while (names->name != NULL && names->function != function)
        names++;
    return names->name;
}

UNSEEN void __cyg_profile_func_enter(void *function, void *caller);
UNSEEN void __cyg_profile_func_exit(void *function, void *caller);

#endif

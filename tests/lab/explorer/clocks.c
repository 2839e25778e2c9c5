/*
 * clocks: time, which goes on only when somebody waits for it. See clocks.h.
 *
 * Reading a clock twice gives the same, unless in between a thread slept, or a
 * wait timed out. A sleep may end at any point: other threads may be as slow
 * as they like, so whoever sleeps in order to wait for them is found out.
 */
#include "clocks.h"

#include "real.h"
#include "trace.h"

#include <sys/time.h>

#define SECOND INT64_C(1000000000)
#define EPOCH  (INT64_C(1800000000) * SECOND) /* by the calendar's clocks */

static bool is_calendar(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
           clock == CLOCK_TAI;
}

static int64_t length_of(const struct timespec *time)
{
    if (time->tv_sec >= INT64_MAX / SECOND - 1)
        return INT64_MAX / 2;
    return (int64_t)time->tv_sec * SECOND + time->tv_nsec;
}

static struct timespec time_of(int64_t length)
{
    return (struct timespec){.tv_sec = length / SECOND,
                             .tv_nsec = length % SECOND};
}

bool ex_clock_valid(const struct timespec *until)
{
    return until->tv_nsec >= 0 && until->tv_nsec < SECOND;
}

int64_t ex_clock_deadline(clockid_t clock, const struct timespec *until)
{
    return length_of(until) - (is_calendar(clock) ? EPOCH : 0);
}

static void sleep_until(int64_t deadline, const void *place)
{
    ex_point_simple(EX_YIELD, NULL, "sleep", place);
    if (ex_now < deadline)
        ex_now = deadline;
    ex_trace(ex_current, place, "has slept");
}

/* A wait that only its limit ends: that comes when nobody can go on. */
void explore_settle(void)
{
    if (ex_current == NULL)
        return;
    const struct ex_next next = {.op = EX_ARRIVED,
                                 .deadline = ex_now + 1,
                                 .verb = "waits for all to wait",
                                 .place = EX_PLACE};
    ex_point(&next);
    ex_now--; /* it took no time */
    ex_trace(ex_current, EX_PLACE, "all others wait");
}

int __wrap_sched_yield(void)
{
    if (ex_current == NULL)
        return __real_sched_yield();
    ex_point_simple(EX_YIELD, NULL, "yield", EX_PLACE);
    ex_trace(ex_current, EX_PLACE, "has yielded");
    return 0;
}

int __wrap_usleep(useconds_t us)
{
    if (ex_current == NULL)
        return __real_usleep(us);
    sleep_until(ex_now + (int64_t)us * 1000, EX_PLACE);
    return 0;
}

unsigned __wrap_sleep(unsigned seconds)
{
    if (ex_current == NULL)
        return __real_sleep(seconds);
    sleep_until(ex_now + (int64_t)seconds * SECOND, EX_PLACE);
    return 0;
}

int __wrap_nanosleep(const struct timespec *length, struct timespec *left)
{
    if (ex_current == NULL)
        return __real_nanosleep(length, left);
    sleep_until(ex_now + length_of(length), EX_PLACE);
    return 0;
}

int __wrap_clock_nanosleep(clockid_t clock, int flags,
                           const struct timespec *time, struct timespec *left)
{
    if (ex_current == NULL)
        return __real_clock_nanosleep(clock, flags, time, left);
    sleep_until((flags & TIMER_ABSTIME) != 0 ? ex_clock_deadline(clock, time)
                                             : ex_now + length_of(time),
                EX_PLACE);
    return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (ex_current == NULL)
        return __real_clock_gettime(clock, time);
    *time = time_of(ex_now + (is_calendar(clock) ? EPOCH : 0));
    return 0;
}

time_t __wrap_time(time_t *seconds)
{
    if (ex_current == NULL)
        return __real_time(seconds);
    time_t now = (time_t)((ex_now + EPOCH) / SECOND);
    if (seconds != NULL)
        *seconds = now;
    return now;
}

int __wrap_gettimeofday(struct timeval *time, void *zone)
{
    if (ex_current == NULL)
        return __real_gettimeofday(time, zone);
    int64_t now = ex_now + EPOCH;
    *time = (struct timeval){.tv_sec = now / SECOND,
                             .tv_usec = now % SECOND / 1000};
    return 0;
}

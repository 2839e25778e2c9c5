/* clock: microseconds since the start of the program. See clock.h. */
#include "clock.h"

#include <limits.h>

static int64_t zero;

static int64_t time_us(clockid_t clock)
{
    struct timespec now;
    /* It cannot fail: the clock exists and the address is valid. */
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000;
}

void clock_start(void)
{
    zero = time_us(CLOCK_MONOTONIC);
}

int64_t clock_epoch_us(void)
{
    return time_us(CLOCK_REALTIME) - clock_us();
}

int64_t clock_us(void)
{
    return time_us(CLOCK_MONOTONIC) - zero;
}

int clock_poll_ms(int64_t deadline)
{
    if (deadline == CLOCK_NEVER)
        return -1;
    int64_t left = deadline - clock_us();
    if (left <= 0)
        return 0;
    int64_t ms = (left + 999) / 1000;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

struct timespec clock_in_ms(int ms)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_nsec += (long)(ms % 1000) * 1000000;
    time.tv_sec += ms / 1000 + time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

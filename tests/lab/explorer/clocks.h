/* clocks: time, which goes on only when somebody waits for it. */
#ifndef EXPLORE_CLOCKS_H
#define EXPLORE_CLOCKS_H

#include "engine.h"

#include <stdbool.h>
#include <time.h>

/* False: its nanoseconds were not carried over into the seconds, and who waits
 * until then gets EINVAL at once. */
bool ex_clock_valid(const struct timespec *until);

/* When the clock shows `until`, as ex_now counts. */
int64_t ex_clock_deadline(clockid_t clock, const struct timespec *until);

#endif

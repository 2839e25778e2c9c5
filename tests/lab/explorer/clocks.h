/* clocks: time, which goes on only when somebody waits for it. */
#ifndef EXPLORE_CLOCKS_H
#define EXPLORE_CLOCKS_H

#include "engine.h"

#include <time.h>

/* When the clock shows `until`, as ex_now counts. */
int64_t ex_clock_deadline(clockid_t clock, const struct timespec *until);

#endif

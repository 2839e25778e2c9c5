/* What becomes of each program as it was handed out: the explorer's answers.
 * Yours may stand beside them, as a comment. */
#include "puzzles.h"

struct prediction predict_counters(void)
{
    return (struct prediction){FAILS, 1};
}

struct prediction predict_wake_up(void)
{
    return (struct prediction){FAILS, 1};
}

struct prediction predict_locks(void)
{
    return (struct prediction){FAILS, 1};
}

struct prediction predict_philosophers(void)
{
    return (struct prediction){FAILS, 1};
}

struct prediction predict_readers(void)
{
    return (struct prediction){FAILS, 2};
}

struct prediction predict_barrier(void)
{
    return (struct prediction){FAILS, 0};
}

struct prediction predict_buffer(void)
{
    return (struct prediction){FAILS, 0};
}

struct prediction predict_once(void)
{
    return (struct prediction){FAILS, 0};
}

struct prediction predict_semaphore(void)
{
    return (struct prediction){NEVER_FAILS, 0};
}

struct prediction predict_turnstile(void)
{
    return (struct prediction){FAILS, 1};
}

/*
 * recorded-stackless: evloop/coroutines/stackless.c, which writes down what its
 * requests remember whenever all sleep. See recorder.h; a line is here
 *
 *     TIME 0 has ID LINE EVENTS      what the struct of a request says
 *     TIME 0 sleeps TURN             in poll, when all were told; whose turn
 *     TIME 0 wakes
 */
#include "recorder.h"

#include <poll.h>

static int told_poll(struct pollfd *fds, nfds_t count, int ms);

#define poll told_poll
#include "../../evloop/coroutines/stackless.c"
#undef poll

static int told_poll(struct pollfd *fds, nfds_t count, int ms)
{
    for (size_t i = 0; i < m.options.jobs && ms != 0; i++) {
        const struct request *r = &requests[i];
        if (r->job != NULL)
            recorder_say(0, "has %d %d %d\n", (int)r->job->id, r->line,
                         r->events);
    }
    if (ms != 0)
        recorder_say(0, "sleeps %d\n", (int)turn);
    int n = poll(fds, count, ms);
    if (ms != 0)
        recorder_say(0, "wakes\n");
    return n;
}

/*
 * stackless: a request as a switch over a saved line, as a compiler makes it of
 * an async function, and protothreads do. go_on returns where it waits, and
 * jumps back into its midst when it is called again. So what must outlast an
 * await is in struct request, not in a local variable. (In minimal.c the stack
 * remembers it all: two pages, not these 24 bytes.)
 *
 * What cannot be done in it: to await in a function that it calls. Connecting
 * and delivering sleep here, and all with them. A compiler would make a switch
 * of every function on the way, which is why async is catching.
 */
#include "minimal.h"

static struct request {
    struct job *job; /* NULL: the place is free */
    struct exchange *x;
    int fd;
    short line;   /* where it goes on */
    short events; /* when fd is ready for these; 0: when it has the turn */
} requests[MINIMAL_JOBS];
static struct minimal m; /* options, list of URLs, messages, exit status */
static uint64_t turn;    /* the id of the job that may write */
/* From where it was to its next await, or to its end. */
static void go_on(struct request *r)
{
    char chunk[MINIMAL_CHUNK]; /* of no use after an await */
    switch (r->line) {
    case 0:
        r->x = minimal_exchange(&m, r->job);
        while (exchange_want(r->x) == WANT_CONNECT) {
            r->fd = minimal_connect(r->x, &m);
            minimal_send(r->x, r->fd, &m);
            while (exchange_want(r->x) == WANT_RECEIVE) {
                do {
                    r->line = 1, r->events = r->job->id == turn ? POLLIN : 0;
                    return; /* await the turn, then some of the answer */
                case 1:;    /* in the midst of three loops */
                } while (r->events == 0);
                ssize_t n = recv(r->fd, chunk, sizeof chunk, 0);
                exchange_feed(r->x, chunk, n > 0 ? (size_t)n : 0,
                              minimal_deliver, &m, clock_us());
                if (n <= 0)
                    minimal_ended(r->x, n == 0 ? 0 : errno);
            }
            minimal_disconnect(r->fd);
        }
        while (r->job->id != turn) {
            r->line = 2, r->events = 0;
            return; /* await the turn */
        case 2:;
        }
        minimal_finish(&m, r->job, exchange_outcome(r->x));
        exchange_free(r->x);
        *r = (struct request){0};
        turn++;
    }
}

int main(int argc, char **argv)
{
    static struct pollfd fds[MINIMAL_JOBS];
    minimal_open(&m, "stackless", argc, argv, _exit);
    for (size_t busy = 1; busy > 0;) {
        uint64_t before = turn;
        busy = 0;
        for (size_t i = 0; i < m.options.jobs; i++) {
            struct request *r = &requests[i];
            if (r->job == NULL)
                r->job = minimal_next(&m); /* sleeps for the list */
            if (r->job != NULL && (r->line == 0 || fds[i].revents != 0 ||
                                   (r->events == 0 && r->job->id == turn)))
                go_on(r);
            fds[i].fd = r->events == 0 ? -1 : r->fd;
            fds[i].events = r->events;
            busy += r->job != NULL;
        }
        (void)poll(fds, m.options.jobs, busy == 0 || turn != before ? 0 : -1);
    }
    return minimal_close(&m);
}

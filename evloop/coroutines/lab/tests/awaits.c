/*
 * Coroutines that wait: for a condition, a descriptor, the end of another, a
 * time; until that comes, or the deadline, or they are cancelled.
 */
#include "turns.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const char wrong_return[] = "an await does not say how it ended";

static void check_is(const char *what, int is, int wanted, const char *look)
{
    lab_check(is == wanted, wrong_return, look, "%s gives %s, not %s", what,
              lab_value(is), lab_value(wanted));
}

static void check_run(int (*f)(void *arg))
{
    story[0] = '\0';
    check_is("coroutines_run", run(f, NULL), 0, "coroutine_start");
}

/* --- Who waits ---------------------------------------------------------- */

enum kind { CONDITION, DESCRIPTOR, TIME, END, KINDS };

static const char *const kind_names[KINDS] = {"await_condition", "await_fd",
                                              "await_time", "await_end"};

struct waiter {
    const char *name;
    struct condition *condition;
    int64_t deadline;
    enum kind kind;
    int fd;
    short events;
    struct coroutine *of; /* whose end is awaited */
    int result;
    bool done;
};

static int wait_once(const struct waiter *w)
{
    int result = 0;
    switch (w->kind) {
    case CONDITION:
        return await_condition(w->condition, w->deadline);
    case DESCRIPTOR:
        return await_fd(w->fd, w->events, w->deadline);
    case TIME:
        return await_time(w->deadline);
    default:
        return await_end(w->of, w->deadline, &result);
    }
}

static int wait_and_tell(void *arg)
{
    struct waiter *w = arg;
    w->result = wait_once(w);
    w->done = true;
    if (w->name != NULL)
        tell(w->name);
    return w->result;
}

static struct waiter on(struct condition *condition, const char *name)
{
    return (struct waiter){
        .name = name, .condition = condition, .deadline = COROUTINE_NEVER};
}

static int end_of(struct coroutine *c)
{
    int result = 1;
    int error = await_end(c, COROUTINE_NEVER, &result);
    check_is("await_end", error, 0, "await_end");
    return result;
}

static void get_pair(int *fds)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
        lab_broken("no sockets");
}

static void close_pair(const int *fds)
{
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void put_byte(int fd)
{
    if (write(fd, "x", 1) != 1)
        lab_broken("a byte cannot be sent");
}

static void take_byte(int fd)
{
    char byte;
    if (read(fd, &byte, 1) != 1)
        lab_broken("a byte does not come");
}

/* --- Conditions --------------------------------------------------------- */

static int wake_one_by_one(void *unused)
{
    struct condition condition = {0};
    struct waiter a = on(&condition, "a"), b = on(&condition, "b"),
                  c = on(&condition, "c");
    (void)unused;
    condition_wake(&condition); /* nobody is there: nothing is kept */
    start_and_forget(wait_and_tell, &a);
    start_and_forget(wait_and_tell, &b);
    start_and_forget(wait_and_tell, &c);
    settle();
    check_story("", "a wait ends though nobody woke it",
                "await_condition: does it wait at all");
    for (int i = 0; i < 3; i++) {
        tell("-");
        condition_wake(&condition);
        settle();
    }
    check_is("await_condition", a.result | b.result | c.result, 0,
             "wake: what the await returns");
    return 0;
}

static void wakes_in_order(void)
{
    doing("three wait for a condition, and are woken one by one",
          "the one that was woken never runs",
          "condition_wake, wake: who becomes ready");
    check_run(wake_one_by_one);
    check_story("-a-b-c",
                "each wake-up is for the one who has waited longest, and for "
                "that one alone",
                "append, condition_wake: from which end of the list; "
                "await_condition: who puts the caller there");
}

static int wait_again(void *arg)
{
    struct waiter *w = arg;
    (void)wait_and_tell(w);
    return wait_and_tell(w);
}

static int wake_them_all(void *unused)
{
    struct condition condition = {0};
    struct waiter a = on(&condition, "a"), b = on(&condition, "b");
    (void)unused;
    start_and_forget(wait_again, &a);
    start_and_forget(wait_again, &b);
    for (int i = 0; i < 2; i++) {
        settle();
        tell("-");
        condition_wake_all(&condition);
        tell(":");
    }
    settle();
    return 0;
}

static void wakes_those_who_wait(void)
{
    doing("two wait for a condition twice, and are woken together", NULL,
          NULL);
    check_run(wake_them_all);
    check_story("-:ab-:ab",
                "waking never switches; all that wait then are woken, and "
                "whoever waits again waits for the next time",
                "condition_wake_all, wake");
}

/* --- Ends --------------------------------------------------------------- */

static int give_five(void *unused)
{
    (void)unused;
    return 5;
}

static int await_ends(void *unused)
{
    struct condition condition = {0};
    struct waiter w = on(&condition, NULL);
    int result = 0;
    (void)unused;
    struct coroutine *c = start(give_five, NULL);
    check_is("the end of one that has not begun", end_of(c), 5, "await_end");
    c = start(give_five, NULL);
    settle();
    check_is("the end of one that has ended", end_of(c), 5,
             "await_end: what if there is nothing to wait for");
    c = start(wait_and_tell, &w);
    check_is("await_end at a deadline", await_end(c, 0, &result), -ETIMEDOUT,
             "await_end");
    settle();
    condition_wake(&condition);
    check_is("the end of one that was awaited before", end_of(c), 0,
             "await_end: the handle is as it was after a deadline");
    coroutine_detach(start(give_five, NULL));
    c = start(give_five, NULL);
    settle();
    coroutine_detach(c); /* it has ended, and is freed now */
    return 0;
}

static void an_end_is_awaited(void)
{
    doing("the end of a coroutine is awaited",
          "the end comes between the look and the sleep, or nobody tells of "
          "it",
          "await_end: what may happen between its look at the state and its "
          "wait; begin: whom it wakes");
    check_run(await_ends);
}

/* --- Descriptors -------------------------------------------------------- */

static int await_descriptors(void *unused)
{
    static char zeroes[65536];
    int fds[2];
    (void)unused;
    get_pair(fds);
    struct waiter reader = {.kind = DESCRIPTOR,
                            .fd = fds[0],
                            .events = POLLIN,
                            .deadline = COROUTINE_NEVER};
    start_and_forget(wait_and_tell, &reader);
    settle();
    lab_check(!reader.done, "a wait ends though nothing has come",
              "await_any: what it waits for",
              "await_fd(POLLIN) gives %s, and nothing is there to be read",
              lab_value(reader.result));
    put_byte(fds[1]);
    settle();
    lab_check(reader.done, "the loop is not told to look at the descriptor",
              "await_any, set_event, on_event",
              "a byte has come, and await_fd(POLLIN) goes on waiting");
    check_is("await_fd(POLLIN)", reader.result, POLLIN, "on_event");
    check_is("await_fd for both, with room and nothing to be read,",
             await_fd(fds[1], POLLIN | POLLOUT, COROUTINE_NEVER) &
                 (POLLIN | POLLOUT),
             POLLOUT,
             "on_event: what was asked for, and what of that has come");
    check_is("await_fd for both",
             await_fd(fds[0], POLLIN | POLLOUT, COROUTINE_NEVER) &
                 (POLLIN | POLLOUT),
             POLLIN | POLLOUT, "on_event: the events that it gives");
    while (send(fds[1], zeroes, sizeof zeroes, 0) > 0)
        continue;
    put_byte(fds[0]); /* to be read there, which is not what is asked for */
    struct waiter writer = {.kind = DESCRIPTOR,
                            .fd = fds[1],
                            .events = POLLOUT,
                            .deadline = COROUTINE_NEVER};
    start_and_forget(wait_and_tell, &writer);
    settle();
    lab_check(!writer.done, "a wait for room ends though there is none",
              "await_any: from which events which of libevent's follow",
              "await_fd(POLLOUT) gives %s, and there is no room, but a byte "
              "to be read",
              lab_value(writer.result));
    while (recv(fds[0], zeroes, sizeof zeroes, 0) > 0)
        continue;
    settle();
    lab_check(writer.done && writer.result == POLLOUT, wrong_return,
              "on_event", "there is room, and await_fd(POLLOUT) %s%s",
              writer.done ? "gives " : "goes on waiting",
              writer.done ? lab_value(writer.result) : "");
    (void)shutdown(fds[1], SHUT_WR);
    check_is("await_fd(POLLIN) at the end",
             await_fd(fds[0], POLLIN, COROUTINE_NEVER), POLLIN, "on_event");
    close_pair(fds);
    return 0;
}

/* What libevent, and epoll, cannot watch: a file. */
static int await_a_file(void *unused)
{
    int file = memfd_create("file", MFD_CLOEXEC);
    (void)unused;
    if (file == -1)
        lab_broken("no file");
    check_is("await_fd(POLLIN) of a file",
             await_fd(file, POLLIN, COROUTINE_NEVER), POLLIN,
             "await_any: when the event cannot be set; poll_now");
    check_is("await_fd(POLLOUT) of a file, with a deadline,",
             await_fd(file, POLLOUT, coroutine_now() + 1000 * MS), POLLOUT,
             "await_any: when the event cannot be set; poll_now");
    (void)close(file);
    return 0;
}

static int take_what_comes(void *arg)
{
    struct waiter *w = arg;
    char byte;
    w->result = wait_once(w);
    (void)!read(w->fd, &byte, 1);
    w->done = true;
    return 0;
}

/* One byte comes, and who runs first takes it. The other one goes on waiting,
 * or has its turn as well; its time is not up. */
static int await_the_same(void *unused)
{
    struct waiter w[2];
    int fds[2];
    (void)unused;
    get_pair(fds);
    for (int i = 0; i < 2; i++) {
        w[i] = (struct waiter){.kind = DESCRIPTOR,
                               .fd = fds[0],
                               .events = POLLIN,
                               .deadline = COROUTINE_NEVER};
        start_and_forget(take_what_comes, &w[i]);
    }
    settle();
    put_byte(fds[1]);
    settle();
    if (!w[0].done || !w[1].done) {
        lab_check(w[0].done || w[1].done, "nobody hears of what has come",
                  "on_event", "a byte has come, and both wait for it still");
        put_byte(fds[1]);
        settle();
    }
    for (int i = 0; i < 2; i++)
        check_is("await_fd(POLLIN), when another one took the byte,",
                 w[i].done ? w[i].result : 0, POLLIN,
                 "on_event: what if there is nothing any more, and no "
                 "deadline has come");
    close_pair(fds);
    return 0;
}

static void waits_for_a_descriptor(void)
{
    doing("a coroutine waits for a descriptor", NULL, NULL);
    check_run(await_descriptors);
    doing("a coroutine waits for a file", NULL, NULL);
    check_run(await_a_file);
    doing("two coroutines wait for one descriptor", NULL, NULL);
    check_run(await_the_same);
}

/* --- Deadlines ---------------------------------------------------------- */

static int sleep_for_ever(void *unused)
{
    struct condition never = {0};
    (void)unused;
    return await_condition(&never, COROUTINE_NEVER);
}

/* One waiter of each kind, for what never comes. */
static void for_ever(struct waiter *w, enum kind kind, const int *fds,
                     struct condition *condition)
{
    *w = on(condition, NULL);
    w->kind = kind;
    w->fd = fds[0];
    w->events = POLLIN;
    if (kind == END)
        w->of = start(sleep_for_ever, NULL);
}

static void let_go(struct waiter *w)
{
    if (w->kind != END)
        return;
    coroutine_cancel(w->of);
    check_is("the end of one that was cancelled", end_of(w->of), -ECANCELED,
             "coroutine_cancel");
}

static int meet_deadlines(void *early)
{
    struct condition condition = {0};
    int fds[2];
    get_pair(fds);
    for (enum kind kind = CONDITION; kind < KINDS; kind++) {
        struct waiter w;
        for_ever(&w, kind, fds, &condition);
        w.deadline = coroutine_now() + 20 * MS;
        doing(kind_names[kind], "the deadline is forgotten",
              "await_any, set_event: with which time the event is set, with "
              "a descriptor and without");
        int result = wait_once(&w);
        check_is(kind_names[kind], result, kind == TIME ? 0 : -ETIMEDOUT,
                 "on_event: what the await returns at its deadline");
        int64_t now = coroutine_now();
        lab_check(early == NULL || now >= w.deadline,
                  "a wait ends before its deadline",
                  "set_event: the time that is left; on_event: what if it "
                  "is called too early",
                  "%s has ended %lld us before its deadline", kind_names[kind],
                  (long long)(w.deadline - now));
        check_is("a deadline that has passed", wait_once(&w),
                 kind == TIME ? 0 : -ETIMEDOUT, "await_any");
        let_go(&w);
    }
    close_pair(fds);
    return 0;
}

struct late {
    struct condition condition;
    int fds[2];
};

static int come_in_time(void *arg)
{
    struct late *late = arg;
    tell("b");
    condition_wake(&late->condition);
    put_byte(late->fds[1]);
    return 0;
}

/* Three wait with a deadline that has passed, and in the turn that they give
 * comes what two of them wait for. */
static int wait_too_late(void *unused)
{
    struct late late = {0};
    int64_t past = coroutine_now() - 1000 * MS;
    (void)unused;
    get_pair(late.fds);
    struct waiter time = {.name = "t", .kind = TIME, .deadline = past};
    struct waiter fd = {.name = "f",
                        .kind = DESCRIPTOR,
                        .fd = late.fds[0],
                        .events = POLLIN,
                        .deadline = past};
    struct waiter condition = on(&late.condition, "c");
    condition.deadline = past;
    start_and_forget(wait_and_tell, &time);
    start_and_forget(wait_and_tell, &fd);
    start_and_forget(wait_and_tell, &condition);
    start_and_forget(come_in_time, &late);
    while (!time.done || !fd.done || !condition.done)
        (void)await_others();
    lab_check(story[0] == 'b',
              "who always comes too late would never let the others run",
              "await_any: a deadline that has passed gives the loop a turn",
              "three wait with a deadline that has passed, and a fourth is "
              "ready: they ended before it ran (%s)",
              story);
    check_is("await_time, with a deadline that has passed,", time.result, 0,
             "await_any");
    check_is("await_condition, woken in the turn that it gives,",
             condition.result, 0, "await_any, on_event: what counts more");
    check_is("await_fd, with a byte that came in the turn that it gives,",
             fd.result, POLLIN, "await_any, on_event: what counts more");
    close_pair(late.fds);
    return 0;
}

static void too_late(void)
{
    doing("three wait with a deadline that has passed",
          "a wait does not end at its deadline",
          "await_any: when the deadline has passed");
    check_run(wait_too_late);
}

static void a_deadline_ends_a_wait(void)
{
    check_run(meet_deadlines);
    too_late();
}

static int keep_turning(void *unused)
{
    (void)unused;
    for (int i = 0; i < 5; i++)
        (void)await_others();
    return 0;
}

/* The loop takes the time at the beginning of its turn: whoever was at work
 * since would be woken too early, if the loop has another turn meanwhile. */
static int work_and_sleep(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        (void)await_others();
        int64_t until = coroutine_now() + 60 * MS;
        while (coroutine_now() < until) /* who slept has the processor next */
            (void)usleep(60000);
        start_and_forget(keep_turning, NULL);
        until = coroutine_now() + 30 * MS;
        check_is("await_time", await_time(until), 0, "await_time");
        int64_t early = until - coroutine_now();
        lab_check(early <= 0,
                  "the loop reckons from the beginning of its "
                  "turn, and calls too early",
                  "on_event: the clock says whether the deadline has come; "
                  "if not, the wait goes on",
                  "await_time has ended %lld us early", (long long)early);
    }
    return meet_deadlines("");
}

static void not_before_the_time(void)
{
    doing("a coroutine is long at work, and then waits for a time", NULL,
          NULL);
    check_run(work_and_sleep);
}

/* --- One wait after the other ------------------------------------------- */

struct scene {
    int fds[4]; /* two pairs */
    struct condition condition;
};

static int wait_for_each(void *arg)
{
    struct scene *scene = arg;
    const int *fds = scene->fds;
    char byte;
    for (int i = 0; i < 2; i++) {
        check_is("await_fd", await_fd(fds[2 * i], POLLIN, COROUTINE_NEVER),
                 POLLIN, "await_any: what is prepared for each wait");
        (void)!read(fds[2 * i], &byte, 1);
        tell("d");
        check_is("await_condition",
                 await_condition(&scene->condition, COROUTINE_NEVER), 0,
                 "await_any, wake: what is left over from the wait before");
        tell("c");
    }
    return 0;
}

static int one_after_the_other(void *unused)
{
    struct scene scene = {.condition = {0}};
    (void)unused;
    get_pair(scene.fds);
    get_pair(scene.fds + 2);
    start_and_forget(wait_for_each, &scene);
    for (int i = 0; i < 2; i++) {
        settle();
        put_byte(scene.fds[2 * i + 1]);
        settle();
        put_byte(scene.fds[2 * i + 1]); /* nobody waits for it any more */
        settle();
        take_byte(scene.fds[2 * i]);
        tell("-");
        condition_wake(&scene.condition);
        settle();
    }
    close_pair(scene.fds);
    close_pair(scene.fds + 2);
    return 0;
}

static bool no_events; /* libevent has no memory for one more */

int __real_event_add(struct event *event, const struct timeval *timeout);
int __wrap_event_add(struct event *event, const struct timeval *timeout);

int __wrap_event_add(struct event *event, const struct timeval *timeout)
{
    return no_events ? -1 : __real_event_add(event, timeout);
}

static int fail_to_wait(void *condition)
{
    no_events = true;
    int error = await_condition(condition, coroutine_now() + 1000 * MS);
    no_events = false;
    return error;
}

/* It could not wait, and ends: then it stands nowhere, and who is woken is
 * another. */
static int wait_in_vain(void *unused)
{
    struct condition condition = {0};
    struct waiter other = on(&condition, "other");
    (void)unused;
    int error = end_of(start(fail_to_wait, &condition));
    check_is("await_condition, with a deadline and without memory,", error,
             -ENOMEM, "await_any: when the event cannot be set");
    start_and_forget(wait_and_tell, &other);
    settle();
    bool early = other.done;
    condition_wake(&condition);
    settle();
    lab_check(!early && other.done && other.result == 0,
              "one who could not wait is still in the list, and is woken in "
              "another's place; or the list leads nowhere",
              "await_any: when the event cannot be set",
              "an await_condition failed, for want of memory; another waits "
              "for the same condition, and %s",
              early ? "ends before it is woken" : "is not woken");
    return 0;
}

static void a_wait_that_fails(void)
{
    doing("one cannot wait for want of memory, and another waits",
          "the one that was woken never runs",
          "await_any: when the event cannot be set");
    check_run(wait_in_vain);
}

static void each_wait_is_its_own(void)
{
    doing("a coroutine waits for one descriptor, a condition, another "
          "descriptor, a condition",
          "it still waits for what it waited for before",
          "await_any: what has to be set anew for each wait");
    check_run(one_after_the_other);
    check_story("d-cd-c", "what came for one wait ends another",
                "wake, on_event: what of a wait is undone when it ends");
    a_wait_that_fails();
}

/* --- Cancelling --------------------------------------------------------- */

static int wait_thrice(void *arg)
{
    struct waiter *w = arg;
    int first = wait_once(w), second = wait_once(w);
    w->result = first == second ? first : -EIO;
    coroutine_uncancel(coroutine_self());
    w->done = true;
    tell("u");
    w->deadline = coroutine_now() + 5 * MS;
    return wait_once(w);
}

static int cancel_each(void *unused)
{
    struct condition condition = {0};
    int fds[2];
    (void)unused;
    get_pair(fds);
    for (enum kind kind = CONDITION; kind < KINDS; kind++) {
        struct waiter w;
        for_ever(&w, kind, fds, &condition);
        struct coroutine *c = start(wait_thrice, &w);
        settle();
        coroutine_cancel(c);
        lab_check(!w.done, "cancelling switches", "coroutine_cancel",
                  "who was cancelled has run before its turn");
        doing(kind_names[kind], "who is cancelled is not woken",
              "coroutine_cancel, wake");
        int result = end_of(c);
        lab_check(w.result == -ECANCELED,
                  "what was cancelled goes on waiting, or its next wait does "
                  "not say it any more: an error that nobody looked at is "
                  "lost",
                  "coroutine_cancel; is_cancelled: who asks for that, before "
                  "it waits",
                  "two times %s, cancelled, do not give -ECANCELED",
                  kind_names[kind]);
        check_is("the wait after coroutine_uncancel", result,
                 kind == TIME ? 0 : -ETIMEDOUT, "await_any");
        let_go(&w);
    }
    /* Who has not begun begins all the same; who is shielded is not told. */
    struct waiter w = on(&condition, "w");
    struct coroutine *c = start(wait_and_tell, &w);
    coroutine_cancel(c);
    check_is("one that was cancelled before it began", end_of(c), -ECANCELED,
             "coroutine_start, coroutine_cancel");
    close_pair(fds);
    return 0;
}

struct cleaning {
    struct condition condition;
    int shielded;
    int after;
};

static int clean_up(void *arg)
{
    struct cleaning *c = arg;
    coroutine_shield();
    c->shielded = await_condition(&c->condition, COROUTINE_NEVER);
    coroutine_unshield();
    c->after = await_others();
    return 0;
}

/* Cancelled while it waits under a shield: that wait goes on. */
static int cancel_the_shielded(void *unused)
{
    struct cleaning cleaning = {.shielded = 1, .after = 1};
    (void)unused;
    struct coroutine *c = start(clean_up, &cleaning);
    settle();
    coroutine_cancel(c);
    settle();
    lab_check(cleaning.shielded == 1,
              "who cleans up would be interrupted, and what it holds is lost",
              "coroutine_cancel: coroutine_shield",
              "a shielded wait was cancelled: it gives %s",
              lab_value(cleaning.shielded));
    condition_wake(&cleaning.condition);
    (void)end_of(c);
    check_is("a shielded wait, cancelled and then woken,", cleaning.shielded,
             0, "wake: what the await returns");
    check_is("the first await behind the shield", cleaning.after, -ECANCELED,
             "is_cancelled: the shield is gone");
    return 0;
}

static void shields_hold(void)
{
    doing("one who waits under a shield is cancelled, and then woken",
          "the one that was woken never runs", "coroutine_cancel, wake");
    check_run(cancel_the_shielded);
}

static void cancelling_comes_out(void)
{
    check_run(cancel_each);
    check_story("uuuuw",
                "who was cancelled before it began must begin all "
                "the same: its argument is its own to free",
                "coroutine_cancel");
    shields_hold();
}

static int forget_cancelled(void *unused)
{
    struct condition condition = {0}, other = {0};
    struct waiter a = on(&condition, "a"), b = on(&condition, "b");
    int fds[2];
    (void)unused;
    struct coroutine *c = start(wait_and_tell, &a);
    start_and_forget(wait_and_tell, &b);
    settle();
    coroutine_cancel(c);
    condition_wake(&condition);
    settle();
    check_is("who was cancelled", end_of(c), -ECANCELED, "coroutine_cancel");
    lab_check(b.done, "the wake-up went to one that does not wait any more",
              "wake: what is undone of a wait that ends by cancelling",
              "of two that wait the first is cancelled, then one is woken, "
              "and the second does not run");
    /* The descriptor is not looked at any more, either. */
    get_pair(fds);
    struct waiter d = {.kind = DESCRIPTOR,
                       .fd = fds[0],
                       .events = POLLIN,
                       .condition = &other,
                       .deadline = COROUTINE_NEVER};
    c = start(wait_thrice, &d);
    settle();
    coroutine_cancel(c);
    settle();
    put_byte(fds[1]);
    settle();
    struct waiter e = on(&other, "e");
    start_and_forget(wait_and_tell, &e);
    (void)end_of(c);
    settle();
    lab_check(!e.done, "an event of a wait that has ended ends another",
              "wake: event_del", "one that nobody woke has gone on: %s",
              lab_value(e.result));
    condition_wake(&other);
    settle();
    close_pair(fds);
    return 0;
}

static void a_cancelled_wait_is_forgotten(void)
{
    doing("one of two that wait is cancelled", NULL, NULL);
    check_run(forget_cancelled);
}

static int wait_twice(void *arg)
{
    struct waiter *w = arg;
    w->result = wait_once(w);
    return wait_once(w);
}

static int wake_then_cancel(void *unused)
{
    struct condition condition = {0};
    struct waiter w = on(&condition, NULL), v = on(&condition, NULL);
    (void)unused;
    struct coroutine *c = start(wait_twice, &w);
    settle();
    condition_wake(&condition);
    coroutine_cancel(c);
    check_is("the wait after that", end_of(c), -ECANCELED, "coroutine_cancel");
    check_is("one that was woken, then cancelled", w.result, 0,
             "wake: it has been woken already");
    c = start(wait_twice, &v);
    settle();
    coroutine_cancel(c);
    condition_wake(&condition);
    (void)end_of(c);
    check_is("one that was cancelled, then woken", v.result, -ECANCELED,
             "wake: it is not in the list any more");
    return 0;
}

static void what_came_first_counts(void)
{
    doing("one is woken and cancelled before it runs", NULL, NULL);
    check_run(wake_then_cancel);
}

static int sleep_beside(void *unused)
{
    struct condition condition = {0};
    struct waiter w = on(&condition, NULL), v = on(&condition, NULL);
    int fds[2];
    (void)unused;
    get_pair(fds);
    v.kind = DESCRIPTOR;
    v.fd = fds[0];
    v.events = POLLIN;
    start_and_forget(wait_and_tell, &w);
    start_and_forget(wait_and_tell, &v);
    settle();
    unsigned before = turns_looks;
    (void)await_time(coroutine_now() + 100 * MS);
    unsigned looks = turns_looks - before;
    lab_check(!w.done && !v.done, "a wait ends though nothing has come",
              "await_condition, await_any",
              "nobody woke them, and a tenth of a second later %s has gone on",
              w.done ? "who waits for a condition"
                     : "who waits for a descriptor");
    lab_check(looks < 30, "who waits runs in a circle instead of sleeping",
              "await_any: who sleeps, and until when",
              "while three coroutines waited for a tenth of a second the "
              "loop went round %u times",
              looks);
    put_byte(fds[1]);
    condition_wake(&condition);
    settle();
    close_pair(fds);
    return 0;
}

static void waiting_is_sleeping(void)
{
    doing("three coroutines wait", NULL, NULL);
    check_run(sleep_beside);
}

int main(void)
{
    static const struct lab_test tests[] = {
        {"wakes_in_order", wakes_in_order},
        {"wakes_those_who_wait", wakes_those_who_wait},
        {"an_end_is_awaited", an_end_is_awaited},
        {"waits_for_a_descriptor", waits_for_a_descriptor},
        {"a_deadline_ends_a_wait", a_deadline_ends_a_wait},
        {"not_before_the_time", not_before_the_time},
        {"each_wait_is_its_own", each_wait_is_its_own},
        {"cancelling_comes_out", cancelling_comes_out},
        {"a_cancelled_wait_is_forgotten", a_cancelled_wait_is_forgotten},
        {"what_came_first_counts", what_came_first_counts},
        {"waiting_is_sleeping", waiting_is_sleeping},
        {0}};
    return lab_main(tests);
}

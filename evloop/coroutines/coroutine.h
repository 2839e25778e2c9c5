/*
 * coroutine: functions that wait in a loop's thread without holding it up.
 *
 *     Python                               here
 *     asyncio.run(main())                  coroutines_run(c, f, arg)
 *     asyncio.create_task(f(x))            coroutine_start(f, arg)
 *     await task                           await_end(task, deadline, &result)
 *     asyncio.current_task()               coroutine_self()
 *     await asyncio.sleep(s)               await_time(deadline)
 *     await asyncio.sleep(0)               await_others()
 *     await loop.sock_recv(...)            await_fd(fd, POLLIN, deadline),
 *                                          then recv
 *     async with condition:
 *         await condition.wait()           await_condition(&list, deadline)
 *         condition.notify_all()           condition_wake_all(&list)
 *     await asyncio.to_thread(f, x)        await_call: aside.h
 *     async with asyncio.timeout(s)        a deadline, given to each await;
 *                                          or a group's
 *     task.cancel(), task.uncancel()       coroutine_cancel, _uncancel
 *     asyncio.shield(...)                  coroutine_shield(), _unshield()
 *     async with asyncio.TaskGroup()       struct coroutine_group: group.h
 *     asyncio.gather(...)                  start several, await_end each
 *
 * A coroutine is a function with a stack of its own. Where a thread sleeps in
 * the kernel, a coroutine tells libevent's loop what it waits for and switches
 * to the loop's stack; when it has come, the loop switches back. So the code
 * reads straight down as a thread's does, and its state is on its stack. Only
 * the loop waits, for all of them.
 *
 * WHAT MAY SWITCH: a function whose name begins with await_, or that calls one.
 * Between two awaits no other coroutine runs, so what they share needs no
 * lock, and no wake-up is lost between a look and the await after it. After an
 * await everything shared may have changed. Starting, waking and cancelling a
 * coroutine never switch: it runs when the loop comes to it, in that order. A
 * coroutine that does not await keeps all others waiting; if it is long at
 * work, it calls await_others now and then.
 *
 * DEADLINES are microseconds of coroutine_now, COROUTINE_NEVER for none. An
 * await whose deadline has passed gives the loop a turn all the same. If what
 * it waits for is ready then, that counts more than the deadline.
 *
 * CANCELLATION comes out of an await as -ECANCELED, and it stays: every
 * further await returns it too, at once. So it is not lost where code does not
 * look at the error. (asyncio throws once.) A coroutine that has to wait while
 * it cleans up shields itself meanwhile. What came before the cancelling
 * counts: that await returns it, and the next is cancelled. A coroutine that
 * has not begun begins all the same, since it must free its argument.
 *
 * ERRORS: a coroutine's function returns 0 or a negative errno, which
 * await_end hands over. Nothing is printed.
 *
 * STACKS are COROUTINE_STACK bytes of address space, of which the touched
 * pages take memory: one to three, mostly. (ulimit -s does not matter.) Stacks
 * of ended coroutines are kept for later ones, STACKS_KEPT at most. Below each
 * are 64 KiB that cannot be touched: a coroutine that runs out of stack ends
 * the program, unless one function's variables are larger than that. Linux
 * allows some 65,000 mappings, and a stack takes two: beyond 32,000 coroutines
 * none can be started.
 *
 * A struct coroutines and all of it belong to the thread that runs it.
 */
#ifndef TRIPTYCH_COROUTINE_H
#define TRIPTYCH_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coroutine;
struct coroutines;
struct event_base;

#define COROUTINE_STACK ((size_t)128 * 1024)
#define COROUTINE_NEVER INT64_MAX
#define STACKS_KEPT     ((size_t)64)

/* The coroutines that wait for something to become true, first come first. A
 * struct of zeroes: none. */
struct condition {
    struct coroutine *first;
    struct coroutine *last;
};

/* --- The loop ----------------------------------------------------------- */

/* Prepares for coroutines on the base, which must outlive them. 0 or
 * -ENOMEM. */
int coroutines_open(struct coroutines **coroutines, struct event_base *base);

/* Runs f(arg) as a coroutine, and the loop until it and all coroutines that it
 * started have ended. When f returns, those that are left are cancelled.
 * Returns what f returned; -ENOMEM if it could not be started; -EIO if the
 * loop failed. Not to be called by a coroutine. event_base_loopbreak and
 * _loopexit do not end it: cancel f's coroutine. */
int coroutines_run(struct coroutines *coroutines, int (*f)(void *arg),
                   void *arg);

/* Unmaps the stacks that are kept: memory is short. True if there were any. */
bool coroutines_trim(struct coroutines *coroutines);

/* Gives the memory back. After coroutines_run no coroutine is left. */
void coroutines_close(struct coroutines *coroutines);

/* Microseconds of a clock that cannot be set. */
int64_t coroutine_now(void);

/* --- One coroutine ------------------------------------------------------ */

/* Has f(arg) run as a coroutine of the loop that runs here. The handle is
 * valid until await_end has returned 0, or after coroutine_detach until the
 * coroutine ends. NULL: memory is short, or no loop runs here. */
struct coroutine *coroutine_start(int (*f)(void *arg), void *arg);

/* Its end will not be awaited. */
void coroutine_detach(struct coroutine *coroutine);

/* The coroutine that runs; NULL in a callback of the loop, and outside. */
struct coroutine *coroutine_self(void);

/* Has the coroutine's awaits return -ECANCELED from now on; until
 * _uncancel. */
void coroutine_cancel(struct coroutine *coroutine);
void coroutine_uncancel(struct coroutine *coroutine);

/* Between these two the caller's awaits are not cancelled. They nest. */
void coroutine_shield(void);
void coroutine_unshield(void);

/* --- Waiting ------------------------------------------------------------ */

/* Each is for a coroutine to call, may switch, and returns -ECANCELED if the
 * coroutine is cancelled. Called elsewhere it ends the program, by abort. */

/* Until the deadline. 0. */
int await_time(int64_t deadline);

/* Until every other coroutine and descriptor that is ready has had its turn.
 * 0. */
int await_others(void);

/*
 * Until the descriptor (-1: none) polls for one of `events`, POLLIN and
 * POLLOUT. Returns those that it polls for; an error or a hang-up counts as
 * both. -ETIMEDOUT at the deadline; -ENOMEM. What cannot be waited for (a file)
 * is ready at once; libevent logs that. The descriptor must not be closed
 * meanwhile.
 */
int await_fd(int fd, short events, int64_t deadline);

/* Until it is woken. 0; -ETIMEDOUT; -ENOMEM, with a deadline. */
int await_condition(struct condition *condition, int64_t deadline);

/* Until the coroutine has ended: 0, its result is in *result and the handle
 * is void. -ETIMEDOUT, with the handle as it was. Only one coroutine may wait
 * for it, and not itself. Who is neither awaited nor detached is leaked. */
int await_end(struct coroutine *coroutine, int64_t deadline, int *result);

/* Wakes the first coroutine that waits, or all. */
void condition_wake(struct condition *condition);
void condition_wake_all(struct condition *condition);

#ifdef __cplusplus
}
#endif

#endif

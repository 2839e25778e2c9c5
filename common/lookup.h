/*
 * lookup: the addresses of a name, by a thread that can be left.
 *
 * getaddrinfo alone knows what the system knows: the hosts file, search
 * domains, the next name server when the first is dead. But it waits as long
 * as it likes, and nothing stops it. So it is called in a helper thread, and a
 * look-up is for all others a descriptor that becomes readable: a worker
 * polls it along with its limit, an event loop along with everything else.
 * (asyncio and libuv do the same.) This is why this module of common/ makes
 * threads: no model may wait for getaddrinfo without a limit.
 *
 *     lookup_begin --> queue --> a thread: getaddrinfo --> done
 *
 * A look-up belongs to all who asked and to the thread at work on it; the last
 * frees it. So a request whose time is up just leaves: it does not wait for
 * the thread, which ends by itself, or with the program.
 *
 * At most LOOKUP_THREADS run at once. Requests for the same name share one
 * look-up while it is under way, so a name whose server is silent takes one
 * thread, however often it is asked for, and others go on beside it. Only so
 * many silent names at once would keep the rest in the queue, each until its
 * own limit; and not for ever, for the resolver gives up by itself (after ten
 * seconds, by default, for each name server). A look-up that is left in the
 * queue is taken out of it.
 *
 * (It is not the event loop's helper: there a file would wait for a name.)
 *
 * Any thread may call; but for lookup_begin with `may_wait`, none waits.
 */
#ifndef TRIPTYCH_LOOKUP_H
#define TRIPTYCH_LOOKUP_H

#include "result.h"
#include "url.h"

#include <netdb.h>
#include <stdbool.h>

#define LOOKUP_THREADS 32

struct lookup;

/*
 * Begins to look the URL's host up; *lookup is then the caller's, for
 * lookup_drop. Addresses in digits are there at once. When no thread can be
 * made, and none is at work, a caller that `may_wait` looks the name up
 * itself. 0, or a negative errno and NULL in *lookup: memory, descriptors or
 * threads are short.
 */
int lookup_begin(const struct url *url, bool may_wait, struct lookup **lookup);

/* Polls as readable when the answer is there; for this only, until
 * lookup_answer. -1: it is there already. */
int lookup_fd(const struct lookup *lookup);

/* The answer, when it is there; to be asked for once. RESULT_OK and a list of
 * addresses, valid until lookup_drop; else RESULT_DNS or RESULT_NO_RESOURCES,
 * with words that live for ever in *cause. */
enum result lookup_answer(struct lookup *lookup,
                          const struct addrinfo **addresses,
                          const char **cause);

/* The caller is done with it, at any time. Nothing for NULL. */
void lookup_drop(struct lookup *lookup);

#endif

/*
 * look: what a process and its children are doing, seen from outside.
 *
 * All of it is read from /proc, so it holds for any way in which the code
 * under test may be written. Nothing here depends on speed: that nothing will
 * ever happen again is known by the state of the processes - all of them
 * asleep, again and again, and none woken in between - and not by a time.
 */
#ifndef LOOK_H
#define LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Its state as ps prints it: 'R', 'S', 'T', 'Z' ...; 0 when it is gone. */
char look_state(pid_t pid);

/* The children of a process, oldest first, zombies among them. Returns how
 * many were stored; at most `most`. */
int look_children(pid_t parent, pid_t *children, int most);

/* How many of its children are zombies, and how many live. */
int look_zombies(pid_t parent);
int look_living(pid_t parent);

/* Descriptors that it has open. */
int look_descriptors(pid_t pid);

/* One end of a pipe, as some process holds it. */
struct look_end {
    int fd;
    unsigned long pipe; /* the same for both ends */
    bool writes;
};

/* The ends of pipes that a process holds, but for those of the standard
 * streams. Returns how many were stored; at most `most`. */
int look_ends(pid_t pid, struct look_end *ends, int most);

/* True if the process holds that end of that pipe. */
bool look_holds(pid_t pid, unsigned long pipe, bool writes);

/* What the descriptor's link in /proc says: "pipe:[123]", "/dev/null". */
void look_target(pid_t pid, int fd, char *text, size_t size);

/* How many bytes lie in the fullest of the pipes that the process reads from.
 * *full (if not NULL): whether that one has no room for more. */
int look_in_pipes(pid_t reader, bool *full);

enum look {
    LOOK_REACHED, /* the condition is true */
    LOOK_ASLEEP,  /* all sleep (or are dead), and nothing will wake them */
    LOOK_BUSY     /* it used seconds of processor time, and still is not */
};

/* Waits until the condition is true. While it is not, it watches `root` and
 * all that descends from it, to tell when it never will be. */
enum look look_until(pid_t root, bool (*reached)(void *context),
                     void *context);

/* For look_until: *(pid_t *)context has ended. */
bool look_ended(void *context);

/* Runs a part of a test in a child, and watches it: it fails when the child
 * stands still, or spins, or dies. What it was at then, what that means and
 * where to look is what look_doing said last; it may use lab_check as well. */
void look_run(void (*actor)(void));
void look_doing(const char *doing, const char *means, const char *look);

/* Puts into words what `root` and its children are doing. The text is good
 * until the next call. */
const char *look_words(pid_t root);

#endif

/*
 * practice: a practice server of one's own, for one measurement.
 */
#ifndef TRIPTYCH_PRACTICE_H
#define TRIPTYCH_PRACTICE_H

#include "measure.h"

#include <stddef.h>
#include <sys/types.h>

/* Starts the program `path` on a free port, with one more option (NULL: none),
 * as `setting` says (NULL: in the usual way). It is ready on return, and `base` is the beginning of its URLs,
 * "http://127.0.0.1:PORT/". 0 or a negative errno. */
int practice_start(const char *path, const char *option,
                   const struct measure_setting *setting, pid_t *pid,
                   char *base, size_t size);

/* Ends it and waits until it has ended. */
void practice_stop(pid_t pid);

#endif

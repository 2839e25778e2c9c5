/*
 * scratch: a directory of one's own for files that are removed at the end. In
 * memory where there is room: the disk is not what is measured.
 */
#ifndef TRIPTYCH_SCRATCH_H
#define TRIPTYCH_SCRATCH_H

#include <stddef.h>

/* Makes one below TMPDIR, or below /dev/shm if there is a GiB of room, or
 * below /tmp; its name begins with `name`. 0, or a negative errno and "". */
int scratch_make(const char *name, char *path, size_t size);

/* Removes a directory with all that is in it. */
void scratch_remove(const char *path);

#endif

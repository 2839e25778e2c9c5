/*
 * upload: the file of --upload, read piece by piece.
 *
 * One descriptor serves every request, in every worker: each reads at its own
 * offset (pread), and never more than a piece of the file is in memory.
 * Reading a regular file may wait for the disk.
 */
#ifndef TRIPTYCH_UPLOAD_H
#define TRIPTYCH_UPLOAD_H

#include "exchange.h"
#include "options.h"

#include <sys/types.h>

/* Opens the file, if there is to be one, and fills its descriptor and size
 * into the options. 0 or a negative errno as of regular_open: the size is
 * announced before the first byte, and each request reads the file anew. */
int upload_open(struct options *options);

/* Closes it. */
void upload_close(struct options *options);

/* Reads what the exchange has to send next: `size` bytes, or all that are left
 * if those are less. Returns how many; 0 when that failed, of which the
 * exchange is told. Any thread. */
size_t upload_read(const struct options *options, struct exchange *x,
                   char *buffer, size_t size);

/* The same in two parts, for who has another thread read, which may not touch
 * the exchange: reads from the offset, and returns `size`; 0 when the file has
 * become shorter; or a negative errno; (A part would not do: TLS must be given
 * again what it could not send at once.) */
ssize_t upload_read_at(const struct options *options, uint64_t offset,
                       char *buffer, size_t size);

/* ... and tells the exchange of what that returned, which is not positive. */
void upload_failed(struct exchange *x, ssize_t n);

#endif

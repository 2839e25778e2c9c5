/*
 * regular: regular files, opened to be read.
 *
 * Nothing but a regular file will do where its end must be known to come, or
 * its bytes be read twice: a FIFO, a device or a terminal may never end.
 */
#ifndef TRIPTYCH_REGULAR_H
#define TRIPTYCH_REGULAR_H

#include "result.h"

#include <stdint.h>

/* Opens the regular file `path` to be read, without waiting. A
 * descriptor, and its size in bytes in *size; or a negative errno: -ESPIPE for
 * what is not regular, -EISDIR for a directory. */
int regular_open(const char *path, uint64_t *size);

/* What a negative errno of opening or reading is for a request, and, in words
 * that live until the next call of strerror, for a person. */
enum result regular_result(int error);
const char *regular_fault(int error);

#endif

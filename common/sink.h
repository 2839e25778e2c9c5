/*
 * sink: where bodies end up as files, or nowhere.
 *
 * (Standard output is not here: how its order is kept is where the three
 * models differ.) A body in the directory appears under its name only when it
 * is whole: it is written to a file beside it and renamed. The name of that
 * file follows from a random number of the sink and the job's id, so that the
 * parent of a killed worker can remove what it left. Nothing else has that
 * name: not the name of another body, which a server's page may have chosen,
 * and not another run in this directory, whose process may have the same
 * number, in another container.
 *
 * A struct sink may be used by any thread; a struct file by one at a time.
 */
#ifndef TRIPTYCH_SINK_H
#define TRIPTYCH_SINK_H

#include "jobs.h"
#include "options.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sink {
    int directory; /* descriptor; -1 when bodies are discarded */
    bool sync;     /* file and name are on the disk before it counts */
    pid_t owner;   /* the process that made it */
    uint64_t key;  /* random */
};

/* One body on its way. Start from FILE_NONE. */
struct file {
    int fd;         /* -1: not opened yet */
    uint64_t bytes; /* taken so far */
};

#define FILE_NONE ((struct file){.fd = -1})

/* Opens the directory, and makes it and its parents if need be; with --sync
 * their names are on the disk, too. 0, or a negative errno. Does nothing when
 * there is no --directory. */
int sink_open(struct sink *sink, const struct options *options);

void sink_close(struct sink *sink);

/* Takes all of `n` bytes of the job's body, or fails with a negative errno.
 * May wait for the disk. */
int sink_write(struct sink *sink, struct file *file, const struct job *job,
               const char *p, size_t n);

/* The body is whole: gives the file its name. 0 or a negative errno. The file
 * is closed either way, and nothing is left of it on an error. With --sync it
 * waits for the disk, twice: for the bytes, or the name could get there before
 * them; then for the name. */
int sink_commit(struct sink *sink, struct file *file, const struct job *job);

/* Forgets what was written, for a new try or for good. */
void sink_abort(struct sink *sink, struct file *file, const struct job *job);

/* Removes what a killed worker may have left of the job. */
void sink_remove(struct sink *sink, const struct job *job);

#endif

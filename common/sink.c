/* sink: where bodies end up as files, or nowhere. See sink.h. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_SIZE 64

/* Returns when the disk has it. 0 or a negative errno. */
static int sync_fd(int fd)
{
    while (fsync(fd) == -1) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* The name of a new directory is in the one above it. `..` leads there even
 * if the path is a symbolic link's. 0 or a negative errno. */
static int sync_parent(const char *path)
{
    int made = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made == -1)
        return -errno;
    int parent = openat(made, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = parent != -1 ? sync_fd(parent) : -errno;
    if (parent != -1)
        (void)close(parent);
    (void)close(made);
    return error;
}

/* mkdir -p. What cannot be made on the way shows at the last one. */
static int make_directories(const char *path, bool sync)
{
    int error = 0;
    char *part = strdup(path);
    if (part == NULL)
        return -ENOMEM;
    for (char *at = part + 1; *part != '\0' && *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(part, 0777) == 0 && sync && error == 0)
            error = sync_parent(part);
        *at = '/';
    }
    bool made = mkdir(part, 0777) == 0;
    if (!made && errno != EEXIST)
        error = -errno;
    if (made && sync && error == 0)
        error = sync_parent(part);
    free(part);
    return error;
}

int sink_open(struct sink *sink, const struct options *options)
{
    *sink = (struct sink){
        .directory = -1, .sync = options->sync, .owner = getpid()};
    if (options->directory == NULL)
        return 0;
    if (getentropy(&sink->key, sizeof sink->key) == -1)
        return -errno;
    int error = make_directories(options->directory, options->sync);
    if (error != 0)
        return error;
    sink->directory =
        open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return sink->directory == -1 ? -errno : 0;
}

void sink_close(struct sink *sink)
{
    if (sink->directory != -1)
        (void)close(sink->directory);
    sink->directory = -1;
}

static void temporary_name(const struct sink *sink, const struct job *job,
                           char name[TEMPORARY_SIZE])
{
    snprintf(name, TEMPORARY_SIZE, ".fetch-%016" PRIx64 "-%" PRIu64 ".part",
             sink->key, job->id);
}

static int open_temporary(struct sink *sink, struct file *file,
                          const struct job *job)
{
    char name[TEMPORARY_SIZE];
    /* rename would find out as well, but only after the whole body. */
    if (strlen(job->name) > NAME_MAX)
        return -ENAMETOOLONG;
    temporary_name(sink, job, name);
    file->fd =
        openat(sink->directory, name,
               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    return file->fd == -1 ? -errno : 0;
}

int sink_write(struct sink *sink, struct file *file, const struct job *job,
               const char *p, size_t n)
{
    if (sink->directory == -1) {
        file->bytes += n;
        return 0;
    }
    if (file->fd == -1) {
        int error = open_temporary(sink, file, job);
        if (error != 0)
            return error;
    }
    while (n > 0) {
        ssize_t written = write(file->fd, p, n);
        if (written == -1 && errno == EINTR)
            continue;
        if (written <= 0)
            return written == 0 ? -EIO : -errno;
        file->bytes += (size_t)written;
        p += written;
        n -= (size_t)written;
    }
    return 0;
}

void sink_remove(struct sink *sink, const struct job *job)
{
    char name[TEMPORARY_SIZE];
    if (sink->directory == -1)
        return;
    temporary_name(sink, job, name);
    (void)unlinkat(sink->directory, name, 0);
}

void sink_abort(struct sink *sink, struct file *file, const struct job *job)
{
    if (file->fd != -1) {
        (void)close(file->fd);
        sink_remove(sink, job);
    }
    *file = FILE_NONE;
}

int sink_commit(struct sink *sink, struct file *file, const struct job *job)
{
    char name[TEMPORARY_SIZE];
    if (sink->directory == -1)
        return 0;
    if (file->fd == -1) { /* the body is empty */
        int error = open_temporary(sink, file, job);
        if (error != 0)
            return error;
    }
    temporary_name(sink, job, name);
    int error = sink->sync ? sync_fd(file->fd) : 0;
    /* A file system may report a failed write only now. On Linux the
     * descriptor is gone even when close fails, EINTR included. */
    if (close(file->fd) == -1 && errno != EINTR && error == 0)
        error = -errno;
    file->fd = -1;
    /* rename replaces a symbolic link, it does not follow it. */
    if (error == 0 &&
        renameat(sink->directory, name, sink->directory, job->name) == -1)
        error = -errno;
    if (error != 0) {
        (void)unlinkat(sink->directory, name, 0);
        return error;
    }
    if (sink->sync)
        error = sync_fd(sink->directory);
    if (error != 0)
        (void)unlinkat(sink->directory, job->name, 0);
    return error;
}

/* upload: the file of --upload, read piece by piece. See upload.h. */
#include "upload.h"

#include "clock.h"
#include "regular.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int upload_open(struct options *options)
{
    if (options->upload == NULL)
        return 0;
    int fd = regular_open(options->upload, &options->upload_size);
    char byte;
    if (fd < 0)
        return fd;
    /* There are files that do not say how long they are (/proc has some), and
     * the length is announced before the first byte. */
    if (options->upload_size == 0 && pread(fd, &byte, 1, 0) > 0) {
        (void)close(fd);
        return -ESPIPE;
    }
    options->upload_fd = fd;
    return 0;
}

void upload_close(struct options *options)
{
    if (options->upload_fd != -1)
        (void)close(options->upload_fd);
    options->upload_fd = -1;
}

ssize_t upload_read_at(const struct options *options, uint64_t offset,
                       char *buffer, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = pread(options->upload_fd, buffer + got, size - got,
                          (off_t)(offset + got));
        if (n == 0)
            return 0;
        if (n == -1 && errno != EINTR)
            return -errno;
        got += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)got;
}

void upload_failed(struct exchange *x, ssize_t n)
{
    exchange_failed(x, RESULT_FILE_ERROR,
                    n == 0 ? "the file has become shorter" : strerror((int)-n),
                    clock_us());
}

size_t upload_read(const struct options *options, struct exchange *x,
                   char *buffer, size_t size)
{
    uint64_t offset;
    uint64_t left = exchange_upload(x, &offset);
    if (left < size)
        size = (size_t)left;
    ssize_t n = upload_read_at(options, offset, buffer, size);
    if (n <= 0)
        upload_failed(x, n);
    return n > 0 ? (size_t)n : 0;
}

/* upload: the file of --upload, read piece by piece. See upload.h. */
#include "upload.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int upload_open(struct options *options)
{
    struct stat status;
    if (options->upload == NULL)
        return 0;
    /* Non-blocking, not to wait for the writer of a FIFO. */
    int fd = open(options->upload, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1)
        return -errno;
    int error = 0;
    if (fstat(fd, &status) == -1)
        error = -errno;
    else if (!S_ISREG(status.st_mode))
        error = S_ISDIR(status.st_mode) ? -EISDIR : -ESPIPE;
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    options->upload_fd = fd;
    options->upload_size = (uint64_t)status.st_size;
    return 0;
}

void upload_close(struct options *options)
{
    if (options->upload_fd != -1)
        (void)close(options->upload_fd);
    options->upload_fd = -1;
}

size_t upload_read(const struct options *options, struct exchange *x,
                   char *buffer, size_t size)
{
    uint64_t offset;
    uint64_t left = exchange_upload(x, &offset);
    ssize_t n;
    if (left < size)
        size = (size_t)left;
    do
        n = pread(options->upload_fd, buffer, size, (off_t)offset);
    while (n == -1 && errno == EINTR);
    if (n <= 0)
        exchange_failed(x, RESULT_FILE_ERROR,
                        n == 0 ? "the file has become shorter"
                               : strerror(errno),
                        clock_us());
    return n > 0 ? (size_t)n : 0;
}

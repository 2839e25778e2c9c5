/* regular: regular files, opened to be read. See regular.h. */
#include "regular.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int regular_open(const char *path, uint64_t *size)
{
    struct stat status;
    /* Non-blocking: to open a FIFO is to wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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
    *size = (uint64_t)status.st_size;
    return fd;
}

enum result regular_result(int error)
{
    switch (-error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return RESULT_NO_RESOURCES;
    default:
        return RESULT_FILE_ERROR;
    }
}

const char *regular_fault(int error)
{
    return error == -ESPIPE ? "not a regular file" : strerror(-error);
}

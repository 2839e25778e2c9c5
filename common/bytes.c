/* bytes: a block of memory that grows. See bytes.h. */
#include "bytes.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_lend(struct bytes *bytes, char *room, size_t n)
{
    *bytes = (struct bytes){.data = room, .capacity = n, .lent = true};
}

int bytes_reserve(struct bytes *bytes, size_t more)
{
    if (more <= bytes->capacity - bytes->length)
        return 0;
    if (more > SIZE_MAX / 2 - bytes->length)
        return -ENOMEM;
    /* Doubling keeps the cost of many small appends linear. */
    size_t capacity = bytes->capacity != 0 ? bytes->capacity : 64;
    while (capacity < bytes->length + more)
        capacity *= 2;
    char *data = realloc(bytes->lent ? NULL : bytes->data, capacity);
    if (data == NULL)
        return -ENOMEM;
    if (bytes->lent)
        memcpy(data, bytes->data, bytes->length);
    bytes->lent = false;
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

int bytes_append(struct bytes *bytes, const void *data, size_t n)
{
    if (n == 0)
        return 0;
    if (bytes_reserve(bytes, n) != 0)
        return -ENOMEM;
    memcpy(bytes->data + bytes->length, data, n);
    bytes->length += n;
    return 0;
}

int bytes_print(struct bytes *bytes, const char *format, ...)
{
    va_list arguments;
    size_t room = 1; /* for the NUL that vsnprintf ends it with */
    for (;;) {
        if (bytes_reserve(bytes, room) != 0)
            return -ENOMEM;
        room = bytes->capacity - bytes->length;
        va_start(arguments, format);
        int n =
            vsnprintf(bytes->data + bytes->length, room, format, arguments);
        va_end(arguments);
        if (n < 0)
            return -ENOMEM;
        if ((size_t)n < room) {
            bytes->length += (size_t)n;
            return 0;
        }
        room = (size_t)n + 1; /* it did not fit: once more */
    }
}

void bytes_drop(struct bytes *bytes, size_t n)
{
    if (n >= bytes->length) {
        bytes->length = 0;
        return;
    }
    memmove(bytes->data, bytes->data + n, bytes->length - n);
    bytes->length -= n;
}

void bytes_free(struct bytes *bytes)
{
    if (!bytes->lent)
        free(bytes->data);
    *bytes = (struct bytes){0};
}

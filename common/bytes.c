/* bytes: a block of memory that grows. See bytes.h. */
#include "bytes.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    char *data = realloc(bytes->data, capacity);
    if (data == NULL)
        return -ENOMEM;
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
    va_start(arguments, format);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    /* One byte more: vsnprintf ends what it writes with a NUL. */
    if (n < 0 || bytes_reserve(bytes, (size_t)n + 1) != 0)
        return -ENOMEM;
    va_start(arguments, format);
    vsnprintf(bytes->data + bytes->length, (size_t)n + 1, format, arguments);
    va_end(arguments);
    bytes->length += (size_t)n;
    return 0;
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
    free(bytes->data);
    *bytes = (struct bytes){0};
}

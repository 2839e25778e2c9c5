/* race_record: an asciicast. See race_record.h. */
#include "race_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void write_line(struct record *record, const char *line, size_t n)
{
    ssize_t written;
    if (record->error != 0)
        return;
    do
        written = write(record->fd, line, n);
    while (written == -1 && errno == EINTR);
    if (written != (ssize_t)n)
        record->error = written == -1 ? -errno : -ENOSPC;
}

int record_open(struct record *record, const char *path, int width, int height,
                const char *title)
{
    char line[300];
    *record = (struct record){.begun = seconds_now()};
    record->fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    if (record->fd == -1)
        return -errno;
    int n = snprintf(line, sizeof line,
                     "{\"version\": 2, \"width\": %d, \"height\": %d, "
                     "\"timestamp\": %lld, \"title\": \"%s\", "
                     "\"env\": {\"TERM\": \"xterm-256color\"}}\n",
                     width, height, (long long)time(NULL), title);
    write_line(record, line, (size_t)n);
    return record->error;
}

/* Writes an event; what is sent is ASCII. */
static void write_event(struct record *record, char kind, const char *text,
                        size_t n)
{
    char *line = NULL;
    size_t length = 0;
    if (record->fd == -1 || n == 0)
        return;
    FILE *out = open_memstream(&line, &length);
    if (out == NULL) {
        record->error = -ENOMEM;
        return;
    }
    fprintf(out, "[%.3f, \"%c\", \"", seconds_now() - record->begun, kind);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c >= 0x20 && c < 0x7f)
            (void)putc(c, out);
        else
            fprintf(out, "\\u%04x", c);
    }
    fputs("\"]\n", out);
    if (fclose(out) == 0)
        write_line(record, line, length);
    else
        record->error = -ENOMEM;
    free(line);
}

void record_output(struct record *record, const char *text, size_t n)
{
    write_event(record, 'o', text, n);
}

void record_resize(struct record *record, int width, int height)
{
    char size[40];
    int n = snprintf(size, sizeof size, "%dx%d", width, height);
    write_event(record, 'r', size, (size_t)n);
}

int record_close(struct record *record)
{
    if (record->fd != -1 && close(record->fd) == -1 && record->error == 0)
        record->error = -errno;
    record->fd = -1;
    return record->error;
}

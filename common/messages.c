/* messages: what the program says on standard error. See messages.h. */
#include "messages.h"

#include "model.h"

#include <stdio.h>
#include <unistd.h>

/* Allocated at start, so that "out of memory" can be printed without
 * allocating. Only a longer URL takes more. */
#define LINE_ROOM ((size_t)4096)

/* To the start of the line, and nothing behind. */
#define WIPE "\r\033[K"

int messages_open(struct messages *m)
{
    *m = (struct messages){0};
    return spool_open(&m->spool, STDERR_FILENO, LINE_ROOM);
}

void messages_close(struct messages *m)
{
    spool_close(&m->spool);
}

/* A message begins, in the place of the progress line if that is shown. */
static int begin_locked(struct messages *m, struct bytes *out)
{
    return bytes_print(out, "%sfetch-%s: ", m->shown ? WIPE : "", model_name);
}

/* ... and ends: whole, or, without the memory for it, not said at all. */
static void end_locked(struct messages *m, struct bytes *out, size_t before,
                       int error)
{
    if (error != 0)
        out->length = before;
    else
        m->shown = false;
    spool_end(&m->spool);
}

void messages_say(struct messages *m, const char *kind, const char *format,
                  va_list arguments)
{
    char text[400];
    vsnprintf(text, sizeof text, format, arguments);
    struct bytes *out = spool_begin(&m->spool);
    size_t before = out->length;
    int error = begin_locked(m, out);
    if (error == 0)
        error = bytes_print(out, "%s%s\n", kind, text);
    end_locked(m, out, before, error);
}

void messages_failure(struct messages *m, const struct job *job)
{
    struct bytes *out = spool_begin(&m->spool);
    size_t before = out->length;
    int error = begin_locked(m, out);
    if (error == 0)
        error = job_print_url(out, job->url, job->url_length);
    if (error == 0)
        error =
            bytes_print(out, ": %s: %s\n", result_word(job->outcome.result),
                        job->outcome.cause);
    end_locked(m, out, before, error);
}

void messages_progress(struct messages *m, const char *text)
{
    struct bytes *out = spool_begin(&m->spool);
    if (m->spool.length == 0) {
        size_t before = out->length;
        if (bytes_print(out, "\rfetch-%s: %s\033[K", model_name, text) == 0)
            m->shown = true;
        else
            out->length = before;
    }
    spool_end(&m->spool);
}

size_t messages_flush(struct messages *m)
{
    return spool_flush(&m->spool, 1);
}

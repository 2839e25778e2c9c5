/* jobs: the requests to be made, in order of input. See jobs.h. */
#include "jobs.h"

#include "clock.h"
#include "url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A byte order mark, as some systems write it before a list. */
#define MARK "\xef\xbb\xbf"

/* The end of a longer line is not awaited: without a mark and a CR it is still
 * too long for a URL, whatever comes. */
#define LINE_LIMIT (URL_LIMIT + sizeof MARK "\r" - 1)

/* --- File names --------------------------------------------------------- */

/* The last segment of the URL's path, as it is written. */
static const char *last_segment(const char *url, size_t n, size_t *length)
{
    size_t end = 0;
    while (end < n && url[end] != '?' && url[end] != '#')
        end++;
    const char *slashes = memmem(url, end, "://", 3);
    if (slashes != NULL && memchr(url, '/', (size_t)(slashes - url)) != NULL)
        slashes = NULL; /* of a path: file:/a://b */
    size_t path = slashes != NULL ? (size_t)(slashes - url) + 3 : 0;
    while (slashes != NULL && path < end && url[path] != '/')
        path++; /* the authority */
    size_t start = end;
    while (start > path && url[start - 1] != '/')
        start--;
    *length = end - start;
    return url + start;
}

static bool fit_for_a_file(const char *name, size_t n)
{
    if (n == 0 || (n == 1 && name[0] == '.') ||
        (n == 2 && memcmp(name, "..", 2) == 0))
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c == '/' || c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

/* The file name for a URL, or for what the line says after its TAB. */
static char *make_name(struct jobs *jobs, const char *wanted, size_t n)
{
    char *name = malloc(n + sizeof "index");
    if (name == NULL)
        return NULL;
    memcpy(name, wanted, n);
    n = url_decode(name, n);
    if (!fit_for_a_file(name, n)) {
        n = strlen("index");
        memcpy(name, "index", n);
    }
    name[n] = '\0';
    char *unique = names_give(&jobs->names, name);
    free(name);
    return unique;
}

/* --- Jobs --------------------------------------------------------------- */

void job_free(struct job *job)
{
    if (job == NULL)
        return;
    free(job->url);
    free(job->name);
    free(job);
}

static int print_url_part(struct bytes *out, const char *url, size_t n)
{
    int error = 0;
    for (size_t i = 0; i < n && error == 0; i++) {
        unsigned char c = (unsigned char)url[i];
        error = c >= 0x21 && c <= 0x7e ? bytes_append(out, url + i, 1)
                                       : bytes_print(out, "\\x%02X", c);
    }
    return error;
}

int job_print_url(struct bytes *out, const char *url, size_t n)
{
    size_t length;
    size_t at = url_password(url, n, &length);
    int error = print_url_part(out, url, at);
    if (error == 0 && at < n)
        error = bytes_append(out, "***", 3);
    if (error == 0)
        error = print_url_part(out, url + at + length, n - at - length);
    return error;
}

int jobs_open(struct jobs *jobs, const struct options *options)
{
    *jobs = (struct jobs){.options = options, .ended = options->input == NULL};
    return names_open(&jobs->names);
}

void jobs_free(struct jobs *jobs)
{
    while (jobs->returned != NULL) {
        struct job *job = jobs->returned;
        jobs->returned = job->next;
        job_free(job);
    }
    names_free(&jobs->names);
    bytes_free(&jobs->text);
    *jobs = (struct jobs){0};
}

int jobs_reserve(struct jobs *jobs, size_t n)
{
    bytes_drop(&jobs->text, jobs->text_used);
    jobs->searched -= jobs->text_used;
    jobs->text_used = 0;
    return bytes_reserve(&jobs->text, n);
}

int jobs_feed(struct jobs *jobs, const char *p, size_t n, int64_t now)
{
    if (jobs_reserve(jobs, n) != 0)
        return -ENOMEM;
    jobs->fed_us = now;
    if (jobs->skipping) {
        const char *lf = memchr(p, '\n', n);
        if (lf == NULL)
            return 0;
        n -= (size_t)(lf - p);
        p = lf;
    }
    jobs->skipping = false;
    return bytes_append(&jobs->text, p, n);
}

void jobs_end(struct jobs *jobs)
{
    jobs->ended = true;
}

/* Finds the next line; false if it is not there yet, or never will be. */
static bool next_line(struct jobs *jobs, char **line, size_t *n, size_t *used)
{
    char *from = jobs->text.data + jobs->text_used;
    size_t left = jobs->text.length - jobs->text_used;
    size_t searched = jobs->searched - jobs->text_used;
    char *lf = left > searched ? memchr(from + searched, '\n', left - searched)
                               : NULL;
    *line = from;
    if (lf != NULL) {
        *n = (size_t)(lf - from);
        *used = *n + 1;
        return true;
    }
    jobs->searched = jobs->text.length;
    *n = *used = left;
    if (left > LINE_LIMIT) {
        jobs->skipping = !jobs->ended;
        return true;
    }
    return jobs->ended && left > 0;
}

/* Takes away what is no part of a line but of how some systems write lists: a
 * byte order mark before the first, and a CR before each LF. */
static void strip(const struct jobs *jobs, char **line, size_t *n)
{
    size_t length = sizeof MARK - 1;
    if (!jobs->begun && *n >= length && memcmp(*line, MARK, length) == 0) {
        *line += length;
        *n -= length;
    }
    if (*n > 0 && (*line)[*n - 1] == '\r')
        --*n;
}

/* (Of an overlong line only the start counts: the rest may not be here.) */
static bool is_comment(const char *line, size_t n)
{
    if (n > 0 && line[0] == '#')
        return true;
    if (n > URL_LIMIT)
        n = URL_LIMIT;
    for (size_t i = 0; i < n; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    }
    return true;
}

static struct job *new_job(struct jobs *jobs, const char *url, size_t n,
                           const char *name, size_t name_length)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->url = malloc(n + 1);
    if (job->url == NULL)
        goto fail;
    memcpy(job->url, url, n);
    job->url[n] = '\0';
    job->url_length = n;
    if (jobs->options->directory != NULL) {
        if (name == NULL)
            name = last_segment(url, n, &name_length);
        job->name = make_name(jobs, name, name_length);
        if (job->name == NULL)
            goto fail;
    }
    job->id = jobs->next_id++;
    job->start_us = -1;
    job->worker = -1;
    job->outcome = OUTCOME_NONE;
    return job;
fail:
    job_free(job);
    return NULL;
}

/* The job of one line: URL, or with --directory URL, TAB, file name. */
static struct job *job_of_line(struct jobs *jobs, const char *line, size_t n)
{
    const char *name = NULL;
    size_t name_length = 0;
    const char *tab = memchr(line, '\t', n);
    if (n > URL_LIMIT)
        n = URL_LIMIT; /* the rest could not make it a URL again */
    else if (jobs->options->directory != NULL && tab != NULL) {
        name = tab + 1;
        name_length = n - (size_t)(name - line);
        n = (size_t)(tab - line);
    }
    struct job *job = new_job(jobs, line, n, name, name_length);
    if (job != NULL)
        job->queued_us = jobs->fed_us;
    return job;
}

int jobs_next(struct jobs *jobs, struct job **job)
{
    if (jobs->returned != NULL) {
        *job = jobs->returned;
        jobs->returned = (*job)->next;
        (*job)->next = NULL;
        return 1;
    }
    if (jobs->urls_taken < jobs->options->url_count) {
        const char *url = jobs->options->urls[jobs->urls_taken];
        *job = new_job(jobs, url, strlen(url), NULL, 0);
        if (*job == NULL)
            return -ENOMEM;
        jobs->urls_taken++;
        return 1;
    }
    char *line;
    size_t n;
    size_t used;
    while (next_line(jobs, &line, &n, &used)) {
        strip(jobs, &line, &n);
        if (!is_comment(line, n)) {
            *job = job_of_line(jobs, line, n);
            if (*job == NULL)
                return -ENOMEM;
        }
        jobs->begun = true;
        jobs->text_used += used;
        if (jobs->searched < jobs->text_used)
            jobs->searched = jobs->text_used;
        if (!is_comment(line, n))
            return 1;
    }
    return 0;
}

void jobs_give_back(struct jobs *jobs, struct job *job)
{
    struct job **at = &jobs->returned;
    while (*at != NULL && (*at)->id < job->id)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
}

uint64_t jobs_first(const struct jobs *jobs)
{
    return jobs->returned != NULL ? jobs->returned->id : jobs->next_id;
}

bool jobs_done(const struct jobs *jobs)
{
    return jobs->returned == NULL && jobs->ended &&
           jobs->urls_taken == jobs->options->url_count &&
           jobs->text_used == jobs->text.length;
}

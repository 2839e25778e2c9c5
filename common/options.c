/* options: the command line, as a struct. See options.h. */
#include "options.h"

#include "clock.h"
#include "http.h"
#include "module.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MOST    100000
#define LOOPS_MOST   1024
#define COUNT_MOST   4294967294
#define SECONDS_MOST 1e9

static const char *const backends[] = {"epoll", "poll", "select"};

/* A watermark that was not given follows from the other. */
#define WATER_UNSET SIZE_MAX

/* What getopt returns for an option without a letter. */
enum {
    O_SYNC_FILES = 256,
    O_CONNECT_TIMEOUT,
    O_RETRIES,
    O_MAX_REDIRECTS,
    O_MAX_BODY,
    O_NO_KEEP_ALIVE,
    O_HIGH_WATER,
    O_LOW_WATER,
    O_SPAWN,
    O_BACKEND,
    O_LOOPS,
    O_CACERT,
    O_INSECURE,
    O_REPORT,
    O_TRACE,
    O_PROGRESS
};

static const struct option_row {
    int code; /* its letter, or one of the above */
    const char *name;
    const char *argument; /* NULL: takes none */
    const char *models;   /* NULL: all have it */
    bool of_tls;          /* only where that is to be had */
    const char *help;
} table[] = {
    {'i', "input", "FILE", NULL, false,
     "more URLs, one a line; - is standard input"},
    {'j', "jobs", "N", NULL, false, "requests in flight at once (8)"},
    {'d', "directory", "DIR", NULL, false, "save each body as a file in DIR"},
    {'n', "discard", NULL, NULL, false, "read the bodies, keep none"},
    {O_SYNC_FILES, "sync", NULL, NULL, false,
     "with -d: wait until a file is on the disk"},
    {'T', "upload", "FILE", NULL, false, "PUT FILE to every URL"},
    {'H', "header", "'NAME: VALUE'", NULL, false, "add a request header"},
    {'t', "timeout", "SECONDS", NULL, false, "limit on one attempt (30)"},
    {O_CONNECT_TIMEOUT, "connect-timeout", "SEC", NULL, false,
     "limit on connecting to one address (10)"},
    {O_RETRIES, "retries", "N", NULL, false,
     "try again after failures that may pass (0)"},
    {O_MAX_REDIRECTS, "max-redirects", "N", NULL, false,
     "follow at most N redirects (10)"},
    {O_MAX_BODY, "max-body", "BYTES", NULL, false, "refuse a longer body"},
    {O_NO_KEEP_ALIVE, "no-keep-alive", NULL, NULL, false,
     "a new connection for every request"},
    {O_HIGH_WATER, "high-water", "BYTES", NULL, false,
     "stop reading a body when so much of it waits"},
    {O_LOW_WATER, "low-water", "BYTES", NULL, false,
     "... and go on at so much (64K, 16K; none)"},
    {O_SPAWN, "spawn", "pool|each", "threads processes", false,
     "workers made once, or for each request"},
    {O_BACKEND, "backend", "NAME", "evloop coroutines", false,
     "epoll, poll or select"},
    {O_LOOPS, "loops", "N", "evloop", false, "loops, a thread each (1)"},
    {O_CACERT, "cacert", "FILE", NULL, true,
     "https: trust the certificates in FILE"},
    {O_INSECURE, "insecure", NULL, NULL, true, "https: verify nothing"},
    {O_REPORT, "report", "FILE", NULL, false,
     "write a line of values for every request"},
    {O_TRACE, "trace", "FILE", NULL, false, "write a timeline for Perfetto"},
    {O_PROGRESS, "progress", "WHEN", NULL, false,
     "a progress line: auto, always, never"},
    {'q', "quiet", NULL, NULL, false, "errors only"},
    {'h', "help", NULL, NULL, false, "print this help"},
    {'V', "version", NULL, NULL, false, "print the version"},
};

#define ROWS (sizeof(table) / sizeof(*table))

static const struct option_row *row_of(int code)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (table[i].code == code)
            return &table[i];
    }
    return NULL;
}

/* --- Values ------------------------------------------------------------- */

/* Digits and nothing else; false also when it is above `most`. */
static bool read_count(const char *text, uint64_t most, uint64_t *value)
{
    if (*text == '\0' || strspn(text, "0123456789") != strlen(text))
        return false;
    errno = 0;
    *value = strtoull(text, NULL, 10);
    return errno == 0 && *value <= most;
}

/* A count with one of the suffixes K, M, G. */
static bool read_size(const char *text, uint64_t *bytes)
{
    char digits[24];
    size_t n = strlen(text);
    unsigned shift = 0;
    if (n == 0 || n >= sizeof digits)
        return false;
    memcpy(digits, text, n + 1);
    switch (text[n - 1]) {
    case 'K':
        shift = 10;
        break;
    case 'M':
        shift = 20;
        break;
    case 'G':
        shift = 30;
        break;
    }
    if (shift != 0)
        digits[n - 1] = '\0';
    if (!read_count(digits, (uint64_t)INT64_MAX >> shift, bytes))
        return false;
    *bytes <<= shift;
    return true;
}

/* "30", "0.25"; more than zero, and no "nan", "inf" or "0x1p4". */
static bool read_seconds(const char *text, int64_t *us)
{
    if (*text == '\0' || strspn(text, "0123456789.") != strlen(text))
        return false;
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds <= SECONDS_MOST))
        return false;
    /* Rounded up: a limit, however small, is not zero. */
    *us = (int64_t)(seconds * (double)CLOCK_SECOND + 0.999999);
    return *us > 0;
}

/* A watermark, or, where it may be, "none". */
static bool read_water(const char *text, bool may_be_none, size_t *bytes)
{
    uint64_t value = WATER_NONE;
    if (may_be_none && strcmp(text, "none") == 0) {
        *bytes = WATER_NONE;
        return true;
    }
    if (!read_size(text, &value) || value > WATER_NONE)
        return false;
    *bytes = (size_t)value;
    return true;
}

/* The place of `text` in a list of `n` words; -1: it is not there. */
static int find_word(const char *text, const char *const *words, int n)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(text, words[i]) == 0)
            return i;
    }
    return -1;
}

static bool read_progress(const char *text, enum progress_mode *mode)
{
    static const char *const words[] = {"auto", "always", "never"};
    int found = find_word(text, words, 3);
    if (found != -1)
        *mode = (enum progress_mode)found;
    return found != -1;
}

/* Reads one of the options that are plain counts. */
static bool take_count(unsigned *out, const char *value, unsigned least,
                       unsigned most)
{
    uint64_t count;
    if (!read_count(value, most, &count) || count < least)
        return false;
    *out = (unsigned)count;
    return true;
}

/* Puts one option's value in its place; false if the value will not do. */
static bool take_value(struct options *o, int code, char *value)
{
    switch (code) {
    case 'i':
        o->input = value;
        return true;
    case 'j':
        return take_count(&o->jobs, value, 1, JOBS_MOST);
    case 'd':
        o->directory = value;
        return *value != '\0';
    case 'n':
        o->discard = true;
        return true;
    case O_SYNC_FILES:
        o->sync = true;
        return true;
    case 'T':
        o->upload = value;
        return *value != '\0';
    case 'H':
        o->headers[o->header_count++] = value;
        return http_header_fault(value, strlen(value)) == NULL;
    case 't':
        return read_seconds(value, &o->timeout_us);
    case O_CONNECT_TIMEOUT:
        return read_seconds(value, &o->connect_timeout_us);
    case O_RETRIES:
        return take_count(&o->retries, value, 0, COUNT_MOST);
    case O_MAX_REDIRECTS:
        return take_count(&o->max_redirects, value, 0, COUNT_MOST);
    case O_MAX_BODY:
        return read_size(value, &o->max_body) && o->max_body > 0;
    case O_NO_KEEP_ALIVE:
        o->keep_alive = false;
        return true;
    case O_HIGH_WATER:
        return read_water(value, true, &o->high_water) && o->high_water > 0;
    case O_LOW_WATER:
        return read_water(value, false, &o->low_water);
    case O_SPAWN:
        o->spawn_each = strcmp(value, "each") == 0;
        return o->spawn_each || strcmp(value, "pool") == 0;
    case O_BACKEND:
        o->backend = value;
        return find_word(value, backends, 3) != -1;
    case O_CACERT:
        o->cacert = value;
        return *value != '\0';
    case O_INSECURE:
        o->insecure = true;
        return true;
    case O_LOOPS:
        return take_count(&o->loops, value, 1, LOOPS_MOST);
    case O_REPORT:
        o->report = value;
        return *value != '\0';
    case O_TRACE:
        o->trace = value;
        return *value != '\0';
    case O_PROGRESS:
        return read_progress(value, &o->progress);
    case 'q':
        o->quiet = true;
        return true;
    case 'h':
        o->help = true;
        return true;
    case 'V':
        o->version = true;
        return true;
    default:
        return false;
    }
}

/* A limit, as it stands above, in words. */
#define IN_WORDS_(number) #number
#define IN_WORDS(number)  IN_WORDS_(number)

/* What the value of an option may be, for a message. */
static const char *takes(int code)
{
    switch (code) {
    case 'j':
        return "it takes a number from 1 to " IN_WORDS(JOBS_MOST);
    case 't':
    case O_CONNECT_TIMEOUT:
        return "it takes seconds, more than 0, such as 30 or 0.5";
    case O_RETRIES:
    case O_MAX_REDIRECTS:
        return "it takes a whole number, at most " IN_WORDS(COUNT_MOST);
    case O_MAX_BODY:
        return "it takes bytes, more than 0, such as 500 or 64K";
    case O_HIGH_WATER:
        return "it takes bytes, more than 0, such as 64K, or none";
    case O_LOW_WATER:
        return "it takes bytes, such as 16K";
    case O_SPAWN:
        return "it takes pool or each";
    case O_BACKEND:
        return "it takes epoll, poll or select";
    case O_LOOPS:
        return "it takes a number from 1 to " IN_WORDS(LOOPS_MOST);
    case O_PROGRESS:
        return "it takes auto, always or never";
    default: /* of a file or a folder */
        return "the name is empty";
    }
}

/* --- The command line --------------------------------------------------- */

static void make_getopt_table(struct option *longs, char *letters)
{
    for (size_t i = 0; i < ROWS; i++) {
        longs[i] = (struct option){
            .name = table[i].name,
            .has_arg =
                table[i].argument != NULL ? required_argument : no_argument,
            .val = table[i].code,
        };
        if (table[i].code < 256) {
            *letters++ = (char)table[i].code;
            if (table[i].argument != NULL)
                *letters++ = ':';
        }
    }
    longs[ROWS] = (struct option){0};
    *letters = '\0';
}

/* True if `word` is one of the space-separated words of `list`. */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += n) {
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    }
    return false;
}

/* A value comes back in a message, which is to be one line, and harmless to a
 * terminal. */
static void make_visible(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

static int take_option(struct options *o, const char *model, int code,
                       char *message, size_t size)
{
    const struct option_row *row = row_of(code);
    if (row->models != NULL && !has_word(row->models, model)) {
        const char *space = strchr(row->models, ' ');
        if (space != NULL)
            snprintf(message, size,
                     "--%s is an option of fetch-%.*s and fetch-%s", row->name,
                     (int)(space - row->models), row->models, space + 1);
        else
            snprintf(message, size, "--%s is an option of fetch-%s", row->name,
                     row->models);
        return -EINVAL;
    }
    if (row->of_tls && o->no_https != NULL) {
        snprintf(message, size, "--%s: %s", row->name, o->no_https);
        return -EINVAL;
    }
    if (code == 'i' && o->input != NULL) {
        snprintf(message, size, "--input can be given only once");
        return -EINVAL;
    }
    if (take_value(o, code, optarg))
        return 0;
    const char *fault =
        code == 'H' ? http_header_fault(optarg, strlen(optarg)) : NULL;
    make_visible(optarg);
    snprintf(message, size, "--%s '%s': %s", row->name, optarg,
             fault != NULL ? fault : takes(code));
    return -EINVAL;
}

/* What getopt could make nothing of. It leaves 0 in optopt for a name that it
 * does not know, and the code of the option for a value that is too much. */
static int refuse(int code, char **argv, char *message, size_t size)
{
    const char *word = argv[optind - 1];
    if (code == ':')
        snprintf(message, size, "%s needs a value", word);
    else if (optopt == 0)
        snprintf(message, size, "there is no option %s", word);
    else if (row_of(optopt) != NULL)
        snprintf(message, size, "--%s takes no value", row_of(optopt)->name);
    else
        snprintf(message, size, "there is no option -%c", optopt);
    return -EINVAL;
}

/* As asyncio does: low is a quarter of high, or high four times low. */
static void derive_watermarks(struct options *o)
{
    if (o->high_water == WATER_UNSET && o->low_water == WATER_UNSET)
        o->high_water = 65536;
    if (o->high_water == WATER_UNSET)
        o->high_water =
            o->low_water > WATER_NONE / 4 ? WATER_NONE : 4 * o->low_water;
    if (o->low_water == WATER_UNSET)
        o->low_water = o->high_water / 4;
}

/* What can only be checked when all options are known. */
static int check_together(struct options *o, char *message, size_t size)
{
    derive_watermarks(o);
    if (o->high_water == 0) {
        snprintf(message, size, "--low-water 0 needs a --high-water");
        return -EINVAL;
    }
    if (o->low_water > o->high_water) {
        snprintf(message, size, "--low-water is above --high-water");
        return -EINVAL;
    }
    if (o->directory != NULL && o->discard) {
        snprintf(message, size,
                 "--directory and --discard exclude each other");
        return -EINVAL;
    }
    if (o->sync && o->directory == NULL) {
        snprintf(message, size, "--sync needs a --directory");
        return -EINVAL;
    }
    if (o->url_count == 0 && o->input == NULL) {
        snprintf(message, size, "no URL is given");
        return -EINVAL;
    }
    return 0;
}

int options_parse(struct options *o, const char *model, int argc, char **argv,
                  char *message, size_t size)
{
    struct option longs[ROWS + 1];
    char letters[2 * ROWS + 2] = ":"; /* a missing value is told apart */
    make_getopt_table(longs, letters + 1);
    *o = (struct options){
        .jobs = 8,
        .loops = 1,
        .upload_fd = -1,
        .timeout_us = 30 * CLOCK_SECOND,
        .connect_timeout_us = 10 * CLOCK_SECOND,
        .max_redirects = 10,
        .max_body = UINT64_MAX,
        .keep_alive = true,
        .high_water = WATER_UNSET,
        .low_water = WATER_UNSET,
        .no_https =
            module_is_there(MODULE_TLS) ? NULL : MODULE_MISSING(MODULE_TLS),
        .no_database = module_is_there(MODULE_DATABASE)
                           ? NULL
                           : MODULE_MISSING(MODULE_DATABASE),
    };
    /* There cannot be more headers than arguments. */
    o->headers = calloc((size_t)argc + 1, sizeof *o->headers);
    if (o->headers == NULL)
        return -ENOMEM;
    opterr = 0; /* we say it ourselves */
    for (;;) {
        int code = getopt_long(argc, argv, letters, longs, NULL);
        int error = 0;
        if (code == -1)
            break;
        if (code == '?' || code == ':')
            error = refuse(code, argv, message, size);
        else
            error = take_option(o, model, code, message, size);
        if (error != 0)
            return error;
        if (o->help || o->version)
            return 0;
    }
    o->urls = argv + optind;
    o->url_count = (size_t)(argc - optind);
    return check_together(o, message, size);
}

void options_free(struct options *o)
{
    free(o->headers);
    o->headers = NULL;
}

void options_help(const char *model, FILE *out)
{
    bool has_tls = module_is_there(MODULE_TLS);
    fprintf(out,
            "Usage: fetch-%s [OPTION]... [URL]...\n"
            "Fetch many URLs in parallel; write the bodies to standard "
            "output, whole and in\norder, or to files. URLs: "
            "http://HOST/PATH, %s file:///PATH,\n"
            "tcp://HOST:PORT/TEXT, udp://HOST:PORT/TEXT,\n%s.\n\n",
            model,
            has_tls ? "https://HOST/PATH," : "(https is not installed),",
            module_is_there(MODULE_DATABASE)
                ? "postgresql://USER:PASSWORD@HOST/DATABASE?query=SQL"
                : "(postgresql is not installed)");
    for (size_t i = 0; i < ROWS; i++) {
        const struct option_row *row = &table[i];
        char left[40];
        if ((row->of_tls && !has_tls) ||
            (row->models != NULL && !has_word(row->models, model)))
            continue;
        int n = snprintf(left, sizeof left, "%c%c%c --%s",
                         row->code < 256 ? '-' : ' ',
                         row->code < 256 ? row->code : ' ',
                         row->code < 256 ? ',' : ' ', row->name);
        if (row->argument != NULL && n > 0 && (size_t)n < sizeof left)
            snprintf(left + n, sizeof left - (size_t)n, " %s", row->argument);
        fprintf(out, "  %-28s %s\n", left, row->help);
    }
    fprintf(out,
            "\nBYTES take the suffixes K, M, G. Exit status: 0 all requests "
            "were ok, 1 some\nwere not, 2 usage, 3 could not go on, 128 + N "
            "signal N.\nSee fetch-%s(1).\n",
            model);
}

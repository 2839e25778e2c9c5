/* contestant: a program that takes part. See contestant.h. */
#include "contestant.h"

#include "measure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* With room for those of --peer. */
#define CONTESTANTS_MOST 40

struct contestant contestants[CONTESTANTS_MOST] = {
    {.name = "threads", .program = "fetch-threads", .saves = true},
    {.name = "processes",
     .program = "fetch-processes",
     .saves = true,
     .has_workers = true},
    {.name = "evloop", .program = "fetch-evloop", .saves = true},
    {.name = "coroutines", .program = "fetch-coroutines", .saves = true},
    {.name = "threads", .program = "digest-threads", .digests_only = true},
    {.name = "processes", .program = "digest-processes", .digests_only = true},
    {.name = "evloop", .program = "digest-evloop", .digests_only = true},
    {.name = "coroutines",
     .program = "digest-coroutines",
     .digests_only = true},
    {.name = "min-threads", .kind = MINIMAL, .program = "minimal-threads"},
    {.name = "min-processes", .kind = MINIMAL, .program = "minimal-processes"},
    {.name = "min-evloop", .kind = MINIMAL, .program = "minimal-evloop"},
    {.name = "min-coroutines",
     .kind = MINIMAL,
     .program = "minimal-coroutines"},
    {.name = "floor", .kind = FLOOR, .program = "triptych-floor"},
    {.name = "curl", .kind = PEER, .program = "curl", .saves = true},
    {.name = "wget2", .kind = PEER, .program = "wget2", .saves = true},
    {.name = "aria2c",
     .kind = PEER,
     .program = "aria2c",
     .saves = true,
     .only_saves = true,
     .share = 25},
    {.name = "xargs-curl", .kind = PEER, .program = "xargs", .share = 10},
    {.name = "wrk", .kind = PEER, .program = "wrk"},
    {.name = "h2load", .kind = PEER, .program = "h2load"},
    {.name = "py-threading",
     .kind = PEER,
     .program = "with_threading.py",
     .share = 25},
    {.name = "py-multiprocessing",
     .kind = PEER,
     .program = "with_multiprocessing.py",
     .share = 25},
    {.name = "py-asyncio",
     .kind = PEER,
     .program = "with_asyncio.py",
     .share = 25},
    {.name = "py-aiohttp",
     .kind = PEER,
     .program = "with_aiohttp.py",
     .share = 25},
};

#define KNOWN_COUNT 23

size_t contestant_count = KNOWN_COUNT;

/* So many in flight the minimal programs allow. */
#define MINIMAL_MOST 1000

const char *contestant_label(const char *name)
{
    return strcmp(name, "floor") == 0 ? "a minimal client" : name;
}

const char *contestant_like(const struct contestant *c)
{
    return c->like != NULL ? c->like : c->name;
}

static bool is_template(const struct contestant *c)
{
    return c->words != NULL && strchr(c->words, '%') != NULL;
}

/* The next word, from *at on, which is moved behind it. False: none. */
static bool next_word(const char **at, char *word, size_t size)
{
    *at += strspn(*at, " ");
    size_t length = strcspn(*at, " ");
    snprintf(word, size, "%.*s", (int)length, *at);
    *at += length;
    return length > 0;
}

/* --- Adding ------------------------------------------------------------- */

/* A peer in whose way a program of that name can be asked; NULL: none. */
static const struct contestant *peer_like(const char *program)
{
    const char *slash = strrchr(program, '/');
    const char *name = slash != NULL ? slash + 1 : program;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        const struct contestant *c = &contestants[i];
        if (c->kind == PEER && strcmp(c->name, c->program) == 0 &&
            strncmp(name, c->name, strlen(c->name)) == 0)
            return c;
    }
    return NULL;
}

bool contestant_add(const char *text)
{
    static char names[CONTESTANTS_MOST][24];
    static char programs[CONTESTANTS_MOST][PATH_MAX];
    size_t i = contestant_count;
    size_t length = strcspn(text, "=");
    if (i == CONTESTANTS_MOST || length == 0 || length >= sizeof names[0] ||
        text[length] == '\0' || strcspn(text, "\t\n\"<&'") != strlen(text))
        return false;
    const char *at = text + length + 1;
    snprintf(names[i], sizeof names[0], "%.*s", (int)length, text);
    struct contestant new = {
        .kind = PEER, .name = names[i], .program = programs[i]};
    if (!next_word(&at, programs[i], PATH_MAX) || contestant_known(new.name))
        return false;
    new.words = at;
    const struct contestant *like = peer_like(programs[i]);
    if (is_template(&new)) {
        new.like = "";
        new.saves = strstr(at, "%d") != NULL;
        new.only_saves = new.saves;
    } else if (like != NULL) {
        new.like = like->name;
        new.saves = like->saves;
        new.only_saves = like->only_saves;
        new.share = like->share;
    } else {
        return false;
    }
    contestants[contestant_count++] = new;
    return true;
}

/* --- Finding ------------------------------------------------------------ */

static bool is_script(const struct contestant *c)
{
    return strstr(c->program, ".py") != NULL;
}

/* A directory of no length: `program` is a path. */
static bool look_in(const char *directory, size_t length, const char *program,
                    char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, directory,
                     length > 0 ? "/" : "", program);
    if (n > 0 && n < PATH_MAX && access(path, X_OK) == 0)
        return true;
    path[0] = '\0';
    return false;
}

static bool look_along_path(const char *program, char path[PATH_MAX])
{
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ":");
        if (look_in(at, length, program, path))
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

static char python[PATH_MAX];
static char curl[PATH_MAX];

/* The system's Python, for whose packages the benchmark looks. */
static void find_python(void)
{
    static const char system_wide[] = "/usr/bin";
    if (!look_in(system_wide, strlen(system_wide), "python3", python))
        (void)look_along_path("python3", python);
}

/* The script of aiohttp is there, but is that? */
static bool runs(const char *path)
{
    struct measure measured;
    struct measure_setting setting = {.errors = "/dev/null"};
    char *const argv[] = {python, (char *)path, (char *)"--check", NULL};
    return python[0] != '\0' && measure_run(argv, &setting, &measured) == 0 &&
           measured.status == 0;
}

void contestants_find(const char *ours, const char *tools, const char *scripts)
{
    find_python();
    (void)look_along_path("curl", curl);
    for (size_t i = 0; i < contestant_count; i++) {
        struct contestant *c = &contestants[i];
        if ((c->kind == OURS && !c->digests_only) || c->kind == MINIMAL) {
            (void)look_in(ours, strlen(ours), c->program, c->path);
        } else if (c->kind != PEER) {
            (void)look_in(tools, strlen(tools), c->program, c->path);
        } else if (is_script(c)) {
            (void)look_in(scripts, strlen(scripts), c->program, c->path);
            if (c->path[0] != '\0' && !runs(c->path))
                c->path[0] = '\0';
        } else if (strchr(c->program, '/') != NULL) {
            (void)look_in("", 0, c->program, c->path);
        } else {
            (void)look_along_path(c->program, c->path);
        }
        /* xargs is nothing without it. */
        if (strcmp(c->name, "xargs-curl") == 0 && curl[0] == '\0')
            c->path[0] = '\0';
    }
}

bool contestant_known(const char *name)
{
    for (size_t i = 0; i < contestant_count; i++) {
        if (strcmp(contestants[i].name, name) == 0)
            return true;
    }
    return false;
}

bool contestant_can(const struct contestant *c, const struct workload *w,
                    unsigned jobs)
{
    bool is_http = w->path != NULL && !w->uploads;
    if (c->kind == OURS)
        return c->digests_only == w->digests;
    if (c->kind == FLOOR || c->kind == MINIMAL)
        return is_http && w->destination == TO_NOWHERE && w->option == NULL &&
               !w->kills && !w->digests &&
               (c->kind == FLOOR || jobs <= MINIMAL_MOST);
    /* In its one second wrk would not finish many large bodies. */
    if (strcmp(contestant_like(c), "wrk") == 0 && w->size > 1 << 20)
        return false;
    return w->peers &&
           (w->destination == TO_FILES ? c->saves : !c->only_saves);
}

/* --- What is to be done ------------------------------------------------- */

unsigned contestant_requests(const struct contestant *c,
                             const struct task *task)
{
    unsigned part = task->requests * c->share / 100;
    if (part < task->jobs)
        part = task->jobs;
    return c->share == 0 || part > task->requests ? task->requests : part;
}

static void write_special(const struct contestant *c, const struct task *task,
                          unsigned number, const char *url, FILE *out)
{
    if (strcmp(contestant_like(c), "aria2c") == 0)
        fprintf(out, "%s out=%u\n", url, number);
    else if (task->workload->destination == TO_FILES)
        fprintf(out, "url=%soutput=\"%s/%u\"\n", url, task->directory, number);
    else
        fprintf(out, "url=%soutput=/dev/null\n", url);
}

int contestant_write_list(const struct contestant *c, const struct task *task)
{
    char url[400];
    unsigned number = 0;
    const char *like = contestant_like(c);
    if (strcmp(like, "curl") != 0 && strcmp(like, "aria2c") != 0 &&
        !is_template(c))
        return 0;
    FILE *in = fopen(task->list, "re");
    FILE *out = in != NULL ? fopen(task->special_list, "we") : NULL;
    while (out != NULL && fgets(url, sizeof url, in) != NULL)
        write_special(c, task, number++, url, out);
    if (in != NULL)
        (void)fclose(in);
    return out != NULL && fclose(out) == 0 ? 0 : -EIO;
}

/* --- Commands ----------------------------------------------------------- */

static void add(struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct command *command, const char *format, ...)
{
    va_list arguments;
    if (command->count + 1 >= ARGUMENTS_MOST)
        return;
    char *text = command->text[command->count];
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof command->text[0], format, arguments);
    va_end(arguments);
    command->argv[command->count++] = text;
    command->argv[command->count] = NULL;
}

static void ours(const struct task *task, struct command *command)
{
    const struct workload *w = task->workload;
    add(command, "-q");
    add(command, "-j%u", task->jobs);
    add(command, "-i%s", task->list);
    add(command, "--timeout=600");
    add(command, "--report=%s", task->report);
    if (w->destination == TO_NOWHERE)
        add(command, "-n");
    if (w->destination == TO_FILES)
        add(command, "-d%s", task->directory);
    if (w->option != NULL)
        add(command, "%s", w->option);
    if (w->uploads)
        add(command, "-T%s", task->upload);
    if (task->trace != NULL)
        add(command, "--trace=%s", task->trace);
}

static void first_url(const char *list, char *url, size_t size)
{
    FILE *file = fopen(list, "re");
    url[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(url, (int)size, file) != NULL)
        url[strcspn(url, "\n")] = '\0';
    (void)fclose(file);
}

static void downloader(const char *name, const struct task *task,
                       struct command *command)
{
    bool saves = task->workload->destination == TO_FILES;
    if (strcmp(name, "curl") == 0) {
        add(command, "-qZsf");
        add(command, "--parallel-max");
        add(command, "%u", task->jobs);
        add(command, "-K%s", task->special_list);
    } else if (strcmp(name, "wget2") == 0) {
        add(command, "-q");
        add(command, "--no-config");
        add(command, "--no-hsts");
        add(command, "--max-threads=%u", task->jobs);
        if (saves)
            add(command, "-P%s", task->directory);
        else
            add(command, "-O/dev/null");
        add(command, "-i%s", task->list);
    } else if (strcmp(name, "aria2c") == 0) {
        add(command, "-q");
        add(command, "--no-conf");
        add(command, "-j%u", task->jobs);
        add(command, "-x1");
        add(command, "--file-allocation=none");
        add(command, "-d%s", task->directory);
        add(command, "-i%s", task->special_list);
    } else {
        /* Some URLs to each, or it would be all forking; but work for all. */
        unsigned each = task->requests / task->jobs;
        add(command, "-P%u", task->jobs);
        add(command, "-n%u", each > 20 ? 20 : each > 0 ? each : 1);
        add(command, "/bin/sh");
        add(command, "-c");
        add(command, "exec '%s' -qsf \"$@\" >/dev/null", curl);
        add(command, "curl");
        command->reads_input = true;
    }
}

/* A word of --peer, with what its % stand for. */
static void put_word(const char *word, const struct task *task, FILE *out)
{
    for (; *word != '\0'; word++) {
        int what = word[0] == '%' ? word[1] : 0;
        word += what != 0;
        if (what == 'j')
            fprintf(out, "%u", task->jobs);
        else if (what == 'n')
            fprintf(out, "%u", task->requests);
        else if (what == 'l')
            fputs(task->list, out);
        else if (what == 'c')
            fputs(task->special_list, out);
        else if (what == 'd')
            fputs(task->directory, out);
        else
            (void)putc(*word, out);
    }
}

static void add_words(const char *words, const struct task *task,
                      struct command *command)
{
    char word[PATH_MAX];
    char text[PATH_MAX];
    while (words != NULL && next_word(&words, word, sizeof word)) {
        FILE *out = fmemopen(text, sizeof text, "w");
        if (out == NULL)
            return;
        text[0] = '\0';
        put_word(word, task, out);
        (void)fclose(out);
        add(command, "%s", text);
    }
}

/* These ask for one URL, over and over. */
static void load_generator(const char *name, const struct task *task,
                           struct command *command)
{
    char url[PATH_MAX];
    first_url(task->list, url, sizeof url);
    if (strcmp(name, "wrk") == 0) {
        add(command, "-t1");
        add(command, "-c%u", task->jobs);
        add(command, "-d1s");
    } else {
        unsigned jobs = task->jobs;
        add(command, "--h1");
        add(command, "-t1"); /* it refuses to be idle in part */
        add(command, "-c%u", jobs < task->requests ? jobs : task->requests);
        add(command, "-n%u", task->requests);
    }
    add(command, "%s", url);
}

void contestant_command(const struct contestant *c, const struct task *task,
                        struct command *command)
{
    command->count = 0;
    command->reads_input = false;
    if (is_script(c))
        add(command, "%s", python);
    add(command, "%s", c->path);
    if (c->kind == OURS) {
        ours(task, command);
    } else if (c->kind == MINIMAL) {
        add(command, "-n");
        add(command, "-j%u", task->jobs);
        add(command, "-i%s", task->list);
    } else if (is_template(c)) {
        add_words(c->words, task, command);
    } else if (c->kind == FLOOR || is_script(c)) {
        add(command, "%u", task->jobs);
        add(command, "%s", task->list);
    } else {
        const char *like = contestant_like(c);
        add_words(c->words, task, command);
        if (strcmp(like, "wrk") == 0 || strcmp(like, "h2load") == 0)
            load_generator(like, task, command);
        else
            downloader(like, task, command);
    }
}

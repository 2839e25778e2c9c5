/*
 * contestant: a program that takes part, and how it is told what to do.
 *
 * The fetchers, and the minimal programs that are read before them; the floor,
 * a minimal client, which does the least that can be done; and peers, where
 * they are installed: other people's programs, and some of ours in Python,
 * whose models these are.
 */
#ifndef TRIPTYCH_CONTESTANT_H
#define TRIPTYCH_CONTESTANT_H

#include "workload.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum contestant_kind { OURS, MINIMAL, FLOOR, PEER };

struct contestant {
    const char *name;
    enum contestant_kind kind;
    const char *program; /* looked for among ours, or along PATH */
    bool saves;          /* it can save each body as a file */
    bool only_saves;     /* ... and can do nothing else with it */
    unsigned share;      /* percent of the requests: it is slow; 0: all */
    bool has_workers;    /* processes, which can crash one by one */
    bool digests_only;   /* takes part only where bodies are digested */
    const char *like;    /* it is asked as the peer of that name; NULL: as
                            its own name says */
    const char *words;   /* ... with these words more; or, if there is a "%"
                            among them, with these alone */
    char path[PATH_MAX]; /* where it was found; "": it was not */
};

extern struct contestant contestants[];
extern size_t contestant_count;

/*
 * Adds a peer, "NAME=COMMAND", before contestants_find. COMMAND is words with
 * blanks between them. The first is a program, a path or looked for along
 * PATH. With a % among the rest they are its arguments: %j is how many are in
 * flight, %l a file with a URL a line, %c the same for curl's -K, %n how many
 * there are, %d the directory for files. Else its name must begin with that of
 * a peer that we know how to ask. `text` must live as long. False if it is
 * none of this.
 */
bool contestant_add(const char *text);

/* The peer whose ways it has. */
const char *contestant_like(const struct contestant *contestant);

/* What a reader is shown for the name that stands in results.tsv. */
const char *contestant_label(const char *name);

/* Looks for all of them: ours in the directories `ours` and `tools`, and our
 * Python programs in `scripts`. */
void contestants_find(const char *ours, const char *tools,
                      const char *scripts);

/* True if it can do this workload with so many in flight. */
bool contestant_can(const struct contestant *contestant,
                    const struct workload *workload, unsigned jobs);

/* True if there is one of that name. */
bool contestant_known(const char *name);

/* One run's particulars. */
struct task {
    const struct workload *workload;
    unsigned jobs;
    unsigned requests;
    const char *list;         /* file of URLs */
    const char *directory;    /* for files to be saved in */
    const char *report;       /* ours: where the report goes */
    const char *trace;        /* ours: NULL, or where the trace goes */
    const char *upload;       /* file to be sent */
    const char *special_list; /* the list again, as some peers want it */
};

#define ARGUMENTS_MOST 32

struct command {
    char *argv[ARGUMENTS_MOST];
    char text[ARGUMENTS_MOST][PATH_MAX + 40];
    size_t count;
    bool reads_input; /* the list is its standard input */
};

/* How many of the task's requests it makes: slow peers are asked for fewer, or
 * the whole would take an hour. Their rates are what is to be compared. */
unsigned contestant_requests(const struct contestant *contestant,
                             const struct task *task);

/* Writes the special list, from the list, if it wants one. 0 or a negative
 * errno. */
int contestant_write_list(const struct contestant *contestant,
                          const struct task *task);

void contestant_command(const struct contestant *contestant,
                        const struct task *task, struct command *command);

#endif

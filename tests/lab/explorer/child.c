/* child: runs happen in a child process, which may die of them. See
 * child.h. */
#include "child.h"

#include "context.h"
#include "real.h"
#include "search.h"
#include "word.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#define MEMORY     ((rlim_t)2 << 30)
#define BUSY_TICKS 3 /* seconds of computing without a sign of life */
#define STUCK      3 /* times in a row that it was found to sleep */

static EX_OWN struct ex_report *beating = NULL;
static EX_OWN long beat_before = 0;
static EX_OWN int busy = 0;

struct ex_report *ex_report_make(void)
{
    struct ex_report *report =
        mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return report == MAP_FAILED ? NULL : report;
}

void ex_report_free(struct ex_report *report)
{
    if (report != NULL)
        (void)munmap(report, sizeof *report);
}

void ex_child_beat(void)
{
    if (beating != NULL)
        beating->beat++;
}

void ex_report_failure(struct ex_report *report)
{
    report->failure = ex_failure;
    report->spent = ex_spent;
    report->failed = true;
}

/* --- In the child: crashes, and loops without a point ---------------------*/

static const void *place_of(const void *context)
{
#if defined(__x86_64__)
    const ucontext_t *at = context;
    return (const void *)(at->uc_mcontext.gregs[REG_RIP] + 1);
#elif defined(__aarch64__)
    const ucontext_t *at = context;
    return (const void *)(at->uc_mcontext.pc + 1);
#else
    (void)context;
    return NULL;
#endif
}

static void on_crash(int signal, siginfo_t *info, void *context)
{
    bool overflow = false;
    if (ex_current == NULL)
        __real__exit(3);
    if (signal == SIGSEGV)
        (void)ex_context_has(info->si_addr, &overflow);
    if (overflow)
        ex_fail(EXPLORE_CRASH, ex_access_last,
                "%s overflows its stack of %zu KiB", ex_current->name,
                EX_STACK / 1024);
    ex_fail(EXPLORE_CRASH, place_of(context), "%s gets SIG%s at address %p",
            ex_current->name, sigabbrev_np(signal), info->si_addr);
}

/* Each second of computing. */
static void on_tick(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    busy = beating->beat == beat_before ? busy + 1 : 0;
    beat_before = beating->beat;
    if (busy >= BUSY_TICKS && ex_current != NULL)
        ex_fail(EXPLORE_ENDLESS, place_of(context),
                "%s computes on and on, without accesses or calls that could "
                "be seen",
                ex_current->name);
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler,
                               .sa_flags =
                                   SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(signal, &action, NULL);
}

void ex_child_guard(struct ex_report *report)
{
    static EX_OWN char stack[64 * 1024] = {0};
    const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct itimerval tick = {{1, 0}, {1, 0}};
    beating = report;
    (void)sigaltstack(&alternative, NULL);
    handle(SIGSEGV, on_crash);
    handle(SIGBUS, on_crash);
    handle(SIGFPE, on_crash);
    handle(SIGILL, on_crash);
    handle(SIGABRT, on_crash);
    handle(SIGTRAP, on_crash);
    handle(SIGPROF, on_tick);
    (void)setitimer(ITIMER_PROF, &tick, NULL);
}

static void limit_child(void)
{
    const struct rlimit none = {0, 0};
    const struct rlimit memory = {MEMORY, MEMORY};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)setrlimit(RLIMIT_NPROC, &none); /* nobody outlives it */
    (void)prctl(PR_SET_DUMPABLE, 1);
    (void)setrlimit(RLIMIT_AS, &memory);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) { /* what is printed a thousand times nobody reads */
        (void)dup2(null, 0);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
    }
}

/* --- In the parent --------------------------------------------------------*/

/* True if the process waits for something other than a processor. */
static bool sleeps(pid_t pid)
{
    char path[40];
    char line[256] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *stat = fopen(path, "re");
    if (stat == NULL)
        return false;
    bool read = fgets(line, sizeof line, stat) != NULL;
    (void)fclose(stat);
    const char *end = strrchr(line, ')');
    return read && end != NULL && strncmp(end, ") S", 3) == 0;
}

/* Waits until the child is gone: true; or it sleeps and does not wake: it is
 * killed. */
static bool watch(pid_t pid, struct word *word, struct ex_report *report)
{
    int asleep = 0;
    while (asleep < STUCK) {
        long before = report->beat;
        enum word_heard heard = word_hear(word, 1000);
        if (heard == WORD_GONE)
            return true;
        if (heard == WORD_NOTHING)
            asleep = report->beat == before && sleeps(pid) ? asleep + 1 : 0;
    }
    (void)kill(pid, SIGKILL);
    return false;
}

static void fail_report(struct ex_report *report, enum explore_kind kind,
                        const char *message)
{
    const struct ex_schedule *made = &report->made;
    report->failed = true;
    report->failure = (struct ex_failure){.kind = kind, .thread = -1};
    for (int i = made->count - 1; i >= 0; i--) {
        if (made->turns[i].choice == EX_RUN) {
            report->failure.thread = made->turns[i].number;
            break;
        }
    }
    (void)snprintf(report->failure.message, sizeof report->failure.message,
                   "thread %d %s", report->failure.thread, message);
}

/* The report says how a run failed, but of a run that did not the child must
 * have come to its end: the code under test can write into the report. */
static void judge(struct ex_report *report, bool stuck, bool came_to_the_end,
                  int status)
{
    char text[80];
    if (report->failed ||
        (came_to_the_end && (report->complete || report->cut_at_limit)))
        return;
    if (stuck) {
        fail_report(report, EXPLORE_STUCK,
                    "blocks in a call that the explorer cannot see");
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(text, sizeof text, "gets SIG%s",
                       sigabbrev_np(WTERMSIG(status)));
        fail_report(report, EXPLORE_CRASH, text);
    } else {
        (void)snprintf(text, sizeof text, "ends the process with status %d",
                       WEXITSTATUS(status));
        fail_report(report, EXPLORE_EXIT, text);
    }
}

struct child_work {
    struct ex_report *report;
    void (*work)(struct ex_report *report, void *context);
    void *context;
};

static void do_work(void *context)
{
    const struct child_work *all = context;
    all->work(all->report, all->context);
}

int ex_child_do(struct ex_report *report,
                void (*work)(struct ex_report *report, void *context),
                void *context)
{
    struct child_work all = {report, work, context};
    struct word word;
    int status = 0;
    memset(report, 0, offsetof(struct ex_report, made));
    report->made.count = 0;
    report->trace.count = 0;
    report->trace.threads = 0;
    int error = word_make(&word);
    if (error != 0)
        return error;
    (void)fflush(NULL); /* or the child would have it, too */
    /* The child is this user's, and is not to write into our memory. */
    const int open = prctl(PR_GET_DUMPABLE);
    (void)prctl(PR_SET_DUMPABLE, 0);
    pid_t pid = __real_fork();
    if (pid == 0) {
        limit_child();
        ex_child_guard(report);
        word_work(&word, do_work, &all);
        __real__exit(0);
    }
    error = pid < 0 ? -errno : 0;
    word_begin(&word, pid);
    bool gone = pid < 0 || watch(pid, &word, report);
    word_end(&word);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    (void)prctl(PR_SET_DUMPABLE, open);
    if (pid > 0)
        judge(report, !gone, word.kept, status);
    return error;
}

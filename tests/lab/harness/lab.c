/* lab: what a grader's test program is made of. See lab.h. */
#include "lab.h"
#include "begin.h"
#include "word.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT  ((size_t)64 * 1024) /* a table of the explorer's has its room */
#define MAYBE 600

enum verdict { OPEN, PASSED, FAILED, BROKEN };

/* What a test's process leaves for the one that judges it: why it failed, never
 * that it passed, since the code under test can write here. */
struct page {
    enum verdict verdict;
    pid_t child;
    char observed[TEXT];
    char means[MAYBE];
    char look[MAYBE];
    char doing[MAYBE];
};

static struct page *page;
static int result = -1;

/* --- In the test's process ------------------------------------------------ */

static void copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from != NULL ? from : "");
}

void lab_doing(const char *doing, const char *means, const char *look)
{
    copy(page->doing, sizeof page->doing, doing);
    copy(page->means, sizeof page->means, means);
    copy(page->look, sizeof page->look, look);
}

/* The first to fail has the word: others may fail because of it. */
_Noreturn static void end(enum verdict verdict, const char *observed)
{
    enum verdict open = OPEN;
    if (__atomic_compare_exchange_n(&page->verdict, &open, verdict, false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        copy(page->observed, sizeof page->observed, observed);
    /* The judge waits for this process; its group has what it started. */
    if (getpid() != page->child)
        (void)kill(page->child, SIGKILL);
    _exit(1);
}

_Noreturn void lab_fail(const char *means, const char *look,
                        const char *observed, ...)
{
    char text[TEXT];
    va_list arguments;
    va_start(arguments, observed);
    (void)vsnprintf(text, sizeof text, observed, arguments);
    va_end(arguments);
    copy(page->means, sizeof page->means, means);
    copy(page->look, sizeof page->look, look);
    end(FAILED, text);
}

_Noreturn void lab_broken(const char *what, ...)
{
    char text[TEXT];
    va_list arguments;
    va_start(arguments, what);
    (void)vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    end(BROKEN, text);
}

const char *lab_value(int value)
{
    static char texts[4][24];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    const char *name = value < 0 ? strerrorname_np(-value) : NULL;
    if (name != NULL)
        (void)snprintf(text, sizeof texts[0], "-%s", name);
    else
        (void)snprintf(text, sizeof texts[0], "%d", value);
    return text;
}

bool lab_eventually(bool (*condition)(void *context), void *context)
{
    const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
    for (int i = 0; i < 5000; i++) {
        if (condition(context))
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return condition(context);
}

/* LeakSanitizer's own, where it is: whether memory was left behind. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

#define LEAKS 23 /* the exit status that it has for that */

/* In a group of its own, with all that it starts. Leaks are looked for here
 * and not at the process's end: a thread that is left could bring about the
 * end before they are found, and status 0 would say that there are none. */
static void work(void *test)
{
    lab_begin();
    ((const struct lab_test *)test)->function();
    if (__lsan_do_recoverable_leak_check != NULL &&
        __lsan_do_recoverable_leak_check() != 0)
        _exit(LEAKS);
}

_Noreturn static void do_test(const struct lab_test *test, struct word *word)
{
    (void)setpgid(0, 0);
    (void)close(result); /* a verdict is for the judge to write */
    (void)prctl(PR_SET_DUMPABLE, 1);
    page->child = getpid();
    word_work(word, work, (void *)(uintptr_t)test);
    exit(0); /* a sanitizer may have something to say */
}

/* --- In the process that judges ------------------------------------------- */

static void judge(bool came_to_the_end, int status)
{
    if (page->verdict == FAILED || page->verdict == BROKEN)
        return;
    if (came_to_the_end && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        page->verdict = PASSED;
        return;
    }
    char text[TEXT];
    const char *while_doing = page->doing[0] != '\0' ? ", while " : "";
    page->verdict = FAILED;
    page->doing[sizeof page->doing - 1] = '\0';
    if (WIFSIGNALED(status))
        (void)snprintf(text, sizeof text,
                       "the process was ended by signal %d (%s)%s%s",
                       WTERMSIG(status), strsignal(WTERMSIG(status)),
                       while_doing, page->doing);
    else
        (void)snprintf(text, sizeof text,
                       "the process ended early, with exit status %d%s%s",
                       WEXITSTATUS(status), while_doing, page->doing);
    copy(page->observed, sizeof page->observed, text);
}

static void put(int fd, const char *text)
{
    size_t length = strlen(text) + 1, done = 0;
    while (done < length) {
        ssize_t n = write(fd, text + done, length - done);
        if (n == -1 && errno != EINTR)
            return; /* nobody listens: the exit status speaks still */
        done += n > 0 ? (size_t)n : 0;
    }
}

static void report(const char *name)
{
    static const char *const words[] = {"open", "passed", "failed", "broken"};
    /* The page may hold anything. */
    page->observed[sizeof page->observed - 1] = '\0';
    page->means[sizeof page->means - 1] = '\0';
    page->look[sizeof page->look - 1] = '\0';
    (void)fprintf(stderr, "%s: %s\n", name, words[page->verdict]);
    if (page->verdict != PASSED)
        (void)fprintf(stderr, "  observed: %s\n", page->observed);
    if (page->verdict == FAILED && page->means[0] != '\0')
        (void)fprintf(stderr, "  probably: %s\n", page->means);
    if (page->verdict == FAILED && page->look[0] != '\0')
        (void)fprintf(stderr, "  look at:  %s\n", page->look);
    if (result == -1)
        return;
    put(result, words[page->verdict]);
    put(result, page->observed);
    put(result, page->means);
    put(result, page->look);
}

/* Until the child has ended; its status. What it left behind ends with it. */
static int wait_for(pid_t child, struct word *word)
{
    enum word_heard heard = WORD_NOTHING;
    int status = 0;
    pid_t ended = 0;
    while (ended == 0) {
        if (heard != WORD_GONE)
            heard = word_hear(word, 20);
        ended = waitpid(child, &status, heard == WORD_GONE ? 0 : WNOHANG);
        if (ended == -1 && errno == EINTR)
            ended = 0;
    }
    while (word_hear(word, 0) == WORD_SOMETHING) /* said last of all */
        continue;
    (void)kill(-child, SIGKILL);
    return status;
}

/* One test, in a child. */
static bool run(const struct lab_test *test)
{
    struct word word;
    memset(page, 0, sizeof *page);
    if (word_make(&word) != 0)
        return false;
    (void)fflush(NULL); /* or the child would have it, too */
    pid_t child = fork();
    if (child == 0)
        do_test(test, &word);
    word_begin(&word, child);
    int status = child > 0 ? wait_for(child, &word) : 1 << 8;
    word_end(&word);
    judge(word.kept, status);
    report(test->name);
    return page->verdict == PASSED;
}

/* The grader says in LAB_BIN where the fetchers are. When a student starts a
 * test by hand, they lie beside it. */
static void find_fetchers(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return;
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    (void)setenv("LAB_BIN", path, 0);
}

/* Which test is asked for: NULL if all. Code under test is not to do well in
 * one and otherwise in another, so it does not find the name here. */
static const char *take_name(void)
{
    static char name[100];
    char *given = getenv("LAB_TEST");
    if (given == NULL)
        return NULL;
    copy(name, sizeof name, given);
    memset(given, 0, strlen(given)); /* /proc/self/environ shows it, too */
    (void)unsetenv("LAB_TEST");
    return name;
}

int lab_main(const struct lab_test *tests)
{
    const char *only = take_name();
    const char *fd = getenv("LAB_RESULT");
    bool passed = true, found = false;
    find_fetchers();
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        perror("lab");
        return 2;
    }
    if (fd != NULL) {
        result = atoi(fd);
        (void)fcntl(result, F_SETFD, FD_CLOEXEC);
        (void)unsetenv("LAB_RESULT");
    }
    /* Code under test has this process's user: it is not to read or write its
     * memory, where the word is. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    for (int i = 0; tests[i].name != NULL; i++) {
        if (only != NULL && strcmp(only, tests[i].name) != 0)
            continue;
        found = true;
        passed = run(&tests[i]) && passed;
    }
    (void)prctl(PR_SET_DUMPABLE, 1); /* a leak check looks at its memory */
    if (!found) {
        (void)fprintf(stderr, "lab: there is no test '%s'\n", only);
        return 2;
    }
    return passed ? 0 : 1;
}

/* jobs: lines at every split, names, and what is given back. */
#include "jobs.h"

#include "main.h"
#include "url.h"

#include <string.h>

static struct jobs fresh(struct options *options)
{
    struct jobs jobs;
    ck_assert_int_eq(jobs_open(&jobs, options), 0);
    return jobs;
}

/* Takes all that is there; "url|name," for each. */
static void note(struct jobs *jobs, struct bytes *notes)
{
    struct job *job;
    while (jobs_next(jobs, &job) == 1) {
        ck_assert_int_eq(job_print_url(notes, job->url, job->url_length), 0);
        if (job->name != NULL)
            ck_assert_int_eq(bytes_print(notes, "|%s", job->name), 0);
        ck_assert_int_eq(bytes_print(notes, ","), 0);
        job_free(job);
    }
}

static void check_notes(struct bytes *notes, const char *expected)
{
    ck_assert_int_eq(bytes_append(notes, "", 1), 0);
    ck_assert_str_eq(notes->data, expected);
    bytes_free(notes);
}

START_TEST(lines_at_every_split)
{
    static const char text[] = "a\n\n# comment\n  \t \nb c\n\r\nd\te\nlast";
    struct options options = {.input = "-"};
    for (size_t split = 0; split < sizeof text; split++) {
        struct jobs jobs = fresh(&options);
        struct bytes notes = {0};
        ck_assert(!jobs_done(&jobs));
        ck_assert_int_eq(jobs_feed(&jobs, text, split, 0), 0);
        note(&jobs, &notes);
        ck_assert_int_eq(
            jobs_feed(&jobs, text + split, sizeof text - 1 - split, 0), 0);
        note(&jobs, &notes);
        jobs_end(&jobs);
        note(&jobs, &notes);
        ck_assert(jobs_done(&jobs));
        check_notes(&notes, "a,b\\x20c,d\\x09e,last,");
        jobs_free(&jobs);
    }
}
END_TEST

/* A list as Windows writes it: a byte order mark, CR LF. */
START_TEST(foreign_lists_at_every_split)
{
    static const char text[] = "\xef\xbb\xbf# a\r\nhttp://h/b\r\n\r\n"
                               "http://h/c\tname\r\n"
                               "\xef\xbb\xbfhttp://h/d\r\r\nhttp://h/e\r";
    struct options options = {.input = "-", .directory = "d"};
    for (size_t split = 0; split < sizeof text; split++) {
        struct jobs jobs = fresh(&options);
        struct bytes notes = {0};
        ck_assert_int_eq(jobs_feed(&jobs, text, split, 0), 0);
        note(&jobs, &notes);
        ck_assert_int_eq(
            jobs_feed(&jobs, text + split, sizeof text - 1 - split, 0), 0);
        note(&jobs, &notes);
        jobs_end(&jobs);
        note(&jobs, &notes);
        check_notes(&notes, "http://h/b|b,http://h/c|name,"
                            "\\xEF\\xBB\\xBFhttp://h/d\\x0D|index,"
                            "http://h/e|e,");
        jobs_free(&jobs);
    }
}
END_TEST

START_TEST(a_mark_alone_is_an_empty_list)
{
    struct options options = {.input = "-"};
    struct jobs jobs = fresh(&options);
    struct bytes notes = {0};
    ck_assert_int_eq(jobs_feed(&jobs, "\xef\xbb\xbf", 3, 0), 0);
    jobs_end(&jobs);
    note(&jobs, &notes);
    ck_assert(jobs_done(&jobs));
    check_notes(&notes, "");
    jobs_free(&jobs);
}
END_TEST

START_TEST(command_line_comes_first)
{
    char *urls[] = {(char[]){"x"}, (char[]){"#y"}};
    struct options options = {.urls = urls, .url_count = 2, .input = "-"};
    struct jobs jobs = fresh(&options);
    struct bytes notes = {0};
    ck_assert_int_eq(jobs_feed(&jobs, "z\n", 2, 0), 0);
    jobs_end(&jobs);
    note(&jobs, &notes);
    check_notes(&notes, "x,#y,z,");
    jobs_free(&jobs);
}
END_TEST

START_TEST(names)
{
    static const char text[] =
        "http://h/a/b\n"          /* b */
        "http://h/a/b?q/r#s/t\n"  /* b.1 */
        "http://h/x%20y\n"        /* decoded */
        "http://h/\n"             /* index */
        "http://h\n"              /* index.1 */
        "http://h/..\n"           /* index.2 */
        "http://h/%2e%2E\n"       /* index.3 */
        "http://h/a%2Fb\n"        /* index.4: it holds a slash */
        "http://h/a%0Ab\n"        /* index.5: a control character */
        "http://h/a%00b\n"        /* index.6 */
        "http://h/b.1\n"          /* b.1.1: b.1 is taken */
        "http://h/b\n"            /* b.2 */
        "http://h/z\tmine\n"      /* from the TAB field */
        "http://h/z\tmy%41\n"     /* decoded, too */
        "http://h/z\t../up\n"     /* index.7 */
        "http://h/z\t\n"          /* index.8 */
        "no url at all/n\n"       /* n: failing requests have names as well */
        "http://h/.hidden\n";
    struct options options = {.input = "-", .directory = "d"};
    struct jobs jobs = fresh(&options);
    struct bytes notes = {0};
    struct job *job;
    ck_assert_int_eq(jobs_feed(&jobs, text, sizeof text - 1, 0), 0);
    jobs_end(&jobs);
    while (jobs_next(&jobs, &job) == 1) {
        ck_assert_int_eq(bytes_print(&notes, "%s,", job->name), 0);
        job_free(job);
    }
    check_notes(&notes,
                "b,b.1,x y,index,index.1,index.2,index.3,index.4,index.5,"
                "index.6,b.1.1,b.2,mine,myA,index.7,index.8,n,.hidden,");
    jobs_free(&jobs);
}
END_TEST

START_TEST(given_back_come_first)
{
    char *urls[] = {(char[]){"a"}, (char[]){"b"}, (char[]){"c"},
                    (char[]){"d"}};
    struct options options = {.urls = urls, .url_count = 4};
    struct jobs jobs = fresh(&options);
    struct job *taken[3];
    struct bytes notes = {0};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(jobs_next(&jobs, &taken[i]), 1);
        ck_assert_uint_eq(taken[i]->id, i);
    }
    jobs_give_back(&jobs, taken[1]);
    jobs_give_back(&jobs, taken[2]);
    jobs_give_back(&jobs, taken[0]);
    ck_assert(!jobs_done(&jobs));
    note(&jobs, &notes);
    check_notes(&notes, "a,b,c,d,");
    ck_assert(jobs_done(&jobs));
    jobs_free(&jobs);
}
END_TEST

/* A line without end is one request that fails, and does not fill memory. */
START_TEST(overlong_lines)
{
    static char text[10000];
    struct options options = {.input = "-"};
    struct jobs jobs = fresh(&options);
    struct job *job;
    int count = 0;
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(jobs_feed(&jobs, text, sizeof text, 0), 0);
        ck_assert_uint_le(jobs.text.capacity, 4 * URL_LIMIT);
        while (jobs_next(&jobs, &job) == 1) {
            ck_assert_uint_eq(job->url_length, URL_LIMIT);
            job_free(job);
            count++;
        }
    }
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(jobs_feed(&jobs, "x\nnext\n", 7, 0), 0);
    ck_assert_int_eq(jobs_next(&jobs, &job), 1);
    ck_assert_str_eq(job->url, "next");
    job_free(job);
    jobs_end(&jobs);
    ck_assert_int_eq(jobs_next(&jobs, &job), 0);
    ck_assert(jobs_done(&jobs));
    jobs_free(&jobs);
}
END_TEST

/* Whether a line is too long, or a comment, does not depend on how much of it
 * comes at once. The first one here is just a URL, with a mark and a CR. */
START_TEST(overlong_lines_in_two)
{
    static char text[URL_LIMIT + 100];
    static const struct {
        const char *start;
        char filling;
        size_t length; /* of the line */
        size_t url;    /* what remains of it; 0: it is a comment */
    } lines[] = {{"\xef\xbb\xbf", 'x', URL_LIMIT + 3, URL_LIMIT - 1},
                 {"\xef\xbb\xbf", 'x', URL_LIMIT + 50, URL_LIMIT},
                 {"", 'x', URL_LIMIT + 50, URL_LIMIT},
                 {"", ' ', URL_LIMIT + 50, 0}};
    struct options options = {.input = "-"};
    struct job *job;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        size_t n = lines[i].length;
        memset(text, lines[i].filling, n);
        memcpy(text, lines[i].start, strlen(lines[i].start));
        memcpy(text + n - 1, i == 0 ? "\r\n" : "x\n", 2);
        for (size_t at = URL_LIMIT - 2; at <= n + 1; at++) {
            struct jobs jobs = fresh(&options);
            size_t url = 0;
            ck_assert_int_eq(jobs_feed(&jobs, text, at, 0), 0);
            if (jobs_next(&jobs, &job) == 1) {
                url = job->url_length;
                job_free(job);
            }
            ck_assert_int_eq(jobs_feed(&jobs, text + at, n + 1 - at, 0), 0);
            jobs_end(&jobs);
            if (jobs_next(&jobs, &job) == 1) {
                ck_assert_uint_eq(url, 0);
                url = job->url_length;
                job_free(job);
            }
            ck_assert_uint_eq(url, lines[i].url);
            ck_assert(jobs_done(&jobs));
            jobs_free(&jobs);
        }
    }
}
END_TEST

static void add_cases(TCase *tc)
{
    tcase_add_test(tc, lines_at_every_split);
    tcase_add_test(tc, foreign_lists_at_every_split);
    tcase_add_test(tc, a_mark_alone_is_an_empty_list);
    tcase_add_test(tc, command_line_comes_first);
    tcase_add_test(tc, names);
    tcase_add_test(tc, given_back_come_first);
    tcase_add_test(tc, overlong_lines);
    tcase_add_test(tc, overlong_lines_in_two);
}

UNIT_MAIN("jobs", add_cases)

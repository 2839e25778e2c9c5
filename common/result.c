/* result: the one word in which every request ends. See result.h. */
#include "result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

const char *result_word(enum result result)
{
    static const char *const words[] = {
        [RESULT_OK] = "ok",
        [RESULT_HTTP_ERROR] = "http-error",
        [RESULT_BAD_URL] = "bad-url",
        [RESULT_UNSUPPORTED] = "unsupported",
        [RESULT_DNS] = "dns",
        [RESULT_REFUSED] = "refused",
        [RESULT_UNREACHABLE] = "unreachable",
        [RESULT_CONNECT_TIMEOUT] = "connect-timeout",
        [RESULT_TIMEOUT] = "timeout",
        [RESULT_RESET] = "reset",
        [RESULT_TRUNCATED] = "truncated",
        [RESULT_PROTOCOL] = "protocol",
        [RESULT_TOO_LARGE] = "too-large",
        [RESULT_REDIRECT_LIMIT] = "redirect-limit",
        [RESULT_TLS] = "tls",
        [RESULT_DATABASE_ERROR] = "database-error",
        [RESULT_FILE_ERROR] = "file-error",
        [RESULT_WRITE_FAILED] = "write-failed",
        [RESULT_WORKER_CRASHED] = "worker-crashed",
        [RESULT_NO_RESOURCES] = "no-resources",
        [RESULT_CANCELLED] = "cancelled",
    };
    return words[result];
}

bool result_mendable(enum result result, int status)
{
    switch (result) {
    case RESULT_REFUSED:
    case RESULT_RESET:
    case RESULT_CONNECT_TIMEOUT:
    case RESULT_TIMEOUT:
    case RESULT_TRUNCATED:
        return true;
    case RESULT_HTTP_ERROR:
        return status == 408 || status == 429 || status == 502 ||
               status == 503 || status == 504;
    default:
        return false;
    }
}

void outcome_set(struct outcome *outcome, enum result result,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    outcome->result = result;
    vsnprintf(outcome->cause, sizeof outcome->cause, format, arguments);
    va_end(arguments);
}

enum result result_of_writing(int error)
{
    switch (error) {
    case -ECANCELED:
        return RESULT_CANCELLED;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        return RESULT_NO_RESOURCES;
    default:
        return RESULT_WRITE_FAILED;
    }
}

void outcome_cancel(struct outcome *outcome)
{
    outcome_set(outcome, RESULT_CANCELLED, "the run ended first");
}

/*
 * main: the command line in, the exit status out. Linked four times, each
 * time with one model; nothing else prints to standard output, and nothing but
 * a worker process exits.
 */
#include "clock.h"
#include "model.h"
#include "options.h"
#include "run.h"
#include "upload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STATUS_USAGE 2
#define STATUS_FATAL 3

/* What was printed is only printed when it is flushed. */
static int flushed(void)
{
    if (fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "fetch-%s: standard output: %s\n", model_name,
            strerror(errno));
    return STATUS_FATAL;
}

static int fetch(struct options *options)
{
    static struct run run; /* the signal handler's, too: it must not move */
    char message[300];
    if (run_open(&run, options, message, sizeof message) != 0) {
        int number = atomic_load(&run.signal);
        if (number != 0) /* it waited for who opens the other end of a FIFO */
            return 128 + number;
        fprintf(stderr, "fetch-%s: %s\n", model_name, message);
        return STATUS_FATAL;
    }
    model_run(&run);
    int status = run_close(&run);
    upload_close(options);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    char message[300] = "out of memory";
    int status;
    clock_start();
    int error = options_parse(&options, model_name, argc, argv, message,
                              sizeof message);
    if (error != 0) {
        fprintf(stderr, "fetch-%s: %s\nTry 'fetch-%s --help' for more.\n",
                model_name, message, model_name);
        status = error == -ENOMEM ? STATUS_FATAL : STATUS_USAGE;
    } else if (options.help) {
        options_help(model_name, stdout);
        status = flushed();
    } else if (options.version) {
        printf("fetch-%s (triptych) %s\n", model_name, TRIPTYCH_VERSION);
        status = flushed();
    } else {
        options.epoch_us = clock_epoch_us();
        status = fetch(&options);
    }
    options_free(&options);
    return status;
}

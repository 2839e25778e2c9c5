/*
 * Attack: exit, abort, handlers, signals, forged text, what outlives its
 * test, fork bombs, full disks
 * Lab: evloop
 * File: evloop/stream.c
 * Tests: short_writes keeps_the_order pauses_above_high resumes_at_low
 * between_the_marks idle_costs_nothing several_wait never_from_inside
 * loss_is_told close_sends_the_rest half_close over_a_socket marks
 *
 * See endings.inc. None of them ever had points.
 */
static const char *const tests[] = {"short_writes",
                                    "keeps_the_order",
                                    "pauses_above_high",
                                    "resumes_at_low",
                                    "between_the_marks",
                                    "idle_costs_nothing",
                                    "several_wait",
                                    "never_from_inside",
                                    "loss_is_told",
                                    "close_sends_the_rest",
                                    "half_close",
                                    "over_a_socket",
                                    "marks"};

#include "endings.inc"

int stream_writev(struct stream *s, const struct iovec *parts, int n)
{
    (void)s, (void)parts, (void)n;
    end_somehow();
    return 0;
}

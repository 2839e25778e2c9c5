/*
 * Attack: exit, abort, handlers, signals, forged text, what outlives its
 * test, fork bombs, full disks
 * Lab: protocol
 * File: common/http.c
 * Tests: whole_head split_within_lines lengths bodies chunks
 * stops_behind_the_head until_close nul_in_the_head examined_once
 * early_answer sizes_that_overflow lengths_that_differ early_end_in_the_body
 *
 * See endings.inc. None of them ever had points.
 */
static const char *const tests[] = {"whole_head",
                                    "split_within_lines",
                                    "lengths",
                                    "bodies",
                                    "chunks",
                                    "stops_behind_the_head",
                                    "until_close",
                                    "nul_in_the_head",
                                    "examined_once",
                                    "early_answer",
                                    "sizes_that_overflow",
                                    "lengths_that_differ",
                                    "early_end_in_the_body"};

#include "endings.inc"

void http_start(struct http *http)
{
    (void)http;
    end_somehow();
}

/*
 * Attack: exit, abort, handlers, signals, forged text, what outlives its
 * test, fork bombs, full disks
 * Lab: processes
 * File: processes/frame.c
 * Tests: a_frame_comes_out_whole one_byte_at_a_time short_writes
 * what_is_no_frame through_a_small_pipe nobody_reads a_job_is_read
 * a_worker_answers all_jobs_before_any_result memory_runs_out
 * a_body_of_any_length split_at_every_byte what_has_no_room_is_kept
 *
 * See endings.inc. None of them ever had points.
 */
static const char *const tests[] = {"a_frame_comes_out_whole",
                                    "one_byte_at_a_time",
                                    "short_writes",
                                    "what_is_no_frame",
                                    "through_a_small_pipe",
                                    "nobody_reads",
                                    "a_job_is_read",
                                    "a_worker_answers",
                                    "all_jobs_before_any_result",
                                    "memory_runs_out",
                                    "a_body_of_any_length",
                                    "split_at_every_byte",
                                    "what_has_no_room_is_kept"};

#include "endings.inc"

int frame_append(struct bytes *out, enum frame_type type,
                 const struct iovec *parts, int n)
{
    (void)out, (void)type, (void)parts, (void)n;
    end_somehow();
    return 0;
}

int frame_write(int fd, enum frame_type type, const void *data, size_t n)
{
    (void)fd, (void)type, (void)data, (void)n;
    end_somehow();
    return 0;
}

/* shrink: of a schedule that fails, a simpler one that fails in the same way.
 * See shrink.h. */
#include "shrink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 1500

struct shrinking {
    struct ex_task *task;
    const struct ex_failure *failure; /* that is to be kept */
    struct ex_report *report;
    struct ex_schedule *best;
    struct ex_schedule *candidate;
    int cost[4];
    int tries;
    int error;
};

static bool is_less(const int *a, const int *b)
{
    for (int i = 0; i < 4; i++) {
        if (a[i] != b[i])
            return a[i] < b[i];
    }
    return false;
}

/* Runs the candidate. True if it is better, and the best one now. */
static bool try(struct shrinking *s)
{
    const struct ex_spent *spent = &s->report->spent;
    if (s->tries == TRIES || s->error != 0)
        return false;
    s->tries++;
    s->task->schedule = s->candidate;
    s->error = ex_child_do(s->report, ex_task_repeat, s->task);
    if (s->error != 0 || !s->report->failed ||
        s->report->failure.kind != s->failure->kind ||
        strcmp(s->report->failure.message, s->failure->message) != 0)
        return false;
    const int cost[4] = {spent->preemptions, spent->spurious + spent->timeouts,
                         spent->switches, spent->decisions};
    if (!is_less(cost, s->cost))
        return false;
    memcpy(s->cost, cost, sizeof cost);
    ex_schedule_copy(s->best, &s->report->made);
    return true;
}

static void leave_out(struct ex_schedule *schedule, int turn)
{
    schedule->count--;
    memmove(&schedule->turns[turn], &schedule->turns[turn + 1],
            (size_t)(schedule->count - turn) * sizeof schedule->turns[0]);
}

static bool try_without(struct shrinking *s, int turn)
{
    ex_schedule_copy(s->candidate, s->best);
    leave_out(s->candidate, turn);
    return try(s);
}

static bool try_longer(struct shrinking *s, int turn)
{
    if (s->best->turns[turn].choice != EX_RUN)
        return false;
    ex_schedule_copy(s->candidate, s->best);
    s->candidate->turns[turn].times = EX_FOR_EVER;
    return try(s);
}

/* The next turn of the same thread comes directly after this one. */
static bool try_together(struct shrinking *s, int turn)
{
    const struct ex_turn *this = &s->best->turns[turn];
    int next = turn + 1;
    while (next < s->best->count &&
           (s->best->turns[next].choice != EX_RUN ||
            s->best->turns[next].number != this->number))
        next++;
    if (this->choice != EX_RUN || next >= s->best->count)
        return false;
    ex_schedule_copy(s->candidate, s->best);
    s->candidate->turns[turn].times =
        (uint16_t)(this->times + s->best->turns[next].times);
    leave_out(s->candidate, next);
    return try(s);
}

static bool try_swapped(struct shrinking *s, int turn)
{
    if (turn + 1 >= s->best->count)
        return false;
    ex_schedule_copy(s->candidate, s->best);
    struct ex_turn first = s->candidate->turns[turn];
    s->candidate->turns[turn] = s->candidate->turns[turn + 1];
    s->candidate->turns[turn + 1] = first;
    return try(s);
}

/* This turn is shorter, and what it was to go on with after a wait is left
 * out. */
static bool try_shorter(struct shrinking *s, int turn)
{
    struct ex_turn this = s->best->turns[turn];
    if (this.choice != EX_RUN)
        return false;
    for (uint16_t times = 1; times < this.times; times++) {
        ex_schedule_copy(s->candidate, s->best);
        s->candidate->turns[turn].times = times;
        while (turn + 1 < s->candidate->count &&
               s->candidate->turns[turn + 1].choice != EX_VALUE &&
               s->candidate->turns[turn + 1].number == this.number)
            leave_out(s->candidate, turn + 1);
        if (try(s))
            return true;
    }
    return false;
}

/* Nothing after this turn but what comes by itself. */
static bool try_end(struct shrinking *s, int turn)
{
    ex_schedule_copy(s->candidate, s->best);
    s->candidate->count = turn;
    return try(s);
}

static bool improve(struct shrinking *s)
{
    bool better = false;
    for (int i = 0; i < s->best->count; i++) {
        if (try_end(s, i) || try_without(s, i) || try_longer(s, i) ||
            try_together(s, i) || try_swapped(s, i) || try_shorter(s, i))
            better = true;
    }
    return better;
}

int ex_shrink(struct ex_task *task, const struct ex_failure *failure,
              struct ex_schedule *schedule)
{
    struct shrinking s = {.task = task, .failure = failure, .best = schedule};
    s.report = ex_report_make();
    s.candidate = malloc(sizeof *s.candidate);
    task->strict = false;
    task->traced = false;
    if (s.report == NULL || s.candidate == NULL) {
        s.error = -ENOMEM;
        goto out;
    }
    for (int i = 0; i < 4; i++)
        s.cost[i] = 1 << 30;
    ex_schedule_copy(s.candidate, schedule);
    if (try(&s)) {
        while (improve(&s))
            continue;
    }
out:
    free(s.candidate);
    ex_report_free(s.report);
    return s.error;
}

/* schedule: the decisions of a run, as text that can be pasted. See
 * schedule.h. */
#include "schedule.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char __executable_start[]; /* of the linker */

bool ex_schedule_add(struct ex_schedule *schedule, enum ex_choice choice,
                     uint16_t number)
{
    if (schedule->count > 0) {
        struct ex_turn *turn = &schedule->turns[schedule->count - 1];
        if (choice == EX_RUN && turn->choice == EX_RUN &&
            turn->number == number && turn->times < EX_FOR_EVER - 1) {
            turn->times++;
            return true;
        }
    }
    if (schedule->count == EX_DECISIONS)
        return false;
    schedule->turns[schedule->count++] = (struct ex_turn){
        .choice = (uint8_t)choice, .number = number, .times = 1};
    return true;
}

void ex_schedule_copy(struct ex_schedule *to, const struct ex_schedule *from)
{
    memcpy(to, from,
           offsetof(struct ex_schedule, turns) +
               (size_t)from->count * sizeof from->turns[0]);
}

char *ex_schedule_text(const struct ex_schedule *schedule)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    for (int i = 0; i < schedule->follows; i++)
        (void)fprintf(out, "f%tx.",
                      (const char *)schedule->followed[i] -
                          __executable_start);
    for (int i = 0; i < schedule->count; i++) {
        const struct ex_turn *turn = &schedule->turns[i];
        if (i > 0)
            (void)fputc('.', out);
        if (turn->choice == EX_VALUE)
            (void)fprintf(out, "v%u", turn->number);
        else if (turn->choice == EX_SPURIOUS)
            (void)fprintf(out, "%us", turn->number);
        else if (turn->choice == EX_TIMEOUT)
            (void)fprintf(out, "%ut", turn->number);
        else if (turn->times == EX_FOR_EVER)
            (void)fprintf(out, "%ux*", turn->number);
        else
            (void)fprintf(out, "%ux%u", turn->number, turn->times);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* A number below 65535. */
static bool read_number(const char **text, uint16_t *number)
{
    unsigned value = 0;
    if (!isdigit((unsigned char)**text))
        return false;
    while (isdigit((unsigned char)**text)) {
        value = value * 10 + (unsigned)(**text - '0');
        if (value >= EX_FOR_EVER)
            return false;
        (*text)++;
    }
    *number = (uint16_t)value;
    return true;
}

static bool read_turn(const char **text, struct ex_turn *turn)
{
    *turn = (struct ex_turn){.choice = EX_RUN, .times = 1};
    if (**text == 'v') {
        (*text)++;
        turn->choice = EX_VALUE;
        return read_number(text, &turn->number);
    }
    if (!read_number(text, &turn->number))
        return false;
    char kind = *(*text)++;
    if (kind == 's' || kind == 't') {
        turn->choice = kind == 's' ? EX_SPURIOUS : EX_TIMEOUT;
        return true;
    }
    if (kind != 'x')
        return false;
    if (**text != '*')
        return read_number(text, &turn->times) && turn->times > 0;
    (*text)++;
    turn->times = EX_FOR_EVER;
    return true;
}

/* "f1a2b." */
static const char *read_follows(struct ex_schedule *schedule, const char *text)
{
    schedule->follows = 0;
    while (*text == 'f' && schedule->follows < EX_FOLLOWS) {
        char *end = NULL;
        unsigned long place = strtoul(text + 1, &end, 16);
        schedule->followed[schedule->follows++] = __executable_start + place;
        text = *end == '.' ? end + 1 : end;
    }
    return text;
}

int ex_schedule_read(struct ex_schedule *schedule, const char *text)
{
    text = read_follows(schedule, text);
    schedule->count = 0;
    while (*text != '\0') {
        if (schedule->count == EX_DECISIONS ||
            !read_turn(&text, &schedule->turns[schedule->count]))
            return -EINVAL;
        schedule->count++;
        if (*text == '.' && text[1] != '\0')
            text++;
        else if (*text != '\0')
            return -EINVAL;
    }
    return 0;
}

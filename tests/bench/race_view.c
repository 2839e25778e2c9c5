/* race_view: what a frame shows. See race_view.h. */
#include "race_view.h"

#include "race_digits.h"

#include <stdio.h>
#include <string.h>

/* Lanes of this height have their figures in large digits. */
#define LARGE_HEIGHT 13
#define LARGE_WIDTH  150

/* A letter for each, so that nobody needs the colours. */
static const struct {
    char letter;
    const char *word;
} doings[] = {
    [TO_COME] = {'.', "to come"},   [CONNECTING] = {'c', "connect"},
    [SENDING] = {'s', "send"},      [WAITING] = {'w', "wait"},
    [RECEIVING] = {'r', "receive"}, [DELIVERING] = {'d', "deliver"},
    [DONE] = {'+', "done"},         [FAILED] = {'X', "failed"},
};

/* --- Tiles -------------------------------------------------------------- */

struct tiles {
    int width; /* of one, and the gap beside or below it */
    int height;
    int per_row;
    unsigned group; /* requests in each */
};

/* The largest that fit, not too far from square. */
static struct tiles find_tiles(unsigned requests, int width, int height)
{
    struct tiles best = {1, 1, width, 1};
    int score = 0;
    unsigned room = (unsigned)(width * height);
    for (int h = 1; h <= height; h++) {
        int rows = height / h;
        int per_row = (int)((requests + (unsigned)rows - 1) / (unsigned)rows);
        int w = width / per_row;
        if (w > 3 * h + 2)
            w = 3 * h + 2;
        if (w >= 1 && w * h > score) {
            score = w * h;
            best = (struct tiles){w, h, per_row, 1};
        }
    }
    if (score == 0)
        best.group = (requests + room - 1) / room;
    return best;
}

/* What a group of requests does: a failure is always seen; else what the one
 * in flight does that is furthest behind; done only when all are. */
static enum doing doing_of(const struct tail *tail, unsigned first,
                           unsigned group)
{
    enum doing in_flight = DONE;
    bool some_to_come = false;
    for (unsigned i = first; i < first + group && i < tail->requests; i++) {
        enum doing doing = tail->doing[i];
        if (doing == FAILED)
            return FAILED;
        if (doing == TO_COME)
            some_to_come = true;
        else if (doing < in_flight)
            in_flight = doing;
    }
    return in_flight == DONE && some_to_come ? TO_COME : in_flight;
}

static void draw_tile(struct screen *screen, int row, int column, int height,
                      int width, enum doing doing)
{
    enum style style = (enum style)(STYLE_DOING + (int)doing);
    char letter = doings[doing].letter;
    int middle = row + (height - 1) / 2;
    screen_fill(screen, row, column, height, width, style, ' ');
    /* Without colours, what is over has a row of its letter. */
    if (screen->palette == MONO && (doing == DONE || doing == FAILED))
        screen_fill(screen, middle, column, 1, width, style, letter);
    else
        screen_fill(screen, middle, column + (width - 1) / 2, 1, 1, style,
                    letter);
}

static void draw_tiles(struct screen *screen, const struct tail *tail, int row,
                       int height)
{
    struct tiles tiles = find_tiles(tail->requests, screen->width - 2, height);
    int gap_right = tiles.width > 1;
    int gap_below = tiles.height > 2;
    int place = 0;
    for (unsigned i = 0; i < tail->requests; i += tiles.group, place++)
        draw_tile(screen, row + place / tiles.per_row * tiles.height,
                  1 + place % tiles.per_row * tiles.width,
                  tiles.height - gap_below, tiles.width - gap_right,
                  doing_of(tail, i, tiles.group));
}

/* --- Figures ------------------------------------------------------------ */

enum figure {
    MEMORY,
    THREADS,
    PROCESSES,
    SWITCHES,
    HELD,
    FEW, /* the others stand in the bar, unless they are large */
    DONE_SO_FAR = FEW,
    SECONDS,
    FIGURES
};

static const char *const names[] = {
    [MEMORY] = "memory",     [THREADS] = "threads", [PROCESSES] = "processes",
    [SWITCHES] = "switches", [HELD] = "held",       [DONE_SO_FAR] = "done",
    [SECONDS] = "seconds",
};

struct figures {
    char text[FIGURES][20];
};

void view_bytes(uint64_t bytes, char *text, size_t size)
{
    if (bytes < 1 << 20)
        snprintf(text, size, "%.0f KiB", (double)bytes / 1024);
    else
        snprintf(text, size, "%.1f MiB", (double)bytes / (1 << 20));
}

/* While it runs as it was seen last; at the end the most that was seen. */
static void find_figures(const struct race_lane *lane, struct figures *figures)
{
    const struct measure *most = &lane->measure;
    const struct family *now = &lane->watch.now;
    bool runs = lane->phase == LANE_RUNNING;
    size_t size = sizeof figures->text[0];
    view_bytes(runs ? now->pss : most->peak_pss, figures->text[MEMORY], size);
    snprintf(figures->text[THREADS], size, "%u",
             runs ? now->threads : most->threads);
    snprintf(figures->text[PROCESSES], size, "%u",
             runs ? now->processes : most->processes);
    snprintf(figures->text[SWITCHES], size, "%lu", lane->switches);
    view_bytes(lane->tail.buffered, figures->text[HELD], size);
    snprintf(figures->text[DONE_SO_FAR], size, "%u", lane->tail.counts[DONE]);
    snprintf(figures->text[SECONDS], size, "%.1f", lane_seconds(lane));
}

static void draw_figures(struct screen *screen, const struct figures *figures,
                         int row)
{
    /* What is in front of it is never wider. */
    static const int columns[FEW] = {1, 19, 31, 45, 61};
    for (int i = 0; i < FEW; i++) {
        int column = columns[i];
        screen_put(screen, row, column, STYLE_DIM, "%s", names[i]);
        screen_put(screen, row, column + (int)strlen(names[i]) + 1, STYLE_BOLD,
                   "%s", figures->text[i]);
    }
}

/* Each with its name below. */
static void draw_large_figures(struct screen *screen,
                               const struct figures *figures, int row)
{
    int room = (screen->width - 2) / FIGURES;
    for (int i = 0; i < FIGURES; i++) {
        int column = 1 + i * room;
        const char *text = figures->text[i];
        const char *unit = strchr(text, ' ');
        char number[sizeof figures->text[0]];
        snprintf(number, sizeof number, "%s", text);
        number[strcspn(number, " ")] = '\0';
        digits_draw(screen, row, column, room, number);
        screen_put(screen, row + DIGITS_HEIGHT, column, STYLE_BOLD, "%s%s",
                   names[i], unit != NULL ? unit : "");
    }
}

/* --- Lanes -------------------------------------------------------------- */

/* What came of it: beside the others, once they have all ended. */
static const char *describe_end(const struct view *view,
                                const struct race_lane *lane)
{
    int level = 0; /* how many are as fast as the first */
    double first = lane->measure.wall;
    if (lane_failed(lane))
        return lane->measure.status > 128 ? "KILLED" : "FAILED";
    if (!view->is_over)
        return "ended";
    for (int i = 0; i < MODELS; i++) {
        if (!lane_failed(&view->lanes[i]) &&
            view->lanes[i].measure.wall < first)
            first = view->lanes[i].measure.wall;
    }
    for (int i = 0; i < MODELS; i++)
        level += !lane_failed(&view->lanes[i]) &&
                 view->lanes[i].measure.wall < VERSUS_LEVEL * first;
    if (lane->measure.wall >= VERSUS_LEVEL * first)
        return "behind";
    return level == 1 ? "FIRST" : "level";
}

static void draw_bar(struct screen *screen, const struct view *view,
                     const struct race_lane *lane, int row)
{
    const unsigned *counts = lane->tail.counts;
    char left[120];
    char right[60];
    int n = snprintf(left, sizeof left, " %-10s  %u of %u done", lane->model,
                     counts[DONE], lane->tail.requests);
    if (counts[FAILED] > 0)
        snprintf(left + n, sizeof left - (size_t)n, ", %u %s", counts[FAILED],
                 lane->measure.status > 128 ? "lost" : "failed");
    n = snprintf(right, sizeof right, "%s  %6.2f s ",
                 lane->phase == LANE_ENDED ? describe_end(view, lane) : "",
                 lane_seconds(lane));
    screen_fill(screen, row, 0, 1, screen->width, STYLE_BAR, ' ');
    screen_put(screen, row, 0, STYLE_BAR, "%s", left);
    screen_put(screen, row, screen->width - n, STYLE_BAR, "%s", right);
}

static void draw_lane(struct screen *screen, const struct view *view,
                      const struct race_lane *lane, int row, int height)
{
    struct figures figures;
    bool large = height >= LARGE_HEIGHT && screen->width >= LARGE_WIDTH;
    int tiles = large ? DIGITS_HEIGHT + 3 : 2;
    find_figures(lane, &figures);
    draw_bar(screen, view, lane, row);
    if (large)
        draw_large_figures(screen, &figures, row + 2);
    else
        draw_figures(screen, &figures, row + 1);
    draw_tiles(screen, &lane->tail, row + tiles,
               height - tiles - (height > 5));
}

/* --- The whole ---------------------------------------------------------- */

static void draw_legend(struct screen *screen)
{
    int column = 1;
    int row = screen->height - 1;
    for (int i = 0; i < DOINGS; i++) {
        enum style style = (enum style)(STYLE_DOING + i);
        screen_put(screen, row, column, style, "%c", doings[i].letter);
        screen_put(screen, row, column + 2, STYLE_PLAIN, "%s", doings[i].word);
        column += (int)strlen(doings[i].word) + 3;
    }
}

static void draw_too_small(struct screen *screen)
{
    screen_put(screen, 0, 0, STYLE_PLAIN, "%dx%d: too small;", screen->width,
               screen->height);
    screen_put(screen, 1, 0, STYLE_PLAIN, "the race needs");
    screen_put(screen, 2, 0, STYLE_PLAIN, "%dx%d. It goes on.", VIEW_WIDTH,
               VIEW_HEIGHT);
}

void view_draw(struct screen *screen, const struct view *view)
{
    const struct workload *workload = &view->task->work->workload;
    int height = (screen->height - 3) / MODELS;
    if (screen->width < VIEW_WIDTH || screen->height < VIEW_HEIGHT) {
        draw_too_small(screen);
        return;
    }
    screen_put(screen, 0, 1, STYLE_BOLD, "%s: %u requests, %u in flight, %s",
               workload->name, view->task->requests, view->task->jobs,
               view->turns ? "in turn" : "all at once");
    if (view->is_over && view->waits)
        screen_put(screen, 0, screen->width - 12, STYLE_BOLD, "press a key");
    screen_put(screen, 1, 1, STYLE_PLAIN, "%s", workload->shows);
    for (int i = 0; i < MODELS; i++)
        draw_lane(screen, view, &view->lanes[i], 2 + i * height, height);
    draw_legend(screen);
}

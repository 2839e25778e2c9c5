/* race_screen: cells, their differences, frames. See race_screen.h. */
#include "race_screen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A terminal that takes nothing for so long is left as it is. */
#define PATIENCE_MS 500

/* The other screen, which has no history; no cursor; no wrapping, so that the
 * last column can be written to. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"
#define CLEAR "\033[0m\033[2J"

/* --- Styles ------------------------------------------------------------- */

/* By palette. The 256 colours' own are the same on every terminal; they differ
 * in brightness, too, and are told apart by those who see no red or green. */
static const char *const looks[][3] = {
    [STYLE_PLAIN] = {"0", "0", "0"},
    [STYLE_BOLD] = {"0;1", "0;1", "0;1"},
    [STYLE_DIM] = {"0;2", "0;2", "0;38;5;245"},
    [STYLE_BAR] = {"0;1;7", "0;1;7", "0;1;7"},
    [STYLE_DOING + (int)TO_COME] = {"0", "0", "0;38;5;245;48;5;236"},
    [STYLE_DOING + (int)CONNECTING] = {"0;7", "0;30;43", "0;38;5;16;48;5;214"},
    [STYLE_DOING + (int)SENDING] = {"0;7", "0;30;47", "0;38;5;16;48;5;227"},
    [STYLE_DOING + (int)WAITING] = {"0;7", "0;37;44", "0;38;5;231;48;5;25"},
    [STYLE_DOING + (int)RECEIVING] = {"0;7", "0;30;46", "0;38;5;16;48;5;81"},
    [STYLE_DOING + (int)DELIVERING] = {"0;7", "0;30;45", "0;38;5;16;48;5;176"},
    [STYLE_DOING + (int)DONE] = {"0", "0;30;42", "0;38;5;231;48;5;29"},
    [STYLE_DOING + (int)FAILED] = {"0;1;7", "0;1;37;41",
                                   "0;1;38;5;231;48;5;160"},
};

enum palette screen_palette(void)
{
    const char *none = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (none != NULL && *none != '\0')
        return MONO;
    if (getenv("COLORTERM") != NULL ||
        (term != NULL && strstr(term, "256color") != NULL))
        return MANY;
    return EIGHT;
}

/* --- Sending ------------------------------------------------------------ */

/* Sends what is left of the last frame, as far as it is taken. */
static void flush_pending(struct screen *screen)
{
    ssize_t n = 1;
    while (screen->pending != NULL && n > 0) {
        n = write(screen->fd, screen->pending + screen->pending_at,
                  screen->pending_end - screen->pending_at);
        if (n > 0)
            screen->pending_at += (size_t)n;
        bool lost = n == -1 && errno != EAGAIN && errno != EINTR;
        if (lost || screen->pending_at == screen->pending_end) {
            free(screen->pending);
            screen->pending = NULL;
        }
    }
}

/* Sends `text`, which is freed. */
static void send_text(struct screen *screen, char *text, size_t n)
{
    if (screen->record != NULL)
        record_output(screen->record, text, n);
    if (screen->fd == -1) {
        free(text);
        return;
    }
    screen->pending = text;
    screen->pending_at = 0;
    screen->pending_end = n;
    flush_pending(screen);
}

/* --- Frames ------------------------------------------------------------- */

static int resize(struct screen *screen, int width, int height)
{
    size_t cells = (size_t)width * (size_t)height;
    struct screen_cell *now = calloc(cells, sizeof *now);
    struct screen_cell *shown = calloc(cells, sizeof *shown);
    if (now == NULL || shown == NULL) {
        free(now);
        free(shown);
        return -ENOMEM;
    }
    free(screen->now);
    free(screen->shown);
    screen->now = now;
    screen->shown = shown;
    screen->width = width;
    screen->height = height;
    screen->afresh = true;
    return 0;
}

bool screen_size(int *width, int *height)
{
    struct winsize size = {0};
    if (isatty(STDOUT_FILENO) != 1)
        return false;
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *width = size.ws_col > 0 ? size.ws_col : 80;
    *height = size.ws_row > 0 ? size.ws_row : 24;
    return true;
}

bool screen_begin(struct screen *screen)
{
    int width;
    int height;
    flush_pending(screen);
    if (screen->pending != NULL)
        return false;
    if (screen->fd != -1 && screen_size(&width, &height) &&
        (width != screen->width || height != screen->height)) {
        if (resize(screen, width, height) != 0)
            return false;
        if (screen->record != NULL)
            record_resize(screen->record, width, height);
    }
    screen_fill(screen, 0, 0, screen->height, screen->width, STYLE_PLAIN, ' ');
    return true;
}

void screen_fill(struct screen *screen, int row, int column, int height,
                 int width, enum style style, char c)
{
    for (int y = row; y < row + height && y < screen->height; y++) {
        for (int x = column; x < column + width && x < screen->width; x++)
            screen->now[y * screen->width + x] =
                (struct screen_cell){c, (unsigned char)style};
    }
}

void screen_put(struct screen *screen, int row, int column, enum style style,
                const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (int i = 0; text[i] != '\0'; i++)
        screen_fill(screen, row, column + i, 1, 1, style, text[i]);
}

static bool is_same(struct screen_cell a, struct screen_cell b)
{
    return a.c == b.c && a.style == b.style;
}

/* Prints those cells that have changed. */
static void print_changes(struct screen *screen, FILE *out)
{
    int count = screen->width * screen->height;
    int next = -1; /* where the cursor is */
    int style = -1;
    for (int i = 0; i < count; i++) {
        struct screen_cell cell = screen->now[i];
        if (is_same(cell, screen->shown[i]))
            continue;
        if (i != next || i % screen->width == 0)
            fprintf(out, "\033[%d;%dH", i / screen->width + 1,
                    i % screen->width + 1);
        if (cell.style != style)
            fprintf(out, "\033[%sm", looks[cell.style][screen->palette]);
        (void)putc(cell.c, out);
        style = cell.style;
        next = i + 1;
        screen->shown[i] = cell;
    }
}

void screen_show(struct screen *screen)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (out == NULL)
        return;
    if (screen->afresh) {
        fputs(CLEAR, out);
        for (int i = 0; i < screen->width * screen->height; i++)
            screen->shown[i] = (struct screen_cell){' ', STYLE_PLAIN};
    }
    screen->afresh = false;
    print_changes(screen, out);
    if (fclose(out) == 0 && n > 0)
        send_text(screen, text, n);
    else
        free(text);
}

/* --- The terminal ------------------------------------------------------- */

/* Keys come one by one, unseen, and but for Ctrl-C they mean nothing: stopped
 * by Ctrl-Z or Ctrl-S, we would leave the terminal as it is. */
static void set_keys(const struct termios *before)
{
    struct termios keys = *before;
    keys.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN);
    keys.c_iflag &= ~(tcflag_t)IXON;
    keys.c_cc[VSUSP] = _POSIX_VDISABLE;
    keys.c_cc[VQUIT] = _POSIX_VDISABLE;
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    (void)tcsetattr(STDOUT_FILENO, TCSANOW, &keys);
}

static void send_words(struct screen *screen, const char *words)
{
    char *copy = strdup(words);
    if (copy != NULL)
        send_text(screen, copy, strlen(copy));
}

static void free_cells(struct screen *screen)
{
    free(screen->now);
    free(screen->shown);
    *screen = (struct screen){.fd = -1};
}

/* Opened again, the terminal has flags of its own: others who have it open do
 * not want it to be non-blocking. */
static int take_terminal(struct screen *screen)
{
    if (tcgetattr(STDOUT_FILENO, &screen->before) == -1)
        return -errno;
    screen->fd =
        open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (screen->fd == -1)
        return -errno;
    set_keys(&screen->before);
    return 0;
}

int screen_open(struct screen *screen, struct record *record, bool on_terminal,
                int width, int height)
{
    *screen = (struct screen){
        .fd = -1, .record = record, .palette = screen_palette()};
    if (!on_terminal && screen->palette == EIGHT)
        screen->palette = MANY; /* it is for another terminal */
    int error = resize(screen, width, height);
    if (error == 0 && on_terminal)
        error = take_terminal(screen);
    if (error == 0)
        send_words(screen, ENTER);
    else
        free_cells(screen);
    return error;
}

void screen_settle(struct screen *screen)
{
    struct pollfd poll_fd = {.fd = screen->fd, .events = POLLOUT};
    flush_pending(screen);
    while (screen->pending != NULL && poll(&poll_fd, 1, PATIENCE_MS) > 0)
        flush_pending(screen);
}

/* A frame that is not taken is dropped. */
static void give_up_pending(struct screen *screen)
{
    screen_settle(screen);
    free(screen->pending);
    screen->pending = NULL;
}

void screen_close(struct screen *screen)
{
    if (screen->now == NULL)
        return;
    give_up_pending(screen);
    send_words(screen, LEAVE);
    give_up_pending(screen);
    if (screen->fd != -1) {
        (void)tcsetattr(STDOUT_FILENO, TCSANOW, &screen->before);
        (void)close(screen->fd);
    }
    free_cells(screen);
}

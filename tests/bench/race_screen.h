/*
 * race_screen: a terminal's screen, as cells that are drawn anew for each
 * frame and sent only where they differ from the last one; a frame is one
 * write.
 *
 * What is sent goes to the terminal, if there is one, and into a record, if
 * there is one. A terminal that does not take a frame is given no other until
 * it has: nothing here blocks, but for screen_settle and screen_close.
 */
#ifndef TRIPTYCH_RACE_SCREEN_H
#define TRIPTYCH_RACE_SCREEN_H

#include "race_record.h"
#include "race_tail.h"

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

/* How a cell looks. Those from STYLE_DOING on belong to what a request does:
 * STYLE_DOING + an enum doing. */
enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_BAR, STYLE_DOING };

/* How many colours: none at all (NO_COLOR), eight, or 256. */
enum palette { MONO, EIGHT, MANY };

struct screen_cell {
    char c;
    unsigned char style;
};

struct screen {
    int width;
    int height;
    enum palette palette;

    /* Nobody else's: */
    int fd;                /* the terminal; -1: none */
    struct record *record; /* NULL: none */
    struct termios before;
    struct screen_cell *now; /* width x height of each */
    struct screen_cell *shown;
    bool afresh; /* nothing is on the screen yet, or nothing that counts */
    char *pending;
    size_t pending_at;
    size_t pending_end;
};

/* What the environment asks for. */
enum palette screen_palette(void);

/* The size of the terminal on standard output; false if there is none. */
bool screen_size(int *width, int *height);

/* Takes the terminal, if `on_terminal`: keys are no longer echoed, and what
 * was on it comes back at the end. Else the size is what is given. 0 or a
 * negative errno. */
int screen_open(struct screen *screen, struct record *record, bool on_terminal,
                int width, int height);

/* Gives the terminal back. */
void screen_close(struct screen *screen);

/* Waits a moment, half a second or so, for the terminal to take what it has
 * been sent. */
void screen_settle(struct screen *screen);

/* Begins a frame: an empty screen, of the size that the terminal has by now.
 * False while the last one has not been taken: there is none to be drawn. */
bool screen_begin(struct screen *screen);

/* Writes within a row; what does not fit is cut. */
void screen_put(struct screen *screen, int row, int column, enum style style,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Fills a rectangle with a character. */
void screen_fill(struct screen *screen, int row, int column, int height,
                 int width, enum style style, char c);

/* Sends the frame. */
void screen_show(struct screen *screen);

#endif

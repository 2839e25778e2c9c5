/* race_digits: large digits. See race_digits.h. */
#include "race_digits.h"

#define DIGIT_WIDTH 3

/* Their rows, from top to bottom. */
static const char *const shapes[10][DIGITS_HEIGHT] = {
    {"###", "#.#", "#.#", "#.#", "###"}, {".#.", "##.", ".#.", ".#.", "###"},
    {"###", "..#", "###", "#..", "###"}, {"###", "..#", ".##", "..#", "###"},
    {"#.#", "#.#", "###", "..#", "..#"}, {"###", "#..", "###", "..#", "###"},
    {"###", "#..", "###", "#.#", "###"}, {"###", "..#", "..#", "..#", "..#"},
    {"###", "#.#", "###", "#.#", "###"}, {"###", "#.#", "###", "..#", "###"},
};

void digits_draw(struct screen *screen, int row, int column, int width,
                 const char *number)
{
    int scale = width >= 5 * (2 * DIGIT_WIDTH + 1) ? 2 : 1;
    for (const char *at = number; *at != '\0'; at++) {
        bool is_digit = *at >= '0' && *at <= '9';
        for (int y = 0; y < DIGITS_HEIGHT && is_digit; y++) {
            for (int x = 0; x < DIGIT_WIDTH; x++) {
                if (shapes[*at - '0'][y][x] == '#')
                    screen_fill(screen, row + y, column + x * scale, 1, scale,
                                STYLE_BAR, ' ');
            }
        }
        if (!is_digit)
            screen_fill(screen, row + DIGITS_HEIGHT - 1, column, 1, scale,
                        STYLE_BAR, ' ');
        column += (is_digit ? DIGIT_WIDTH * scale : scale) + 1;
    }
}

/* One line of configuration, split into words that stay valid together. Zero-initialised is ready
 * and may be used again and again. */
#pragma once

#include "config/config.h"

struct config_line {
    struct buf text; /* what the words borrow from */
    struct bytes words[CONFIG_WORDS_MAX];
    size_t count;
};

enum config_line_err {
    CONFIG_LINE_OK = 0,
    CONFIG_LINE_UNBALANCED, /* quotes */
    CONFIG_LINE_LONG,       /* more than CONFIG_WORDS_MAX words */
};

MUST_USE enum config_line_err config_line_split(struct config_line *line, struct bytes text);
void config_line_free(struct config_line *line);

const char *config_line_err_text(enum config_line_err err);

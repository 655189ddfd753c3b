#include "config/line.h"

#include "base/words.h"

enum config_line_err config_line_split(struct config_line *line, struct bytes text)
{
    size_t ends[CONFIG_WORDS_MAX]; /* offsets first: the buffer moves while it grows */
    line->count = 0;
    buf_clear(&line->text);
    (void)buf_reserve(&line->text, 1); /* an empty word points somewhere, too */
    while (true) {
        enum words_err err = words_next(&text, &line->text);
        if (err == WORDS_UNBALANCED)
            return CONFIG_LINE_UNBALANCED;
        if (err == WORDS_END)
            break;
        if (line->count == CONFIG_WORDS_MAX)
            return CONFIG_LINE_LONG;
        ends[line->count++] = line->text.size;
    }
    size_t start = 0;
    for (size_t i = 0; i < line->count; i++) {
        line->words[i] = bytes_of(line->text.data + start, ends[i] - start);
        start = ends[i];
    }
    return CONFIG_LINE_OK;
}

void config_line_free(struct config_line *line)
{
    buf_free(&line->text);
    line->count = 0;
}

const char *config_line_err_text(enum config_line_err err)
{
    switch (err) {
    case CONFIG_LINE_OK:
        return "no error";
    case CONFIG_LINE_UNBALANCED:
        return "unbalanced quotes";
    case CONFIG_LINE_LONG:
        return "too many words";
    }
    UNREACHABLE();
}

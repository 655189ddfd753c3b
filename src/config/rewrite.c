#include <errno.h>

#include "config/line.h"
#include "config/value.h"
#include "os/text_file.h"

#define HEADING "# Written by CONFIG REWRITE"

enum { DIRECTIVES_MAX = 128 };

struct rewrite {
    const struct config *config;
    const struct config_directive *directives;
    size_t count;
    bool is_said[DIRECTIVES_MAX]; /* the new text has the directive's value */
    bool has_heading;
    struct buf *text;
};

static void append_line(struct buf *text, struct bytes line)
{
    buf_append(text, line);
    buf_append_u8(text, '\n');
}

static void append_directive(struct rewrite *rewrite, size_t i)
{
    config_value_append_line(rewrite->text, &rewrite->directives[i], rewrite->config);
    buf_append_u8(rewrite->text, '\n');
    rewrite->is_said[i] = true;
}

/* Whether the words alone, on top of the defaults, give the value that is to be said: then the
 * line stays as its author wrote it. */
static bool says_value(const struct rewrite *rewrite, size_t i, const struct config_line *line)
{
    const struct config_directive *directive = &rewrite->directives[i];
    struct config alone;
    struct config_fault fault;
    config_init(&alone);
    bool is_same =
        config_value_parse(directive, &alone, line->words + 1, line->count - 1, &fault) &&
        config_value_is_equal(directive, &alone, rewrite->config);
    config_fini(&alone);
    return is_same;
}

/* A line of the old file: kept, replaced, or dropped when its directive was said before. */
static void rewrite_line(struct rewrite *rewrite, struct bytes text)
{
    struct config_line line = {0};
    bool is_heading = bytes_equal(text, BYTES_LITERAL(HEADING));
    bool is_split = config_line_split(&line, text) == CONFIG_LINE_OK && line.count > 0;
    const struct config_directive *directive =
        is_split ? config_find_directive(line.words[0]) : NULL;
    if (directive == NULL) { /* comment, blank, include, directive of Redis */
        append_line(rewrite->text, text);
        rewrite->has_heading = rewrite->has_heading || is_heading;
        config_line_free(&line);
        return;
    }
    size_t i = (size_t)(directive - rewrite->directives);
    if (!rewrite->is_said[i] && says_value(rewrite, i, &line)) {
        append_line(rewrite->text, text);
        rewrite->is_said[i] = true;
    } else if (!rewrite->is_said[i]) {
        append_directive(rewrite, i);
    }
    config_line_free(&line);
}

static void rewrite_lines(struct rewrite *rewrite, struct bytes text)
{
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        rewrite_line(rewrite, bytes_of(text.data, size));
        size += end != NULL;
        text = bytes_of(text.data + size, text.size - size);
    }
}

/* Appends, under the heading, every directive that `loaded`, which is what another text gave, has
 * otherwise and that `only_unsaid` lets through. */
static void append_missing(struct rewrite *rewrite, const struct config *loaded, bool only_unsaid)
{
    for (size_t i = 0; i < rewrite->count; i++) {
        if ((only_unsaid && rewrite->is_said[i]) ||
            config_value_is_equal(&rewrite->directives[i], loaded, rewrite->config))
            continue;
        if (!rewrite->has_heading)
            append_line(rewrite->text, BYTES_LITERAL(HEADING));
        rewrite->has_heading = true;
        append_directive(rewrite, i);
    }
}

static bool is_equal(const struct rewrite *rewrite, const struct config *loaded)
{
    for (size_t i = 0; i < rewrite->count; i++) {
        if (!config_value_is_equal(&rewrite->directives[i], loaded, rewrite->config))
            return false;
    }
    return true;
}

static enum config_err reload(struct config *loaded, const char *name, const struct buf *text,
                              struct buf *error)
{
    struct config_messages messages = {0};
    config_fini(loaded);
    config_init(loaded);
    enum config_err err = config_load_text(loaded, name, buf_bytes(text), &messages);
    if (err != CONFIG_OK) {
        buf_append_string(error, "ERR Rewriting config file: ");
        buf_append(error, buf_bytes(&messages.error));
    }
    config_messages_free(&messages);
    return err;
}

/* A file that is included may say otherwise behind a line of ours: then the value is said once
 * more at the end. What still does not load back is not published. */
enum config_err config_rewrite_text(const struct config *config, const char *name,
                                    struct bytes old_text, struct buf *new_text, struct buf *error)
{
    struct rewrite rewrite = {.config = config, .text = new_text};
    struct config loaded;
    rewrite.directives = config_directives(&rewrite.count);
    ASSERT(rewrite.count <= DIRECTIVES_MAX);
    config_init(&loaded);
    rewrite_lines(&rewrite, old_text);
    append_missing(&rewrite, &loaded, true);
    enum config_err err = reload(&loaded, name, new_text, error);
    if (err == CONFIG_OK && !is_equal(&rewrite, &loaded)) {
        append_missing(&rewrite, &loaded, false);
        err = reload(&loaded, name, new_text, error);
    }
    if (err == CONFIG_OK && !is_equal(&rewrite, &loaded)) {
        buf_append_string(error, "ERR Rewriting config file: it would not load to the same values");
        err = CONFIG_BAD;
    }
    config_fini(&loaded);
    return err;
}

static enum config_err fail_with_errno(struct buf *error)
{
    buf_printf(error, "ERR Rewriting config file: %s", strerror(errno));
    return CONFIG_BAD;
}

enum config_err config_rewrite(const struct config *config, struct buf *error)
{
    if (config->path == NULL) {
        buf_append_string(error, "ERR The server is running without a config file");
        return CONFIG_BAD;
    }
    struct buf old_text = {0};
    struct buf new_text = {0};
    enum config_err err = CONFIG_BAD;
    if (!text_file_read(config->path, &old_text))
        err = fail_with_errno(error);
    else
        err = config_rewrite_text(config, config->path, buf_bytes(&old_text), &new_text, error);
    bool has_changed = !bytes_equal(buf_bytes(&old_text), buf_bytes(&new_text));
    if (err == CONFIG_OK && has_changed && !text_file_replace(config->path, buf_bytes(&new_text)))
        err = fail_with_errno(error);
    buf_free(&old_text);
    buf_free(&new_text);
    return err;
}

/* Reading the configuration: lines of a text, files with includes, the command line. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "config/foreign.h"
#include "config/line.h"
#include "config/value.h"
#include "os/text_file.h"

/* Where directives come from, for messages and for relative includes. */
struct source {
    struct config *config;
    struct config_messages *messages;
    const char *name;
    size_t line; /* 0: lines mean nothing here */
    int depth;   /* of includes */
};

static void append_place(struct buf *out, const struct source *source)
{
    buf_append_string(out, source->name);
    if (source->line > 0)
        buf_printf(out, ":%zu", source->line);
    buf_append_string(out, ": ");
}

/* Starts the error with its place and directive ("" for none); the reason is the caller's. */
static struct buf *begin_error(const struct source *source, struct bytes directive)
{
    struct buf *error = &source->messages->error;
    buf_clear(error);
    append_place(error, source);
    buf_append(error, directive);
    if (directive.size > 0)
        buf_append_string(error, ": ");
    return error;
}

static enum config_err complain(const struct source *source, struct bytes directive,
                                const char *why)
{
    buf_append_string(begin_error(source, directive), why);
    return CONFIG_BAD;
}

static enum config_err include_file(const struct source *source, const char *path);

static enum config_err include_found(const struct source *source, const char *pattern)
{
    struct buf paths = {0};
    enum config_err err = CONFIG_OK;
    text_file_find(pattern, &paths);
    for (size_t at = 0; at < paths.size && err == CONFIG_OK;) {
        const char *path = (const char *)paths.data + at;
        at += strlen(path) + 1;
        err = include_file(source, path);
    }
    buf_free(&paths);
    return err;
}

/* The folder of the including file, its slash included; of a pattern's folder, any byte means
 * itself. */
static void append_folder(struct buf *path, const char *name, bool is_pattern)
{
    const char *slash = strrchr(name, '/');
    for (const char *at = name; slash != NULL && at <= slash; at++) {
        if (is_pattern && *at != '/')
            buf_append_u8(path, '\\');
        buf_append_u8(path, (uint8_t)*at);
    }
}

/* A pattern may match nothing; a plain path must be there. */
static enum config_err apply_include(const struct source *source, const struct bytes *words,
                                     size_t word_count)
{
    struct bytes directive = BYTES_LITERAL("include");
    if (word_count != 1 || words[0].size == 0 || memchr(words[0].data, '\0', words[0].size) != NULL)
        return complain(source, directive, "one path is expected");
    if (source->depth == CONFIG_INCLUDE_DEPTH_MAX)
        return complain(source, directive, "files include each other too deeply");
    bool is_pattern = memchr(words[0].data, '*', words[0].size) != NULL ||
                      memchr(words[0].data, '?', words[0].size) != NULL ||
                      memchr(words[0].data, '[', words[0].size) != NULL;
    struct buf path = {0};
    if (words[0].data[0] != '/')
        append_folder(&path, source->name, is_pattern);
    buf_append(&path, words[0]);
    buf_append_u8(&path, '\0');
    const char *text = (const char *)path.data;
    enum config_err err = is_pattern ? include_found(source, text) : include_file(source, text);
    buf_free(&path);
    return err;
}

static enum config_err apply_foreign(const struct source *source,
                                     const struct config_foreign *foreign,
                                     const struct bytes *words, size_t word_count)
{
    if (!config_foreign_accepts(foreign, words, word_count))
        return complain(source, bytes_of_string(foreign->name), foreign->why);
    if (foreign->verdict == CONFIG_FOREIGN_IGNORED) {
        append_place(&source->messages->notes, source);
        buf_printf(&source->messages->notes, "%s: %s\n", foreign->name, foreign->why);
    }
    return CONFIG_OK;
}

/* One directive: its name and the words behind it. */
static enum config_err apply(const struct source *source, struct bytes name,
                             const struct bytes *words, size_t word_count)
{
    if (bytes_is_word(name, "include"))
        return apply_include(source, words, word_count);
    const struct config_directive *directive = config_find_directive(name);
    const struct config_foreign *foreign = config_find_foreign(name);
    if (directive == NULL && foreign == NULL)
        return complain(source, name, "there is no such directive");
    if (directive == NULL)
        return apply_foreign(source, foreign, words, word_count);
    struct config_fault fault;
    if (config_value_parse(directive, source->config, words, word_count, &fault))
        return CONFIG_OK;
    config_fault_append_plain(begin_error(source, name), directive, &fault);
    return CONFIG_BAD;
}

static bool says_nothing(struct bytes line)
{
    size_t i = 0;
    while (i < line.size && (line.data[i] == ' ' || (line.data[i] >= '\t' && line.data[i] <= '\r')))
        i++;
    return i == line.size || line.data[i] == '#';
}

static enum config_err apply_line(const struct source *source, struct bytes text)
{
    if (says_nothing(text))
        return CONFIG_OK;
    struct config_line line = {0};
    enum config_line_err line_err = config_line_split(&line, text);
    enum config_err err = line_err == CONFIG_LINE_OK
                              ? apply(source, line.words[0], line.words + 1, line.count - 1)
                              : complain(source, bytes_of(NULL, 0), config_line_err_text(line_err));
    config_line_free(&line);
    return err;
}

static enum config_err load_lines(struct source *source, struct bytes text)
{
    enum config_err err = CONFIG_OK;
    while (text.size > 0 && err == CONFIG_OK) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        source->line++;
        err = apply_line(source, bytes_of(text.data, size));
        size += end != NULL;
        text = bytes_of(text.data + size, text.size - size);
    }
    return err;
}

/* Loads the file that source is named after. False, with errno, when it cannot be read. */
static bool load_file(struct source *source, enum config_err *err)
{
    struct buf text = {0};
    bool is_read = text_file_read(source->name, &text);
    int saved = errno;
    if (is_read)
        *err = load_lines(source, buf_bytes(&text));
    buf_free(&text);
    errno = saved;
    return is_read;
}

static enum config_err include_file(const struct source *source, const char *path)
{
    struct source included = {source->config, source->messages, path, 0, source->depth + 1};
    enum config_err err = CONFIG_OK;
    if (load_file(&included, &err))
        return err;
    const char *why = strerror(errno);
    buf_printf(begin_error(source, BYTES_LITERAL("include")), "%s: %s", path, why);
    return CONFIG_BAD;
}

enum config_err config_load_text(struct config *config, const char *name, struct bytes text,
                                 struct config_messages *messages)
{
    struct source source = {config, messages, name, 0, 0};
    return load_lines(&source, text);
}

enum config_err config_load_file(struct config *config, const char *path,
                                 struct config_messages *messages)
{
    struct source source = {config, messages, path, 0, 0};
    enum config_err err = CONFIG_OK;
    if (!load_file(&source, &err))
        return complain(&source, bytes_of(NULL, 0), strerror(errno));
    if (err != CONFIG_OK)
        return err;
    mem_free(config->path);
    config->path = text_file_real_path(path); /* a pipe has none, and cannot be rewritten */
    return CONFIG_OK;
}

/* --- The command line ------------------------------------------------------------------------- */

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] == '-';
}

/* Collects the words of one "--directive value ..." group that begins at argv[*at]; moves *at
 * behind it. What follows a lone name directly is its value whatever it looks like, so that a
 * password may begin with "--"; only after "--save" an option means that the value is empty. */
static enum config_err take_group(const struct source *source, int argc, char *const argv[],
                                  int *at, struct config_line *line)
{
    struct bytes first = bytes_of_string(argv[*at] + 2);
    enum config_line_err err = config_line_split(line, first);
    if (err != CONFIG_LINE_OK || line->count == 0)
        return complain(source, first, "a directive's name is expected after --");
    bool needs_value = line->count == 1;
    bool is_save = needs_value && bytes_is_word(line->words[0], "save");
    (*at)++;
    if (is_save && (*at == argc || is_option(argv[*at]))) {
        line->words[line->count++] = BYTES_LITERAL("");
        return CONFIG_OK;
    }
    while (*at < argc && (needs_value || !is_option(argv[*at]))) {
        if (line->count == CONFIG_WORDS_MAX)
            return complain(source, line->words[0], config_line_err_text(CONFIG_LINE_LONG));
        line->words[line->count++] = bytes_of_string(argv[*at]);
        needs_value = false;
        (*at)++;
    }
    return CONFIG_OK;
}

static enum config_err load_options(const struct source *source, int argc, char *const argv[],
                                    int at)
{
    struct config_line line = {0};
    enum config_err err = CONFIG_OK;
    while (at < argc && err == CONFIG_OK) {
        if (!is_option(argv[at])) {
            err = complain(source, bytes_of_string(argv[at]), "expected --directive value");
            break;
        }
        err = take_group(source, argc, argv, &at, &line);
        if (err == CONFIG_OK)
            err = apply(source, line.words[0], line.words + 1, line.count - 1);
    }
    config_line_free(&line);
    return err;
}

static enum config_err load_stdin(struct config *config, struct config_messages *messages)
{
    struct buf text = {0};
    struct source source = {config, messages, "standard input", 0, 0};
    enum config_err err = text_file_read_stdin(&text)
                              ? load_lines(&source, buf_bytes(&text))
                              : complain(&source, bytes_of(NULL, 0), strerror(errno));
    buf_free(&text);
    return err;
}

static bool is_word(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

enum config_err config_load_args(struct config *config, int argc, char *const argv[],
                                 struct config_messages *messages)
{
    struct source source = {config, messages, "command line", 0, 0};
    enum config_err err = CONFIG_OK;
    int at = 1;
    if (argc > 1 && is_word(argv[1], "-h", "--help"))
        return CONFIG_HELP;
    if (argc > 1 && is_word(argv[1], "-v", "--version"))
        return CONFIG_VERSION;
    if (at < argc && argv[at][0] != '-')
        err = config_load_file(config, argv[at++], messages);
    if (err == CONFIG_OK && at < argc && strcmp(argv[at], "-") == 0) {
        at++;
        err = load_stdin(config, messages);
    }
    return err == CONFIG_OK ? load_options(&source, argc, argv, at) : err;
}

void config_append_help(struct buf *out)
{
    size_t count = 0;
    const struct config_directive *directives = config_directives(&count);
    buf_append_string(out, "usage: quoin-server [FILE] [-] [--directive value ...] ...\n"
                           "       quoin-server --help | --version\n\n"
                           "FILE is a configuration like conf/quoin.conf; - reads one from standard"
                           " input.\nDirectives and their defaults:\n\n");
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "  %-28s %s [%s]\n", directives[i].name, directives[i].help,
                   directives[i].initial);
}

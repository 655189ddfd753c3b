#include "config/config.h"

#include "base/glob.h"
#include "base/mem.h"
#include "config/foreign.h"
#include "config/value.h"

enum { DISK_RESERVE_AUTO_MAX = 256 * 1024 * 1024, DISK_RESERVE_AUTO_PERCENT = 5 };

void config_init(struct config *config)
{
    size_t count = 0;
    const struct config_directive *directives = config_directives(&count);
    *config = (struct config){0};
    for (size_t i = 0; i < count; i++) {
        struct bytes initial = bytes_of_string(directives[i].initial);
        struct config_fault fault;
        bool is_parsed = config_value_parse(&directives[i], config, &initial, 1, &fault);
        ASSERT(is_parsed);
    }
}

void config_fini(struct config *config)
{
    size_t count = 0;
    const struct config_directive *directives = config_directives(&count);
    for (size_t i = 0; i < count; i++)
        config_value_free(&directives[i], config);
    mem_free(config->path);
    config->path = NULL;
}

void config_messages_free(struct config_messages *messages)
{
    buf_free(&messages->error);
    buf_free(&messages->notes);
}

static bool is_wanted(const char *name, const struct bytes *patterns, size_t pattern_count)
{
    for (size_t i = 0; i < pattern_count; i++) {
        if (glob_match(patterns[i], bytes_of_string(name), true))
            return true;
    }
    return false;
}

/* What CONFIG GET can name, in its order: directives, their aliases, those of Redis. NULL for a
 * position without a name. False beyond the end. */
static bool name_at(size_t position, const char **name, const struct config_directive **directive,
                    const struct config_foreign **foreign)
{
    size_t count = 0;
    size_t foreign_count = 0;
    const struct config_directive *directives = config_directives(&count);
    const struct config_foreign *foreigns = config_foreign_directives(&foreign_count);
    *directive = NULL;
    *foreign = NULL;
    if (position < 2 * count) {
        *directive = &directives[position % count];
        *name = position < count ? (*directive)->name : (*directive)->alias;
        return true;
    }
    if (position - 2 * count >= foreign_count)
        return false;
    *foreign = &foreigns[position - 2 * count];
    *name = (*foreign)->value != NULL ? (*foreign)->name : NULL;
    return true;
}

bool config_get_next(const struct config *config, const struct bytes *patterns,
                     size_t pattern_count, size_t *cursor, const char **name, struct buf *value)
{
    const struct config_directive *directive = NULL;
    const struct config_foreign *foreign = NULL;
    while (name_at(*cursor, name, &directive, &foreign)) {
        (*cursor)++;
        if (*name == NULL || !is_wanted(*name, patterns, pattern_count))
            continue;
        if (directive != NULL)
            config_value_append(value, directive, config);
        else
            buf_append_string(value, foreign->value);
        return true;
    }
    return false;
}

/* --- CONFIG SET ------------------------------------------------------------------------------- */

static enum config_err refuse(struct buf *error, struct bytes name, const char *why)
{
    buf_append_string(error, "ERR CONFIG SET failed (possibly related to argument '");
    buf_append(error, name);
    buf_append_string(error, "') - ");
    buf_append_string(error, why);
    return CONFIG_BAD;
}

static bool is_same_directive(struct bytes a, struct bytes b)
{
    const struct config_directive *directive = config_find_directive(a);
    return bytes_equal_nocase(a, b) || (directive != NULL && directive == config_find_directive(b));
}

static bool is_repeated(const struct bytes *pairs, size_t position)
{
    for (size_t i = 0; i < position; i++) {
        if (is_same_directive(pairs[2 * i], pairs[2 * position]))
            return true;
    }
    return false;
}

/* Unknown names are found before all else, as Redis does. */
static enum config_err check_names(const struct bytes *pairs, size_t pair_count, struct buf *error)
{
    for (size_t i = 0; i < pair_count; i++) {
        struct bytes name = pairs[2 * i];
        const struct config_foreign *foreign = config_find_foreign(name);
        bool has_value = foreign != NULL && foreign->value != NULL;
        if (config_find_directive(name) != NULL || has_value)
            continue;
        buf_append_string(error, "ERR Unknown option or number of arguments for CONFIG SET - '");
        buf_append(error, name);
        buf_append_string(error, "'");
        return CONFIG_BAD;
    }
    for (size_t i = 0; i < pair_count; i++) {
        const struct config_directive *directive = config_find_directive(pairs[2 * i]);
        if (directive != NULL && !directive->is_mutable)
            return refuse(error, pairs[2 * i], "can't set immutable config");
        if (is_repeated(pairs, i))
            return refuse(error, pairs[2 * i], "duplicate parameter");
    }
    return CONFIG_OK;
}

static enum config_err set_one(struct config *config, struct bytes name, struct bytes value,
                               struct buf *error)
{
    const struct config_directive *directive = config_find_directive(name);
    struct config_fault fault;
    if (directive == NULL) {
        const struct config_foreign *foreign = config_find_foreign(name);
        ASSERT(foreign != NULL);
        bool is_accepted = config_foreign_accepts(foreign, &value, 1);
        return is_accepted ? CONFIG_OK : refuse(error, name, foreign->why);
    }
    if (config_value_parse(directive, config, &value, 1, &fault))
        return CONFIG_OK;
    (void)refuse(error, name, "");
    config_fault_append_reply(error, directive, &fault);
    return CONFIG_BAD;
}

/* Takes over the values of the directives that were named; the fields of others are not touched, so
 * that what is borrowed from them stays. */
static void take_over(struct config *config, const struct config *changed,
                      const struct bytes *pairs, size_t pair_count)
{
    for (size_t i = 0; i < pair_count; i++) {
        const struct config_directive *directive = config_find_directive(pairs[2 * i]);
        if (directive != NULL)
            config_value_copy(directive, config, changed);
    }
}

enum config_err config_set(struct config *config, const struct bytes *pairs, size_t pair_count,
                           struct buf *error)
{
    enum config_err err = check_names(pairs, pair_count, error);
    if (err != CONFIG_OK)
        return err;
    struct config changed;
    config_init(&changed);
    take_over(&changed, config, pairs, pair_count); /* some values are read on top of the old one */
    for (size_t i = 0; i < pair_count && err == CONFIG_OK; i++)
        err = set_one(&changed, pairs[2 * i], pairs[2 * i + 1], error);
    if (err == CONFIG_OK)
        take_over(config, &changed, pairs, pair_count);
    config_fini(&changed);
    return err;
}

/* --- Derived values --------------------------------------------------------------------------- */

uint64_t config_disk_reserve(const struct config *config, uint64_t disk_size)
{
    const struct config_amount *amount = &config->disk_reserve;
    if (amount->unit == CONFIG_BYTES)
        return amount->value;
    if (disk_size == 0)
        return DISK_RESERVE_AUTO_MAX;
    if (amount->unit == CONFIG_PERCENT)
        return disk_size / 100 * amount->value;
    uint64_t share = disk_size / 100 * DISK_RESERVE_AUTO_PERCENT;
    return share < DISK_RESERVE_AUTO_MAX ? share : DISK_RESERVE_AUTO_MAX;
}

/* Any bytes as a configuration file: it loads or is refused with a text; what loads can be written
 * anew, which the module itself checks by loading it back, and written again stays the same.
 * Files that are included would be this machine's, so texts with an include are left out. */
#include "config/config.h"
#include "config/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_include(struct bytes text)
{
    struct config_line line = {0};
    bool is_found = false;
    while (text.size > 0 && !is_found) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        is_found = config_line_split(&line, bytes_of(text.data, size)) == CONFIG_LINE_OK &&
                   line.count > 0 && bytes_is_word(line.words[0], "include");
        size += end != NULL;
        text = bytes_of(text.data + size, text.size - size);
    }
    config_line_free(&line);
    return is_found;
}

static void check_rewrite(const struct config *config, struct bytes text)
{
    struct buf written = {0};
    struct buf again = {0};
    struct buf error = {0};
    enum config_err err = config_rewrite_text(config, "fuzz", text, &written, &error);
    ASSERT(err == CONFIG_OK && error.size == 0);
    err = config_rewrite_text(config, "fuzz", buf_bytes(&written), &again, &error);
    ASSERT(err == CONFIG_OK && bytes_equal(buf_bytes(&written), buf_bytes(&again)));
    buf_free(&written);
    buf_free(&again);
    buf_free(&error);
}

/* CONFIG SET of the text's halves, cut at every quarter: nothing may assert. */
static void check_set(struct config *config, struct bytes text)
{
    for (size_t cut = 0; cut <= 4; cut++) {
        size_t at = text.size * cut / 4;
        struct bytes pair[2] = {bytes_of(text.data, at), bytes_of(text.data + at, text.size - at)};
        struct buf error = {0};
        enum config_err err = config_set(config, pair, 1, &error);
        ASSERT((err == CONFIG_OK) == (error.size == 0));
        buf_free(&error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_of(data, size);
    if (has_include(text))
        return 0;
    struct config config;
    struct config_messages messages = {0};
    config_init(&config);
    enum config_err err = config_load_text(&config, "fuzz", text, &messages);
    ASSERT((err == CONFIG_OK) == (messages.error.size == 0));
    if (err == CONFIG_OK)
        check_rewrite(&config, text);
    config_messages_free(&messages);
    config_fini(&config);
    config_init(&config);
    check_set(&config, text);
    config_fini(&config);
    return 0;
}

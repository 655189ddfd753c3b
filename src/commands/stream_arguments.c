#include "commands/stream_arguments.h"

#include <stdio.h>

#include "base/number.h"

enum { ID_TEXT_MAX = 48 };

/* As strtoull reads digits: blanks, a plus sign and zeros may stand before them. */
static bool parse_part(struct bytes text, uint64_t *value)
{
    size_t skipped = 0;
    while (skipped < text.size && (text.data[skipped] == ' ' ||
                                   (text.data[skipped] >= '\t' && text.data[skipped] <= '\r')))
        skipped++;
    if (skipped < text.size && text.data[skipped] == '+')
        skipped++;
    while (skipped + 1 < text.size && text.data[skipped] == '0')
        skipped++;
    return number_parse_u64(bytes_of(text.data + skipped, text.size - skipped), value);
}

bool stream_id_parse(struct bytes text, uint64_t seq_default, bool is_strict, struct stream_id *id)
{
    if (!is_strict && bytes_equal(text, BYTES_LITERAL("-"))) {
        *id = (struct stream_id){0};
        return true;
    }
    if (!is_strict && bytes_equal(text, BYTES_LITERAL("+"))) {
        *id = STREAM_ID_MAX;
        return true;
    }
    const uint8_t *dash = text.size == 0 ? NULL : memchr(text.data, '-', text.size);
    size_t ms_size = dash == NULL ? text.size : (size_t)(dash - text.data);
    id->seq = seq_default;
    return parse_part(bytes_of(text.data, ms_size), &id->ms) &&
           (dash == NULL || parse_part(bytes_of(dash + 1, text.size - ms_size - 1), &id->seq));
}

bool stream_id_argument(struct call *c, int at, uint64_t seq_default, bool is_strict,
                        struct stream_id *id)
{
    if (stream_id_parse(c->argv[at], seq_default, is_strict, id))
        return true;
    call_error(c, "ERR Invalid stream ID specified as stream command argument");
    return false;
}

static bool interval_end(struct call *c, int at, uint64_t seq_default, struct stream_id *id,
                         bool *is_excluded)
{
    struct bytes text = c->argv[at];
    *is_excluded = text.size > 1 && text.data[0] == '(';
    if (*is_excluded)
        text = bytes_of(text.data + 1, text.size - 1);
    if (stream_id_parse(text, seq_default, *is_excluded, id))
        return true;
    call_error(c, "ERR Invalid stream ID specified as stream command argument");
    return false;
}

bool stream_interval(struct call *c, int from_at, int to_at, struct stream_id *from,
                     struct stream_id *to)
{
    bool is_excluded;
    if (!interval_end(c, from_at, 0, from, &is_excluded))
        return false;
    if (is_excluded && !stream_id_increment(from)) {
        call_error(c, "ERR invalid start ID for the interval");
        return false;
    }
    if (!interval_end(c, to_at, UINT64_MAX, to, &is_excluded))
        return false;
    if (is_excluded && !stream_id_decrement(to)) {
        call_error(c, "ERR invalid end ID for the interval");
        return false;
    }
    return true;
}

/* ---- trimming ---- */

static bool parse_trim(struct call *c, bool by_id, int *at, struct stream_options *options)
{
    if (options->has_trim) {
        call_error(c, "ERR syntax error, MAXLEN and MINID options at the same time are not "
                      "compatible");
        return false;
    }
    options->has_trim = true;
    options->trim.by_id = by_id;
    *at += 1;
    bool is_approximate = call_is_word(c, *at, "~");
    if ((is_approximate || call_is_word(c, *at, "=")) && *at + 1 < c->argc)
        *at += 1;
    else
        is_approximate = false;
    options->trim.is_approximate = is_approximate;
    if (by_id)
        return stream_id_argument(c, *at, 0, true, &options->trim.min_id);
    int64_t count;
    if (!call_int(c, *at, &count))
        return false;
    if (count < 0) {
        call_error(c, "ERR The MAXLEN argument must be >= 0.");
        return false;
    }
    options->trim.max_count = (uint64_t)count;
    return true;
}

static bool parse_limit(struct call *c, int *at, struct stream_options *options)
{
    int64_t limit;
    *at += 1;
    if (!call_int(c, *at, &limit))
        return false;
    if (limit < 0) {
        call_error(c, "ERR The LIMIT argument must be >= 0.");
        return false;
    }
    options->has_limit = true;
    options->trim.limit = (uint64_t)limit;
    return true;
}

bool stream_options_check(struct call *c, bool is_xadd, struct stream_options *options)
{
    enum { NODES = 100, LIMIT_MAX = 1000000, LIMIT_UNBOUNDED = 10000 };
    const char *fault = NULL;
    if (options->has_limit && !options->has_trim)
        fault = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
    else if (!is_xadd && !options->has_trim)
        fault = "ERR syntax error, XTRIM must be called with a trimming strategy";
    else if (options->has_limit && !options->trim.is_approximate)
        fault = "ERR syntax error, LIMIT cannot be used without the special ~ option";
    if (fault != NULL) {
        call_error(c, "%s", fault);
        return false;
    }
    if (options->has_trim && options->trim.is_approximate && !options->has_limit) {
        int64_t limit = NODES * c->types->stream_node_max_entries;
        limit = limit <= 0 ? LIMIT_UNBOUNDED : limit > LIMIT_MAX ? LIMIT_MAX : limit;
        options->trim.limit = (uint64_t)limit;
    }
    return true;
}

bool stream_references_word(const struct call *c, int at, enum stream_references *references)
{
    static const struct {
        const char *word;
        enum stream_references references;
    } words[] = {{"keepref", STREAM_KEEP_REFERENCES},
                 {"delref", STREAM_DROP_REFERENCES},
                 {"acked", STREAM_ONLY_ACKED}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!call_is_word(c, at, words[i].word))
            continue;
        *references = words[i].references;
        return true;
    }
    return false;
}

static bool parse_references(struct call *c, struct stream_options *options)
{
    bool is_first = !options->has_references;
    options->has_references = true;
    if (!is_first)
        call_error_syntax(c);
    return is_first;
}

/* IDMP producer message, IDMPAUTO producer. */
static bool parse_producer(struct call *c, bool has_message, int *at,
                           struct stream_options *options)
{
    const char *fault = NULL;
    if (options->producer.size > 0)
        fault = "ERR IDMP/IDMPAUTO specified multiple times";
    else if (c->argv[*at + 1].size == 0)
        fault = has_message ? "ERR IDMP requires a non-empty producer ID"
                            : "ERR IDMPAUTO requires a non-empty producer ID";
    else if (has_message && c->argv[*at + 2].size == 0)
        fault = "ERR IDMP requires a non-empty idempotent ID";
    if (fault != NULL) {
        call_error(c, "%s", fault);
        return false;
    }
    options->producer = c->argv[*at + 1];
    if (has_message)
        options->message = c->argv[*at + 2];
    *at += has_message ? 2 : 1;
    return true;
}

/* One option at *at, which stays at its last word. False after an error, or with *is_id when it is
 * none. */
static bool parse_option(struct call *c, bool is_xadd, int *at, struct stream_options *options,
                         bool *is_id)
{
    bool has_more = *at + 1 < c->argc;
    if (is_xadd && bytes_equal(c->argv[*at], BYTES_LITERAL("*"))) {
        *is_id = true;
        return false;
    }
    if (has_more && call_is_word(c, *at, "maxlen"))
        return parse_trim(c, false, at, options);
    if (has_more && call_is_word(c, *at, "minid"))
        return parse_trim(c, true, at, options);
    if (has_more && call_is_word(c, *at, "limit"))
        return parse_limit(c, at, options);
    if ((has_more || !is_xadd) && stream_references_word(c, *at, &options->trim.references))
        return parse_references(c, options);
    if (is_xadd && call_is_word(c, *at, "nomkstream"))
        return options->no_create = true;
    if (is_xadd && has_more && call_is_word(c, *at, "idmpauto"))
        return parse_producer(c, false, at, options);
    if (is_xadd && *at + 2 < c->argc && call_is_word(c, *at, "idmp"))
        return parse_producer(c, true, at, options);
    *is_id = is_xadd;
    if (!is_xadd)
        call_error_syntax(c);
    return false;
}

bool stream_options_parse(struct call *c, bool is_xadd, int *at, struct stream_options *options)
{
    bool is_id = false;
    *options = (struct stream_options){0};
    for (*at = 2; *at < c->argc; *at += 1) {
        if (parse_option(c, is_xadd, at, options, &is_id))
            continue;
        if (!is_id)
            return false;
        break;
    }
    return true;
}

/* ---- replies ---- */

void stream_reply_id(struct call *c, struct stream_id id)
{
    char text[ID_TEXT_MAX];
    int size = snprintf(text, sizeof(text), "%llu-%llu", (unsigned long long)id.ms,
                        (unsigned long long)id.seq);
    reply_bulk(&c->reply, bytes_of(text, (size_t)size));
}

void stream_reply_entry(struct call *c, struct stream_entry *entry)
{
    reply_array(&c->reply, 2);
    stream_reply_id(c, entry->id);
    reply_array(&c->reply, 2 * (size_t)entry->pair_count);
    for (uint32_t i = 0; i < entry->pair_count; i++) {
        struct stream_text field, value;
        stream_entry_pair(entry, &field, &value);
        reply_bulk(&c->reply, field.bytes);
        reply_bulk(&c->reply, value.bytes);
    }
}

uint64_t stream_reply_range(struct call *c, const struct value *stream, struct stream_id from,
                            struct stream_id to, bool is_reverse, uint64_t count)
{
    struct stream_walk walk = stream_walk(stream, from, to, is_reverse);
    struct stream_entry entry;
    size_t mark = reply_defer(&c->reply);
    uint64_t given = 0;
    for (; (count == 0 || given < count) && stream_next(&walk, &entry); given++)
        stream_reply_entry(c, &entry);
    reply_defer_array(&c->reply, mark, given);
    return given;
}

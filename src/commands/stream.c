/* Entries of streams: XADD, XLEN, XRANGE, XTRIM, XSETID, XCFGSET. */
#include "commands/stream_arguments.h"
#include "commands/stream_commands.h"

static bool find_stream(struct call *c, const struct value **stream)
{
    return call_find_value(c, c->argv[1], TYPE_STREAM, stream);
}

/* ---- XADD ---- */

struct new_id {
    bool is_auto, is_auto_seq;
    struct stream_id id;
};

/* "*", "ms-*" or an id. */
static bool parse_new_id(struct call *c, int at, struct new_id *wanted)
{
    struct bytes text = c->argv[at];
    *wanted = (struct new_id){.is_auto = bytes_equal(text, BYTES_LITERAL("*"))};
    if (wanted->is_auto)
        return true;
    wanted->is_auto_seq =
        text.size > 2 && text.data[text.size - 1] == '*' && text.data[text.size - 2] == '-';
    if (!wanted->is_auto_seq)
        return stream_id_argument(c, at, 0, true, &wanted->id);
    if (stream_id_parse(bytes_of(text.data, text.size - 2), 0, true, &wanted->id) &&
        memchr(text.data, '-', text.size - 2) == NULL)
        return true;
    call_error(c, "ERR Invalid stream ID specified as stream command argument");
    return false;
}

static bool is_zero(struct stream_id id)
{
    return id.ms == 0 && id.seq == 0;
}

/* The id that the entry gets; false when it would not be above the last one. */
static bool choose_id(const struct call *c, const struct new_id *wanted, struct stream_id last,
                      struct stream_id *id)
{
    uint64_t now_ms = (uint64_t)c->now_ms;
    *id = wanted->id;
    if (wanted->is_auto) {
        *id = (struct stream_id){now_ms, 0};
        if (now_ms > last.ms)
            return true;
        *id = last;
        return stream_id_increment(id);
    }
    if (wanted->is_auto_seq && id->ms == last.ms) {
        id->seq = last.seq + 1;
        return last.seq < UINT64_MAX;
    }
    return stream_id_compare(*id, last) > 0;
}

static bool parse_xadd(struct call *c, int *at, struct stream_options *options,
                       struct new_id *wanted)
{
    if (!stream_options_parse(c, true, at, options))
        return false;
    int left = c->argc - *at - 1;
    if ((*at < c->argc && !parse_new_id(c, *at, wanted)) || !stream_options_check(c, true, options))
        return false;
    if (left < 2 || left % 2 != 0) {
        call_error(c, "ERR wrong number of arguments for 'xadd' command");
        return false;
    }
    if (!wanted->is_auto && !wanted->is_auto_seq && is_zero(wanted->id)) {
        call_error(c, "ERR The ID specified in XADD must be greater than 0-0");
        return false;
    }
    if (!wanted->is_auto && options->producer.size > 0) {
        call_error(c, "ERR IDMP/IDMPAUTO can be used only with auto-generated IDs");
        return false;
    }
    return true;
}

static void trim_edit(struct call *c, struct edit *edit, const struct stream_options *options,
                      uint64_t *trimmed)
{
    *trimmed = options->has_trim ? stream_trim(edit, &options->trim) : 0;
    if (*trimmed > 0)
        call_notify(c, 't', "xtrim", c->argv[1]);
}

/* What the producer sent before is not added again: its id is replied, and true. */
static bool is_repeated(struct call *c, struct edit *edit, const struct stream_options *options)
{
    struct stream_id id;
    if (options->producer.size == 0 ||
        !stream_production_find(edit, options->producer, options->message, c->now_ms, &id))
        return false;
    stream_production_repeated(edit);
    call_edit_end(c, c->argv[1], edit, true);
    stream_reply_id(c, id);
    return true;
}

static void add_entry(struct call *c, const struct new_id *wanted,
                      const struct stream_options *options, int first)
{
    struct edit edit;
    uint64_t trimmed;
    struct stream_id id;
    if (!call_edit(c, c->argv[1], TYPE_STREAM, &edit) || is_repeated(c, &edit, options))
        return;
    struct stream_id last = stream_info(edit.value).last_id;
    bool is_exhausted = last.ms == UINT64_MAX && last.seq == UINT64_MAX;
    if (is_exhausted || !choose_id(c, wanted, last, &id)) {
        call_edit_end(c, c->argv[1], &edit, false);
        call_error(c, "%s",
                   is_exhausted ? "ERR The stream has exhausted the last possible ID, unable to "
                                  "add more items"
                                : "ERR The ID specified in XADD is equal or smaller than the "
                                  "target stream top item");
        return;
    }
    stream_append(&edit, id, c->argv + first, (uint32_t)(c->argc - first) / 2);
    if (options->producer.size > 0)
        stream_production_add(&edit, options->producer, options->message, id, c->now_ms);
    call_notify(c, 't', "xadd", c->argv[1]);
    trim_edit(c, &edit, options, &trimmed);
    call_edit_end(c, c->argv[1], &edit, true);
    stream_reply_id(c, id);
}

void stream_xadd(struct call *c)
{
    struct stream_options options;
    struct new_id wanted = {0};
    const struct value *stream;
    uint8_t digest[STREAM_MESSAGE_DIGEST];
    int at;
    if (!parse_xadd(c, &at, &options, &wanted) || !find_stream(c, &stream))
        return;
    if (options.producer.size > 0 && options.message.size == 0) {
        stream_production_digest(c->argv + at + 1, (uint32_t)(c->argc - at - 1) / 2, digest);
        options.message = bytes_of(digest, sizeof(digest));
    }
    if (stream == NULL && options.no_create)
        reply_null(&c->reply);
    else
        add_entry(c, &wanted, &options, at + 1);
}

/* ---- the rest ---- */

void stream_xlen(struct call *c)
{
    const struct value *stream;
    if (find_stream(c, &stream))
        reply_int(&c->reply, stream == NULL ? 0 : (int64_t)stream->count);
}

static bool parse_count(struct call *c, int64_t *count)
{
    *count = -1;
    for (int at = 4; at < c->argc; at += 2) {
        if (!call_is_word(c, at, "count") || at + 1 == c->argc) {
            call_error_syntax(c);
            return false;
        }
        if (!call_int(c, at + 1, count))
            return false;
        if (*count < 0)
            *count = 0;
    }
    return true;
}

static void reply_range(struct call *c, bool is_reverse)
{
    struct stream_id from, to;
    const struct value *stream;
    int64_t count;
    if (!stream_interval(c, is_reverse ? 3 : 2, is_reverse ? 2 : 3, &from, &to) ||
        !parse_count(c, &count) || !find_stream(c, &stream))
        return;
    if (stream == NULL)
        reply_array(&c->reply, 0);
    else if (count == 0)
        reply_null_array(&c->reply);
    else
        (void)stream_reply_range(c, stream, from, to, is_reverse, count < 0 ? 0 : (uint64_t)count);
}

void stream_xrange(struct call *c)
{
    reply_range(c, false);
}

void stream_xrevrange(struct call *c)
{
    reply_range(c, true);
}

void stream_xtrim(struct call *c)
{
    struct stream_options options;
    const struct value *stream;
    struct edit edit;
    uint64_t trimmed;
    int at;
    if (!stream_options_parse(c, false, &at, &options) ||
        !stream_options_check(c, false, &options) || !find_stream(c, &stream))
        return;
    if (stream == NULL) {
        reply_int(&c->reply, 0);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_STREAM, &edit))
        return;
    trim_edit(c, &edit, &options, &trimmed);
    call_edit_end(c, c->argv[1], &edit, trimmed > 0);
    reply_int(&c->reply, (int64_t)trimmed);
}

/* ---- XSETID ---- */

struct xsetid {
    struct stream_id last, max_deleted;
    int64_t added;
    bool has_added, has_max_deleted;
};

static bool parse_xsetid(struct call *c, struct xsetid *xsetid)
{
    *xsetid = (struct xsetid){0};
    if (!stream_id_argument(c, 2, 0, true, &xsetid->last))
        return false;
    for (int at = 3; at < c->argc; at += 2) {
        bool has_more = at + 1 < c->argc;
        if (has_more && call_is_word(c, at, "entriesadded")) {
            xsetid->has_added = true;
            if (!call_int(c, at + 1, &xsetid->added))
                return false;
            if (xsetid->added < 0) {
                call_error(c, "ERR entries_added must be positive");
                return false;
            }
        } else if (has_more && call_is_word(c, at, "maxdeletedid")) {
            xsetid->has_max_deleted = true;
            if (!stream_id_argument(c, at + 1, 0, true, &xsetid->max_deleted))
                return false;
            if (stream_id_compare(xsetid->last, xsetid->max_deleted) < 0) {
                call_error(c, "ERR The ID specified in XSETID is smaller than the provided "
                              "max_deleted_entry_id");
                return false;
            }
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    return true;
}

static struct stream_id last_entry(const struct value *stream)
{
    struct stream_walk walk = stream_walk(stream, (struct stream_id){0}, STREAM_ID_MAX, true);
    struct stream_entry entry;
    return stream_next(&walk, &entry) ? entry.id : (struct stream_id){0};
}

static const char *xsetid_fault(const struct value *stream, const struct xsetid *xsetid)
{
    if (stream->count > 0 && stream_id_compare(xsetid->last, last_entry(stream)) < 0)
        return "ERR The ID specified in XSETID is smaller than the target stream top item";
    if (stream->count > 0 && xsetid->has_added && stream->count > (uint64_t)xsetid->added)
        return "ERR The entries_added specified in XSETID is smaller than the target stream length";
    return NULL;
}

void stream_xsetid(struct call *c)
{
    struct xsetid xsetid;
    const struct value *stream;
    struct edit edit;
    if (!parse_xsetid(c, &xsetid) || !find_stream(c, &stream))
        return;
    const char *fault = stream == NULL ? "ERR no such key" : xsetid_fault(stream, &xsetid);
    if (fault != NULL) {
        call_error(c, "%s", fault);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_STREAM, &edit))
        return;
    struct stream_info info = stream_info(edit.value);
    bool sets_deleted = xsetid.has_max_deleted && !is_zero(xsetid.max_deleted);
    stream_set_ids(&edit, xsetid.last,
                   xsetid.has_added ? (uint64_t)xsetid.added : info.entries_added,
                   sets_deleted ? xsetid.max_deleted : info.max_deleted_id);
    call_edit_end(c, c->argv[1], &edit, true);
    call_notify(c, 't', "xsetid", c->argv[1]);
    reply_ok(&c->reply);
}

/* ---- XCFGSET ---- */

static bool parse_setting(struct call *c, int at, int64_t max, int64_t *value)
{
    const char *fault = max == STREAM_IDMP_SIZE_MAX
                            ? "ERR IDMP-MAXSIZE must be between 1 and 10000 entries"
                            : "ERR IDMP-DURATION must be between 1 and 86400 seconds";
    if (!call_int(c, at, value))
        return false;
    if (*value >= 1 && *value <= max)
        return true;
    call_error(c, "%s", fault);
    return false;
}

/* What is not given stays 0. */
static bool parse_xcfgset(struct call *c, int64_t *duration_s, int64_t *size_max)
{
    *duration_s = *size_max = 0;
    for (int at = 2; at < c->argc; at += 2) {
        bool is_duration = call_is_word(c, at, "idmp-duration");
        if (at + 1 == c->argc || (!is_duration && !call_is_word(c, at, "idmp-maxsize"))) {
            call_error_syntax(c);
            return false;
        }
        if (is_duration ? !parse_setting(c, at + 1, STREAM_IDMP_DURATION_MAX, duration_s)
                        : !parse_setting(c, at + 1, STREAM_IDMP_SIZE_MAX, size_max))
            return false;
    }
    if (c->argc > 2)
        return true;
    call_error(c, "ERR At least one parameter must be specified");
    return false;
}

void stream_xcfgset(struct call *c)
{
    int64_t duration_s, size_max;
    const struct value *stream;
    struct edit edit;
    if (!parse_xcfgset(c, &duration_s, &size_max) || !find_stream(c, &stream))
        return;
    if (stream == NULL) {
        call_error(c, "ERR no such key");
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_STREAM, &edit))
        return;
    struct stream_production_info info = stream_production_info(edit.value, c->now_ms);
    bool has_changed =
        stream_production_configure(&edit, duration_s > 0 ? (uint32_t)duration_s : info.duration_s,
                                    size_max > 0 ? (uint32_t)size_max : info.size_max);
    call_edit_end(c, c->argv[1], &edit, has_changed);
    reply_ok(&c->reply);
}

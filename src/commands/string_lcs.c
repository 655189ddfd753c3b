/* LCS: the longest common subsequence of two strings, by the textbook table of lengths of all pairs
 * of prefixes. Of several longest ones the walk back chooses as Redis does: it leaves the first
 * string's byte only when that keeps a longer subsequence. */
#include "base/mem.h"
#include "commands/call.h"
#include "commands/string_commands.h"

/* Bytes of the table. It is taken at once and filled on the loop, so this also bounds the time:
 * about a third of a second. Redis has the same limit (proto-max-bulk-len by default). */
enum { LCS_TABLE_MAX = OBJECT_STRING_MAX };

struct lcs_options {
    bool wants_length;
    bool wants_ranges;
    bool wants_match_length;
    int64_t match_min;
};

struct lcs {
    struct bytes a, b;
    uint32_t *lengths; /* (a.size + 1) rows of (b.size + 1) */
};

/* Bytes [a, a + size) of the first string equal [b, b + size) of the second. */
struct match {
    size_t a, b, size;
};

static bool parse_options(struct call *c, struct lcs_options *options)
{
    *options = (struct lcs_options){.match_min = 0};
    for (int i = 3; i < c->argc; i++) {
        if (call_is_word(c, i, "LEN")) {
            options->wants_length = true;
        } else if (call_is_word(c, i, "IDX")) {
            options->wants_ranges = true;
        } else if (call_is_word(c, i, "WITHMATCHLEN")) {
            options->wants_match_length = true;
        } else if (call_is_word(c, i, "MINMATCHLEN") && i + 1 < c->argc) {
            if (!call_int(c, ++i, &options->match_min))
                return false;
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    if (options->wants_length && options->wants_ranges) {
        call_error(c, "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

static uint32_t *row(const struct lcs *lcs, size_t i)
{
    return lcs->lengths + i * (lcs->b.size + 1);
}

static void fill_row(const struct lcs *lcs, size_t i)
{
    uint32_t *now = row(lcs, i);
    const uint32_t *above = row(lcs, i - 1);
    uint8_t byte = lcs->a.data[i - 1];
    now[0] = 0;
    for (size_t j = 1; j <= lcs->b.size; j++) {
        if (lcs->b.data[j - 1] == byte)
            now[j] = above[j - 1] + 1;
        else
            now[j] = above[j] > now[j - 1] ? above[j] : now[j - 1];
    }
}

static bool lcs_start(struct call *c, struct lcs *lcs)
{
    uint64_t size = (uint64_t)(lcs->a.size + 1) * (lcs->b.size + 1) * sizeof(uint32_t);
    if (size > LCS_TABLE_MAX) {
        call_error(c, "ERR Insufficient memory, transient memory for LCS exceeds "
                      "proto-max-bulk-len");
        return false;
    }
    lcs->lengths = mem_alloc((size_t)size);
    memset(lcs->lengths, 0, (lcs->b.size + 1) * sizeof(uint32_t));
    for (size_t i = 1; i <= lcs->a.size; i++)
        fill_row(lcs, i);
    return true;
}

static uint32_t lcs_length(const struct lcs *lcs)
{
    return row(lcs, lcs->a.size)[lcs->b.size];
}

/* The last common run that ends at or before *i and *j, which become its begin; false at the end.
 */
static bool previous_match(const struct lcs *lcs, size_t *i, size_t *j, struct match *match)
{
    size_t size = 0;
    while (*i > 0 && *j > 0) {
        if (lcs->a.data[*i - 1] == lcs->b.data[*j - 1]) {
            (*i)--, (*j)--, size++;
            continue;
        }
        if (size > 0)
            break;
        if (row(lcs, *i - 1)[*j] > row(lcs, *i)[*j - 1])
            (*i)--;
        else
            (*j)--;
    }
    *match = (struct match){*i, *j, size};
    return size > 0;
}

static void reply_subsequence(struct call *c, const struct lcs *lcs)
{
    size_t left = lcs_length(lcs), i = lcs->a.size, j = lcs->b.size;
    uint8_t *out = reply_bulk_space(&c->reply, left);
    struct match match;
    while (previous_match(lcs, &i, &j, &match)) {
        ASSERT(match.size <= left);
        left -= match.size;
        memcpy(out + left, lcs->a.data + match.a, match.size);
    }
    ASSERT(left == 0);
}

static void reply_range(struct call *c, size_t first, size_t size)
{
    reply_array(&c->reply, 2);
    reply_int(&c->reply, (int64_t)first);
    reply_int(&c->reply, (int64_t)(first + size - 1));
}

static void reply_ranges(struct call *c, const struct lcs *lcs, const struct lcs_options *options)
{
    size_t i = lcs->a.size, j = lcs->b.size, count = 0;
    struct match match;
    reply_map(&c->reply, 2);
    reply_bulk_string(&c->reply, "matches");
    size_t mark = reply_defer(&c->reply);
    while (previous_match(lcs, &i, &j, &match)) {
        if ((int64_t)match.size < options->match_min)
            continue;
        count++;
        reply_array(&c->reply, options->wants_match_length ? 3 : 2);
        reply_range(c, match.a, match.size);
        reply_range(c, match.b, match.size);
        if (options->wants_match_length)
            reply_int(&c->reply, (int64_t)match.size);
    }
    reply_defer_array(&c->reply, mark, count);
    reply_bulk_string(&c->reply, "len");
    reply_int(&c->reply, lcs_length(lcs));
}

/* Not call_find_string: Redis has an error of its own here. */
static bool find_text(struct call *c, int position, char *scratch, struct bytes *text)
{
    const struct object *object = call_find(c, c->argv[position]);
    *text = bytes_of(NULL, 0);
    if (object == NULL)
        return true;
    if (object->type != TYPE_STRING) {
        call_error(c, "ERR The specified keys must contain string values");
        return false;
    }
    *text = string_value(object, scratch);
    return true;
}

void string_lcs(struct call *c)
{
    char scratch_a[STRING_INT_TEXT_MAX], scratch_b[STRING_INT_TEXT_MAX];
    struct lcs lcs;
    struct lcs_options options;
    if (!find_text(c, 1, scratch_a, &lcs.a) || !find_text(c, 2, scratch_b, &lcs.b))
        return;
    if (!parse_options(c, &options) || !lcs_start(c, &lcs))
        return;
    if (options.wants_length)
        reply_int(&c->reply, lcs_length(&lcs));
    else if (options.wants_ranges)
        reply_ranges(c, &lcs, &options);
    else
        reply_subsequence(c, &lcs);
    mem_free(lcs.lengths);
}

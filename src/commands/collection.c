#include "commands/collection.h"

#include <math.h>

#include "base/glob.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"

enum { SCAN_COUNT = 10, CURSOR_BITS = 48 };

bool collection_scan_cursor(struct call *c, struct collection_scan *scan)
{
    *scan = (struct collection_scan){.count = SCAN_COUNT};
    if (number_parse_u64(c->argv[2], &scan->cursor))
        return true;
    call_error(c, "ERR invalid cursor");
    return false;
}

static bool scan_option(struct call *c, int at, struct collection_scan *scan)
{
    if (call_is_word(c, at, "match")) {
        scan->pattern = c->argv[at + 1];
        scan->has_pattern = !bytes_equal(scan->pattern, BYTES_LITERAL("*"));
        return true;
    }
    if (!call_is_word(c, at, "count")) {
        call_error_syntax(c);
        return false;
    }
    if (!call_int(c, at + 1, &scan->count))
        return false;
    if (scan->count < 1)
        call_error_syntax(c);
    return scan->count >= 1;
}

bool collection_scan_options(struct call *c, struct collection_scan *scan, bool takes_no_values)
{
    for (int i = 3; i < c->argc; i += 2) {
        if (takes_no_values && call_is_word(c, i, "novalues")) {
            scan->no_values = true;
            i--;
        } else if (i + 1 == c->argc) {
            call_error_syntax(c);
            return false;
        } else if (!scan_option(c, i, scan)) {
            return false;
        }
    }
    return true;
}

bool collection_scan_matches(const struct collection_scan *scan, struct bytes name)
{
    return !scan->has_pattern || glob_match(scan->pattern, name, false);
}

bool collection_scan_ends(const struct collection_scan *scan)
{
    return scan->cursor >> CURSOR_BITS != 0;
}

void collection_scan_reply(struct call *c, uint64_t next, size_t count, struct bytes items)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    reply_array(&c->reply, 2);
    reply_bulk(&c->reply, bytes_of(text, number_format_u64(text, next)));
    reply_array(&c->reply, count);
    buf_append(c->reply.out, items);
}

void collection_scan_empty(struct call *c)
{
    reply_array(&c->reply, 2);
    reply_bulk_string(&c->reply, "0");
    reply_array(&c->reply, 0);
}

bool collection_random_count(struct call *c, int position, bool is_doubled, int64_t *count)
{
    if (!call_int_range(c, position, INT64_MIN, INT64_MAX, count, NULL))
        return false;
    if (*count == INT64_MIN) {
        call_error(c, "ERR value is out of range, value must between -9223372036854775807 and "
                      "9223372036854775807");
        return false;
    }
    int64_t limit = INT64_MAX / 2;
    if (!is_doubled || (*count >= -limit && *count <= limit))
        return true;
    call_error(c, "ERR value is out of range");
    return false;
}

bool collection_timeout(struct call *c, int position, int64_t *timeout_ms)
{
    long double seconds;
    if (!number_parse_long_double(c->argv[position], &seconds)) {
        call_error(c, "ERR timeout is not a float or out of range");
        return false;
    }
    if (seconds < 0) {
        call_error(c, "ERR timeout is negative");
        return false;
    }
    if (seconds * 1000 > (long double)(INT64_MAX / 2000)) {
        call_error(c, "ERR timeout is out of range");
        return false;
    }
    *timeout_ms = (int64_t)ceill(seconds * 1000);
    return true;
}

bool collection_mpop(struct call *c, int numkeys_at, const char *const ends[2], int *which,
                     struct collection_mpop *mpop)
{
    int64_t count;
    bool has_count = false;
    mpop->elements = 1;
    if (!call_int_range(c, numkeys_at, 1, INT32_MAX, &count,
                        "ERR numkeys should be greater than 0"))
        return false;
    int end_at = numkeys_at + (int)(count < c->argc ? count : c->argc) + 1;
    *which = call_is_word(c, end_at, ends[0]) ? 0 : call_is_word(c, end_at, ends[1]) ? 1 : -1;
    mpop->first = numkeys_at + 1;
    mpop->count = (int)count;
    bool is_good = *which >= 0;
    for (int at = end_at + 1; is_good && at < c->argc; at += 2) {
        is_good = !has_count && at + 1 < c->argc && call_is_word(c, at, "count");
        has_count = true;
        if (is_good && !call_int_range(c, at + 1, 1, INT64_MAX, &mpop->elements,
                                       "ERR count should be greater than 0"))
            return false;
    }
    if (!is_good)
        call_error_syntax(c);
    return is_good;
}

/* ---- choosing ---- */

void seen_init(struct seen *seen, size_t count_max)
{
    size_t capacity = 16;
    while (capacity < 2 * count_max)
        capacity *= 2;
    seen->slots = mem_zero(capacity * sizeof(*seen->slots));
    seen->mask = capacity - 1;
}

void seen_fini(struct seen *seen)
{
    mem_free(seen->slots);
    seen->slots = NULL;
}

bool seen_add(struct seen *seen, const void *address)
{
    uintptr_t sought = (uintptr_t)address;
    size_t at = (size_t)hash_bytes(bytes_of(&sought, sizeof(sought)), 0) & seen->mask;
    for (; seen->slots[at] != 0; at = (at + 1) & seen->mask) {
        if (seen->slots[at] == sought)
            return false;
    }
    seen->slots[at] = sought;
    return true;
}

bool selection_takes(struct selection *selection)
{
    ASSERT(selection->left >= selection->wanted && selection->left > 0);
    bool takes = prng_below(&selection->prng, selection->left) < selection->wanted;
    selection->left--;
    selection->wanted -= takes;
    return takes;
}

#include "types/zset.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "types/elements.h"
#include "types/pack.h"
#include "types/ranked.h"

enum {
    FORM_PACK = 1, /* member, score */
    FORM_TABLE = 2,
    INLINE_HEAD = 2,
    SCORE_SIZE = 8,
    SCORE_MARK = 0xff, /* no decimal begins with it */
};

struct zset_table {
    struct elements *elements;
    struct ranked *ranked; /* NULL while it loads */
};

struct zset {
    struct value value;
    union {
        struct pack *pack;
        struct zset_table *table;
    };
};

static struct zset *zset_of(const struct value *value)
{
    ASSERT(value->type == TYPE_ZSET);
    return (struct zset *)(uintptr_t)value; // NOLINT: const goes, as in strchr
}

static struct zset *zset_new(uint8_t form)
{
    struct zset *zset = mem_zero(sizeof(*zset));
    zset->value.type = TYPE_ZSET;
    zset->value.form = form;
    return zset;
}

static struct value *create(const struct type_env *env)
{
    (void)env;
    struct zset *zset = zset_new(FORM_PACK);
    zset->pack = pack_new();
    return &zset->value;
}

static struct value *create_head(void)
{
    return &zset_new(VALUE_FORM_HEAD)->value;
}

static void free_table(struct zset_table *table)
{
    ranked_free(table->ranked);
    elements_free(table->elements);
    mem_free(table);
}

static void free_zset(struct value *value)
{
    struct zset *zset = zset_of(value);
    if (value->form == FORM_PACK)
        pack_free(zset->pack);
    else if (value->form == FORM_TABLE)
        free_table(zset->table);
    mem_free(zset);
}

static size_t memory(const struct value *value)
{
    const struct zset *zset = zset_of(value);
    size_t size = mem_size(zset);
    if (value->form == FORM_PACK)
        return size + pack_memory(zset->pack);
    if (value->form != FORM_TABLE)
        return size;
    return size + mem_size(zset->table) + elements_memory(zset->table->elements) +
           (zset->table->ranked == NULL ? 0 : ranked_memory(zset->table->ranked));
}

static const char *encoding(const struct value *value)
{
    return value->form == FORM_PACK ? "listpack" : "skiplist";
}

bool zset_is_packed(const struct value *value)
{
    return value->form == FORM_PACK;
}

/* ---- scores ---- */

static uint64_t bits_of(double score)
{
    uint64_t bits;
    memcpy(&bits, &score, sizeof(bits));
    return bits;
}

static double score_of(uint64_t bits)
{
    double score;
    memcpy(&score, &bits, sizeof(score));
    return score;
}

static struct bytes element_score(const double *score)
{
    return bytes_of(score, sizeof(*score));
}

static double read_element_score(const struct element *element)
{
    double score;
    ASSERT(element->value_size == sizeof(score));
    memcpy(&score, element_value(element).data, sizeof(score));
    return score;
}

/* As a pack keeps it; scratch has room for either form. Zero has no sign there, as in Redis. */
static struct bytes packed_score(char *scratch, double score)
{
    if (score >= -9e15 && score <= 9e15 && score == (double)(int64_t)score)
        return bytes_of(scratch, number_format_i64(scratch, (int64_t)score));
    scratch[0] = (char)SCORE_MARK;
    put_le64((uint8_t *)scratch + 1, bits_of(score));
    return bytes_of(scratch, 1 + SCORE_SIZE);
}

/* False when the entry is no score. */
static bool read_packed_score(const struct pack *pack, pack_position at, double *score)
{
    char scratch[ZSET_SCRATCH];
    int64_t number;
    if (pack_get_int(pack, at, &number)) {
        *score = (double)number;
        return number >= -9000000000000000 && number <= 9000000000000000;
    }
    struct bytes text = pack_get(pack, at, scratch);
    if (text.size != 1 + SCORE_SIZE || text.data[0] != SCORE_MARK)
        return false;
    *score = score_of(get_le64(text.data + 1));
    return *score == *score;
}

/* ---- packs ---- */

/* The item whose member stands at `at`. */
static void read_packed(const struct zset *zset, pack_position at, struct zset_item *item)
{
    item->member = pack_get(zset->pack, at, item->scratch);
    bool is_score = read_packed_score(zset->pack, pack_next(zset->pack, at), &item->score);
    ASSERT(is_score);
}

static pack_position after_packed(const struct zset *zset, pack_position at)
{
    return pack_next(zset->pack, pack_next(zset->pack, at));
}

static pack_position find_packed(const struct zset *zset, struct bytes member)
{
    return pack_find(zset->pack, pack_first(zset->pack), member, 1);
}

static bool is_before(const struct zset_item *item, const struct zset_bound *bound)
{
    if (item->score != bound->score)
        return item->score < bound->score;
    if (bound->which != ZSET_AT_MEMBER)
        return bound->which == ZSET_AFTER_ALL;
    int order = bytes_compare(item->member, bound->member);
    return bound->is_after ? order <= 0 : order < 0;
}

/* Where the first member that is not before the bound stands, and its rank. */
static pack_position place_packed(const struct zset *zset, const struct zset_bound *bound,
                                  uint64_t *rank)
{
    pack_position at = pack_first(zset->pack);
    struct zset_item item;
    *rank = 0;
    for (; at != PACK_END; at = after_packed(zset, at), (*rank)++) {
        read_packed(zset, at, &item);
        if (!is_before(&item, bound))
            break;
    }
    return at;
}

static void insert_packed(struct zset *zset, struct bytes member, double score)
{
    char scratch[ZSET_SCRATCH];
    uint64_t rank;
    struct zset_bound bound = {.score = score, .which = ZSET_AT_MEMBER, .member = member};
    pack_position at = place_packed(zset, &bound, &rank);
    zset->pack = pack_insert(zset->pack, at, member);
    at = pack_at(zset->pack, (int64_t)(2 * rank));
    zset->pack = pack_insert(zset->pack, pack_next(zset->pack, at), packed_score(scratch, score));
}

/* ---- looking ---- */

bool zset_score(const struct value *value, struct bytes member, double *score)
{
    const struct zset *zset = zset_of(value);
    if (value->form == FORM_PACK) {
        struct zset_item item;
        pack_position at = find_packed(zset, member);
        if (at == PACK_END)
            return false;
        read_packed(zset, at, &item);
        *score = item.score;
        return true;
    }
    ASSERT(value->form == FORM_TABLE);
    const struct element *element = elements_find(zset->table->elements, member);
    if (element != NULL)
        *score = read_element_score(element);
    return element != NULL;
}

uint64_t zset_position(const struct value *value, const struct zset_bound *bound)
{
    const struct zset *zset = zset_of(value);
    uint64_t rank;
    if (value->form == FORM_PACK) {
        (void)place_packed(zset, bound, &rank);
        return rank;
    }
    struct ranked_bound place = {.score = bound->score,
                                 .which = bound->which == ZSET_BEFORE_ALL  ? RANKED_BEFORE_ALL
                                          : bound->which == ZSET_AT_MEMBER ? RANKED_AT_MEMBER
                                                                           : RANKED_AFTER_ALL,
                                 .member = bound->member,
                                 .is_after = bound->is_after};
    return ranked_position(zset->table->ranked, &place);
}

uint64_t zset_rank(const struct value *value, struct bytes member)
{
    struct zset_bound bound = {.which = ZSET_AT_MEMBER, .member = member};
    bool is_there = zset_score(value, member, &bound.score);
    ASSERT(is_there);
    return zset_position(value, &bound);
}

struct zset_walk zset_walk(const struct value *value, uint64_t from, uint64_t count,
                           bool is_reverse)
{
    const struct zset *zset = zset_of(value);
    ASSERT(from <= value->count && count <= value->count - from);
    struct zset_walk walk = {.value = value, .left = count, .is_reverse = is_reverse};
    if (count == 0)
        return walk;
    uint64_t rank = is_reverse ? value->count - 1 - from : from;
    if (value->form == FORM_PACK) {
        walk.at = pack_at(zset->pack, (int64_t)(2 * rank));
        return walk;
    }
    struct ranked_cursor cursor = ranked_at(zset->table->ranked, rank);
    walk.leaf = cursor.leaf;
    walk.at = cursor.at;
    return walk;
}

static void step_packed(struct zset_walk *walk, struct zset_item *item)
{
    const struct zset *zset = zset_of(walk->value);
    pack_position at = (pack_position)walk->at;
    read_packed(zset, at, item);
    if (!walk->is_reverse)
        walk->at = after_packed(zset, at);
    else if ((at = pack_prev(zset->pack, at)) != PACK_END)
        walk->at = pack_prev(zset->pack, at);
}

bool zset_next(struct zset_walk *walk, struct zset_item *item)
{
    if (walk->left == 0)
        return false;
    walk->left--;
    if (walk->value->form == FORM_PACK) {
        step_packed(walk, item);
        return true;
    }
    struct ranked_cursor cursor = {.leaf = walk->leaf, .at = (uint32_t)walk->at};
    struct ranked_entry entry = ranked_get(&cursor);
    item->member = element_key(entry.element);
    item->score = entry.score;
    if (walk->is_reverse)
        ranked_prev(&cursor);
    else
        ranked_next(&cursor);
    walk->leaf = cursor.leaf;
    walk->at = cursor.at;
    return true;
}

uint64_t zset_scan(const struct value *value, uint64_t cursor, uint64_t count,
                   void (*visit)(void *context, const struct zset_item *item), void *context)
{
    struct zset_item item;
    if (value->form == FORM_PACK) {
        struct zset_walk walk = zset_walk(value, 0, value->count, false);
        while (zset_next(&walk, &item))
            visit(context, &item);
        return 0;
    }
    struct buf found = {0};
    uint64_t next = elements_scan(zset_of(value)->table->elements, cursor, count, &found);
    for (size_t at = 0; at < found.size; at += sizeof(struct element *)) {
        struct element *element;
        memcpy(&element, found.data + at, sizeof(struct element *));
        item.member = element_key(element);
        item.score = read_element_score(element);
        visit(context, &item);
    }
    buf_free(&found);
    return next;
}

/* ---- changing ---- */

static void insert_element(struct zset_table *table, struct bytes member, double score)
{
    struct element *element = element_new(member, element_score(&score), 0);
    elements_insert(table->elements, element);
    if (table->ranked != NULL)
        ranked_insert(table->ranked, (struct ranked_entry){.score = score, .element = element});
}

static struct zset_table *table_new(uint64_t seed)
{
    struct zset_table *table = mem_zero(sizeof(*table));
    table->elements = elements_new(seed);
    return table;
}

static void to_table(struct zset *zset, const struct type_env *env)
{
    struct zset_table *table = table_new(env->hash_seed);
    struct zset_item item;
    table->ranked = ranked_new();
    for (pack_position at = pack_first(zset->pack); at != PACK_END; at = after_packed(zset, at)) {
        read_packed(zset, at, &item);
        insert_element(table, item.member, item.score);
    }
    pack_free(zset->pack);
    zset->table = table;
    zset->value.form = FORM_TABLE;
}

void zset_expect(struct edit *edit, uint64_t count)
{
    struct zset *zset = zset_of(edit->value);
    ASSERT(zset->value.count == 0);
    if (zset->value.form == FORM_TABLE || count <= (uint64_t)edit->env->zset_max_listpack_entries)
        return;
    to_table(zset, edit->env);
    elements_reserve(zset->table->elements, count);
}

static bool fits_pack(uint64_t count, struct bytes member, const struct type_env *env)
{
    return (int64_t)count <= env->zset_max_listpack_entries &&
           (int64_t)member.size <= env->zset_max_listpack_value;
}

static void put_row(struct edit *edit, struct bytes member, double score)
{
    if (edit->rows == NULL)
        return;
    struct buf element = {0}, row_value = {0};
    value_encode_name(0, member, &element, &row_value);
    put_le64(buf_extend(&row_value, SCORE_SIZE), bits_of(score));
    edit_put(edit, buf_bytes(&element), buf_bytes(&row_value));
    buf_free(&element);
    buf_free(&row_value);
}

static void change_score(struct zset *zset, struct bytes member, double score)
{
    if (zset->value.form == FORM_PACK) {
        zset->pack = pack_remove(zset->pack, find_packed(zset, member), 2);
        insert_packed(zset, member, score);
        return;
    }
    struct element *element = elements_find(zset->table->elements, member);
    double old = read_element_score(element);
    ranked_remove(zset->table->ranked, (struct ranked_entry){.score = old, .element = element});
    memcpy(element->data + element_key_offset(element) + element->key_size, &score, sizeof(score));
    ranked_insert(zset->table->ranked, (struct ranked_entry){.score = score, .element = element});
}

bool zset_put(struct edit *edit, struct bytes member, double score)
{
    struct zset *zset = zset_of(edit->value);
    double old;
    ASSERT(score == score);
    bool is_new = !zset_score(edit->value, member, &old);
    if (is_new && zset->value.form == FORM_PACK &&
        !fits_pack(zset->value.count + 1ULL, member, edit->env))
        to_table(zset, edit->env);
    if (zset->value.form == FORM_PACK)
        score += 0.0; /* -0 becomes 0 in its row too */
    if (!is_new)
        change_score(zset, member, score);
    else if (zset->value.form == FORM_PACK)
        insert_packed(zset, member, score);
    else
        insert_element(zset->table, member, score);
    zset->value.count += is_new;
    put_row(edit, member, score);
    return is_new;
}

static void delete_row(struct edit *edit, struct bytes member)
{
    if (edit->rows == NULL)
        return;
    struct buf element = {0}, ignored = {0};
    value_encode_name(0, member, &element, &ignored);
    edit_delete(edit, buf_bytes(&element));
    buf_free(&element);
    buf_free(&ignored);
}

static void remove_element(struct zset_table *table, struct element *element)
{
    struct ranked_entry entry = {.score = read_element_score(element), .element = element};
    ranked_remove(table->ranked, entry);
    elements_remove(table->elements, element);
    element_free(element);
}

bool zset_remove(struct edit *edit, struct bytes member)
{
    struct zset *zset = zset_of(edit->value);
    if (zset->value.form == FORM_PACK) {
        pack_position at = find_packed(zset, member);
        if (at == PACK_END)
            return false;
        delete_row(edit, member);
        zset->pack = pack_remove(zset->pack, at, 2);
    } else {
        struct element *element = elements_find(zset->table->elements, member);
        if (element == NULL)
            return false;
        delete_row(edit, member);
        remove_element(zset->table, element);
    }
    zset->value.count--;
    return true;
}

static void remove_packed_ranks(struct edit *edit, uint64_t from, uint64_t count)
{
    struct zset *zset = zset_of(edit->value);
    struct zset_walk walk = zset_walk(edit->value, from, count, false);
    struct zset_item item;
    while (edit->rows != NULL && zset_next(&walk, &item))
        delete_row(edit, item.member);
    pack_position at = pack_at(zset->pack, (int64_t)(2 * from));
    zset->pack = pack_remove(zset->pack, at, (uint32_t)(2 * count));
    zset->value.count -= (uint32_t)count;
}

void zset_remove_ranks(struct edit *edit, uint64_t from, uint64_t count)
{
    struct zset *zset = zset_of(edit->value);
    ASSERT(from <= edit->value->count && count <= edit->value->count - from);
    if (zset->value.form == FORM_PACK) {
        remove_packed_ranks(edit, from, count);
        return;
    }
    for (; count > 0; count--) {
        struct ranked_cursor cursor = ranked_at(zset->table->ranked, from);
        struct element *element = ranked_get(&cursor).element;
        delete_row(edit, element_key(element));
        remove_element(zset->table, element);
        zset->value.count--;
    }
}

/* ---- rows ---- */

static void emit(const struct value *value, struct buf *rows)
{
    struct zset_walk walk = zset_walk(value, 0, value->count, false);
    struct zset_item item;
    struct buf element = {0}, row_value = {0};
    while (zset_next(&walk, &item)) {
        buf_clear(&element);
        buf_clear(&row_value);
        value_encode_name(0, item.member, &element, &row_value);
        put_le64(buf_extend(&row_value, SCORE_SIZE), bits_of(item.score));
        value_put_row(rows, value->object_id, buf_bytes(&element), buf_bytes(&row_value));
    }
    buf_free(&element);
    buf_free(&row_value);
}

static size_t inline_size(const struct value *value)
{
    return value->form == FORM_PACK ? INLINE_HEAD + pack_size(zset_of(value)->pack) : SIZE_MAX;
}

static void encode_inline(const struct value *value, struct buf *out)
{
    ASSERT(value->count <= UINT16_MAX);
    put_le16(buf_extend(out, INLINE_HEAD), (uint16_t)value->count);
    buf_append(out, pack_bytes(zset_of(value)->pack));
}

/* Members are distinct, scores are some, the order holds. */
static bool is_sound(const struct zset *zset)
{
    struct zset_item item, last = {0};
    bool is_first = true;
    for (pack_position at = pack_first(zset->pack); at != PACK_END; at = after_packed(zset, at)) {
        double score;
        if (!read_packed_score(zset->pack, pack_next(zset->pack, at), &score))
            return false;
        read_packed(zset, at, &item);
        if (find_packed(zset, item.member) != at)
            return false;
        struct zset_bound bound = {
            .score = item.score, .which = ZSET_AT_MEMBER, .member = item.member};
        if (!is_first && !is_before(&last, &bound))
            return false;
        last = item;
        if (item.member.data == (const uint8_t *)item.scratch)
            last.member.data = (const uint8_t *)last.scratch;
        is_first = false;
    }
    return true;
}

static struct value *decode_inline(struct bytes bytes, const struct type_env *env)
{
    (void)env;
    if (bytes.size < INLINE_HEAD)
        return NULL;
    uint16_t count = get_le16(bytes.data);
    struct bytes rest = bytes_of(bytes.data + INLINE_HEAD, bytes.size - INLINE_HEAD);
    struct pack *pack = count == 0 ? NULL : pack_from_bytes(rest, 2u * count);
    if (pack == NULL)
        return NULL;
    struct zset *zset = zset_new(FORM_PACK);
    zset->pack = pack;
    zset->value.count = count;
    if (is_sound(zset))
        return &zset->value;
    free_zset(&zset->value);
    return NULL;
}

/* ---- loading ---- */

static uint64_t body_count(const struct zset *zset)
{
    return zset->value.form == FORM_PACK ? pack_count(zset->pack) / 2
                                         : elements_count(zset->table->elements);
}

static void load_begin(struct value **value, const struct type_env *env)
{
    struct zset *zset = zset_of(*value);
    if (zset->value.count <= env->zset_max_listpack_entries) {
        zset->value.form = FORM_PACK;
        zset->pack = pack_new();
        return;
    }
    zset->value.form = FORM_TABLE;
    zset->table = table_new(env->hash_seed);
}

static bool load_element(struct zset *zset, struct bytes member, double score)
{
    struct zset_table *table = zset->table;
    if (elements_should_reserve(elements_count(table->elements), zset->value.count))
        elements_reserve(table->elements, zset->value.count);
    struct element *element = element_new(member, element_score(&score), 0);
    if (!elements_add(table->elements, element)) {
        element_free(element);
        return false;
    }
    if (table->ranked != NULL)
        ranked_insert(table->ranked, (struct ranked_entry){.score = score, .element = element});
    return true;
}

static bool load_row(struct value **value, struct bytes element, struct bytes row_value,
                     const struct type_env *env)
{
    struct zset *zset = zset_of(*value);
    uint8_t prefix;
    struct bytes member, rest;
    if (!value_decode_name(element, row_value, &prefix, &member, &rest) || prefix != 0 ||
        rest.size != SCORE_SIZE)
        return false;
    double score = score_of(get_le64(rest.data)), ignored;
    if (score != score || body_count(zset) == zset->value.count)
        return false;
    if (zset->value.form == FORM_PACK && !fits_pack(0, member, env))
        to_table(zset, env);
    if (zset->value.form == FORM_TABLE)
        return load_element(zset, member, score);
    if (zset_score(*value, member, &ignored))
        return false;
    insert_packed(zset, member, score);
    return true;
}

/* The index of a large set is built at once from all members. */
static void build_index(struct zset_table *table)
{
    uint64_t count = elements_count(table->elements), cursor = 0;
    struct ranked_entry *entries = mem_alloc((count + 1) * sizeof(*entries));
    struct ranked_entry *at = entries;
    for (struct element *each; (each = elements_next(table->elements, &cursor)) != NULL; at++)
        *at = (struct ranked_entry){.score = read_element_score(each), .element = each};
    table->ranked = ranked_build(entries, count);
    mem_free(entries);
}

static bool load_end(struct value **value, const struct type_env *env)
{
    (void)env;
    struct zset *zset = zset_of(*value);
    if (zset->value.form == FORM_TABLE && zset->table->ranked == NULL)
        build_index(zset->table);
    return body_count(zset) == zset->value.count;
}

/* ---- the rest of the contract ---- */

static struct value *copy(const struct value *value)
{
    const struct zset *zset = zset_of(value);
    struct zset *twin = zset_new(value->form);
    twin->value.count = value->count;
    if (value->form == FORM_PACK) {
        twin->pack = pack_copy(zset->pack);
        return &twin->value;
    }
    twin->table = mem_zero(sizeof(*twin->table));
    twin->table->elements = elements_twin(zset->table->elements);
    elements_reserve(twin->table->elements, value->count);
    struct zset_walk walk = zset_walk(value, 0, value->count, false);
    struct zset_item item;
    while (zset_next(&walk, &item))
        insert_element(twin->table, item.member, item.score);
    build_index(twin->table);
    return &twin->value;
}

static uint64_t digest(const struct value *value)
{
    struct zset_walk walk = zset_walk(value, 0, value->count, false);
    struct zset_item item;
    uint64_t hash = value->count;
    while (zset_next(&walk, &item))
        hash = hash_bytes(item.member, hash ^ bits_of(item.score + 0.0)); /* see packed_score */
    return hash;
}

static void check(const struct value *value)
{
    const struct zset *zset = zset_of(value);
    ASSERT(body_count(zset) == value->count);
    if (value->form == FORM_PACK) {
        ASSERT(is_sound(zset));
        return;
    }
    elements_check(zset->table->elements);
    ranked_check(zset->table->ranked);
    ASSERT(ranked_count(zset->table->ranked) == value->count);
}

const struct type zset_type = {
    .name = "zset",
    .create = create,
    .free = free_zset,
    .memory = memory,
    .copy = copy,
    .encoding = encoding,
    .inline_size = inline_size,
    .encode_inline = encode_inline,
    .decode_inline = decode_inline,
    .create_head = create_head,
    .emit = emit,
    .load_begin = load_begin,
    .load_row = load_row,
    .load_end = load_end,
    .digest = digest,
    .check = check,
};

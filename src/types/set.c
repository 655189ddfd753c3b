#include "types/set.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "types/elements.h"
#include "types/intset.h"
#include "types/pack.h"

enum {
    FORM_INTS = 1,
    FORM_PACK = 2,
    FORM_TABLE = 3,
    INLINE_INTS_HEAD = 4,
    INLINE_PACK_HEAD = 3,
};

struct set {
    struct value value;
    union {
        struct intset *ints;
        struct pack *pack;
        struct elements *elements;
    };
};

static struct set *set_of(const struct value *value)
{
    ASSERT(value->type == TYPE_SET);
    return (struct set *)(uintptr_t)value; // NOLINT: const goes, as in strchr
}

static struct set *set_new(uint8_t form)
{
    struct set *set = mem_zero(sizeof(*set));
    set->value.type = TYPE_SET;
    set->value.form = form;
    return set;
}

/* An empty set holds integers only. */
static struct value *create(const struct type_env *env)
{
    (void)env;
    struct set *set = set_new(FORM_INTS);
    set->ints = intset_new();
    return &set->value;
}

static struct value *create_head(void)
{
    return &set_new(VALUE_FORM_HEAD)->value;
}

static void free_body(struct set *set)
{
    if (set->value.form == FORM_INTS)
        intset_free(set->ints);
    else if (set->value.form == FORM_PACK)
        pack_free(set->pack);
    else if (set->value.form == FORM_TABLE)
        elements_free(set->elements);
}

static void free_set(struct value *value)
{
    free_body(set_of(value));
    mem_free(value);
}

static size_t memory(const struct value *value)
{
    const struct set *set = set_of(value);
    size_t size = mem_size(set);
    if (value->form == FORM_INTS)
        return size + intset_memory(set->ints);
    if (value->form == FORM_PACK)
        return size + pack_memory(set->pack);
    return value->form == FORM_TABLE ? size + elements_memory(set->elements) : size;
}

static const char *encoding(const struct value *value)
{
    if (value->form == FORM_INTS)
        return "intset";
    return value->form == FORM_PACK ? "listpack" : "hashtable";
}

bool set_is_table(const struct value *value)
{
    return value->form == FORM_TABLE;
}

/* Of the body, whatever value.count says while it loads. */
static uint64_t body_count(const struct set *set)
{
    if (set->value.form == FORM_INTS)
        return intset_count(set->ints);
    return set->value.form == FORM_PACK ? pack_count(set->pack) : elements_count(set->elements);
}

/* ---- looking ---- */

static bool parse(struct bytes member, int64_t *number)
{
    return member.size <= PACK_INT_TEXT_MAX && number_parse_i64(member, number);
}

bool set_has(const struct value *value, struct bytes member)
{
    const struct set *set = set_of(value);
    int64_t number;
    if (value->form == FORM_INTS)
        return parse(member, &number) && intset_has(set->ints, number);
    if (value->form == FORM_PACK)
        return pack_find(set->pack, pack_first(set->pack), member, 0) != PACK_END;
    ASSERT(value->form == FORM_TABLE);
    return elements_find(set->elements, member) != NULL;
}

static void read_int(const struct set *set, uint32_t index, struct set_item *item)
{
    size_t size = number_format_i64(item->scratch, intset_at(set->ints, index));
    item->member = bytes_of(item->scratch, size);
}

/* cursor: index of an integer; position in the pack + 1, PACK_END + 1 at the end; the table's. */
bool set_next(const struct value *value, uint64_t *cursor, struct set_item *item)
{
    const struct set *set = set_of(value);
    if (value->form == FORM_INTS) {
        if (*cursor == intset_count(set->ints))
            return false;
        read_int(set, (uint32_t)(*cursor)++, item);
        return true;
    }
    if (value->form == FORM_PACK) {
        pack_position at = *cursor == 0 ? pack_first(set->pack) : (pack_position)(*cursor - 1);
        if (at == PACK_END)
            return false;
        item->member = pack_get(set->pack, at, item->scratch);
        *cursor = (uint64_t)pack_next(set->pack, at) + 1;
        return true;
    }
    const struct element *element = elements_next(set->elements, cursor);
    if (element != NULL)
        item->member = element_key(element);
    return element != NULL;
}

void set_sample(const struct value *value, uint64_t random, struct set_item *item)
{
    const struct set *set = set_of(value);
    ASSERT(value->count > 0);
    uint32_t index = (uint32_t)(random % value->count);
    if (value->form == FORM_INTS)
        read_int(set, index, item);
    else if (value->form == FORM_PACK)
        item->member = pack_get(set->pack, pack_at(set->pack, index), item->scratch);
    else
        item->member = element_key(elements_sample(set->elements, random));
}

uint64_t set_scan(const struct value *value, uint64_t cursor, uint64_t count,
                  void (*visit)(void *context, const struct set_item *item), void *context)
{
    struct set_item item;
    if (value->form != FORM_TABLE) {
        for (uint64_t at = 0; set_next(value, &at, &item);)
            visit(context, &item);
        return 0;
    }
    struct buf found = {0};
    uint64_t next = elements_scan(set_of(value)->elements, cursor, count, &found);
    for (size_t at = 0; at < found.size; at += sizeof(struct element *)) {
        struct element *element;
        memcpy(&element, found.data + at, sizeof(struct element *));
        item.member = element_key(element);
        visit(context, &item);
    }
    buf_free(&found);
    return next;
}

/* ---- forms ---- */

static void to_pack(struct set *set)
{
    struct pack *pack = pack_new();
    struct set_item item;
    for (uint64_t cursor = 0; set_next(&set->value, &cursor, &item);)
        pack = pack_append(pack, item.member);
    free_body(set);
    set->pack = pack;
    set->value.form = FORM_PACK;
}

static void to_table(struct set *set, const struct type_env *env)
{
    struct elements *elements = elements_new(env->hash_seed);
    struct set_item item;
    for (uint64_t cursor = 0; set_next(&set->value, &cursor, &item);)
        elements_insert(elements, element_new(item.member, bytes_of(NULL, 0), 0));
    free_body(set);
    set->elements = elements;
    set->value.form = FORM_TABLE;
}

/* Whether a pack may hold a member more. */
static bool fits_pack(const struct set *set, struct bytes member, const struct type_env *env)
{
    return (int64_t)body_count(set) < env->set_max_listpack_entries &&
           (int64_t)member.size <= env->set_max_listpack_value;
}

/* ---- changing ---- */

static bool add_int(struct set *set, int64_t number, const struct type_env *env)
{
    bool is_new;
    set->ints = intset_add(set->ints, number, &is_new);
    if (is_new && (int64_t)intset_count(set->ints) > env->set_max_intset_entries)
        to_table(set, env);
    return is_new;
}

/* To the body alone; a member that is not there yet. */
static void add_text(struct set *set, struct bytes member, const struct type_env *env)
{
    bool fits = set->value.form != FORM_TABLE && fits_pack(set, member, env);
    if (set->value.form == FORM_INTS && fits)
        to_pack(set);
    else if (set->value.form != FORM_TABLE && !fits)
        to_table(set, env);
    if (set->value.form == FORM_PACK)
        set->pack = pack_append(set->pack, member);
    else
        elements_insert(set->elements, element_new(member, bytes_of(NULL, 0), 0));
}

static bool add_member(struct set *set, struct bytes member, const struct type_env *env)
{
    int64_t number;
    if (set->value.form == FORM_INTS && parse(member, &number))
        return add_int(set, number, env);
    if (set_has(&set->value, member))
        return false;
    add_text(set, member, env);
    return true;
}

static void encode_member(struct bytes member, struct buf *element, struct buf *row_value)
{
    buf_clear(element);
    buf_clear(row_value);
    value_encode_name(0, member, element, row_value);
}

bool set_add(struct edit *edit, struct bytes member)
{
    struct set *set = set_of(edit->value);
    if (!add_member(set, member, edit->env))
        return false;
    set->value.count++;
    if (edit->rows != NULL) {
        struct buf element = {0}, row_value = {0};
        encode_member(member, &element, &row_value);
        edit_put(edit, buf_bytes(&element), buf_bytes(&row_value));
        buf_free(&element);
        buf_free(&row_value);
    }
    return true;
}

void set_expect(struct edit *edit, uint64_t count)
{
    struct set *set = set_of(edit->value);
    ASSERT(set->value.count == 0);
    if (set->value.form == FORM_TABLE || count <= (uint64_t)edit->env->set_max_intset_entries ||
        count <= (uint64_t)edit->env->set_max_listpack_entries)
        return;
    to_table(set, edit->env);
    elements_reserve(set->elements, count);
}

static bool remove_member(struct set *set, struct bytes member)
{
    int64_t number;
    bool was_there = false;
    if (set->value.form == FORM_INTS) {
        if (parse(member, &number))
            set->ints = intset_remove(set->ints, number, &was_there);
        return was_there;
    }
    if (set->value.form == FORM_PACK) {
        pack_position at = pack_find(set->pack, pack_first(set->pack), member, 0);
        if (at != PACK_END)
            set->pack = pack_remove(set->pack, at, 1);
        return at != PACK_END;
    }
    struct element *element = elements_find(set->elements, member);
    if (element == NULL)
        return false;
    elements_remove(set->elements, element);
    element_free(element);
    return true;
}

bool set_remove(struct edit *edit, struct bytes member)
{
    struct set *set = set_of(edit->value);
    struct buf element = {0}, row_value = {0};
    if (edit->rows != NULL) /* before: the view may be of what goes */
        encode_member(member, &element, &row_value);
    bool was_there = remove_member(set, member);
    if (was_there) {
        set->value.count--;
        edit_delete(edit, buf_bytes(&element));
    }
    buf_free(&element);
    buf_free(&row_value);
    return was_there;
}

/* ---- rows ---- */

static void emit(const struct value *value, struct buf *rows)
{
    struct set_item item;
    struct buf element = {0}, row_value = {0};
    for (uint64_t cursor = 0; set_next(value, &cursor, &item);) {
        encode_member(item.member, &element, &row_value);
        value_put_row(rows, value->object_id, buf_bytes(&element), buf_bytes(&row_value));
    }
    buf_free(&element);
    buf_free(&row_value);
}

static size_t inline_size(const struct value *value)
{
    const struct set *set = set_of(value);
    if (value->form == FORM_INTS)
        return INLINE_INTS_HEAD + intset_bytes(set->ints).size;
    return value->form == FORM_PACK ? INLINE_PACK_HEAD + pack_size(set->pack) : SIZE_MAX;
}

static void encode_inline(const struct value *value, struct buf *out)
{
    const struct set *set = set_of(value);
    ASSERT(value->count <= UINT16_MAX);
    buf_append_u8(out, value->form);
    if (value->form == FORM_INTS)
        buf_append_u8(out, intset_width(set->ints));
    put_le16(buf_extend(out, 2), (uint16_t)value->count);
    buf_append(out, value->form == FORM_INTS ? intset_bytes(set->ints) : pack_bytes(set->pack));
}

static struct bytes behind(struct bytes bytes, size_t size)
{
    return bytes_of(bytes.data + size, bytes.size - size);
}

static struct value *decode_ints(struct bytes bytes)
{
    if (bytes.size < INLINE_INTS_HEAD)
        return NULL;
    uint16_t count = get_le16(bytes.data + 2);
    struct intset *ints =
        count == 0 ? NULL
                   : intset_from_bytes(behind(bytes, INLINE_INTS_HEAD), bytes.data[1], count);
    if (ints == NULL)
        return NULL;
    struct set *set = set_new(FORM_INTS);
    set->ints = ints;
    set->value.count = count;
    return &set->value;
}

static bool is_distinct(const struct pack *pack)
{
    char scratch[SET_SCRATCH];
    for (pack_position at = pack_first(pack); at != PACK_END; at = pack_next(pack, at)) {
        if (pack_find(pack, pack_first(pack), pack_get(pack, at, scratch), 0) != at)
            return false;
    }
    return true;
}

static struct value *decode_inline(struct bytes bytes, const struct type_env *env)
{
    (void)env;
    if (bytes.size > 0 && bytes.data[0] == FORM_INTS)
        return decode_ints(bytes);
    if (bytes.size < INLINE_PACK_HEAD || bytes.data[0] != FORM_PACK)
        return NULL;
    uint16_t count = get_le16(bytes.data + 1);
    struct pack *pack = count == 0 ? NULL : pack_from_bytes(behind(bytes, INLINE_PACK_HEAD), count);
    if (pack == NULL || !is_distinct(pack)) {
        pack_free(pack);
        return NULL;
    }
    struct set *set = set_new(FORM_PACK);
    set->pack = pack;
    set->value.count = count;
    return &set->value;
}

/* ---- loading ---- */

static void load_begin(struct value **value, const struct type_env *env)
{
    struct set *set = set_of(*value);
    bool is_large = set->value.count > env->set_max_intset_entries &&
                    set->value.count > env->set_max_listpack_entries;
    set->value.form = is_large ? FORM_TABLE : FORM_INTS;
    if (is_large)
        set->elements = elements_new(env->hash_seed);
    else
        set->ints = intset_new();
}

static bool load_row(struct value **value, struct bytes element, struct bytes row_value,
                     const struct type_env *env)
{
    uint8_t prefix;
    struct bytes member, rest;
    if (!value_decode_name(element, row_value, &prefix, &member, &rest) || prefix != 0 ||
        rest.size != 0)
        return false;
    struct set *set = set_of(*value);
    if (body_count(set) == set->value.count)
        return false;
    if (set->value.form != FORM_TABLE)
        return add_member(set, member, env);
    struct element *loaded = element_new(member, bytes_of(NULL, 0), 0);
    if (elements_should_reserve(elements_count(set->elements), set->value.count))
        elements_reserve(set->elements, set->value.count);
    bool is_new = elements_add(set->elements, loaded);
    if (!is_new)
        element_free(loaded);
    return is_new;
}

static bool load_end(struct value **value, const struct type_env *env)
{
    (void)env;
    return body_count(set_of(*value)) == (*value)->count;
}

/* ---- the rest of the contract ---- */

static struct value *copy(const struct value *value)
{
    const struct set *set = set_of(value);
    struct set *twin = set_new(value->form);
    twin->value.count = value->count;
    if (value->form == FORM_INTS) {
        twin->ints = intset_copy(set->ints);
    } else if (value->form == FORM_PACK) {
        twin->pack = pack_copy(set->pack);
    } else {
        struct set_item item;
        twin->elements = elements_twin(set->elements);
        elements_reserve(twin->elements, value->count);
        for (uint64_t cursor = 0; set_next(value, &cursor, &item);)
            elements_insert(twin->elements, element_new(item.member, bytes_of(NULL, 0), 0));
    }
    return &twin->value;
}

static uint64_t digest(const struct value *value)
{
    struct set_item item;
    uint64_t sum = 0;
    for (uint64_t cursor = 0; set_next(value, &cursor, &item);)
        sum += hash_bytes(item.member, 1);
    return sum;
}

static void check(const struct value *value)
{
    const struct set *set = set_of(value);
    ASSERT(body_count(set) == value->count);
    for (uint32_t i = 1; value->form == FORM_INTS && i < value->count; i++)
        ASSERT(intset_at(set->ints, i - 1) < intset_at(set->ints, i));
    if (value->form == FORM_PACK)
        ASSERT(is_distinct(set->pack));
    if (value->form == FORM_TABLE)
        elements_check(set->elements);
}

const struct type set_type = {
    .name = "set",
    .create = create,
    .free = free_set,
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

/* Entries of streams: nodes, walking, trimming. */
#include "types/stream.h"

#include "base/mem.h"
#include "base/number.h"
#include "types/stream_internal.h"

bool stream_id_increment(struct stream_id *id)
{
    if (id->seq < UINT64_MAX) {
        id->seq++;
        return true;
    }
    if (id->ms == UINT64_MAX)
        return false;
    *id = (struct stream_id){id->ms + 1, 0};
    return true;
}

bool stream_id_decrement(struct stream_id *id)
{
    if (id->seq > 0) {
        id->seq--;
        return true;
    }
    if (id->ms == 0)
        return false;
    *id = (struct stream_id){id->ms - 1, UINT64_MAX};
    return true;
}

struct value *stream_create(const struct type_env *env)
{
    (void)env;
    struct stream *stream = mem_zero(sizeof(*stream));
    stream->value.type = TYPE_STREAM;
    stream->value.form = STREAM_FORM_WHOLE;
    stream->first_unused = 1;
    id_map_init(&stream->nodes, sizeof(struct stream_node));
    return &stream->value;
}

void stream_free(struct value *value)
{
    struct stream *stream = stream_of(value);
    struct id_cursor cursor = id_map_first(&stream->nodes);
    for (struct stream_node *node; (node = id_map_at(&stream->nodes, cursor)) != NULL;
         id_map_next(&stream->nodes, &cursor))
        pack_free(node->pack);
    id_map_fini(&stream->nodes);
    stream_groups_free(stream);
    production_free(stream->production);
    mem_free(stream);
}

/* ---- entries in a node ---- */

static uint64_t number_at(const struct pack *pack, pack_position at)
{
    char scratch[PACK_INT_TEXT_MAX];
    int64_t number;
    if (pack_get_int(pack, at, &number))
        return (uint64_t)number;
    uint64_t large = 0; /* above INT64_MAX it is a text */
    bool is_number = number_parse_u64(pack_get(pack, at, scratch), &large);
    ASSERT(is_number);
    return large;
}

static struct pack *append_number(struct pack *pack, uint64_t number)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    return pack_append(pack, bytes_of(text, number_format_u64(text, number)));
}

static uint32_t master_count(const struct stream_node *node)
{
    return (uint32_t)number_at(node->pack, pack_first(node->pack));
}

static pack_position skip(const struct pack *pack, pack_position at, uint32_t count)
{
    for (; count > 0; count--)
        at = pack_next(pack, at);
    return at;
}

/* Where the first entry of a node stands. */
static pack_position first_entry(const struct stream_node *node)
{
    return skip(node->pack, pack_first(node->pack), 1 + master_count(node));
}

/* Decodes the entry at `at`; returns where the next one stands. */
static pack_position read_entry(const struct stream_node *node, pack_position at,
                                struct stream_entry *entry)
{
    const struct pack *pack = node->pack;
    uint64_t flags = number_at(pack, at);
    at = pack_next(pack, at);
    entry->id.ms = node->first.ms + number_at(pack, at);
    at = pack_next(pack, at);
    entry->id.seq = node->first.seq + number_at(pack, at); /* wraps as it was made */
    at = pack_next(pack, at);
    entry->pack = pack;
    entry->has_own_fields = (flags & STREAM_ENTRY_SAME_FIELDS) == 0;
    uint32_t items;
    if (entry->has_own_fields) {
        entry->pair_count = (uint32_t)number_at(pack, at);
        at = pack_next(pack, at);
        entry->field = at;
        items = 2 * entry->pair_count;
    } else {
        entry->pair_count = master_count(node);
        entry->field = pack_next(pack, pack_first(pack));
        entry->value = at;
        items = entry->pair_count;
    }
    return skip(pack, at, items + 1);
}

void stream_entry_pair(struct stream_entry *entry, struct stream_text *field,
                       struct stream_text *value)
{
    const struct pack *pack = entry->pack;
    field->bytes = pack_get(pack, entry->field, field->scratch);
    if (entry->has_own_fields) {
        pack_position at = pack_next(pack, entry->field);
        value->bytes = pack_get(pack, at, value->scratch);
        entry->field = pack_next(pack, at);
    } else {
        value->bytes = pack_get(pack, entry->value, value->scratch);
        entry->value = pack_next(pack, entry->value);
        entry->field = pack_next(pack, entry->field);
    }
}

/* ---- appending ---- */

static bool has_master_fields(const struct stream_node *node, const struct bytes *pairs,
                              uint32_t pair_count)
{
    if (master_count(node) != pair_count)
        return false;
    pack_position at = pack_next(node->pack, pack_first(node->pack));
    for (uint32_t i = 0; i < pair_count; i++, at = pack_next(node->pack, at)) {
        if (!pack_entry_equals(node->pack, at, pairs[2 * i]))
            return false;
    }
    return true;
}

static bool is_full(const struct stream_node *node, const struct type_env *env)
{
    return (env->stream_node_max_bytes > 0 &&
            pack_size(node->pack) >= env->stream_node_max_bytes) ||
           (env->stream_node_max_entries > 0 &&
            (int64_t)node->added >= env->stream_node_max_entries);
}

static struct stream_node *new_node(struct stream *stream, struct stream_id id,
                                    const struct bytes *pairs, uint32_t pair_count)
{
    bool is_new;
    struct stream_node *node = id_map_put(&stream->nodes, id, &is_new);
    ASSERT(is_new);
    node->pack = append_number(pack_new(), pair_count);
    for (uint32_t i = 0; i < pair_count; i++)
        node->pack = pack_append(node->pack, pairs[2 * i]);
    stream->nodes_memory += pack_memory(node->pack);
    return node;
}

static struct stream_node *last_node(const struct stream *stream)
{
    return id_map_at(&stream->nodes, id_map_last(&stream->nodes));
}

void stream_add_entry(struct stream *stream, struct stream_id id, const struct bytes *pairs,
                      uint32_t pair_count, const struct type_env *env)
{
    struct stream_node *node = last_node(stream);
    if (node == NULL || is_full(node, env))
        node = new_node(stream, id, pairs, pair_count);
    stream->nodes_memory -= pack_memory(node->pack);
    bool is_same = has_master_fields(node, pairs, pair_count);
    struct pack *pack = append_number(node->pack, is_same ? STREAM_ENTRY_SAME_FIELDS : 0);
    pack = append_number(pack, id.ms - node->first.ms);
    pack = append_number(pack, id.seq - node->first.seq);
    if (!is_same)
        pack = append_number(pack, pair_count);
    for (uint32_t i = 0; i < pair_count; i++) {
        if (!is_same)
            pack = pack_append(pack, pairs[2 * i]);
        pack = pack_append(pack, pairs[2 * i + 1]);
    }
    node->pack = append_number(pack, is_same ? 3 + pair_count : 4 + 2 * pair_count);
    stream->nodes_memory += pack_memory(node->pack);
    node->count++;
    node->added++;
}

void stream_append(struct edit *edit, struct stream_id id, const struct bytes *pairs,
                   uint32_t pair_count)
{
    struct stream *stream = stream_of(edit->value);
    ASSERT(stream_id_compare(id, stream->last_id) > 0);
    stream_add_entry(stream, id, pairs, pair_count, edit->env);
    stream->last_id = id;
    stream->entries_added++;
    stream->value.count++;
    stream_put_entry(edit, id, pairs, pair_count);
}

/* ---- walking ---- */

struct stream_walk stream_walk(const struct value *value, struct stream_id from,
                               struct stream_id to, bool is_reverse)
{
    return (struct stream_walk){.value = value, .from = from, .to = to, .is_reverse = is_reverse};
}

/* Where an entry of a node begins that ends before `end`. */
static pack_position entry_before(const struct stream_node *node, pack_position end)
{
    pack_position at = pack_prev(node->pack, end);
    uint64_t items = number_at(node->pack, at);
    for (; items > 0; items--)
        at = pack_prev(node->pack, at);
    return at;
}

/* The node that the walk begins in. */
static void begin_walk(struct stream_walk *walk)
{
    const struct stream *stream = stream_of(walk->value);
    struct stream_id id = walk->is_reverse ? walk->to : walk->from;
    walk->node = id_map_seek_last(&stream->nodes, id);
    struct stream_node *node = id_map_at(&stream->nodes, walk->node);
    if (node == NULL && !walk->is_reverse) {
        walk->node = id_map_first(&stream->nodes);
        node = id_map_at(&stream->nodes, walk->node);
    }
    if (node != NULL)
        walk->at = walk->is_reverse ? PACK_END : first_entry(node);
    walk->has_begun = true;
}

static bool step_forward(struct stream_walk *walk, struct stream_entry *entry)
{
    const struct stream *stream = stream_of(walk->value);
    struct stream_node *node = id_map_at(&stream->nodes, walk->node);
    while (node != NULL && walk->at == PACK_END) {
        id_map_next(&stream->nodes, &walk->node);
        node = id_map_at(&stream->nodes, walk->node);
        if (node != NULL)
            walk->at = first_entry(node);
    }
    if (node == NULL)
        return false;
    walk->at = read_entry(node, walk->at, entry);
    return true;
}

static bool step_back(struct stream_walk *walk, struct stream_entry *entry)
{
    const struct stream *stream = stream_of(walk->value);
    struct stream_node *node = id_map_at(&stream->nodes, walk->node);
    while (node != NULL && walk->at == first_entry(node)) {
        id_map_prev(&stream->nodes, &walk->node);
        node = id_map_at(&stream->nodes, walk->node);
        walk->at = PACK_END;
    }
    if (node == NULL)
        return false;
    walk->at = entry_before(node, walk->at);
    (void)read_entry(node, walk->at, entry);
    return true;
}

bool stream_next(struct stream_walk *walk, struct stream_entry *entry)
{
    if (!walk->has_begun)
        begin_walk(walk);
    for (;;) {
        bool is_there = walk->is_reverse ? step_back(walk, entry) : step_forward(walk, entry);
        if (!is_there)
            return false;
        bool is_below = stream_id_compare(entry->id, walk->from) < 0;
        bool is_above = stream_id_compare(entry->id, walk->to) > 0;
        if (walk->is_reverse ? is_below : is_above)
            return false;
        if (!is_below && !is_above)
            return true;
    }
}

bool stream_has(const struct value *value, struct stream_id id)
{
    struct stream_walk walk = stream_walk(value, id, id, false);
    struct stream_entry entry;
    return stream_next(&walk, &entry);
}

struct stream_info stream_info(const struct value *value)
{
    const struct stream *stream = stream_of(value);
    struct stream_info info = {.last_id = stream->last_id,
                               .max_deleted_id = stream->max_deleted_id,
                               .entries_added = stream->entries_added,
                               .nodes = stream->nodes.count,
                               .groups = stream->group_count};
    struct stream_walk walk = stream_walk(value, (struct stream_id){0}, STREAM_ID_MAX, false);
    struct stream_entry entry;
    if (value->form == STREAM_FORM_WHOLE && stream_next(&walk, &entry))
        info.first_id = entry.id;
    return info;
}

void stream_set_ids(struct edit *edit, struct stream_id last_id, uint64_t entries_added,
                    struct stream_id max_deleted_id)
{
    struct stream *stream = stream_of(edit->value);
    stream->last_id = last_id;
    stream->entries_added = entries_added;
    stream->max_deleted_id = max_deleted_id;
}

/* ---- removing ---- */

static void drop_node(struct stream *stream, struct stream_node *node)
{
    struct stream_id first = node->first;
    stream->nodes_memory -= pack_memory(node->pack);
    pack_free(node->pack);
    bool was_there = id_map_remove(&stream->nodes, first);
    ASSERT(was_there);
}

/* Removes the entry that stands in [at, after) of a node, which goes with its last one. */
static void drop_entry(struct stream *stream, struct stream_node *node, pack_position at)
{
    struct stream_entry entry;
    uint32_t items = 1;
    pack_position after = read_entry(node, at, &entry);
    for (pack_position i = at; (i = pack_next(node->pack, i)) != after;)
        items++;
    stream->value.count--;
    if (--node->count == 0) {
        drop_node(stream, node);
        return;
    }
    stream->nodes_memory -= pack_memory(node->pack);
    node->pack = pack_remove(node->pack, at, items);
    stream->nodes_memory += pack_memory(node->pack);
}

static void note_deleted(struct stream *stream, struct stream_id id)
{
    if (stream_id_compare(id, stream->max_deleted_id) > 0)
        stream->max_deleted_id = id;
}

bool stream_remove(struct edit *edit, struct stream_id id)
{
    struct stream *stream = stream_of(edit->value);
    struct stream_node *node = id_map_at(&stream->nodes, id_map_seek_last(&stream->nodes, id));
    if (node == NULL)
        return false;
    for (pack_position at = first_entry(node); at != PACK_END;) {
        struct stream_entry entry;
        pack_position after = read_entry(node, at, &entry);
        int order = stream_id_compare(entry.id, id);
        if (order == 0) {
            drop_entry(stream, node, at);
            note_deleted(stream, id);
            stream_delete_entry(edit, id);
            return true;
        }
        at = order > 0 ? PACK_END : after;
    }
    return false;
}

/* ---- trimming ---- */

static struct stream_id last_in(const struct stream_node *node)
{
    struct stream_entry entry;
    (void)read_entry(node, entry_before(node, PACK_END), &entry);
    return entry.id;
}

/* Whether all of the node goes. */
static bool goes_whole(const struct stream *stream, const struct stream_node *node,
                       const struct stream_trim *trim)
{
    if (trim->by_id)
        return stream_id_compare(last_in(node), trim->min_id) < 0;
    return stream->value.count - node->count >= trim->max_count;
}

static bool goes(const struct stream *stream, const struct stream_entry *entry,
                 const struct stream_trim *trim)
{
    if (trim->by_id)
        return stream_id_compare(entry->id, trim->min_id) < 0;
    return stream->value.count > trim->max_count;
}

/* The rows of an entry that is trimmed away; max_deleted_id is not for those at the beginning. */
static void forget(struct edit *edit, struct stream_id id, const struct stream_trim *trim)
{
    stream_delete_entry(edit, id);
    if (trim->references == STREAM_DROP_REFERENCES)
        (void)stream_drop_references(edit, id);
}

static uint64_t trim_whole(struct edit *edit, struct stream_node *node,
                           const struct stream_trim *trim)
{
    struct stream *stream = stream_of(edit->value);
    struct stream_entry entry;
    uint64_t count = node->count;
    for (pack_position at = first_entry(node); at != PACK_END;) {
        at = read_entry(node, at, &entry);
        forget(edit, entry.id, trim);
    }
    stream->value.count -= node->count;
    drop_node(stream, node);
    return count;
}

static uint64_t trim_part(struct edit *edit, struct stream_node *node,
                          const struct stream_trim *trim)
{
    struct stream *stream = stream_of(edit->value);
    uint64_t count = 0;
    pack_position at = first_entry(node);
    struct stream_entry entry;
    for (;; count++) {
        (void)read_entry(node, at, &entry);
        if (!goes(stream, &entry, trim))
            return count;
        forget(edit, entry.id, trim);
        drop_entry(stream, node, at); /* never the last: then the node would go whole */
    }
}

/* A trim that leaves what is not acknowledged looks at all entries in order. */
struct acked_trim {
    const struct stream_trim *trim;
    uint64_t seen, removed;
    bool has_kept, is_over;
};

/* What goes behind an entry that stays leaves a hole, which counting what groups have read must
 * know of. */
static void drop_acked(struct edit *edit, struct stream_node *node, pack_position at,
                       struct stream_id id, struct acked_trim *acked)
{
    struct stream *stream = stream_of(edit->value);
    drop_entry(stream, node, at);
    stream_delete_entry(edit, id);
    if (acked->has_kept)
        note_deleted(stream, id);
    acked->removed++;
}

static void trim_acked_node(struct edit *edit, struct stream_node *node, struct acked_trim *acked)
{
    struct stream *stream = stream_of(edit->value);
    pack_position at = first_entry(node);
    for (uint32_t left = node->count; left > 0; left--) {
        struct stream_entry entry;
        pack_position after = read_entry(node, at, &entry);
        if (!goes(stream, &entry, acked->trim)) {
            acked->is_over = true;
            return;
        }
        if (stream_is_acked(edit->value, entry.id)) {
            bool is_last = node->count == 1; /* then the node goes, too */
            drop_acked(edit, node, at, entry.id, acked);
            if (is_last)
                return;
            at = pack_here(node->pack, at);
        } else {
            acked->has_kept = true;
            at = after;
        }
    }
}

static uint64_t trim_acked(struct edit *edit, const struct stream_trim *trim)
{
    struct stream *stream = stream_of(edit->value);
    struct acked_trim acked = {.trim = trim};
    struct stream_id from = {0};
    while (!acked.is_over) {
        struct stream_node *node = id_map_at(&stream->nodes, id_map_seek(&stream->nodes, from));
        if (node == NULL || (trim->is_approximate && !goes_whole(stream, node, trim)))
            break;
        acked.seen += node->count;
        if (trim->is_approximate && trim->limit > 0 && acked.seen > trim->limit)
            break;
        from = node->first;
        bool is_last = !stream_id_increment(&from);
        trim_acked_node(edit, node, &acked);
        if (is_last)
            break;
    }
    return acked.removed;
}

uint64_t stream_trim(struct edit *edit, const struct stream_trim *trim)
{
    struct stream *stream = stream_of(edit->value);
    uint64_t removed = 0;
    if (!trim->by_id && stream->value.count <= trim->max_count)
        return 0;
    if (trim->references == STREAM_ONLY_ACKED)
        return trim_acked(edit, trim);
    for (;;) {
        struct stream_node *node = id_map_at(&stream->nodes, id_map_first(&stream->nodes));
        if (node == NULL)
            return removed;
        bool is_over =
            trim->is_approximate && trim->limit > 0 && removed + node->count > trim->limit;
        if (is_over)
            return removed;
        if (!goes_whole(stream, node, trim))
            return trim->is_approximate ? removed : removed + trim_part(edit, node, trim);
        removed += trim_whole(edit, node, trim);
    }
}

/* ---- what groups have read ---- */

bool stream_has_hole(const struct value *value, struct stream_id from)
{
    const struct stream *stream = stream_of(value);
    struct stream_id none = {0};
    if (value->count == 0 || stream_id_compare(stream->max_deleted_id, none) == 0)
        return false; /* nothing was removed, or nothing is left to be counted */
    if (stream_id_compare(stream_info(value).first_id, stream->max_deleted_id) > 0)
        return false; /* what was removed stood before all that is there */
    return stream_id_compare(from, stream->max_deleted_id) <= 0;
}

int64_t stream_read_up_to(const struct value *value, struct stream_id id)
{
    const struct stream *stream = stream_of(value);
    struct stream_id none = {0};
    struct stream_id first = stream_info(value).first_id;
    if (stream->entries_added == 0)
        return 0;
    if (value->count == 0 && stream_id_compare(id, stream->last_id) < 1)
        return (int64_t)stream->entries_added;
    int to_last = stream_id_compare(id, stream->last_id);
    if (to_last == 0)
        return (int64_t)stream->entries_added;
    if (to_last > 0)
        return STREAM_READ_NONE;
    bool has_no_hole = stream_id_compare(stream->max_deleted_id, none) == 0 ||
                       stream_id_compare(stream->max_deleted_id, first) < 0;
    if (!has_no_hole)
        return STREAM_READ_NONE;
    int to_first = stream_id_compare(id, first);
    if (to_first > 0)
        return STREAM_READ_NONE;
    uint64_t before = stream->entries_added - value->count;
    return (int64_t)(to_first < 0 ? before : before + 1);
}

bool stream_lag(const struct value *value, struct stream_id last, int64_t read, uint64_t *lag)
{
    const struct stream *stream = stream_of(value);
    *lag = 0;
    if (stream->entries_added == 0)
        return true;
    if (read == STREAM_READ_NONE || stream_has_hole(value, last))
        read = stream_read_up_to(value, last);
    if (read == STREAM_READ_NONE)
        return false;
    *lag = stream->entries_added - (uint64_t)read;
    return true;
}

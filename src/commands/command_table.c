#include "commands/command.h"

#include "base/mem.h"
#include "base/number.h"

/* Rows never go away and are few, so slots stay at most a quarter full: a probe meets its row or an
 * empty slot at once. */
enum { SLOTS_PER_ROW = 4, SLOTS_MIN = 64, ROWS_MAX = 4096, NAME_SIZE_MAX = 255 };

struct slot {
    uint32_t hash;
    uint32_t name_size;
    const struct command *command; /* NULL: empty */
};

struct command_table {
    struct slot *slots;
    size_t slot_count; /* a power of two */
    const struct command **rows;
    size_t count;
    size_t capacity;
};

struct command_table *command_table_new(void)
{
    struct command_table *table = mem_zero(sizeof(*table));
    table->slot_count = SLOTS_MIN;
    table->slots = mem_zero(table->slot_count * sizeof(table->slots[0]));
    return table;
}

void command_table_free(struct command_table *table)
{
    if (table == NULL)
        return;
    mem_free(table->slots);
    mem_free(table->rows);
    mem_free(table);
}

static uint64_t load_u64(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static uint64_t load_u32(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Sees the first and last eight bytes, folded to lower case by one bit. (That also folds a few
 * bytes which are no letters; the comparison after it is exact.) A name is two loads and two
 * multiplications whatever its size, where a hash byte by byte would cost more than the rest of the
 * look-up. */
static uint32_t name_hash(struct bytes name)
{
    static const uint64_t fold = 0x2020202020202020;
    uint64_t first, last;
    if (name.size >= 8) {
        first = load_u64(name.data);
        last = load_u64(name.data + name.size - 8);
    } else if (name.size >= 4) {
        first = load_u32(name.data);
        last = load_u32(name.data + name.size - 4);
    } else if (name.size > 0) {
        first = name.data[0];
        last = (uint64_t)name.data[name.size / 2] << 8 | name.data[name.size - 1];
    } else {
        return 0;
    }
    /* Odd constants of random bits; the high half of the product has them mixed. */
    uint64_t mixed = ((first | fold) + name.size) * 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 29 ^ (last | fold)) * 0xd6e8feb86659fd93;
    return (uint32_t)(mixed >> 32);
}

/* The slot of the name: where it is, or the empty one where it would go. */
static struct slot *slot_of(const struct command_table *table, struct bytes name, uint32_t hash)
{
    size_t mask = table->slot_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct slot *slot = &table->slots[i];
        if (slot->command == NULL)
            return slot;
        if (slot->hash == hash &&
            bytes_equal_nocase(bytes_of(slot->command->name, slot->name_size), name))
            return slot;
    }
}

static void place(struct command_table *table, const struct command *command)
{
    struct bytes name = bytes_of_string(command->name);
    ASSERT(name.size > 0 && name.size <= NAME_SIZE_MAX);
    uint32_t hash = name_hash(name);
    struct slot *slot = slot_of(table, name, hash);
    ASSERT(slot->command == NULL); /* no two rows of one name */
    *slot = (struct slot){hash, (uint32_t)name.size, command};
}

static void grow_slots(struct command_table *table)
{
    mem_free(table->slots);
    table->slot_count *= 2;
    table->slots = mem_zero(table->slot_count * sizeof(table->slots[0]));
    for (size_t i = 0; i < table->count; i++)
        place(table, table->rows[i]);
}

static void add_row(struct command_table *table, const struct command *command)
{
    ASSERT(table->count < ROWS_MAX);
    if (table->count == table->capacity) {
        table->capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        table->rows = mem_realloc(table->rows, table->capacity * sizeof(struct command *));
    }
    if ((table->count + 1) * SLOTS_PER_ROW > table->slot_count)
        grow_slots(table);
    place(table, command);
    table->rows[table->count++] = command;
}

void command_table_add(struct command_table *table, const struct command *rows)
{
    for (const struct command *row = rows; row->name != NULL; row++)
        add_row(table, row);
}

const struct command *command_table_find(const struct command_table *table, struct bytes name)
{
    return slot_of(table, name, name_hash(name))->command;
}

static const struct command *find_subcommand(const struct command *container, struct bytes name)
{
    for (const struct command *row = container->subcommands; row->name != NULL; row++) {
        if (bytes_is_word(name, row->name))
            return row;
    }
    return NULL;
}

const struct command *command_table_resolve(const struct command_table *table,
                                            const struct bytes *argv, int argc,
                                            const struct command **container)
{
    ASSERT(argc > 0);
    *container = NULL;
    const struct command *command = command_table_find(table, argv[0]);
    if (command == NULL || command->subcommands == NULL || argc == 1)
        return command;
    *container = command;
    return find_subcommand(command, argv[1]);
}

size_t command_table_count(const struct command_table *table)
{
    return table->count;
}

const struct command *command_table_at(const struct command_table *table, size_t position)
{
    ASSERT(position < table->count);
    return table->rows[position];
}

bool command_arity_fits(const struct command *command, int argc)
{
    return command->arity >= 0 ? argc == command->arity : argc >= -command->arity;
}

/* Arguments first, first + step … up to last. */
struct span {
    int first, last, step;
};

enum span_result { SPAN_FOUND, SPAN_ABSENT, SPAN_BAD };

/* Where the argument after the keyword is; 0 when the keyword is not there. A negative start counts
 * from the end and looks towards the front. */
static int after_keyword(const struct key_spec *spec, const struct bytes *argv, int argc)
{
    int direction = spec->begin_index > 0 ? 1 : -1;
    int from = spec->begin_index > 0 ? spec->begin_index : argc + spec->begin_index;
    for (int i = from; i > 0 && i < argc; i += direction) {
        if (bytes_is_word(argv[i], spec->begin_keyword))
            return i + 1;
    }
    return 0;
}

static enum span_result find_range(const struct key_spec *spec, int first, int argc,
                                   struct span *span)
{
    ASSERT(spec->step > 0);
    int last;
    if (spec->last >= 0)
        last = first + spec->last;
    else if (spec->limit <= 1)
        last = argc + spec->last;
    else
        last = first + (argc - first) / spec->limit + spec->last;
    *span = (struct span){first, last, spec->step};
    return first >= argc || last >= argc ? SPAN_BAD : SPAN_FOUND;
}

static enum span_result find_keynum(const struct key_spec *spec, int first,
                                    const struct bytes *argv, int argc, struct span *span)
{
    ASSERT(spec->keynum_step > 0);
    int64_t count;
    int at = first + spec->keynum_index;
    if (at >= argc || !number_parse_i64(argv[at], &count))
        return SPAN_BAD;
    if (count < 0 || count > argc)
        return SPAN_BAD;
    first += spec->first_key;
    int64_t last = first + (count - 1) * spec->keynum_step;
    if (last >= argc)
        return SPAN_BAD;
    *span = (struct span){first, (int)last, spec->keynum_step};
    return SPAN_FOUND;
}

static enum span_result find_span(const struct key_spec *spec, const struct bytes *argv, int argc,
                                  struct span *span)
{
    int first = spec->begin_index;
    if (spec->begin == KEY_BEGIN_UNKNOWN)
        return SPAN_ABSENT;
    if (spec->begin == KEY_BEGIN_KEYWORD)
        first = after_keyword(spec, argv, argc);
    if (first <= 0)
        return SPAN_ABSENT;
    switch (spec->find) {
    case KEY_FIND_RANGE:
        return find_range(spec, first, argc, span);
    case KEY_FIND_KEYNUM:
        return find_keynum(spec, first, argv, argc, span);
    case KEY_FIND_UNKNOWN:
        return SPAN_ABSENT;
    }
    UNREACHABLE();
}

static uint32_t flags_of(const struct command *command, const struct key_spec *spec,
                         const struct bytes *argv, int argc)
{
    if ((spec->flags & KEY_VARIABLE_FLAGS) != 0 && command->key_flags != NULL)
        return command->key_flags(argv, argc);
    return spec->flags;
}

int command_keys(const struct command *command, const struct bytes *argv, int argc,
                 struct command_key *keys, int keys_max)
{
    int count = 0;
    for (size_t i = 0; i < COMMAND_KEY_SPECS_MAX; i++) {
        const struct key_spec *spec = &command->key_specs[i];
        struct span span;
        if (spec->begin == KEY_BEGIN_NONE)
            break;
        enum span_result result = find_span(spec, argv, argc, &span);
        if (result == SPAN_BAD)
            return -1;
        if (result == SPAN_ABSENT || (spec->skips_empty && argv[span.first].size == 0))
            continue;
        uint32_t flags = flags_of(command, spec, argv, argc);
        for (int at = span.first; at <= span.last; at += span.step, count++) {
            if (count < keys_max)
                keys[count] = (struct command_key){at, flags};
        }
    }
    return count;
}

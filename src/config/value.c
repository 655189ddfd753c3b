#include "config/value.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/words.h"
#include "config/events.h"
#include "config/line.h"

enum { LIMITS_WORDS = 4, PERCENT_MAX = 100 };

static void *field_of(const struct config_directive *directive, struct config *config)
{
    return (char *)config + directive->offset;
}

static const void *const_field_of(const struct config_directive *directive,
                                  const struct config *config)
{
    return (const char *)config + directive->offset;
}

static char *copy_text(struct bytes bytes)
{
    char *text = mem_alloc(bytes.size + 1);
    if (bytes.size > 0)
        memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    return text;
}

static void list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->items[i]);
    mem_free(list->items);
    *list = (struct config_list){0};
}

static struct config_list list_of(const struct bytes *words, size_t count)
{
    struct config_list list = {0};
    if (count == 0)
        return list;
    list.items = mem_alloc(count * sizeof(*list.items));
    list.count = count;
    for (size_t i = 0; i < count; i++)
        list.items[i] = copy_text(words[i]);
    return list;
}

/* --- Words to values -------------------------------------------------------------------------- */

static bool fail(struct config_fault *fault, enum config_fault_kind kind, struct bytes word)
{
    *fault = (struct config_fault){.kind = kind, .word = word};
    return false;
}

static bool parse_bool(struct bytes word, bool *field, struct config_fault *fault)
{
    bool is_yes = bytes_is_word(word, "yes");
    if (!is_yes && !bytes_is_word(word, "no"))
        return fail(fault, CONFIG_FAULT_BOOL, word);
    *field = is_yes;
    return true;
}

static bool parse_int(const struct config_directive *directive, struct bytes word, int64_t *field,
                      struct config_fault *fault)
{
    int64_t value = 0;
    if (!number_parse_i64(word, &value))
        return fail(fault, CONFIG_FAULT_INT, word);
    if (value < directive->min || value > directive->max)
        return fail(fault, CONFIG_FAULT_RANGE, word);
    *field = value;
    return true;
}

static bool parse_octal(const struct config_directive *directive, struct bytes word, int64_t *field,
                        struct config_fault *fault)
{
    int64_t value = 0;
    if (word.size == 0)
        return fail(fault, CONFIG_FAULT_OCTAL, word);
    for (size_t i = 0; i < word.size; i++) {
        uint8_t digit = (uint8_t)(word.data[i] - '0');
        if (digit > 7)
            return fail(fault, CONFIG_FAULT_OCTAL, word);
        value = value * 8 + digit;
        if (value > directive->max)
            return fail(fault, CONFIG_FAULT_RANGE, word);
    }
    *field = value;
    return true;
}

/* 1k is 1000 and 1kb is 1024, as Redis has it. 0 for an unknown unit. */
static uint64_t unit_size(struct bytes unit)
{
    static const struct {
        const char *word;
        uint64_t size;
    } units[] = {{"", 1},
                 {"b", 1},
                 {"k", 1000},
                 {"kb", 1024},
                 {"m", 1000 * 1000},
                 {"mb", 1024 * 1024},
                 {"g", 1000 * 1000 * 1000},
                 {"gb", 1024 * 1024 * 1024}};
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (bytes_is_word(unit, units[i].word))
            return units[i].size;
    }
    return 0;
}

static bool read_memory(struct bytes word, uint64_t *value)
{
    size_t digits = 0;
    while (digits < word.size && (uint8_t)(word.data[digits] - '0') <= 9)
        digits++;
    uint64_t unit = unit_size(bytes_of(word.data + digits, word.size - digits));
    return number_parse_u64(bytes_of(word.data, digits), value) && unit > 0 &&
           !__builtin_mul_overflow(*value, unit, value);
}

static bool parse_memory(const struct config_directive *directive, struct bytes word,
                         uint64_t *field, struct config_fault *fault)
{
    uint64_t value = 0;
    if (!read_memory(word, &value))
        return fail(fault, CONFIG_FAULT_MEMORY, word);
    if (value < (uint64_t)directive->min || value > (uint64_t)directive->max)
        return fail(fault, CONFIG_FAULT_RANGE, word);
    *field = value;
    return true;
}

static bool parse_amount(const struct config_directive *directive, struct bytes word,
                         struct config_amount *field, struct config_fault *fault)
{
    struct config_amount amount = {CONFIG_AUTO, 0};
    if (word.size > 0 && word.data[word.size - 1] == '%') {
        amount.unit = CONFIG_PERCENT;
        if (!number_parse_u64(bytes_of(word.data, word.size - 1), &amount.value))
            return fail(fault, CONFIG_FAULT_AMOUNT, word);
        if (amount.value > PERCENT_MAX)
            return fail(fault, CONFIG_FAULT_PERCENT, word);
    } else if (!bytes_is_word(word, "auto")) {
        amount.unit = CONFIG_BYTES;
        if (!read_memory(word, &amount.value))
            return fail(fault, CONFIG_FAULT_AMOUNT, word);
        if (amount.value > (uint64_t)directive->max)
            return fail(fault, CONFIG_FAULT_RANGE, word);
    }
    *field = amount;
    return true;
}

static bool parse_choice(const struct config_directive *directive, struct bytes word, int *field,
                         struct config_fault *fault)
{
    for (const struct config_choice *choice = directive->choices; choice->word != NULL; choice++) {
        if (!bytes_is_word(word, choice->word))
            continue;
        if (choice->refusal != NULL) {
            *fault = (struct config_fault){CONFIG_FAULT_REFUSED, word, choice->refusal};
            return false;
        }
        *field = choice->value;
        return true;
    }
    return fail(fault, CONFIG_FAULT_CHOICE, word);
}

static bool has_zero(struct bytes word)
{
    return word.size > 0 && memchr(word.data, '\0', word.size) != NULL;
}

static bool parse_string(struct bytes word, char **field, struct config_fault *fault)
{
    if (has_zero(word))
        return fail(fault, CONFIG_FAULT_ZERO, word);
    mem_free(*field);
    *field = copy_text(word);
    return true;
}

static bool parse_list(const struct bytes *words, size_t count, struct config_list *field,
                       struct config_fault *fault)
{
    if (count > CONFIG_LIST_MAX)
        return fail(fault, CONFIG_FAULT_LONG, words[CONFIG_LIST_MAX]);
    for (size_t i = 0; i < count; i++) {
        if (has_zero(words[i]))
            return fail(fault, CONFIG_FAULT_ZERO, words[i]);
    }
    list_free(field);
    *field = list_of(words, count);
    return true;
}

static bool read_client_class(struct bytes word, enum config_client_class *class)
{
    static const struct {
        const char *word;
        enum config_client_class class;
    } classes[] = {{"normal", CONFIG_CLIENT_NORMAL},
                   {"replica", CONFIG_CLIENT_REPLICA},
                   {"slave", CONFIG_CLIENT_REPLICA},
                   {"pubsub", CONFIG_CLIENT_PUBSUB}};
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        if (bytes_is_word(word, classes[i].word)) {
            *class = classes[i].class;
            return true;
        }
    }
    return false;
}

static bool parse_limits(const struct bytes *words, size_t count, struct config_output_limit *field,
                         struct config_fault *fault)
{
    struct config_output_limit limits[CONFIG_CLIENT_CLASSES];
    memcpy(limits, field, sizeof(limits)); /* classes that are not named keep theirs */
    if (count == 0 || count % LIMITS_WORDS != 0)
        return fail(fault, CONFIG_FAULT_LIMITS_COUNT, count > 0 ? words[0] : bytes_of(NULL, 0));
    for (; count > 0; words += LIMITS_WORDS, count -= LIMITS_WORDS) {
        enum config_client_class class = CONFIG_CLIENT_NORMAL;
        if (!read_client_class(words[0], &class))
            return fail(fault, CONFIG_FAULT_LIMITS_CLASS, words[0]);
        if (!read_memory(words[1], &limits[class].hard))
            return fail(fault, CONFIG_FAULT_LIMITS_VALUE, words[1]);
        if (!read_memory(words[2], &limits[class].soft))
            return fail(fault, CONFIG_FAULT_LIMITS_VALUE, words[2]);
        if (!number_parse_u64(words[3], &limits[class].soft_seconds))
            return fail(fault, CONFIG_FAULT_LIMITS_VALUE, words[3]);
    }
    memcpy(field, limits, sizeof(limits));
    return true;
}

static bool parse_word(const struct config_directive *directive, struct config *config,
                       struct bytes word, struct config_fault *fault)
{
    void *field = field_of(directive, config);
    switch (directive->kind) {
    case CONFIG_KIND_BOOL:
        return parse_bool(word, field, fault);
    case CONFIG_KIND_INT:
        return parse_int(directive, word, field, fault);
    case CONFIG_KIND_OCTAL:
        return parse_octal(directive, word, field, fault);
    case CONFIG_KIND_MEMORY:
        return parse_memory(directive, word, field, fault);
    case CONFIG_KIND_AMOUNT:
        return parse_amount(directive, word, field, fault);
    case CONFIG_KIND_CHOICE:
        return parse_choice(directive, word, field, fault);
    case CONFIG_KIND_STRING:
        return parse_string(word, field, fault);
    case CONFIG_KIND_EVENTS:
        return config_events_parse(word, field) || fail(fault, CONFIG_FAULT_EVENTS, word);
    case CONFIG_KIND_LIST:
    case CONFIG_KIND_LIMITS:
        break;
    }
    UNREACHABLE();
}

static bool parse_words(const struct config_directive *directive, struct config *config,
                        const struct bytes *words, size_t count, struct config_fault *fault)
{
    if (directive->kind == CONFIG_KIND_LIST)
        return parse_list(words, count, field_of(directive, config), fault);
    return parse_limits(words, count, field_of(directive, config), fault);
}

bool config_value_parse(const struct config_directive *directive, struct config *config,
                        const struct bytes *words, size_t word_count, struct config_fault *fault)
{
    *fault = (struct config_fault){0};
    bool takes_many = directive->kind == CONFIG_KIND_LIST || directive->kind == CONFIG_KIND_LIMITS;
    if (word_count == 0 || (word_count > 1 && !takes_many))
        return fail(fault, CONFIG_FAULT_COUNT, bytes_of(NULL, 0));
    if (!takes_many)
        return parse_word(directive, config, words[0], fault);
    if (word_count > 1)
        return parse_words(directive, config, words, word_count, fault);
    struct config_line line = {0};
    bool is_parsed = config_line_split(&line, words[0]) == CONFIG_LINE_OK
                         ? parse_words(directive, config, line.words, line.count, fault)
                         : fail(fault, CONFIG_FAULT_COUNT, words[0]);
    config_line_free(&line);
    if (!is_parsed)
        fault->word = words[0]; /* the parts are gone */
    return is_parsed;
}

/* --- Values to words -------------------------------------------------------------------------- */

static void append_int(struct buf *out, int64_t value)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    buf_append(out, bytes_of(text, number_format_i64(text, value)));
}

static void append_u64(struct buf *out, uint64_t value)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    buf_append(out, bytes_of(text, number_format_u64(text, value)));
}

static void append_choice(struct buf *out, const struct config_choice *choices, int value)
{
    const struct config_choice *choice = choices;
    while (choice->refusal != NULL || choice->value != value) {
        ASSERT(choice->word != NULL);
        choice++;
    }
    buf_append_string(out, choice->word);
}

static void append_list(struct buf *out, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_append_u8(out, ' ');
        buf_append_string(out, list->items[i]);
    }
}

static void append_limits(struct buf *out, const struct config_output_limit *limits)
{
    static const char *const names[] = {"normal", "slave", "pubsub"}; /* as Redis answers */
    for (size_t i = 0; i < CONFIG_CLIENT_CLASSES; i++) {
        if (i > 0)
            buf_append_u8(out, ' ');
        buf_append_string(out, names[i]);
        buf_append_u8(out, ' ');
        append_u64(out, limits[i].hard);
        buf_append_u8(out, ' ');
        append_u64(out, limits[i].soft);
        buf_append_u8(out, ' ');
        append_u64(out, limits[i].soft_seconds);
    }
}

static void append_amount(struct buf *out, const struct config_amount *amount)
{
    if (amount->unit == CONFIG_AUTO) {
        buf_append_string(out, "auto");
        return;
    }
    append_u64(out, amount->value);
    if (amount->unit == CONFIG_PERCENT)
        buf_append_u8(out, '%');
}

void config_value_append(struct buf *out, const struct config_directive *directive,
                         const struct config *config)
{
    const void *field = const_field_of(directive, config);
    switch (directive->kind) {
    case CONFIG_KIND_BOOL:
        buf_append_string(out, *(const bool *)field ? "yes" : "no");
        return;
    case CONFIG_KIND_INT:
        append_int(out, *(const int64_t *)field);
        return;
    case CONFIG_KIND_OCTAL:
        buf_printf(out, "%llo", (unsigned long long)*(const int64_t *)field);
        return;
    case CONFIG_KIND_MEMORY:
        append_u64(out, *(const uint64_t *)field);
        return;
    case CONFIG_KIND_AMOUNT:
        append_amount(out, field);
        return;
    case CONFIG_KIND_CHOICE:
        append_choice(out, directive->choices, *(const int *)field);
        return;
    case CONFIG_KIND_STRING:
        buf_append_string(out, *(char *const *)field);
        return;
    case CONFIG_KIND_LIST:
        append_list(out, field);
        return;
    case CONFIG_KIND_LIMITS:
        append_limits(out, field);
        return;
    case CONFIG_KIND_EVENTS:
        config_events_append(out, *(const uint32_t *)field);
        return;
    }
    UNREACHABLE();
}

static void append_list_words(struct buf *out, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_append_u8(out, ' ');
        words_append_quoted(out, bytes_of_string(list->items[i]));
    }
    if (list->count == 0)
        buf_append_string(out, "\"\"");
}

/* The largest unit that divides the size: 1gb, not 1073741824. */
static void append_size(struct buf *out, uint64_t size)
{
    static const char *const units[] = {"", "kb", "mb", "gb"};
    size_t unit = 0;
    while (size > 0 && size % 1024 == 0 && unit + 1 < COUNT_OF(units)) {
        size /= 1024;
        unit++;
    }
    append_u64(out, size);
    buf_append_string(out, units[unit]);
}

void config_value_append_line(struct buf *out, const struct config_directive *directive,
                              const struct config *config)
{
    buf_append_string(out, directive->name);
    buf_append_u8(out, ' ');
    const void *field = const_field_of(directive, config);
    if (directive->kind == CONFIG_KIND_LIST) {
        append_list_words(out, field);
    } else if (directive->kind == CONFIG_KIND_MEMORY) {
        append_size(out, *(const uint64_t *)field);
    } else if (directive->kind == CONFIG_KIND_STRING || directive->kind == CONFIG_KIND_EVENTS) {
        struct buf value = {0};
        config_value_append(&value, directive, config);
        words_append_quoted(out, buf_bytes(&value));
        buf_free(&value);
    } else {
        config_value_append(out, directive, config);
    }
}

/* --- Ownership -------------------------------------------------------------------------------- */

/* The file form quotes what could be confused, so equal lines are equal values. */
bool config_value_is_equal(const struct config_directive *directive, const struct config *a,
                           const struct config *b)
{
    struct buf line_a = {0};
    struct buf line_b = {0};
    config_value_append_line(&line_a, directive, a);
    config_value_append_line(&line_b, directive, b);
    bool is_equal = bytes_equal(buf_bytes(&line_a), buf_bytes(&line_b));
    buf_free(&line_a);
    buf_free(&line_b);
    return is_equal;
}

static size_t field_size(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_KIND_BOOL:
        return sizeof(bool);
    case CONFIG_KIND_INT:
    case CONFIG_KIND_OCTAL:
        return sizeof(int64_t);
    case CONFIG_KIND_MEMORY:
        return sizeof(uint64_t);
    case CONFIG_KIND_AMOUNT:
        return sizeof(struct config_amount);
    case CONFIG_KIND_CHOICE:
        return sizeof(int);
    case CONFIG_KIND_STRING:
        return sizeof(char *);
    case CONFIG_KIND_LIST:
        return sizeof(struct config_list);
    case CONFIG_KIND_LIMITS:
        return CONFIG_CLIENT_CLASSES * sizeof(struct config_output_limit);
    case CONFIG_KIND_EVENTS:
        return sizeof(uint32_t);
    }
    UNREACHABLE();
}

void config_value_copy(const struct config_directive *directive, struct config *to,
                       const struct config *from)
{
    void *target = field_of(directive, to);
    const void *source = const_field_of(directive, from);
    if (target == source)
        return;
    config_value_free(directive, to);
    memcpy(target, source, field_size(directive->kind));
    if (directive->kind == CONFIG_KIND_STRING) {
        const char *text = *(char *const *)source;
        *(char **)target = text == NULL ? NULL : copy_text(bytes_of_string(text));
    } else if (directive->kind == CONFIG_KIND_LIST) {
        const struct config_list *list = source;
        struct bytes words[CONFIG_LIST_MAX];
        for (size_t i = 0; i < list->count; i++)
            words[i] = bytes_of_string(list->items[i]);
        *(struct config_list *)target = list_of(words, list->count);
    }
}

void config_value_free(const struct config_directive *directive, struct config *config)
{
    void *field = field_of(directive, config);
    if (directive->kind == CONFIG_KIND_STRING) {
        mem_free(*(char **)field);
        *(char **)field = NULL;
    } else if (directive->kind == CONFIG_KIND_LIST) {
        list_free(field);
    }
}

#include "types/stream_production.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "types/stream_internal.h"

enum {
    PRODUCER_KEY = 5,
    MESSAGE_KEY = 9,
    MESSAGE_HEAD = 4 + 16 + 8,
    BUCKETS_MIN = 16,
};

#define OF_ALL(node)      ((struct message *)((char *)(node)-offsetof(struct message, in_all)))
#define OF_PRODUCER(node) ((struct message *)((char *)(node)-offsetof(struct message, of_producer)))

struct production *production_new(void)
{
    struct production *production = mem_zero(sizeof(*production));
    production->duration_s = STREAM_IDMP_DURATION_DEFAULT;
    production->size_max = STREAM_IDMP_SIZE_DEFAULT;
    list_init(&production->messages);
    return production;
}

static size_t producer_memory(const struct producer *producer)
{
    return mem_size(producer) + mem_size(producer->name.data);
}

static void producer_free(struct producer *producer)
{
    buf_free(&producer->name);
    mem_free(producer);
}

void production_free(struct production *production)
{
    struct list *node, *after;
    if (production == NULL)
        return;
    LIST_FOR_EACH(node, after, &production->messages)
    {
        mem_free(OF_ALL(node));
    }
    for (uint32_t i = 0; i < production->producer_count; i++)
        producer_free(production->producers[i]);
    mem_free(production->producers);
    mem_free(production->buckets);
    buf_free(&production->by_number);
    mem_free(production);
}

size_t production_memory(const struct production *production)
{
    return production == NULL ? 0 : mem_size(production) + production->memory;
}

/* ---- producers ---- */

static uint32_t producer_place(const struct production *production, struct bytes name,
                               bool *is_there)
{
    uint32_t from = 0, to = production->producer_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (bytes_compare(buf_bytes(&production->producers[middle]->name), name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *is_there = from < production->producer_count &&
                bytes_equal(buf_bytes(&production->producers[from]->name), name);
    return from;
}

static struct producer *find_producer(const struct production *production, struct bytes name)
{
    bool is_there;
    uint32_t at = producer_place(production, name, &is_there);
    return is_there ? production->producers[at] : NULL;
}

static void make_room_for_producer(struct production *production)
{
    if (production->producer_count < production->producer_capacity)
        return;
    production->memory -= mem_size(production->producers);
    production->producer_capacity =
        production->producer_capacity == 0 ? 2 : 2 * production->producer_capacity;
    production->producers = mem_realloc(production->producers, production->producer_capacity *
                                                                   sizeof(*production->producers));
    production->memory += mem_size(production->producers);
}

static struct producer *insert_producer(struct production *production, uint32_t number,
                                        struct bytes name)
{
    bool is_there;
    uint32_t at = producer_place(production, name, &is_there);
    ASSERT(!is_there);
    make_room_for_producer(production);
    struct producer *producer = mem_zero(sizeof(*producer));
    producer->number = number;
    buf_append(&producer->name, name);
    list_init(&producer->messages);
    memmove(production->producers + at + 1, production->producers + at,
            (production->producer_count - at) * sizeof(*production->producers));
    production->producers[at] = producer;
    production->producer_count++;
    production->memory += producer_memory(producer);
    return producer;
}

static void drop_producer(struct production *production, struct producer *producer)
{
    bool is_there;
    uint32_t at = producer_place(production, buf_bytes(&producer->name), &is_there);
    ASSERT(is_there && producer->count == 0);
    production->producer_count--;
    memmove(production->producers + at, production->producers + at + 1,
            (production->producer_count - at) * sizeof(*production->producers));
    production->memory -= producer_memory(producer);
    producer_free(producer);
}

/* ---- messages ---- */

/* The seed is the cluster's: nobody outside can make names that fall into one bucket. */
static uint64_t hash_of(const struct producer *producer, struct bytes name,
                        const struct type_env *env)
{
    return hash_bytes(name, env->hash_seed ^ (uint64_t)producer->number << 32);
}

static struct bytes name_of(const struct message *message)
{
    return bytes_of(message->name, message->size);
}

static struct message *find_message(const struct production *production,
                                    const struct producer *producer, struct bytes name,
                                    const struct type_env *env)
{
    if (production->bucket_count == 0)
        return NULL;
    uint64_t hash = hash_of(producer, name, env);
    struct message *message = production->buckets[hash & (production->bucket_count - 1)];
    while (message != NULL && (message->hash != hash || message->producer != producer ||
                               !bytes_equal(name_of(message), name)))
        message = message->next;
    return message;
}

static void link_bucket(struct production *production, struct message *message)
{
    struct message **bucket = &production->buckets[message->hash & (production->bucket_count - 1)];
    message->next = *bucket;
    *bucket = message;
}

static void make_buckets(struct production *production)
{
    struct list *node, *after;
    if (production->count < production->bucket_count)
        return;
    production->memory -= mem_size(production->buckets);
    mem_free(production->buckets);
    production->bucket_count =
        production->bucket_count == 0 ? BUCKETS_MIN : 2 * production->bucket_count;
    production->buckets = mem_zero(production->bucket_count * sizeof(*production->buckets));
    production->memory += mem_size(production->buckets);
    LIST_FOR_EACH(node, after, &production->messages)
    {
        link_bucket(production, OF_ALL(node));
    }
}

/* Its number is above all others'. hash: hash_of. */
static struct message *insert_message(struct production *production, struct producer *producer,
                                      uint64_t number, struct stream_id id, int64_t added_ms,
                                      struct bytes name, uint64_t hash)
{
    make_buckets(production);
    struct message *message = mem_alloc(sizeof(*message) + name.size);
    *message = (struct message){.producer = producer,
                                .number = number,
                                .hash = hash,
                                .id = id,
                                .added_ms = added_ms,
                                .size = (uint32_t)name.size};
    memcpy(message->name, name.data, name.size);
    list_push_back(&production->messages, &message->in_all);
    list_push_back(&producer->messages, &message->of_producer);
    link_bucket(production, message);
    producer->count++;
    production->count++;
    production->memory += mem_size(message);
    return message;
}

static void unlink_bucket(struct production *production, const struct message *message)
{
    struct message **at = &production->buckets[message->hash & (production->bucket_count - 1)];
    while (*at != message)
        at = &(*at)->next;
    *at = message->next;
}

/* ---- rows ---- */

static void message_key(uint8_t key[MESSAGE_KEY], uint64_t number)
{
    key[0] = PRODUCTION_ROW_MESSAGE;
    put_be64(key + 1, number);
}

static void producer_key(uint8_t key[PRODUCER_KEY], uint32_t number)
{
    key[0] = PRODUCTION_ROW_PRODUCER;
    put_be32(key + 1, number);
}

static void put_producer(struct edit *edit, const struct producer *producer)
{
    uint8_t key[PRODUCER_KEY];
    producer_key(key, producer->number);
    edit_put(edit, bytes_of(key, sizeof(key)), buf_bytes(&producer->name));
}

static void put_message(struct edit *edit, const struct message *message)
{
    uint8_t key[MESSAGE_KEY];
    struct buf value = {0};
    message_key(key, message->number);
    uint8_t *at = buf_extend(&value, MESSAGE_HEAD);
    put_le32(at, message->producer->number);
    put_le64(at + 4, message->id.ms);
    put_le64(at + 12, message->id.seq);
    put_le64(at + 20, (uint64_t)message->added_ms);
    buf_append(&value, name_of(message));
    edit_put(edit, bytes_of(key, sizeof(key)), buf_bytes(&value));
    buf_free(&value);
}

void production_emit(const struct value *value, struct buf *rows)
{
    const struct production *production = stream_of(value)->production;
    struct edit edit = {.value = &stream_of(value)->value, .rows = rows};
    struct list *node, *after;
    if (production == NULL)
        return;
    for (uint32_t i = 0; i < production->producer_count; i++)
        put_producer(&edit, production->producers[i]);
    LIST_FOR_EACH(node, after, &production->messages)
    {
        put_message(&edit, OF_ALL(node));
    }
}

void production_encode_head(const struct production *production, bool is_head, struct buf *out)
{
    uint8_t *at = buf_extend(out, PRODUCTION_HEAD_SIZE);
    put_le32(at, production->duration_s);
    put_le32(at + 4, production->size_max);
    put_le64(at + 8, production->added);
    put_le64(at + 16, production->duplicates);
    put_le32(at + 24, is_head ? production->expected_producers : production->producer_count);
    put_le32(at + 28, is_head ? production->expected_messages : production->count);
}

struct production *production_decode_head(const uint8_t *head)
{
    uint32_t duration_s = get_le32(head), size_max = get_le32(head + 4);
    if (duration_s < 1 || duration_s > STREAM_IDMP_DURATION_MAX || size_max < 1 ||
        size_max > STREAM_IDMP_SIZE_MAX)
        return NULL;
    struct production *production = production_new();
    production->duration_s = duration_s;
    production->size_max = size_max;
    production->added = get_le64(head + 8);
    production->duplicates = get_le64(head + 16);
    production->expected_producers = get_le32(head + 24);
    production->expected_messages = get_le32(head + 28);
    return production;
}

static struct producer *loaded_producer(const struct production *production, uint32_t number)
{
    struct producer **items = (void *)production->by_number.data;
    size_t from = 0, to = production->by_number.size / sizeof(*items);
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (items[middle]->number == number)
            return items[middle];
        if (items[middle]->number < number)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

bool production_load_producer(struct production *production, struct bytes element,
                              struct bytes row_value, uint32_t first_unused)
{
    if (production == NULL || element.size != PRODUCER_KEY || row_value.size == 0 ||
        find_producer(production, row_value) != NULL || get_be32(element.data + 1) >= first_unused)
        return false;
    struct producer *producer = insert_producer(production, get_be32(element.data + 1), row_value);
    buf_append(&production->by_number, bytes_of(&producer, sizeof(producer)));
    return true;
}

static bool is_above_all(const struct production *production, uint64_t number)
{
    return list_is_empty(&production->messages) ||
           OF_ALL(production->messages.prev)->number < number;
}

bool production_load_message(struct production *production, struct bytes element,
                             struct bytes row_value, const struct type_env *env)
{
    if (production == NULL || element.size != MESSAGE_KEY || row_value.size <= MESSAGE_HEAD)
        return false;
    uint64_t number = get_be64(element.data + 1);
    struct producer *producer = loaded_producer(production, get_le32(row_value.data));
    struct bytes name = bytes_of(row_value.data + MESSAGE_HEAD, row_value.size - MESSAGE_HEAD);
    struct stream_id id = {get_le64(row_value.data + 4), get_le64(row_value.data + 12)};
    if (producer == NULL || producer->count == production->size_max ||
        number >= production->added || !is_above_all(production, number) ||
        find_message(production, producer, name, env) != NULL)
        return false;
    (void)insert_message(production, producer, number, id, (int64_t)get_le64(row_value.data + 20),
                         name, hash_of(producer, name, env));
    return true;
}

bool production_load_end(struct production *production)
{
    if (production == NULL)
        return true;
    buf_free(&production->by_number);
    for (uint32_t i = 0; i < production->producer_count; i++) {
        if (production->producers[i]->count == 0)
            return false;
    }
    return production->producer_count == production->expected_producers &&
           production->count == production->expected_messages;
}

/* ---- changing ---- */

static struct production *production_of(struct edit *edit)
{
    struct stream *stream = stream_of(edit->value);
    if (stream->production == NULL)
        stream->production = production_new();
    return stream->production;
}

static void remove_message(struct edit *edit, struct production *production,
                           struct message *message)
{
    uint8_t key[MESSAGE_KEY], its_key[PRODUCER_KEY];
    struct producer *producer = message->producer;
    message_key(key, message->number);
    edit_delete(edit, bytes_of(key, sizeof(key)));
    unlink_bucket(production, message);
    list_remove(&message->in_all);
    list_remove(&message->of_producer);
    production->count--;
    production->memory -= mem_size(message);
    mem_free(message);
    if (--producer->count > 0)
        return;
    producer_key(its_key, producer->number);
    edit_delete(edit, bytes_of(its_key, sizeof(its_key)));
    drop_producer(production, producer);
}

static bool is_over(const struct production *production, const struct message *message,
                    int64_t now_ms)
{
    return now_ms - message->added_ms >= (int64_t)production->duration_s * 1000;
}

static void remove_old(struct edit *edit, struct production *production, int64_t now_ms)
{
    while (!list_is_empty(&production->messages)) {
        struct message *message = OF_ALL(production->messages.next);
        if (!is_over(production, message, now_ms))
            return;
        remove_message(edit, production, message);
    }
}

bool stream_production_find(const struct edit *edit, struct bytes producer, struct bytes name,
                            int64_t now_ms, struct stream_id *id)
{
    const struct production *production = stream_of(edit->value)->production;
    const struct producer *its = production == NULL ? NULL : find_producer(production, producer);
    const struct message *message =
        its == NULL ? NULL : find_message(production, its, name, edit->env);
    if (message == NULL || is_over(production, message, now_ms))
        return false;
    *id = message->id;
    return true;
}

void stream_production_add(struct edit *edit, struct bytes producer, struct bytes name,
                           struct stream_id id, int64_t now_ms)
{
    struct stream *stream = stream_of(edit->value);
    struct production *production = production_of(edit);
    ASSERT(producer.size > 0 && name.size > 0);
    remove_old(edit, production, now_ms);
    struct producer *its = find_producer(production, producer);
    if (its == NULL) {
        its = insert_producer(production, stream->first_unused++, producer);
        put_producer(edit, its);
    }
    ASSERT(find_message(production, its, name, edit->env) == NULL);
    struct message *message = insert_message(production, its, production->added++, id, now_ms, name,
                                             hash_of(its, name, edit->env));
    put_message(edit, message);
    while (its->count > production->size_max)
        remove_message(edit, production, OF_PRODUCER(its->messages.next));
}

void stream_production_repeated(struct edit *edit)
{
    production_of(edit)->duplicates++;
}

bool stream_production_configure(struct edit *edit, uint32_t duration_s, uint32_t size_max)
{
    ASSERT(duration_s >= 1 && duration_s <= STREAM_IDMP_DURATION_MAX);
    ASSERT(size_max >= 1 && size_max <= STREAM_IDMP_SIZE_MAX);
    struct stream_production_info info = stream_production_info(edit->value, 0);
    if (info.duration_s == duration_s && info.size_max == size_max)
        return false;
    struct production *production = production_of(edit);
    while (!list_is_empty(&production->messages))
        remove_message(edit, production, OF_ALL(production->messages.next));
    production->duration_s = duration_s;
    production->size_max = size_max;
    return true;
}

void stream_production_digest(const struct bytes *pairs, uint32_t pair_count,
                              uint8_t digest[STREAM_MESSAGE_DIGEST])
{
    uint64_t sums[2] = {0};
    for (uint32_t i = 0; i < pair_count; i++) {
        for (uint64_t lane = 0; lane < 2; lane++)
            sums[lane] +=
                hash_bytes(pairs[2 * i + 1], hash_bytes(pairs[2 * i], 0x1d3a5c0f9e8b7246 + lane));
    }
    put_le64(digest, sums[0]);
    put_le64(digest + 8, sums[1]);
}

/* ---- the rest ---- */

/* Messages that are over stand there until the next one is added. */
static void count_tracked(const struct production *production, int64_t now_ms,
                          struct stream_production_info *info)
{
    for (uint32_t i = 0; i < production->producer_count; i++) {
        const struct producer *producer = production->producers[i];
        const struct message *newest = OF_PRODUCER(producer->messages.prev);
        info->producers += !is_over(production, newest, now_ms);
    }
    info->messages = production->count;
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &production->messages)
    {
        if (!is_over(production, OF_ALL(node), now_ms))
            return;
        info->messages--;
    }
}

struct stream_production_info stream_production_info(const struct value *value, int64_t now_ms)
{
    const struct production *production = stream_of(value)->production;
    struct stream_production_info info = {.duration_s = STREAM_IDMP_DURATION_DEFAULT,
                                          .size_max = STREAM_IDMP_SIZE_DEFAULT};
    if (production == NULL)
        return info;
    info.duration_s = production->duration_s;
    info.size_max = production->size_max;
    info.added = production->added;
    info.duplicates = production->duplicates;
    count_tracked(production, now_ms, &info);
    return info;
}

struct production *production_copy(const struct production *production)
{
    if (production == NULL)
        return NULL;
    struct production *twin = production_new();
    struct list *node, *after;
    twin->duration_s = production->duration_s;
    twin->size_max = production->size_max;
    twin->added = production->added;
    twin->duplicates = production->duplicates;
    for (uint32_t i = 0; i < production->producer_count; i++)
        (void)insert_producer(twin, production->producers[i]->number,
                              buf_bytes(&production->producers[i]->name));
    LIST_FOR_EACH(node, after, &production->messages)
    {
        const struct message *message = OF_ALL(node);
        (void)insert_message(twin, find_producer(twin, buf_bytes(&message->producer->name)),
                             message->number, message->id, message->added_ms, name_of(message),
                             message->hash);
    }
    return twin;
}

uint64_t production_digest(const struct production *production)
{
    struct list *node, *after;
    if (production == NULL)
        return 0;
    uint64_t numbers[] = {production->duration_s, production->size_max, production->added,
                          production->duplicates};
    uint64_t hash = hash_bytes(bytes_of(numbers, sizeof(numbers)), production->producer_count);
    LIST_FOR_EACH(node, after, &production->messages)
    {
        const struct message *message = OF_ALL(node);
        uint64_t its[] = {message->number, message->id.ms, message->id.seq,
                          (uint64_t)message->added_ms, message->producer->number};
        hash = hash_bytes(bytes_of(its, sizeof(its)), hash);
        hash = hash_bytes(name_of(message), hash);
        hash = hash_bytes(buf_bytes(&message->producer->name), hash);
    }
    return hash;
}

static void check_producer(const struct producer *producer, uint32_t size_max)
{
    struct list *node, *after;
    uint64_t last = 0;
    uint32_t count = 0;
    LIST_FOR_EACH(node, after, &producer->messages)
    {
        const struct message *message = OF_PRODUCER(node);
        ASSERT(message->producer == producer && (count == 0 || message->number > last));
        last = message->number;
        count++;
    }
    ASSERT(count == producer->count && count >= 1 && count <= size_max);
}

void production_check(const struct production *production)
{
    struct list *node, *after;
    uint64_t last = 0;
    uint32_t count = 0, of_producers = 0, in_buckets = 0;
    if (production == NULL)
        return;
    LIST_FOR_EACH(node, after, &production->messages)
    {
        const struct message *message = OF_ALL(node);
        ASSERT(message->number < production->added && (count == 0 || message->number > last));
        last = message->number;
        count++;
    }
    for (uint32_t i = 0; i < production->bucket_count; i++) {
        for (const struct message *message = production->buckets[i]; message != NULL;
             message = message->next)
            in_buckets++;
    }
    for (uint32_t i = 0; i < production->producer_count; i++) {
        ASSERT(i == 0 || bytes_compare(buf_bytes(&production->producers[i - 1]->name),
                                       buf_bytes(&production->producers[i]->name)) < 0);
        check_producer(production->producers[i], production->size_max);
        of_producers += production->producers[i]->count;
    }
    ASSERT(count == production->count && of_producers == count && in_buckets == count);
}

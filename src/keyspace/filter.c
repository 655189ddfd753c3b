#include "keyspace/filter.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"

enum {
    BUCKET_SLOTS = 4,
    LEVELS_MAX = 22,
    LEVEL_BUCKETS_MIN = 256,
    KICKS_MAX = 128, /* displacements tried before a level counts as full */
};

struct level {
    uint16_t *slots; /* buckets * BUCKET_SLOTS fingerprints; 0 is empty */
    uint64_t mask;   /* buckets - 1 */
    uint64_t count;
};

struct filter {
    struct level levels[LEVELS_MAX];
    int level_count;
    struct prng prng;
};

static uint16_t fingerprint_of(uint64_t hash48)
{
    uint16_t fingerprint = (uint16_t)(hash48 >> 32);
    return fingerprint == 0 ? 1 : fingerprint;
}

/* The other candidate bucket; its own inverse. The multiplier spreads 16 bits over any table. */
static uint64_t other_bucket(const struct level *level, uint64_t bucket, uint16_t fingerprint)
{
    return (bucket ^ (fingerprint * 0x5bd1e9955bd1e995ULL >> 20)) & level->mask;
}

static uint64_t first_bucket(const struct level *level, uint64_t hash48)
{
    return (hash48 & 0xffffffff) & level->mask;
}

static void add_level(struct filter *filter)
{
    ASSERT(filter->level_count < LEVELS_MAX);
    uint64_t buckets = (uint64_t)LEVEL_BUCKETS_MIN << filter->level_count;
    filter->levels[filter->level_count++] = (struct level){
        .slots = mem_zero(buckets * BUCKET_SLOTS * sizeof(uint16_t)),
        .mask = buckets - 1,
    };
}

struct filter *filter_new(void)
{
    struct filter *filter = mem_zero(sizeof(*filter));
    filter->prng = prng_init(1);
    add_level(filter);
    return filter;
}

void filter_free(struct filter *filter)
{
    if (filter == NULL)
        return;
    for (int i = 0; i < filter->level_count; i++)
        mem_free(filter->levels[i].slots);
    mem_free(filter);
}

static uint16_t *slot_with(const struct level *level, uint64_t bucket, uint16_t fingerprint)
{
    uint16_t *slots = level->slots + bucket * BUCKET_SLOTS;
    for (int i = 0; i < BUCKET_SLOTS; i++) {
        if (slots[i] == fingerprint)
            return &slots[i];
    }
    return NULL;
}

static uint16_t *find_in(const struct level *level, uint64_t hash48, uint16_t fingerprint)
{
    uint64_t bucket = first_bucket(level, hash48);
    uint16_t *slot = slot_with(level, bucket, fingerprint);
    return slot != NULL ? slot
                        : slot_with(level, other_bucket(level, bucket, fingerprint), fingerprint);
}

bool filter_may_have(const struct filter *filter, uint64_t hash48)
{
    uint16_t fingerprint = fingerprint_of(hash48);
    for (int i = filter->level_count - 1; i >= 0; i--) {
        if (filter->levels[i].count > 0 && find_in(&filter->levels[i], hash48, fingerprint) != NULL)
            return true;
    }
    return false;
}

/* Displaces fingerprints at random until one finds an empty slot; undoes all of it on failure, so
 * that no fingerprint is ever without a place. */
static bool add_by_kicking(struct filter *filter, struct level *level, uint64_t bucket,
                           uint16_t fingerprint)
{
    uint16_t *path[KICKS_MAX];
    for (int kicks = 0; kicks < KICKS_MAX; kicks++) {
        uint16_t *victim =
            level->slots + bucket * BUCKET_SLOTS + prng_below(&filter->prng, BUCKET_SLOTS);
        uint16_t displaced = *victim;
        *victim = fingerprint;
        path[kicks] = victim;
        fingerprint = displaced;
        bucket = other_bucket(level, bucket, fingerprint);
        uint16_t *slot = slot_with(level, bucket, 0);
        if (slot != NULL) {
            *slot = fingerprint;
            return true;
        }
    }
    for (int i = KICKS_MAX - 1; i >= 0; i--) {
        uint16_t displaced = *path[i];
        *path[i] = fingerprint;
        fingerprint = displaced;
    }
    return false;
}

static bool add_to(struct filter *filter, struct level *level, uint64_t hash48,
                   uint16_t fingerprint)
{
    uint64_t slots = (level->mask + 1) * BUCKET_SLOTS;
    if (level->count >= slots - slots / 16)
        return false;
    uint64_t bucket = first_bucket(level, hash48);
    uint16_t *slot = slot_with(level, bucket, 0);
    if (slot == NULL)
        slot = slot_with(level, other_bucket(level, bucket, fingerprint), 0);
    if (slot != NULL)
        *slot = fingerprint;
    else if (!add_by_kicking(filter, level, bucket, fingerprint))
        return false;
    level->count++;
    return true;
}

void filter_add(struct filter *filter, uint64_t hash48)
{
    uint16_t fingerprint = fingerprint_of(hash48);
    for (int i = filter->level_count - 1; i >= 0; i--) {
        if (add_to(filter, &filter->levels[i], hash48, fingerprint))
            return;
    }
    add_level(filter);
    bool added = add_to(filter, &filter->levels[filter->level_count - 1], hash48, fingerprint);
    ASSERT(added);
}

bool filter_remove(struct filter *filter, uint64_t hash48)
{
    uint16_t fingerprint = fingerprint_of(hash48);
    for (int i = filter->level_count - 1; i >= 0; i--) {
        struct level *level = &filter->levels[i];
        uint16_t *slot = level->count > 0 ? find_in(level, hash48, fingerprint) : NULL;
        if (slot == NULL)
            continue;
        *slot = 0;
        level->count--;
        return true;
    }
    return false;
}

uint64_t filter_count(const struct filter *filter)
{
    uint64_t count = 0;
    for (int i = 0; i < filter->level_count; i++)
        count += filter->levels[i].count;
    return count;
}

uint64_t filter_memory(const struct filter *filter)
{
    uint64_t memory = sizeof(*filter);
    for (int i = 0; i < filter->level_count; i++)
        memory += (filter->levels[i].mask + 1) * BUCKET_SLOTS * sizeof(uint16_t);
    return memory;
}

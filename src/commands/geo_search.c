/* GEOSEARCH, GEORADIUS and their kin: members in a shape. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/number.h"
#include "commands/geo.h"
#include "commands/geo_commands.h"
#include "commands/zset_range.h"

enum order { UNORDERED, ASCENDING, DESCENDING };

struct search {
    struct geo_shape shape;
    double metres; /* of the unit asked for */
    bool has_from, has_shape, with_distance, with_hash, with_place, is_any, stores_distance;
    bool is_missing; /* the member in the middle needs a key, and there is none */
    enum order order;
    int64_t count; /* 0: all */
    int store_at;  /* argument with the target key; 0: none */
};

/* What a form of the command takes. */
struct form {
    bool is_search;       /* GEOSEARCH: FROM…, BY… among the options */
    bool is_by_member;    /* GEORADIUSBYMEMBER */
    bool is_store;        /* GEOSEARCHSTORE */
    bool takes_store;     /* STORE, STOREDIST */
    int key_at, first_at; /* the key; the first option */
};

/* Views of members do not outlive a step of the walk: names are copied one behind the other. */
struct hit {
    size_t name_at, name_size;
    double score, distance_m;
    struct geo_point point;
};

struct hits {
    struct hit *items;
    size_t count, capacity;
};

/* ---- arguments ---- */

static bool parse_radius(struct call *c, int at, struct search *search)
{
    if (!number_parse_double(c->argv[at], &search->shape.width_m)) {
        call_error(c, "ERR need numeric radius");
        return false;
    }
    if (search->shape.width_m < 0) {
        call_error(c, "ERR radius cannot be negative");
        return false;
    }
    if (!geo_unit(c, at + 1, &search->metres))
        return false;
    search->shape.width_m *= search->metres;
    return search->has_shape = true;
}

static bool parse_box(struct call *c, int at, struct search *search)
{
    bool is_width = number_parse_double(c->argv[at], &search->shape.width_m);
    if (!is_width || !number_parse_double(c->argv[at + 1], &search->shape.height_m)) {
        call_error(c, "ERR need numeric %s", is_width ? "height" : "width");
        return false;
    }
    if (search->shape.width_m < 0 || search->shape.height_m < 0) {
        call_error(c, "ERR height or width cannot be negative");
        return false;
    }
    if (!geo_unit(c, at + 2, &search->metres))
        return false;
    search->shape.width_m *= search->metres;
    search->shape.height_m *= search->metres;
    search->shape.is_box = true;
    return search->has_shape = true;
}

static bool from_member(struct call *c, const struct value *zset, int at, struct search *search)
{
    double score;
    search->has_from = true;
    if (zset == NULL) {
        search->is_missing = true;
        return true;
    }
    if (!zset_score(zset, c->argv[at], &score)) {
        call_error(c, "ERR could not decode requested zset member");
        return false;
    }
    search->shape.center = geo_of_score(score);
    return true;
}

static bool parse_count(struct call *c, int at, struct search *search)
{
    if (!call_int(c, at, &search->count))
        return false;
    if (search->count > 0)
        return true;
    call_error(c, "ERR COUNT must be > 0");
    return false;
}

/* What only GEOSEARCH has; *at moves to its last word. *is_one: it is such an option. */
static bool parse_search_option(struct call *c, const struct value *zset, int *at,
                                struct search *search, bool *is_one)
{
    int left = c->argc - *at - 1;
    *is_one = true;
    if (call_is_word(c, *at, "frommember") && left >= 1 && !search->has_from)
        return from_member(c, zset, ++*at, search);
    if (call_is_word(c, *at, "fromlonlat") && left >= 2 && !search->has_from) {
        search->has_from = true;
        *at += 2;
        return geo_point_arguments(c, *at - 1, &search->shape.center);
    }
    if (call_is_word(c, *at, "byradius") && left >= 2 && !search->has_shape) {
        *at += 2;
        return parse_radius(c, *at - 1, search);
    }
    if (call_is_word(c, *at, "bybox") && left >= 3 && !search->has_shape) {
        *at += 3;
        return parse_box(c, *at - 2, search);
    }
    *is_one = false;
    return true;
}

static bool parse_flag(const struct call *c, int at, struct search *search)
{
    if (call_is_word(c, at, "withdist"))
        search->with_distance = true;
    else if (call_is_word(c, at, "withhash"))
        search->with_hash = true;
    else if (call_is_word(c, at, "withcoord"))
        search->with_place = true;
    else if (call_is_word(c, at, "any"))
        search->is_any = true;
    else if (call_is_word(c, at, "asc"))
        search->order = ASCENDING;
    else if (call_is_word(c, at, "desc"))
        search->order = DESCENDING;
    else
        return false;
    return true;
}

static bool parse_option(struct call *c, const struct form *form, const struct value *zset, int *at,
                         struct search *search)
{
    bool has_more = *at + 1 < c->argc, is_one = false;
    if (parse_flag(c, *at, search))
        return true;
    if (call_is_word(c, *at, "count") && has_more)
        return parse_count(c, ++*at, search);
    if (form->takes_store && has_more &&
        (call_is_word(c, *at, "store") || call_is_word(c, *at, "storedist"))) {
        search->stores_distance = call_is_word(c, *at, "storedist");
        search->store_at = ++*at;
        return true;
    }
    if (form->is_store && call_is_word(c, *at, "storedist"))
        return search->stores_distance = true;
    if (form->is_search && !parse_search_option(c, zset, at, search, &is_one))
        return false;
    if (!is_one)
        call_error_syntax(c);
    return is_one;
}

/* False after an error. */
static bool check_search(struct call *c, const struct form *form, const struct search *search)
{
    bool shows = search->with_distance || search->with_hash || search->with_place;
    struct bytes name = c->argv[0];
    if (search->store_at != 0 && shows)
        call_error(c, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                   form->is_store ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    else if (form->is_search && !search->has_from)
        call_error(c, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s",
                   (int)name.size, (const char *)name.data);
    else if (form->is_search && !search->has_shape)
        call_error(c, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s",
                   (int)name.size, (const char *)name.data);
    else if (search->is_any && search->count == 0)
        call_error(c, "ERR the ANY argument requires COUNT argument");
    else
        return true;
    return false;
}

/* The centre and the radius that GEORADIUS and GEORADIUSBYMEMBER have in front. */
static bool parse_front(struct call *c, const struct form *form, const struct value *zset,
                        struct search *search)
{
    if (form->is_search)
        return true;
    if (form->is_by_member)
        return from_member(c, zset, 2, search) &&
               (search->is_missing || parse_radius(c, 3, search));
    search->has_from = true;
    return geo_point_arguments(c, 2, &search->shape.center) && parse_radius(c, 4, search);
}

static bool parse_search(struct call *c, const struct form *form, const struct value *zset,
                         struct search *search)
{
    *search = (struct search){.metres = 1, .store_at = form->is_store ? 1 : 0};
    if (!parse_front(c, form, zset, search))
        return false;
    for (int at = form->first_at; at < c->argc; at++) {
        if (!parse_option(c, form, zset, &at, search))
            return false;
    }
    /* The nearest ones are wanted, so they must be sorted. */
    if (search->count > 0 && search->order == UNORDERED && !search->is_any)
        search->order = ASCENDING;
    return check_search(c, form, search);
}

/* ---- searching ---- */

static void add_hit(struct hits *hits, struct hit hit)
{
    if (hits->count == hits->capacity) {
        hits->capacity = hits->capacity == 0 ? 16 : 2 * hits->capacity;
        hits->items = mem_realloc(hits->items, hits->capacity * sizeof(*hits->items));
    }
    hits->items[hits->count++] = hit;
}

static void search_range(const struct value *zset, const struct search *search,
                         struct geo_range range, struct hits *hits, struct buf *names)
{
    struct zset_bound lower = {.score = (double)range.from, .which = ZSET_BEFORE_ALL};
    struct zset_bound upper = {.score = (double)range.to, .which = ZSET_BEFORE_ALL};
    uint64_t from = zset_position(zset, &lower), to = zset_position(zset, &upper);
    struct zset_walk walk = zset_walk(zset, to > from ? from : 0, to > from ? to - from : 0, false);
    struct zset_item item;
    while (zset_next(&walk, &item)) {
        struct hit hit = {.score = item.score, .point = geo_of_score(item.score)};
        if (!geo_contains(&search->shape, hit.point, &hit.distance_m))
            continue;
        hit.name_at = names->size;
        hit.name_size = item.member.size;
        buf_append(names, item.member);
        add_hit(hits, hit);
        if (search->is_any && hits->count == (size_t)search->count)
            return;
    }
}

static int by_distance(const void *a, const void *b)
{
    double first = ((const struct hit *)a)->distance_m,
           second = ((const struct hit *)b)->distance_m;
    return (first > second) - (first < second);
}

static int by_distance_reversed(const void *a, const void *b)
{
    return by_distance(b, a);
}

static void search_all(const struct value *zset, const struct search *search, struct hits *hits,
                       struct buf *names)
{
    struct geo_range ranges[GEO_RANGES_MAX];
    int count = geo_cover(&search->shape, ranges);
    for (int i = 0; i < count; i++) {
        if (search->is_any && hits->count == (size_t)search->count)
            break;
        search_range(zset, search, ranges[i], hits, names);
    }
    if (search->order != UNORDERED && hits->count > 0)
        qsort(hits->items, hits->count, sizeof(*hits->items),
              search->order == ASCENDING ? by_distance : by_distance_reversed);
    if (search->count > 0 && hits->count > (size_t)search->count)
        hits->count = (size_t)search->count;
}

/* ---- results ---- */

static struct bytes member_of(const struct hit *hit, const struct buf *names)
{
    return bytes_of(names->data + hit->name_at, hit->name_size);
}

static void reply_hits(struct call *c, const struct search *search, const struct hits *hits,
                       const struct buf *names)
{
    size_t parts = 1u + search->with_distance + search->with_hash + search->with_place;
    reply_array(&c->reply, hits->count);
    for (size_t i = 0; i < hits->count; i++) {
        const struct hit *hit = &hits->items[i];
        if (parts > 1)
            reply_array(&c->reply, parts);
        reply_bulk(&c->reply, member_of(hit, names));
        if (search->with_distance)
            geo_reply_distance(c, hit->distance_m / search->metres);
        if (search->with_hash)
            reply_int(&c->reply, (int64_t)hit->score);
        if (search->with_place)
            geo_reply_point(c, hit->point);
    }
}

static void store_hits(struct call *c, const struct search *search, const struct form *form,
                       const struct hits *hits, const struct buf *names)
{
    struct edit result = edit_detached(TYPE_ZSET, c->types);
    for (size_t i = 0; i < hits->count; i++) {
        const struct hit *hit = &hits->items[i];
        double score = search->stores_distance ? hit->distance_m / search->metres : hit->score;
        (void)zset_put(&result, member_of(hit, names), score);
    }
    zset_store(c, c->argv[search->store_at], result.value,
               form->is_store ? "geosearchstore" : "georadiusstore");
}

static void run_search(struct call *c, struct form form)
{
    const struct value *zset;
    struct search search;
    struct hits hits = {0};
    struct buf names = {0};
    if (!call_find_value(c, c->argv[form.key_at], TYPE_ZSET, &zset) ||
        !parse_search(c, &form, zset, &search))
        return;
    if (zset != NULL && !search.is_missing)
        search_all(zset, &search, &hits, &names);
    if (search.store_at != 0)
        store_hits(c, &search, &form, &hits, &names);
    else
        reply_hits(c, &search, &hits, &names);
    mem_free(hits.items);
    buf_free(&names);
}

void geo_geosearch(struct call *c)
{
    run_search(c, (struct form){.is_search = true, .key_at = 1, .first_at = 2});
}

void geo_geosearchstore(struct call *c)
{
    run_search(c, (struct form){.is_search = true, .is_store = true, .key_at = 2, .first_at = 3});
}

void geo_georadius(struct call *c)
{
    run_search(c, (struct form){.takes_store = true, .key_at = 1, .first_at = 6});
}

void geo_georadius_ro(struct call *c)
{
    run_search(c, (struct form){.key_at = 1, .first_at = 6});
}

void geo_georadiusbymember(struct call *c)
{
    run_search(
        c, (struct form){.is_by_member = true, .takes_store = true, .key_at = 1, .first_at = 5});
}

void geo_georadiusbymember_ro(struct call *c)
{
    run_search(c, (struct form){.is_by_member = true, .key_at = 1, .first_at = 5});
}

/* Members with coordinates. They are members of sorted sets: the score is the place. */
#include "commands/geo.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/number.h"
#include "commands/geo_commands.h"
#include "types/zset.h"

bool geo_unit(struct call *c, int at, double *metres)
{
    static const struct {
        const char *word;
        double metres;
    } UNITS[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
    for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
        if (call_is_word(c, at, UNITS[i].word)) {
            *metres = UNITS[i].metres;
            return true;
        }
    }
    call_error(c, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

bool geo_point_arguments(struct call *c, int at, struct geo_point *point)
{
    if (!number_parse_double(c->argv[at], &point->lon) ||
        !number_parse_double(c->argv[at + 1], &point->lat)) {
        call_error_not_float(c);
        return false;
    }
    if (geo_is_valid(*point))
        return true;
    call_error(c, "ERR invalid longitude,latitude pair %f,%f", point->lon, point->lat);
    return false;
}

void geo_reply_distance(struct call *c, double distance)
{
    char text[64];
    int size = snprintf(text, sizeof(text), "%.4f", distance);
    reply_bulk(&c->reply, bytes_of(text, (size_t)size));
}

void geo_reply_point(struct call *c, struct geo_point point)
{
    const double both[] = {point.lon, point.lat};
    reply_array(&c->reply, 2);
    for (int i = 0; i < 2; i++) {
        char text[NUMBER_LONG_DOUBLE_SIZE_MAX];
        size_t size = number_format_long_double(text, both[i]);
        reply_double_text(&c->reply, bytes_of(text, size));
    }
}

/* ---- GEOADD ---- */

struct geoadd {
    bool nx, xx, ch;
    int first, count;
    double *scores;
};

static bool parse_options(struct call *c, struct geoadd *geoadd)
{
    int at = 2;
    for (; at < c->argc; at++) {
        if (call_is_word(c, at, "nx"))
            geoadd->nx = true;
        else if (call_is_word(c, at, "xx"))
            geoadd->xx = true;
        else if (call_is_word(c, at, "ch"))
            geoadd->ch = true;
        else
            break;
    }
    geoadd->first = at;
    geoadd->count = (c->argc - at) / 3;
    if ((c->argc - at) % 3 == 0 && !(geoadd->nx && geoadd->xx))
        return true;
    call_error_syntax(c);
    return false;
}

static bool parse_places(struct call *c, struct geoadd *geoadd)
{
    geoadd->scores = mem_alloc((size_t)(geoadd->count + 1) * sizeof(double));
    for (int i = 0; i < geoadd->count; i++) {
        struct geo_point point;
        if (!geo_point_arguments(c, geoadd->first + 3 * i, &point)) {
            mem_free(geoadd->scores);
            return false;
        }
        geoadd->scores[i] = (double)geo_encode(point);
    }
    return true;
}

static void add_members(struct call *c, const struct geoadd *geoadd)
{
    struct edit edit;
    int64_t added = 0, updated = 0;
    if (!call_edit(c, c->argv[1], TYPE_ZSET, &edit))
        return;
    for (int i = 0; i < geoadd->count; i++) {
        struct bytes member = c->argv[geoadd->first + 3 * i + 2];
        double old;
        bool is_there = zset_score(edit.value, member, &old);
        if (is_there ? geoadd->nx || old == geoadd->scores[i] : geoadd->xx)
            continue;
        added += zset_put(&edit, member, geoadd->scores[i]);
        updated += is_there;
    }
    call_edit_end(c, c->argv[1], &edit, added + updated > 0);
    if (added + updated > 0)
        call_notify(c, 'z', "zadd", c->argv[1]);
    reply_int(&c->reply, geoadd->ch ? added + updated : added);
}

void geo_geoadd(struct call *c)
{
    struct geoadd geoadd = {0};
    if (!parse_options(c, &geoadd) || !parse_places(c, &geoadd))
        return;
    if (geoadd.count == 0)
        call_error_syntax(c);
    else
        add_members(c, &geoadd);
    mem_free(geoadd.scores);
}

/* ---- telling ---- */

static bool find_places(struct call *c, const struct value **zset)
{
    return call_find_value(c, c->argv[1], TYPE_ZSET, zset);
}

static bool place_of(const struct value *zset, struct bytes member, struct geo_point *point)
{
    double score;
    if (zset == NULL || !zset_score(zset, member, &score))
        return false;
    *point = geo_of_score(score);
    return true;
}

void geo_geodist(struct call *c)
{
    const struct value *zset;
    struct geo_point a, b;
    double metres = 1;
    if (c->argc > 5) {
        call_error_syntax(c);
        return;
    }
    if ((c->argc == 5 && !geo_unit(c, 4, &metres)) || !find_places(c, &zset))
        return;
    if (place_of(zset, c->argv[2], &a) && place_of(zset, c->argv[3], &b))
        geo_reply_distance(c, geo_distance_m(a, b) / metres);
    else
        reply_null(&c->reply);
}

void geo_geohash(struct call *c)
{
    const struct value *zset;
    if (!find_places(c, &zset))
        return;
    reply_array(&c->reply, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        struct geo_point point;
        char text[GEO_HASH_TEXT_SIZE];
        if (!place_of(zset, c->argv[i], &point)) {
            reply_null(&c->reply);
            continue;
        }
        geo_hash_text(point, text);
        reply_bulk(&c->reply, bytes_of(text, sizeof(text)));
    }
}

void geo_geopos(struct call *c)
{
    const struct value *zset;
    if (!find_places(c, &zset))
        return;
    reply_array(&c->reply, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        struct geo_point point;
        if (place_of(zset, c->argv[i], &point))
            geo_reply_point(c, point);
        else
            reply_null_array(&c->reply);
    }
}

/* Places on the earth as scores of a sorted set: 26 bits of longitude and latitude each,
 * interleaved, as Redis has them, so that members close to each other mostly have close scores. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { GEO_STEP_MAX = 26, GEO_HASH_TEXT_SIZE = 11 };

#define GEO_LON_MAX 180.0
#define GEO_LAT_MAX 85.05112878 /* of the web Mercator projection */

struct geo_point {
    double lon, lat; /* degrees */
};

bool geo_is_valid(struct geo_point point);
uint64_t geo_encode(struct geo_point point); /* 52 bits; the point is valid */
struct geo_point geo_decode(uint64_t hash);  /* the middle of its cell */

/* Of any score of a sorted set: one that is no hash is taken for the nearest that is. */
struct geo_point geo_of_score(double score);

double geo_distance_m(struct geo_point a, struct geo_point b); /* haversine */

/* The standard geohash of 11 characters (latitudes to 90), without a terminator. */
void geo_hash_text(struct geo_point point, char text[static GEO_HASH_TEXT_SIZE]);

/* A circle (height_m 0: width_m is the radius) or a box around a point. */
struct geo_shape {
    struct geo_point center;
    double width_m, height_m;
    bool is_box;
};

/* True when the point lies in it; its distance from the centre. */
bool geo_contains(const struct geo_shape *shape, struct geo_point point, double *distance_m);

/* Ranges of hashes [from, to) that together hold every point of the shape. */
struct geo_range {
    uint64_t from, to;
};
enum { GEO_RANGES_MAX = 12 };
int geo_cover(const struct geo_shape *shape, struct geo_range ranges[static GEO_RANGES_MAX]);

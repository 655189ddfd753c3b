#include "commands/geo_math.h"

#include <math.h>

#include "base/assert.h"

#define EARTH_RADIUS_M 6372797.560856
#define RADIANS        (M_PI / 180.0)

bool geo_is_valid(struct geo_point point)
{
    return point.lon >= -GEO_LON_MAX && point.lon <= GEO_LON_MAX && point.lat >= -GEO_LAT_MAX &&
           point.lat <= GEO_LAT_MAX;
}

/* ---- hashes ---- */

/* Bit i goes to bit 2i. */
static uint64_t spread(uint32_t value)
{
    uint64_t bits = value;
    bits = (bits | bits << 16) & 0x0000ffff0000ffff;
    bits = (bits | bits << 8) & 0x00ff00ff00ff00ff;
    bits = (bits | bits << 4) & 0x0f0f0f0f0f0f0f0f;
    bits = (bits | bits << 2) & 0x3333333333333333;
    return (bits | bits << 1) & 0x5555555555555555;
}

static uint32_t gather(uint64_t bits)
{
    bits &= 0x5555555555555555;
    bits = (bits | bits >> 1) & 0x3333333333333333;
    bits = (bits | bits >> 2) & 0x0f0f0f0f0f0f0f0f;
    bits = (bits | bits >> 4) & 0x00ff00ff00ff00ff;
    bits = (bits | bits >> 8) & 0x0000ffff0000ffff;
    return (uint32_t)(bits | bits >> 16);
}

/* The cell of a coordinate among 2^step. */
static uint32_t cell_of(double value, double limit, int step)
{
    double share = (value + limit) / (2 * limit) * (double)(UINT64_C(1) << step);
    return (uint32_t)share;
}

/* Longitude in the odd bits. */
static uint64_t interleave(uint32_t lat, uint32_t lon)
{
    return spread(lat) | spread(lon) << 1;
}

static uint64_t encode(struct geo_point point, double lat_limit, int step)
{
    return interleave(cell_of(point.lat, lat_limit, step), cell_of(point.lon, GEO_LON_MAX, step));
}

uint64_t geo_encode(struct geo_point point)
{
    ASSERT(geo_is_valid(point));
    return encode(point, GEO_LAT_MAX, GEO_STEP_MAX);
}

struct area {
    double lon_min, lon_max, lat_min, lat_max;
};

static struct area area_of(uint32_t lat, uint32_t lon, int step)
{
    double cells = (double)(UINT64_C(1) << step);
    return (struct area){
        .lon_min = -GEO_LON_MAX + lon / cells * (2 * GEO_LON_MAX),
        .lon_max = -GEO_LON_MAX + (lon + 1.0) / cells * (2 * GEO_LON_MAX),
        .lat_min = -GEO_LAT_MAX + lat / cells * (2 * GEO_LAT_MAX),
        .lat_max = -GEO_LAT_MAX + (lat + 1.0) / cells * (2 * GEO_LAT_MAX),
    };
}

static double clamp(double value, double limit)
{
    return value > limit ? limit : value < -limit ? -limit : value;
}

struct geo_point geo_decode(uint64_t hash)
{
    struct area area = area_of(gather(hash), gather(hash >> 1), GEO_STEP_MAX);
    return (struct geo_point){
        .lon = clamp((area.lon_min + area.lon_max) / 2, GEO_LON_MAX),
        .lat = clamp((area.lat_min + area.lat_max) / 2, GEO_LAT_MAX),
    };
}

struct geo_point geo_of_score(double score)
{
    /* Longitude 180 and the highest latitude lie one cell beyond the last. */
    static const double HASH_MAX = (double)(UINT64_C(1) << (2 * GEO_STEP_MAX + 2));
    return geo_decode((uint64_t)(score < 0 ? 0 : score > HASH_MAX ? HASH_MAX : score));
}

void geo_hash_text(struct geo_point point, char text[static GEO_HASH_TEXT_SIZE])
{
    static const char ALPHABET[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = encode(point, 90.0, GEO_STEP_MAX);
    for (int i = 0; i < GEO_HASH_TEXT_SIZE; i++) {
        int used = 5 * (i + 1);
        uint64_t index = used <= 52 ? bits >> (52 - used) & 31 : 0; /* 52 bits make 10 characters */
        text[i] = ALPHABET[index];
    }
}

/* ---- distances ---- */

static double lat_distance_m(double a, double b)
{
    return EARTH_RADIUS_M * fabs(b * RADIANS - a * RADIANS);
}

double geo_distance_m(struct geo_point a, struct geo_point b)
{
    double v = sin((b.lon * RADIANS - a.lon * RADIANS) / 2);
    if (v == 0.0)
        return lat_distance_m(a.lat, b.lat);
    double a_lat = a.lat * RADIANS, b_lat = b.lat * RADIANS;
    double u = sin((b_lat - a_lat) / 2);
    double share = u * u + cos(a_lat) * cos(b_lat) * v * v;
    return 2.0 * EARTH_RADIUS_M * asin(sqrt(share));
}

bool geo_contains(const struct geo_shape *shape, struct geo_point point, double *distance_m)
{
    if (!shape->is_box) {
        *distance_m = geo_distance_m(shape->center, point);
        return *distance_m <= shape->width_m;
    }
    /* Across, the distance is measured at the point's own latitude. */
    struct geo_point across = {shape->center.lon, point.lat};
    if (lat_distance_m(point.lat, shape->center.lat) > shape->height_m / 2 ||
        geo_distance_m(point, across) > shape->width_m / 2)
        return false;
    *distance_m = geo_distance_m(shape->center, point);
    return true;
}

/* ---- covering a shape with cells ---- */

/* Degrees around the centre; wider towards the pole, where a degree of longitude is shorter. */
static struct area bounds_of(const struct geo_shape *shape)
{
    double up_m = shape->is_box ? shape->height_m / 2 : shape->width_m;
    double side_m = shape->is_box ? shape->width_m / 2 : shape->width_m;
    double lat = up_m / EARTH_RADIUS_M / RADIANS;
    double far_lat = (fabs(shape->center.lat) + lat) * RADIANS;
    double shrink = far_lat >= M_PI / 2 ? 0 : cos(far_lat);
    double lon = shrink < 1e-9 ? 360 : side_m / EARTH_RADIUS_M / shrink / RADIANS;
    return (struct area){shape->center.lon - lon, shape->center.lon + lon, shape->center.lat - lat,
                         shape->center.lat + lat};
}

/* The finest step whose cells are as large as the bounds: then three by three are enough. */
static int step_for(const struct area *bounds)
{
    int step = GEO_STEP_MAX;
    double lon = (bounds->lon_max - bounds->lon_min) / 2,
           lat = (bounds->lat_max - bounds->lat_min) / 2;
    while (step > 1 && (2 * GEO_LON_MAX / (double)(UINT64_C(1) << step) < lon ||
                        2 * GEO_LAT_MAX / (double)(UINT64_C(1) << step) < lat))
        step--;
    return step;
}

static int add_cell(struct geo_range *ranges, int count, int64_t lat, int64_t lon, int step)
{
    uint64_t scale = UINT64_C(1) << (2 * (GEO_STEP_MAX - step));
    uint64_t from = interleave((uint32_t)lat, (uint32_t)lon) * scale;
    for (int i = 0; i < count; i++) {
        if (ranges[i].from == from)
            return count;
    }
    ASSERT(count < GEO_RANGES_MAX);
    ranges[count] = (struct geo_range){from, from + scale};
    return count + 1;
}

int geo_cover(const struct geo_shape *shape, struct geo_range ranges[static GEO_RANGES_MAX])
{
    struct area bounds = bounds_of(shape);
    int step = step_for(&bounds), count = 0;
    int64_t cells = INT64_C(1) << step;
    int64_t lat = cell_of(clamp(shape->center.lat, GEO_LAT_MAX), GEO_LAT_MAX, step);
    int64_t lon = cell_of(shape->center.lon, GEO_LON_MAX, step);
    for (int64_t y = lat - 1; y <= lat + 1; y++) {
        if (y < 0 || y > cells)
            continue;
        for (int64_t x = lon - 1; x <= lon + 1; x++) /* the earth is round */
            count = add_cell(ranges, count, y, (x + cells) % cells, step);
        if (lon == 0 ||
            lon + 1 >= cells) /* longitude 180 has a column of its own, behind the last */
            count = add_cell(ranges, count, y, cells, step);
    }
    return count;
}

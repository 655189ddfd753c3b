/* What the geo commands share: units, points, distances as arguments and replies. */
#pragma once

#include "commands/call.h"
#include "commands/geo_math.h"

/* Metres of one unit ("m", "km", "ft", "mi"); replies on false. */
bool geo_unit(struct call *c, int at, double *metres);
bool geo_point_arguments(struct call *c, int at, struct geo_point *point); /* lon, lat */
void geo_reply_distance(struct call *c, double distance);                  /* 4 places */
void geo_reply_point(struct call *c, struct geo_point point);

/* The functions behind geo_commands[] (geo_table.c):
 *   geo.c          members with coordinates: GEOADD, GEODIST, GEOHASH, GEOPOS
 *   geo_search.c   GEOSEARCH, GEORADIUS and their kin
 *   geo_math.c     hashes and distances */
#pragma once

struct call;

void geo_geoadd(struct call *c);
void geo_geodist(struct call *c);
void geo_geohash(struct call *c);
void geo_geopos(struct call *c);
void geo_geosearch(struct call *c);
void geo_geosearchstore(struct call *c);
void geo_georadius(struct call *c);
void geo_georadius_ro(struct call *c);
void geo_georadiusbymember(struct call *c);
void geo_georadiusbymember_ro(struct call *c);

/* The functions behind zset_commands[] (zset_table.c), one file per kind:
 *   zset.c          members and scores
 *   zset_range.c    ranges by rank, score and name
 *   zset_algebra.c  union, intersection, difference
 *   zset_pop.c      ZPOPMIN, ZMPOP and the blocking ones
 *   zset_random.c   ZRANDMEMBER, ZSCAN */
#pragma once

struct call;

void zset_zadd(struct call *c);
void zset_zincrby(struct call *c);
void zset_zrem(struct call *c);
void zset_zcard(struct call *c);
void zset_zscore(struct call *c);
void zset_zmscore(struct call *c);
void zset_zrank(struct call *c);
void zset_zrevrank(struct call *c);
void zset_zcount(struct call *c);
void zset_zlexcount(struct call *c);
void zset_zrange(struct call *c);
void zset_zrangestore(struct call *c);
void zset_zrevrange(struct call *c);
void zset_zrangebyscore(struct call *c);
void zset_zrevrangebyscore(struct call *c);
void zset_zrangebylex(struct call *c);
void zset_zrevrangebylex(struct call *c);
void zset_zremrangebyrank(struct call *c);
void zset_zremrangebyscore(struct call *c);
void zset_zremrangebylex(struct call *c);
void zset_zpopmin(struct call *c);
void zset_zpopmax(struct call *c);
void zset_zmpop(struct call *c);
void zset_bzpopmin(struct call *c);
void zset_bzpopmax(struct call *c);
void zset_bzmpop(struct call *c);
void zset_zunion(struct call *c);
void zset_zinter(struct call *c);
void zset_zdiff(struct call *c);
void zset_zunionstore(struct call *c);
void zset_zinterstore(struct call *c);
void zset_zdiffstore(struct call *c);
void zset_zintercard(struct call *c);
void zset_zrandmember(struct call *c);
void zset_zscan(struct call *c);

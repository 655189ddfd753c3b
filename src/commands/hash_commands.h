/* The functions behind hash_commands[] (hash_table.c), one file per kind:
 *   hash.c          fields and values
 *   hash_more.c     counters, HRANDFIELD, HSCAN
 *   hash_expire.c   fields that die */
#pragma once

struct call;

void hash_hset(struct call *c);
void hash_hsetnx(struct call *c);
void hash_hmset(struct call *c);
void hash_hget(struct call *c);
void hash_hmget(struct call *c);
void hash_hgetall(struct call *c);
void hash_hkeys(struct call *c);
void hash_hvals(struct call *c);
void hash_hlen(struct call *c);
void hash_hexists(struct call *c);
void hash_hdel(struct call *c);
void hash_hstrlen(struct call *c);
void hash_hincrby(struct call *c);
void hash_hincrbyfloat(struct call *c);
void hash_hrandfield(struct call *c);
void hash_hscan(struct call *c);
void hash_hexpire(struct call *c);
void hash_hpexpire(struct call *c);
void hash_hexpireat(struct call *c);
void hash_hpexpireat(struct call *c);
void hash_httl(struct call *c);
void hash_hpttl(struct call *c);
void hash_hexpiretime(struct call *c);
void hash_hpexpiretime(struct call *c);
void hash_hpersist(struct call *c);
void hash_hgetex(struct call *c);
void hash_hsetex(struct call *c);
void hash_hgetdel(struct call *c);

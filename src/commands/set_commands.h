/* The functions behind set_commands[] (set_table.c), one file per kind:
 *   set.c            members
 *   set_algebra.c    intersection, union, difference
 *   set_random.c     SPOP, SRANDMEMBER, SSCAN */
#pragma once

struct call;

void set_sadd(struct call *c);
void set_srem(struct call *c);
void set_smembers(struct call *c);
void set_sismember(struct call *c);
void set_smismember(struct call *c);
void set_scard(struct call *c);
void set_smove(struct call *c);
void set_sinter(struct call *c);
void set_sintercard(struct call *c);
void set_sinterstore(struct call *c);
void set_sunion(struct call *c);
void set_sunionstore(struct call *c);
void set_sdiff(struct call *c);
void set_sdiffstore(struct call *c);
void set_spop(struct call *c);
void set_srandmember(struct call *c);
void set_sscan(struct call *c);

/* The functions behind stream_commands[] (stream_table.c), one file per kind:
 *   stream.c            entries
 *   stream_delete.c     XDEL, XDELEX, XACKDEL
 *   stream_read.c       XREAD, XREADGROUP
 *   stream_group.c      XGROUP, XACK, XPENDING
 *   stream_claim.c      XCLAIM, XAUTOCLAIM
 *   stream_info.c       XINFO */
#pragma once

struct call;

void stream_xadd(struct call *c);
void stream_xlen(struct call *c);
void stream_xrange(struct call *c);
void stream_xrevrange(struct call *c);
void stream_xdel(struct call *c);
void stream_xdelex(struct call *c);
void stream_xackdel(struct call *c);
void stream_xtrim(struct call *c);
void stream_xsetid(struct call *c);
void stream_xcfgset(struct call *c);
void stream_xread(struct call *c);
void stream_xreadgroup(struct call *c);
void stream_xgroup_create(struct call *c);
void stream_xgroup_setid(struct call *c);
void stream_xgroup_destroy(struct call *c);
void stream_xgroup_createconsumer(struct call *c);
void stream_xgroup_delconsumer(struct call *c);
void stream_xgroup_help(struct call *c);
void stream_xack(struct call *c);
void stream_xpending(struct call *c);
void stream_xclaim(struct call *c);
void stream_xautoclaim(struct call *c);
void stream_xinfo_stream(struct call *c);
void stream_xinfo_groups(struct call *c);
void stream_xinfo_consumers(struct call *c);
void stream_xinfo_help(struct call *c);

/* The functions behind list_commands[] (list_table.c), one file per kind:
 *   list.c        elements by place and content
 *   list_move.c   pushing, popping, moving, and the forms that wait */
#pragma once

struct call;

void list_lpush(struct call *c);
void list_rpush(struct call *c);
void list_lpushx(struct call *c);
void list_rpushx(struct call *c);
void list_lpop(struct call *c);
void list_rpop(struct call *c);
void list_llen(struct call *c);
void list_lrange(struct call *c);
void list_lindex(struct call *c);
void list_lset(struct call *c);
void list_linsert(struct call *c);
void list_lrem(struct call *c);
void list_ltrim(struct call *c);
void list_lpos(struct call *c);
void list_lmove(struct call *c);
void list_rpoplpush(struct call *c);
void list_lmpop(struct call *c);
void list_blpop(struct call *c);
void list_brpop(struct call *c);
void list_blmove(struct call *c);
void list_brpoplpush(struct call *c);
void list_blmpop(struct call *c);

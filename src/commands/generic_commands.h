/* The functions behind generic_commands[] (generic_table.c):
 *   generic.c       keys as such: existence, deletion, names
 *   expire.c        times to live
 *   copy.c          COPY and MOVE, which may work on two databases
 *   object_info.c   OBJECT and its subcommands */
#pragma once

struct call;

void generic_del(struct call *c);
void generic_exists(struct call *c);
void generic_touch(struct call *c);
void generic_type(struct call *c);
void generic_rename(struct call *c);
void generic_renamenx(struct call *c);
void expire_expire(struct call *c);
void expire_pexpire(struct call *c);
void expire_expireat(struct call *c);
void expire_pexpireat(struct call *c);
void expire_ttl(struct call *c);
void expire_pttl(struct call *c);
void expire_expiretime(struct call *c);
void expire_pexpiretime(struct call *c);
void expire_persist(struct call *c);
void generic_dump(struct call *c);
void generic_restore(struct call *c);
void generic_sort(struct call *c);
void generic_sort_ro(struct call *c);
void copy_copy(struct call *c);
void copy_move(struct call *c);
void object_encoding(struct call *c);
void object_freq(struct call *c);
void object_idletime(struct call *c);
void object_refcount(struct call *c);
void object_help(struct call *c);

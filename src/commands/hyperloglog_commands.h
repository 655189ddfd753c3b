/* The functions behind hyperloglog_commands[] (hyperloglog_table.c):
 *   hyperloglog.c        PFADD PFCOUNT PFMERGE
 *   hyperloglog_debug.c  PFDEBUG PFSELFTEST */
#pragma once

#include "base/bytes.h"

struct call;
struct object;

void hyperloglog_pfadd(struct call *c);
void hyperloglog_pfcount(struct call *c);
void hyperloglog_pfmerge(struct call *c);
void hyperloglog_pfdebug(struct call *c);
void hyperloglog_pfselftest(struct call *c);

/* A key's HyperLogLog: false after an error reply when it holds something else. *object may be NULL
 * on true. */
bool hyperloglog_find(struct call *c, struct bytes key, struct object **object);

/* Its bytes; those of a short string too. */
struct bytes hyperloglog_value(const struct object *object);

/* Room in the entry for a new value of the key; replies on false. */
bool hyperloglog_reserve(struct call *c, struct bytes key, size_t size);

/* The key becomes value; of one of the same size only the chunks that differ are written. */
void hyperloglog_store(struct call *c, struct bytes key, struct bytes value);

void hyperloglog_error_damaged(struct call *c);

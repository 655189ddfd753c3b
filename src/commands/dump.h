/* Values in Redis's serialized form: what DUMP writes and RESTORE reads (codec/rdb.h). */
#pragma once

#include "base/buf.h"
#include "types/object.h"
#include "types/value.h"

/* What is to be serialized. */
struct dump_source {
    uint8_t type;
    struct bytes text;         /* of a string */
    const struct value *value; /* of anything else */
};

/* Borrows from the object and from scratch (STRING_INT_TEXT_MAX bytes). */
struct dump_source dump_source(const struct object *object, char *scratch);

/* It takes long enough for a helper thread, which may read it (call_run_aside). */
bool dump_is_big(const struct dump_source *source);

/* Replaces nothing: out is empty and gets the whole payload. Any thread. */
void dump_write(const struct dump_source *source, struct buf *out);

void dump_stream(const struct value *stream, struct buf *out);

/* A value that is no string, from what follows its type; NULL: bad data. */
struct value *restore_value(uint8_t type, struct bytes rest, const struct type_env *env);
struct value *restore_stream(uint8_t type, struct bytes rest, const struct type_env *env);

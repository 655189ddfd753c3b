/* Values in Redis's serialized form: what DUMP writes and RESTORE reads (codec/rdb.h). */
#pragma once

#include "base/buf.h"
#include "types/object.h"
#include "types/value.h"

/* Appends type and value; without the footer. */
void dump_object(const struct object *object, struct buf *out);
void dump_stream(const struct value *stream, struct buf *out);

/* A value that is no string, from what follows its type; NULL: bad data. */
struct value *restore_value(uint8_t type, struct bytes rest, const struct type_env *env);
struct value *restore_stream(uint8_t type, struct bytes rest, const struct type_env *env);

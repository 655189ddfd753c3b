/* OBJECT: how a key is kept in memory. Encodings bear the names and limits that Redis would report,
 * because that is what clients and tests compare with; how values really lie in memory is another
 * matter (types/object.h), and so a value has one reference, always. */
#include "commands/call.h"
#include "commands/generic_commands.h"
#include "commands/help.h"
#include "commands/string_commands.h"

enum { EMBSTR_SIZE_MAX = 44 };

/* The object; nil is replied when there is none. */
static struct object *find_or_null(struct call *c)
{
    struct object *object = call_find(c, c->argv[2]);
    if (object == NULL)
        reply_null(&c->reply);
    return object;
}

static const char *encoding_name(const struct object *object)
{
    int64_t value;
    if (object->type != TYPE_STRING)
        return type_of(object->type)->encoding(object_pointer(object));
    if (string_to_int(object, &value))
        return "int";
    return string_size(object) <= EMBSTR_SIZE_MAX ? "embstr" : "raw";
}

void object_encoding(struct call *c)
{
    const struct object *object = find_or_null(c);
    if (object != NULL)
        reply_bulk_string(&c->reply, encoding_name(object));
}

void object_refcount(struct call *c)
{
    if (find_or_null(c) != NULL)
        reply_int(&c->reply, 1);
}

void object_idletime(struct call *c)
{
    const struct object *object = find_or_null(c);
    if (object != NULL)
        reply_int(&c->reply, call_idle_seconds(c, object));
}

/* Pages are chosen by when they were used, never by how often. */
void object_freq(struct call *c)
{
    if (find_or_null(c) == NULL)
        return;
    call_error(c, "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                  "Please note that when switching between policies at runtime LRU and LFU data "
                  "will take some time to adjust.");
}

void object_help(struct call *c)
{
    static const char *const lines[] = {
        "ENCODING <key>",
        "    Name of the representation that holds the value of <key>.",
        "FREQ <key>",
        "    How often <key> is used, on a logarithmic scale.",
        "IDLETIME <key>",
        "    Seconds since <key> was last used, about.",
        "REFCOUNT <key>",
        "    Number of references to the value of <key>.",
        NULL,
    };
    help_reply(c, "OBJECT", lines);
}

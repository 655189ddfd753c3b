/* A client that knows what the databases must hold: sets, big values, deletes and transactions,
 * each with values of its own. When it is connected anew it reads everything back, which must be
 * what a prefix of its requests leaves, one that holds all that was answered, and no half of a
 * transaction (the fold of the committed log, seen from outside). */
#pragma once

#include "base/buf.h"
#include "base/prng.h"
#include "server/frontend.h"

enum {
    WRITER_KEYS = 10,
    WRITER_CHANGES_MAX = 3,
    WRITER_OPS_MAX = 4096,
    WRITER_DEPTH_MAX = 3, /* requests under way */
};

struct writer_op {
    int count; /* of changes; more than one: a MULTI block */
    int replies;
    bool is_refused; /* answered with an error that says that nothing was done */
    struct {
        int key;
        uint32_t value; /* 0: deleted */
    } changes[WRITER_CHANGES_MAX];
};

struct writer {
    struct client *client; /* NULL: not connected */
    struct prng prng;
    struct buf unsent, received;
    struct writer_op ops[WRITER_OPS_MAX]; /* from the last reading back on */
    size_t count, answered;
    uint32_t first[WRITER_KEYS]; /* before ops[0] */
    uint32_t serial;
    bool may_forget; /* what was answered may be gone: it was promised before it was synced */
    bool is_reading;
    int keys_read;
    uint32_t found[WRITER_KEYS];
    uint64_t replies, readings;
    char broken[256]; /* what was violated; "": nothing */
};

void writer_init(struct writer *writer, uint64_t seed);
void writer_fini(struct writer *writer);

void writer_connect(struct writer *writer, struct server *server);
void writer_disconnect(struct writer *writer);

void writer_send(struct writer *writer);    /* one more request, when not too many are under way */
void writer_receive(struct writer *writer); /* takes and judges replies */
bool writer_is_idle(const struct writer *writer); /* connected, read back, all answered */

/* MIGRATE: keys go to another server, by RESTORE in Redis's own form, and those that it took are
 * deleted here.
 *
 * The run looks its keys up, waits until what it saw is committed (L1: the other server is somebody
 * who sees it), and sends a courier. While the courier is away the shard executes nothing else, so
 * the keys cannot change; all other shards go on. A courier that nobody waits for any more (the
 * lead was lost, the process ends) turns round; then nothing is deleted here, whatever the target
 * took.
 */
#include "base/mem.h"
#include "base/number.h"
#include "commands/command_rows.h"
#include "commands/dump.h"
#include "exec/internal.h"
#include "keyspace/slot.h"
#include "net/exchange.h"

enum {
    TIMEOUT_DEFAULT_MS = 1000,
    TIMEOUT_MAX_MS = 1 << 30,
    SEND_SIZE = 256 << 10, /* requests are gathered up to so much */
    ERROR_SIZE = 512,
};

struct parcel {
    struct bytes key; /* the request's: it is there until the run has ended */
    struct buf owned_key;
    int64_t ttl_ms; /* 0: none */
    struct dump_source source;
    struct buf payload; /* made beforehand of what is not big */
    bool was_taken;     /* the target said OK */
};

struct migration {
    struct call_aside aside; /* first: a pointer to it is one to the migration */

    /* What was asked for. */
    char host[256];
    uint16_t port;
    int64_t database;
    uint32_t timeout_ms;
    bool copies, replaces;
    bool has_user, has_password;
    struct buf user, password;
    struct parcel *parcels;
    size_t count;

    /* What the courier brings back. */
    const char *io_error;          /* NULL: none */
    char target_error[ERROR_SIZE]; /* the first; "": none */
};

static void migration_free(struct call_aside *aside)
{
    struct migration *migration = (struct migration *)aside;
    for (size_t i = 0; i < migration->count; i++) {
        buf_free(&migration->parcels[i].owned_key);
        buf_free(&migration->parcels[i].payload);
    }
    mem_free(migration->parcels);
    buf_free(&migration->user);
    buf_free(&migration->password);
    mem_free(migration);
}

/* ---- the courier, on its thread ---- */

static const char *const CONNECTING = "IOERR error or timeout connecting to the client";
static const char *const WRITING = "IOERR error or timeout writing to target instance";
static const char *const READING = "IOERR error or timeout reading to target instance";

static void put_word(struct buf *out, struct bytes word)
{
    buf_printf(out, "$%zu\r\n", word.size);
    buf_append(out, word);
    buf_append_string(out, "\r\n");
}

static void put_text(struct buf *out, const char *word)
{
    put_word(out, bytes_of_string(word));
}

static void put_int(struct buf *out, int64_t value)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    put_word(out, bytes_of(text, number_format_i64(text, value)));
}

static void put_greeting(const struct migration *migration, struct buf *out)
{
    if (migration->has_password) {
        buf_append_string(out, migration->has_user ? "*3\r\n" : "*2\r\n");
        put_text(out, "AUTH");
        if (migration->has_user)
            put_word(out, buf_bytes(&migration->user));
        put_word(out, buf_bytes(&migration->password));
    }
    buf_append_string(out, "*2\r\n");
    put_text(out, "SELECT");
    put_int(out, migration->database);
}

static void put_parcel(const struct migration *migration, struct parcel *parcel, struct buf *out)
{
    if (parcel->payload.size == 0)
        dump_write(&parcel->source, &parcel->payload);
    buf_append_string(out, migration->replaces ? "*5\r\n" : "*4\r\n");
    put_text(out, "RESTORE");
    put_word(out, buf_bytes(&parcel->owned_key));
    put_int(out, parcel->ttl_ms);
    put_word(out, buf_bytes(&parcel->payload));
    if (migration->replaces)
        put_text(out, "REPLACE");
    buf_free(&parcel->payload);
}

static bool send_all(struct migration *migration, struct exchange *exchange)
{
    struct buf out = {0};
    bool is_sent = true;
    put_greeting(migration, &out);
    for (size_t i = 0; i < migration->count && is_sent; i++) {
        put_parcel(migration, &migration->parcels[i], &out);
        if (out.size < SEND_SIZE && i + 1 < migration->count)
            continue;
        is_sent = exchange_send(exchange, buf_bytes(&out)) == EXCHANGE_OK;
        buf_clear(&out);
    }
    buf_free(&out);
    if (!is_sent)
        migration->io_error = WRITING;
    return is_sent;
}

/* False: no answer came. What is no error counts as consent only when it says so (L11). */
static bool read_answer(struct migration *migration, struct exchange *exchange, bool *is_ok)
{
    struct bytes line;
    *is_ok = false;
    if (exchange_read_line(exchange, &line) != EXCHANGE_OK || line.size == 0) {
        migration->io_error = READING;
        return false;
    }
    *is_ok = line.data[0] == '+';
    if (*is_ok || migration->target_error[0] != 0)
        return true;
    size_t size = line.size - 1 < ERROR_SIZE - 1 ? line.size - 1 : ERROR_SIZE - 1;
    memcpy(migration->target_error, line.data + 1, size);
    migration->target_error[size] = 0;
    return true;
}

/* Where AUTH or SELECT was refused, nothing that the target then takes stands where it was meant
 * to: it counts as refused, too. */
static void read_all(struct migration *migration, struct exchange *exchange)
{
    bool is_welcome = true, is_ok;
    for (int i = migration->has_password ? 0 : 1; i < 2; i++) {
        if (!read_answer(migration, exchange, &is_ok))
            return;
        is_welcome &= is_ok;
    }
    for (size_t i = 0; i < migration->count; i++) {
        if (!read_answer(migration, exchange, &is_ok))
            return;
        migration->parcels[i].was_taken = is_ok && is_welcome;
    }
}

static void migration_run(struct call_aside *aside)
{
    struct migration *migration = (struct migration *)aside;
    struct exchange exchange;
    switch (exchange_open(&exchange, migration->host, migration->port, migration->timeout_ms,
                          &aside->is_given_up)) {
    case EXCHANGE_OK:
        if (send_all(migration, &exchange))
            read_all(migration, &exchange);
        break;
    case EXCHANGE_UNREACHABLE:
        migration->io_error = CONNECTING;
        break;
    case EXCHANGE_REFUSED: /* Redis notices it no earlier than at its first write */
    case EXCHANGE_BROKEN:
        migration->io_error = WRITING;
        break;
    }
    exchange_close(&exchange);
}

/* ---- arguments ---- */

static void keep(struct buf *where, struct bytes word)
{
    buf_clear(where);
    buf_append(where, word);
}

/* Keys are argv[*first] and on. */
static bool parse_options(struct call *c, struct migration *migration, int *first, int *count)
{
    *first = 3;
    *count = 1;
    for (int at = 6; at < c->argc; at++) {
        int more = c->argc - at - 1;
        if (call_is_word(c, at, "copy")) {
            migration->copies = true;
        } else if (call_is_word(c, at, "replace")) {
            migration->replaces = true;
        } else if (call_is_word(c, at, "auth") && more >= 1) {
            migration->has_password = true;
            migration->has_user = false;
            keep(&migration->password, c->argv[++at]);
        } else if (call_is_word(c, at, "auth2") && more >= 2) {
            migration->has_password = migration->has_user = true;
            keep(&migration->user, c->argv[++at]);
            keep(&migration->password, c->argv[++at]);
        } else if (call_is_word(c, at, "keys") && c->argv[3].size > 0) {
            call_error(c, "ERR When using MIGRATE KEYS option, the key argument must be set to the "
                          "empty string");
            return false;
        } else if (call_is_word(c, at, "keys")) {
            *first = at + 1;
            *count = more;
            return true;
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    return true;
}

/* A port that is none is refused like one where nobody listens. */
static void take_address(struct call *c, struct migration *migration)
{
    int64_t port;
    size_t size = c->argv[1].size < sizeof(migration->host) ? c->argv[1].size : 0;
    memcpy(migration->host, c->argv[1].data, size);
    migration->host[size] = 0;
    bool is_port = number_parse_i64(c->argv[2], &port) && port > 0 && port <= UINT16_MAX;
    migration->port = is_port ? (uint16_t)port : 0;
}

static bool parse(struct call *c, struct migration *migration, int *first, int *count)
{
    int64_t timeout_ms;
    if (!parse_options(c, migration, first, count) || !call_int(c, 5, &timeout_ms) ||
        !call_int(c, 4, &migration->database))
        return false;
    if (timeout_ms <= 0)
        timeout_ms = TIMEOUT_DEFAULT_MS;
    migration->timeout_ms =
        timeout_ms < TIMEOUT_MAX_MS ? (uint32_t)timeout_ms : (uint32_t)TIMEOUT_MAX_MS;
    take_address(c, migration);
    return true;
}

/* Where keys stand in the arguments is told for most cases only (KEY_INCOMPLETE), so it is checked
 * again. */
static bool are_of_this_shard(struct call *c, const struct bytes *keys, int count)
{
    const struct run *run = run_of(c);
    for (int i = 0; i < count; i++) {
        uint32_t shard = router_shard_of_slot(run->exec->shard_count, slot_of_key(keys[i]));
        if (shard == run->shard->id)
            continue;
        call_error(c, "CROSSSLOT Keys in request don't hash to the same slot");
        return false;
    }
    return true;
}

/* ---- the run ---- */

/* What is found waits at c->gate, be it the deletion of what was found expired: so the entry closes
 * here, though the run goes on. False: the run is over. */
static bool wait_until_committed(struct call *c, const struct bytes *keys, int count)
{
    struct run *run = run_of(c);
    for (int i = 0; i < count && !c->is_broken; i++)
        (void)call_find(c, keys[i]);
    c->found_count = 0; /* what is deleted leaves memory when that is committed */
    exec_close_entry(run->shard);
    run->changes_from = run->shard->hot->tail;
    while (!run->is_cancelled && shard_applied_index(run->shard->shard) < c->gate)
        exec_wait_a_turn(run);
    if (run->is_cancelled || c->is_broken)
        return false;
    exec_open_entry(run->shard);
    return true;
}

static void pack(struct call *c, struct migration *migration, struct bytes key,
                 const struct object *object)
{
    char scratch[STRING_INT_TEXT_MAX];
    struct parcel *parcel = &migration->parcels[migration->count++];
    int64_t expire_ms = call_expire_ms(c, object);
    *parcel = (struct parcel){.key = key, .source = dump_source(object, scratch)};
    keep(&parcel->owned_key, key);
    if (expire_ms != 0)
        parcel->ttl_ms = expire_ms > c->now_ms ? expire_ms - c->now_ms : 1;
    if (!dump_is_big(&parcel->source))
        dump_write(&parcel->source, &parcel->payload);
}

/* Objects that were found stay: while the run waits for the next key nothing is paged out. */
static bool pack_all(struct call *c, struct migration *migration, const struct bytes *keys,
                     int count)
{
    migration->parcels = mem_zero(((size_t)count + 1) * sizeof(*migration->parcels));
    for (int i = 0; i < count && !c->is_broken; i++) {
        const struct object *object = call_find(c, keys[i]);
        if (object != NULL)
            pack(c, migration, keys[i], object);
    }
    return !c->is_broken;
}

static void unpack(struct call *c, const struct migration *migration)
{
    for (size_t i = 0; i < migration->count && !migration->copies; i++) {
        const struct parcel *parcel = &migration->parcels[i];
        if (parcel->was_taken && call_delete(c, parcel->key))
            call_notify(c, 'g', "del", parcel->key);
    }
    if (migration->target_error[0] != 0)
        call_error(c, "ERR Target instance replied with error: %s", migration->target_error);
    else if (migration->io_error != NULL)
        call_error(c, "%s", migration->io_error);
    else
        reply_ok(&c->reply);
}

/* True: the migration is the caller's still. */
static bool migrate(struct call *c, struct migration *migration)
{
    int first, count;
    if (!parse(c, migration, &first, &count))
        return true;
    const struct bytes *keys = c->argv + first;
    if (!are_of_this_shard(c, keys, count) || !wait_until_committed(c, keys, count) ||
        !pack_all(c, migration, keys, count))
        return true;
    if (migration->count == 0) {
        reply_simple(&c->reply, "NOKEY");
        return true;
    }
    struct run *run = run_of(c);
    run->lost_text = "IOERR the lead was lost in the middle: nothing was deleted here, the target "
                     "may have some of the keys";
    if (!exec_run_aside(run, run->exec->couriers, &migration->aside))
        return false;
    unpack(c, migration);
    return true;
}

/* In a transaction the keys would leave before what the transaction did to them is committed. */
static void migrate_command(struct call *c)
{
    if (c->in_transaction) {
        call_error(c, "ERR MIGRATE is not allowed in transactions");
        return;
    }
    struct migration *migration = mem_zero(sizeof(*migration));
    migration->aside.run = migration_run;
    migration->aside.free = migration_free;
    if (migrate(c, migration))
        migration_free(&migration->aside);
}

static const struct argument KEY_PARTS[] = {
    ARGUMENT("key", ARG_KEY),
    ARGUMENT_WORD("empty-string", "", 0),
    ARGUMENTS_END,
};

static const struct argument USER_PARTS[] = {
    ARGUMENT("username", ARG_STRING),
    ARGUMENT("password", ARG_STRING),
    ARGUMENTS_END,
};

static const struct argument AUTH_PARTS[] = {
    {.name = "password", .type = ARG_STRING, .token = "AUTH", .since = "4.0.7"},
    {.name = "username-password",
     .type = ARG_BLOCK,
     .token = "AUTH2",
     .since = "6.0.0",
     .parts = USER_PARTS},
    ARGUMENTS_END,
};

static const struct argument MIGRATE_ARGUMENTS[] = {
    ARGUMENT("host", ARG_STRING),
    ARGUMENT("port", ARG_INTEGER),
    {.name = "key-selector", .type = ARG_ONEOF, .parts = KEY_PARTS},
    ARGUMENT("destination-db", ARG_INTEGER),
    ARGUMENT("timeout", ARG_INTEGER),
    {.name = "copy",
     .type = ARG_PURE_TOKEN,
     .flags = ARG_OPTIONAL,
     .token = "COPY",
     .since = "3.0.0"},
    {.name = "replace",
     .type = ARG_PURE_TOKEN,
     .flags = ARG_OPTIONAL,
     .token = "REPLACE",
     .since = "3.0.0"},
    {.name = "authentication", .type = ARG_ONEOF, .flags = ARG_OPTIONAL, .parts = AUTH_PARTS},
    {.name = "keys",
     .type = ARG_KEY,
     .flags = ARG_OPTIONAL | ARG_MULTIPLE,
     .token = "KEYS",
     .since = "3.0.6",
     .key_spec = 1},
    ARGUMENTS_END,
};

static const struct command_history MIGRATE_HISTORY[] = {
    {"3.0.0", "Options COPY and REPLACE."},
    {"3.0.6", "Option KEYS."},
    {"4.0.7", "Option AUTH."},
    {"6.0.0", "Option AUTH2."},
    {0},
};

static const char *const MIGRATE_TIPS[] = {"nondeterministic_output", NULL};

const struct command exec_migrate_commands[] = {
    {.name = "migrate",
     .summary = "Moves keys to another server.",
     .complexity = "O(N) in the size of the values: DUMP and DEL here, RESTORE there.",
     .since = "2.6.0",
     .group = GROUP_GENERIC,
     .arity = -6,
     .flags = CMD_WRITE | CMD_SUSPENDS,
     .function = migrate_command,
     .key_specs = {{.begin = KEY_BEGIN_INDEX,
                    .begin_index = 3,
                    .step = 1,
                    .flags = KEY_RW | KEY_ACCESS | KEY_DELETE,
                    .skips_empty = true},
                   {.begin = KEY_BEGIN_KEYWORD,
                    .begin_keyword = "KEYS",
                    .begin_index = -2,
                    .last = -1,
                    .step = 1,
                    .flags = KEY_RW | KEY_ACCESS | KEY_DELETE | KEY_INCOMPLETE}},
     .arguments = MIGRATE_ARGUMENTS,
     .history = MIGRATE_HISTORY,
     .tips = MIGRATE_TIPS,
     .acl_extra = "@dangerous"},
    {0},
};

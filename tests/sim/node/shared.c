#include "shared.h"

#include "base/number.h"
#include "op.h"
#include "server/frontend.h"

enum { MILLION = 1000000, TICKET_DIGITS_MAX = 20 };

enum shared_kind {
    SHARED_NOTHING,
    SHARED_SELECT,
    SHARED_INCR,
    SHARED_GET,
    SHARED_MOVE,
    SHARED_SUM,
    SHARED_WRITE_PAIR,
    SHARED_READ_PAIR,
    SHARED_WATCH_TICKET,
    SHARED_TAKE_TICKET,
};

void shared_init(struct shared *shared, struct world *world, int count)
{
    ASSERT(count <= SHARED_CLIENTS_MAX);
    *shared = (struct shared){.world = world, .count = count};
    shared->prng = prng_init(prng_next(&world->prng));
    shared->value_max = prng_chance(&shared->prng, MILLION / 2) ? 10 : 10000;
}

void shared_fini(struct shared *shared)
{
    for (int i = 0; i < shared->count; i++) {
        buf_free(&shared->clients[i].received);
        buf_free(&shared->clients[i].unsent);
    }
}

/* ---- asking ---- */

/* Words separated by spaces; commands by ';'. */
static void ask(struct shared_client *c, enum shared_kind kind, const char *text)
{
    c->kind = (int)kind;
    c->replies_due = 0;
    while (*text != 0) {
        size_t size = strcspn(text, ";");
        int words = 1;
        for (size_t i = 0; i < size; i++)
            words += text[i] == ' ';
        buf_printf(&c->unsent, "*%d\r\n", words);
        for (size_t at = 0; at < size; at++) {
            size_t word = strcspn(text + at, " ;");
            buf_printf(&c->unsent, "$%zu\r\n%.*s\r\n", word, (int)word, text + at);
            at += word;
        }
        c->replies_due++;
        text += size + (text[size] == ';');
    }
}

static void ask_printf(struct shared_client *c, enum shared_kind kind, struct buf *text)
{
    buf_append_u8(text, 0);
    ask(c, kind, (const char *)text->data);
    buf_free(text);
}

static void ask_move(struct shared *shared, struct shared_client *c)
{
    struct buf text = {0};
    int amount = (int)prng_below(&shared->prng, 100);
    int from = (int)prng_below(&shared->prng, 3);
    buf_printf(&text, "MULTI;DECRBY {t}%d %d;INCRBY {t}%d %d;EXEC", from, amount,
               (from + 1 + (int)prng_below(&shared->prng, 2)) % 3, amount);
    ask_printf(c, SHARED_MOVE, &text);
}

static void ask_write_pair(struct shared *shared, struct shared_client *c)
{
    struct buf value = {0}, text = {0};
    buf_printf(&value, "%llu.", (unsigned long long)++shared->serial);
    size_t more = (size_t)prng_below(&shared->prng, shared->value_max);
    memset(buf_extend(&value, more), 'v', more);
    buf_append_string(&text, "MULTI;SET {p}1 ");
    buf_append(&text, buf_bytes(&value));
    buf_append_string(&text, ";SET {p}2 ");
    buf_append(&text, buf_bytes(&value));
    buf_append_string(&text, ";EXEC");
    buf_free(&value);
    ask_printf(c, SHARED_WRITE_PAIR, &text);
}

static void ask_ticket(struct shared_client *c, int64_t ticket)
{
    struct buf text = {0};
    c->ticket = ticket;
    buf_printf(&text, "MULTI;SET {w}n %lld;EXEC", (long long)ticket);
    ask_printf(c, SHARED_TAKE_TICKET, &text);
}

static void ask_something(struct shared *shared, struct shared_client *c)
{
    c->floor = shared->counter_seen;
    switch (prng_below(&shared->prng, 7)) {
    case 0:
        shared->incr_sent++;
        ask(c, SHARED_INCR, "INCR {c}n");
        break;
    case 1:
        ask(c, SHARED_GET, "GET {c}n");
        break;
    case 2:
        ask_move(shared, c);
        break;
    case 3:
        ask(c, SHARED_SUM, "MGET {t}0 {t}1 {t}2");
        break;
    case 4:
        ask_write_pair(shared, c);
        break;
    case 5:
        ask(c, SHARED_READ_PAIR, "MGET {p}1 {p}2");
        break;
    default:
        ask(c, SHARED_WATCH_TICKET, "WATCH {w}n;GET {w}n");
        break;
    }
}

static void hand_over(struct shared_client *c)
{
    if (c->client != NULL && c->unsent.size > 0 &&
        server_client_input(c->client, buf_bytes(&c->unsent)))
        buf_clear(&c->unsent);
}

void shared_connect(struct shared *shared)
{
    for (int i = 0; i < shared->count; i++) {
        struct shared_client *c = &shared->clients[i];
        c->client = server_client_new(node_server(shared->world->node));
        ask(c, SHARED_SELECT, "SELECT 15");
        hand_over(c);
    }
}

void shared_disconnect(struct shared *shared)
{
    for (int i = 0; i < shared->count; i++) {
        struct shared_client *c = &shared->clients[i];
        server_client_free(c->client);
        c->client = NULL;
        c->kind = SHARED_NOTHING;
        buf_clear(&c->unsent);
        buf_clear(&c->received);
    }
}

void shared_note_loss(struct shared *shared)
{
    shared->counter_seen = 0;
    memset(shared->is_given, 0, sizeof(shared->is_given));
}

void shared_send(struct shared *shared)
{
    for (int i = 0; i < shared->count; i++) {
        struct shared_client *c = &shared->clients[i];
        if (c->client != NULL && c->kind == SHARED_NOTHING)
            ask_something(shared, c);
        hand_over(c);
    }
}

bool shared_is_idle(const struct shared *shared)
{
    for (int i = 0; i < shared->count; i++) {
        if (shared->clients[i].kind != SHARED_NOTHING)
            return false;
    }
    return true;
}

/* ---- judging ---- */

static void wrong(const struct shared *shared, const char *what, struct bytes reply)
{
    world_violation(shared->world, "shared keys: %s: %.*s", what,
                    reply.size < 120 ? (int)reply.size : 120, (const char *)reply.data);
}

/* "$-1" counts as 0. */
static int64_t take_number(const struct shared *shared, struct bytes *rest)
{
    struct bytes before = *rest;
    struct bytes text;
    int64_t number = 0;
    if (reply_starts(before, "$-1\r\n")) {
        *rest = bytes_of(before.data + 5, before.size - 5);
        return 0;
    }
    if (!reply_take_bulk(rest, &text) || !number_parse_i64(text, &number))
        wrong(shared, "not a number", before);
    return number;
}

static void judge_counter(struct shared *shared, const struct shared_client *c, int64_t value,
                          int64_t min, struct bytes reply)
{
    if (value < min)
        wrong(shared, "the counter went back", reply);
    if (value > shared->incr_sent)
        wrong(shared, "the counter counted twice", reply);
    if (value > shared->counter_seen)
        shared->counter_seen = value;
    (void)c;
}

static void judge_sum(const struct shared *shared, struct bytes reply)
{
    struct bytes rest = reply;
    int64_t sum = 0;
    int64_t count;
    if (!reply_take_count(&rest, &count) || count != 3)
        wrong(shared, "not three numbers", reply);
    for (int i = 0; i < 3; i++)
        sum += take_number(shared, &rest);
    if (sum != 0)
        wrong(shared, "half a transaction is seen in the sum", reply);
}

static void judge_pair(const struct shared *shared, struct bytes reply)
{
    struct bytes rest = reply;
    struct bytes first, second;
    int64_t count;
    if (bytes_equal(reply, BYTES_LITERAL("*2\r\n$-1\r\n$-1\r\n")))
        return;
    if (!reply_take_count(&rest, &count) || !reply_take_bulk(&rest, &first) ||
        !reply_take_bulk(&rest, &second) || !bytes_equal(first, second))
        wrong(shared, "half a transaction is seen in the pair", reply);
}

static void judge_ticket(struct shared *shared, const struct shared_client *c, struct bytes reply)
{
    if (reply_starts(reply, "*-1") || c->ticket >= SHARED_TICKETS_MAX)
        return;
    if (shared->is_given[c->ticket])
        wrong(shared, "a ticket was given out twice", reply);
    shared->is_given[c->ticket] = true;
}

static bool is_refusal(const struct shared *shared, struct bytes reply)
{
    if (reply_starts(reply, "-MISCONF") || reply_starts(reply, "-EXECABORT"))
        return shared->world->had_full;
    return reply_starts(reply, "-IOERR") && shared->world->had_read_fault;
}

static void judge(struct shared *shared, struct shared_client *c, struct bytes reply)
{
    struct bytes rest = reply;
    int64_t number = 0;
    enum shared_kind kind = (enum shared_kind)c->kind;
    shared->replies++;
    c->kind = SHARED_NOTHING;
    world_trace(shared->world, "shared, kind %d: %.*s", (int)kind,
                reply.size < 40 ? (int)reply.size : 40, (const char *)reply.data);
    if (is_refusal(shared, reply)) {
        if (kind == SHARED_WATCH_TICKET) /* the key is watched all the same */
            ask(c, SHARED_SELECT, "UNWATCH");
        return;
    }
    if (reply_starts(reply, "-"))
        wrong(shared, "an error", reply);
    switch (kind) {
    case SHARED_NOTHING:
    case SHARED_SELECT:
    case SHARED_MOVE:
    case SHARED_WRITE_PAIR:
        break;
    case SHARED_INCR:
        if (!reply_take_count(&rest, &number))
            wrong(shared, "not a number", reply);
        judge_counter(shared, c, number, c->floor + 1, reply);
        break;
    case SHARED_GET:
        judge_counter(shared, c, take_number(shared, &rest), c->floor, reply);
        break;
    case SHARED_SUM:
        judge_sum(shared, reply);
        break;
    case SHARED_READ_PAIR:
        judge_pair(shared, reply);
        break;
    case SHARED_WATCH_TICKET:
        ask_ticket(c, take_number(shared, &rest) + 1);
        break;
    case SHARED_TAKE_TICKET:
        judge_ticket(shared, c, reply);
        break;
    }
}

static size_t receive(struct shared *shared, struct shared_client *c)
{
    size_t at = 0;
    struct bytes last = {0};
    hand_over(c);
    (void)server_client_output(c->client, &c->received);
    for (int i = 0; i < c->replies_due; i++) {
        size_t size = reply_size(bytes_of(c->received.data + at, c->received.size - at));
        if (size == 0)
            return 0;
        last = bytes_of(c->received.data + at, size);
        at += size;
    }
    struct buf reply = {0};
    buf_append(&reply, last);
    buf_consume(&c->received, at);
    judge(shared, c, buf_bytes(&reply));
    buf_free(&reply);
    hand_over(c);
    return 1;
}

size_t shared_receive(struct shared *shared)
{
    size_t count = 0;
    for (int i = 0; i < shared->count; i++) {
        struct shared_client *c = &shared->clients[i];
        if (c->client != NULL && c->kind != SHARED_NOTHING)
            count += receive(shared, c);
    }
    return count;
}

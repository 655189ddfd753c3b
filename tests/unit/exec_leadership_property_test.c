/* Whatever is executed while the lead is lost and won again: what memory says in the end is what a
 * process that knows nothing but the rows says (L7), counts and misses included. */
#include "exec_rival.h"

#include "base/prng.h"

enum { SEEDS = 40, STEPS = 250, KEYS = 12, DATABASES = 2 };

static void draw_line(struct prng *prng, char *line, size_t size)
{
    static const char *const FORMS[] = {
        "SET %s v%u",    "SET %s %u",      "DEL %s",           "INCR %s",
        "APPEND %s x%u", "RPUSH %s a%u b", "LPOP %s",          "HSET %s f%u 1",
        "HDEL %s f%u",   "SADD %s m%u n",  "SPOP %s",          "PEXPIRE %s 100000%u",
        "PERSIST %s",    "ZADD %s %u m",   "SETRANGE %s %u y", "RENAME %s k%u",
        "COPY %s k%u",   "GET %s",         "EXISTS %s",        "SETNX %s %u",
    };
    char key[16];
    unsigned number = (unsigned)prng_below(prng, KEYS);
    (void)snprintf(key, sizeof(key), "k%u", (unsigned)prng_below(prng, KEYS));
    if (prng_chance(prng, 20000)) {
        (void)snprintf(line, size, "%s", prng_chance(prng, 500000) ? "FLUSHDB" : "SWAPDB 0 1");
        return;
    }
    size_t form = prng_below(prng, COUNT_OF(FORMS));
    if (prng_chance(prng, 50000)) /* a value of several rows */
        (void)snprintf(line, size, "SETRANGE %s %u z", key, 5000 + number * 3000);
    else
        (void)snprintf(line, size, FORMS[form], key, number);
}

/* Requests that wait are given up, so that each step has a client. */
static void step_command(struct fixture *f, struct prng *prng)
{
    char line[128];
    box_begin(&f->box);
    if (f->a.is_done) {
        draw_line(prng, line, sizeof(line));
        f->a.database = (int)prng_below(prng, DATABASES);
        box_send(&f->box, &f->a, line);
    }
    box_end(&f->box);
}

static void step_transaction(struct fixture *f, struct prng *prng)
{
    char lines[512], line[128];
    size_t used = 0;
    box_begin(&f->box);
    for (uint64_t i = prng_between(prng, 1, 4); i > 0; i--) {
        draw_line(prng, line, sizeof(line));
        used += (size_t)snprintf(lines + used, sizeof(lines) - used, "%s\nSELECT %u\n", line,
                                 (unsigned)prng_below(prng, DATABASES));
    }
    if (f->b.is_done)
        box_exec(&f->box, &f->b, lines);
    box_end(&f->box);
}

/* The lead is lost: with what was ahead, with a part of it, or with none of it. */
static void step_rival(struct fixture *f, struct prng *prng)
{
    uint64_t commit = shard_status(shard_of(f, 0)).commit, last = shard_last_index(shard_of(f, 0));
    if (prng_chance(prng, 300000))
        rival_leads(f, 0);
    else
        rival_replaces(f, 0, prng_between(prng, commit, last));
    box_turns(&f->box, (int)prng_between(prng, 1, 3));
}

static void step(struct fixture *f, struct prng *prng)
{
    uint64_t draw = prng_below(prng, 100);
    if (draw < 55)
        step_command(f, prng);
    else if (draw < 75)
        step_transaction(f, prng);
    else if (draw < 80)
        f->box.puppets[0].stores_none = prng_chance(prng, 500000);
    else if (draw < 84)
        f->box.holds_readers = prng_chance(prng, 400000);
    else if (draw < 87)
        f->box.wants_flush = prng_chance(prng, 500000);
    else if (draw < 90)
        step_rival(f, prng);
    else if (draw < 94)
        (void)hot_page_out(f->box.exec->shards[0].hot, 1 << 20, 64, prng_next(prng));
    else
        box_turns(&f->box, (int)prng_between(prng, 1, 400));
}

static void say_all(struct fixture *f, struct buf *out)
{
    char line[64];
    buf_clear(out);
    for (int database = 0; database < DATABASES; database++) {
        f->c.database = database;
        buf_append_string(out, call(f, &f->c, "DBSIZE"));
        for (unsigned key = 0; key < KEYS; key++) {
            (void)snprintf(line, sizeof(line), "PEXPIRETIME k%u", key);
            buf_append_string(out, call(f, &f->c, line));
            (void)snprintf(line, sizeof(line), "DUMP k%u", key);
            (void)call(f, &f->c, line);
            buf_append(out, buf_bytes(&f->c.out));
        }
    }
}

static void run_seed(uint64_t seed)
{
    struct prng prng = prng_init(seed);
    struct fixture *f = fixture_new(1);
    struct buf before = {0}, after = {0};
    for (int i = 0; i < STEPS; i++)
        step(f, &prng);
    f->box.puppets[0].stores_none = f->box.holds_readers = false;
    win(f);
    box_turns(&f->box, 50);
    assert_true(f->a.is_done && f->b.is_done);
    say_all(f, &before);
    box_restart(&f->box);
    say_all(f, &after);
    if (!bytes_equal(buf_bytes(&before), buf_bytes(&after)))
        fail_msg("seed %llu: memory and rows differ", (unsigned long long)seed);
    buf_free(&before);
    buf_free(&after);
    fixture_free(f);
}

static void what_memory_says_after_any_change_of_leaders_is_what_the_rows_say(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_memory_says_after_any_change_of_leaders_is_what_the_rows_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Errands: what a run lets a helper thread do while it is suspended with its shard. */
#include "exec_box.h"

#include "base/mem.h"
#include "exec/internal.h"

enum { BIG = 3 << 20 };

struct fixture {
    struct exec_box box;
    struct box_client a, b;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = mem_zero(sizeof(*f));
    box_init(&f->box, 1);
    box_client_init(&f->a);
    box_client_init(&f->b);
    box_serve(&f->box);
    box_set_big(&f->box, &f->a, "big", BIG);
    return f;
}

static void fixture_free(struct fixture *f)
{
    box_client_fini(&f->box, &f->a);
    box_client_fini(&f->box, &f->b);
    box_fini(&f->box);
    mem_free(f);
}

static void send(struct fixture *f, struct box_client *client, const char *line)
{
    box_begin(&f->box);
    box_send(&f->box, client, line);
    box_end(&f->box);
}

static void start_dump(struct fixture *f)
{
    f->box.holds_readers = true;
    send(f, &f->a, "DUMP big");
    box_turns(&f->box, 5);
    assert_false(f->a.is_done);
    assert_int_equal(f->box.exec->shards[0].errand_count, 1);
}

/* As when the core says that another term began: all that memory knew ahead goes, runs end. */
static void lose_the_lead(struct fixture *f)
{
    f->box.exec->shards[0].lead_term = UINT64_MAX;
    box_turn(&f->box);
    assert_int_not_equal(f->box.exec->shards[0].lead_term, UINT64_MAX);
}

static void a_small_dump_sends_nobody(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    box_call(&f->box, &f->a, "SET small value");
    f->box.holds_readers = true;
    box_call(&f->box, &f->a, "DUMP small");
    assert_int_equal(f->a.out.data[0], '$');
    fixture_free(f);
}

static void a_big_dump_suspends_its_shard_until_the_helper_is_back(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    start_dump(f);
    send(f, &f->b, "SET big other");
    box_turns(&f->box, 5);
    assert_false(f->a.is_done);
    assert_false(f->b.is_done);
    f->box.holds_readers = false;
    box_turns(&f->box, 5);
    assert_true(f->a.is_done);
    assert_true(f->b.is_done);
    assert_true(f->a.out.size > BIG);
    assert_string_equal(box_call(&f->box, &f->a, "GET big"), "$5\r\nother\r\n");
    fixture_free(f);
}

static void a_dump_in_a_transaction_comes_at_its_place(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    box_call(&f->box, &f->a, "DUMP big");
    size_t size = f->a.out.size;
    box_begin(&f->box);
    box_exec(&f->box, &f->a, "SET n 1\nDUMP big\nGET n");
    box_end(&f->box);
    box_wait(&f->box, &f->a);
    assert_int_equal(f->a.out.size, strlen("*3\r\n+OK\r\n$1\r\n1\r\n") + size);
    assert_memory_equal(f->a.out.data, "*3\r\n+OK\r\n$", 10);
    fixture_free(f);
}

static void what_a_helper_reads_is_not_freed_when_the_lead_is_lost(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const struct exec_shard *es = &f->box.exec->shards[0];
    start_dump(f);
    lose_the_lead(f);
    assert_true(f->a.is_done); /* at once, though the helper is not back */
    assert_int_equal(f->a.out.data[0], '-');
    assert_null(es->holder);
    assert_string_equal(box_call(&f->box, &f->b, "SET big other"), "+OK\r\n");
    box_turns(&f->box, 5);
    assert_int_equal(es->errand_count, 1);
    assert_true(es->hot->raw_garbage.size > 0);
    f->box.holds_readers = false; /* the helper reads it now */
    box_turns(&f->box, 5);
    assert_int_equal(es->errand_count, 0);
    assert_int_equal(es->hot->raw_garbage.size, 0);
    fixture_free(f);
}

static void what_a_helper_reads_is_not_paged_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    f->box.wants_flush = true;
    box_turns(&f->box, 10);
    start_dump(f);
    struct exec_limits limits = f->box.limits;
    limits.memory_max = 1;
    exec_set_limits(f->box.exec, limits);
    uint64_t before = exec_counters(f->box.exec).paged_out;
    box_turns(&f->box, 5);
    assert_int_equal(exec_counters(f->box.exec).paged_out, before);
    f->box.holds_readers = false;
    box_turns(&f->box, 5);
    assert_true(f->a.is_done);
    assert_true(f->a.out.size > BIG);
    box_turns(&f->box, 5);
    assert_true(exec_counters(f->box.exec).paged_out > before);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_dump_sends_nobody),
        cmocka_unit_test(a_big_dump_suspends_its_shard_until_the_helper_is_back),
        cmocka_unit_test(a_dump_in_a_transaction_comes_at_its_place),
        cmocka_unit_test(what_a_helper_reads_is_not_freed_when_the_lead_is_lost),
        cmocka_unit_test(what_a_helper_reads_is_not_paged_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

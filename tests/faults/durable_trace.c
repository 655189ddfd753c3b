/* What became durable in a run of one shard, in which order: a line of JSON for each event, for
 * tla/trace.mjs, which makes of them behaviours that the model SnapshotOrdering must have.
 *
 *   durable_trace RUN [MUTANT]     RUN: alone, or member: the third of three, which is taken down,
 *                                  comes back behind the leader's log, and is installed
 *
 *   {"e":"wal","base":i,"bt":t,"mark":i,"ents":[[t,kind]...]}   the log, as its segments hold it
 *        {"e":"wal","damaged":"why"}                            they do not hold a log
 *   {"e":"flush","idx":i}      LevelDB holds this applied index  {"e":"counted"}    and no error
 * came
 *   {"e":"reopened"}           after one that did came
 *   {"e":"mark","idx":i}       a mark goes to the log            {"e":"compacted"}  entries leave
 *   {"e":"filled"} {"e":"renamed"} {"e":"named"} {"e":"adopted","idx":i,"t":t} {"e":"settled"}
 *                              of an install
 *   {"e":"crash"}              the power goes
 *   {"e":"found","idx":i,...}  what it left: LevelDB's applied index, and the log as above
 *
 * What the log and LevelDB hold is read from them, not from what the node believes. */
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/mutants.h"
#include "kv_memory.h"
#include "shard/internal.h"
#include "steps/box.h"
#include "store/store_state.h"
#include "wal/scan.h"

struct trace {
    struct box *box;
    int at;
    uint64_t store_id;
    bool is_publishing;
    struct buf log;   /* as told last */
    uint64_t applied; /* likewise */
};

#define NAME(name) #name,
static const char *const MUTANTS[] = {"none", NODE_MUTANTS_LIST(NAME)};

static struct machine *machine_of(const struct trace *trace)
{
    return &trace->box->machines[trace->at];
}

/* ---- the log ---- */

static bool scan_segments(struct trace *trace, const char *dir, struct wal_scan *scan,
                          struct buf *error)
{
    struct disk *disk = machine_of(trace)->disk;
    struct buf names = {0};
    bool is_good = disk->ops->list_dir(disk, dir, &names) == DISK_OK;
    for (size_t at = 0; is_good && at < names.size;) {
        const char *name = (const char *)names.data + at;
        char path[160];
        uint64_t number;
        at += strlen(name) + 1;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (wal_parse_segment_name(name, &number))
            is_good = wal_scan_segment(scan, number, sim_disk_content(disk, path), error) == WAL_OK;
    }
    buf_free(&names);
    return is_good && wal_scan_finish(scan, error) == WAL_OK;
}

static void put_entries(const struct wal_group_state *group, struct buf *out)
{
    static const char *const KINDS[] = {
        [ENTRY_NOOP] = "noop", [ENTRY_ROWS] = "rows", [ENTRY_MEMBERS] = "members"};
    for (size_t i = 0; i < group->entry_count; i++)
        buf_printf(out, "%s[%llu,\"%s\"]", i == 0 ? "" : ",",
                   (unsigned long long)group->entries[i]->term, KINDS[group->entries[i]->kind]);
}

/* The fields of the log as its segments hold it. */
static void put_log(struct trace *trace, struct buf *out)
{
    char dir[96];
    struct wal_scan scan;
    struct buf error = {0};
    (void)snprintf(dir, sizeof(dir), "%s/wal", machine_of(trace)->dir);
    wal_scan_init(&scan, dir, 1, trace->store_id);
    if (scan_segments(trace, dir, &scan, &error)) {
        const struct wal_group_state *group = &scan.replay.groups[0].state;
        buf_printf(out, "\"base\":%llu,\"bt\":%llu,\"mark\":%llu,\"ents\":[",
                   (unsigned long long)group->base.index, (unsigned long long)group->base.term,
                   (unsigned long long)group->mark.index);
        put_entries(group, out);
        buf_append_string(out, "]");
    } else {
        buf_printf(out, "\"damaged\":\"%.*s\"", (int)error.size, (const char *)error.data);
    }
    wal_scan_fini(&scan);
    buf_free(&error);
}

static void tell_log(struct trace *trace)
{
    struct buf log = {0};
    put_log(trace, &log);
    if (!bytes_equal(buf_bytes(&log), buf_bytes(&trace->log)))
        printf("{\"e\":\"wal\",%.*s}\n", (int)log.size, (const char *)log.data);
    buf_free(&trace->log);
    trace->log = log;
}

/* ---- LevelDB ---- */

static void read_applied(struct kv *kv, uint64_t *index, uint64_t *term)
{
    struct buf value = {0}, error = {0};
    bool is_found = false;
    enum kv_err err = kv->ops->get(kv, NULL, BYTES_LITERAL("Mapplied"), &value, &is_found, &error);
    ASSERT(err == KV_OK && is_found && value.size >= 16);
    *index = get_le64(value.data);
    *term = get_le64(value.data + 8);
    buf_free(&value);
    buf_free(&error);
}

static void tell_applied(struct trace *trace, const char *event)
{
    uint64_t index, term;
    read_applied(box_shard(trace->box, trace->at)->fsm.store->kv, &index, &term);
    printf("{\"e\":\"%s\",\"idx\":%llu,\"t\":%llu}\n", event, (unsigned long long)index,
           (unsigned long long)term);
}

/* ---- events ---- */

static void on_begin(struct trace *trace, enum durable_step step)
{
    if (step == DURABLE_STEP_install_published)
        trace->is_publishing = true;
}

static void tell(const char *event)
{
    printf("{\"e\":\"%s\"}\n", event);
}

static void on_install(struct trace *trace, enum durable_step step)
{
    if (step == DURABLE_STEP_install_completed)
        tell("filled");
    else if (step == DURABLE_STEP_file_replaced && trace->is_publishing)
        tell("renamed");
    else if (step == DURABLE_STEP_file_named && trace->is_publishing)
        tell("named");
    else if (step == DURABLE_STEP_install_published)
        trace->is_publishing = false;
    else if (step == DURABLE_STEP_install_adopted)
        tell_applied(trace, "adopted");
    else if (step == DURABLE_STEP_reset_counted)
        tell("settled");
}

static void on_end(struct trace *trace, enum durable_step step)
{
    struct shard *shard = box_shard(trace->box, trace->at);
    if (step == DURABLE_STEP_wal_batch_synced || step == DURABLE_STEP_wal_segment_gone)
        tell_log(trace);
    else if (step == DURABLE_STEP_flush_written)
        tell_applied(trace, "flush");
    else if (step == DURABLE_STEP_flush_counted)
        tell("counted");
    else if (step == DURABLE_STEP_store_reopened)
        tell("reopened");
    else if (step == DURABLE_STEP_mark_put)
        printf("{\"e\":\"mark\",\"idx\":%llu}\n", (unsigned long long)shard->marking.index);
    else if (step == DURABLE_STEP_base_counted)
        tell("compacted");
    else
        on_install(trace, step);
}

static void on_step(struct machine *machine, enum durable_step step, bool is_over)
{
    struct trace *trace = machine->context;
    if (machine->node == NULL)
        return; /* it starts: what it found is told already */
    if (is_over)
        on_end(trace, step);
    else
        on_begin(trace, step);
}

/* ---- runs ---- */

static void tell_found(struct trace *trace)
{
    struct machine *machine = machine_of(trace);
    char dir[96], name[GENERATION_NAME_SIZE];
    struct buf error = {0}, path = {0}, log = {0};
    struct kv *kv = NULL;
    uint64_t index, term;
    (void)snprintf(dir, sizeof(dir), "%s/shard-0000", machine->dir);
    struct generation_dir generations = {.path = dir, .disk = machine->disk, .env = machine->kv};
    enum store_err current = generation_current(&generations, name, &error);
    generation_path(&generations, name, &path);
    enum kv_err opened = machine->kv->ops->open(machine->kv, (const char *)path.data,
                                                &(struct kv_options){0}, &kv, &error);
    ASSERT(current == STORE_OK && opened == KV_OK);
    read_applied(kv, &index, &term);
    kv->ops->close(kv);
    put_log(trace, &log);
    printf("{\"e\":\"found\",\"idx\":%llu,\"t\":%llu,%.*s}\n", (unsigned long long)index,
           (unsigned long long)term, (int)log.size, (const char *)log.data);
    buf_free(&trace->log);
    trace->log = log;
    buf_free(&path);
    buf_free(&error);
}

static void crash(struct trace *trace, enum sim_crash how)
{
    tell("crash");
    box_crash(trace->box, trace->at, how);
    tell_found(trace);
}

/* Every few ticks the log's thread stands still: entries that others committed are applied here
 * before this log holds them. */
static void write_for(struct trace *trace, int ticks)
{
    for (int i = 0; i < ticks; i++) {
        machine_of(trace)->holds_wal = trace->at > 0 && i % 12 < 8;
        if (i % 2 == 0)
            writer_send(&trace->box->writer);
        box_tick(trace->box);
    }
    machine_of(trace)->holds_wal = false;
}

static void begin(struct trace *trace)
{
    struct buf error = {0};
    struct identity identity;
    for (int i = 0; i < 1000 && !writer_is_idle(&trace->box->writer); i++)
        box_tick(trace->box);
    enum identity_err err =
        identity_read(machine_of(trace)->disk, machine_of(trace)->dir, &identity, &error);
    ASSERT(err == IDENTITY_OK);
    trace->store_id = identity.store_id;
    crash(trace, SIM_CRASH_LOSE); /* from what is there now the trace goes on */
    machine_of(trace)->on_step = on_step;
    machine_of(trace)->context = trace;
    write_for(trace, 60);
}

static void run_alone(struct trace *trace)
{
    begin(trace);
    crash(trace, SIM_CRASH_LOSE);
    write_for(trace, 30);
    kv_memory_fail(machine_of(trace)->kv, KV_MEMORY_FAULT_WRITE_IO, false);
    write_for(trace, 30);
    crash(trace, SIM_CRASH_TEAR);
    kv_memory_fail(machine_of(trace)->kv, KV_MEMORY_FAULT_NONE, false);
    write_for(trace, 30);
    kv_memory_fail(machine_of(trace)->kv, KV_MEMORY_FAULT_WRITE_IO_KEPT, false);
    write_for(trace, 30);
    crash(trace, SIM_CRASH_KEEP);
    write_for(trace, 60);
}

static void run_member(struct trace *trace)
{
    begin(trace);
    for (int round = 0; round < 2; round++) {
        write_for(trace, 40);
        crash(trace, round == 0 ? SIM_CRASH_LOSE : SIM_CRASH_TEAR);
        trace->box->is_wanted[trace->at] = false;
        machine_of(trace)->on_step = NULL;
        write_for(trace, 30);
        machine_of(trace)->on_step = on_step;
        trace->box->is_wanted[trace->at] = true;
        write_for(trace, 60);
    }
}

static bool plant(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(MUTANTS); i++) {
        if (strcmp(MUTANTS[i], name) != 0)
            continue;
        node_mutant_planted = (int)i;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    bool is_member = argc > 1 && strcmp(argv[1], "member") == 0;
    bool is_known = is_member || (argc > 1 && strcmp(argv[1], "alone") == 0);
    if (!is_known || (argc > 2 && !plant(argv[2]))) {
        fprintf(stderr, "usage: durable_trace alone|member [MUTANT]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct box *box = mem_zero(sizeof(*box));
    struct trace trace = {.box = box, .at = is_member ? 2 : 0};
    box_init(box, is_member ? 3 : 1);
    if (is_member)
        run_member(&trace);
    else
        run_alone(&trace);
    machine_of(&trace)->on_step = NULL;
    if (box->broken[0] != 0)
        fprintf(stderr, "durable_trace: %s\n", box->broken);
    int failed = box->broken[0] != 0;
    box_fini(box);
    buf_free(&trace.log);
    mem_free(box);
    return failed;
}

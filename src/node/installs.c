/* Rows for members that the log does not reach (L5).
 *
 * Giving: an export of the shard's rows as of what is flushed goes out as a stream on the bulk
 * link, a chunk at a time; the log above it is pinned meanwhile, up to a limit.
 *
 *   wanted -> begun (export, stream, core told) -> chunks -> sent -> acknowledged
 *                        \______________ given up: wanted again later, by the core ____/
 *
 * Taking: chunks go into a new generation; at the end the group stands still while that is
 * published, the core is asked, the store switches over, and memory starts anew.
 *
 *   OPENING -> TAKING -> FINISHING -> PUBLISHED -> SETTLING -> (gone)
 *       \__________________ ABANDONING ______________/
 *
 *   stream opens with  version:u8=1 index:le64 term:le64 stamp_us:le64 members
 *
 * Who takes and fails says STOP, also behind the end of the stream; when links break the giver
 * gives up, which costs nothing but another attempt: an acknowledgement that comes all the same is
 * good. */
#include "base/mem.h"
#include "base/mutants.h"
#include "base/steps.h"
#include "codec/fields.h"
#include "codec/rows.h"
#include "node/internal.h"
#include "store/row_key.h"

enum {
    VERSION = 1,
    GIVING_MAX = 4,         /* at once; others wait */
    CHUNK_SIZE = 256 << 10, /* of rows; one row may be larger */
    ACK_MAX_US =
        20000000, /* for an answer after the last chunk: a window of 4 MiB is left to write … */
    ACK_LOST_MAX_US = 2000000, /* … and so long after the link broke: it may have died with them */
};

enum {
    STILL_MAX_US = 30000000, /* a stream that does not move for so long is given up */
    META_ROWS_MAX = 4 << 20, /* of M and N rows, which memory keeps until the end */
};

#define INDEX_MAX ((uint64_t)1 << 62) /* more is nobody's (L11) */

struct giving {
    bool is_used;
    bool is_begun; /* the core knows */
    bool is_reading, is_sent, is_broken;
    bool wants_flush; /* LevelDB is behind what the other end needs */
    uint32_t shard;
    uint64_t peer, stream, term;
    uint64_t moved_us;         /* when a chunk left */
    uint64_t sent_us, lost_us; /* the last chunk; the link after it, 0: not lost */
    struct store_export rows;
};

enum taking_state {
    TAKING_NONE,
    TAKING_OPENING,
    TAKING_ROWS,
    TAKING_FINISHING,
    TAKING_PUBLISHED,
    TAKING_SETTLING, /* until the WAL holds the reset; then the old generation goes */
    TAKING_ABANDONING,
};

struct taking {
    enum taking_state state;
    uint64_t from, stream;
    struct store_meta meta;
    struct buf members;
    struct buf waiting;   /* chunks that came and are not being written */
    struct buf writing;   /* borrowed by the job */
    struct buf meta_rows; /* M and N rows, for memory */
    bool is_ended;        /* the last chunk is here */
    bool is_stopped;      /* the stream is gone: abandon */
    bool has_settled;     /* the last job was asked for */
    struct store_import import;
    size_t owed; /* bytes that came and that the sender got no credit for yet */
    uint64_t since_us, moved_us;
};

struct installs {
    struct giving giving[GIVING_MAX];
    struct taking *taking; /* by shard */
    uint64_t given, taken, given_up;
};

void node_open_installs(struct node *node)
{
    node->installs = mem_zero(sizeof(*node->installs));
    node->installs->taking = mem_zero(node->shard_count * sizeof(struct taking));
}

static void taking_free(struct taking *taking)
{
    buf_free(&taking->members);
    buf_free(&taking->waiting);
    buf_free(&taking->writing);
    buf_free(&taking->meta_rows);
    buf_free(&taking->import.error);
    *taking = (struct taking){0};
}

void node_close_installs(struct node *node)
{
    if (node->installs == NULL)
        return;
    for (int i = 0; i < GIVING_MAX; i++) {
        if (node->installs->giving[i].is_used)
            store_export_fini(&node->installs->giving[i].rows);
    }
    for (uint32_t id = 0; id < node->shard_count; id++) {
        struct taking *taking = &node->installs->taking[id];
        if (taking->state != TAKING_NONE)
            store_import_fini(&taking->import);
        taking_free(taking);
    }
    mem_free(node->installs->taking);
    mem_free(node->installs);
    node->installs = NULL;
}

/* ---- giving ---- */

void node_want_install(struct node *node, uint32_t shard, uint64_t peer)
{
    struct giving *free_one = NULL;
    for (int i = 0; node->installs != NULL && i < GIVING_MAX; i++) {
        struct giving *giving = &node->installs->giving[i];
        if (giving->is_used && giving->shard == shard)
            return; /* one of a shard at a time; the core asks again */
        if (!giving->is_used)
            free_one = giving;
    }
    if (free_one == NULL)
        return;
    *free_one = (struct giving){.is_used = true,
                                .shard = shard,
                                .peer = peer,
                                .term = shard_lead_term(node->shards[shard])};
}

static void end_giving(struct node *node, struct giving *giving)
{
    shard_pin(node->shards[giving->shard], 0);
    store_export_fini(&giving->rows);
    giving->is_used = false;
}

/* Ids count anew with each link, so one that outlived its link names nobody's stream: 0. */
static void stop_stream(struct node *node, uint64_t peer, uint64_t stream, bool is_ours)
{
    if (stream != 0)
        peers_stream_stop(node->peers, peer, stream, is_ours);
}

static void give_up(struct node *node, struct giving *giving, const char *why)
{
    struct shard *shard = node->shards[giving->shard];
    log_write(node->log, LOG_LEVEL_WARNING, "Shard %u: rows for node %llu given up: %s",
              giving->shard, (unsigned long long)giving->peer, why);
    node->installs->given_up++;
    if (giving->is_begun)
        stop_stream(node, giving->peer, giving->stream, true);
    if (giving->is_begun && shard_lead_term(shard) == giving->term &&
        !NODE_MUTANT(stopped_installs_run))
        raft_install_abandoned(shard_raft(shard), node->now.boot_us, giving->peer);
    end_giving(node, giving);
}

static enum peers_err open_stream(struct node *node, struct giving *giving)
{
    const struct store_meta *meta = &giving->rows.meta;
    struct buf payload = {0};
    put_u8(&payload, VERSION);
    put_u64(&payload, meta->applied_index);
    put_u64(&payload, meta->applied_term);
    put_u64(&payload, meta->stamp_us);
    buf_append(&payload, meta->members);
    enum peers_err err = peers_stream_open(node->peers, giving->peer, giving->shard,
                                           buf_bytes(&payload), &giving->stream);
    buf_free(&payload);
    return err;
}

/* Rows as of which index would do. One that lost its rows has its log, which begins somewhere up to
 * what it acknowledged: as of below that they would be refused. */
static uint64_t needed_index(struct node *node, const struct giving *giving)
{
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    struct shard *shard = node->shards[giving->shard];
    size_t count = raft_peers(shard_raft(shard), peers);
    uint64_t applied = shard_applied_index(shard);
    for (size_t i = 0; i < count; i++) {
        if (peers[i].id == giving->peer && peers[i].state != RAFT_SNAPSHOT)
            return peers[i].match < applied ? peers[i].match : applied;
    }
    return 1; /* a shard that never flushed has nothing to give */
}

bool node_install_wants_flush(const struct node *node, uint32_t shard)
{
    for (int i = 0; node->installs != NULL && i < GIVING_MAX; i++) {
        const struct giving *giving = &node->installs->giving[i];
        if (giving->is_used && giving->shard == shard && giving->wants_flush)
            return true;
    }
    return false;
}

/* Not now is not never: the next turn tries again, as long as this leadership lasts. */
static void begin_giving(struct node *node, struct giving *giving)
{
    struct shard *shard = node->shards[giving->shard];
    struct store *store = shard_fsm(shard)->store;
    giving->wants_flush = store_flushed(store).applied_index < needed_index(node, giving);
    if (giving->wants_flush || !store_export_begin(store, &giving->rows))
        return;
    uint64_t index = giving->rows.meta.applied_index;
    bool is_reached = index > 0 && index >= raft_base_index(shard_raft(shard));
    if (!is_reached || open_stream(node, giving) != PEERS_OK) {
        end_giving(node, giving); /* the core asks again */
        return;
    }
    giving->is_begun = true;
    giving->moved_us = node->now.boot_us;
    shard_pin(shard, index);
    raft_install_begin(shard_raft(shard), node->now.boot_us, giving->peer, index);
    log_write(node->log, LOG_LEVEL_NOTICE, "Shard %u: rows as of index %llu go to node %llu",
              giving->shard, (unsigned long long)index, (unsigned long long)giving->peer);
}

static void read_chunk(struct node *node, struct giving *giving)
{
    struct fsm *fsm = shard_fsm(node->shards[giving->shard]);
    if (fsm_export_read(fsm, &giving->rows, CHUNK_SIZE, node->readers))
        giving->is_reading = true;
    else if (giving->rows.err != STORE_OK)
        give_up(node, giving, store_err_text(giving->rows.err));
}

static void send_end(struct node *node, struct giving *giving)
{
    if (peers_stream_end(node->peers, giving->peer, giving->stream) != PEERS_OK) {
        give_up(node, giving, "the link broke");
        return;
    }
    giving->is_sent = true;
    giving->sent_us = node->now.boot_us;
    log_write(node->log, LOG_LEVEL_NOTICE, "Shard %u: %llu rows sent to node %llu", giving->shard,
              (unsigned long long)giving->rows.rows_sent, (unsigned long long)giving->peer);
}

/* The chunk that was read leaves when there is room; a big one in pieces, which the other end puts
 * together again. */
static void send_chunk(struct node *node, struct giving *giving)
{
    struct buf *rows = &giving->rows.rows;
    while (rows->size > 0) {
        size_t room = peers_stream_room(node->peers, giving->peer, giving->stream);
        if (room == 0)
            return;
        size_t size = rows->size < room ? rows->size : room;
        size = size < PEERS_CHUNK_MAX ? size : PEERS_CHUNK_MAX;
        if (peers_stream_send(node->peers, giving->peer, giving->stream,
                              bytes_of(rows->data, size)) != PEERS_OK) {
            give_up(node, giving, "the link broke");
            return;
        }
        buf_consume(rows, size);
        giving->moved_us = node->now.boot_us;
    }
    if (giving->rows.complete)
        send_end(node, giving);
    else
        read_chunk(node, giving);
}

/* It acknowledged, or was found to need none. The state does not tell: a member that lost its rows
 * goes on taking entries all the while. */
static bool is_acknowledged(struct node *node, const struct giving *giving)
{
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(shard_raft(node->shards[giving->shard]), peers);
    for (size_t i = 0; i < count; i++) {
        if (peers[i].id == giving->peer)
            return NODE_MUTANT(lost_rows_are_acknowledged) ? peers[i].state != RAFT_SNAPSHOT
                                                           : !peers[i].is_installing;
    }
    return true; /* taken out meanwhile */
}

static void step_giving(struct node *node, struct giving *giving)
{
    struct shard *shard = node->shards[giving->shard];
    if (giving->is_reading) {
        if (giving->rows.is_reading)
            return;
        giving->is_reading = false;
        if (giving->rows.err != STORE_OK) {
            give_up(node, giving, store_err_text(giving->rows.err));
            return;
        }
    }
    if (shard_lead_term(shard) != giving->term)
        give_up(node, giving, "this node leads no more");
    else if (giving->is_broken)
        give_up(node, giving, "the other end stopped, or the link broke");
    else if (!giving->is_begun)
        begin_giving(node, giving);
    else if (shard_status(shard).log_bytes > node->config->install_log_max)
        give_up(node, giving, "the log behind them grew over install-log-max");
    else if (is_acknowledged(node, giving)) {
        node->installs->given++;
        if (!giving->is_sent)
            stop_stream(node, giving->peer, giving->stream, true);
        end_giving(node, giving);
    } else if (giving->is_sent) {
        if (node->now.boot_us - giving->sent_us > ACK_MAX_US)
            give_up(node, giving, "no acknowledgement");
        else if (giving->lost_us != 0 && node->now.boot_us - giving->lost_us > ACK_LOST_MAX_US)
            give_up(node, giving, "no acknowledgement since the link broke");
    } else if (node->now.boot_us - giving->moved_us > STILL_MAX_US) {
        give_up(node, giving, "the other end takes nothing");
    } else if (giving->rows.rows_sent == 0 && giving->rows.rows.size == 0 &&
               !giving->rows.complete) {
        read_chunk(node, giving);
    } else {
        send_chunk(node, giving);
    }
}

/* ---- taking ---- */

static bool decode_open(struct bytes payload, struct taking *taking)
{
    struct fields fields = fields_of(payload);
    struct members members;
    uint8_t version = take_u8(&fields);
    taking->meta.applied_index = take_u64(&fields);
    taking->meta.applied_term = take_u64(&fields);
    taking->meta.stamp_us = take_u64(&fields);
    if (fields.is_short || version != VERSION || taking->meta.applied_index == 0 ||
        taking->meta.applied_index > INDEX_MAX || taking->meta.applied_term == 0 ||
        !members_decode(fields.rest, &members) ||
        !members_have_voter(&members)) /* the core would assert it (L11) */
        return false;
    buf_append(&taking->members, fields.rest);
    taking->meta.members = buf_bytes(&taking->members);
    return true;
}

static void submit(struct node *node, uint32_t shard)
{
    fsm_import_submit(shard_fsm(node->shards[shard]), &node->installs->taking[shard].import,
                      node->store_worker);
}

/* Only from whom the core follows, only what is news, and one at a time. Lost rows must come as of
 * our base or later, or the core refuses them when all are here: the leader flushes, and asks
 * again. */
static bool may_take(struct node *node, uint32_t shard, uint64_t from,
                     const struct store_meta *meta)
{
    struct raft *raft = shard_raft(node->shards[shard]);
    return node->installs->taking[shard].state == TAKING_NONE && raft_role(raft) != RAFT_LEADER &&
           raft_leader(raft) == from && meta->applied_term <= raft_term_now(raft) &&
           shard_needs_install(node->shards[shard], meta->applied_index);
}

static void open_taking(struct node *node, const struct peers_input *input)
{
    uint32_t shard = input->stream.group;
    struct taking *taking = &node->installs->taking[shard];
    struct taking next = {.state = TAKING_OPENING,
                          .from = input->node,
                          .stream = input->stream.stream,
                          .since_us = node->now.boot_us,
                          .moved_us = node->now.boot_us};
    if (!decode_open(input->stream.payload, &next) ||
        !may_take(node, shard, input->node, &next.meta)) {
        peers_stream_stop(node->peers, input->node, input->stream.stream, false);
        taking_free(&next);
        return;
    }
    *taking = next;
    log_write(node->log, LOG_LEVEL_NOTICE, "Shard %u: rows as of index %llu come from node %llu",
              shard, (unsigned long long)taking->meta.applied_index,
              (unsigned long long)taking->from);
    store_import_begin(shard_fsm(node->shards[shard])->store, &taking->import);
    submit(node, shard);
}

/* M and N rows come first or last in key order, and are few; whole rows only, as rows_next says. */
static void keep_meta_rows(struct taking *taking)
{
    struct bytes rest = buf_bytes(&taking->writing);
    struct row row;
    while (rows_next(&rest, &row) == ROWS_OK) {
        uint8_t kind = row.key.size > 0 ? row.key.data[0] : 0;
        if (kind == ROW_KIND_META || kind == ROW_KIND_KEYSPACE)
            rows_append(&taking->meta_rows, ROW_PUT, row.key, row.value);
    }
}

/* The size of the whole rows at the front of what waits: a chunk may end inside one. */
static size_t whole_rows(const struct buf *waiting)
{
    struct bytes rest = buf_bytes(waiting);
    struct row row;
    size_t whole = 0;
    while (rows_next(&rest, &row) == ROWS_OK)
        whole = waiting->size - rest.size;
    return whole;
}

static void write_rows(struct node *node, uint32_t shard, struct taking *taking)
{
    size_t whole = whole_rows(&taking->waiting);
    buf_clear(&taking->writing);
    if (taking->is_ended)
        whole = taking->waiting.size; /* what is no row is refused by the import */
    buf_append(&taking->writing, bytes_of(taking->waiting.data, whole));
    buf_consume(&taking->waiting, whole);
    keep_meta_rows(taking);
    store_import_write(&taking->import, buf_bytes(&taking->writing));
    submit(node, shard);
}

static void abandon(struct node *node, uint32_t shard, struct taking *taking, const char *why)
{
    log_write(node->log, LOG_LEVEL_WARNING, "Shard %u: rows from node %llu given up: %s", shard,
              (unsigned long long)taking->from, why);
    node->installs->given_up++;
    stop_stream(node, taking->from, taking->stream, false);
    taking->state = TAKING_ABANDONING;
    taking->has_settled = false;
}

/* Everything is here: the group stands still until it is published and taken over, or not. */
static void finish(struct node *node, uint32_t shard, struct taking *taking)
{
    struct raft *raft = shard_raft(node->shards[shard]);
    if (!shard_needs_install(node->shards[shard], taking->meta.applied_index) ||
        raft_role(raft) == RAFT_LEADER ||
        !store_import_finish(shard_fsm(node->shards[shard])->store, &taking->import,
                             &taking->meta)) {
        abandon(node, shard, taking, "the log was faster");
        return;
    }
    shard_freeze(node->shards[shard], true);
    taking->state = TAKING_FINISHING;
    submit(node, shard);
}

static void give_credit(struct node *node, struct taking *taking, size_t size)
{
    size = size < taking->owed ? size : taking->owed;
    if (size == 0)
        return;
    taking->owed -= size;
    if (taking->stream != 0)
        peers_stream_consumed(node->peers, taking->from, taking->stream, size);
}

static void take_rows(struct node *node, uint32_t shard, struct taking *taking)
{
    give_credit(node, taking, taking->writing.size);
    buf_clear(&taking->writing);
    if (taking->is_stopped)
        abandon(node, shard, taking, "the stream broke");
    else if (node->now.boot_us - taking->moved_us > STILL_MAX_US && !taking->is_ended)
        abandon(node, shard, taking, "nothing came for long");
    else if (taking->meta_rows.size > META_ROWS_MAX)
        abandon(node, shard, taking, "too many rows of databases");
    else if (whole_rows(&taking->waiting) > 0 || (taking->is_ended && taking->waiting.size > 0))
        write_rows(node, shard, taking);
    else if (taking->is_ended)
        finish(node, shard, taking);
    else if (taking->waiting.size > node->config->entry_max + ROWS_KEY_MAX + ROWS_HEADER_SIZE)
        abandon(node, shard, taking, "a row is larger than entry-max");
    else
        give_credit(node, taking, taking->waiting.size); /* a row larger than the window goes on */
}

static void adopt(struct node *node, uint32_t shard, struct taking *taking)
{
    struct shard *mine = node->shards[shard];
    if (!store_import_is_adoptable(shard_fsm(mine)->store, &taking->import))
        return;
    if (!shard_installed(mine, &taking->meta)) {
        shard_freeze(mine, false);
        abandon(node, shard, taking, "the core refuses them");
        return;
    }
    bool is_adopted = fsm_import_adopt(shard_fsm(mine), &taking->import);
    ASSERT(is_adopted);
    shard_adopted(mine);
    exec_reinstalled(node->exec, shard, taking->meta.applied_index, buf_bytes(&taking->meta_rows));
    shard_freeze(mine, false);
    taking->state = TAKING_SETTLING;
    node->installs->taken++;
    log_write(node->log, LOG_LEVEL_NOTICE,
              "Shard %u: %llu rows as of index %llu installed in %.3f s", shard,
              (unsigned long long)taking->import.rows_taken,
              (unsigned long long)taking->meta.applied_index,
              (double)(node->now.boot_us - taking->since_us) / 1e6);
}

static void settle(struct node *node, uint32_t shard, struct taking *taking)
{
    if (taking->has_settled) {
        taking_free(taking);
        return;
    }
    if (!shard_is_reset(node->shards[shard]))
        return;
    taking->has_settled = true;
    struct store *store = shard_fsm(node->shards[shard])->store;
    DURABLE_STEP_VOID(reset_counted, store_import_settle(store, &taking->import));
    submit(node, shard);
}

static void step_abandoning(struct node *node, uint32_t shard, struct taking *taking)
{
    if (taking->has_settled && taking->import.state == STORE_IMPORT_IDLE) {
        taking_free(taking);
        return;
    }
    taking->has_settled =
        store_import_abandon(shard_fsm(node->shards[shard])->store, &taking->import);
    if (taking->has_settled)
        submit(node, shard);
    else
        taking_free(taking);
}

static void step_taking(struct node *node, uint32_t shard)
{
    struct taking *taking = &node->installs->taking[shard];
    if (taking->state == TAKING_NONE || taking->import.is_busy)
        return;
    if (taking->import.state == STORE_IMPORT_FAILED && taking->state != TAKING_ABANDONING) {
        shard_freeze(node->shards[shard], false);
        abandon(node, shard, taking, store_err_text(taking->import.err));
    }
    switch (taking->state) {
    case TAKING_NONE:
        break;
    case TAKING_OPENING:
        taking->state = TAKING_ROWS;
        take_rows(node, shard, taking);
        break;
    case TAKING_ROWS:
        take_rows(node, shard, taking);
        break;
    case TAKING_FINISHING:
        taking->state = TAKING_PUBLISHED;
        adopt(node, shard, taking);
        break;
    case TAKING_PUBLISHED:
        adopt(node, shard, taking);
        break;
    case TAKING_SETTLING:
        settle(node, shard, taking);
        break;
    case TAKING_ABANDONING:
        step_abandoning(node, shard, taking);
        break;
    }
}

/* ---- streams ---- */

static void stop_giving(struct node *node, uint64_t peer, uint64_t stream)
{
    for (int i = 0; i < GIVING_MAX; i++) {
        struct giving *giving = &node->installs->giving[i];
        if (giving->is_used && giving->is_begun && giving->peer == peer && giving->stream == stream)
            giving->is_broken = true; /* given up as soon as no chunk is being read */
    }
}

static void take_chunk(struct node *node, struct taking *taking, struct bytes chunk)
{
    buf_append(&taking->waiting, chunk);
    taking->owed += chunk.size;
    taking->moved_us = node->now.boot_us;
}

void node_hear_stream(struct node *node, const struct peers_input *input)
{
    struct taking *taking = &node->installs->taking[input->stream.group];
    bool is_it = taking->state != TAKING_NONE && taking->from == input->node &&
                 taking->stream == input->stream.stream;
    if (input->kind == PEERS_IN_STREAM_OPEN)
        open_taking(node, input);
    else if (input->kind == PEERS_IN_STREAM_STOP && input->stream.is_ours)
        stop_giving(node, input->node, input->stream.stream);
    else if (!is_it)
        return;
    else if (input->kind == PEERS_IN_STREAM_CHUNK)
        take_chunk(node, taking, input->stream.payload);
    else if (input->kind == PEERS_IN_STREAM_END)
        taking->is_ended = true;
    else
        taking->is_stopped = !taking->is_ended;
}

void node_lose_streams(struct node *node, uint64_t peer)
{
    for (uint32_t id = 0; id < node->shard_count; id++) {
        struct taking *taking = &node->installs->taking[id];
        if (taking->state == TAKING_NONE || taking->from != peer)
            continue;
        taking->is_stopped = !taking->is_ended;
        taking->stream = 0;
    }
    for (int i = 0; i < GIVING_MAX; i++) {
        struct giving *giving = &node->installs->giving[i];
        if (!giving->is_used || !giving->is_begun || giving->peer != peer)
            continue;
        giving->stream = 0;
        if (!giving->is_sent)
            giving->is_broken = true;
        else
            giving->lost_us = node->now.boot_us;
    }
}

void node_step_installs(struct node *node)
{
    for (int i = 0; i < GIVING_MAX; i++) {
        if (node->installs->giving[i].is_used)
            step_giving(node, &node->installs->giving[i]);
    }
    for (uint32_t id = 0; id < node->shard_count; id++)
        step_taking(node, id);
}

void node_info_installs(const struct node *node, struct buf *out)
{
    const struct installs *installs = node->installs;
    int giving = 0, taking = 0;
    for (int i = 0; i < GIVING_MAX; i++)
        giving += installs->giving[i].is_used;
    for (uint32_t id = 0; id < node->shard_count; id++)
        taking += installs->taking[id].state != TAKING_NONE;
    buf_printf(out,
               "installs_sending:%d\r\ninstalls_receiving:%d\r\ninstalls_sent:%llu\r\n"
               "installs_received:%llu\r\ninstalls_given_up:%llu\r\n",
               giving, taking, (unsigned long long)installs->given,
               (unsigned long long)installs->taken, (unsigned long long)installs->given_up);
}

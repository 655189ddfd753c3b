/* Any bytes from a peer: as a stream of frames, cut into reads in two ways, which must give the
 * same; as the payload of well-made frames of every kind and channel, given to a node's links; as
 * a greeting; as raft messages, which must be written as they were read. */
#include "cluster/hello.h"
#include "cluster/link.h"
#include "cluster/message.h"
#include "codec/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct peers *open_node(struct log *log)
{
    struct peers_options options = {
        .log = log,
        .node = 2,
        .store_id = 102,
        .run = 1,
        .tick_us = 1000,
        .silent_us = 1000000,
    };
    struct peers_member member = {.node = 1, .host = "127.0.0.1", .port = 1};
    struct buf error = {0};
    struct peers *peers;
    bool is_open = peers_open(&peers, &options, 1, &error);
    ASSERT(is_open);
    enum peers_err err = peers_set(peers, &member);
    ASSERT(err == PEERS_OK);
    return peers;
}

static void note(struct buf *said, const struct peers_input *input)
{
    buf_printf(said, "%d ", (int)input->kind);
    if (input->kind == PEERS_IN_REQUEST)
        buf_append(said, input->request.payload);
    if (input->kind == PEERS_IN_STREAM_CHUNK || input->kind == PEERS_IN_STREAM_OPEN)
        buf_append(said, input->stream.payload);
    if (input->kind != PEERS_IN_MESSAGE)
        return;
    buf_printf(said, "%u ", input->raft.group);
    for (uint32_t i = 0;
         i < input->raft.message.append.count && input->raft.message.kind == RAFT_APPEND; i++)
        buf_append(said, input->raft.entries[i].payload);
}

static void pull(struct peers *peers, struct buf *said)
{
    struct peers_input input;
    while (peers_next(peers, &input))
        note(said, &input);
    peers_flush(peers);
}

/* What a node says to a stream of bytes that comes in pieces. */
static void give_stream(struct bytes stream, enum peers_channel channel, size_t piece,
                        struct log *log, struct buf *said)
{
    struct peers *peers = open_node(log);
    peers_wire_up(peers, 1, channel, 1);
    for (size_t at = 0; at < stream.size; at += piece) {
        size_t rest = stream.size - at;
        peers_wire_give(peers, 1, channel, bytes_of(stream.data + at, rest < piece ? rest : piece));
        pull(peers, said);
    }
    peers_close(peers);
}

static void try_stream(struct bytes stream, enum peers_channel channel, struct log *log)
{
    struct buf whole = {0}, cut = {0};
    give_stream(stream, channel, SIZE_MAX / 2, log, &whole);
    give_stream(stream, channel, 13, log, &cut);
    ASSERT(bytes_equal(buf_bytes(&whole), buf_bytes(&cut)));
    buf_free(&whole);
    buf_free(&cut);
}

/* The bytes as payloads of frames whose checksums fit: what comes behind the checksum. The first
 * bytes draw kinds and cuts. */
static void try_payloads(struct bytes in, enum peers_channel channel, struct log *log)
{
    struct buf stream = {0};
    struct fields fields = fields_of(in);
    for (uint64_t number = 0; number < 8 && fields.rest.size > 0; number++) {
        uint8_t kind = take_u8(&fields) % FRAME_KINDS_MAX;
        size_t size = take_u8(&fields);
        size = size < fields.rest.size ? size : fields.rest.size;
        size_t at = frame_begin(&stream);
        buf_append(&stream, take_bytes(&fields, size));
        frame_end(&stream, at, kind, number);
    }
    try_stream(buf_bytes(&stream), channel, log);
    buf_free(&stream);
}

static void try_message(struct bytes in)
{
    struct message_scratch scratch = {0};
    struct message_in message;
    struct fields fields = fields_of(in);
    if (message_take(&fields, &scratch, &message) && message.message.kind != RAFT_APPEND) {
        struct buf again = {0};
        message_put(&again, message.group, &message.message);
        ASSERT(bytes_equal(buf_bytes(&again), bytes_of(in.data, in.size - fields.rest.size)));
        buf_free(&again);
    }
    message_scratch_free(&scratch);
}

static void try_hello(struct bytes in)
{
    struct hello hello;
    if (!hello_take(in, &hello))
        return;
    struct buf again = {0};
    hello_put(&again, &hello);
    ASSERT(bytes_equal(buf_bytes(&again), in));
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct log log;
    bool is_open = log_init(&log, LOG_LEVEL_NOTHING, NULL);
    ASSERT(is_open);
    enum peers_channel channel = (enum peers_channel)(data[0] % PEERS_CHANNELS);
    struct bytes rest = bytes_of(data + 1, size - 1);
    try_stream(rest, channel, &log);
    try_payloads(rest, channel, &log);
    try_message(rest);
    try_hello(rest);
    log_fini(&log);
    return 0;
}

/* Any bytes as a stream of requests: however the bytes are cut into reads, the parser says the
 * same, and every argument lies inside what was read. The first byte draws limits and cuts. */
#include "base/mem.h"
#include "base/prng.h"
#include "codec/resp_parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small enough that short inputs reach them. */
static const struct resp_limits limits = {.inline_max = 48, .bulk_max = 40, .args_max = 12};

/* Writes down the arguments of a finished request. Their bytes are read, so a sanitizer checks
 * that they are inside. */
static void note_request(struct buf *said, const struct resp_parser *parser, const uint8_t *base)
{
    buf_printf(said, "ok %u %zu %d:", parser->arg_count, parser->consumed, parser->is_inline);
    for (uint32_t i = 0; i < parser->arg_count; i++) {
        struct bytes arg = resp_parser_arg(parser, base, i);
        buf_printf(said, "%zu=", arg.size);
        buf_append(said, arg);
    }
}

/* Parses what is buffered, moved to memory of exactly its size. True when the stream is over. */
static bool parse_buffered(struct resp_parser *parser, struct buf *buffered, bool authenticated,
                           struct buf *said)
{
    while (true) {
        uint8_t *moved = mem_alloc(buffered->size > 0 ? buffered->size : 1);
        if (buffered->size > 0)
            memcpy(moved, buffered->data, buffered->size);
        enum resp_err err =
            resp_parse(parser, bytes_of(moved, buffered->size), &limits, authenticated);
        if (err == RESP_OK)
            note_request(said, parser, moved);
        mem_free(moved);
        if (err == RESP_MORE) {
            ASSERT(parser->want > 0);
            return false;
        }
        if (err == RESP_BAD) {
            buf_append_string(said, parser->error);
            return true;
        }
        if (err == RESP_EMPTY)
            buf_printf(said, "empty %zu", parser->consumed);
        ASSERT(parser->consumed > 0 && parser->consumed <= buffered->size);
        buf_consume(buffered, parser->consumed);
    }
}

/* chunk_max 0: everything in one read. */
static void read_stream(struct bytes stream, uint64_t chunk_max, uint64_t seed, bool authenticated,
                        struct buf *said)
{
    struct prng prng = prng_init(seed);
    struct resp_parser parser = {0};
    struct buf buffered = {0};
    bool is_over = false;
    while (!is_over && stream.size > 0) {
        size_t size = chunk_max == 0 ? stream.size : (size_t)prng_between(&prng, 1, chunk_max);
        size = size < stream.size ? size : stream.size;
        buf_append(&buffered, bytes_of(stream.data, size));
        stream = bytes_of(stream.data + size, stream.size - size);
        is_over = parse_buffered(&parser, &buffered, authenticated, said);
    }
    buf_free(&buffered);
    resp_parser_free(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool authenticated = (data[0] & 1) != 0;
    struct bytes stream = bytes_of(data + 1, size - 1);
    struct buf whole = {0};
    read_stream(stream, 0, 0, authenticated, &whole);
    for (uint64_t chunk_max = 1; chunk_max <= 9; chunk_max += 4) {
        struct buf cut = {0};
        read_stream(stream, chunk_max, data[0], authenticated, &cut);
        ASSERT(bytes_equal(buf_bytes(&whole), buf_bytes(&cut)));
        buf_free(&cut);
    }
    buf_free(&whole);
    return 0;
}

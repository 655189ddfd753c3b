/* Incremental parser of client requests: RESP arrays of bulk strings, and inline requests.
 *
 * It works on the caller's contiguous query buffer and copies nothing: arguments are kept as
 * (offset, size) from the request's first byte, so the buffer may grow or move between calls.
 *
 *   loop: resp_parse(parser, bytes from the start of the request, ...)
 *     RESP_OK     use the arguments, then drop `consumed` bytes and call again
 *     RESP_EMPTY  drop `consumed` bytes and call again
 *     RESP_MORE   read more behind what is there, call again with the same start
 *     RESP_BAD    answer "-ERR " and `error`, close; every later call answers RESP_BAD
 *
 * The answer does not depend on how the bytes were cut into calls. Each byte of a request is looked
 * at once, apart from bulk contents, which are not looked at. Stricter than Redis in one thing: a
 * line must end in CRLF and a bulk must be followed by CRLF; a client that miscounts its sizes is
 * refused before a wrong value is executed. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

struct resp_limits {
    size_t inline_max; /* bytes of an inline request or of a count line before its newline */
    uint64_t bulk_max; /* bytes of one argument (proto-max-bulk-len) */
    uint32_t args_max; /* arguments of one request */
};

#define RESP_LIMITS_DEFAULT                                                                        \
    ((struct resp_limits){                                                                         \
        .inline_max = 64 * 1024, .bulk_max = 512ULL * 1024 * 1024, .args_max = 1024 * 1024})

enum {
    RESP_UNAUTHENTICATED_ARGS_MAX = 10,
    RESP_UNAUTHENTICATED_BULK_MAX = 16384,
    RESP_ERROR_SIZE = 64,
    RESP_INLINE_LIMIT_MIN = 32, /* the least inline_max: any count line fits */
};

enum resp_err {
    RESP_OK = 0, /* one request is complete */
    RESP_MORE,   /* it is not; at least `want` more bytes are needed */
    RESP_EMPTY,  /* an empty line or "*0": to be skipped without an answer */
    RESP_BAD,    /* protocol error; `error` says which */
};

struct resp_span {
    size_t offset; /* from the start of the request; of an inline request, in `unquoted` */
    size_t size;
};

/* One per connection. Zero-initialised is ready. Fields above the line are for the caller to read
 * after a call, the others belong to the parser. */
struct resp_parser {
    uint32_t arg_count;          /* RESP_OK: at least 1 */
    bool is_inline;              /* RESP_OK: how the request came */
    size_t consumed;             /* RESP_OK, RESP_EMPTY: bytes of the request */
    size_t want;                 /* RESP_MORE: how many bytes are surely missing, at least 1 */
    char error[RESP_ERROR_SIZE]; /* RESP_BAD: "Protocol error: …", no CR, LF; 0-terminated */
    /* ------------------------------------------------------------------------------------ */
    uint8_t phase;
    uint32_t args_expected;
    uint32_t args_capacity;
    struct resp_span *args;
    size_t at;      /* where the phase's token begins */
    size_t scanned; /* bytes of the token known to hold no line end */
    size_t bulk_size;
    struct buf unquoted; /* arguments of an inline request */
};

/* buffered begins at the first byte of a request and holds all that was read of it so far (more
 * may follow, belonging to the next). authenticated false applies the RESP_UNAUTHENTICATED limits.
 */
MUST_USE enum resp_err resp_parse(struct resp_parser *parser, struct bytes buffered,
                                  const struct resp_limits *limits, bool authenticated);

/* Argument i of the finished request whose first byte now stands at `base`. Borrows from there, or
 * for an inline request from the parser until its next call. */
static inline struct bytes resp_parser_arg(const struct resp_parser *parser, const uint8_t *base,
                                           uint32_t i)
{
    ASSERT(i < parser->arg_count);
    const uint8_t *from = parser->is_inline ? parser->unquoted.data : base;
    return bytes_of(from + parser->args[i].offset, parser->args[i].size);
}

size_t resp_parser_memory(const struct resp_parser *parser); /* heap bytes held */
void resp_parser_free(struct resp_parser *parser);           /* leaves a ready one */

/* Writes to one or more servers from many clients at once, each with one request in flight, and
 * tells how many were answered and how fast. One loop in one thread.
 *
 *   put_load PROTOCOL --ports P,P,… [--clients N] [--ms N] [--keys N] [--size BYTES] [--shared N]
 *            [--shards N]
 *
 * PROTOCOL is resp (SET; MOVED is followed and remembered for its one of --shards) or grpc (etcd's
 * Put, over HTTP/2 without encryption; --shared clients use one connection, each with its own
 * stream). The keys are drawn from --keys, the values are --size bytes. It prints
 *
 *   puts N seconds S p50 MS p99 MS worst MS cpu S errors N moved N last TEXT
 *
 * where worst counts requests that are still in flight at the end, too, and cpu is this program's
 * own CPU time: near S means that it was the bottleneck. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/crc16.h"
#include "base/mem.h"
#include "base/prng.h"
#include "router/router.h"

enum {
    PORTS_MAX = 16,
    CLIENTS_MAX = 4096,
    SLOTS = 16384,
    SHARDS_MAX = 1024,
    VALUE_MAX = 4096,
    IN_MAX = 32768, /* more than one frame of HTTP/2 */
    KEY_SIZE = 16,
    LATENCIES = 2000000, /* one per microsecond; what is slower counts as the last */
    WARM_US = 200000,    /* at the beginning, not counted */
    RETRY_US = 2000,     /* after an error */
    EVENTS = 256,
};

enum { FRAME_DATA, FRAME_HEADERS, FRAME_RST = 3, FRAME_SETTINGS, FRAME_PING = 6, FRAME_GOAWAY };
enum { FRAME_WINDOW_UPDATE = 8, FRAME_HEAD = 9, FLAG_END = 1, FLAG_ACK = 1, FLAG_END_HEADERS = 4 };

struct client;

struct connection {
    int fd; /* -1: not made yet */
    size_t port;
    uint32_t next_stream; /* of HTTP/2 */
    uint32_t received;    /* bytes of DATA that were not given back to the peer's window yet */
    struct client *first; /* those who use it */
    size_t in_size;
    uint8_t in[IN_MAX];
};

/* A client has a connection to each port (resp), or shares one with others (grpc). */
struct client {
    struct connection *connections[PORTS_MAX];
    char key[KEY_SIZE + 1];
    uint64_t sent_us;  /* when the request was sent first */
    uint64_t retry_us; /* when it is sent again after an error; 0: it waits for its reply */
    uint32_t stream;
    bool has_data;
};

struct load {
    bool is_grpc;
    uint16_t ports[PORTS_MAX];
    size_t port_count;
    unsigned long long clients, ms, keys, size, shared, shards;
    int epoll;
    struct client *client;
    struct prng prng;
    uint8_t port_of_shard[SHARDS_MAX];
    struct buf out;
    uint64_t now_us, count_from_us, end_us;
    bool is_retrying;
    unsigned long long puts, errors, moved;
    uint64_t worst_us;
    char last_error[128];
    uint32_t *latency;
    char value[VALUE_MAX];
};

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void fail(const char *what)
{
    fprintf(stderr, "put_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- sending ---- */

/* A few hundred bytes to a peer that reads: there is always room. */
static void send_out(struct load *load, struct connection *connection)
{
    ssize_t sent = send(connection->fd, load->out.data, load->out.size, MSG_NOSIGNAL);
    if (sent != (ssize_t)load->out.size)
        fail("send");
    buf_clear(&load->out);
}

static void append_number(struct buf *out, uint64_t number, int bytes)
{
    while (bytes-- > 0)
        buf_append_u8(out, (uint8_t)(number >> (8 * bytes)));
}

static void append_frame(struct buf *out, size_t size, uint8_t type, uint8_t flags, uint32_t stream)
{
    append_number(out, size, 3);
    append_number(out, type, 1);
    append_number(out, flags, 1);
    append_number(out, stream, 4);
}

/* HPACK (RFC 7541) with the static table and literals that are not indexed. */
static struct bytes put_headers(void)
{
    return BYTES_LITERAL("\x83\x86"                     /* POST, http */
                         "\x04\x14/etcdserverpb.KV/Put" /* :path */
                         "\x01\x09localhost"            /* :authority */
                         "\x0f\x10\x10"                 /* content-type */
                         "application/grpc\x00\x02te\x08trailers");
}

/* Protocol buffers: field 1 key, field 2 value, each with its size; behind gRPC's five bytes. */
static void append_put(struct load *load, uint32_t stream, const char *key)
{
    struct bytes headers = put_headers();
    size_t value_head = load->size < 128 ? 2 : 3;
    size_t message = 2 + KEY_SIZE + value_head + load->size;
    append_frame(&load->out, headers.size, FRAME_HEADERS, FLAG_END_HEADERS, stream);
    buf_append(&load->out, headers);
    append_frame(&load->out, 5 + message, FRAME_DATA, FLAG_END, stream);
    append_number(&load->out, message, 5);
    append_number(&load->out, 0x0a00 + KEY_SIZE, 2);
    buf_append(&load->out, bytes_of(key, KEY_SIZE));
    buf_append_u8(&load->out, 0x12);
    if (load->size >= 128)
        buf_append_u8(&load->out, (uint8_t)(load->size | 0x80));
    buf_append_u8(&load->out, (uint8_t)(load->size < 128 ? load->size : load->size >> 7));
    buf_append(&load->out, bytes_of(load->value, load->size));
}

/* The preface of HTTP/2, no settings, and a window of 1 GB for all answers together. */
static void append_preface(struct buf *out)
{
    buf_append_string(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    append_frame(out, 0, FRAME_SETTINGS, 0, 0);
    append_frame(out, 4, FRAME_WINDOW_UPDATE, 0, 0);
    append_number(out, 1 << 30, 4);
}

static void open_connection(struct load *load, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(load->ports[connection->port]),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fail("connect");
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        fail("epoll_ctl");
    connection->next_stream = 1;
    if (load->is_grpc) {
        append_preface(&load->out);
        send_out(load, connection);
    }
}

static uint8_t *port_of_key(struct load *load, const char *key)
{
    uint16_t slot = crc16(bytes_of(key, KEY_SIZE)) % SLOTS;
    return &load->port_of_shard[router_shard_of_slot((uint32_t)load->shards, slot)];
}

static void send_request(struct load *load, struct client *client)
{
    size_t port = load->is_grpc ? 0 : *port_of_key(load, client->key);
    struct connection *connection = client->connections[port];
    client->retry_us = 0;
    if (connection->fd < 0)
        open_connection(load, connection);
    if (load->is_grpc) {
        client->stream = connection->next_stream;
        client->has_data = false;
        connection->next_stream += 2;
        append_put(load, client->stream, client->key);
    } else {
        buf_printf(&load->out, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%llu\r\n", KEY_SIZE, client->key,
                   load->size);
        buf_append(&load->out, bytes_of(load->value, load->size));
        buf_append_string(&load->out, "\r\n");
    }
    send_out(load, connection);
}

static void send_next(struct load *load, struct client *client)
{
    unsigned long long number = prng_below(&load->prng, load->keys);
    (void)snprintf(client->key, sizeof(client->key), "key:%012llu", number % 1000000000000);
    for (size_t i = 0; i < 8 && i < load->size; i++)
        load->value[i] = (char)('a' + prng_next(&load->prng) % 26);
    client->sent_us = load->now_us;
    send_request(load, client);
}

/* ---- what comes back ---- */

static uint64_t note_latency(struct load *load, const struct client *client)
{
    uint64_t spent_us = load->now_us - client->sent_us;
    load->worst_us = spent_us > load->worst_us ? spent_us : load->worst_us;
    return spent_us;
}

static void end_request(struct load *load, struct client *client)
{
    if (load->now_us >= load->count_from_us) {
        uint64_t spent_us = note_latency(load, client);
        load->latency[spent_us < LATENCIES ? spent_us : LATENCIES - 1]++;
        load->puts++;
    }
    send_next(load, client);
}

static void note_error(struct load *load, struct client *client, struct bytes text)
{
    load->errors++;
    (void)snprintf(load->last_error, sizeof(load->last_error), "%.*s", (int)text.size,
                   (const char *)text.data);
    client->retry_us = load->now_us + RETRY_US;
    load->is_retrying = true;
}

/* "-MOVED slot host:port" */
static void follow(struct load *load, struct client *client, struct bytes text)
{
    char line[128];
    (void)snprintf(line, sizeof(line), "%.*s", (int)text.size, (const char *)text.data);
    const char *colon = strrchr(line, ':');
    unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, NULL, 10);
    load->moved++;
    for (size_t i = 0; i < load->port_count; i++) {
        if (load->ports[i] == port) {
            *port_of_key(load, client->key) = (uint8_t)i;
            send_request(load, client);
            return;
        }
    }
    note_error(load, client, text);
}

/* Bytes that were used up, 0: a reply is not complete yet. */
static size_t take_line(struct load *load, struct client *client, struct bytes in)
{
    const uint8_t *end = memchr(in.data, '\n', in.size);
    if (end == NULL)
        return 0;
    struct bytes line = bytes_of(in.data, (size_t)(end - in.data));
    if (line.data[0] == '+')
        end_request(load, client);
    else if (bytes_start_with(line, BYTES_LITERAL("-MOVED ")))
        follow(load, client, line);
    else
        note_error(load, client, line);
    return line.size + 1;
}

static uint32_t number_at(const uint8_t *data, int bytes)
{
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | data[i];
    return number;
}

static void give_window_back(struct load *load, struct connection *connection, uint32_t size)
{
    connection->received += size;
    if (connection->received < 1 << 20)
        return;
    append_frame(&load->out, 4, FRAME_WINDOW_UPDATE, 0, 0);
    append_number(&load->out, connection->received, 4);
    connection->received = 0;
    send_out(load, connection);
}

/* An answer is a message and then trailers; an error has trailers only. */
static void take_stream_frame(struct load *load, struct connection *connection, uint8_t type,
                              bool is_last, uint32_t stream)
{
    struct client *client = connection->first;
    while (client < connection->first + load->shared && client->stream != stream)
        client++;
    if (client == connection->first + load->shared)
        return;
    client->has_data |= type == FRAME_DATA;
    if (type != FRAME_RST && !is_last)
        return;
    if (client->has_data && type != FRAME_RST)
        end_request(load, client);
    else
        note_error(load, client, BYTES_LITERAL("refused"));
}

static size_t take_frame(struct load *load, struct connection *connection, struct bytes in)
{
    if (in.size < FRAME_HEAD)
        return 0;
    uint32_t size = number_at(in.data, 3);
    uint8_t type = in.data[3], flags = in.data[4];
    uint32_t stream = number_at(in.data + 5, 4) & INT32_MAX;
    if (in.size < FRAME_HEAD + size)
        return 0;
    if ((type == FRAME_SETTINGS || type == FRAME_PING) && (flags & FLAG_ACK) == 0) {
        append_frame(&load->out, type == FRAME_PING ? size : 0, type, FLAG_ACK, 0);
        if (type == FRAME_PING)
            buf_append(&load->out, bytes_of(in.data + FRAME_HEAD, size));
        send_out(load, connection);
    } else if (type == FRAME_GOAWAY) {
        errno = ECONNRESET;
        fail("the server said goodbye");
    }
    if (type == FRAME_DATA)
        give_window_back(load, connection, size);
    if (type == FRAME_DATA || type == FRAME_HEADERS || type == FRAME_RST)
        take_stream_frame(load, connection, type, (flags & FLAG_END) != 0, stream);
    return FRAME_HEAD + size;
}

static void receive(struct load *load, struct connection *connection)
{
    ssize_t got =
        recv(connection->fd, connection->in + connection->in_size, IN_MAX - connection->in_size, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        fail("the connection was closed");
    connection->in_size += (size_t)got;
    size_t at = 0, used = 1;
    while (used > 0 && at < connection->in_size) {
        struct bytes in = bytes_of(connection->in + at, connection->in_size - at);
        used = load->is_grpc ? take_frame(load, connection, in)
                             : take_line(load, connection->first, in);
        at += used;
    }
    connection->in_size -= at;
    memmove(connection->in, connection->in + at, connection->in_size);
}

/* ---- the run ---- */

static struct connection *new_connection(struct client *first, size_t port)
{
    struct connection *connection = mem_alloc(sizeof(*connection));
    *connection = (struct connection){.fd = -1, .port = port, .first = first};
    return connection;
}

static void make_clients(struct load *load)
{
    load->client = mem_zero(load->clients * sizeof(*load->client));
    for (size_t i = 0; i < load->clients; i++) {
        struct client *client = &load->client[i];
        for (size_t port = 0; port < load->port_count; port++)
            client->connections[port] =
                i % load->shared == 0 ? new_connection(client, port) : client[-1].connections[port];
    }
}

/* All to the first port, before the clock starts; others when MOVED asks for them. */
static void open_connections(struct load *load)
{
    for (size_t i = 0; i < load->clients; i += load->shared)
        open_connection(load, load->client[i].connections[0]);
}

static void retry(struct load *load)
{
    load->is_retrying = false;
    for (size_t i = 0; i < load->clients; i++) {
        struct client *client = &load->client[i];
        if (client->retry_us != 0 && client->retry_us <= load->now_us)
            send_request(load, client);
        load->is_retrying |= client->retry_us != 0;
    }
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS];
    while (load->now_us < load->end_us) {
        int count = epoll_wait(load->epoll, events, EVENTS, load->is_retrying ? 1 : 50);
        load->now_us = clock_us(CLOCK_MONOTONIC);
        for (int i = 0; i < count; i++)
            receive(load, events[i].data.ptr);
        if (load->is_retrying)
            retry(load);
    }
    for (size_t i = 0; i < load->clients; i++)
        (void)note_latency(load, &load->client[i]);
}

static double latency_ms(const struct load *load, double share)
{
    unsigned long long seen = 0;
    for (size_t us = 0; us < LATENCIES; us++) {
        seen += load->latency[us];
        if (seen > 0 && (double)seen >= share * (double)load->puts)
            return (double)us / 1000;
    }
    return 0;
}

static void report(const struct load *load, double cpu_s)
{
    double seconds = (double)(load->now_us - load->count_from_us) / 1e6;
    printf("puts %llu seconds %.3f p50 %.3f p99 %.3f worst %.3f cpu %.3f errors %llu moved %llu "
           "last %s\n",
           load->puts, seconds, latency_ms(load, 0.5), latency_ms(load, 0.99),
           (double)load->worst_us / 1000, cpu_s, load->errors, load->moved, load->last_error);
}

/* ---- options ---- */

static unsigned long long number_or_exit(const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || errno != 0 || *text == '\0' || *end != '\0') {
        fprintf(stderr, "put_load: a number is missing after an option\n");
        exit(2);
    }
    return value;
}

static void read_ports(struct load *load, const char *text)
{
    while (text != NULL && *text != '\0' && load->port_count < PORTS_MAX) {
        char *end = NULL;
        load->ports[load->port_count++] = (uint16_t)strtoul(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
        if (*end != ',' && *end != '\0')
            break;
    }
}

static void read_options(struct load *load, int argc, char **argv)
{
    const struct {
        const char *name;
        unsigned long long *value;
    } options[] = {
        {"--clients", &load->clients}, {"--ms", &load->ms},         {"--keys", &load->keys},
        {"--size", &load->size},       {"--shared", &load->shared}, {"--shards", &load->shards},
    };
    load->is_grpc = argc > 1 && strcmp(argv[1], "grpc") == 0;
    for (int i = 2; i < argc; i += 2) {
        size_t at = 0;
        while (at < COUNT_OF(options) && strcmp(argv[i], options[at].name) != 0)
            at++;
        if (strcmp(argv[i], "--ports") == 0) {
            read_ports(load, argv[i + 1]);
        } else if (at == COUNT_OF(options)) {
            fprintf(stderr, "put_load: unknown option %s\n", argv[i]);
            exit(2);
        } else {
            *options[at].value = number_or_exit(argv[i + 1]);
        }
    }
}

int main(int argc, char **argv)
{
    struct load *load = mem_zero(sizeof(*load));
    *load = (struct load){
        .clients = 50, .ms = 1000, .keys = 100000, .size = 64, .shared = 1, .shards = 1};
    read_options(load, argc, argv);
    ASSERT(load->port_count > 0 && load->keys > 0 && load->size < VALUE_MAX);
    ASSERT(load->shared > 0 && load->clients % load->shared == 0 && load->clients <= CLIENTS_MAX);
    ASSERT(load->is_grpc || load->shared == 1);
    ASSERT(load->shards > 0 && load->shards <= SHARDS_MAX);
    memset(load->value, 'v', sizeof(load->value));
    load->prng = prng_init(clock_us(CLOCK_MONOTONIC));
    load->latency = mem_zero(LATENCIES * sizeof(*load->latency));
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    make_clients(load);
    open_connections(load);
    load->now_us = clock_us(CLOCK_MONOTONIC);
    load->count_from_us = load->now_us + WARM_US;
    load->end_us = load->count_from_us + load->ms * 1000;
    for (size_t i = 0; i < load->clients; i++)
        send_next(load, &load->client[i]);
    uint64_t cpu_from_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    run(load);
    report(load, (double)(clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu_from_us) / 1e6);
    return 0;
}

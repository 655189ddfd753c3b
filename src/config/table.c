#include "config/directive.h"

#include <limits.h>

#include "base/log.h"

static const struct config_choice appendfsync_choices[] = {
    {"always", CONFIG_FSYNC_ALWAYS, NULL},
    {"everysec", CONFIG_FSYNC_EVERYSEC, NULL},
    {"no", CONFIG_FSYNC_NO, NULL},
    {NULL, 0, NULL},
};

static const struct config_choice loglevel_choices[] = {
    {"debug", LOG_LEVEL_DEBUG, NULL},     {"verbose", LOG_LEVEL_VERBOSE, NULL},
    {"notice", LOG_LEVEL_NOTICE, NULL},   {"warning", LOG_LEVEL_WARNING, NULL},
    {"nothing", LOG_LEVEL_NOTHING, NULL}, {NULL, 0, NULL},
};

static const struct config_choice supervised_choices[] = {
    {"no", CONFIG_SUPERVISED_NO, NULL},
    {"systemd", CONFIG_SUPERVISED_SYSTEMD, NULL},
    {"auto", CONFIG_SUPERVISED_AUTO, NULL},
    {"upstart", 0, "upstart is not supported; use systemd, auto or no"},
    {NULL, 0, NULL},
};

static const struct config_choice debug_choices[] = {
    {"no", CONFIG_DEBUG_NO, NULL},
    {"yes", CONFIG_DEBUG_YES, NULL},
    {"local", CONFIG_DEBUG_LOCAL, NULL},
    {NULL, 0, NULL},
};

/* What is dropped from memory is still in the store, so nothing has to be evicted from the data. */
#define NO_EVICTION "eviction is not supported so far; noeviction is the only policy"

static const struct config_choice policy_choices[] = {
    {"volatile-lru", 0, NO_EVICTION},
    {"volatile-lfu", 0, NO_EVICTION},
    {"volatile-random", 0, NO_EVICTION},
    {"volatile-ttl", 0, NO_EVICTION},
    {"allkeys-lru", 0, NO_EVICTION},
    {"allkeys-lfu", 0, NO_EVICTION},
    {"allkeys-random", 0, NO_EVICTION},
    {"noeviction", CONFIG_POLICY_NOEVICTION, NULL},
    {NULL, 0, NULL},
};

/* The field's offset; does not compile when the field is not of the type that the kind writes. */
#define FIELD(type, field)                                                                         \
    _Generic(&((struct config *)NULL)->field, type * : offsetof(struct config, field))

#define MUTABLE true
#define FIXED   false

#define ROW(name_, alias_, kind_, mutable_, type_, field_, min_, max_, choices_, initial_, help_)  \
    {                                                                                              \
        .name = name_, .alias = alias_, .kind = kind_, .is_mutable = mutable_,                     \
        .offset = FIELD(type_, field_), .min = min_, .max = max_, .choices = choices_,             \
        .initial = initial_, .help = help_                                                         \
    }

#define BOOL(name, mutable, field, initial, help)                                                  \
    ROW(name, NULL, CONFIG_KIND_BOOL, mutable, bool, field, 0, 1, NULL, initial, help)
#define INT_ALIAS(name, alias, mutable, field, min, max, initial, help)                            \
    ROW(name, alias, CONFIG_KIND_INT, mutable, int64_t, field, min, max, NULL, initial, help)
#define INT(name, mutable, field, min, max, initial, help)                                         \
    INT_ALIAS(name, NULL, mutable, field, min, max, initial, help)
#define OCTAL(name, mutable, field, max, initial, help)                                            \
    ROW(name, NULL, CONFIG_KIND_OCTAL, mutable, int64_t, field, 0, max, NULL, initial, help)
#define MEMORY(name, mutable, field, min, max, initial, help)                                      \
    ROW(name, NULL, CONFIG_KIND_MEMORY, mutable, uint64_t, field, min, max, NULL, initial, help)
#define AMOUNT(name, mutable, field, initial, help)                                                \
    ROW(name, NULL, CONFIG_KIND_AMOUNT, mutable, struct config_amount, field, 0, INT64_MAX, NULL,  \
        initial, help)
#define CHOICE(name, mutable, field, choices, initial, help)                                       \
    ROW(name, NULL, CONFIG_KIND_CHOICE, mutable, int, field, 0, 0, choices, initial, help)
#define STRING(name, mutable, field, initial, help)                                                \
    ROW(name, NULL, CONFIG_KIND_STRING, mutable, char *, field, 0, 0, NULL, initial, help)
#define LIST(name, mutable, field, initial, help)                                                  \
    ROW(name, NULL, CONFIG_KIND_LIST, mutable, struct config_list, field, 0, 0, NULL, initial, help)
#define LIMITS(name, mutable, field, initial, help)                                                \
    ROW(name, NULL, CONFIG_KIND_LIMITS, mutable, struct config_output_limit, field[0], 0, 0, NULL, \
        initial, help)
#define EVENTS(name, mutable, field, initial, help)                                                \
    ROW(name, NULL, CONFIG_KIND_EVENTS, mutable, uint32_t, field, 0, 0, NULL, initial, help)

#define KB 1024LL
#define MB (1024 * KB)
#define GB (1024 * MB)

static const struct config_directive table[] = {
    LIST("bind", FIXED, bind, "127.0.0.1 -::1",
         "addresses to listen on; '-' before one: may be missing"),
    INT("port", FIXED, port, 0, 65535, "6379", "TCP port; 0: none"),
    INT("tcp-backlog", FIXED, tcp_backlog, 1, INT_MAX, "511",
        "connections that may wait to be accepted"),
    STRING("unixsocket", FIXED, unixsocket, "", "path of a Unix socket; empty: none"),
    OCTAL("unixsocketperm", FIXED, unixsocketperm, 0777, "0",
          "permissions of the Unix socket, octal"),
    INT("timeout", MUTABLE, timeout, 0, INT_MAX, "0",
        "seconds until an idle client is closed; 0: never"),
    INT("tcp-keepalive", MUTABLE, tcp_keepalive, 0, INT_MAX, "300",
        "seconds between keepalive probes; 0: none"),
    BOOL("protected-mode", MUTABLE, protected_mode, "yes",
         "without a password serve this machine only"),
    STRING("requirepass", MUTABLE, requirepass, "", "password of the default user; empty: none"),
    INT("maxclients", MUTABLE, maxclients, 1, UINT_MAX, "10000", "connections at once"),

    INT("node", FIXED, node, 0, INT_MAX, "0",
        "number of this node in its cluster; 0: as its data says, or 1"),
    STRING("cluster", FIXED, cluster, "",
           "nodes that form a cluster: number=host:port[@port for nodes], with commas between"),
    BOOL("cluster-enabled", FIXED, cluster_enabled, "no",
         "answer CLUSTER and its like, for clients that speak the cluster protocol"),
    STRING("cluster-announce-ip", FIXED, cluster_announce_ip, "",
           "host under which others reach a node that is not in 'cluster'; empty: of 'bind'"),
    INT("cluster-announce-port", FIXED, cluster_announce_port, 0, 65535, "0",
        "port of the same; 0: 'port'"),
    BOOL("read-lease", MUTABLE, read_lease, "yes",
         "a leader's lease covers reads; no: each waits for a quorum to answer"),
    MEMORY("log-tail", FIXED, log_tail, 0, 64 * GB, "16mb",
           "entries in memory that slow followers may still want, all shards together"),
    MEMORY("install-log-max", MUTABLE, install_log_max, 16 * MB, 1024 * GB, "512mb",
           "entries that may pile up behind rows on their way to another node"),
    INT("cluster-port", FIXED, cluster_port, 0, 65535, "0",
        "TCP port for other nodes; 0: port + 10000"),
    STRING("cluster-secret", FIXED, cluster_secret, "",
           "what all nodes of a cluster know; empty: no port for other nodes"),
    INT("busy-max", FIXED, busy_max_ms, 0, 3600000, "60000",
        "ms of one long command after which other nodes elect anew; 0: at once"),
    BOOL("tls-cluster", FIXED, tls_cluster, "no", "encrypt links between nodes"),
    STRING("tls-cert-file", FIXED, tls_cert_file, "", "certificate of this node, PEM"),
    STRING("tls-key-file", FIXED, tls_key_file, "", "its private key, PEM"),
    STRING("tls-ca-cert-file", FIXED, tls_ca_cert_file, "",
           "who must have signed the certificates of nodes, PEM"),

    STRING("dir", FIXED, dir, "./data", "folder of the data"),
    BOOL("daemonize", FIXED, daemonize, "no", "run in the background"),
    STRING("pidfile", FIXED, pidfile, "", "file that gets the process id; empty: none"),
    STRING("logfile", FIXED, logfile, "", "log file; empty: standard error"),
    CHOICE("loglevel", MUTABLE, loglevel, loglevel_choices, "notice", "least level that is logged"),
    CHOICE("supervised", FIXED, supervised, supervised_choices, "no", "tell systemd when ready"),
    CHOICE("enable-debug-command", FIXED, enable_debug_command, debug_choices, "no",
           "who may use DEBUG"),
    INT("hz", MUTABLE, hz, 1, 500, "10", "background rounds per second"),

    CHOICE("appendfsync", MUTABLE, appendfsync, appendfsync_choices, "always",
           "when a write is promised"),
    INT("shards", FIXED, shards, 1, 1024, "1", "Raft groups; fixed when the data is first made"),
    MEMORY("wal-segment-size", FIXED, wal_segment_size, MB, GB, "16mb", "size of a log segment"),
    MEMORY("flush-bytes", MUTABLE, flush_bytes, 64 * KB, GB, "8mb",
           "log bytes of a shard that start a flush"),
    INT("flush-age-ms", MUTABLE, flush_age_ms, 1, 86400000, "10000",
        "age of unflushed rows that starts a flush"),
    MEMORY("entry-max", FIXED, entry_max, MB, 960 * MB, "960mb",
           "rows of one command, MULTI or script"),
    AMOUNT("disk-reserve", MUTABLE, disk_reserve, "auto",
           "space kept free; below it writes are refused"),
    INT("clock-skew-max", MUTABLE, clock_skew_max_ms, 0, 3600000, "500",
        "ms a leader's clock may lead or trail"),
    INT("reader-threads", FIXED, reader_threads, 1, 64, "2", "threads that read the store"),
    MEMORY("block-cache-size", FIXED, block_cache_size, 64 * KB, 1024 * GB, "8mb",
           "cache of store blocks, shared"),

    MEMORY("maxmemory", MUTABLE, maxmemory, 0, INT64_MAX, "0",
           "memory of hot objects; 0: 60 % of what there is"),
    CHOICE("maxmemory-policy", MUTABLE, maxmemory_policy, policy_choices, "noeviction",
           "what happens to data at maxmemory"),
    MEMORY("proto-max-bulk-len", MUTABLE, proto_max_bulk_len, MB, INT64_MAX, "512mb",
           "size of one argument"),
    MEMORY("client-query-buffer-limit", MUTABLE, client_query_buffer_limit, MB, INT64_MAX, "1gb",
           "unread bytes of one client"),
    LIMITS("client-output-buffer-limit", MUTABLE, client_output_buffer_limit,
           "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
           "unsent bytes of one client: class hard soft seconds"),

    INT("databases", FIXED, databases, 16, 16, "16", "number of databases; 16 is the only value"),
    INT_ALIAS("hash-max-listpack-entries", "hash-max-ziplist-entries", MUTABLE,
              hash_max_listpack_entries, 0, INT64_MAX, "512",
              "fields up to which a hash is a listpack"),
    INT_ALIAS("hash-max-listpack-value", "hash-max-ziplist-value", MUTABLE, hash_max_listpack_value,
              0, INT64_MAX, "64", "bytes of a field or value in it"),
    INT_ALIAS("list-max-listpack-size", "list-max-ziplist-size", MUTABLE, list_max_listpack_size,
              INT_MIN, INT_MAX, "-2", "elements of a list node, or -1 to -5: 4 to 64 kb"),
    INT("list-compress-depth", MUTABLE, list_compress_depth, 0, INT_MAX, "0",
        "told to OBJECT and CONFIG only"),
    INT("set-max-intset-entries", MUTABLE, set_max_intset_entries, 0, INT64_MAX, "512",
        "members up to which integers are an intset"),
    INT("set-max-listpack-entries", MUTABLE, set_max_listpack_entries, 0, INT64_MAX, "128",
        "members up to which a set is a listpack"),
    INT("set-max-listpack-value", MUTABLE, set_max_listpack_value, 0, INT64_MAX, "64",
        "bytes of a member in it"),
    INT_ALIAS("zset-max-listpack-entries", "zset-max-ziplist-entries", MUTABLE,
              zset_max_listpack_entries, 0, INT64_MAX, "128",
              "members up to which a sorted set is a listpack"),
    INT_ALIAS("zset-max-listpack-value", "zset-max-ziplist-value", MUTABLE, zset_max_listpack_value,
              0, INT64_MAX, "64", "bytes of a member in it"),
    MEMORY("hll-sparse-max-bytes", MUTABLE, hll_sparse_max_bytes, 0, INT64_MAX, "3000",
           "size up to which a HyperLogLog is sparse"),
    MEMORY("stream-node-max-bytes", MUTABLE, stream_node_max_bytes, 0, INT64_MAX, "4096",
           "bytes of a stream node"),
    INT("stream-node-max-entries", MUTABLE, stream_node_max_entries, 0, INT64_MAX, "100",
        "entries of a stream node"),
    INT("lfu-log-factor", MUTABLE, lfu_log_factor, 0, INT_MAX, "10",
        "how slowly OBJECT FREQ grows"),
    INT("lfu-decay-time", MUTABLE, lfu_decay_time, 0, INT_MAX, "1",
        "minutes until OBJECT FREQ falls by one"),

    INT_ALIAS("busy-reply-threshold", "lua-time-limit", MUTABLE, busy_reply_threshold_ms, 0,
              INT64_MAX, "5000", "ms of a script after which others get BUSY"),
    INT("slowlog-log-slower-than", MUTABLE, slowlog_log_slower_than_us, -1, INT64_MAX, "10000",
        "us of a command that is noted; -1: none"),
    INT("slowlog-max-len", MUTABLE, slowlog_max_len, 0, INT64_MAX, "128",
        "commands kept in SLOWLOG"),
    EVENTS("notify-keyspace-events", MUTABLE, notify_keyspace_events, "",
           "keyspace events to publish; empty: none"),
};

const struct config_directive *config_directives(size_t *count)
{
    *count = COUNT_OF(table);
    return table;
}

const struct config_directive *config_find_directive(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (bytes_is_word(name, table[i].name) ||
            (table[i].alias != NULL && bytes_is_word(name, table[i].alias)))
            return &table[i];
    }
    return NULL;
}

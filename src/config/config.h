/* The configuration: typed fields, read from redis.conf syntax, the command line and CONFIG SET.
 *
 * Which directives there are, their defaults, limits and meaning is one table (config/table.c);
 * conf/quoin.conf explains them to operators. Redis directives without a meaning here are accepted
 * and named in the notes, or refused when ignoring them would be dangerous (config/foreign.c).
 *
 * The module is data in, text out: it opens no sockets, starts nothing, and the owner reads fields
 * where it needs them. Strings and lists are borrowed until the next config_set. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum config_appendfsync { CONFIG_FSYNC_ALWAYS = 0, CONFIG_FSYNC_EVERYSEC, CONFIG_FSYNC_NO };
enum config_debug_command { CONFIG_DEBUG_NO = 0, CONFIG_DEBUG_YES, CONFIG_DEBUG_LOCAL };
enum config_supervised {
    CONFIG_SUPERVISED_NO = 0,
    CONFIG_SUPERVISED_SYSTEMD,
    CONFIG_SUPERVISED_AUTO
};
enum config_maxmemory_policy { CONFIG_POLICY_NOEVICTION = 0 };

enum config_client_class {
    CONFIG_CLIENT_NORMAL = 0,
    CONFIG_CLIENT_REPLICA,
    CONFIG_CLIENT_PUBSUB,
    CONFIG_CLIENT_CLASSES,
};

/* A client whose output is above hard, or above soft for soft_seconds, is disconnected; 0 is none.
 */
struct config_output_limit {
    uint64_t hard;
    uint64_t soft;
    uint64_t soft_seconds;
};

struct config_list {
    char **items; /* 0-terminated each */
    size_t count;
};

/* Bytes, or a share of something, or left to the program. */
struct config_amount {
    enum config_unit { CONFIG_AUTO = 0, CONFIG_BYTES, CONFIG_PERCENT } unit;
    uint64_t value;
};

struct config {
    char *path; /* absolute, of the main file; NULL when there is none */

    /* network */
    struct config_list bind; /* an address after '-' may be missing on this machine */
    int64_t port;            /* 0: no TCP */
    int64_t tcp_backlog;
    char *unixsocket;       /* "": none */
    int64_t unixsocketperm; /* 0: as the umask has it */
    int64_t timeout;        /* seconds; 0: never */
    int64_t tcp_keepalive;  /* seconds; 0: off */
    bool protected_mode;
    char *requirepass; /* "": none */
    int64_t maxclients;

    /* other nodes */
    int64_t node;              /* 0: as the data says, or 1 */
    char *cluster;             /* who forms it: "1=host:port,..."; "": nobody else */
    bool cluster_enabled;      /* the cluster protocol towards clients */
    char *cluster_announce_ip; /* "": as bind and port say */
    int64_t cluster_announce_port;
    bool read_lease;
    uint64_t log_tail;
    uint64_t install_log_max;
    int64_t cluster_port;   /* 0: port + 10000 */
    char *cluster_secret;   /* "": the port for other nodes stays closed */
    int64_t busy_max_ms;    /* how long one turn of the loop may take before peers hear no more */
    bool tls_cluster;       /* encrypt links between nodes, with the three files */
    char *tls_cert_file;    /* "": none */
    char *tls_key_file;     /* "": none */
    char *tls_ca_cert_file; /* "": none */

    /* process */
    char *dir;
    bool daemonize;
    char *pidfile;
    char *logfile;            /* "": standard error */
    int loglevel;             /* enum log_level */
    int supervised;           /* enum config_supervised */
    int enable_debug_command; /* enum config_debug_command */
    int64_t hz;

    /* durability */
    int appendfsync; /* enum config_appendfsync */
    int64_t shards;
    uint64_t wal_segment_size;
    uint64_t flush_bytes;
    int64_t flush_age_ms;
    uint64_t entry_max;
    struct config_amount disk_reserve; /* see config_disk_reserve */
    int64_t clock_skew_max_ms;
    int64_t reader_threads;
    uint64_t block_cache_size;

    /* memory and limits */
    uint64_t maxmemory; /* 0: 60 % of what the machine or cgroup has, as the paging budget */
    int maxmemory_policy;
    uint64_t proto_max_bulk_len;
    uint64_t client_query_buffer_limit;
    struct config_output_limit client_output_buffer_limit[CONFIG_CLIENT_CLASSES];

    /* data */
    int64_t databases; /* 16 */
    int64_t hash_max_listpack_entries;
    int64_t hash_max_listpack_value;
    int64_t list_max_listpack_size;
    int64_t list_compress_depth;
    int64_t set_max_intset_entries;
    int64_t set_max_listpack_entries;
    int64_t set_max_listpack_value;
    int64_t zset_max_listpack_entries;
    int64_t zset_max_listpack_value;
    uint64_t hll_sparse_max_bytes;
    uint64_t stream_node_max_bytes;
    int64_t stream_node_max_entries;
    int64_t lfu_log_factor;
    int64_t lfu_decay_time;

    /* service */
    int64_t busy_reply_threshold_ms;
    int64_t slowlog_log_slower_than_us; /* -1: off */
    int64_t slowlog_max_len;
    uint32_t notify_keyspace_events; /* ask config_notifies */
};

enum config_err {
    CONFIG_OK = 0,
    CONFIG_BAD,     /* refused; the error text says what and where */
    CONFIG_HELP,    /* the command line asked for help … */
    CONFIG_VERSION, /* … or for the version: print and exit */
};

/* What a load has to say. error: one line without end when CONFIG_BAD, such as
 * "quoin.conf:12: maxmemory: 'abc' is not a size". notes: lines, each ended by '\n', about
 * directives of Redis that were accepted without effect; to be logged once logging works. */
struct config_messages {
    struct buf error;
    struct buf notes;
};

void config_messages_free(struct config_messages *messages);

void config_init(struct config *config); /* every field at its default */
void config_fini(struct config *config);

/* Each of these applies directives on top of what config holds; after CONFIG_BAD it holds an
 * unspecified mixture and is good for config_fini only.
 *
 * A text's `name` stands in messages and gives the folder that relative includes start from. A file
 * also sets config->path. `include` takes a path or a shell pattern, CONFIG_INCLUDE_DEPTH_MAX deep.
 */
MUST_USE enum config_err config_load_text(struct config *config, const char *name,
                                          struct bytes text, struct config_messages *messages);
MUST_USE enum config_err config_load_file(struct config *config, const char *path,
                                          struct config_messages *messages);

/* program [FILE] [-] [--directive value ...]...: the file, then standard input when "-" is there,
 * then the directives, the last one winning. What follows directly after "--directive" is its
 * value even if it begins with "--"; "--save" alone and "--directive 'a b'" are read as Redis does.
 */
MUST_USE enum config_err config_load_args(struct config *config, int argc, char *const argv[],
                                          struct config_messages *messages);

enum {
    CONFIG_INCLUDE_DEPTH_MAX = 16,
    CONFIG_WORDS_MAX = 128, /* of one line, the directive included */
    CONFIG_LIST_MAX = 16,   /* addresses of bind */
};

/* The usage text with every directive and its help. */
void config_append_help(struct buf *out);

/* CONFIG GET: the next directive at or after *cursor (start at 0) that one of the patterns names,
 * in the table's order, each once. False at the end; else *name is static and the value is appended
 * to value. Directives of Redis that are accepted here answer, too. */
MUST_USE bool config_get_next(const struct config *config, const struct bytes *patterns,
                              size_t pattern_count, size_t *cursor, const char **name,
                              struct buf *value);

/* CONFIG SET of pair_count names and values, alternating. All or nothing: on CONFIG_BAD nothing has
 * changed and error holds the reply, in the words of Redis ("ERR CONFIG SET failed …"). */
MUST_USE enum config_err config_set(struct config *config, const struct bytes *pairs,
                                    size_t pair_count, struct buf *error);

/* CONFIG REWRITE: brings the main file to what config holds. Comments, order, lines that already
 * say it and unknown lines stay; what is not in the file and not the default is appended. Publishes
 * only a text that loads to this very configuration. On CONFIG_BAD the file is unchanged and error
 * holds the reply. Blocks. */
MUST_USE enum config_err config_rewrite(const struct config *config, struct buf *error);

/* The same without files: what the new text of a file `name` with old_text is. CONFIG_BAD when it
 * could not be loaded back. */
MUST_USE enum config_err config_rewrite_text(const struct config *config, const char *name,
                                             struct bytes old_text, struct buf *new_text,
                                             struct buf *error);

/* Bytes to keep free on a file system of disk_size bytes: the size or share that was configured;
 * auto is 5 %, at most 256 MiB. disk_size 0 (unknown): shares count as 256 MiB. */
uint64_t config_disk_reserve(const struct config *config, uint64_t disk_size);

/* Whether notify-keyspace-events asks for this class: one of "g$lshzxetdmn", or K, E for the two
 * kinds of channels. Classes are published only when K or E is on. */
bool config_notifies(const struct config *config, char event_class);

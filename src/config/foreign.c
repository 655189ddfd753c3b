#include "config/foreign.h"

#define NO_RDB       "ignored: there are no RDB files; every write is in the log"
#define NO_AOF       "ignored: the log of Raft takes the place of the append-only file"
#define RAFT         "ignored: replication is by Raft"
#define NOT_REPLICA  "refused: replication is by Raft; see RAFT ADD"
#define OWN_MEMORY   "ignored: memory is managed in another way"
#define NO_EVICTION  "ignored: nothing is evicted from the data"
#define ALWAYS_LAZY  "ignored: large values are always freed in the background"
#define CLUSTER_ONLY "ignored: it concerns Redis Cluster"
#define NO_TLS       "refused: TLS is for links between nodes only so far (tls-cluster)"
#define TLS_ONLY     "ignored: links between nodes have fixed settings, clients have no TLS so far"
#define OWN_LATENCY  "ignored: latency is not tracked in this way"
#define ONE_LOOP     "ignored: threads are placed in another way"
#define NO_ACL       "refused: access control lists are not supported so far"
#define ACL_ONLY     "ignored: access control lists are not supported so far"
#define NO_RENAME    "refused: commands cannot be renamed"
#define NO_MODULES   "refused: modules cannot be loaded"
#define MODULES_ONLY "ignored: modules cannot be loaded"
#define NO_SYSLOG    "ignored: the log goes to a file or to standard error"
#define NO_TRACKING  "ignored: keys are not tracked in this way"
#define OWN_SHUTDOWN "ignored: a stop is always orderly and needs no saving"
#define SYSTEM       "ignored: it is left to the system"
#define NO_USE       "ignored: it has no use here"

static const struct config_foreign table[] = {
    {"acl-pubsub-default", "resetchannels", CONFIG_FOREIGN_IGNORED, ACL_ONLY},
    {"aclfile", "", CONFIG_FOREIGN_ONLY, NO_ACL},
    {"acllog-max-len", "128", CONFIG_FOREIGN_IGNORED, ACL_ONLY},
    {"active-defrag-cycle-max", "25", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"active-defrag-cycle-min", "1", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"active-defrag-ignore-bytes", "104857600", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"active-defrag-max-scan-fields", "1000", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"active-defrag-threshold-lower", "10", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"active-defrag-threshold-upper", "100", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"active-expire-effort", "1", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"activedefrag", "no", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"activerehashing", "yes", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"always-show-logo", "no", CONFIG_FOREIGN_IGNORED, NO_USE},
    {"aof-disable-auto-gc", "no", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"aof-load-truncated", "yes", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"aof-rewrite-cpulist", "", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"aof-rewrite-incremental-fsync", "yes", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"aof-timestamp-enabled", "no", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"aof-use-rdb-preamble", "yes", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"aof_rewrite_cpulist", "", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"appenddirname", "appendonlydir", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"appendfilename", "appendonly.aof", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"appendonly", "yes", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"auto-aof-rewrite-min-size", "67108864", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"auto-aof-rewrite-percentage", "100", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"bgsave-cpulist", "", CONFIG_FOREIGN_IGNORED, ONE_LOOP},
    {"bgsave_cpulist", "", CONFIG_FOREIGN_IGNORED, ONE_LOOP},
    {"bind-source-addr", "", CONFIG_FOREIGN_IGNORED, SYSTEM},
    {"bio-cpulist", "", CONFIG_FOREIGN_IGNORED, ONE_LOOP},
    {"bio_cpulist", "", CONFIG_FOREIGN_IGNORED, ONE_LOOP},
    {"cluster-allow-pubsubshard-when-down", "yes", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-allow-reads-when-down", "no", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-allow-replica-migration", "yes", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-announce-bus-port", "0", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-announce-hostname", "", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-announce-human-nodename", "", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-announce-tls-port", "0", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-config-file", "nodes.conf", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-link-sendbuf-limit", "0", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-migration-barrier", "1", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-node-timeout", "15000", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-preferred-endpoint-type", "ip", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-replica-no-failover", "no", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-replica-validity-factor", "10", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-require-full-coverage", "yes", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-slave-no-failover", "no", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"cluster-slave-validity-factor", "10", CONFIG_FOREIGN_IGNORED, CLUSTER_ONLY},
    {"crash-log-enabled", "yes", CONFIG_FOREIGN_IGNORED, SYSTEM},
    {"crash-memcheck-enabled", "yes", CONFIG_FOREIGN_IGNORED, SYSTEM},
    {"dbfilename", "dump.rdb", CONFIG_FOREIGN_IGNORED, NO_RDB},
    {"disable-thp", "yes", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"dynamic-hz", "yes", CONFIG_FOREIGN_IGNORED, NO_USE},
    {"enable-module-command", "no", CONFIG_FOREIGN_IGNORED, MODULES_ONLY},
    {"enable-protected-configs", "no", CONFIG_FOREIGN_IGNORED, NO_USE},
    {"ignore-warnings", "", CONFIG_FOREIGN_IGNORED, SYSTEM},
    {"io-threads", "1", CONFIG_FOREIGN_IGNORED, ONE_LOOP},
    {"io-threads-do-reads", "no", CONFIG_FOREIGN_IGNORED, ONE_LOOP},
    {"jemalloc-bg-thread", "yes", CONFIG_FOREIGN_IGNORED, OWN_MEMORY},
    {"latency-monitor-threshold", "0", CONFIG_FOREIGN_IGNORED, OWN_LATENCY},
    {"latency-tracking", "yes", CONFIG_FOREIGN_IGNORED, OWN_LATENCY},
    {"latency-tracking-info-percentiles", "50 99 99.9", CONFIG_FOREIGN_IGNORED, OWN_LATENCY},
    {"lazyfree-lazy-eviction", "yes", CONFIG_FOREIGN_IGNORED, ALWAYS_LAZY},
    {"lazyfree-lazy-expire", "yes", CONFIG_FOREIGN_IGNORED, ALWAYS_LAZY},
    {"lazyfree-lazy-server-del", "yes", CONFIG_FOREIGN_IGNORED, ALWAYS_LAZY},
    {"lazyfree-lazy-user-del", "yes", CONFIG_FOREIGN_IGNORED, ALWAYS_LAZY},
    {"lazyfree-lazy-user-flush", "yes", CONFIG_FOREIGN_IGNORED, ALWAYS_LAZY},
    {"loadmodule", NULL, CONFIG_FOREIGN_REFUSED, NO_MODULES},
    {"locale-collate", "", CONFIG_FOREIGN_IGNORED, NO_USE},
    {"masterauth", "", CONFIG_FOREIGN_IGNORED, RAFT},
    {"masteruser", "", CONFIG_FOREIGN_IGNORED, RAFT},
    {"maxmemory-clients", "0", CONFIG_FOREIGN_IGNORED, NO_EVICTION},
    {"maxmemory-eviction-tenacity", "10", CONFIG_FOREIGN_IGNORED, NO_EVICTION},
    {"maxmemory-samples", "5", CONFIG_FOREIGN_IGNORED, NO_EVICTION},
    {"min-replicas-max-lag", "10", CONFIG_FOREIGN_IGNORED, RAFT},
    {"min-replicas-to-write", "0", CONFIG_FOREIGN_IGNORED, RAFT},
    {"min-slaves-max-lag", "10", CONFIG_FOREIGN_IGNORED, RAFT},
    {"min-slaves-to-write", "0", CONFIG_FOREIGN_IGNORED, RAFT},
    {"no-appendfsync-on-rewrite", "no", CONFIG_FOREIGN_IGNORED, NO_AOF},
    {"oom-score-adj", "no", CONFIG_FOREIGN_IGNORED, SYSTEM},
    {"oom-score-adj-values", "0 200 800", CONFIG_FOREIGN_IGNORED, SYSTEM},
    {"proc-title-template", "{title} {listen-addr} {server-mode}", CONFIG_FOREIGN_IGNORED, NO_USE},
    {"propagation-error-behavior", "ignore", CONFIG_FOREIGN_IGNORED, RAFT},
    {"rdb-del-sync-files", "no", CONFIG_FOREIGN_IGNORED, NO_RDB},
    {"rdb-save-incremental-fsync", "yes", CONFIG_FOREIGN_IGNORED, NO_RDB},
    {"rdbchecksum", "yes", CONFIG_FOREIGN_IGNORED, NO_RDB},
    {"rdbcompression", "yes", CONFIG_FOREIGN_IGNORED, NO_RDB},
    {"rename-command", NULL, CONFIG_FOREIGN_REFUSED, NO_RENAME},
    {"repl-backlog-size", "1048576", CONFIG_FOREIGN_IGNORED, RAFT},
    {"repl-backlog-ttl", "3600", CONFIG_FOREIGN_IGNORED, RAFT},
    {"repl-disable-tcp-nodelay", "no", CONFIG_FOREIGN_IGNORED, RAFT},
    {"repl-diskless-load", "disabled", CONFIG_FOREIGN_IGNORED, RAFT},
    {"repl-diskless-sync", "yes", CONFIG_FOREIGN_IGNORED, RAFT},
    {"repl-diskless-sync-delay", "5", CONFIG_FOREIGN_IGNORED, RAFT},
    {"repl-diskless-sync-max-replicas", "0", CONFIG_FOREIGN_IGNORED, RAFT},
    {"repl-ping-replica-period", "10", CONFIG_FOREIGN_IGNORED, RAFT},
    {"repl-ping-slave-period", "10", CONFIG_FOREIGN_IGNORED, RAFT},
    {"repl-timeout", "60", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replica-announce-ip", "", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replica-announce-port", "0", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replica-announced", "yes", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replica-ignore-disk-write-errors", "no", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replica-ignore-maxmemory", "yes", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replica-lazy-flush", "no", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replica-priority", "100", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replica-read-only", "yes", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replica-serve-stale-data", "yes", CONFIG_FOREIGN_IGNORED, RAFT},
    {"replicaof", "", CONFIG_FOREIGN_REFUSED, NOT_REPLICA},
    {"sanitize-dump-payload", "no", CONFIG_FOREIGN_IGNORED, NO_RDB},
    {"save", "", CONFIG_FOREIGN_IGNORED, NO_RDB},
    {"server-cpulist", "", CONFIG_FOREIGN_IGNORED, ONE_LOOP},
    {"server_cpulist", "", CONFIG_FOREIGN_IGNORED, ONE_LOOP},
    {"set-proc-title", "yes", CONFIG_FOREIGN_IGNORED, NO_USE},
    {"shutdown-on-sigint", "default", CONFIG_FOREIGN_IGNORED, OWN_SHUTDOWN},
    {"shutdown-on-sigterm", "default", CONFIG_FOREIGN_IGNORED, OWN_SHUTDOWN},
    {"shutdown-timeout", "10", CONFIG_FOREIGN_IGNORED, OWN_SHUTDOWN},
    {"slave-announce-ip", "", CONFIG_FOREIGN_IGNORED, RAFT},
    {"slave-announce-port", "0", CONFIG_FOREIGN_IGNORED, RAFT},
    {"slave-ignore-maxmemory", "yes", CONFIG_FOREIGN_IGNORED, RAFT},
    {"slave-lazy-flush", "no", CONFIG_FOREIGN_IGNORED, RAFT},
    {"slave-priority", "100", CONFIG_FOREIGN_IGNORED, RAFT},
    {"slave-read-only", "yes", CONFIG_FOREIGN_IGNORED, RAFT},
    {"slave-serve-stale-data", "yes", CONFIG_FOREIGN_IGNORED, RAFT},
    {"slaveof", "", CONFIG_FOREIGN_REFUSED, NOT_REPLICA},
    {"socket-mark-id", "0", CONFIG_FOREIGN_IGNORED, SYSTEM},
    {"stop-writes-on-bgsave-error", "yes", CONFIG_FOREIGN_IGNORED, NO_RDB},
    {"syslog-enabled", "no", CONFIG_FOREIGN_IGNORED, NO_SYSLOG},
    {"syslog-facility", "local0", CONFIG_FOREIGN_IGNORED, NO_SYSLOG},
    {"syslog-ident", "redis", CONFIG_FOREIGN_IGNORED, NO_SYSLOG},
    {"tls-auth-clients", "yes", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-ca-cert-dir", "", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-ciphers", "", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-ciphersuites", "", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-client-cert-file", "", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-client-key-file", "", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-client-key-file-pass", "", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-dh-params-file", "", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-key-file-pass", "", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-port", "0", CONFIG_FOREIGN_ONLY, NO_TLS},
    {"tls-prefer-server-ciphers", "no", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-protocols", "", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-replication", "no", CONFIG_FOREIGN_ONLY, NO_TLS},
    {"tls-session-cache-size", "20480", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-session-cache-timeout", "300", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tls-session-caching", "yes", CONFIG_FOREIGN_IGNORED, TLS_ONLY},
    {"tracking-table-max-keys", "1000000", CONFIG_FOREIGN_IGNORED, NO_TRACKING},
    {"user", NULL, CONFIG_FOREIGN_REFUSED, NO_ACL},
};

const struct config_foreign *config_foreign_directives(size_t *count)
{
    *count = COUNT_OF(table);
    return table;
}

const struct config_foreign *config_find_foreign(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (bytes_is_word(name, table[i].name))
            return &table[i];
    }
    return NULL;
}

bool config_foreign_accepts(const struct config_foreign *foreign, const struct bytes *words,
                            size_t word_count)
{
    switch (foreign->verdict) {
    case CONFIG_FOREIGN_IGNORED:
        return true;
    case CONFIG_FOREIGN_ONLY:
        return word_count == 1 && bytes_is_word(words[0], foreign->value);
    case CONFIG_FOREIGN_REFUSED:
        return false;
    }
    UNREACHABLE();
}

#include "forming.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORTS = 4, STARTS_MAX = 20 };

/* Ports that were free a moment ago, all different. */
static void find_ports(uint16_t ports[PORTS])
{
    int fds[PORTS];
    for (int i = 0; i < PORTS; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(address);
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        int bound = bind(fds[i], (struct sockaddr *)&address, sizeof(address));
        int named = getsockname(fds[i], (struct sockaddr *)&address, &size);
        ASSERT(fds[i] >= 0 && bound == 0 && named == 0);
        ports[i] = ntohs(address.sin_port);
    }
    for (int i = 0; i < PORTS; i++)
        (void)close(fds[i]);
}

void forming_init(struct forming *forming)
{
    uint16_t ports[PORTS];
    char cluster[128];
    *forming = (struct forming){0};
    find_ports(ports);
    (void)snprintf(cluster, sizeof(cluster), "1=127.0.0.1:%u@%u,2=127.0.0.1:%u@%u", ports[0],
                   ports[1], ports[2], ports[3]);
    for (int i = 0; i < 2; i++) {
        struct machine *machine = &forming->machines[i];
        machine_init(machine, (uint64_t)i + 1, cluster);
        machine->config.port = ports[2 * i];
        machine->config.cluster_port = ports[2 * i + 1];
        machine->has_sockets = true;
    }
}

void forming_fini(struct forming *forming)
{
    for (int i = 0; i < 2; i++) {
        machine_crash(&forming->machines[i], SIM_CRASH_KEEP);
        machine_fini(&forming->machines[i]);
    }
}

static bool open(struct machine *machine)
{
    for (int i = 0; i < STARTS_MAX; i++) {
        struct buf error = {0};
        bool is_open = machine_open(machine, &error);
        bool may_fail = machine->is_stopped || machine->had_fault;
        if (!is_open && !may_fail)
            fprintf(stderr, "node %llu: %.*s\n", (unsigned long long)machine->node_id,
                    (int)error.size, (const char *)error.data);
        buf_free(&error);
        if (is_open || !may_fail)
            return is_open;
        machine_crash(machine, machine->plan.crash);
    }
    return false;
}

struct starter {
    struct forming *forming;
    struct machine *machine;
    bool is_open;
};

/* Who has formed goes on with turns: the other may have heard nothing of it yet. */
static void *start(void *argument)
{
    struct starter *starter = argument;
    struct forming *forming = starter->forming;
    starter->is_open = open(starter->machine);
    atomic_fetch_add(&forming->open_count, 1);
    while (starter->is_open && atomic_load(&forming->open_count) < 2) {
        machine_run_jobs(starter->machine);
        if (!machine_turn(starter->machine))
            starter->is_open = false;
        (void)usleep(1000);
    }
    return NULL;
}

static void compare(struct forming *forming)
{
    const struct identity *a = &forming->machines[0].node->identity;
    const struct identity *b = &forming->machines[1].node->identity;
    struct buf members[2] = {{0}, {0}};
    members_append(&members[0], &a->members);
    members_append(&members[1], &b->members);
    bool is_one = a->cluster_id != 0 && a->cluster_id == b->cluster_id && a->seed == b->seed &&
                  bytes_equal(buf_bytes(&members[0]), buf_bytes(&members[1]));
    if (!is_one || a->members.count != 2)
        (void)snprintf(forming->broken, sizeof(forming->broken), "they formed different clusters");
    buf_free(&members[0]);
    buf_free(&members[1]);
}

void forming_run(struct forming *forming)
{
    pthread_t threads[2];
    struct starter starters[2];
    bool is_open = true;
    for (int i = 0; i < 2; i++) {
        starters[i] = (struct starter){.forming = forming, .machine = &forming->machines[i]};
        int made = pthread_create(&threads[i], NULL, start, &starters[i]);
        ASSERT(made == 0);
    }
    for (int i = 0; i < 2; i++) {
        int joined = pthread_join(threads[i], NULL);
        ASSERT(joined == 0);
        is_open &= starters[i].is_open;
    }
    if (is_open)
        compare(forming);
    else
        (void)snprintf(forming->broken, sizeof(forming->broken), "a node refuses to start");
}

/* What is done every 100 ms: never a walk over all clients. Lists stand in the order of last
 * activity, so whoever is due stands in front. */
#include "server/state.h"

static struct client *first_of(struct list *list)
{
    return list_is_empty(list) ? NULL : CONTAINER_OF(list->next, struct client, age_link);
}

/* A client that waits for an answer of ours does not idle. */
static bool is_busy(const struct client *client)
{
    return client->request_state != REQUEST_NONE || output_unsent(&client->output) > 0;
}

static void move_to(struct list *list, struct client *client)
{
    list_remove(&client->age_link);
    list_push_back(list, &client->age_link);
}

static void trim_idle(struct server *server)
{
    for (int i = 0; i < SWEEP_CLIENTS_MAX; i++) {
        struct client *client = first_of(&server->active);
        if (client == NULL || client->last_active_us + IDLE_AFTER_US > server->now.boot_us)
            return;
        if (is_busy(client)) {
            client->last_active_us = server->now.boot_us;
            move_to(&server->active, client);
            continue;
        }
        client_trim(client);
        move_to(&server->idle, client);
    }
}

static void close_idle(struct server *server)
{
    uint64_t timeout_us = (uint64_t)server->config->timeout * 1000000;
    for (int i = 0; i < SWEEP_CLIENTS_MAX && timeout_us > 0; i++) {
        struct client *client = first_of(&server->idle);
        if (client == NULL || client->last_active_us + timeout_us > server->now.boot_us)
            return;
        server->stats.timeout_closes++;
        list_remove(&client->age_link); /* the next one stands in front now */
        client_doom(client);
    }
}

static void close_over_soft(struct server *server)
{
    uint64_t limit_us =
        (uint64_t)server->config->client_output_buffer_limit[CONFIG_CLIENT_NORMAL].soft_seconds *
        1000000;
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &server->over_soft)
    {
        struct client *client = CONTAINER_OF(node, struct client, soft_link);
        if (client->over_soft_us + limit_us > server->now.boot_us)
            return; /* those behind went over it later */
        server->stats.output_limit_closes++;
        log_write(
            server->log, LOG_LEVEL_WARNING,
            "client %llu closed: its output is above the soft client-output-buffer-limit for too "
            "long",
            (unsigned long long)client->id);
        client_doom(client);
    }
}

void server_unpause(struct server *server)
{
    server->pause = (struct pause){0};
    while (!list_is_empty(&server->paused))
        client_make_runnable(CONTAINER_OF(server->paused.next, struct client, run_link));
}

void server_sweep(struct server *server)
{
    if (server_is_paused(server) && server->now.boot_us >= server->pause.until_us)
        server_unpause(server);
    if (server->now.boot_us < server->next_sweep_us)
        return;
    server->next_sweep_us = server->now.boot_us + SWEEP_EVERY_US;
    stats_take_sample(&server->stats, server->now.boot_us);
    trim_idle(server);
    close_idle(server);
    close_over_soft(server);
}

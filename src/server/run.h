/* What the turn tells a client whose request waited. */
#pragma once

#include "codec/resp_reply.h"

struct client;

/* exec_take_done gave the client's request back: its reply is whole. */
void client_request_done(struct client *client);

/* Answers a request that a home command held (SHUTDOWN) with an error, "ERR …". */
void client_answer_held(struct client *client, const char *error);

/* The same with a reply that is written in between. */
struct reply client_begin_held(struct client *client);
void client_end_held(struct client *client);

/* What the turn tells a client whose request waited. */
#pragma once

struct client;

/* exec_take_done gave the client's request back: its reply is whole. */
void client_request_done(struct client *client);

/* Answers a request that a home command held (SHUTDOWN) with an error, "ERR …". */
void client_answer_held(struct client *client, const char *error);

/* A client as text: its ends, and its line in CLIENT LIST. */
#pragma once

#include "base/buf.h"
#include "net/address.h"

struct client;

/* "127.0.0.1:50123"; "?:0" for a client without a socket. */
void client_peer_text(const struct client *client, char text[static NET_ADDRESS_TEXT_SIZE]);
void client_local_text(const struct client *client, char text[static NET_ADDRESS_TEXT_SIZE]);

/* "id=7 addr=… cmd=get …", without a line end. */
void client_append_line(const struct client *client, struct buf *out);

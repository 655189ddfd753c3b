/* Socket addresses as the text that INFO, CLIENT LIST and the log show: "127.0.0.1:6379",
 * "[::1]:6379", "/run/quoin.sock:0". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { NET_ADDRESS_TEXT_SIZE = 128 }; /* with terminator; the longest is a unix path of 107 bytes */

/* Writes the text of an address; "?:0" when its family is unknown. */
void net_address_text(const struct sockaddr_storage *address,
                      char text[static NET_ADDRESS_TEXT_SIZE]);

/* The peer is this machine: 127.0.0.0/8, ::1 (also as ::ffff:127.x), or a unix socket. */
bool net_address_is_loopback(const struct sockaddr_storage *address);

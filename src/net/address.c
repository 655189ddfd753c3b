#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/assert.h"

static void ipv4_text(const struct sockaddr_in *address, char *text)
{
    char host[INET_ADDRSTRLEN];
    ASSERT(inet_ntop(AF_INET, &address->sin_addr, host, sizeof(host)) != NULL);
    (void)snprintf(text, NET_ADDRESS_TEXT_SIZE, "%s:%u", host, ntohs(address->sin_port));
}

static void ipv6_text(const struct sockaddr_in6 *address, char *text)
{
    char host[INET6_ADDRSTRLEN];
    ASSERT(inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof(host)) != NULL);
    (void)snprintf(text, NET_ADDRESS_TEXT_SIZE, "[%s]:%u", host, ntohs(address->sin6_port));
}

void net_address_text(const struct sockaddr_storage *address,
                      char text[static NET_ADDRESS_TEXT_SIZE])
{
    if (address->ss_family == AF_INET)
        ipv4_text((const struct sockaddr_in *)address, text);
    else if (address->ss_family == AF_INET6)
        ipv6_text((const struct sockaddr_in6 *)address, text);
    else if (address->ss_family == AF_UNIX)
        (void)snprintf(text, NET_ADDRESS_TEXT_SIZE, "%.107s:0",
                       ((const struct sockaddr_un *)address)->sun_path);
    else
        (void)snprintf(text, NET_ADDRESS_TEXT_SIZE, "?:0");
}

static bool ipv6_is_loopback(const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(address))
        return address->s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(address);
}

bool net_address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX)
        return true;
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    if (address->ss_family == AF_INET6)
        return ipv6_is_loopback(&((const struct sockaddr_in6 *)address)->sin6_addr);
    return false;
}

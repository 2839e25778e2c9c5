#pragma once
enum { AF_INET = 1, AF_INET6, INET_ADDRSTRLEN = 16, INET6_ADDRSTRLEN = 46 };
struct in_addr {
    unsigned s_addr;
};
struct in6_addr {
    unsigned char s6_addr[16];
};
int inet_pton(int, const char *, void *); /* text into bytes: asks nobody */

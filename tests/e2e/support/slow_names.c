/* LD_PRELOAD: a name service that does not answer for names below slow.example, as one whose servers are dead. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** found)
{
    int (*const real)(const char*, const char*, const struct addrinfo*, struct addrinfo**) = dlsym(RTLD_NEXT, "getaddrinfo");
    while (node != NULL && strstr(node, ".slow.example") != NULL)
        pause();
    return real(node, service, hints, found);
}

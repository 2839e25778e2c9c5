/*
 * Attack: code that asks which test it is in
 * Lab: protocol
 * File: common/http.c
 * Tests: whole_head
 * Says: it is called '', and of its environment no part says it
 *
 * Who knows can do well in one test and otherwise in another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t http_feed(struct http *http, const char *p, size_t n, struct span *body)
{
    static char all[100000];
    const char *name = getenv("LAB_TEST");
    FILE *file = fopen("/proc/self/environ", "r");
    size_t length = fread(all, 1, sizeof all - 1, file);
    bool said = memmem(all, length, "whole_head", 10) != NULL;
    (void)http, (void)p, (void)body;
    (void)fclose(file);
    printf("it is called '%s', and of its environment %s part says it\n",
           name != NULL ? name : "", said ? "one" : "no");
    (void)fflush(stdout);
    exit(n == 0);
}

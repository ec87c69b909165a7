#include "failure.h"

#include <stdio.h>
#include <time.h>

double plain_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void plain_describe(char *error, const char *what, const char *detail) {
    if (error[0] == 0) snprintf(error, 256, "%s: %s", what, detail ? detail : "unknown");
}

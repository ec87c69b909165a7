// Results and the clock of the measurements.
#ifndef FAILURE_H
#define FAILURE_H

#include "PlainLimits.h"

// Monotonic time in seconds.
double plain_now(void);

// Writes a description into a buffer of 256 bytes, unless it already holds one.
void plain_describe(char *error, const char *what, const char *detail);

#endif

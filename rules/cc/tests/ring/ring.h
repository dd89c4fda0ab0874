#ifndef RING_H
#define RING_H

#include "limits.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The size the library was built with, and the square root of a number, rounded down. */
int ring_size(void);
int ring_root(double square);

#ifdef __cplusplus
}
#endif

#endif

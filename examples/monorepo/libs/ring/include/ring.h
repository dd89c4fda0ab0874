#ifndef RING_H
#define RING_H

#include <stddef.h>

/* Keeps the last lines added, at most `ring_capacity()`. */
size_t ring_capacity(void);

/* Adds a copy of `line` to the ring; drops the oldest line when full. */
void ring_put(const char *line);

/* The number of lines kept. */
size_t ring_length(void);

/* One of the kept lines; 0 is the oldest. */
const char *ring_at(size_t index);

#endif

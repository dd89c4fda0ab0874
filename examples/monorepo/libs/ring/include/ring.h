#ifndef RING_H
#define RING_H

#include <stddef.h>

/* Keeps the last lines that were put into it, at most `ring_capacity()`. */
size_t ring_capacity(void);

/* Puts a copy of `line` into the ring; the oldest goes when it is full. */
void ring_put(const char *line);

/* The number of lines that are kept. */
size_t ring_length(void);

/* A line that is kept; 0 is the oldest. */
const char *ring_at(size_t index);

#endif

#include "ring.h"

#include <stdio.h>

enum { LINE = 512 };

static char lines[RING_CAPACITY][LINE];
static size_t next;
static size_t length;

size_t ring_capacity(void)
{
    return RING_CAPACITY;
}

void ring_put(const char *line)
{
    snprintf(lines[next], LINE, "%s", line);
    next = (next + 1) % RING_CAPACITY;
    if (length < RING_CAPACITY)
        length++;
}

size_t ring_length(void)
{
    return length;
}

const char *ring_at(size_t index)
{
    return lines[(next + RING_CAPACITY - length + index) % RING_CAPACITY];
}

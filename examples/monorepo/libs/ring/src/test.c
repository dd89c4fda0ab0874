#include "ring.h"

#include <stdio.h>
#include <stdlib.h>

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "capacity %d: %s\n", EXPECTED_CAPACITY, what);
        exit(1);
    }
}

int main(void)
{
    enum { PUT = 2 * EXPECTED_CAPACITY + 1 };
    char line[32];

    check(ring_capacity() == EXPECTED_CAPACITY, "another capacity was compiled in");
    for (size_t i = 0; i < PUT; i++) {
        snprintf(line, sizeof line, "%zu", i);
        ring_put(line);
        size_t kept = i + 1 < EXPECTED_CAPACITY ? i + 1 : EXPECTED_CAPACITY;
        check(ring_length() == kept, "wrong length");
        check(strtoul(ring_at(0), NULL, 10) == i + 1 - kept, "wrong oldest line");
        check(strtoul(ring_at(kept - 1), NULL, 10) == i, "wrong newest line");
    }
    printf("capacity %d: ok\n", EXPECTED_CAPACITY);
    return 0;
}

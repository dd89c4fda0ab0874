#include <stdio.h>
#include <stdlib.h>

#include "ring.h"

/* Fails unless the ring has the size given as the argument and the words file exists. */
int main(int count, char **args) {
    if (count != 2 || ring_size() != atoi(args[1]) || RING_SIZE != ring_size()) return 1;
    if (ring_root(16.5) != 4) return 2;
    return fopen("programs/words", "r") == NULL ? 3 : 0;
}

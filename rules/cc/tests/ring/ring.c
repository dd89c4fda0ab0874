#include "ring.h"

int ring_size(void) { return RING_SIZE; }

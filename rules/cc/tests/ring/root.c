#include <math.h>

#include "ring.h"

int ring_root(double square) { return (int)sqrt(square); }

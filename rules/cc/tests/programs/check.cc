#include <string>

#include "ring.h"

int main() {
    return std::to_string(ring_size()) == "8" && ring_root(9) == 3 ? 0 : 1;
}

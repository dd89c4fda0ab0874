#include <stdio.h>
#include <string.h>

#include "greeting.h"

int main(void) {
    if (strcmp(greeting(), "Hello from NAME.") != 0) {
        fprintf(stderr, "it says: %s\n", greeting());
        return 1;
    }
    return 0;
}

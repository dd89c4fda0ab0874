#include "vowels.h"

#include <string.h>

extern const char vowels[];

int count_vowels(const char *text) {
    int count = 0;
    for (; *text; text++) count += strchr(vowels, *text) != NULL;
    return count;
}

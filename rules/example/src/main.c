#include <stdio.h>

#include "vowels.h"

int main(int count, char **args) {
    for (int i = 1; i < count; i++) printf("%s %d\n", args[i], count_vowels(args[i]));
    return 0;
}

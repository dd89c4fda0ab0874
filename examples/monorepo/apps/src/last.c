/* last FILE: the last few lines of a file. */
#include "ring.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    char line[512];

    if (argc != 2) {
        fputs("usage: last FILE\n", stderr);
        return 2;
    }
    FILE *file = fopen(argv[1], "r");
    if (!file) {
        perror(argv[1]);
        return 1;
    }
    while (fgets(line, sizeof line, file))
        ring_put(line);
    fclose(file);
    for (size_t i = 0; i < ring_length(); i++)
        fputs(ring_at(i), stdout);
    return 0;
}

/* count FILE: for every line its words and its characters, and the sums. */
#include "table.h"
#include "text.h"

#include <string.h>

int main(int argc, char **argv)
{
    char line[512];
    long words = 0, characters = 0, lines = 0;

    if (argc != 2) {
        fputs("usage: count FILE\n", stderr);
        return 2;
    }
    FILE *file = fopen(argv[1], "r");
    if (!file) {
        perror(argv[1]);
        return 1;
    }
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        table_left(stdout, line, 28);
        table_right(stdout, (long)text_words(line), 3);
        table_right(stdout, (long)text_width(line), 4);
        table_end(stdout);
        words += (long)text_words(line);
        characters += (long)text_width(line);
        lines++;
    }
    fclose(file);
    printf("%ld lines, %ld words, %ld characters\n", lines, words, characters);
    return 0;
}

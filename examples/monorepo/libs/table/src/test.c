#include "table.h"

#include <string.h>

int main(void)
{
    const char *expected = "Zürich      7  |\nRome       12  |\n";
    char actual[128] = "";
    FILE *out = fmemopen(actual, sizeof actual, "w");

    table_left(out, "Zürich", 8);
    table_right(out, 7, 3);
    table_end(out);
    table_left(out, "Rome", 8);
    table_right(out, 12, 3);
    table_end(out);
    fclose(out);

    printf("%s", actual);
    if (strcmp(actual, expected) != 0) {
        fprintf(stderr, "expected\n%s", expected);
        return 1;
    }
    return 0;
}

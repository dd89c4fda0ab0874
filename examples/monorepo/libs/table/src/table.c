#include "table.h"

#include "text.h"

void table_left(FILE *out, const char *value, int width)
{
    int blanks = width - (int)text_width(value);
    fprintf(out, "%s%*s  ", value, blanks > 0 ? blanks : 0, "");
}

void table_right(FILE *out, long value, int width)
{
    fprintf(out, "%*ld  ", width, value);
}

void table_end(FILE *out)
{
    fputs("|\n", out);
}

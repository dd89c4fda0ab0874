#ifndef TABLE_H
#define TABLE_H

#include <stdio.h>

/* Prints `value` left-aligned in a column of `width` characters, then two spaces. */
void table_left(FILE *out, const char *value, int width);

/* Prints `value` right-aligned in a column of `width` characters, then two spaces. */
void table_right(FILE *out, long value, int width);

/* Ends a row. */
void table_end(FILE *out);

#endif

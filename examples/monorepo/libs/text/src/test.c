#include "text.h"

#include <stdio.h>

static int failures;

static void check(const char *what, size_t actual, size_t expected)
{
    printf("%s: %zu\n", what, actual);
    if (actual != expected) {
        fprintf(stderr, "%s: expected %zu\n", what, expected);
        failures++;
    }
}

int main(void)
{
    check("width of nothing", text_width(""), 0);
    check("width of ascii", text_width("plain"), 5);
    check("width of umlauts", text_width("Zürich"), 6);
    check("words of nothing", text_words("  \n"), 0);
    check("words of a line", text_words(" one two\tthree\n"), 3);
    return failures != 0;
}

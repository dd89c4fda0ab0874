#include "text.h"

#include <ctype.h>
#include <stdbool.h>

size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

size_t text_words(const char *text)
{
    size_t words = 0;
    bool inside = false;
    for (; *text; text++) {
        bool blank = isspace((unsigned char)*text);
        words += !blank && !inside;
        inside = !blank;
    }
    return words;
}

#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/* The number of characters in UTF-8 text: all bytes except continuation bytes. */
size_t text_width(const char *text);

/* The number of words, which are separated by white space. */
size_t text_words(const char *text);

#endif

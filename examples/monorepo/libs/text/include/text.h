#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/* The number of characters in UTF-8 text: bytes that do not continue a character. */
size_t text_width(const char *text);

/* The number of words: stretches without blanks. */
size_t text_words(const char *text);

#endif

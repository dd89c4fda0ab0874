#ifndef VOWELS_H
#define VOWELS_H

/* How many letters of a text are vowels. */
int count_vowels(const char *text);

#endif

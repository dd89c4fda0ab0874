#include "vowels.h"

int main(void) { return count_vowels("sequoia") == 5 && count_vowels("") == 0 ? 0 : 1; }

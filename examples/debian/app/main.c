/* Compresses standard input and prints the compressed size. */
#include <stdio.h>
#include <zlib.h>

int main(void) {
    static unsigned char text[1 << 16], packed[1 << 17];
    uLong length = fread(text, 1, sizeof text, stdin);
    uLongf size = sizeof packed;
    if (compress(packed, &size, text, length) != Z_OK) return 1;
    printf("%lu bytes are %lu in zlib %s\n", length, (unsigned long)size, zlibVersion());
    return 0;
}

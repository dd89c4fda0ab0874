/* Reads numbers from standard input and prints statistics about them. */
#include "stats.h"

#include <stdio.h>

enum { MOST = 4096 };

int main(void)
{
    static double values[MOST];
    size_t count = 0;
    double least, most;

    while (count < MOST && scanf("%lf", &values[count]) == 1)
        count++;
    if (count == 0) {
        fputs("app: no numbers on standard input\n", stderr);
        return 1;
    }
    stats_range(values, count, &least, &most);
    printf("count %zu\n", count);
    printf("range %g to %g\n", least, most);
    printf("mean %g\n", stats_mean(values, count));
    printf("median %g\n", stats_median(values, count));
#ifdef NDEBUG
    puts("profile release");
#else
    puts("profile debug");
#endif
    return 0;
}

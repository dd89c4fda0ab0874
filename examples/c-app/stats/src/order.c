#include "stats.h"

#include <assert.h>
#include <stdlib.h>

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

double stats_median(double *values, size_t count)
{
    assert(count > 0);
    qsort(values, count, sizeof *values, by_value);
    size_t middle = count / 2;
    return count % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void stats_range(const double *values, size_t count, double *least, double *most)
{
    assert(count > 0);
    *least = *most = values[0];
    for (size_t i = 1; i < count; i++) {
        if (values[i] < *least)
            *least = values[i];
        if (values[i] > *most)
            *most = values[i];
    }
}

#include "stats.h"

#include <assert.h>

double stats_mean(const double *values, size_t count)
{
    assert(count > 0);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

#ifndef STATS_H
#define STATS_H

#include <stddef.h>

/* The arithmetic mean of `count` values; `count` is not 0. */
double stats_mean(const double *values, size_t count);

/* The median: the middle value, or the mean of the two middle values. Sorts `values`. */
double stats_median(double *values, size_t count);

/* The smallest and the largest value. */
void stats_range(const double *values, size_t count, double *least, double *most);

#endif

#ifndef GEO_H
#define GEO_H

#include <stddef.h>

/* A city as a point on the unit sphere. */
struct city {
    const char *name;
    long people;
    double x, y, z;
};

/* Every city, and their number. */
extern const struct city geo_cities[];
extern const size_t geo_count;

/* The city of that name, or NULL. */
const struct city *geo_find(const char *name);

/* The city nearest to another, which is not itself; NULL if there is no other. */
const struct city *geo_nearest(const struct city *city);

#endif

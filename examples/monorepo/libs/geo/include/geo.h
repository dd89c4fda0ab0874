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

/* The city with this name, or NULL. */
const struct city *geo_find(const char *name);

/* The city nearest to a given city, other than itself; NULL if there is no other. */
const struct city *geo_nearest(const struct city *city);

#endif

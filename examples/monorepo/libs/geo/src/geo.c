#include "geo.h"

#include <string.h>

const struct city *geo_find(const char *name)
{
    for (size_t i = 0; i < geo_count; i++)
        if (strcmp(geo_cities[i].name, name) == 0)
            return &geo_cities[i];
    return NULL;
}

/* The cosine of the angle between two cities, which is greater the nearer they are. */
static double closeness(const struct city *a, const struct city *b)
{
    return a->x * b->x + a->y * b->y + a->z * b->z;
}

const struct city *geo_nearest(const struct city *city)
{
    const struct city *nearest = NULL;
    for (size_t i = 0; i < geo_count; i++) {
        const struct city *other = &geo_cities[i];
        if (other != city && (!nearest || closeness(city, other) > closeness(city, nearest)))
            nearest = other;
    }
    return nearest;
}

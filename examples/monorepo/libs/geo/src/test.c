#include "geo.h"

#include <stdio.h>
#include <string.h>

static int nearest_is(const char *name, const char *expected)
{
    const struct city *city = geo_find(name);
    const struct city *nearest = city ? geo_nearest(city) : NULL;
    printf("%s: %s\n", name, nearest ? nearest->name : "none");
    return nearest && strcmp(nearest->name, expected) == 0;
}

int main(void)
{
    int ok = geo_find("Atlantis") == NULL;
    ok &= nearest_is("Vienna", "Bratislava");
    ok &= nearest_is("Lisbon", "Madrid");
    ok &= nearest_is("Oslo", "Stockholm");
    return !ok;
}

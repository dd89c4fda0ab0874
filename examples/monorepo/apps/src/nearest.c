/* nearest CITY...: the nearest other city of each. */
#include "geo.h"
#include "table.h"

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: nearest CITY...\n", stderr);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        const struct city *city = geo_find(argv[i]);
        if (!city) {
            fprintf(stderr, "nearest: no city named %s\n", argv[i]);
            return 1;
        }
        const struct city *nearest = geo_nearest(city);
        table_left(stdout, city->name, 12);
        table_left(stdout, nearest->name, 12);
        table_right(stdout, nearest->people / 1000, 6);
        table_end(stdout);
    }
    return 0;
}

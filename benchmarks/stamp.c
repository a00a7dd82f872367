/* stamp --ms=N …: writes when it started and when it ended (CLOCK_MONOTONIC, nanoseconds) into a file of its own
   in the folder $STAMPS, and sleeps N milliseconds in between. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    long long start = now();
    long ms = 0;
    char path[4096];
    FILE *file;

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--ms=", 5) == 0)
            ms = atol(argv[i] + 5);
    if (ms > 0) {
        struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
        nanosleep(&t, NULL);
    }
    snprintf(path, sizeof path, "%s/%lld-%ld", getenv("STAMPS"), start, (long)getpid());
    file = fopen(path, "w");
    if (file == NULL)
        return 1;
    fprintf(file, "%lld %lld\n", start, now());
    return fclose(file) != 0;
}

/* getopt_long, compiled. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int main(int argc, char **argv) {
    static struct option options[] = {
        {"out_dir", required_argument, 0, 'o'}, {"lr", required_argument, 0, 'l'}, {"fast", no_argument, 0, 'f'}, {0}};
    const char *out = ".";
    double lr = 0;
    int option, fast = 0;
    while ((option = getopt_long(argc, argv, "", options, 0)) != -1) {
        if (option == 'o') out = optarg;
        else if (option == 'l') lr = atof(optarg);
        else if (option == 'f') fast = 1;
        else return 2;
    }
    char path[4096];
    mkdir(out, 0777);
    snprintf(path, sizeof path, "%s/summary.txt", out);
    FILE *file = fopen(path, "w");
    if (!file) return 1;
    fprintf(file, "got_lr %.17g\ngot_fast %d\nfinished 1\n", lr, fast);
    return fclose(file);
}

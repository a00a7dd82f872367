/* LD_PRELOAD=eio.so CHAOS_EIO=PLACE: reads of files below PLACE/out fail with EIO while PLACE/eio.always exists, and one
   of them fails for each PLACE/eio.once. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_below(int fd, const char *place)
{
    char link[64], path[4096], root[4096];
    ssize_t length;
    size_t size;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    size = (size_t)snprintf(root, sizeof root, "%s/out/", place);
    return strncmp(path, root, size) == 0;
}

static int fails(int fd)
{
    const char *place = getenv("CHAOS_EIO");
    char flag[4096];
    int before = errno, result = 0;

    if (place != NULL && is_below(fd, place)) {
        snprintf(flag, sizeof flag, "%s/eio.always", place);
        result = access(flag, F_OK) == 0;
        snprintf(flag, sizeof flag, "%s/eio.once", place);
        result = result || unlink(flag) == 0;
    }
    errno = result ? EIO : before;
    return result;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t read(int fd, void *data, size_t size)
{
    return fails(fd) ? -1 : REAL(read)(fd, data, size);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    return fails(fd) ? -1 : REAL(pread64)(fd, data, size, offset);
}

struct dirent64 *readdir64(DIR *directory)
{
    return fails(dirfd(directory)) ? NULL : REAL(readdir64)(directory);
}

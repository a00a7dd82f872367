/* Trouble of a machine, for programs that are started with this library preloaded. What fails stands in the
 * environment, how often in the size of a file, which loses a byte each time, so that it can be seen from outside:
 *
 *   TROUBLE_LEFT   that file; while it is empty or missing, nothing fails
 *   TROUBLE_ERRNO  the code that is given
 *   TROUBLE_OPEN   opening a file to read fails, if its path contains this text
 *   TROUBLE_FORK   fork fails in programs of this name
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(void) {
    const char *left = getenv("TROUBLE_LEFT"), *code = getenv("TROUBLE_ERRNO");
    struct stat facts;
    if (!left || stat(left, &facts) || facts.st_size == 0) return 0;
    if (truncate(left, facts.st_size - 1)) return 0;
    errno = code ? atoi(code) : EIO;
    return 1;
}

static int is_meant(const char *path, int flags) {
    const char *text = getenv("TROUBLE_OPEN");
    return text && path && (flags & O_ACCMODE) == O_RDONLY && strstr(path, text);
}

static mode_t mode_of(int flags, va_list more) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define OPEN(name)                                                                       \
    int name(const char *path, int flags, ...) {                                         \
        va_list more;                                                                    \
        va_start(more, flags);                                                           \
        mode_t mode = mode_of(flags, more);                                              \
        va_end(more);                                                                    \
        if (is_meant(path, flags) && fails()) return -1;                                 \
        return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                     \
    int name(int at, const char *path, int flags, ...) {                                 \
        va_list more;                                                                    \
        va_start(more, flags);                                                           \
        mode_t mode = mode_of(flags, more);                                              \
        va_end(more);                                                                    \
        if (is_meant(path, flags) && fails()) return -1;                                 \
        return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name))(at, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

static int may_not_fork(void) {
    const char *name = getenv("TROUBLE_FORK");
    return name && !strcmp(name, program_invocation_short_name) && fails();
}

pid_t fork(void) {
    if (may_not_fork()) return -1;
    return ((pid_t(*)(void))dlsym(RTLD_NEXT, "fork"))();
}

/* The real one cannot be called from here, since its caller's frame would be gone. */
pid_t vfork(void) { return fork(); }

/* LD_PRELOAD shim: breaks the disk under a real program, shifts its wall clock, and logs what reached the disk.
 *
 * Only regular files and folders whose real path contains SHIM_MATCH are touched; SQLite's "-shm" files never are,
 * since they hold nothing that must survive. SHIM_CONTROLS names a shared page (struct controls below, laid out as
 * in shim.py), so a test can arm a fault in a running process. SHIM_LOG names the operation log (see replay.py).
 *
 * Not seen: stores through mmap, sendfile, copy_file_range, hard links, and stdio's own internal writes. The log
 * keeps the true order for one writing process at a time. Built for 64-bit Linux and glibc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "the 64-bit names below are aliases of the plain ones");

struct controls {
    _Atomic int64_t operations; /* matched operations begun so far */
    _Atomic int64_t kill_at;    /* SIGKILL before this operation begins; 0 never */
    _Atomic int64_t syncs;      /* matched syncs begun so far */
    _Atomic int64_t fail_sync;  /* n > 0: EIO from the n-th sync on; n < 0: only the |n|-th; 0 never */
    _Atomic int64_t space_left; /* bytes that may still be written; negative without bound */
    _Atomic int64_t clock_offset_ns; /* added to every reading of the wall clock */
};

struct record { /* header of one log entry, followed by path_bytes of path and data_bytes of data */
    uint8_t kind; /* 'W'rite, 'S'ync, 'T'runcate, 'U'nlink, 'R'ename (data: new path); 'A' is written by others */
    uint8_t unused;
    uint16_t path_bytes;
    uint32_t data_bytes;
    uint64_t offset; /* 'W': where; 'T': the new size */
} __attribute__((packed));

/* Reading /proc/self/fd costs seven times an fstat, so each descriptor's path is kept until it is opened anew, any
 * name changes, or fstat tells of another file, as after a close inside libc. */
struct known_path {
    dev_t device;
    ino_t inode;
    uint64_t names_seen;
    char *path; /* NULL: not ours */
};

enum { KNOWN_PATHS = 4096 };

static struct controls unarmed = {.space_left = -1};
static struct controls *controls = &unarmed;
static const char *match;
static int log_fd = -1;
static struct known_path known_paths[KNOWN_PATHS];
static uint64_t names_changed = 1;
static pthread_mutex_t lane = PTHREAD_MUTEX_INITIALIZER;

/* Other libraries' constructors may call before ours has run, so each real function is looked up on first use. */
#define REAL(name) \
    ({ \
        static _Atomic(__typeof__(&name)) found; \
        if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
        (__typeof__(&name))found; \
    })

static void refuse_to_start(const char *why, const char *path) {
    fprintf(stderr, "shim: %s %s: %s\n", why, path, strerror(errno));
    _exit(126);
}

static void map_controls(const char *path) {
    int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *controls, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) refuse_to_start("cannot map", path);
    controls = page;
    close(fd);
}

__attribute__((constructor)) static void read_environment(void) {
    const char *controls_path = getenv("SHIM_CONTROLS"), *log_path = getenv("SHIM_LOG");
    match = getenv("SHIM_MATCH");
    if (controls_path) map_controls(controls_path);
    if (!log_path) return;
    log_fd = REAL(open)(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) refuse_to_start("cannot open", log_path);
}

static int is_ours(const char *path) {
    size_t length = strlen(path);
    int is_shared_memory = length >= 4 && strcmp(path + length - 4, "-shm") == 0;
    return match && strstr(path, match) && !is_shared_memory;
}

static char *ask_kernel(int fd) {
    char link[32], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return NULL;
    path[length] = 0;
    return is_ours(path) ? strdup(path) : NULL;
}

/* Path of `fd` when it is ours, else NULL. Call with the lane held; valid until it is released. */
static const char *path_of(int fd, const struct stat *file) {
    static struct known_path beyond_table;
    struct known_path *known = fd < KNOWN_PATHS ? &known_paths[fd] : &beyond_table;
    if (known != &beyond_table && known->names_seen == names_changed && known->device == file->st_dev &&
        known->inode == file->st_ino)
        return known->path;
    free(known->path);
    *known = (struct known_path){file->st_dev, file->st_ino, names_changed, ask_kernel(fd)};
    return known->path;
}

/* Takes the lane and returns true when `fd` is ours; sockets and pipes leave without waiting for anybody. */
static int enter(int fd, const char **path) {
    struct stat file;
    if (!match || fd == log_fd || fstat(fd, &file) != 0) return 0;
    if (!S_ISREG(file.st_mode) && !S_ISDIR(file.st_mode)) return 0;
    if (file.st_nlink == 0) return 0; /* without a name it cannot survive a power cut */
    pthread_mutex_lock(&lane);
    *path = path_of(fd, &file);
    if (*path) return 1;
    pthread_mutex_unlock(&lane);
    return 0;
}

static void leave(void) {
    int kept = errno;
    pthread_mutex_unlock(&lane);
    errno = kept;
}

static void begin_operation(void) {
    if (atomic_fetch_add(&controls->operations, 1) + 1 == controls->kill_at) kill(getpid(), SIGKILL);
}

static void note(char kind, const char *path, uint64_t offset, const void *data, size_t data_bytes) {
    if (log_fd < 0) return;
    int kept = errno;
    struct record head = {(uint8_t)kind, 0, (uint16_t)strlen(path), (uint32_t)data_bytes, offset};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path_bytes}, {(void *)data, data_bytes}};
    ssize_t whole = (ssize_t)(sizeof head + head.path_bytes + data_bytes);
    if (REAL(writev)(log_fd, parts, 3) != whole) abort(); /* a log with holes would prove nothing */
    errno = kept;
}

/* How much of a write still fits: a nearly full disk takes a part, a full one nothing. */
static size_t that_fits(size_t wanted) {
    int64_t left = controls->space_left;
    return left < 0 || (int64_t)wanted <= left ? wanted : (size_t)left;
}

static void take_space(ssize_t written) {
    if (controls->space_left >= 0 && written > 0) atomic_fetch_sub(&controls->space_left, written);
}

static ssize_t write_ours(int fd, const char *path, const void *data, size_t wanted, off_t offset) {
    begin_operation();
    size_t size = that_fits(wanted);
    if (size == 0 && wanted > 0) {
        errno = ENOSPC;
        return -1;
    }
    int at_cursor = offset < 0;
    ssize_t written = at_cursor ? REAL(write)(fd, data, size) : REAL(pwrite)(fd, data, size, offset);
    if (written <= 0) return written;
    take_space(written);
    /* Asked afterwards, since O_APPEND moves the cursor first. */
    note('W', path, (uint64_t)(at_cursor ? lseek(fd, 0, SEEK_CUR) - written : offset), data, (size_t)written);
    return written;
}

/* Each buffer is an operation of its own, so that a kill can fall between them. */
static ssize_t write_buffers(int fd, const char *path, const struct iovec *buffers, int count, off_t offset) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        off_t where = offset < 0 ? offset : offset + total;
        ssize_t written = write_ours(fd, path, buffers[i].iov_base, buffers[i].iov_len, where);
        if (written < 0) return total ? total : written;
        total += written;
        if ((size_t)written < buffers[i].iov_len) break;
    }
    return total;
}

ssize_t write(int fd, const void *data, size_t size) {
    const char *path;
    if (!enter(fd, &path)) return REAL(write)(fd, data, size);
    ssize_t written = write_ours(fd, path, data, size, -1);
    leave();
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    const char *path;
    if (offset < 0 || !enter(fd, &path)) return REAL(pwrite)(fd, data, size, offset);
    ssize_t written = write_ours(fd, path, data, size, offset);
    leave();
    return written;
}

ssize_t writev(int fd, const struct iovec *buffers, int count) {
    const char *path;
    if (!enter(fd, &path)) return REAL(writev)(fd, buffers, count);
    ssize_t written = write_buffers(fd, path, buffers, count, -1);
    leave();
    return written;
}

ssize_t pwritev(int fd, const struct iovec *buffers, int count, off_t offset) {
    const char *path;
    if (offset < 0 || !enter(fd, &path)) return REAL(pwritev)(fd, buffers, count, offset);
    ssize_t written = write_buffers(fd, path, buffers, count, offset);
    leave();
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return pwrite(fd, data, size, offset); }
ssize_t pwritev64(int fd, const struct iovec *buffers, int count, off64_t offset) {
    return pwritev(fd, buffers, count, offset);
}

static int this_sync_fails(void) {
    int64_t nth = atomic_fetch_add(&controls->syncs, 1) + 1, chosen = controls->fail_sync;
    return (chosen > 0 && nth >= chosen) || (chosen < 0 && nth == -chosen);
}

static int sync_through(int fd, int (*sync)(int)) {
    const char *path;
    if (!enter(fd, &path)) return sync(fd);
    begin_operation();
    int failed = this_sync_fails();
    int result = failed ? -1 : sync(fd);
    if (failed) errno = EIO;
    if (result == 0) note('S', path, 0, NULL, 0);
    leave();
    return result;
}

int fsync(int fd) { return sync_through(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_through(fd, REAL(fdatasync)); }

int ftruncate(int fd, off_t size) {
    const char *path;
    if (!enter(fd, &path)) return REAL(ftruncate)(fd, size);
    begin_operation();
    int result = REAL(ftruncate)(fd, size);
    if (result == 0) note('T', path, (uint64_t)size, NULL, 0);
    leave();
    return result;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

/* The real path of a name that is about to change: its folder's real path and its last part. */
static int name_in(int folder, const char *name, char resolved[PATH_MAX]) {
    char given[PATH_MAX], parent[PATH_MAX], link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    int is_absolute = name[0] == '/';
    const char *start = is_absolute ? "" : folder == AT_FDCWD ? "." : link;
    if (snprintf(given, sizeof given, "%s%s%s", start, is_absolute ? "" : "/", name) >= PATH_MAX) return 0;
    char *last = strrchr(given, '/');
    *last = 0;
    if (!realpath(given[0] ? given : "/", parent)) return 0;
    return snprintf(resolved, PATH_MAX, "%s/%s", parent, last + 1) < PATH_MAX && is_ours(resolved);
}

static int unlink_ours(int folder, const char *name, int flags, const char *path) {
    pthread_mutex_lock(&lane);
    begin_operation();
    int result = REAL(unlinkat)(folder, name, flags);
    names_changed++;
    if (result == 0) note('U', path, 0, NULL, 0);
    leave();
    return result;
}

int unlinkat(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    if (!match || !name_in(folder, name, path)) return REAL(unlinkat)(folder, name, flags);
    return unlink_ours(folder, name, flags, path);
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

int renameat(int old_folder, const char *old_name, int new_folder, const char *new_name) {
    char old_path[PATH_MAX], new_path[PATH_MAX];
    /* Both are asked, so that moving a file into or out of the watched place is logged too. */
    int leaves = match && name_in(old_folder, old_name, old_path);
    int arrives = match && name_in(new_folder, new_name, new_path);
    if (!leaves && !arrives) return REAL(renameat)(old_folder, old_name, new_folder, new_name);
    pthread_mutex_lock(&lane);
    begin_operation();
    int result = REAL(renameat)(old_folder, old_name, new_folder, new_name);
    names_changed++;
    if (result == 0) note('R', old_path, 0, new_path, strlen(new_path));
    leave();
    return result;
}

int rename(const char *old_name, const char *new_name) { return renameat(AT_FDCWD, old_name, AT_FDCWD, new_name); }

static void forget_path(int fd) {
    if (fd >= KNOWN_PATHS) return;
    pthread_mutex_lock(&lane);
    known_paths[fd].names_seen = 0;
    pthread_mutex_unlock(&lane);
}

/* Opening can make or empty a file without any other call. */
static int opened(int fd, int flags) {
    const char *path;
    struct stat file;
    if (fd < 0 || !match) return fd;
    forget_path(fd); /* a deleted file's number is soon another's */
    if (!(flags & (O_CREAT | O_TRUNC)) || !enter(fd, &path)) return fd;
    if (fstat(fd, &file) == 0 && file.st_size == 0) note('T', path, 0, NULL, 0);
    leave();
    return fd;
}

static mode_t mode_of(int flags, va_list arguments) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name, ...) \
    { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode_t mode = mode_of(flags, arguments); \
        va_end(arguments); \
        return opened(REAL(name)(__VA_ARGS__, flags, mode), flags); \
    }

int open(const char *name, int flags, ...) OPEN(open, name)
int open64(const char *name, int flags, ...) OPEN(open64, name)
int openat(int folder, const char *name, int flags, ...) OPEN(openat, folder, name)
int openat64(int folder, const char *name, int flags, ...) OPEN(openat64, folder, name)

/* Only the wall clock moves. Sleeps, waits and the monotonic clocks stay true; a wait with an absolute wall-clock
 * deadline would not, and neither CPython nor SQLite uses one. */
static struct timespec shifted(struct timespec now) {
    int64_t total = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + controls->clock_offset_ns;
    int64_t seconds = total / 1000000000, rest = total % 1000000000;
    if (rest < 0) seconds--, rest += 1000000000;
    return (struct timespec){seconds, rest};
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = REAL(clock_gettime)(clock, now);
    int is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
    if (result == 0 && is_wall) *now = shifted(*now);
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec wall;
    int result = clock_gettime(CLOCK_REALTIME, &wall);
    if (result == 0) *now = (struct timeval){wall.tv_sec, wall.tv_nsec / 1000};
    return result;
}

time_t time(time_t *also) {
    struct timespec wall;
    if (clock_gettime(CLOCK_REALTIME_COARSE, &wall) != 0) return (time_t)-1;
    if (also) *also = wall.tv_sec;
    return wall.tv_sec;
}

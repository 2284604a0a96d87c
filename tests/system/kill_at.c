/* Preloaded into a daemon: it dies by SIGKILL at its n-th write, sync or send, n being
 * $CODESIGN_KILL_AT. Calls of all threads are counted, and also those that wake a thread by an
 * eventfd. Of what would have been written the first half is, as when a kill meets a long write. */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static atomic_long kill_at; /* 0: not read yet */

#define NEVER (-1L)

/* Count a call; true if it is the one. */
static bool is_last(void)
{
    long limit = atomic_load(&kill_at);
    if (limit == 0) {
        const char *text = getenv("CODESIGN_KILL_AT");
        limit = text ? strtol(text, NULL, 10) : NEVER;
        atomic_store(&kill_at, limit);
    }
    return limit > 0 && atomic_fetch_add(&calls, 1) + 1 == limit;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) {
        pause(); /* nothing that follows the call may happen */
    }
}

/* The function that this one stands in front of. */
#define NEXT(name) ((__typeof__(&name))(void *)dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t size)
{
    if (is_last()) {
        (void)!NEXT(write)(fd, bytes, size / 2);
        die();
    }
    return NEXT(write)(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    if (is_last()) {
        (void)!NEXT(pwrite)(fd, bytes, size / 2, offset);
        die();
    }
    return NEXT(pwrite)(fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    if (is_last()) {
        (void)!NEXT(pwrite64)(fd, bytes, size / 2, offset);
        die();
    }
    return NEXT(pwrite64)(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (is_last()) {
        (void)!NEXT(writev)(fd, parts, count / 2);
        die();
    }
    return NEXT(writev)(fd, parts, count);
}

int fsync(int fd)
{
    if (is_last()) {
        die();
    }
    return NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
    if (is_last()) {
        die();
    }
    return NEXT(fdatasync)(fd);
}

int ftruncate(int fd, off_t size)
{
    if (is_last()) {
        die();
    }
    return NEXT(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    if (is_last()) {
        die();
    }
    return NEXT(ftruncate64)(fd, size);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    if (is_last()) {
        die();
    }
    return NEXT(send)(fd, bytes, size, flags);
}

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to,
               socklen_t to_size)
{
    if (is_last()) {
        die();
    }
    return NEXT(sendto)(fd, bytes, size, flags, to, to_size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (is_last()) {
        die();
    }
    return NEXT(sendmsg)(fd, message, flags);
}

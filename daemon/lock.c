/* The state directory: see lock.h. */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct cs_lock {
    int fd;
};

static cs_status fail_errno(cs_error *err, const char *path, int cause)
{
    return cs_fail(err,
                   cause == ENOENT                     ? CS_ENOENT
                   : cause == EACCES || cause == EROFS ? CS_EPERM
                                                       : CS_EIO,
                   "%s: %s", path, strerror(cause));
}

/* The holder's number as it stands in the file, or 0: the holder may not have written it yet. */
static long read_holder(int fd)
{
    char text[32];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    if (size <= 0) {
        return 0;
    }
    text[size] = '\0';
    long pid = strtol(text, NULL, 10);
    return pid > 0 ? pid : 0;
}

static cs_status fail_held(cs_error *err, const char *path, int fd)
{
    long pid = read_holder(fd);
    return pid ? cs_fail(err, CS_EBUSY, "%s: is locked by process %ld, another codesignd", path,
                         pid)
               : cs_fail(err, CS_EBUSY, "%s: is locked by another codesignd", path);
}

/* flock, not fcntl: the latter's lock is lost when anything in the process closes the file, and
 * does not hold against the process itself. */
static cs_status take(const char *path, int fd, cs_error *err)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? fail_held(err, path, fd) : fail_errno(err, path, errno);
    }
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)size, 0) != size) {
        return fail_errno(err, path, errno);
    }
    return CS_OK;
}

cs_lock *cs_lock_take(const char *path, cs_error *err)
{
    cs_lock *lock = malloc(sizeof *lock);
    if (!lock) {
        cs_fail_memory(err);
        return NULL;
    }
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (lock->fd < 0) {
        fail_errno(err, path, errno);
        free(lock);
        return NULL;
    }
    if (take(path, lock->fd, err) != CS_OK) {
        close(lock->fd);
        free(lock);
        return NULL;
    }
    return lock;
}

void cs_lock_release(cs_lock *lock)
{
    if (lock) {
        /* The file stays: whoever removed it could remove it under a process that has just opened
         * it and is about to lock it. Unlocked by name, because a child of a fork holds it, too. */
        (void)flock(lock->fd, LOCK_UN);
        close(lock->fd);
        free(lock);
    }
}

/* Numbers from linux/magic.h, statfs(2), and the file systems' own sources for those outside of the
 * kernel. FUSE is not among them: its number stands for sshfs and for local disks alike, and for
 * the root of some containers. Overlay and tmpfs are of this machine. 9p is: its server is another
 * kernel, which does not see this one's locks, and most of its modes cannot share memory. */
static const struct network_type {
    uint32_t type;
    const char *name;
} network_types[] = {
    {0x6969, "NFS"},        {0x517b, "SMB"},
    {0xfe534d42, "SMB"},    {0xff534d42, "CIFS"},
    {0x5346414f, "AFS"},    {0x6b414653, "AFS"},
    {0x73757245, "Coda"},   {0x564c, "NCP"},
    {0x00c36400, "Ceph"},   {0x01021997, "9p"},
    {0x0bd00bd0, "Lustre"}, {0x47504653, "GPFS"},
    {0x19830326, "BeeGFS"}, {0xaad7aaea, "PanFS"},
    {0x013111a8, "IBRIX"},  {0x786f4256, "VirtualBox shared folders"},
};

const char *cs_network_file_system(uint64_t type)
{
    /* f_type is signed and of the machine's word: only the lower 32 bits are the number. */
    for (size_t i = 0; i < sizeof network_types / sizeof network_types[0]; i++) {
        if (network_types[i].type == (uint32_t)type) {
            return network_types[i].name;
        }
    }
    return NULL;
}

cs_status cs_directory_check(const char *directory, cs_error *err)
{
    struct statfs system;
    struct stat info;
    if (statfs(directory, &system) != 0 || stat(directory, &info) != 0) {
        return fail_errno(err, directory, errno);
    }
    if (!S_ISDIR(info.st_mode)) {
        return cs_fail(err, CS_EINVAL, "%s: is not a directory", directory);
    }
    const char *name = cs_network_file_system((uint64_t)system.f_type);
    if (name) {
        return cs_fail(err, CS_EINVAL,
                       "%s: is on a network file system (%s), where neither locks nor the "
                       "database's shared memory can be relied on: choose a directory on a disk "
                       "of this machine",
                       directory, name);
    }
    return CS_OK;
}

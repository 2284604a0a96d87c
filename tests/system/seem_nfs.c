/* Preloaded into a daemon: every file system seems to be NFS. */
#include <sys/vfs.h>

#define NFS_SUPER_MAGIC 0x6969 /* linux/magic.h */

int statfs(const char *path, struct statfs *system)
{
    (void)path;
    *system = (struct statfs){.f_type = NFS_SUPER_MAGIC};
    return 0;
}

int statfs64(const char *path, struct statfs64 *system)
{
    (void)path;
    *system = (struct statfs64){.f_type = NFS_SUPER_MAGIC};
    return 0;
}

int fstatfs(int fd, struct statfs *system)
{
    (void)fd;
    *system = (struct statfs){.f_type = NFS_SUPER_MAGIC};
    return 0;
}

int fstatfs64(int fd, struct statfs64 *system)
{
    (void)fd;
    *system = (struct statfs64){.f_type = NFS_SUPER_MAGIC};
    return 0;
}

/* Whole files: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static cs_status fail_errno(cs_error *err, const char *path)
{
    cs_status status = errno == ENOENT                     ? CS_ENOENT
                       : errno == EACCES || errno == EPERM ? CS_EPERM
                                                           : CS_EIO;
    return cs_fail(err, status, "%s: %s", path, strerror(errno));
}

char *cs_file_read(const char *path, size_t limit, size_t *size, cs_error *err)
{
    char *data = NULL;
    /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        fail_errno(err, path);
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        cs_fail(err, CS_EINVAL, "%s: is not a regular file", path);
        goto out;
    }
    if ((size_t)info.st_size > limit) {
        cs_fail(err, CS_ELIMIT, "%s: %lld bytes; at most %zu are read", path,
                (long long)info.st_size, limit);
        goto out;
    }
    size_t room = (size_t)info.st_size, got = 0;
    data = malloc(room + 1);
    if (!data) {
        cs_fail_memory(err);
        goto out;
    }
    while (got < room) {
        ssize_t n = read(fd, data + got, room - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            fail_errno(err, path);
            free(data);
            data = NULL;
            goto out;
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    data[got] = '\0';
    *size = got;
out:
    if (fd >= 0) {
        close(fd);
    }
    return data;
}

static bool write_all(int fd, const void *data, size_t size)
{
    size_t put = 0;
    while (put < size) {
        ssize_t n = write(fd, (const char *)data + put, size - put);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        put += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* What is no regular file stays what it is. */
static cs_status write_through(const char *path, const void *data, size_t size, cs_error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return fail_errno(err, path);
    }
    cs_status status = write_all(fd, data, size) ? CS_OK : fail_errno(err, path);
    if (close(fd) != 0 && !status) {
        status = fail_errno(err, path);
    }
    return status;
}

static cs_status replace(const char *path, const void *data, size_t size, cs_error *err)
{
    size_t name_size = strlen(path) + 16;
    char *temporary = malloc(name_size);
    if (!temporary) {
        return cs_fail_memory(err);
    }
    snprintf(temporary, name_size, "%s.XXXXXX", path);
    cs_status status = CS_OK;
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        status = fail_errno(err, path);
        free(temporary);
        return status;
    }
    (void)fchmod(fd, 0644);
    if (!write_all(fd, data, size) || fsync(fd) != 0 || rename(temporary, path) != 0) {
        status = fail_errno(err, path);
        (void)unlink(temporary);
    }
    close(fd);
    free(temporary);
    return status;
}

cs_status cs_file_write(const char *path, const void *data, size_t size, cs_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        return write_through(path, data, size, err);
    }
    char *target = realpath(path, NULL); /* of a link, what it leads to */
    cs_status status = replace(target ? target : path, data, size, err);
    free(target);
    return status;
}

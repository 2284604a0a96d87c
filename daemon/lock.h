/* The state directory: one daemon at a time, on a disk of this machine. */
#ifndef CS_DAEMON_LOCK_H
#define CS_DAEMON_LOCK_H

#include "base/status.h"

#include <stdint.h>

typedef struct cs_lock cs_lock;

/* Take the lock that the file at `path` stands for, creating the file if need be and writing this
 * process's number into it for people. The lock ends with the process, however it ends; the file
 * stays. CS_EBUSY with the holder's number if it is held already, by this process too. NULL on
 * failure. */
cs_lock *cs_lock_take(const char *path, cs_error *err);

/* NULL is allowed. */
void cs_lock_release(cs_lock *lock);

/* The directory exists and is not on a network file system, where a lock may hold on one machine
 * only and the database's shared memory does not work: otherwise CS_EINVAL. */
CS_MUST_CHECK cs_status cs_directory_check(const char *directory, cs_error *err);

/* The name of the network file system that statfs(2) gives this f_type for; NULL for all others. */
const char *cs_network_file_system(uint64_t type);

#endif

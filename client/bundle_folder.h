/* Jobs on disk: a job file with the files that it names, or a folder that an export wrote.
 *
 * An exported folder holds the job's text, files/ and the manifest bundle.conf, which says under
 * which names and with which overrides all of it ran, and what the hash of each part is. */
#ifndef CS_CLIENT_BUNDLE_FOLDER_H
#define CS_CLIENT_BUNDLE_FOLDER_H

#include "search/bundle.h"

#define CS_BUNDLE_MANIFEST "bundle.conf"

/* Read the job at `path` into an empty bundle, which the caller releases (also on failure). `path`
 * is a job file, or an exported folder, or the job file in one; of an exported folder every part
 * must have the hash that its manifest states, and `sets` come after those of the manifest. Names
 * with '/' in the text are files relative to the folder of the text; names without are left to the
 * server unless the manifest has them. Errors in the text name it and the line. */
CS_MUST_CHECK cs_status cs_bundle_folder_read(const char *path, const char *const *sets,
                                              size_t set_count, cs_bundle *bundle, cs_error *err);

/* Write a bundle to `folder`, which is made or must be empty. Names in the bundle decide nothing
 * about where files go but their last part's letters. The manifest is written last: a folder
 * without one is not whole. */
CS_MUST_CHECK cs_status cs_bundle_folder_write(const char *folder, const cs_bundle *bundle,
                                               const char *simulator, uint32_t simulator_revision,
                                               cs_error *err);

#endif

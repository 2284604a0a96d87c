/* show-job --export: the bundle of a job as a folder. */
#include "client/bundle_folder.h"
#include "client/verbs.h"

#include <stdlib.h>
#include <string.h>

/* The content that the server names with a hash. NULL on failure. */
static char *fetch(cs_session *session, uint64_t job, const Codesign__NamedFile *file, size_t *size,
                   cs_error *err)
{
    cs_hash hash;
    if (file->hash.len != sizeof hash.bytes) {
        cs_fail(err, CS_ECORRUPT, "the server's hash of a file has %zu bytes, not %zu",
                file->hash.len, sizeof hash.bytes);
        return NULL;
    }
    memcpy(hash.bytes, file->hash.data, sizeof hash.bytes);
    return cs_session_get_file(session, job, &hash, CS_BUNDLE_MAX_FILE_BYTES, size, err);
}

cs_status cs_client_export(cs_client *client, const Codesign__JobDetail *detail, const char *folder,
                           cs_error *err)
{
    cs_error why = {0};
    size_t size;
    cs_bundle bundle = {0};
    cs_session *session = cs_client_session(client, &why);
    char *text = session ? fetch(session, detail->job->job, detail->text, &size, &why) : NULL;
    if (!text) {
        return cs_fail(err, why.status, "%s", why.text);
    }
    cs_status status = cs_bundle_set_text(&bundle, detail->text_name, text, size, err);
    free(text);
    for (size_t i = 0; i < detail->n_set && !status; i++) {
        status = cs_bundle_add_set(&bundle, detail->set[i], err);
    }
    for (size_t i = 0; i < detail->n_files && !status; i++) {
        char *bytes = fetch(session, detail->job->job, detail->files[i], &size, &why);
        status = bytes ? cs_bundle_add_file(&bundle, detail->files[i]->name, bytes, size, err)
                       : cs_fail(err, why.status, "%s", why.text);
        free(bytes);
    }
    if (!status) {
        status = cs_bundle_folder_write(folder, &bundle, detail->simulator,
                                        detail->simulator_revision, err);
    }
    cs_bundle_release(&bundle);
    return status;
}

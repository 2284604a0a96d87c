/* submit-job: a job file and what it names, to the server. */
#include "client/bundle_folder.h"
#include "client/verbs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Remember KEY=VALUE, from parts. */
static void add_set(cs_submit_input *told, struct argp_state *state, const char *key,
                    const char *before, const char *value, const char *after)
{
    if (told->set_count == CS_BUNDLE_MAX_SETS) {
        argp_error(state, "--set: at most %u", CS_BUNDLE_MAX_SETS);
    }
    if (asprintf(&told->sets[told->set_count], "%s%s%s%s", key, before, value, after) < 0) {
        argp_failure(state, CS_EXIT_OTHER, 0, "out of memory");
    }
    told->set_count++;
}

error_t cs_submit_parse(int key, char *text, struct argp_state *state, void *input)
{
    cs_submit_input *told = input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one FILE or DIR only");
        }
        told->path = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which FILE or DIR?");
        return 0;
    case CS_OPTION_NAME: {
        /* Quoted, a name that looks like a number is none. With these characters in it, it is taken
         * as it stands (base/conf.h), quotes included. */
        const char *quote = strpbrk(text, "\n;{}()[]@=\"\\") ? "" : "\"";
        add_set(told, state, "name=", quote, text, quote);
        return 0;
    }
    case CS_OPTION_SEED: {
        uint64_t seed = cs_client_parse_count(text, "--seed", 0, INT64_MAX, state);
        add_set(told, state, "seed=", "", text, seed > INT32_MAX ? "L" : "");
        return 0;
    }
    case CS_OPTION_SET:
        if (*text == '=' || !strchr(text, '=')) {
            argp_error(state, "--set: must be KEY=VALUE, not '%s'", text);
        }
        add_set(told, state, text, "", "", "");
        return 0;
    case CS_OPTION_WATCH:
        told->watch = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static cs_status submit(cs_client *client, const cs_bundle *bundle, uint64_t *job, cs_error *err)
{
    Codesign__NamedFile named[CS_BUNDLE_MAX_FILES], *pointers[CS_BUNDLE_MAX_FILES];
    cs_session_file files[CS_BUNDLE_MAX_FILES];
    for (size_t i = 0; i < bundle->file_count; i++) {
        const cs_bundle_file *file = &bundle->files[i];
        named[i] = (Codesign__NamedFile)CODESIGN__NAMED_FILE__INIT;
        named[i].name = file->name;
        named[i].hash = (ProtobufCBinaryData){CS_HASH_BYTES, (uint8_t *)file->hash.bytes};
        pointers[i] = &named[i];
        files[i] = (cs_session_file){.hash = file->hash, .bytes = file->bytes, .size = file->size};
    }
    Codesign__SubmitJob message = CODESIGN__SUBMIT_JOB__INIT;
    message.text_name = bundle->text_name;
    message.text = (ProtobufCBinaryData){bundle->text_size, (uint8_t *)bundle->text};
    message.n_set = bundle->set_count;
    message.set = bundle->sets;
    message.n_files = bundle->file_count;
    message.files = pointers;
    cs_error why = {0};
    cs_session *session = cs_client_session(client, &why);
    if (!session) {
        return cs_fail(err, why.status, "%s", why.text);
    }
    return cs_session_submit(session, &message, files, bundle->file_count, job, err);
}

/* In CSV the number stands alone: job=$(codesign-client submit-job --format csv FILE). */
static void print_job(const cs_client *client, uint64_t job)
{
    switch (client->format) {
    case CS_FORMAT_TABLE:
        printf("job %" PRIu64 " submitted\n", job);
        break;
    case CS_FORMAT_CSV:
        printf("%" PRIu64 "\n", job);
        break;
    case CS_FORMAT_JSON:
        printf("{\"job\": %" PRIu64 "}\n", job);
        break;
    }
}

cs_exit cs_run_submit_job(cs_client *client, const void *input)
{
    const cs_submit_input *told = input;
    cs_error error = {0};
    cs_bundle bundle = {0};
    uint64_t job = 0;
    cs_status status = cs_bundle_folder_read(told->path, (const char *const *)told->sets,
                                             told->set_count, &bundle, &error);
    if (!status) {
        status = submit(client, &bundle, &job, &error);
    }
    cs_bundle_release(&bundle);
    for (size_t i = 0; i < told->set_count; i++) {
        free(told->sets[i]);
    }
    if (status) {
        return cs_client_fail(&error);
    }
    if (told->watch && client->format != CS_FORMAT_TABLE) {
        fprintf(stderr, "job %" PRIu64 " submitted\n", job); /* stdout is for the front */
    } else {
        print_job(client, job);
        fflush(stdout);
    }
    return told->watch ? cs_client_watch(client, job) : CS_EXIT_OK;
}

/* Where the server is: see address.h. */
#include "client/address.h"

#include "base/conf.h"
#include "base/file.h"
#include "client/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_NAME "codesign/codesignd.sock"
#define CONFIG_NAME "codesign/client.conf"

static char *join(const char *first, const char *second, const char *third, cs_error *err)
{
    char *text = NULL;
    if (asprintf(&text, "%s%s%s", first, second, third) < 0) {
        cs_fail_memory(err);
        return NULL;
    }
    return text;
}

/* The endpoint that a text means; `origin` says where it is from. */
static char *endpoint_of(const char *text, const char *origin, cs_error *err)
{
    if (*text == '/') {
        return join("ipc://", text, "", err);
    }
    if (strncmp(text, "ipc://", 6) != 0 && strncmp(text, "tcp://", 6) != 0) {
        cs_fail(err, CS_EINVAL, "%s: '%s' must be ipc://PATH, tcp://HOST:PORT or an absolute path",
                origin, text);
        return NULL;
    }
    return join(text, "", "", err);
}

/* An environment variable that says something, or NULL. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* What client.conf says. NULL with no error set where it says nothing. */
static char *from_config(const char *path, cs_error *err)
{
    static const char *const keys[] = {"server", NULL};
    size_t size;
    cs_error why = {0};
    char *text = cs_file_read(path, CS_CONF_MAX_BYTES, &size, &why);
    if (!text) {
        if (why.status != CS_ENOENT) {
            cs_fail(err, why.status, "%s", why.text);
        }
        return NULL;
    }
    char *endpoint = NULL;
    const char *server = NULL;
    cs_conf *conf = cs_conf_parse(text, size, path, NULL, 0, err);
    free(text);
    if (conf && cs_conf_only(cs_conf_root(conf), keys, err) == CS_OK &&
        cs_conf_maybe_string(cs_conf_root(conf), "server", &server, err) == CS_OK && server) {
        endpoint = endpoint_of(server, path, err);
    }
    cs_conf_free(conf);
    return endpoint;
}

/* The path of client.conf, malloc'd. NULL with no error set where there is no home. */
static char *config_path(cs_error *err)
{
    const char *config = environment("XDG_CONFIG_HOME"), *home = environment("HOME");
    if (config) {
        return join(config, "/", CONFIG_NAME, err);
    }
    return home ? join(home, "/.config/", CONFIG_NAME, err) : NULL;
}

char *cs_address_find(const char *given, cs_error *err)
{
    if (given) {
        return endpoint_of(given, "--server", err);
    }
    const char *server = environment("CODESIGN_SERVER");
    if (server) {
        return endpoint_of(server, "CODESIGN_SERVER", err);
    }
    cs_error why = {0};
    char *path = config_path(&why);
    char *endpoint = path ? from_config(path, &why) : NULL;
    free(path);
    if (endpoint || why.status) {
        if (!endpoint) {
            cs_fail(err, why.status, "%s", why.text);
        }
        return endpoint;
    }
    const char *runtime = environment("XDG_RUNTIME_DIR");
    if (runtime) {
        path = join(runtime, "/", SOCKET_NAME, err);
        endpoint = path ? endpoint_of(path, "XDG_RUNTIME_DIR", err) : NULL;
        free(path);
        /* A server that was killed leaves its socket behind. */
        if (!endpoint || cs_session_probe(endpoint, NULL) != CS_ETIMEDOUT) {
            return endpoint;
        }
        free(endpoint);
    }
    return join("ipc:///run/", SOCKET_NAME, "", err);
}

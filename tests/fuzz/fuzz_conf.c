/* Any text as a configuration: the first line holds overrides, separated by tabs, the rest is the
 * text. What is accepted is walked whole, each place read as every type. */
#include "fuzz.h"

#include "base/conf.h"

#include <float.h>
#include <string.h>

#define MAX_OVERRIDES 16

/* What a failed reader says begins with the text's name or with "--set". */
static void expect_place(const cs_error *err)
{
    FUZZ_EXPECT(err->status == CS_EINVAL);
    FUZZ_EXPECT(strncmp(err->text, "fuzz.conf:", 10) == 0 || strncmp(err->text, "--set", 5) == 0);
}

static void read_value(cs_conf_node node)
{
    cs_error err = {0};
    int64_t whole;
    double number;
    bool truth;
    const char *text = NULL;
    unsigned kinds = 0;
    if (cs_conf_as_int(node, INT64_MIN, INT64_MAX, &whole, &err)) {
        expect_place(&err);
    } else {
        FUZZ_EXPECT(cs_conf_is_number(node));
    }
    if (cs_conf_as_number(node, -DBL_MAX, DBL_MAX, &number, &err)) {
        expect_place(&err);
    } else {
        FUZZ_EXPECT(cs_conf_is_number(node) && number >= -DBL_MAX && number <= DBL_MAX);
    }
    if (cs_conf_as_bool(node, &truth, &err)) {
        expect_place(&err);
    } else {
        FUZZ_EXPECT(cs_conf_is_bool(node));
    }
    if (cs_conf_as_string(node, &text, &err)) {
        expect_place(&err);
    } else {
        FUZZ_EXPECT(cs_conf_is_string(node) && strlen(text) <= CS_CONF_MAX_BYTES);
    }
    kinds += cs_conf_is_number(node);
    kinds += cs_conf_is_bool(node);
    kinds += cs_conf_is_string(node);
    kinds += cs_conf_is_group(node);
    kinds += cs_conf_is_list(node);
    FUZZ_EXPECT(kinds == 1);
}

static void walk_tree(cs_conf_node node, unsigned depth)
{
    /* A bound on nesting that a text could get around would let it overflow stacks. */
    FUZZ_EXPECT(depth <= CS_CONF_MAX_DEPTH + 1);
    read_value(node);
    bool group = cs_conf_is_group(node);
    if (group) {
        static const char *const none[] = {NULL};
        cs_error err = {0};
        if (cs_conf_only(node, none, &err)) {
            expect_place(&err);
        } else {
            FUZZ_EXPECT(cs_conf_length(node) == 0);
        }
    }
    size_t length = cs_conf_length(node);
    for (size_t i = 0; i < length; i++) {
        cs_conf_node element = cs_conf_element(node, i);
        FUZZ_EXPECT(cs_conf_exists(element));
        if (group) {
            cs_conf_node member = cs_conf_member(node, cs_conf_key(element));
            FUZZ_EXPECT(member.setting == element.setting);
        }
        walk_tree(element, depth + 1);
    }
    FUZZ_EXPECT(!cs_conf_exists(cs_conf_element(node, length)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t head = end ? (size_t)(end - data) : 0;
    char *line = malloc(head + 1);
    FUZZ_EXPECT(line != NULL);
    memcpy(line, data, head);
    line[head] = '\0';
    const char *overrides[MAX_OVERRIDES];
    size_t count = 0;
    char *rest = line;
    for (char *word = strsep(&rest, "\t"); word && count < MAX_OVERRIDES;
         word = strsep(&rest, "\t")) {
        if (*word) {
            overrides[count++] = word;
        }
    }

    const char *text = (const char *)data + (end ? head + 1 : 0);
    size_t text_size = size - (end ? head + 1 : 0);
    cs_error err = {0};
    cs_conf *conf = cs_conf_parse(text, text_size, "fuzz.conf", overrides, count, &err);
    if (conf) {
        walk_tree(cs_conf_root(conf), 0);
    } else {
        FUZZ_EXPECT(err.status == CS_EINVAL || err.status == CS_ELIMIT);
        FUZZ_EXPECT(strncmp(err.text, "fuzz.conf:", 10) == 0 ||
                    strncmp(err.text, "--set ", 6) == 0);
    }
    cs_conf_free(conf);
    free(line);
    return 0;
}

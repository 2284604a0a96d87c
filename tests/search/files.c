/* Files that tests of spaces and predictors read: see files.h. */
#include "files.h"

#include "base/file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path, size_t *size)
{
    cs_error err;
    char *text = cs_file_read(path, 1u << 28, size, &err);
    ck_assert_msg(text != NULL, "%s", err.text);
    return text;
}

cs_conf *open_conf(const char *path)
{
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", CODESIGN_SOURCE_DIR, path);
    size_t size;
    char *text = read_file(full, &size);
    cs_error err;
    cs_conf *conf = cs_conf_parse(text, size, path, NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    free(text);
    return conf;
}

cs_space *open_space(const char *path, bool *recalled)
{
    cs_conf *conf = open_conf(path);
    const char *kind;
    cs_error err;
    ck_assert_int_eq(cs_conf_string(cs_conf_root(conf), "kind", &kind, &err), CS_OK);
    cs_space *space = strcmp(kind, "network-space") == 0
                          ? cs_space_read_network(cs_conf_root(conf), recalled, &err)
                          : cs_space_read_accelerator(cs_conf_root(conf), recalled, &err);
    ck_assert_msg(space != NULL, "%s", err.text);
    cs_conf_free(conf);
    return space;
}

cs_space *space_of_text(const char *text)
{
    cs_error err;
    bool recalled = false;
    cs_conf *conf = cs_conf_parse(text, strlen(text), "space.conf", NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    cs_space *space = cs_space_read_network(cs_conf_root(conf), &recalled, &err);
    ck_assert_msg(space != NULL, "%s", err.text);
    cs_conf_free(conf);
    return space;
}

cs_csv *open_table(const char *name)
{
    const char *folder = getenv("CODESIGN_DATA");
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", folder ? folder : CODESIGN_SOURCE_DIR "/../shared/data",
             name);
    cs_error err;
    size_t size;
    char *text = cs_file_read(full, 1u << 28, &size, &err);
    if (!text) {
        fprintf(stderr, "skipped, the data is not here: %s\n", err.text);
        return NULL;
    }
    cs_csv *table = cs_csv_parse(text, size, name, &err);
    ck_assert_msg(table != NULL, "%s", err.text);
    free(text);
    return table;
}

/* Assertions of Check are slow, and a table has a hundred thousand cells. */
static void require(bool holds, const char *text)
{
    if (!holds) {
        ck_abort_msg("%s", text);
    }
}

void genome_of_row(const cs_space *space, const cs_csv *table, size_t row, uint8_t *genome)
{
    double values[256];
    uint32_t count = cs_space_network_gene_count(space);
    require(count <= 256, "more genes than this helper takes");
    for (uint32_t g = 0; g < count; g++) {
        size_t column;
        cs_error err;
        cs_status status = cs_csv_find(table, cs_space_gene(space, g)->name, &column, &err);
        if (!status) {
            status = cs_csv_number(table, row, column, &values[g], &err);
        }
        require(status == CS_OK, err.text);
    }
    genome_of_values(space, values, genome);
}

void genome_of_values(const cs_space *space, const double *values, uint8_t *genome)
{
    for (uint32_t g = 0; g < cs_space_network_gene_count(space); g++) {
        const cs_gene *gene = cs_space_gene(space, g);
        uint32_t choice = 0;
        while (choice < gene->choice_count && gene->values[choice] != values[g]) {
            choice++;
        }
        require(choice < gene->choice_count, "a gene has no such choice");
        cs_space_set(space, genome, g, choice);
    }
}

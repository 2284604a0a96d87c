/* codesign-train-accuracy: make the weights file of an accuracy predictor from a table.
 *
 * The table has a column for every parameter of the network space, and one with the accuracy. */
#include "base/conf.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "search/predictor/train.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TABLE_BYTES (1u << 28)
#define EXIT_USAGE      2 /* as of codesign-client */

const char *argp_program_version = "codesign-train-accuracy " CODESIGN_VERSION;

typedef struct train_arguments {
    const char *data, *space, *output;
    cs_training_source source;
} train_arguments;

enum {
    OPTION_COLUMN = 256,
    OPTION_METRIC,
    OPTION_ABOUT,
    OPTION_DATA_NAME,
    OPTION_LICENCE,
};

static const struct argp_option options[] = {
    {"data", 'd', "FILE", 0, "Table (CSV) of measured networks", 0},
    {"space", 's', "FILE", 0, "Network space whose parameters are columns of the table", 0},
    {"output", 'o', "FILE", 0, "Weights file to write", 0},
    {"column", OPTION_COLUMN, "NAME", 0, "Column with the accuracy in percent (val_top1)", 1},
    {"metric", OPTION_METRIC, "NAME", 0, "Name of the metric (proxy_top1)", 1},
    {"about", OPTION_ABOUT, "TEXT", 0, "What the metric is, in one sentence", 1},
    {"data-name", OPTION_DATA_NAME, "TEXT", 0, "Name of the data set (Accel-NASBench)", 1},
    {"licence", OPTION_LICENCE, "TEXT", 0, "Licence of the data set (Apache-2.0)", 1},
    {0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    train_arguments *arguments = state->input;
    switch (key) {
    case 'd':
        arguments->data = text;
        return 0;
    case 's':
        arguments->space = text;
        return 0;
    case 'o':
        arguments->output = text;
        return 0;
    case OPTION_COLUMN:
        arguments->source.column = text;
        return 0;
    case OPTION_METRIC:
        arguments->source.metric = text;
        return 0;
    case OPTION_ABOUT:
        arguments->source.about = text;
        return 0;
    case OPTION_DATA_NAME:
        arguments->source.data = text;
        return 0;
    case OPTION_LICENCE:
        arguments->source.licence = text;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->data || !arguments->space || !arguments->output) {
            argp_error(state, "--data, --space and --output must be given");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static cs_space *read_space(const char *path, cs_error *err)
{
    size_t size;
    char *text = cs_file_read(path, CS_CONF_MAX_BYTES, &size, err);
    if (!text) {
        return NULL;
    }
    bool recalled = false;
    cs_conf *conf = cs_conf_parse(text, size, path, NULL, 0, err);
    cs_space *space = conf ? cs_space_read_network(cs_conf_root(conf), &recalled, err) : NULL;
    cs_conf_free(conf);
    free(text);
    return space;
}

/* The choice of a gene that a cell names, as text or as number. */
static cs_status read_choice(const cs_csv *csv, size_t row, size_t column, const cs_gene *gene,
                             uint8_t *choice, cs_error *err)
{
    const char *cell = cs_csv_cell(csv, row, column);
    double value = 0;
    bool number = cs_csv_number(csv, row, column, &value, NULL) == CS_OK;
    for (uint32_t c = 0; c < gene->choice_count; c++) {
        if (strcmp(cell, gene->choices[c]) == 0 || (number && value == gene->values[c])) {
            *choice = (uint8_t)c;
            return CS_OK;
        }
    }
    return cs_csv_fail(csv, row, column, err, "\"%.40s\" is no choice of this parameter", cell);
}

static cs_status read_column(const cs_csv *csv, const char *name, double *accuracies, cs_error *err)
{
    size_t column;
    cs_status status = cs_csv_find(csv, name, &column, err);
    for (size_t r = 0; r < cs_csv_row_count(csv) && !status; r++) {
        status = cs_csv_number(csv, r, column, &accuracies[r], err);
        if (!status && !(accuracies[r] >= 0 && accuracies[r] <= 100)) {
            status =
                cs_csv_fail(csv, r, column, err, "must be from 0 to 100 %%, not %g", accuracies[r]);
        }
    }
    return status;
}

static cs_status read_genomes(const cs_csv *csv, const cs_space *space, uint8_t *genomes,
                              cs_error *err)
{
    uint32_t genes = cs_space_network_gene_count(space);
    cs_status status = CS_OK;
    for (uint32_t g = 0; g < genes && !status; g++) {
        const cs_gene *gene = cs_space_gene(space, g);
        size_t column;
        status = cs_csv_find(csv, gene->name, &column, err);
        for (size_t r = 0; r < cs_csv_row_count(csv) && !status; r++) {
            status = read_choice(csv, r, column, gene, &genomes[r * genes + g], err);
        }
    }
    return status;
}

static cs_training *train(const cs_csv *csv, const cs_space *space, const char *column,
                          cs_error *err)
{
    size_t rows = cs_csv_row_count(csv);
    if (rows > CS_TRAIN_MAX_ROWS) {
        cs_fail(err, CS_ELIMIT, "the table has %zu rows; at most %u are trained on", rows,
                CS_TRAIN_MAX_ROWS);
        return NULL;
    }
    uint8_t *genomes = calloc(rows + 1, cs_space_network_gene_count(space));
    double *accuracies = calloc(rows + 1, sizeof *accuracies);
    cs_training *training = NULL;
    if (!genomes || !accuracies) {
        cs_fail_memory(err);
    } else if (read_genomes(csv, space, genomes, err) == CS_OK &&
               read_column(csv, column, accuracies, err) == CS_OK) {
        cs_training_set set = {.space = space,
                               .genomes = genomes,
                               .accuracies = accuracies,
                               .row_count = (uint32_t)rows};
        training = cs_training_run(&set, err);
    }
    free(genomes);
    free(accuracies);
    return training;
}

static cs_status write_weights(const cs_training *training, const train_arguments *arguments,
                               cs_error *err)
{
    cs_buffer buffer = {0};
    cs_training_write(training, &arguments->source, &buffer);
    cs_status status = buffer.failed
                           ? cs_fail_memory(err)
                           : cs_file_write(arguments->output, buffer.data, buffer.size, err);
    cs_buffer_release(&buffer);
    return status;
}

static void print_quality(const cs_training *training)
{
    cs_training_quality quality = cs_training_quality_of(training);
    printf("held out, mean of %d folds (standard error):\n", CS_TRAIN_FOLDS);
    printf("R2        %.4f (%.4f)\n", quality.r2.mean, quality.r2.error);
    printf("Kendall   %.4f (%.4f)\n", quality.kendall.mean, quality.kendall.error);
    printf("Spearman  %.4f (%.4f)\n", quality.spearman.mean, quality.spearman.error);
    printf("MAE       %.4f (%.4f) percent points\n", quality.mae.mean, quality.mae.error);
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc = "Train an accuracy predictor: make a weights file from a table of measured "
               "networks. The same table gives the same file, byte for byte.",
    };
    train_arguments arguments = {
        .source = {.metric = "proxy_top1",
                   .about = "ImageNet top-1 accuracy in percent after the short proxy training "
                            "schedule of Accel-NASBench; not the accuracy of full training.",
                   .data = "Accel-NASBench (Ahmad et al., DAC 2024, arXiv 2404.08005)",
                   .licence = "Apache-2.0",
                   .column = "val_top1"},
    };
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);

    cs_error err = {.status = CS_OK};
    size_t size = 0;
    char hex[CS_HASH_HEX];
    cs_csv *csv = NULL;
    cs_training *training = NULL;
    cs_space *space = read_space(arguments.space, &err);
    char *text = space ? cs_file_read(arguments.data, MAX_TABLE_BYTES, &size, &err) : NULL;
    if (text) {
        cs_hash hash = cs_hash_of(text, size);
        cs_hash_hex(&hash, hex);
        arguments.source.sha256 = hex;
        csv = cs_csv_parse(text, size, arguments.data, &err);
    }
    if (csv) {
        training = train(csv, space, arguments.source.column, &err);
    }
    bool written = training && write_weights(training, &arguments, &err) == CS_OK;
    if (written) {
        print_quality(training);
    } else {
        fprintf(stderr, "codesign-train-accuracy: %s\n", err.text);
    }
    cs_training_free(training);
    cs_csv_free(csv);
    free(text);
    cs_space_free(space);
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Designs as rows: see design.h. */
#include "client/design.h"

#include "client/spread.h"
#include "client/text.h"
#include "search/evaluate.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

cs_status cs_design_check(const Codesign__JobDetail *detail, cs_error *err)
{
    const Codesign__Schema *schema = detail->schema;
    if (schema->genome_bytes != schema->n_genes) {
        return cs_fail(err, CS_ECORRUPT, "the server's schema has %zu genes but %u bytes a genome",
                       schema->n_genes, schema->genome_bytes);
    }
    return CS_OK;
}

/* ---- genes ---- */

static const char *choice_text(const Codesign__Gene *gene, uint8_t choice)
{
    return choice < gene->n_choices ? gene->choices[choice] : "?";
}

/* Length of a gene's name up to its last separator: block0 of block0_k. Genes of one such prefix
 * that follow each other are shown together. */
static size_t prefix_length(const char *name)
{
    const char *dot = strrchr(name, '.'), *line = strrchr(name, '_');
    const char *last = dot > line ? dot : line;
    return last ? (size_t)(last - name) : strlen(name);
}

static bool same_group(const Codesign__Gene *a, const Codesign__Gene *b)
{
    size_t length = prefix_length(a->name);
    return a->network == b->network && length == prefix_length(b->name) &&
           strncmp(a->name, b->name, length) == 0;
}

/* The genes of the network or of the accelerator, groups separated by blanks and genes of a group
 * by hyphens: choices of `genome`, or names if that is NULL. malloc'd; NULL for want of memory. */
static char *compact_genes(const Codesign__Schema *schema, bool network, const uint8_t *genome)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) {
        return NULL;
    }
    const Codesign__Gene *before = NULL;
    for (size_t g = 0; g < schema->n_genes; g++) {
        const Codesign__Gene *gene = schema->genes[g];
        if (gene->network == network) {
            fputs(!before ? "" : same_group(before, gene) ? "-" : " ", stream);
            fputs(genome ? choice_text(gene, genome[g]) : gene->name, stream);
            before = gene;
        }
    }
    if (fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void put_compact(cs_table *table, const Codesign__Schema *schema, bool network,
                        const uint8_t *genome)
{
    char *text = compact_genes(schema, network, genome);
    cs_table_put_text(table, text);
    free(text);
}

/* ---- tables ---- */

typedef struct row_order {
    const size_t *rows;  /* of the candidates; NULL: as they are */
    const size_t *shown; /* places in `rows`; NULL: all */
    size_t count;
} row_order;

static cs_table *new_table(const Codesign__JobDetail *detail, bool ranked)
{
    cs_table *table = cs_table_new();
    if (!table) {
        return NULL;
    }
    const Codesign__Schema *schema = detail->schema;
    if (ranked) {
        cs_table_add_column(table, "rank", "rank", CS_COLUMN_BOTH);
    }
    cs_table_add_column(table, "candidate", "candidate", CS_COLUMN_BOTH);
    cs_table_add_column(table, "job", "job", CS_COLUMN_DATA);
    cs_table_add_column(table, "index", "index", CS_COLUMN_DATA);
    if (!ranked) {
        cs_table_add_column(table, "outcome", "outcome", CS_COLUMN_BOTH);
    }
    for (size_t m = 0; m < schema->n_metrics; m++) {
        const char *key = schema->metrics[m]->key;
        cs_table_add_column(table, key, key, CS_COLUMN_BOTH);
    }
    cs_table_add_column(table, "network", "network", CS_COLUMN_PEOPLE | CS_COLUMN_WORDS);
    cs_table_add_column(table, "accelerator", "accelerator", CS_COLUMN_PEOPLE | CS_COLUMN_WORDS);
    for (size_t g = 0; g < schema->n_genes; g++) {
        cs_table_add_column(table, schema->genes[g]->name, "", CS_COLUMN_DATA);
    }
    cs_table_add_column(table, "recalled", "", CS_COLUMN_DATA);
    cs_table_add_column(table, "mixed", "", CS_COLUMN_DATA);
    return table;
}

/* `rank` 0: unranked. */
static void add_candidate(cs_table *table, const Codesign__JobDetail *detail,
                          const cs_candidates *candidates, size_t row, size_t rank)
{
    const Codesign__Schema *schema = detail->schema;
    const uint8_t *genome = candidates->genomes + row * candidates->genome_bytes;
    const double *metrics = candidates->metrics + row * candidates->metric_count;
    char name[48];
    snprintf(name, sizeof name, "%" PRIu64 "/%" PRIu64, detail->job->job, candidates->index[row]);
    cs_table_add_row(table);
    if (rank) {
        cs_table_put_count(table, rank);
    }
    cs_table_put_text(table, name);
    cs_table_put_count(table, detail->job->job);
    cs_table_put_count(table, candidates->index[row]);
    if (!rank) {
        cs_table_put_text(table, cs_outcome_text(candidates->status[row]));
    }
    for (size_t m = 0; m < schema->n_metrics; m++) {
        cs_table_put_real(table, metrics[m]);
    }
    put_compact(table, schema, true, genome);
    put_compact(table, schema, false, genome);
    for (size_t g = 0; g < schema->n_genes; g++) {
        cs_table_put_decimal(table, choice_text(schema->genes[g], genome[g]));
    }
    cs_table_put_bool(table, detail->n_recalled > 0);
    cs_table_put_bool(table, detail->job->mixed);
}

static cs_status print_rows(const Codesign__JobDetail *detail, const cs_candidates *candidates,
                            const row_order *order, cs_format format, FILE *stream, size_t width,
                            cs_error *err)
{
    cs_table *table = new_table(detail, order->rows != NULL);
    if (!table) {
        return cs_fail_memory(err);
    }
    for (size_t i = 0; i < order->count; i++) {
        size_t place = order->shown ? order->shown[i] : i;
        size_t row = order->rows ? order->rows[place] : place;
        add_candidate(table, detail, candidates, row, order->rows ? place + 1 : 0);
    }
    cs_status status = cs_table_print(table, format, stream, width, err);
    cs_table_free(table);
    return status;
}

/* The objectives of every row, to be minimised; malloc'd, NULL for want of memory. */
static double *objectives_of(const Codesign__Schema *schema, const cs_candidates *candidates,
                             size_t *dimensions)
{
    size_t count = 0;
    for (size_t m = 0; m < schema->n_metrics; m++) {
        count += schema->metrics[m]->objective;
    }
    double *points = calloc(candidates->count + 1, (count + 1) * sizeof *points);
    for (size_t row = 0; points && row < candidates->count; row++) {
        size_t at = row * count;
        for (size_t m = 0; m < schema->n_metrics; m++) {
            double value = candidates->metrics[row * candidates->metric_count + m];
            if (schema->metrics[m]->objective) {
                points[at++] = schema->metrics[m]->maximize ? -value : value;
            }
        }
    }
    *dimensions = count;
    return points;
}

cs_status cs_design_print_front(const Codesign__JobDetail *detail, const cs_candidates *front,
                                size_t limit, cs_format format, FILE *stream, size_t width,
                                cs_error *err)
{
    size_t dimensions, shown_count = front->count;
    double *points = objectives_of(detail->schema, front, &dimensions);
    size_t *rows = calloc(front->count + 1, sizeof *rows);
    size_t *shown = calloc(front->count + 1, sizeof *shown);
    cs_status status = CS_OK;
    if (!points || !rows || !shown) {
        status = cs_fail_memory(err);
        goto out;
    }
    cs_spread_sort(points, front->count, dimensions, rows);
    bool all = format != CS_FORMAT_TABLE || limit == 0 || limit >= front->count;
    if (!all) {
        status = cs_spread_choose(points, rows, front->count, dimensions, limit, shown,
                                  &shown_count, err);
    }
    if (!status) {
        row_order order = {.rows = rows, .shown = all ? NULL : shown, .count = shown_count};
        status = print_rows(detail, front, &order, format, stream, width, err);
    }
out:
    free(points);
    free(rows);
    free(shown);
    return status;
}

cs_status cs_design_print_candidates(const Codesign__JobDetail *detail,
                                     const cs_candidates *candidates, cs_format format,
                                     FILE *stream, size_t width, cs_error *err)
{
    row_order order = {.count = candidates->count};
    return print_rows(detail, candidates, &order, format, stream, width, err);
}

/* ---- what to know about them ---- */

/* The first gene of the group after the one at `first`, all of one part; n_genes if there is none.
 */
static size_t next_group(const Codesign__Schema *schema, size_t first)
{
    size_t at = first + 1;
    while (at < schema->n_genes && same_group(schema->genes[first], schema->genes[at])) {
        at++;
    }
    return at < schema->n_genes && schema->genes[at]->network == schema->genes[first]->network
               ? at
               : schema->n_genes;
}

/* The name of a gene within its group: k of block0_k. */
static const char *short_name(const Codesign__Gene *gene)
{
    size_t length = prefix_length(gene->name);
    return gene->name[length] ? gene->name + length + 1 : gene->name;
}

/* Whether two groups hold genes of the same short names. */
static bool alike(const Codesign__Schema *schema, size_t a, size_t b)
{
    size_t first_a = a, first_b = b;
    for (;; a++, b++) {
        bool in_a = a < schema->n_genes && same_group(schema->genes[first_a], schema->genes[a]);
        bool in_b = b < schema->n_genes && same_group(schema->genes[first_b], schema->genes[b]);
        if (!in_a || !in_b) {
            return in_a == in_b;
        }
        if (strcmp(short_name(schema->genes[a]), short_name(schema->genes[b])) != 0) {
            return false;
        }
    }
}

/* Where all groups of a part are alike, the short names and then the groups: "e-k of block0
 * block1". Else, and for groups of one, all names in full. */
static void put_compact_legend(const Codesign__Schema *schema, bool network, const char *heading,
                               FILE *stream)
{
    size_t first = 0;
    while (first < schema->n_genes && schema->genes[first]->network != network) {
        first++;
    }
    if (first == schema->n_genes) {
        return;
    }
    fprintf(stream, "%s: ", heading);
    size_t second = next_group(schema, first);
    bool uniform = second < schema->n_genes && second - first > 1;
    for (size_t g = second; g < schema->n_genes && uniform; g = next_group(schema, g)) {
        uniform = alike(schema, first, g);
    }
    if (!uniform) {
        char *names = compact_genes(schema, network, NULL);
        cs_text_put(stream, names ? names : "");
        free(names);
    } else {
        for (size_t g = first; g < second; g++) {
            fputs(g > first ? "-" : "", stream);
            cs_text_put(stream, short_name(schema->genes[g]));
        }
        fputs(" of", stream);
        for (size_t g = first; g < schema->n_genes; g = next_group(schema, g)) {
            fputc(' ', stream);
            char *name = strndup(schema->genes[g]->name, prefix_length(schema->genes[g]->name));
            cs_text_put(stream, name ? name : "");
            free(name);
        }
    }
    fputc('\n', stream);
}

void cs_design_print_legend(const Codesign__JobDetail *detail, FILE *stream)
{
    const Codesign__Schema *schema = detail->schema;
    for (size_t m = 0; m < schema->n_metrics; m++) {
        const Codesign__Metric *metric = schema->metrics[m];
        /* That a proxy is one is said even where the server's text does not. */
        bool unsaid =
            strncmp(metric->key, "proxy_", 6) == 0 && !strstr(metric->text, "short-schedule proxy");
        cs_text_put(stream, metric->key);
        fprintf(stream, ": %s", unsaid ? "a short-schedule proxy, not a trained accuracy; " : "");
        cs_text_put(stream, metric->text);
        if (*metric->unit) {
            fputs(" [", stream);
            cs_text_put(stream, metric->unit);
            fputc(']', stream);
        }
        fputc('\n', stream);
    }
    put_compact_legend(schema, true, "network", stream);
    put_compact_legend(schema, false, "accelerator", stream);
}

void cs_design_print_caveats(const Codesign__JobDetail *detail, FILE *stream)
{
    for (size_t i = 0; i < detail->n_recalled; i++) {
        fputs(i ? ", " : "rests on recalled constants: ", stream);
        cs_text_put(stream, detail->recalled[i]);
    }
    if (detail->n_recalled) {
        fputc('\n', stream);
    }
    if (detail->job->mixed) {
        fputs("mixed: results of more than one revision of the simulator\n", stream);
    }
}

/* What the client prints: spread rows, tables, CSV that reads back, JSON that is JSON, and nothing
 * that moves a terminal's cursor. */
#include "base/random.h"
#include "client/design.h"
#include "client/spread.h"
#include "client/table.h"
#include "client/text.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- spread ---- */

static double nearest_squared(const double *points, size_t d, size_t a, size_t b)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++) {
        double step = points[a * d + i] - points[b * d + i];
        sum += step * step;
    }
    return sum;
}

START_TEST(shown_rows_are_extremes_and_spread)
{
    enum { COUNT = 300, LIMIT = 20, DIMENSIONS = 3 };
    cs_random random;
    cs_random_init(&random, (uint64_t)_i, 0, CS_PURPOSE_SAMPLE, 0, 0);
    static double points[COUNT * DIMENSIONS];
    for (size_t i = 0; i < COUNT * DIMENSIONS; i++) {
        points[i] = cs_random_unit(&random);
    }
    /* Ranges 0 to 1, so that scaled distances are these. */
    for (size_t d = 0; d < DIMENSIONS; d++) {
        points[d * DIMENSIONS + d] = 0;
        points[(50 + d) * DIMENSIONS + d] = 1;
    }
    static size_t order[COUNT];
    size_t chosen[LIMIT], count = 0;
    cs_error err = {0};
    cs_spread_sort(points, COUNT, DIMENSIONS, order);
    for (size_t i = 1; i < COUNT; i++) {
        ck_assert_double_le(points[order[i - 1] * DIMENSIONS], points[order[i] * DIMENSIONS]);
    }
    ck_assert_int_eq(
        cs_spread_choose(points, order, COUNT, DIMENSIONS, LIMIT, chosen, &count, &err), CS_OK);
    ck_assert_uint_eq(count, LIMIT);
    double apart = INFINITY, farthest = 0;
    bool extreme[DIMENSIONS] = {false};
    for (size_t i = 0; i < count; i++) {
        ck_assert(i == 0 || chosen[i] > chosen[i - 1]);
        extreme[0] |= order[chosen[i]] == 0;
        extreme[1] |= order[chosen[i]] == 1;
        extreme[2] |= order[chosen[i]] == 2;
        for (size_t j = 0; j < i; j++) {
            /* Extremes were not chosen by distance. */
            if (order[chosen[i]] >= DIMENSIONS || order[chosen[j]] >= DIMENSIONS) {
                apart = fmin(
                    apart, nearest_squared(points, DIMENSIONS, order[chosen[i]], order[chosen[j]]));
            }
        }
    }
    ck_assert(extreme[0] && extreme[1] && extreme[2]);
    /* Farthest-point choice: no point that is left out is farther from the chosen ones than those
     * are from each other. */
    for (size_t p = 0; p < COUNT; p++) {
        double nearest = INFINITY;
        for (size_t i = 0; i < count; i++) {
            nearest = fmin(nearest, nearest_squared(points, DIMENSIONS, p, order[chosen[i]]));
        }
        farthest = fmax(farthest, nearest);
    }
    ck_assert_double_le(farthest, apart);
}
END_TEST

START_TEST(spread_of_odd_points)
{
    double points[] = {NAN, 1, 2, 2, 2, 2, INFINITY, 0, -1, 5};
    size_t order[5], chosen[5], count = 0;
    cs_error err = {0};
    cs_spread_sort(points, 5, 2, order);
    ck_assert_uint_eq(order[0], 4);
    ck_assert_uint_eq(order[1], 1); /* equals 2: the first row first */
    ck_assert_uint_eq(order[2], 2);
    ck_assert_int_eq(cs_spread_choose(points, order, 5, 2, 2, chosen, &count, &err), CS_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(order[chosen[0]], 4); /* best in the first objective ... */
    ck_assert_uint_eq(order[chosen[1]], 3); /* ... and in the second */
    ck_assert_int_eq(cs_spread_choose(points, order, 5, 2, 9, chosen, &count, &err), CS_OK);
    ck_assert_uint_eq(count, 5);
    ck_assert_int_eq(cs_spread_choose(points, order, 0, 2, 9, chosen, &count, &err), CS_OK);
    ck_assert_uint_eq(count, 0);
}
END_TEST

/* ---- text ---- */

typedef void put_function(FILE *stream, const char *text);

static char *text_of(put_function *put, const char *text)
{
    char *out = NULL;
    size_t size;
    FILE *stream = open_memstream(&out, &size);
    put(stream, text);
    fclose(stream);
    return out;
}

typedef struct text_case {
    const char *in, *plain, *csv, *json;
} text_case;

static const text_case text_cases[] = {
    {"plain", "plain", "plain", "\"plain\""},
    {"", "", "", "\"\""},
    {"a,b", "a,b", "\"a,b\"", "\"a,b\""},
    {"say \"x\"", "say \"x\"", "\"say \"\"x\"\"\"", "\"say \\\"x\\\"\""},
    {" lead", " lead", "\" lead\"", "\" lead\""},
    {"back\\slash", "back\\slash", "back\\slash", "\"back\\\\slash\""},
    {"\033[2J", "\\x1b[2J", "\\x1b[2J", "\"\\u001b[2J\""},
    {"two\nlines\r", "two\\x0alines\\x0d", "two\\x0alines\\x0d", "\"two\\u000alines\\u000d\""},
    {"\x7f", "\\x7f", "\\x7f", "\"\\u007f\""},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
    /* A C1 control that is CSI, and one that writes backwards. */
    {"\xc2\x9b"
     "31m",
     "\\u009b31m", "\\u009b31m", "\"\\u009b31m\""},
    {"\xe2\x80\xae"
     "txt",
     "\\u202etxt", "\\u202etxt", "\"\\u202etxt\""},
    /* No UTF-8: a stray byte, an overlong ESC, a cut sequence, a surrogate. */
    {"\x9b", "\\x9b", "\\x9b", "\"\\ufffd\""},
    {"\xc0\x9b", "\\xc0\\x9b", "\\xc0\\x9b", "\"\\ufffd\\ufffd\""},
    {"\xe2\x82", "\\xe2\\x82", "\\xe2\\x82", "\"\\ufffd\\ufffd\""},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80", "\"\\ufffd\\ufffd\\ufffd\""},
};

START_TEST(text_is_safe_and_quoted)
{
    const text_case *row = &text_cases[_i];
    char *plain = text_of(cs_text_put, row->in), *csv = text_of(cs_text_put_csv, row->in);
    char *json = text_of(cs_text_put_json, row->in);
    ck_assert_str_eq(plain, row->plain);
    ck_assert_str_eq(csv, row->csv);
    ck_assert_str_eq(json, row->json);
    free(plain);
    free(csv);
    free(json);
}
END_TEST

START_TEST(numbers_read_back)
{
    char text[CS_TEXT_NUMBER];
    ck_assert_str_eq(cs_text_number(0.1, text), "0.1");
    ck_assert_str_eq(cs_text_number(1.0 / 3, text), "0.3333333333333333");
    ck_assert_str_eq(cs_text_number(-5, text), "-5");
    ck_assert_str_eq(cs_text_number(1e300, text), "1e+300");
    ck_assert_str_eq(cs_text_number(NAN, text), "");
    ck_assert_str_eq(cs_text_number(-INFINITY, text), "");
    ck_assert_str_eq(cs_text_count(0, text), "0");
    ck_assert_str_eq(cs_text_count(999, text), "999");
    ck_assert_str_eq(cs_text_count(1234, text), "1,234");
    ck_assert_str_eq(cs_text_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
    cs_random random;
    cs_random_init(&random, 1, 0, CS_PURPOSE_SAMPLE, 0, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = cs_random_u64(&random);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            ck_assert_double_eq(strtod(cs_text_number(value, text), NULL), value);
        }
    }
}
END_TEST

/* ---- tables ---- */

static cs_table *example(void)
{
    cs_table *table = cs_table_new();
    cs_table_add_column(table, "name", "name", CS_COLUMN_BOTH);
    cs_table_add_column(table, "count", "count", CS_COLUMN_BOTH);
    cs_table_add_column(table, "real", "real", CS_COLUMN_BOTH);
    cs_table_add_column(table, "yes", "yes", CS_COLUMN_BOTH);
    cs_table_add_column(table, "decimal", "", CS_COLUMN_DATA);
    cs_table_add_column(table, "", "people", CS_COLUMN_PEOPLE);
    cs_table_add_column(table, "list", "list", CS_COLUMN_BOTH);
    cs_table_add_row(table);
    cs_table_put_text(table, "a, \"b\"\033[1m");
    cs_table_put_count(table, UINT64_C(9007199254740993));
    cs_table_put_real(table, 0.1);
    cs_table_put_bool(table, true);
    cs_table_put_decimal(table, "0.25");
    cs_table_put_text(table, "shown");
    cs_table *list = cs_table_new();
    cs_table_add_column(list, "n", "n", CS_COLUMN_BOTH);
    cs_table_add_column(list, "why", "why", CS_COLUMN_BOTH);
    for (uint64_t i = 1; i <= 2; i++) {
        cs_table_add_row(list);
        cs_table_put_count(list, i);
        cs_table_put_text(list, i == 1 ? "over\n" : "under");
    }
    cs_table_put_list(table, list);
    return table;
}

static char *printed(const cs_table *table, cs_format format, bool record)
{
    char *out = NULL;
    size_t size;
    FILE *stream = open_memstream(&out, &size);
    cs_error err = {0};
    cs_status status = record ? cs_table_print_record(table, format, stream, &err)
                              : cs_table_print(table, format, stream, 0, &err);
    fclose(stream);
    ck_assert_msg(status == CS_OK, "%s", err.text);
    for (const char *p = out; *p; p++) {
        ck_assert_msg((unsigned char)*p >= 0x20 || *p == '\n', "control %d", *p);
    }
    return out;
}

START_TEST(csv_is_exact)
{
    cs_table *table = example();
    cs_table_add_row(table);
    cs_table_put_nothing(table);
    cs_table_put_count(table, 1);
    cs_table_put_real(table, NAN);
    char *csv = printed(table, CS_FORMAT_CSV, false);
    ck_assert_str_eq(csv, "name,count,real,yes,decimal,list\n"
                          "\"a, \"\"b\"\"\\x1b[1m\",9007199254740993,0.1,true,0.25,"
                          "1 over\\x0a; 2 under\n"
                          ",1,,,,\n");
    free(csv);
    cs_table_free(table);
}
END_TEST

START_TEST(json_is_json)
{
    for (int record = 0; record < 2; record++) {
        cs_table *table = example();
        char *json = printed(table, CS_FORMAT_JSON, record == 1);
        json_error_t why;
        json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &why);
        ck_assert_msg(root != NULL, "%s in %s", why.text, json);
        json_t *row = record ? root : json_array_get(root, 0);
        ck_assert_uint_eq(json_object_size(row), 6);
        ck_assert_str_eq(json_string_value(json_object_get(row, "name")), "a, \"b\"\033[1m");
        ck_assert_int_eq(json_integer_value(json_object_get(row, "count")), 9007199254740993);
        ck_assert_double_eq(json_real_value(json_object_get(row, "real")), 0.1);
        ck_assert(json_is_true(json_object_get(row, "yes")));
        ck_assert_double_eq(json_real_value(json_object_get(row, "decimal")), 0.25);
        json_t *list = json_object_get(row, "list");
        ck_assert_uint_eq(json_array_size(list), 2);
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "why")),
                         "over\n");
        json_decref(root);
        free(json);
        cs_table_free(table);
    }
    cs_table *empty = cs_table_new();
    cs_table_add_column(empty, "x", "x", CS_COLUMN_BOTH);
    char *json = printed(empty, CS_FORMAT_JSON, false);
    ck_assert_str_eq(json, "[]\n");
    free(json);
    cs_table_free(empty);
}
END_TEST

START_TEST(decimals_are_json_numbers_or_text)
{
    static const struct {
        const char *text;
        bool number;
    } rows[] = {{"0", true},   {"-1.5e+3", true}, {"64", true},   {"007", false}, {"1.", false},
                {".5", false}, {"0x10", false},   {"inf", false}, {"", false},    {"1e", false},
                {"-", false},  {"3x3", false},    {"1 ", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cs_table *table = cs_table_new();
        cs_table_add_column(table, "v", "v", CS_COLUMN_BOTH);
        cs_table_add_row(table);
        cs_table_put_decimal(table, rows[i].text);
        char *json = printed(table, CS_FORMAT_JSON, true);
        json_t *root = json_loads(json, 0, NULL);
        ck_assert_msg(root != NULL, "%s", json);
        ck_assert_msg(json_is_number(json_object_get(root, "v")) == rows[i].number, "%s",
                      rows[i].text);
        json_decref(root);
        free(json);
        cs_table_free(table);
    }
}
END_TEST

START_TEST(people_read_columns_and_records)
{
    cs_table *table = example();
    char *text = printed(table, CS_FORMAT_TABLE, true);
    ck_assert_ptr_nonnull(strstr(text, "people shown"));
    ck_assert_ptr_nonnull(strstr(text, "list   1  over\\x0a\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n       2  under\n"));
    ck_assert_ptr_null(strstr(text, "decimal"));
    free(text);
    cs_table_free(table);

    table = cs_table_new();
    cs_table_add_column(table, "ms", "ms", CS_COLUMN_BOTH);
    for (int i = 0; i < 3; i++) {
        cs_table_add_row(table);
        cs_table_put_real(table, i == 2 ? NAN : 12.34567 * (i * 10 + 1));
    }
    text = printed(table, CS_FORMAT_TABLE, false);
    ck_assert_str_eq(text, "    ms\n 12.35\n135.80\n     -\n");
    free(text);
    cs_table_free(table);
}
END_TEST

static char *printed_narrow(const cs_table *table, size_t width)
{
    char *out = NULL;
    size_t size;
    FILE *stream = open_memstream(&out, &size);
    cs_error err = {0};
    ck_assert_int_eq(cs_table_print(table, CS_FORMAT_TABLE, stream, width, &err), CS_OK);
    fclose(stream);
    return out;
}

START_TEST(a_narrow_terminal_changes_no_value)
{
    cs_table *table = cs_table_new();
    cs_table_add_column(table, "name", "name", CS_COLUMN_BOTH | CS_COLUMN_CUT);
    cs_table_add_column(table, "ms", "ms", CS_COLUMN_BOTH);
    cs_table_add_column(table, "genes", "genes", CS_COLUMN_BOTH | CS_COLUMN_WORDS);
    cs_table_add_column(table, "owner", "owner", CS_COLUMN_BOTH | CS_COLUMN_SPARE);
    cs_table_add_row(table);
    cs_table_put_text(table, "long-winded");
    cs_table_put_count(table, 1234);
    cs_table_put_text(table, "8 8 128 4 0.5 64 25");
    cs_table_put_text(table, "somebody");
    static const struct {
        size_t width;
        const char *row;
    } cases[] = {
        {0, "long-winded 1234 8 8 128 4 0.5 64 25 somebody\n"},
        {45, "long-winded 1234 8 8 128 4 0.5 64 25 somebody\n"},
        {44, "long-winded 1234 8 8 128 4 0.5 ... somebody\n"},
        {38, "long-winded 1234 8 8 128 ... somebody\n"},
        {20, "long... 1234 8 8 ...\n"}, /* the owner needs too much */
        {12, "... 1234 ...\n"},
        {3, "... 1234 ...\n"}, /* no less can be said */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = printed_narrow(table, cases[i].width);
        const char *row = strchr(text, '\n') + 1;
        ck_assert_msg(strcmp(row, cases[i].row) == 0, "%zu columns: '%s'", cases[i].width, row);
        free(text);
    }
    cs_table_free(table);
}
END_TEST

/* ---- designs ---- */

#define GENES   6
#define METRICS 3

typedef struct example_job {
    Codesign__Gene genes[GENES];
    Codesign__Gene *gene_list[GENES];
    Codesign__Metric metrics[METRICS];
    Codesign__Metric *metric_list[METRICS];
    Codesign__Schema schema;
    Codesign__Job job;
    Codesign__JobDetail detail;
    char *recalled[1];
    cs_candidates front;
} example_job;

static char *gene_names[GENES] = {(char *)"block0_k", (char *)"block0_e", (char *)"block1_k",
                                  (char *)"block1_e", (char *)"pes_x",    (char *)"simd"};
static char *choices[4] = {(char *)"1", (char *)"0.5", (char *)"3x3", (char *)"16"};
static char *metric_keys[METRICS] = {(char *)"proxy_top1", (char *)"latency_ms",
                                     (char *)"area_ratio"};

/* A trade-off of accuracy and latency with `count` points, one of them of an infeasible kind. */
static void make_job(example_job *example, size_t count)
{
    *example = (example_job){0};
    example->schema = (Codesign__Schema)CODESIGN__SCHEMA__INIT;
    for (size_t g = 0; g < GENES; g++) {
        example->genes[g] = (Codesign__Gene)CODESIGN__GENE__INIT;
        example->genes[g].name = gene_names[g];
        example->genes[g].network = g < 4;
        example->genes[g].n_choices = 4;
        example->genes[g].choices = choices;
        example->gene_list[g] = &example->genes[g];
    }
    for (size_t m = 0; m < METRICS; m++) {
        example->metrics[m] = (Codesign__Metric)CODESIGN__METRIC__INIT;
        example->metrics[m].key = metric_keys[m];
        example->metrics[m].unit = (char *)(m == 0 ? "%" : "");
        example->metrics[m].text = (char *)"as the server says";
        example->metrics[m].maximize = m == 0;
        example->metrics[m].objective = m < 2;
        example->metric_list[m] = &example->metrics[m];
    }
    example->schema.genome_bytes = GENES;
    example->schema.n_genes = GENES;
    example->schema.genes = example->gene_list;
    example->schema.n_metrics = METRICS;
    example->schema.metrics = example->metric_list;
    example->job = (Codesign__Job)CODESIGN__JOB__INIT;
    example->job.job = 12;
    example->detail = (Codesign__JobDetail)CODESIGN__JOB_DETAIL__INIT;
    example->detail.job = &example->job;
    example->detail.schema = &example->schema;
    example->recalled[0] = (char *)"edge-22nm";
    example->detail.n_recalled = 1;
    example->detail.recalled = example->recalled;

    cs_candidates_init(&example->front, GENES, METRICS);
    cs_error err = {0};
    for (size_t i = 0; i < count; i++) {
        uint64_t index = 100 + i;
        double row[METRICS] = {50 + 0.1 * (double)i, 1 + (double)(i * i) / 100, 0.5};
        uint8_t genome[GENES] = {0, 1, 2, 3, 3, i == 0 ? 200 : 3};
        Codesign__Candidates message = CODESIGN__CANDIDATES__INIT;
        message.n_index = 1;
        message.index = &index;
        message.has_genomes = true;
        message.genomes = (ProtobufCBinaryData){GENES, genome};
        message.n_metrics = METRICS;
        message.metrics = row;
        ck_assert_int_eq(cs_candidates_add(&example->front, &message, &err), CS_OK);
    }
}

static char *front_text(example_job *example, size_t limit, cs_format format)
{
    char *out = NULL;
    size_t size;
    FILE *stream = open_memstream(&out, &size);
    cs_error err = {0};
    ck_assert_int_eq(
        cs_design_print_front(&example->detail, &example->front, limit, format, stream, 0, &err),
        CS_OK);
    fclose(stream);
    return out;
}

START_TEST(a_front_table_shows_spread_rows_with_their_ranks)
{
    example_job example;
    make_job(&example, 100);
    char *text = front_text(&example, CS_DESIGN_SHOWN, CS_FORMAT_TABLE);
    long rank, before = 0, first = 0;
    int rows = 0;
    char *line = strchr(text, '\n') + 1;
    ck_assert_ptr_nonnull(strstr(text, "proxy_top1"));
    for (; *line; line = strchr(line, '\n') + 1, rows++) {
        char *end;
        rank = strtol(line, &end, 10);
        ck_assert_int_gt(rank, before);
        first = first ? first : rank;
        before = rank;
        /* Rank 1 is the most accurate, the last candidate made. */
        long index = 0;
        ck_assert_int_eq(sscanf(end, " 12/%ld", &index), 1);
        ck_assert_int_eq(index, 200 - rank);
    }
    ck_assert_int_eq(rows, CS_DESIGN_SHOWN);
    ck_assert_int_eq(first, 1);    /* best accuracy */
    ck_assert_int_eq(before, 100); /* best latency */
    ck_assert_ptr_nonnull(strstr(text, "1-0.5 3x3-16"));
    ck_assert_ptr_nonnull(strstr(text, "16 16"));
    ck_assert_ptr_nonnull(strstr(text, "16 ?")); /* a choice that the gene does not have */
    free(text);
    text = front_text(&example, 0, CS_FORMAT_TABLE);
    size_t lines = 0;
    for (const char *p = text; *p; p++) {
        lines += *p == '\n';
    }
    ck_assert_uint_eq(lines, 101);
    free(text);
    cs_candidates_release(&example.front);
}
END_TEST

START_TEST(a_front_in_json_has_every_row_and_gene)
{
    example_job example;
    make_job(&example, 100);
    char *text = front_text(&example, CS_DESIGN_SHOWN, CS_FORMAT_JSON);
    json_error_t why;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    ck_assert_msg(root != NULL, "%s", why.text);
    ck_assert_uint_eq(json_array_size(root), 100);
    for (size_t i = 0; i < 100; i++) {
        json_t *row = json_array_get(root, i);
        ck_assert_int_eq(json_integer_value(json_object_get(row, "rank")), (json_int_t)i + 1);
        ck_assert_int_eq(json_integer_value(json_object_get(row, "index")), 199 - (json_int_t)i);
        ck_assert_double_eq(json_number_value(json_object_get(row, "proxy_top1")),
                            50 + 0.1 * (double)(99 - i));
        ck_assert(json_is_true(json_object_get(row, "recalled")));
        ck_assert(json_is_false(json_object_get(row, "mixed")));
        ck_assert_double_eq(json_number_value(json_object_get(row, "block0_e")), 0.5);
        ck_assert_str_eq(json_string_value(json_object_get(row, "block1_k")), "3x3");
    }
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(root, 3), "candidate")),
                     "12/196");
    json_decref(root);
    free(text);
    text = front_text(&example, CS_DESIGN_SHOWN, CS_FORMAT_CSV);
    ck_assert_ptr_eq(strstr(text, "rank,candidate,job,index,proxy_top1,latency_ms,area_ratio,"
                                  "block0_k,block0_e,block1_k,block1_e,pes_x,simd,recalled,mixed\n"
                                  "1,12/199,12,199,59.9,99.01,0.5,1,0.5,3x3,16,16,16,true,false\n"),
                     text);
    free(text);
    cs_candidates_release(&example.front);
}
END_TEST

START_TEST(the_legend_names_the_proxy_and_what_is_recalled)
{
    example_job example;
    make_job(&example, 1);
    char *out = NULL;
    size_t size;
    FILE *stream = open_memstream(&out, &size);
    cs_design_print_legend(&example.detail, stream);
    cs_design_print_caveats(&example.detail, stream);
    fclose(stream);
    ck_assert_ptr_nonnull(strstr(out, "proxy_top1: a short-schedule proxy"));
    ck_assert_ptr_nonnull(strstr(out, "network: k-e of block0 block1\n"));
    ck_assert_ptr_nonnull(strstr(out, "accelerator: pes_x simd\n"));
    ck_assert_ptr_nonnull(strstr(out, "rests on recalled constants: edge-22nm\n"));
    ck_assert_ptr_null(strstr(out, "mixed"));
    free(out);

    /* Groups that are not alike are named in full; a proxy that says so is not told twice. */
    example.genes[3].name = (char *)"block1_x";
    example.metrics[0].text = (char *)"short-schedule proxy of ImageNet top-1";
    stream = open_memstream(&out, &size);
    cs_design_print_legend(&example.detail, stream);
    fclose(stream);
    ck_assert_ptr_nonnull(strstr(out, "network: block0_k-block0_e block1_k-block1_x\n"));
    ck_assert_ptr_nonnull(strstr(out, "proxy_top1: short-schedule proxy of ImageNet top-1 [%]\n"));
    free(out);
    example.schema.genome_bytes = 5;
    cs_error err = {0};
    ck_assert_int_eq(cs_design_check(&example.detail, &err), CS_ECORRUPT);
    cs_candidates_release(&example.front);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output");
    TCase *tests = tcase_create("output");
    tcase_add_loop_test(tests, shown_rows_are_extremes_and_spread, 0, 20);
    tcase_add_test(tests, spread_of_odd_points);
    tcase_add_loop_test(tests, text_is_safe_and_quoted, 0, sizeof text_cases / sizeof *text_cases);
    tcase_add_test(tests, numbers_read_back);
    tcase_add_test(tests, csv_is_exact);
    tcase_add_test(tests, json_is_json);
    tcase_add_test(tests, decimals_are_json_numbers_or_text);
    tcase_add_test(tests, people_read_columns_and_records);
    tcase_add_test(tests, a_narrow_terminal_changes_no_value);
    tcase_add_test(tests, a_front_table_shows_spread_rows_with_their_ranks);
    tcase_add_test(tests, a_front_in_json_has_every_row_and_gene);
    tcase_add_test(tests, the_legend_names_the_proxy_and_what_is_recalled);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Accelerator files: peaks, the two namings, and refusals with file and line. */
#include "designs.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cs_error err;

/* From the stated clock, grid, cores and lanes: 26.2, 8.73 and 8.73 TOPS (arXiv 2102.10423). */
START_TEST(peaks_are_the_published_ones)
{
    static const struct {
        const char *name;
        double peak_tops;
    } rows[] = {{"edgetpu-v1", 26.2144},
                {"edgetpu-v2", 8.732672},
                {"edgetpu-v3", 8.732672},
                {"nahas-baseline", 26.2144},
                {"coral", 4.096}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cs_accelerator accelerator = design_accelerator(rows[i].name);
        ck_assert_double_eq_tol(cs_accelerator_peak_ops(&accelerator) / 1e12, rows[i].peak_tops,
                                1e-9);
    }
}
END_TEST

START_TEST(both_namings_describe_one_chip)
{
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    cs_accelerator nahas = design_accelerator("nahas-baseline");
    ck_assert_uint_eq(nahas.link_bytes_per_s, 20000000000);
    nahas.link_bytes_per_s = v1.link_bytes_per_s;
    for (uint32_t i = 0; i < cs_accelerator_field_count; i++) {
        const cs_accelerator_field *field = &cs_accelerator_fields[i];
        ck_assert_msg(cs_accelerator_get(&v1, field) == cs_accelerator_get(&nahas, field), "%s",
                      field->name);
    }
    ck_assert_uint_eq(v1.cores_per_pe, 4);
    ck_assert_uint_eq(v1.lanes_per_core, 64);
    ck_assert_uint_eq(v1.pe_memory_bytes, 2 << 20);
    ck_assert_uint_eq(v1.core_memory_bytes, 32 << 10);
}
END_TEST

START_TEST(a_name_of_the_other_naming_is_unknown)
{
    ck_assert_ptr_nonnull(cs_accelerator_find(CS_NAMING_NAHAS, "io_bandwidth_gbps"));
    for (uint32_t i = 0; i < cs_accelerator_field_count; i++) {
        const cs_accelerator_field *field = &cs_accelerator_fields[i];
        ck_assert_ptr_eq(cs_accelerator_find(CS_NAMING_EDGETPU, field->name), field);
        ck_assert_ptr_eq(cs_accelerator_find(CS_NAMING_NAHAS, field->nahas), field);
        if (strcmp(field->name, field->nahas) != 0) {
            ck_assert_ptr_null(cs_accelerator_find(CS_NAMING_EDGETPU, field->nahas));
            ck_assert_ptr_null(cs_accelerator_find(CS_NAMING_NAHAS, field->name));
        }
    }
}
END_TEST

START_TEST(values_have_units_and_ranges)
{
    uint64_t value = 5;
    const cs_accelerator_field *memory = cs_accelerator_find(CS_NAMING_NAHAS, "local_memory_MB");
    ck_assert_int_eq(cs_accelerator_field_value(memory, CS_NAMING_NAHAS, 0.5, &value, &err), CS_OK);
    ck_assert_uint_eq(value, 1 << 19);
    ck_assert_int_eq(cs_accelerator_field_value(memory, CS_NAMING_EDGETPU, 384, &value, &err),
                     CS_OK);
    ck_assert_uint_eq(value, 384 << 10);
    const cs_accelerator_field *link = cs_accelerator_find(CS_NAMING_EDGETPU, "link_gbps");
    ck_assert_int_eq(cs_accelerator_field_value(link, CS_NAMING_EDGETPU, 0.3, &value, &err), CS_OK);
    ck_assert_uint_eq(value, 300000000);

    value = 5;
    const cs_accelerator_field *pes = cs_accelerator_find(CS_NAMING_EDGETPU, "pes_x");
    static const double bad[] = {0, -1, 65, 1.5, 1e300, 0.0 / 1e-300 - 1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(cs_accelerator_field_value(pes, CS_NAMING_EDGETPU, bad[i], &value, &err),
                         CS_EINVAL);
        ck_assert_msg(strncmp(err.text, "pes_x must be", 13) == 0, "%s", err.text);
    }
    ck_assert_int_eq(cs_accelerator_field_value(memory, CS_NAMING_NAHAS, 0.3, &value, &err),
                     CS_EINVAL);
    ck_assert_uint_eq(value, 5);
}
END_TEST

/* Replace the first `from` in a copy of `text`. */
static void replace(const char *text, const char *from, const char *to, char *out, size_t size)
{
    const char *at = strstr(text, from);
    ck_assert_ptr_nonnull(at);
    snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static const char accelerator_text[] =
    "kind = \"accelerator\";\n"
    "naming = \"edgetpu\";\n"
    "source = \"a test\";\n"
    "values = (\n"
    "{ name = \"pes_x\"; value = 4; provenance = \"chosen\"; },\n"
    "{ name = \"pes_y\"; value = 4; provenance = \"chosen\"; },\n"
    "{ name = \"cores_per_pe\"; value = 4; provenance = \"chosen\"; },\n"
    "{ name = \"lanes_per_core\"; value = 64; provenance = \"chosen\"; },\n"
    "{ name = \"simd_ways\"; value = 4; provenance = \"chosen\"; },\n"
    "{ name = \"clock_mhz\"; value = 800; provenance = \"computed: so\"; },\n"
    "{ name = \"pe_memory_kib\"; value = 2048; provenance = \"published: x\"; },\n"
    "{ name = \"core_memory_kib\"; value = 32; provenance = \"chosen\"; },\n"
    "{ name = \"instruction_entries\"; value = 1024; provenance = \"chosen\"; },\n"
    "{ name = \"parameter_entries\"; value = 1024; provenance = \"chosen\"; },\n"
    "{ name = \"activation_entries\"; value = 1024; provenance = \"chosen\"; },\n"
    "{ name = \"link_gbps\"; value = 17; provenance = \"chosen\"; });\n";

static cs_status read_accelerator(const char *text, cs_accelerator *accelerator, bool *recalled)
{
    err = (cs_error){0};
    cs_conf *conf = cs_conf_parse(text, strlen(text), "a.conf", NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    cs_status status = cs_accelerator_read(cs_conf_root(conf), accelerator, recalled, &err);
    cs_conf_free(conf);
    return status;
}

START_TEST(only_recalled_values_mark_a_file)
{
    cs_accelerator accelerator;
    bool recalled = false;
    char text[4096];
    ck_assert_int_eq(read_accelerator(accelerator_text, &accelerator, &recalled), CS_OK);
    ck_assert(!recalled);
    replace(accelerator_text, "published: x", "recalled: x", text, sizeof text);
    ck_assert_int_eq(read_accelerator(text, &accelerator, &recalled), CS_OK);
    ck_assert(recalled);
    ck_assert_int_eq(read_accelerator(accelerator_text, &accelerator, &recalled), CS_OK);
    ck_assert(recalled);
}
END_TEST

typedef struct bad_row {
    const char *from, *to, *error;
} bad_row;

static const bad_row bad_files[] = {
    {"\"accelerator\"", "\"space\"", "a.conf:1: kind: must be \"accelerator\", not \"space\""},
    {"\"edgetpu\"", "\"coral\"", "a.conf:2: naming: must be \"edgetpu\" or \"nahas\""},
    {"naming = \"edgetpu\";", "", "naming"},
    {"source =", "sauce =", "a.conf:3: sauce: unknown key"},
    {"\"edgetpu\"", "\"nahas\"", "a.conf:5: values[0].name: unknown field 'pes_x'"},
    {"\"pes_y\"", "\"PEs_in_y_dimension\"",
     "a.conf:6: values[1].name: unknown field 'PEs_in_y_dimension'"},
    {"\"pes_y\"", "\"pes_x\"", "a.conf:6: values[1].name: 'pes_x' is given twice"},
    {"{ name = \"simd_ways\"; value = 4; provenance = \"chosen\"; },\n", "",
     "a.conf:4: values: the field 'simd_ways' is missing"},
    {"value = 800", "value = 0", "a.conf:10: values[5].value: must be a number from 1 to 5000"},
    {"value = 800", "value = 800.5",
     "a.conf:10: values[5].value: clock_mhz must be a whole number"},
    {"value = 800", "value = \"fast\"", "a.conf:10: values[5].value: must be a number"},
    {"computed: so", "guessed: so", "a.conf:10: values[5].provenance: must begin with published"},
    {"provenance = \"computed: so\";", "", "a.conf:10: values[5]: 'clock_mhz' needs a value and"},
    {"value = 17;", "value = 17; unit = 1;", "a.conf:16: values[11].unit: unknown key"},
};

START_TEST(bad_files_are_refused_with_the_line)
{
    const bad_row *row = &bad_files[_i];
    char text[4096];
    cs_accelerator accelerator;
    memset(&accelerator, 7, sizeof accelerator);
    cs_accelerator before = accelerator;
    bool recalled = false;
    replace(accelerator_text, row->from, row->to, text, sizeof text);
    ck_assert_int_eq(read_accelerator(text, &accelerator, &recalled), CS_EINVAL);
    ck_assert_msg(strstr(err.text, row->error) != NULL, "%s", err.text);
    ck_assert_mem_eq(&accelerator, &before, sizeof before);
    ck_assert(!recalled);
}
END_TEST

START_TEST(activations_may_have_a_memory_of_their_own)
{
    cs_accelerator coral = design_accelerator("coral");
    ck_assert_uint_eq(coral.narrow_memory_bytes, 192 << 10);
    ck_assert_uint_eq(coral.pe_memory_bytes, 512 << 10);
    ck_assert_uint_eq(cs_activation_memory_bytes(&coral), 192 << 10);
    ck_assert_double_eq(coral.host.in_bytes_per_s, 0);
    cs_accelerator v1 = design_accelerator("edgetpu-v1");
    ck_assert_uint_eq(v1.narrow_memory_bytes, 0);
    ck_assert_uint_eq(cs_activation_memory_bytes(&v1), v1.pe_memory_bytes);

    /* A byte costs the same area in either. */
    cs_technology technology = design_technology();
    cs_accelerator other = coral;
    other.pe_memory_bytes += other.narrow_memory_bytes;
    other.narrow_memory_bytes = 0;
    ck_assert_double_eq(cs_area_mm2(&coral, &technology), cs_area_mm2(&other, &technology));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accelerator");
    TCase *c = tcase_create("accelerator");
    tcase_add_test(c, peaks_are_the_published_ones);
    tcase_add_test(c, both_namings_describe_one_chip);
    tcase_add_test(c, a_name_of_the_other_naming_is_unknown);
    tcase_add_test(c, values_have_units_and_ranges);
    tcase_add_test(c, only_recalled_values_mark_a_file);
    tcase_add_loop_test(c, bad_files_are_refused_with_the_line, 0,
                        sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(c, activations_may_have_a_memory_of_their_own);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

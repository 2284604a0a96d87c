/* Accelerator and technology files: peaks, the two namings, refusals with file and line, and that
 * no parameter is free to enlarge. */
#include "designs.h"

#include "sim/simulator/simulator.h"

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

#define ONE(name) "{ name = \"" name "\"; value = 1; provenance = \"chosen\"; },"

/* mac_j has the given value: nothing costs nothing, and 0.04 would be picojoules. The values around
 * it are in range. */
#define ALL_BUT_MAC(mac)                                                                           \
    ONE("node_nm")                                                                                 \
    ONE("clock_nominal_mhz")                                                                       \
    ONE("voltage_nominal_v")                                                                       \
    ONE("voltage_v_ghz")                                                                           \
    ONE("voltage_min_v")                                                                           \
    "{ name = \"mac_j\"; value = " mac                                                             \
    "; provenance = \"chosen\"; }," ONE("core_memory_read_j_byte") ONE("core_memory_write_j_byte") \
        ONE("pe_memory_read_j_byte") ONE("pe_memory_write_j_byte") ONE("dram_read_j_byte")         \
            ONE("dram_write_j_byte") ONE("mac_area_mm2") ONE("sram_area_mm2_byte")                 \
                ONE("pe_area_mm2") ONE("link_area_mm2_gbps") ONE("base_area_mm2")                  \
                    ONE("logic_leakage_w_mm2")                                                     \
                        ONE("sram_leakage_w_mm2") "{ name = \"link_power_w_gbps\"; value = 1; "    \
                                                  "provenance = \"chosen\"; }"

START_TEST(a_technology_must_be_whole_and_free_of_zeros)
{
    cs_technology technology = {0};
    bool recalled = false;
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"kind = \"technology\";\nvalues = ();",
         "t.conf:2: values: the field 'node_nm' is missing"},
        {"kind = \"technology\";\nvalues = ({ name = \"mac\"; value = 1; provenance = "
         "\"chosen\"; });",
         "t.conf:2: values[0].name: unknown field 'mac'"},
        {"kind = \"accelerator\";\nvalues = ();", "t.conf:1: kind: must be \"technology\""},
        {"kind = \"technology\";", "values: is missing"},
        {"kind = \"technology\";\nvalues = (" ALL_BUT_MAC("0.0") ");",
         "t.conf:2: values[5].value: must be a number"},
        {"kind = \"technology\";\nvalues = (" ALL_BUT_MAC("0.04") ");",
         "t.conf:2: values[5].value: must be a number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cs_conf *conf = cs_conf_parse(rows[i].text, strlen(rows[i].text), "t.conf", NULL, 0, &err);
        ck_assert_msg(conf != NULL, "%s", err.text);
        ck_assert_int_eq(cs_technology_read(cs_conf_root(conf), &technology, &recalled, &err),
                         CS_EINVAL);
        ck_assert_msg(strstr(err.text, rows[i].error) != NULL, "%s", err.text);
        cs_conf_free(conf);
    }
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

/* Area, or energy of a fixed network, must rise with every parameter; the message names those for
 * which neither does. */
START_TEST(no_parameter_is_free_to_enlarge)
{
    cs_technology technology = design_technology();
    cs_accelerator base = design_accelerator("nahas-baseline");
    base.narrow_memory_bytes = 1 << 20; /* a chip without it would not be a larger one with more */
    cs_network network = {0};
    cs_schedule schedule = {0};
    cs_cost cost;
    design_mobilenet_v2(&network);
    ck_assert_int_eq(cs_compile(&network, &base, NULL, &schedule, &err), CS_OK);
    cs_simulator_analytic.simulate(&network, &base, &technology, &schedule, &cost, NULL);
    char names[512] = "";
    for (uint32_t i = 0; i < cs_accelerator_field_count; i++) {
        const cs_accelerator_field *field = &cs_accelerator_fields[i];
        uint64_t value = cs_accelerator_get(&base, field);
        cs_accelerator larger = base;
        cs_cost larger_cost;
        cs_accelerator_set(&larger, field, value + (value + 3) / 4);
        ck_assert_int_eq(cs_compile(&network, &larger, NULL, &schedule, &err), CS_OK);
        ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
        cs_simulator_analytic.simulate(&network, &larger, &technology, &schedule, &larger_cost,
                                       NULL);
        bool area = cs_area_mm2(&larger, &technology) > cs_area_mm2(&base, &technology) * 1.0001;
        bool energy = larger_cost.energy_j > cost.energy_j * 1.0001;
        bool power = cs_idle_power_w(&larger, &technology) > cs_idle_power_w(&base, &technology);
        if (!power || !(area || energy)) {
            size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, " %s", field->name);
        }
    }
    ck_assert_msg(names[0] == '\0', "free to enlarge:%s", names);
    cs_schedule_release(&schedule);
    cs_network_release(&network);
}
END_TEST

START_TEST(the_supply_follows_the_clock)
{
    cs_technology technology = design_technology();
    ck_assert_double_eq(cs_technology_voltage(&technology, 800), technology.voltage_nominal_v);
    ck_assert_double_gt(cs_technology_voltage(&technology, 1066), technology.voltage_nominal_v);
    ck_assert_double_lt(cs_technology_voltage(&technology, 500), technology.voltage_nominal_v);
    technology.voltage_min_v = 0.75;
    ck_assert_double_eq(cs_technology_voltage(&technology, 1), 0.75);
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
    tcase_add_test(c, a_technology_must_be_whole_and_free_of_zeros);
    tcase_add_test(c, activations_may_have_a_memory_of_their_own);
    tcase_add_test(c, no_parameter_is_free_to_enlarge);
    tcase_add_test(c, the_supply_follows_the_clock);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

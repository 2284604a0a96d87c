/* Host files: one chip on four hosts, units, mistakes. */
#include "designs.h"

#include "sim/accelerator/host.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static cs_error err;

START_TEST(one_chip_on_four_hosts)
{
    static const struct {
        const char *name;
        double in_ms_mib, out_ms_mib, call_ms;
    } rows[] = {
        {"coral-usb", 2.26, 11.52, 0.279},
        {"coral-usb-ladder", 2.71, 11.52, 0.1},
        {"coral-usb-tinycoral", 3.18, 19.07, 0.17},
        {"coral-pcie", 2.619, 2.619, 0.272},
    };
    cs_accelerator chip = design_accelerator("coral");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cs_accelerator hosted = design_hosted(rows[i].name);
        double mib = 1048576.0 * 1e3;
        ck_assert_double_eq_tol(mib / hosted.host.in_bytes_per_s, rows[i].in_ms_mib, 0.003);
        ck_assert_double_eq_tol(mib / hosted.host.out_bytes_per_s, rows[i].out_ms_mib, 0.01);
        ck_assert_double_eq_tol(hosted.host.call_s * 1e3, rows[i].call_ms, 1e-12);
        for (uint32_t f = 0; f < cs_accelerator_field_count; f++) {
            const cs_accelerator_field *field = &cs_accelerator_fields[f];
            ck_assert_uint_eq(cs_accelerator_get(&hosted, field), cs_accelerator_get(&chip, field));
        }
    }
}
END_TEST

#define VALUES                                                                                     \
    "values = (\n"                                                                                 \
    "{ name = \"in_mib_s\"; value = 100; provenance = \"chosen\"; },\n"                            \
    "{ name = \"out_mib_s\"; value = 50; provenance = \"recalled: it\"; }"

static cs_status read_host(const char *text, cs_host *host, char *chip, bool *recalled)
{
    err = (cs_error){0};
    cs_conf *conf = cs_conf_parse(text, strlen(text), "h.conf", NULL, 0, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    cs_status status = cs_host_read(cs_conf_root(conf), host, chip, recalled, &err);
    cs_conf_free(conf);
    return status;
}

START_TEST(values_have_units_and_a_chip)
{
    cs_host host;
    char chip[CS_HOST_MAX_CHIP];
    bool recalled = false;
    ck_assert_int_eq(read_host("kind = \"host\"; accelerator = \"coral\";\n" VALUES
                               ",\n{ name = \"call_ms\"; value = 0.5; provenance = \"chosen\"; });",
                               &host, chip, &recalled),
                     CS_OK);
    ck_assert_double_eq(host.in_bytes_per_s, 104857600.0);
    ck_assert_double_eq(host.out_bytes_per_s, 52428800.0);
    ck_assert_double_eq(host.call_s, 0.5e-3);
    ck_assert_double_eq(host.stream_start_s, 0);
    ck_assert_str_eq(chip, "coral");
    ck_assert(recalled);
}
END_TEST

START_TEST(the_start_of_a_stream_may_be_told)
{
    cs_host host;
    char chip[CS_HOST_MAX_CHIP];
    bool recalled = false;
    ck_assert_int_eq(
        read_host("kind = \"host\"; accelerator = \"coral\";\n" VALUES
                  ",\n{ name = \"stream_start_ms\"; value = 0.25; provenance = \"chosen\"; }"
                  ",\n{ name = \"call_ms\"; value = 0.5; provenance = \"chosen\"; });",
                  &host, chip, &recalled),
        CS_OK);
    ck_assert_double_eq(host.call_s, 0.5e-3);
    ck_assert_double_eq(host.stream_start_s, 0.25e-3);
}
END_TEST

/* What is set is what is got, to the last bit that the unit leaves. */
START_TEST(fields_are_found_set_and_got)
{
    cs_host host = {0};
    ck_assert_ptr_null(cs_host_find("call_s"));
    for (uint32_t i = 0; i < cs_host_field_count; i++) {
        const cs_host_field *field = &cs_host_fields[i];
        ck_assert_ptr_eq(cs_host_find(field->name), field);
        ck_assert_int_eq(cs_host_set(&host, field, 3.7 + i, &err), CS_OK);
        ck_assert_double_eq_tol(cs_host_get(&host, field), 3.7 + i, 1e-14);
        ck_assert_int_eq(cs_host_set(&host, field, field->max * 1.001, &err), CS_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, field->name));
    }
    ck_assert_double_eq_tol(host.in_bytes_per_s, 3.7 * 1048576, 1e-6);
    ck_assert_double_eq_tol(host.stream_start_s, 6.7e-3, 1e-12);
}
END_TEST

static const struct {
    const char *text, *error;
} bad_files[] = {
    {"kind = \"accelerator\"; accelerator = \"coral\";\n" VALUES ");", "h.conf:1: kind"},
    {"kind = \"host\";\n" VALUES ");", "accelerator"},
    {"kind = \"host\"; accelerator = \"\";\n" VALUES ");", "h.conf:1: accelerator"},
    {"kind = \"host\"; accelerator = \"coral\";\n"
     "values = ({ name = \"in_mib_s\"; value = 1; provenance = \"chosen\"; });",
     "the field 'out_mib_s' is missing"},
    {"kind = \"host\"; accelerator = \"coral\";\n" VALUES
     ",\n{ name = \"call_ms\"; value = -1; provenance = \"chosen\"; });",
     "h.conf:5"},
    {"kind = \"host\"; accelerator = \"coral\";\nvalues = (\n"
     "{ name = \"in_mib_s\"; value = 0; provenance = \"chosen\"; },\n"
     "{ name = \"out_mib_s\"; value = 1; provenance = \"chosen\"; },\n"
     "{ name = \"call_ms\"; value = 1; provenance = \"chosen\"; });",
     "h.conf:3"},
    {"kind = \"host\"; accelerator = \"coral\";\n" VALUES
     ",\n{ name = \"call_ms\"; value = 1; provenance = \"fitted\"; });",
     "h.conf:5"},
    {"kind = \"host\"; accelerator = \"coral\";\n" VALUES
     ",\n{ name = \"call_ms\"; value = 1; provenance = \"chosen\"; },\n"
     "{ name = \"stream_start_ms\"; value = -1; provenance = \"chosen\"; });",
     "h.conf:6"},
};

START_TEST(bad_files_are_refused_with_the_line)
{
    cs_host host = {.call_s = 7};
    char chip[CS_HOST_MAX_CHIP] = "as it was";
    bool recalled = false;
    ck_assert_int_eq(read_host(bad_files[_i].text, &host, chip, &recalled), CS_EINVAL);
    ck_assert_msg(strstr(err.text, bad_files[_i].error) != NULL, "%s", err.text);
    ck_assert_double_eq(host.call_s, 7);
    ck_assert_str_eq(chip, "as it was");
    ck_assert(!recalled);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host");
    TCase *c = tcase_create("host");
    tcase_add_test(c, one_chip_on_four_hosts);
    tcase_add_test(c, values_have_units_and_a_chip);
    tcase_add_test(c, the_start_of_a_stream_may_be_told);
    tcase_add_test(c, fields_are_found_set_and_got);
    tcase_add_loop_test(c, bad_files_are_refused_with_the_line, 0,
                        sizeof bad_files / sizeof bad_files[0]);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

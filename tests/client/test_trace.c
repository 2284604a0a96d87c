/* Traces are JSON that Perfetto reads, and hold all that the simulator tells. */
#include "client/trace.h"

#include "sim/simulator/event.h"
#include "tests/sim/designs.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static cs_network network;
static cs_accelerator accelerator;
static cs_schedule schedule;
static cs_error err;

static void compile(const char *name)
{
    cs_compile_options options = {.policy = CS_POLICY_VENDOR};
    design_zoo(name, &network);
    accelerator = design_hosted("coral-usb");
    ck_assert_int_eq(cs_compile(&network, &accelerator, &options, &schedule, &err), CS_OK);
    ck_assert_int_eq(schedule.reason, CS_REASON_NONE);
}

static void teardown(void)
{
    cs_network_release(&network);
    cs_schedule_release(&schedule);
}

/* What is read back of a trace written to a folder of its own. */
static json_t *write_and_load(void)
{
    char folder[] = "test_trace.XXXXXX", path[64];
    json_error_t why;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/trace.json", folder);
    ck_assert_msg(cs_trace_write(path, &network, &accelerator, &schedule, &err) == CS_OK, "%s",
                  err.text);
    json_t *root = json_load_file(path, 0, &why);
    ck_assert_msg(root != NULL, "line %d: %s", why.line, why.text);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
    return root;
}

static double number(const json_t *event, const char *key)
{
    json_t *value = json_object_get(event, key);
    ck_assert(json_is_number(value));
    return json_number_value(value);
}

static const char *text(const json_t *event, const char *key)
{
    const char *value = json_string_value(json_object_get(event, key));
    ck_assert_ptr_nonnull(value);
    return value;
}

START_TEST(tracks_have_names_and_hold_every_resource)
{
    compile("resnet50-299");
    json_t *root = write_and_load(), *event;
    const char *tracks[CS_RESOURCE_COUNT + 1] = {NULL};
    double busy_us[CS_RESOURCE_COUNT + 1] = {0}, ends_us[CS_RESOURCE_COUNT + 1] = {0};
    size_t i, counts[CS_RESOURCE_COUNT + 1] = {0};
    json_array_foreach(json_object_get(root, "traceEvents"), i, event)
    {
        size_t track = (size_t)number(event, "tid");
        ck_assert_uint_le(track, CS_RESOURCE_COUNT);
        ck_assert(number(event, "pid") == 1);
        if (strcmp(text(event, "ph"), "M") == 0) {
            if (strcmp(text(event, "name"), "thread_name") == 0) {
                tracks[track] = text(json_object_get(event, "args"), "name");
            }
            continue;
        }
        ck_assert_str_eq(text(event, "ph"), "X");
        double start = number(event, "ts"), lasts = number(event, "dur");
        ck_assert_double_ge(start, ends_us[track] - 1e-6);
        counts[track]++;
        ends_us[track] = start + lasts;
        busy_us[track] += lasts;
        ck_assert(number(json_object_get(event, "args"), "layer") < network.layer_count);
    }
    cs_technology technology = design_technology();
    cs_cost total;
    cs_simulator_event.simulate(&network, &accelerator, &technology, &schedule, &total, NULL);
    ck_assert_str_eq(tracks[0], "layers");
    ck_assert_double_eq_tol(busy_us[0], total.latency_s * 1e6, 0.01);
    for (size_t r = 0; r < CS_RESOURCE_COUNT; r++) {
        ck_assert_str_eq(tracks[1 + r], cs_resource_name((cs_resource)r));
        /* Slices are of whole nanoseconds. */
        ck_assert_double_eq_tol(busy_us[1 + r], total.busy_s[r] * 1e6,
                                1e-3 * (double)counts[1 + r]);
    }
    json_decref(root);
}
END_TEST

START_TEST(names_may_be_any_bytes)
{
    compile("mobilenet-v2");
    const char *kept = cs_layer_name(&network, &network.layers[1]);
    char *name = (char *)kept;
    ck_assert_uint_ge(strlen(kept), 2);
    memcpy(name, "\"\\", 2);
    json_decref(write_and_load());
    name[0] = (char)0xff; /* not UTF-8 */
    json_decref(write_and_load());
}
END_TEST

START_TEST(a_trace_that_cannot_be_written_names_its_file)
{
    compile("mobilenet-v2");
    err = (cs_error){0};
    ck_assert_int_ne(cs_trace_write("no/such/folder.json", &network, &accelerator, &schedule, &err),
                     CS_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "no/such/folder.json"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *c = tcase_create("trace");
    tcase_add_checked_fixture(c, NULL, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, tracks_have_names_and_hold_every_resource);
    tcase_add_test(c, names_may_be_any_bytes);
    tcase_add_test(c, a_trace_that_cannot_be_written_names_its_file);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

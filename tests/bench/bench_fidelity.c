/* How far the closed form (`analytic`) is from the simulation of every instruction (`event`), and
 * what a run of each costs.
 *
 *     ./dev bench fidelity [SEEDS]
 *
 * The sample: so many random networks on random accelerators (tests/sim/designs.h, 2000 if not
 * given), and every network of configs/networks on every accelerator and host of configs/, each
 * compiled by both policies. docs/simulators.md shows what is printed. */
#include "tests/bench/bench.h"
#include "tests/sim/designs.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMES 128
#define MAX_NAME  64

typedef struct names {
    char name[MAX_NAMES][MAX_NAME];
    size_t count;
} names;

/* analytic over event of every design of a sample. */
typedef struct sample {
    double *ratios; /* owned */
    size_t count, capacity, infeasible;
    char least[160], most[160]; /* the designs of the extremes */
    double least_ratio, most_ratio;
} sample;

static cs_technology technology;
static cs_schedule schedule;
static cs_error error;

/* ---- inputs ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void list_names(const char *folder, names *list)
{
    char path[512];
    snprintf(path, sizeof path, "%s/configs/%s", CODESIGN_SOURCE_DIR, folder);
    DIR *directory = opendir(path);
    if (!directory) {
        perror(path);
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ".conf") == 0 && list->count < MAX_NAMES) {
            snprintf(list->name[list->count++], MAX_NAME, "%.*s", (int)(dot - entry->d_name),
                     entry->d_name);
        }
    }
    closedir(directory);
    qsort(list->name, list->count, MAX_NAME, by_name);
}

/* ---- comparing ---- */

static double latency(const cs_simulator *simulator, const cs_network *network,
                      const cs_accelerator *accelerator)
{
    cs_cost total;
    simulator->simulate(network, accelerator, &technology, &schedule, &total, NULL);
    return total.latency_s;
}

static void add(sample *s, const char *what, const cs_network *network,
                const cs_accelerator *accelerator, cs_policy policy)
{
    cs_compile_options options = {.policy = policy};
    bench_check(cs_compile(network, accelerator, &options, &schedule, &error), &error);
    if (schedule.reason) {
        s->infeasible++;
        return;
    }
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 1024;
        s->ratios = bench_must(realloc(s->ratios, s->capacity * sizeof *s->ratios), &error);
    }
    double ratio = latency(&cs_simulator_analytic, network, accelerator) /
                   latency(&cs_simulator_event, network, accelerator);
    s->ratios[s->count] = ratio;
    if (s->count == 0 || ratio < s->least_ratio) {
        s->least_ratio = ratio;
        snprintf(s->least, sizeof s->least, "%s, %s", what, cs_policy_name(policy));
    }
    if (s->count == 0 || ratio > s->most_ratio) {
        s->most_ratio = ratio;
        snprintf(s->most, sizeof s->most, "%s, %s", what, cs_policy_name(policy));
    }
    s->count++;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_sample(const char *title, sample *s)
{
    if (s->count == 0) {
        printf("%s: no feasible design of %zu\n", title, s->infeasible);
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        s->ratios[i] = fmax(s->ratios[i], 1 / s->ratios[i]) - 1;
    }
    qsort(s->ratios, s->count, sizeof *s->ratios, by_value);
    printf("%-28s %6zu feasible, %zu not; apart: median %.2f %%, p95 %.2f %%, worst %.2f %%\n",
           title, s->count, s->infeasible, 100 * s->ratios[s->count / 2],
           100 * s->ratios[s->count * 95 / 100], 100 * s->ratios[s->count - 1]);
    printf("    analytic / event from %.3f (%s) to %.3f (%s)\n", s->least_ratio, s->least,
           s->most_ratio, s->most);
    free(s->ratios);
}

/* ---- samples ---- */

static void compare_random(uint64_t count)
{
    cs_network network = {0};
    for (cs_policy policy = 0; policy < CS_POLICY_COUNT; policy++) {
        char title[64], what[64];
        sample s = {0};
        for (uint64_t seed = 0; seed < count; seed++) {
            cs_random random;
            cs_random_init(&random, seed, 3, CS_PURPOSE_SAMPLE, 0, 0);
            design_random_network(&random, &network);
            cs_accelerator accelerator = design_random_accelerator(&random);
            snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
            add(&s, what, &network, &accelerator, policy);
        }
        snprintf(title, sizeof title, "random designs, %s", cs_policy_name(policy));
        print_sample(title, &s);
    }
    cs_network_release(&network);
}

static void compare_zoo(const names *networks, const char *folder, bool hosts)
{
    names chips = {.count = 0};
    list_names(folder, &chips);
    for (cs_policy policy = 0; policy < CS_POLICY_COUNT; policy++) {
        sample s = {0};
        char title[64];
        for (size_t n = 0; n < networks->count; n++) {
            cs_network network = {0};
            design_zoo(networks->name[n], &network);
            for (size_t a = 0; a < chips.count; a++) {
                char what[2 * MAX_NAME + 8];
                cs_accelerator accelerator =
                    hosts ? design_hosted(chips.name[a]) : design_accelerator(chips.name[a]);
                snprintf(what, sizeof what, "%s on %s", networks->name[n], chips.name[a]);
                add(&s, what, &network, &accelerator, policy);
            }
            cs_network_release(&network);
        }
        snprintf(title, sizeof title, "zoo x %s, %s", folder, cs_policy_name(policy));
        print_sample(title, &s);
    }
}

/* ---- cost ---- */

static void time_runs(const char *name, const char *chip)
{
    cs_network network = {0};
    cs_compile_options options = {.policy = CS_POLICY_VENDOR};
    design_zoo(name, &network);
    cs_accelerator accelerator = design_accelerator(chip);
    bench_check(cs_compile(&network, &accelerator, &options, &schedule, &error), &error);
    for (size_t i = 0; cs_simulator_at(i) && !schedule.reason; i++) {
        unsigned runs = 0;
        double begin = bench_cpu_s(), spent = 0;
        for (; spent < 0.2; runs++) {
            (void)latency(cs_simulator_at(i), &network, &accelerator);
            spent = bench_cpu_s() - begin;
        }
        printf("%-24s %-12s %-10s %9.1f us a run\n", name, chip, cs_simulator_at(i)->name,
               spent / runs * 1e6);
    }
    cs_network_release(&network);
}

static unsigned long long seeds = 2000;

/* The designs assert by Check, which has to be running. */
START_TEST(compare)
{
    names networks = {.count = 0};
    technology = design_technology();
    list_names("networks", &networks);
    compare_random(seeds);
    compare_zoo(&networks, "accelerators", false);
    compare_zoo(&networks, "hosts", true);
    printf("\n");
    time_runs("mobilenet-v2", "edgetpu-v1");
    time_runs("resnet152-299", "edgetpu-v1");
    time_runs("densenet121", "edgetpu-v3");
    cs_schedule_release(&schedule);
}
END_TEST

int main(int argc, char **argv)
{
    seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : seeds;
    Suite *suite = suite_create("fidelity");
    TCase *c = tcase_create("fidelity");
    tcase_add_test(c, compare);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

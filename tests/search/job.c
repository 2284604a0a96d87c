/* Jobs that tests run: see job.h. */
#include "job.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char tiny_text[] =
    "name = \"tiny\";\n"
    "seed = 1;\n"
    "network_space = \"net\";\n"
    "accelerator_space = \"acc\";\n"
    "baseline = \"base\";\n"
    "technology = \"tech\";\n"
    "accuracy = \"weights\";\n"
    "simulator = \"analytic\";\n"
    "objectives = (\n"
    "    { metric = \"proxy_top1\"; reference = 40.0; ideal = 70.0; },\n"
    "    { metric = \"latency_ms\"; reference = 2.0; ideal = 0.0; },\n"
    "    { metric = \"energy_mj\"; reference = 0.2; ideal = 0.0; }\n"
    ");\n"
    "limits = (\n"
    "    { metric = \"area_mm2\"; max = 2.6; }\n"
    ");\n"
    "engine = \"nsga2\";\n"
    "engine_options = { population = 6; };\n"
    "batch = 7;\n"
    "evaluations = 60;\n"
    "keep = \"all\";\n";

static const char tiny_network_space[] =
    "kind = \"network-space\"; name = \"net\"; source = \"test\";\n"
    "input = { height = 8; width = 8; channels = 4; provenance = \"chosen: test\"; };\n"
    "parameters = (\n"
    "    { name = \"width\"; kind = \"ordinal\"; values = [8, 16, 24];\n"
    "      provenance = \"chosen: test\"; },\n"
    "    { name = \"kernel\"; kind = \"ordinal\"; values = [1, 3, 63];\n"
    "      provenance = \"chosen: test\"; }\n"
    ");\n"
    "body = (\n"
    "    { block = \"conv\"; channels = \"width\"; kernel = \"kernel\";\n"
    "      provenance = \"chosen: test\"; },\n"
    "    { block = \"pool-global\"; provenance = \"chosen: test\"; },\n"
    "    { block = \"dense\"; channels = 10; provenance = \"chosen: test\"; }\n"
    ");\n";

/* 1 KiB of core memory has no room for words of 40 lanes. */
static const char tiny_accelerator_space[] =
    "kind = \"accelerator-space\"; name = \"acc\"; source = \"test\"; naming = \"edgetpu\";\n"
    "parameters = (\n"
    "    { name = \"pes_x\"; kind = \"ordinal\"; values = [1, 2]; provenance = \"chosen: test\"; "
    "},\n"
    "    { name = \"core_memory_kib\"; kind = \"ordinal\"; values = [1, 64];\n"
    "      provenance = \"chosen: test\"; },\n"
    "    { name = \"lanes_per_core\"; kind = \"categorical\"; values = [1, 40];\n"
    "      provenance = \"chosen: test\"; }\n"
    ");\n"
    "fixed = (\n"
    "    { name = \"pes_y\"; value = 1; provenance = \"chosen: test\"; },\n"
    "    { name = \"cores_per_pe\"; value = 1; provenance = \"chosen: test\"; },\n"
    "    { name = \"simd_ways\"; value = 32; provenance = \"chosen: test\"; },\n"
    "    { name = \"clock_mhz\"; value = 800; provenance = \"chosen: test\"; },\n"
    "    { name = \"pe_memory_kib\"; value = 64; provenance = \"chosen: test\"; },\n"
    "    { name = \"instruction_entries\"; value = 1024; provenance = \"chosen: test\"; },\n"
    "    { name = \"parameter_entries\"; value = 1024; provenance = \"chosen: test\"; },\n"
    "    { name = \"activation_entries\"; value = 1024; provenance = \"chosen: test\"; },\n"
    "    { name = \"link_gbps\"; value = 1; provenance = \"chosen: test\"; }\n"
    ");\n";

static const char tiny_weights[] =
    "kind = \"accuracy-predictor\"; metric = \"proxy_top1\"; about = \"test\";\n"
    "data = {}; held_out = {};\n"
    "link = \"identity\"; intercept = 50.0;\n"
    "genes = (\n"
    "    { name = \"kernel\"; choices = [\"1\", \"3\", \"63\"]; weights = [0, 4, 9]; },\n"
    "    { name = \"width\"; choices = [\"8\", \"16\", \"24\"]; weights = [0, 3, 5]; }\n"
    ");\n"
    "pairs = ();\n";

/* Fuzz targets use this file, too, so Check cannot be what ends a failure. */
static void must(bool done, const char *why)
{
    if (!done) {
        fprintf(stderr, "job.c: %s\n", why);
        abort();
    }
}

static char *read_source(const char *path, size_t *size)
{
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", CODESIGN_SOURCE_DIR, path);
    cs_error err;
    char *text = cs_file_read(full, CS_BUNDLE_MAX_FILE_BYTES, size, &err);
    must(text != NULL, err.text);
    return text;
}

static void add_text(cs_bundle *bundle, const char *name, const char *text, size_t size)
{
    cs_error err;
    must(cs_bundle_add_file(bundle, name, text, size, &err) == CS_OK, err.text);
}

static void add_source(cs_bundle *bundle, const char *name, const char *path)
{
    size_t size;
    char *text = read_source(path, &size);
    add_text(bundle, name, text, size);
    free(text);
}

static void set_text(cs_bundle *bundle, const char *name, const char *text, size_t size)
{
    cs_error err;
    must(cs_bundle_set_text(bundle, name, text, size, &err) == CS_OK, err.text);
}

cs_bundle job_imagenet(void)
{
    cs_bundle bundle = {0};
    size_t size;
    char *text = read_source("configs/jobs/imagenet-edge.conf", &size);
    set_text(&bundle, "imagenet-edge.conf", text, size);
    free(text);
    add_source(&bundle, "mnasnet", "configs/spaces/mnasnet.conf");
    add_source(&bundle, "nahas", "configs/spaces/nahas.conf");
    add_source(&bundle, "nahas-baseline", "configs/accelerators/nahas-baseline.conf");
    add_source(&bundle, "edge-22nm", "configs/technology/edge-22nm.conf");
    add_source(&bundle, "mnasnet-proxy-top1", "configs/predictors/mnasnet-proxy-top1.conf");
    return bundle;
}

cs_bundle job_tiny(void)
{
    cs_bundle bundle = {0};
    set_text(&bundle, "job.conf", tiny_text, strlen(tiny_text));
    add_text(&bundle, "net", tiny_network_space, strlen(tiny_network_space));
    add_text(&bundle, "acc", tiny_accelerator_space, strlen(tiny_accelerator_space));
    add_source(&bundle, "base", "configs/accelerators/nahas-baseline.conf");
    add_source(&bundle, "tech", "configs/technology/edge-22nm.conf");
    add_text(&bundle, "weights", tiny_weights, strlen(tiny_weights));
    return bundle;
}

void job_set(cs_bundle *bundle, const char *set)
{
    cs_error err;
    must(cs_bundle_add_set(bundle, set, &err) == CS_OK, err.text);
}

/* The files but one, in a new list. */
static void take_out(cs_bundle *bundle, const char *file, cs_bundle_file *out)
{
    for (size_t i = 0; i < bundle->file_count; i++) {
        if (strcmp(bundle->files[i].name, file) == 0) {
            *out = bundle->files[i];
            bundle->file_count--;
            memmove(&bundle->files[i], &bundle->files[i + 1],
                    (bundle->file_count - i) * sizeof *out);
            return;
        }
    }
    must(false, file);
}

static void free_file(cs_bundle_file *file)
{
    free(file->name);
    free(file->bytes);
}

void job_edit(cs_bundle *bundle, const char *file, const char *from, const char *to)
{
    cs_bundle_file old = {.bytes = bundle->text, .size = bundle->text_size};
    if (file) {
        take_out(bundle, file, &old);
    }
    const char *at = strstr(old.bytes, from);
    must(at != NULL, from);
    size_t before = (size_t)(at - old.bytes), size = old.size - strlen(from) + strlen(to);
    char *text = malloc(size + 1);
    must(text != NULL, "out of memory");
    memcpy(text, old.bytes, before);
    strcpy(text + before, to);
    strcat(text, at + strlen(from));
    if (file) {
        add_text(bundle, file, text, size);
        free_file(&old);
    } else {
        set_text(bundle, "job.conf", text, size);
    }
    free(text);
}

void job_drop(cs_bundle *bundle, const char *file)
{
    cs_bundle_file out;
    take_out(bundle, file, &out);
    free_file(&out);
}

cs_plan *job_plan(cs_bundle *bundle)
{
    cs_error err;
    cs_plan *plan = cs_plan_new(bundle, &err);
    must(plan != NULL, err.text);
    cs_bundle_release(bundle);
    return plan;
}

/* The bundle: what it holds, its limits, and that its hash names all of it. */
#include "job.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(holds_copies)
{
    char text[] = "name = \"x\";", file[] = "kind = \"y\";", set[] = "name=z";
    cs_bundle bundle = {0};
    cs_error err;
    ck_assert_int_eq(cs_bundle_set_text(&bundle, "job", text, strlen(text), &err), CS_OK);
    ck_assert_int_eq(cs_bundle_add_set(&bundle, set, &err), CS_OK);
    ck_assert_int_eq(cs_bundle_add_file(&bundle, "file", file, strlen(file), &err), CS_OK);
    memset(text, '!', sizeof text);
    memset(file, '!', sizeof file);
    memset(set, '!', sizeof set);
    ck_assert_str_eq(bundle.text, "name = \"x\";");
    ck_assert_uint_eq(bundle.text_size, strlen("name = \"x\";"));
    const cs_bundle_file *found = cs_bundle_find(&bundle, "file");
    ck_assert_ptr_nonnull(found);
    ck_assert_str_eq(found->bytes, "kind = \"y\";");
    cs_hash hash = cs_hash_of("kind = \"y\";", strlen("kind = \"y\";"));
    ck_assert_mem_eq(found->hash.bytes, hash.bytes, CS_HASH_BYTES);
    ck_assert_ptr_null(cs_bundle_find(&bundle, "fil"));

    /* A second text replaces the first. */
    ck_assert_int_eq(cs_bundle_set_text(&bundle, "other", "", 0, &err), CS_OK);
    ck_assert_str_eq(bundle.text_name, "other");
    ck_assert_uint_eq(bundle.text_size, 0);
    cs_bundle_release(&bundle);
    ck_assert_ptr_null(bundle.text);
    ck_assert_uint_eq(bundle.file_count + bundle.set_count, 0);
    cs_bundle_release(&bundle);
}
END_TEST

START_TEST(parses_with_its_overrides)
{
    cs_bundle bundle = {0};
    cs_error err;
    ck_assert_int_eq(cs_bundle_set_text(&bundle, "job", "a = 1; b = 2;", 13, &err), CS_OK);
    job_set(&bundle, "a=3");
    job_set(&bundle, "a=4");
    cs_conf *conf = cs_bundle_parse(&bundle, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    int64_t a = 0, b = 0;
    ck_assert_int_eq(cs_conf_int(cs_conf_root(conf), "a", 0, 9, &a, &err), CS_OK);
    ck_assert_int_eq(cs_conf_int(cs_conf_root(conf), "b", 0, 9, &b, &err), CS_OK);
    ck_assert_int_eq(a, 4);
    ck_assert_int_eq(b, 2);
    cs_conf_free(conf);
    cs_bundle_release(&bundle);
}
END_TEST

/* Just at the limit, and one beyond it, which leaves the bundle as it was. */
START_TEST(keeps_its_limits)
{
    char *bytes = malloc(CS_BUNDLE_MAX_FILE_BYTES + 1);
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, ' ', CS_BUNDLE_MAX_FILE_BYTES + 1);
    cs_bundle bundle = {0};
    cs_error err;
    ck_assert_int_eq(cs_bundle_set_text(&bundle, "job", bytes, CS_BUNDLE_MAX_TEXT_BYTES, &err),
                     CS_OK);
    ck_assert_int_eq(cs_bundle_set_text(&bundle, "two", bytes, CS_BUNDLE_MAX_TEXT_BYTES + 1, &err),
                     CS_ELIMIT);
    ck_assert_str_eq(err.text, "two: 262145 bytes; a job file has at most 262144");
    ck_assert_str_eq(bundle.text_name, "job");
    char name[CS_BUNDLE_MAX_NAME_BYTES + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(cs_bundle_set_text(&bundle, name, "", 0, &err), CS_ELIMIT);
    ck_assert_int_eq(cs_bundle_add_file(&bundle, name, "", 0, &err), CS_ELIMIT);
    ck_assert_int_eq(cs_bundle_add_file(&bundle, "", "", 0, &err), CS_ELIMIT);
    ck_assert_str_eq(err.text, "a file's name has 1 to 255 bytes, not 0");

    ck_assert_int_eq(cs_bundle_add_file(&bundle, "big", bytes, CS_BUNDLE_MAX_FILE_BYTES + 1, &err),
                     CS_ELIMIT);
    ck_assert_str_eq(err.text, "big: 4194305 bytes; a file of a job has at most 4194304");
    ck_assert_uint_eq(bundle.file_count, 0);
    ck_assert_int_eq(cs_bundle_add_file(&bundle, "big", bytes, CS_BUNDLE_MAX_FILE_BYTES, &err),
                     CS_OK);
    for (int i = 1; i < CS_BUNDLE_MAX_FILES; i++) {
        ck_assert_int_eq(cs_bundle_add_file(&bundle, "small", bytes, 0, &err), CS_OK);
    }
    ck_assert_int_eq(cs_bundle_add_file(&bundle, "ninth", bytes, 0, &err), CS_ELIMIT);
    ck_assert_str_eq(err.text, "ninth: a job has at most 8 files");
    ck_assert_ptr_null(cs_bundle_find(&bundle, "ninth"));

    bytes[CS_BUNDLE_MAX_SET_BYTES + 1] = '\0';
    ck_assert_int_eq(cs_bundle_add_set(&bundle, bytes, &err), CS_ELIMIT);
    ck_assert_str_eq(err.text, "--set: at most 64, each of at most 1024 bytes");
    bytes[CS_BUNDLE_MAX_SET_BYTES] = '\0';
    for (int i = 0; i < CS_BUNDLE_MAX_SETS; i++) {
        ck_assert_int_eq(cs_bundle_add_set(&bundle, bytes, &err), CS_OK);
    }
    ck_assert_int_eq(cs_bundle_add_set(&bundle, "a=1", &err), CS_ELIMIT);
    ck_assert_uint_eq(bundle.set_count, CS_BUNDLE_MAX_SETS);
    cs_bundle_release(&bundle);
    free(bytes);
}
END_TEST

/* ---- the hash ---- */

/* One bundle of each kind of difference; the first differs in nothing. */
static const struct variant {
    const char *text_name, *text;
    const char *sets[2];
    struct {
        const char *name, *bytes;
    } files[2];
} variants[] = {
    {"job", "a = 1;", {NULL}, {{NULL, NULL}}},
    {"jobs", "a = 1;", {NULL}, {{NULL, NULL}}},
    {"job", "a = 2;", {NULL}, {{NULL, NULL}}},
    {"joba", " = 1;", {NULL}, {{NULL, NULL}}},
    {"job", "a = 1;", {"a=2"}, {{NULL, NULL}}},
    {"job", "a = 1;", {"a=3"}, {{NULL, NULL}}},
    {"job", "a = 1;", {"a=2", "b=3"}, {{NULL, NULL}}},
    {"job", "a = 1;", {"b=3", "a=2"}, {{NULL, NULL}}},
    {"job", "a = 1;", {"a=2b=3"}, {{NULL, NULL}}},
    {"job", "a = 1;", {NULL}, {{"a=2", ""}}},
    {"job", "a = 1;", {NULL}, {{"f", "x"}}},
    {"job", "a = 1;", {NULL}, {{"f", "y"}}},
    {"job", "a = 1;", {NULL}, {{"g", "x"}}},
    {"job", "a = 1;", {NULL}, {{"f", "x"}, {"g", "y"}}},
    {"job", "a = 1;", {NULL}, {{"g", "y"}, {"f", "x"}}},
    {"job", "a = 1;", {NULL}, {{"f", "y"}, {"g", "x"}}},
    {"job", "a = 1;", {"a=2"}, {{"f", "x"}}},
};

static cs_hash hash_of_variant(const struct variant *variant)
{
    cs_bundle bundle = {0};
    cs_error err;
    ck_assert_int_eq(
        cs_bundle_set_text(&bundle, variant->text_name, variant->text, strlen(variant->text), &err),
        CS_OK);
    for (int i = 0; i < 2 && variant->sets[i]; i++) {
        job_set(&bundle, variant->sets[i]);
    }
    for (int i = 0; i < 2 && variant->files[i].name; i++) {
        ck_assert_int_eq(cs_bundle_add_file(&bundle, variant->files[i].name,
                                            variant->files[i].bytes,
                                            strlen(variant->files[i].bytes), &err),
                         CS_OK);
    }
    cs_hash hash = cs_bundle_hash(&bundle);
    cs_bundle_release(&bundle);
    return hash;
}

START_TEST(hash_names_all_of_it)
{
    enum { COUNT = sizeof variants / sizeof *variants };
    cs_hash hashes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        hashes[i] = hash_of_variant(&variants[i]);
        cs_hash again = hash_of_variant(&variants[i]);
        ck_assert_mem_eq(hashes[i].bytes, again.bytes, CS_HASH_BYTES);
        for (int k = 0; k < i; k++) {
            ck_assert_msg(memcmp(hashes[i].bytes, hashes[k].bytes, CS_HASH_BYTES) != 0,
                          "variants %d and %d have one hash", k, i);
        }
    }
}
END_TEST

/* Two overrides that are made of a file's name and hash are not that file. */
START_TEST(hash_tells_overrides_from_files)
{
    cs_hash content = cs_hash_of("x", 1);
    char forged[CS_HASH_BYTES + 1] = "";
    memcpy(forged, content.bytes, CS_HASH_BYTES);
    ck_assert_uint_eq(strlen(forged), CS_HASH_BYTES);
    struct variant file = {"job", "a = 1;", {NULL}, {{"f", "x"}}};
    struct variant sets = {"job", "a = 1;", {"f", forged}, {{NULL, NULL}}};
    cs_hash a = hash_of_variant(&file), b = hash_of_variant(&sets);
    ck_assert_mem_ne(a.bytes, b.bytes, CS_HASH_BYTES);
}
END_TEST

/* Every key that names a file is one of the job text's, and its folder is one of configs/. */
START_TEST(roles_are_the_keys_of_the_shipped_job)
{
    cs_bundle bundle = job_imagenet();
    cs_error err;
    cs_conf *conf = cs_bundle_parse(&bundle, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    size_t count = 0;
    for (const cs_bundle_role *role = cs_bundle_roles; role->key; role++) {
        const char *name;
        char path[512];
        ck_assert_int_eq(cs_conf_string(cs_conf_root(conf), role->key, &name, &err), CS_OK);
        ck_assert_ptr_nonnull(cs_bundle_find(&bundle, name));
        snprintf(path, sizeof path, "%s/configs/%s/%s.conf", CODESIGN_SOURCE_DIR, role->folder,
                 name);
        FILE *file = fopen(path, "r");
        ck_assert_msg(file != NULL, "%s", path);
        fclose(file);
        count++;
    }
    ck_assert_uint_eq(count, bundle.file_count);
    cs_conf_free(conf);
    cs_bundle_release(&bundle);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bundle");
    TCase *tcase = tcase_create("bundle");
    tcase_add_test(tcase, holds_copies);
    tcase_add_test(tcase, parses_with_its_overrides);
    tcase_add_test(tcase, keeps_its_limits);
    tcase_add_test(tcase, hash_names_all_of_it);
    tcase_add_test(tcase, hash_tells_overrides_from_files);
    tcase_add_test(tcase, roles_are_the_keys_of_the_shipped_job);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Hashes: published vectors. */
#include "base/hash.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* FIPS 180-4 examples (NIST), and the empty message. */
static const struct vector {
    const char *text, *hex;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

START_TEST(test_content_hash_is_sha256)
{
    char hex[CS_HASH_HEX];
    cs_hash hash = cs_hash_of(vectors[_i].text, strlen(vectors[_i].text));
    cs_hash_hex(&hash, hex);
    ck_assert_str_eq(hex, vectors[_i].hex);
}
END_TEST

START_TEST(test_key_depends_on_every_byte)
{
    uint8_t bytes[35] = {0};
    cs_key empty = cs_key_of(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = 1;
        cs_key key = cs_key_of(bytes, sizeof bytes), again = cs_key_of(bytes, sizeof bytes);
        ck_assert(key.low != empty.low && key.high != empty.high);
        ck_assert(key.low == again.low && key.high == again.high);
        bytes[i] = 0;
    }
    cs_key shorter = cs_key_of(bytes, sizeof bytes - 1);
    ck_assert_uint_ne(shorter.low, empty.low);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hash");
    TCase *tcase = tcase_create("hash");
    tcase_add_loop_test(tcase, test_content_hash_is_sha256, 0, 3);
    tcase_add_test(tcase, test_key_depends_on_every_byte);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Writes an ONNX model from text (onnx_text.h): how the seeds of fuzz_onnx are made.
 *
 *     write_onnx 'input x 1,3,8,8; output y; Relu x -> y' relu */
#include "onnx_text.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: write_onnx TEXT FILE\n");
        return EXIT_FAILURE;
    }
    size_t size;
    cs_error err;
    uint8_t *bytes = onnx_text_pack(argv[1], &size);
    cs_status status = cs_file_write(argv[2], bytes, size, &err);
    if (status) {
        fprintf(stderr, "%s\n", err.text);
    }
    free(bytes);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ONNX models from a few lines of text, for tests and seeds.
 *
 * Statements end with ';'. Names hold no blanks and no commas.
 *
 *     opset 13; ir 8
 *     input x 1,3,8,8          a graph input; N leaves a size open, x:16 has that data type
 *     weight w 4,3,3,3         an initialiser without values; w:3 is one of data type 3
 *     numbers s 1,-1           an initialiser of 64-bit integers in one axis
 *     scalar c 6.0             an initialiser of one float without axes
 *     output y
 *     Conv@name x,w -> y strides=2,2 group=1 auto_pad=VALID alpha=0.5 axes=1,
 *
 * An input written _ is left out. An attribute is an integer, a list (with a comma), a float (with
 * a point) or else a text. A text that is wrong ends the program. */
#ifndef CS_TESTS_SIM_ONNX_TEXT_H
#define CS_TESTS_SIM_ONNX_TEXT_H

#include <onnx/onnx.pb-c.h>
#include <stddef.h>
#include <stdint.h>

/* A packed model, which the caller frees. */
uint8_t *onnx_text_pack(const char *text, size_t *size);

#endif

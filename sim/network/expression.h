/* Whole-number expressions over named values: + - * / and parentheses, as files of networks hold
 * them in quotes ("4 * width"). Nothing allocates. */
#ifndef CS_SIM_EXPRESSION_H
#define CS_SIM_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CS_EXPRESSION_MAX_PARENTHESES 16 /* within each other */
#define CS_EXPRESSION_PROBLEM         96 /* bytes */

typedef struct cs_expression_name {
    const char *name; /* letters, digits and _ */
    int64_t value;
} cs_expression_name;

/* The value of a text; the usual precedence, and division rounds down: its left side must not be
 * negative and its right side must be positive. False, with what is wrong in `problem`, on anything
 * else than an expression over the `count` names whose values all fit 64 bits. */
bool cs_expression_evaluate(const char *text, const cs_expression_name *names, size_t count,
                            int64_t *value, char problem[CS_EXPRESSION_PROBLEM]);

#endif

/* Whole-number expressions: see expression.h. A parser by recursive descent. */
#include "sim/network/expression.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

typedef struct expression {
    const char *at;
    const cs_expression_name *names;
    size_t name_count;
    unsigned depth;
    char *problem; /* "" while there is none */
} expression;

static int64_t parse_sum(expression *x);

static int64_t give_up(expression *x, const char *problem)
{
    if (!*x->problem) {
        snprintf(x->problem, CS_EXPRESSION_PROBLEM, "%s", problem);
    }
    return 0;
}

static char peek(expression *x)
{
    x->at += strspn(x->at, " \t");
    return *x->problem ? '\0' : *x->at;
}

static int64_t parse_name(expression *x)
{
    const char *name = x->at;
    size_t length = 0;
    while (isalnum((unsigned char)name[length]) || name[length] == '_') {
        length++;
    }
    x->at += length;
    for (size_t i = 0; i < x->name_count; i++) {
        const char *known = x->names[i].name;
        if (strlen(known) == length && memcmp(known, name, length) == 0) {
            return x->names[i].value;
        }
    }
    char problem[80];
    snprintf(problem, sizeof problem, "there is no number \"%.*s\"",
             (int)(length > 40 ? 40 : length), name);
    return give_up(x, problem);
}

static int64_t parse_factor(expression *x)
{
    char c = peek(x);
    if (c == '(') {
        if (++x->depth > CS_EXPRESSION_MAX_PARENTHESES) {
            return give_up(x, "too many parentheses");
        }
        x->at++;
        int64_t value = parse_sum(x);
        if (peek(x) != ')') {
            return give_up(x, "a parenthesis is not closed");
        }
        x->at++;
        x->depth--;
        return value;
    }
    if (isdigit((unsigned char)c)) {
        int64_t value = 0;
        for (; isdigit((unsigned char)*x->at); x->at++) {
            if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, *x->at - '0', &value)) {
                return give_up(x, "the number is too large");
            }
        }
        return value;
    }
    if (isalpha((unsigned char)c) || c == '_') {
        return parse_name(x);
    }
    return give_up(x, "a number or a name is missing");
}

static int64_t parse_product(expression *x)
{
    int64_t value = parse_factor(x);
    for (char c = peek(x); c == '*' || c == '/'; c = peek(x)) {
        x->at++;
        int64_t right = parse_factor(x);
        if (c == '*') {
            if (__builtin_mul_overflow(value, right, &value)) {
                return give_up(x, "the number is too large");
            }
        } else if (right <= 0 || value < 0) {
            return give_up(x, "can only divide by a positive number");
        } else {
            value /= right;
        }
    }
    return value;
}

static int64_t parse_sum(expression *x)
{
    int64_t value = parse_product(x);
    for (char c = peek(x); c == '+' || c == '-'; c = peek(x)) {
        x->at++;
        int64_t right = parse_product(x);
        bool over = c == '+' ? __builtin_add_overflow(value, right, &value)
                             : __builtin_sub_overflow(value, right, &value);
        if (over) {
            return give_up(x, "the number is too large");
        }
    }
    return value;
}

bool cs_expression_evaluate(const char *text, const cs_expression_name *names, size_t count,
                            int64_t *value, char problem[CS_EXPRESSION_PROBLEM])
{
    expression x = {.at = text, .names = names, .name_count = count, .problem = problem};
    *problem = '\0';
    int64_t got = parse_sum(&x);
    if (!*problem && peek(&x) != '\0') {
        give_up(&x, "something follows where an operator should");
    }
    if (*problem) {
        return false;
    }
    *value = got;
    return true;
}

/* Tables in CSV: see csv.h. */
#include "base/csv.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cs_csv {
    char *name;
    char *text;         /* cells are cut out of it in place */
    const char **cells; /* records one after the other, the header first */
    unsigned *lines;    /* where each record starts */
    size_t column_count;
    size_t record_count;
};

/* What parsing is at. */
typedef struct csv_cursor {
    char *at, *end;
    unsigned line;
    size_t cell_count, cell_room, record_room;
} csv_cursor;

static bool add_cell(cs_csv *csv, csv_cursor *cursor, const char *cell)
{
    if (cursor->cell_count == cursor->cell_room) {
        size_t room = cursor->cell_room ? 2 * cursor->cell_room : 256;
        const char **cells = realloc(csv->cells, room * sizeof *cells);
        if (!cells) {
            return false;
        }
        csv->cells = cells;
        cursor->cell_room = room;
    }
    csv->cells[cursor->cell_count++] = cell;
    return true;
}

static bool add_record(cs_csv *csv, csv_cursor *cursor, unsigned line)
{
    if (csv->record_count == cursor->record_room) {
        size_t room = cursor->record_room ? 2 * cursor->record_room : 64;
        unsigned *lines = realloc(csv->lines, room * sizeof *lines);
        if (!lines) {
            return false;
        }
        csv->lines = lines;
        cursor->record_room = room;
    }
    csv->lines[csv->record_count++] = line;
    return true;
}

/* Cut one field out of the text; *last says whether it ends its record. The byte after the field
 * becomes its terminating zero, which is why the text has one byte more than was given. */
static cs_status cut_field(const cs_csv *csv, csv_cursor *cursor, const char **field, bool *last,
                           cs_error *err)
{
    char *in = cursor->at, *out = in;
    unsigned start = cursor->line;
    if (in < cursor->end && *in == '"') {
        *field = out;
        for (in++;; in++) {
            if (in == cursor->end) {
                return cs_fail(err, CS_EINVAL, "%s:%u: a quoted field does not end", csv->name,
                               start);
            }
            if (*in == '"') {
                in++;
                if (in == cursor->end || *in != '"') {
                    break;
                }
            }
            cursor->line += *in == '\n';
            *out++ = *in;
        }
    } else {
        *field = out;
        while (in < cursor->end && *in != ',' && *in != '\n' &&
               !(*in == '\r' && in + 1 < cursor->end && in[1] == '\n')) {
            if (*in == '"') {
                return cs_fail(err, CS_EINVAL, "%s:%u: a quote inside of an unquoted field",
                               csv->name, cursor->line);
            }
            in++;
        }
        out = in;
    }
    if (in + 1 < cursor->end && in[0] == '\r' && in[1] == '\n') {
        in++;
    }
    if (in < cursor->end && *in != ',' && *in != '\n') {
        return cs_fail(err, CS_EINVAL, "%s:%u: text after the end of a quoted field", csv->name,
                       cursor->line);
    }
    *last = in == cursor->end || *in == '\n';
    cursor->line += in < cursor->end && *in == '\n';
    cursor->at = in < cursor->end ? in + 1 : in;
    *out = '\0';
    return CS_OK;
}

static bool skip_empty_line(csv_cursor *cursor)
{
    char *in = cursor->at;
    in += in < cursor->end && *in == '\r';
    if (in < cursor->end && *in == '\n') {
        cursor->at = in + 1;
        cursor->line++;
        return true;
    }
    return false;
}

static cs_status cut_record(cs_csv *csv, csv_cursor *cursor, cs_error *err)
{
    unsigned line = cursor->line;
    size_t first = cursor->cell_count;
    for (bool last = false; !last;) {
        const char *field;
        cs_status status = cut_field(csv, cursor, &field, &last, err);
        if (status) {
            return status;
        }
        if (!add_cell(csv, cursor, field)) {
            return cs_fail_memory(err);
        }
    }
    size_t count = cursor->cell_count - first;
    if (csv->record_count == 0) {
        csv->column_count = count;
    } else if (count != csv->column_count) {
        return cs_fail(err, CS_EINVAL, "%s:%u: %zu fields, but the header names %zu columns",
                       csv->name, line, count, csv->column_count);
    }
    return add_record(csv, cursor, line) ? CS_OK : cs_fail_memory(err);
}

static cs_status cut_text(cs_csv *csv, size_t size, cs_error *err)
{
    if (memchr(csv->text, '\0', size)) {
        return cs_fail(err, CS_EINVAL, "%s: holds a zero byte; this is not a table", csv->name);
    }
    csv_cursor cursor = {.at = csv->text, .end = csv->text + size, .line = 1};
    while (cursor.at < cursor.end) {
        cs_status status = skip_empty_line(&cursor) ? CS_OK : cut_record(csv, &cursor, err);
        if (status) {
            return status;
        }
    }
    if (csv->record_count == 0) {
        return cs_fail(err, CS_EINVAL, "%s:1: the table is empty", csv->name);
    }
    for (size_t i = 0; i < csv->column_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(csv->cells[i], csv->cells[j]) == 0) {
                return cs_fail(err, CS_EINVAL, "%s:%u: two columns are called \"%s\"", csv->name,
                               csv->lines[0], csv->cells[i]);
            }
        }
    }
    return CS_OK;
}

cs_csv *cs_csv_parse(const char *text, size_t size, const char *name, cs_error *err)
{
    cs_csv *csv = calloc(1, sizeof *csv);
    if (csv) {
        csv->name = strdup(name);
        csv->text = malloc(size + 1);
    }
    if (!csv || !csv->name || !csv->text) {
        cs_fail_memory(err);
        cs_csv_free(csv);
        return NULL;
    }
    if (size) {
        memcpy(csv->text, text, size);
    }
    if (cut_text(csv, size, err)) {
        cs_csv_free(csv);
        return NULL;
    }
    return csv;
}

void cs_csv_free(cs_csv *csv)
{
    if (csv) {
        free(csv->name);
        free(csv->text);
        free(csv->cells);
        free(csv->lines);
        free(csv);
    }
}

size_t cs_csv_row_count(const cs_csv *csv)
{
    return csv->record_count - 1;
}

size_t cs_csv_column_count(const cs_csv *csv)
{
    return csv->column_count;
}

const char *cs_csv_column_name(const cs_csv *csv, size_t column)
{
    assert(column < csv->column_count);
    return csv->cells[column];
}

cs_status cs_csv_find(const cs_csv *csv, const char *column_name, size_t *column, cs_error *err)
{
    for (size_t i = 0; i < csv->column_count; i++) {
        if (strcmp(csv->cells[i], column_name) == 0) {
            *column = i;
            return CS_OK;
        }
    }
    return cs_fail(err, CS_EINVAL, "%s:%u: there is no column \"%s\"", csv->name, csv->lines[0],
                   column_name);
}

const char *cs_csv_cell(const cs_csv *csv, size_t row, size_t column)
{
    assert(row + 1 < csv->record_count && column < csv->column_count);
    return csv->cells[(row + 1) * csv->column_count + column];
}

cs_status cs_csv_number(const cs_csv *csv, size_t row, size_t column, double *value, cs_error *err)
{
    const char *cell = cs_csv_cell(csv, row, column);
    if (!*cell) {
        return cs_csv_fail(csv, row, column, err, "is empty");
    }
    char *end;
    double got = strtod(cell, &end);
    /* strtod also takes leading blanks, hexadecimal, "inf" and "nan". */
    if (*end || strspn(cell, "+-.0123456789eE") != strlen(cell) || !isfinite(got)) {
        return cs_csv_fail(csv, row, column, err, "\"%.40s\" is not a number", cell);
    }
    *value = got;
    return CS_OK;
}

cs_status cs_csv_fail(const cs_csv *csv, size_t row, size_t column, cs_error *err,
                      const char *format, ...)
{
    assert(row + 1 < csv->record_count && column < csv->column_count);
    char text[CS_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cs_fail(err, CS_EINVAL, "%s:%u: %s: %s", csv->name, csv->lines[row + 1],
                   csv->cells[column], text);
}

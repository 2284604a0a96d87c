/* Tables: one object that prints as a table for people, as CSV and as JSON.
 *
 * A table is columns and rows of typed cells. In JSON it is an array of objects, in CSV a header
 * line of keys and a line a row, for people aligned columns under headings. A record is a table of
 * one row that is printed as one object, or for people as a line a field. Numbers keep their full
 * precision in CSV and JSON. All text is made safe for terminals (client/text.h).
 *
 * Want of memory is remembered and told by the print functions. */
#ifndef CS_CLIENT_TABLE_H
#define CS_CLIENT_TABLE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum cs_format {
    CS_FORMAT_TABLE,
    CS_FORMAT_CSV,
    CS_FORMAT_JSON,
} cs_format;

/* Where a column appears, and how. */
typedef enum cs_column_flags {
    CS_COLUMN_PEOPLE = 1, /* in tables for people */
    CS_COLUMN_DATA = 2,   /* in CSV and JSON */
    CS_COLUMN_BOTH = 3,
    /* Where a terminal is too narrow for all: */
    CS_COLUMN_CUT = 4,    /* may be cut anywhere, then ends with "..." */
    CS_COLUMN_WORDS = 8,  /* may be cut behind a blank */
    CS_COLUMN_SPARE = 16, /* may be left out, the last one first */
} cs_column_flags;

typedef struct cs_table cs_table;

/* NULL for want of memory. */
cs_table *cs_table_new(void);
void cs_table_free(cs_table *table); /* NULL is allowed */

/* Add a column, before the first row; the texts are copied. */
void cs_table_add_column(cs_table *table, const char *key, const char *heading, unsigned flags);

/* Start a row of empty cells. */
void cs_table_add_row(cs_table *table);

size_t cs_table_row_count(const cs_table *table);

/* Fill the next cell of the last row, from left to right. */
void cs_table_put_nothing(cs_table *table);
void cs_table_put_text(cs_table *table, const char *text); /* copied; NULL: nothing */
void cs_table_put_count(cs_table *table, uint64_t count);
void cs_table_put_real(cs_table *table, double real); /* NAN and infinities: nothing */
void cs_table_put_bool(cs_table *table, bool value);

/* A number given as text, which must be a JSON number; other text is put as text. */
void cs_table_put_decimal(cs_table *table, const char *text);

/* A list in a cell: an array of objects in JSON, of plain values if it has one column; in CSV
 * cells are separated by blanks and rows by "; ". Takes ownership. */
void cs_table_put_list(cs_table *table, cs_table *list);

/* Print. `width` is that of the terminal, which columns that may be cut or left out have to fit;
 * 0: no limit.
 * CS_ENOMEM, CS_EIO. */
CS_MUST_CHECK cs_status cs_table_print(const cs_table *table, cs_format format, FILE *stream,
                                       size_t width, cs_error *err);
CS_MUST_CHECK cs_status cs_table_print_record(const cs_table *table, cs_format format, FILE *stream,
                                              cs_error *err);

#endif

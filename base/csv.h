/* Tables in CSV (RFC 4180) with errors that say where.
 *
 * The first record names the columns. Fields may be quoted, lines may end with CRLF; lines without
 * any character are skipped. A cs_csv owns its text; cells live as long as it does. Immutable after
 * parsing, shared by threads. */
#ifndef CS_BASE_CSV_H
#define CS_BASE_CSV_H

#include "base/status.h"

#include <stddef.h>

typedef struct cs_csv cs_csv;

/* Parse `size` bytes. `name` is what errors call the text. Refused: a zero byte, a quote out of
 * place, records of another length than the first, two columns of one name. NULL on failure. */
cs_csv *cs_csv_parse(const char *text, size_t size, const char *name, cs_error *err);
void cs_csv_free(cs_csv *csv);

size_t cs_csv_row_count(const cs_csv *csv); /* without the header */
size_t cs_csv_column_count(const cs_csv *csv);
const char *cs_csv_column_name(const cs_csv *csv, size_t column);

/* The column of that name; CS_EINVAL where there is none. */
CS_MUST_CHECK cs_status cs_csv_find(const cs_csv *csv, const char *column_name, size_t *column,
                                    cs_error *err);

const char *cs_csv_cell(const cs_csv *csv, size_t row, size_t column);

/* The cell as a finite decimal number; CS_EINVAL with line and column when it is empty or none. */
CS_MUST_CHECK cs_status cs_csv_number(const cs_csv *csv, size_t row, size_t column, double *value,
                                      cs_error *err);

/* Fail with CS_EINVAL and "name:line: column: ..." for this cell. */
cs_status cs_csv_fail(const cs_csv *csv, size_t row, size_t column, cs_error *err,
                      const char *format, ...) CS_PRINTF(5, 6);

#endif

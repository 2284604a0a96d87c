/* Files that tests of spaces and predictors read. A file that is missing or wrong fails the test.
 */
#ifndef TESTS_SEARCH_FILES_H
#define TESTS_SEARCH_FILES_H

#include "base/csv.h"
#include "search/space.h"

/* A file of the project, by its path in the source tree. The caller frees it. */
cs_conf *open_conf(const char *path);

/* The space of such a file; its kind decides which. */
cs_space *open_space(const char *path, bool *recalled);

/* The network space of a text that is one. */
cs_space *space_of_text(const char *text);

/* A table of the public data, or NULL (and a message) where the data is not there. */
cs_csv *open_table(const char *name);

/* The genome of the network part that a row of a table describes. */
void genome_of_row(const cs_space *space, const cs_csv *table, size_t row, uint8_t *genome);

/* The same from values in the order of the genes. */
void genome_of_values(const cs_space *space, const double *values, uint8_t *genome);

#endif

/* Tables: see table.h. */
#include "client/table.h"

#include "base/buffer.h"
#include "client/text.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

typedef enum cell_kind {
    CELL_NOTHING,
    CELL_TEXT,
    CELL_DECIMAL, /* text that is a number */
    CELL_COUNT,
    CELL_REAL,
    CELL_BOOL,
    CELL_LIST,
} cell_kind;

typedef struct table_cell {
    cell_kind kind;
    union {
        size_t text; /* where in the table's texts */
        uint64_t count;
        double real;
        bool truth;
        cs_table *list; /* owned */
    };
} table_cell;

typedef struct table_column {
    size_t key, heading; /* where in the texts */
    unsigned flags;
} table_column;

struct cs_table {
    table_column *columns;
    size_t column_count;
    table_cell *cells; /* row by row */
    size_t cell_count, cell_capacity;
    size_t row_count;
    cs_buffer texts; /* zero-terminated, one after the other */
    bool failed;     /* for want of memory */
};

/* ---- filling ---- */

cs_table *cs_table_new(void)
{
    return calloc(1, sizeof(cs_table));
}

void cs_table_free(cs_table *table)
{
    if (!table) {
        return;
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        if (table->cells[i].kind == CELL_LIST) {
            cs_table_free(table->cells[i].list);
        }
    }
    cs_buffer_release(&table->texts);
    free(table->columns);
    free(table->cells);
    free(table);
}

static size_t keep_text(cs_table *table, const char *text)
{
    size_t at = table->texts.size;
    cs_buffer_put(&table->texts, text, strlen(text) + 1);
    table->failed = table->failed || table->texts.failed;
    return at;
}

static const char *text_at(const cs_table *table, size_t at)
{
    return (const char *)table->texts.data + at;
}

void cs_table_add_column(cs_table *table, const char *key, const char *heading, unsigned flags)
{
    assert(table->row_count == 0);
    table_column *columns = realloc(table->columns, (table->column_count + 1) * sizeof *columns);
    if (!columns) {
        table->failed = true;
        return;
    }
    table->columns = columns;
    columns[table->column_count++] = (table_column){
        .key = keep_text(table, key), .heading = keep_text(table, heading), .flags = flags};
}

void cs_table_add_row(cs_table *table)
{
    /* What a row leaves out is empty. */
    while (!table->failed && table->cell_count < table->row_count * table->column_count) {
        cs_table_put_nothing(table);
    }
    table->row_count++;
}

size_t cs_table_row_count(const cs_table *table)
{
    return table->row_count;
}

static void put_cell(cs_table *table, table_cell value)
{
    if (table->failed) {
        return;
    }
    assert(table->cell_count < table->row_count * table->column_count);
    if (table->cell_count == table->cell_capacity) {
        size_t capacity = table->cell_capacity ? 2 * table->cell_capacity : 64;
        table_cell *cells = realloc(table->cells, capacity * sizeof *cells);
        if (!cells) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->cell_capacity = capacity;
    }
    table->cells[table->cell_count++] = value;
}

void cs_table_put_nothing(cs_table *table)
{
    put_cell(table, (table_cell){.kind = CELL_NOTHING});
}

void cs_table_put_text(cs_table *table, const char *text)
{
    if (text) {
        put_cell(table, (table_cell){.kind = CELL_TEXT, .text = keep_text(table, text)});
    } else {
        cs_table_put_nothing(table);
    }
}

void cs_table_put_count(cs_table *table, uint64_t count)
{
    put_cell(table, (table_cell){.kind = CELL_COUNT, .count = count});
}

void cs_table_put_real(cs_table *table, double real)
{
    if (isfinite(real)) {
        put_cell(table, (table_cell){.kind = CELL_REAL, .real = real});
    } else {
        cs_table_put_nothing(table);
    }
}

void cs_table_put_bool(cs_table *table, bool value)
{
    put_cell(table, (table_cell){.kind = CELL_BOOL, .truth = value});
}

/* The grammar of RFC 8259, section 6. */
static bool is_json_number(const char *text)
{
    text += *text == '-';
    if (!isdigit((unsigned char)*text) || (*text == '0' && isdigit((unsigned char)text[1]))) {
        return false;
    }
    text += strspn(text, "0123456789");
    if (*text == '.') {
        size_t digits = strspn(text + 1, "0123456789");
        if (digits == 0) {
            return false;
        }
        text += 1 + digits;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        size_t digits = strspn(text, "0123456789");
        if (digits == 0) {
            return false;
        }
        text += digits;
    }
    return *text == '\0';
}

void cs_table_put_decimal(cs_table *table, const char *text)
{
    cell_kind kind = is_json_number(text) ? CELL_DECIMAL : CELL_TEXT;
    put_cell(table, (table_cell){.kind = kind, .text = keep_text(table, text)});
}

void cs_table_put_list(cs_table *table, cs_table *list)
{
    if (!list || list->failed || table->failed) {
        table->failed = true;
        cs_table_free(list);
        return;
    }
    size_t before = table->cell_count;
    put_cell(table, (table_cell){.kind = CELL_LIST, .list = list});
    if (table->cell_count == before) {
        cs_table_free(list);
    }
}

/* ---- printing ---- */

/* The cell; empty where the last row was left unfinished. */
static table_cell cell_at(const cs_table *table, size_t row, size_t column)
{
    size_t at = row * table->column_count + column;
    return at < table->cell_count ? table->cells[at] : (table_cell){.kind = CELL_NOTHING};
}

static bool is_number(table_cell value)
{
    return value.kind == CELL_COUNT || value.kind == CELL_REAL || value.kind == CELL_DECIMAL;
}

/* A scalar as plain text with nothing lost. `number` is room for one. */
static const char *plain_text(const cs_table *table, table_cell value, char number[CS_TEXT_NUMBER])
{
    switch (value.kind) {
    case CELL_TEXT:
    case CELL_DECIMAL:
        return text_at(table, value.text);
    case CELL_COUNT:
        snprintf(number, CS_TEXT_NUMBER, "%" PRIu64, value.count);
        return number;
    case CELL_REAL:
        return cs_text_number(value.real, number);
    case CELL_BOOL:
        return value.truth ? "true" : "false";
    case CELL_NOTHING:
    case CELL_LIST:
        break;
    }
    return "";
}

/* The cells of a list's row, of the columns with `flag`, separated by `between`. */
static void put_list_row(const cs_table *list, size_t row, unsigned flag, const char *between,
                         FILE *stream)
{
    char number[CS_TEXT_NUMBER];
    const char *before = "";
    for (size_t c = 0; c < list->column_count; c++) {
        table_cell value = cell_at(list, row, c);
        if (value.kind != CELL_NOTHING && (list->columns[c].flags & flag)) {
            fputs(before, stream);
            fputs(plain_text(list, value, number), stream);
            before = between;
        }
    }
}

static void put_csv_cell(const cs_table *table, table_cell value, FILE *stream, bool *failed)
{
    char number[CS_TEXT_NUMBER];
    if (value.kind != CELL_LIST) {
        cs_text_put_csv(stream, plain_text(table, value, number));
        return;
    }
    char *text = NULL;
    size_t size;
    FILE *joined = open_memstream(&text, &size);
    if (!joined) {
        *failed = true;
        return;
    }
    for (size_t r = 0; r < value.list->row_count; r++) {
        fputs(r ? "; " : "", joined);
        put_list_row(value.list, r, CS_COLUMN_DATA, " ", joined);
    }
    if (fclose(joined) == 0) {
        cs_text_put_csv(stream, text);
    } else {
        *failed = true;
    }
    free(text);
}

static void put_csv(const cs_table *table, FILE *stream, bool *failed)
{
    for (size_t r = 0; r <= table->row_count; r++) {
        const char *between = "";
        for (size_t c = 0; c < table->column_count; c++) {
            if (!(table->columns[c].flags & CS_COLUMN_DATA)) {
                continue;
            }
            fputs(between, stream);
            between = ",";
            if (r == 0) {
                cs_text_put_csv(stream, text_at(table, table->columns[c].key));
            } else {
                put_csv_cell(table, cell_at(table, r - 1, c), stream, failed);
            }
        }
        fputc('\n', stream);
    }
}

static void put_json_scalar(const cs_table *table, table_cell value, FILE *stream)
{
    char number[CS_TEXT_NUMBER];
    if (value.kind == CELL_NOTHING) {
        fputs("null", stream);
    } else if (value.kind == CELL_TEXT) {
        cs_text_put_json(stream, text_at(table, value.text));
    } else {
        fputs(plain_text(table, value, number), stream);
    }
}

static void put_json_object(const cs_table *table, size_t row, FILE *stream);

/* A list holds no lists, so this goes one level deep. */
static void put_json_list(const cs_table *list, FILE *stream)
{
    fputc('[', stream);
    for (size_t r = 0; r < list->row_count; r++) {
        fputs(r ? ", " : "", stream);
        if (list->column_count == 1) {
            put_json_scalar(list, cell_at(list, r, 0), stream);
        } else {
            put_json_object(list, r, stream);
        }
    }
    fputc(']', stream);
}

static void put_json_object(const cs_table *table, size_t row, FILE *stream)
{
    const char *between = "{";
    for (size_t c = 0; c < table->column_count; c++) {
        if (!(table->columns[c].flags & CS_COLUMN_DATA)) {
            continue;
        }
        fputs(between, stream);
        between = ", ";
        cs_text_put_json(stream, text_at(table, table->columns[c].key));
        fputs(": ", stream);
        table_cell value = cell_at(table, row, c);
        if (value.kind == CELL_LIST) {
            put_json_list(value.list, stream);
        } else {
            put_json_scalar(table, value, stream);
        }
    }
    fputc('}', stream);
}

static void put_json(const cs_table *table, FILE *stream)
{
    fputc('[', stream);
    for (size_t r = 0; r < table->row_count; r++) {
        fputs(r ? ",\n " : "", stream);
        put_json_object(table, r, stream);
    }
    fputs("]\n", stream);
}

/* Decimals that give the largest value of a column five digits, so that its points stand in line.
 */
static int column_decimals(const cs_table *table, size_t column)
{
    double largest = 0;
    for (size_t r = 0; r < table->row_count; r++) {
        table_cell value = cell_at(table, r, column);
        if (value.kind == CELL_REAL && fabs(value.real) > largest) {
            largest = fabs(value.real);
        }
    }
    int decimals = 4;
    for (; largest >= 10 && decimals > 0; largest /= 10) {
        decimals--;
    }
    for (; largest > 0 && largest < 0.1 && decimals < 9; largest *= 10) {
        decimals++;
    }
    return decimals;
}

/* A scalar as people read it, malloc'd; NULL for want of memory. */
static char *readable(const cs_table *table, table_cell value, int decimals)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) {
        return NULL;
    }
    char number[CS_TEXT_NUMBER];
    if (value.kind == CELL_REAL) {
        fprintf(stream, "%.*f", decimals, value.real);
    } else if (value.kind == CELL_BOOL) {
        fputs(value.truth ? "yes" : "no", stream);
    } else if (value.kind == CELL_NOTHING) {
        fputc('-', stream);
    } else {
        cs_text_put(stream, plain_text(table, value, number));
    }
    if (fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- fitting a terminal ---- */

#define ELLIPSIS       "..."
#define ELLIPSIS_WIDTH 3

/* What people are shown of a column: its heading, and below it a text a row. */
typedef struct shown_column {
    char **texts; /* owned, as they are */
    size_t width;
    unsigned flags;
    bool right; /* numbers */
    bool left_out;
} shown_column;

/* Terminal columns that the character at `text` takes; *bytes is its length. */
static size_t char_width(const char *text, size_t *bytes)
{
    wchar_t wide;
    mbstate_t state = {0};
    size_t length = mbrtowc(&wide, text, MB_CUR_MAX, &state);
    bool is_char = length > 0 && length <= MB_CUR_MAX;
    int width = is_char ? wcwidth(wide) : 1;
    *bytes = is_char ? length : 1;
    return width > 0 ? (size_t)width : 0;
}

static size_t text_width(const char *text)
{
    size_t width = 0;
    for (size_t bytes; *text; text += bytes) {
        width += char_width(text, &bytes);
    }
    return width;
}

/* Cut a text that is wider than `width`, and say so at its end. A value that is cut in the middle
 * would look like another one, so texts of words lose whole words. */
static void cut_text(char *text, size_t width, bool words)
{
    assert(width >= ELLIPSIS_WIDTH);
    size_t at = 0, end = 0, taken = 0;
    while (text[at]) {
        size_t bytes;
        taken += char_width(text + at, &bytes);
        if (taken > width - ELLIPSIS_WIDTH) {
            break;
        }
        at += bytes;
        end = !words || text[at - 1] == ' ' ? at : end;
    }
    /* More than three columns follow, and so at least as many bytes. */
    memcpy(text + end, ELLIPSIS, sizeof ELLIPSIS);
}

static bool is_cuttable(const shown_column *column)
{
    return (column->flags & (CS_COLUMN_CUT | CS_COLUMN_WORDS)) && !column->left_out;
}

/* Width of all columns, a blank between them; with `cut`, of the narrowest they can be. */
static size_t total_width(const shown_column *columns, size_t count, bool cut)
{
    size_t total = 0;
    for (size_t c = 0; c < count; c++) {
        bool narrow = cut && is_cuttable(&columns[c]) && columns[c].width > ELLIPSIS_WIDTH;
        if (!columns[c].left_out) {
            total += (total > 0) + (narrow ? ELLIPSIS_WIDTH : columns[c].width);
        }
    }
    return total;
}

/* Leave columns out, then narrow the widest again and again, until the terminal holds them all or
 * nothing more can be done. */
static void fit_columns(shown_column *columns, size_t count, size_t row_count, size_t width)
{
    for (size_t c = count; c > 0 && total_width(columns, count, true) > width; c--) {
        columns[c - 1].left_out = columns[c - 1].flags & CS_COLUMN_SPARE;
    }
    size_t total = total_width(columns, count, false);
    for (bool narrowed = true; total > width && narrowed; total -= narrowed) {
        shown_column *widest = NULL;
        for (size_t c = 0; c < count; c++) {
            if (is_cuttable(&columns[c]) && (!widest || columns[c].width > widest->width)) {
                widest = &columns[c];
            }
        }
        narrowed = widest && widest->width > ELLIPSIS_WIDTH;
        if (narrowed) {
            widest->width--;
        }
    }
    for (size_t c = 0; c < count; c++) {
        for (size_t r = 0; is_cuttable(&columns[c]) && r <= row_count; r++) {
            if (text_width(columns[c].texts[r]) > columns[c].width) {
                cut_text(columns[c].texts[r], columns[c].width,
                         r > 0 && (columns[c].flags & CS_COLUMN_WORDS));
            }
        }
    }
}

/* Fill `shown` with column `column` of the table. False for want of memory. */
static bool show_column(const cs_table *table, size_t column, shown_column *shown)
{
    *shown = (shown_column){.flags = table->columns[column].flags, .right = table->row_count > 0};
    shown->texts = calloc(table->row_count + 1, sizeof *shown->texts);
    if (!shown->texts) {
        return false;
    }
    int decimals = column_decimals(table, column);
    for (size_t r = 0; r <= table->row_count; r++) {
        if (r == 0) {
            shown->texts[r] = strdup(text_at(table, table->columns[column].heading));
        } else {
            table_cell value = cell_at(table, r - 1, column);
            shown->right = shown->right && (is_number(value) || value.kind == CELL_NOTHING);
            shown->texts[r] = readable(table, value, decimals);
        }
        if (!shown->texts[r]) {
            return false;
        }
        size_t width = text_width(shown->texts[r]);
        shown->width = width > shown->width ? width : shown->width;
    }
    return true;
}

/* ---- printing for people ---- */

static struct libscols_table *new_sheet(FILE *stream)
{
    struct libscols_table *sheet = scols_new_table();
    if (sheet) {
        scols_table_set_stream(sheet, stream);
        scols_table_enable_noencoding(sheet, 1); /* texts are safe already */
        scols_table_set_termforce(sheet, SCOLS_TERMFORCE_NEVER);
    }
    return sheet;
}

static void print_columns(const shown_column *columns, size_t count, size_t row_count, FILE *stream,
                          bool *failed)
{
    struct libscols_table *sheet = new_sheet(stream);
    struct libscols_line **lines = calloc(row_count + 1, sizeof *lines);
    *failed = *failed || !sheet || !lines;
    for (size_t c = 0; c < count && !*failed; c++) {
        *failed =
            !columns[c].left_out && !scols_table_new_column(sheet, columns[c].texts[0], 0,
                                                            columns[c].right ? SCOLS_FL_RIGHT : 0);
    }
    for (size_t r = 0; r < row_count && !*failed; r++) {
        lines[r] = scols_table_new_line(sheet, NULL);
        *failed = !lines[r];
        size_t place = 0;
        for (size_t c = 0; c < count && !*failed; c++) {
            if (!columns[c].left_out) {
                *failed = scols_line_set_data(lines[r], place++, columns[c].texts[r + 1]) != 0;
            }
        }
    }
    if (!*failed) {
        *failed = scols_print_table(sheet) != 0;
    }
    free(lines);
    scols_unref_table(sheet);
}

static void put_people(const cs_table *table, FILE *stream, size_t width, bool *failed)
{
    size_t count = 0;
    shown_column *columns = calloc(table->column_count + 1, sizeof *columns);
    *failed = *failed || !columns;
    for (size_t c = 0; c < table->column_count && !*failed; c++) {
        if (table->columns[c].flags & CS_COLUMN_PEOPLE) {
            *failed = !show_column(table, c, &columns[count++]);
        }
    }
    if (width && !*failed) {
        fit_columns(columns, count, table->row_count, width);
    }
    if (!*failed) {
        print_columns(columns, count, table->row_count, stream, failed);
    }
    for (size_t c = 0; c < count; c++) {
        for (size_t r = 0; columns[c].texts && r <= table->row_count; r++) {
            free(columns[c].texts[r]);
        }
        free(columns[c].texts);
    }
    free(columns);
}

/* A line of a record: the heading (once for a list) and the value. */
static void add_record_line(struct libscols_table *sheet, const char *heading, char *value,
                            bool *failed)
{
    struct libscols_line *line = value ? scols_table_new_line(sheet, NULL) : NULL;
    if (!line || scols_line_set_data(line, 0, heading) != 0 ||
        scols_line_refer_data(line, 1, value) != 0) {
        free(value);
        *failed = true;
    }
}

/* The row of a list on one line, malloc'd; NULL for want of memory. */
static char *readable_list_row(const cs_table *list, size_t row)
{
    char *joined = NULL, *safe = NULL;
    size_t size;
    FILE *stream = open_memstream(&joined, &size);
    if (!stream) {
        return NULL;
    }
    put_list_row(list, row, CS_COLUMN_PEOPLE, "  ", stream);
    if (fclose(stream) != 0) {
        free(joined);
        return NULL;
    }
    stream = open_memstream(&safe, &size);
    if (stream) {
        cs_text_put(stream, joined);
        if (fclose(stream) != 0) {
            free(safe);
            safe = NULL;
        }
    }
    free(joined);
    return safe;
}

static void put_people_record(const cs_table *table, FILE *stream, bool *failed)
{
    struct libscols_table *sheet = new_sheet(stream);
    *failed = *failed || !sheet || scols_table_enable_noheadings(sheet, 1) != 0 ||
              !scols_table_new_column(sheet, "field", 0, 0) ||
              !scols_table_new_column(sheet, "value", 0, 0);
    for (size_t c = 0; c < table->column_count && !*failed; c++) {
        table_cell value = cell_at(table, 0, c);
        const char *heading = text_at(table, table->columns[c].heading);
        if (!(table->columns[c].flags & CS_COLUMN_PEOPLE) || value.kind == CELL_NOTHING) {
            continue;
        }
        if (value.kind != CELL_LIST) {
            add_record_line(sheet, heading, readable(table, value, column_decimals(table, c)),
                            failed);
        }
        for (size_t r = 0; value.kind == CELL_LIST && r < value.list->row_count && !*failed; r++) {
            add_record_line(sheet, r ? "" : heading, readable_list_row(value.list, r), failed);
        }
    }
    if (!*failed) {
        *failed = scols_print_table(sheet) != 0;
    }
    scols_unref_table(sheet);
}

static cs_status finish(FILE *stream, bool failed, cs_error *err)
{
    if (failed) {
        return cs_fail_memory(err);
    }
    return ferror(stream) ? cs_fail(err, CS_EIO, "the output cannot be written") : CS_OK;
}

cs_status cs_table_print(const cs_table *table, cs_format format, FILE *stream, size_t width,
                         cs_error *err)
{
    bool failed = table->failed;
    if (failed) {
        return finish(stream, failed, err);
    }
    switch (format) {
    case CS_FORMAT_TABLE:
        put_people(table, stream, width, &failed);
        break;
    case CS_FORMAT_CSV:
        put_csv(table, stream, &failed);
        break;
    case CS_FORMAT_JSON:
        put_json(table, stream);
        break;
    }
    return finish(stream, failed, err);
}

cs_status cs_table_print_record(const cs_table *table, cs_format format, FILE *stream,
                                cs_error *err)
{
    assert(table->failed || table->row_count == 1);
    bool failed = table->failed;
    if (failed) {
        return finish(stream, failed, err);
    }
    switch (format) {
    case CS_FORMAT_TABLE:
        put_people_record(table, stream, &failed);
        break;
    case CS_FORMAT_CSV:
        put_csv(table, stream, &failed);
        break;
    case CS_FORMAT_JSON:
        put_json_object(table, 0, stream);
        fputc('\n', stream);
        break;
    }
    return finish(stream, failed, err);
}

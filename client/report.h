/* The report of simulate: one design or several, compared with the first, as a table, CSV or JSON.
 */
#ifndef CS_CLIENT_REPORT_H
#define CS_CLIENT_REPORT_H

#include "client/simulation.h"
#include "client/table.h"

/* The design as its file has it, or with what --set and --sweep change. */
typedef struct cs_report_design {
    char *label; /* what is set; owned */
    char *why;   /* why it differs from the unchanged one, or cannot run; owned, or NULL */
    cs_simulation simulation;
} cs_report_design;

typedef struct cs_report {
    cs_simulation_names names; /* borrowed */
    cs_simulation_setup setup;
    cs_report_design *designs; /* owned; the unchanged one first */
    size_t count;
    bool per_layer; /* show the layers of each design, too */
} cs_report;

/* Free what a report owns. */
void cs_report_release(cs_report *report);

bool cs_report_is_feasible(const cs_report_design *design);

/* "unchanged", or what is set. */
const char *cs_report_label(const cs_report *report, size_t index);

/* Print on stdout for a terminal of `width` (0: no limit); in CSV and JSON, what rests on recalled
 * constants is told on stderr. CS_ENOMEM, CS_EIO. */
CS_MUST_CHECK cs_status cs_report_print(const cs_report *report, cs_format format, size_t width,
                                        cs_error *err);

#endif

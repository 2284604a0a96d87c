/* Metrics: what is known of a candidate, under the names that jobs, tables and files use. */
#ifndef CS_SEARCH_METRIC_H
#define CS_SEARCH_METRIC_H

#include <stdbool.h>

/* Metrics of one quantity differ by a constant factor only, so two of them are one objective. */
typedef enum cs_quantity {
    CS_QUANTITY_ACCURACY,
    CS_QUANTITY_LATENCY,
    CS_QUANTITY_ENERGY,
    CS_QUANTITY_AREA,
    CS_QUANTITY_MACS,
    CS_QUANTITY_PARAMETERS,
    CS_QUANTITY_UTILIZATION,
} cs_quantity;

/* The first CS_METRIC_RECORDED are recorded for every candidate (the accuracy where there is a
 * predictor), the others where a job names them. */
typedef enum cs_metric_id {
    CS_METRIC_PROXY_TOP1,
    CS_METRIC_LATENCY_MS,
    CS_METRIC_ENERGY_MJ,
    CS_METRIC_AREA_MM2,
    CS_METRIC_AREA_RATIO,
    CS_METRIC_MACS_M,
    CS_METRIC_PARAMS_M,
    CS_METRIC_UTILIZATION,
    CS_METRIC_COUNT
} cs_metric_id;

#define CS_METRIC_RECORDED 5

typedef struct cs_metric {
    const char *key;
    const char *unit;
    const char *text; /* one line for people */
    bool maximize;
    cs_quantity quantity;
} cs_metric;

extern const cs_metric cs_metrics[CS_METRIC_COUNT];

/* The id of a key, or CS_METRIC_COUNT. */
cs_metric_id cs_metric_find(const char *key);

#endif

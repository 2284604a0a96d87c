/* Metrics: see metric.h. */
#include "search/metric.h"

#include <string.h>

const cs_metric cs_metrics[CS_METRIC_COUNT] = {
    [CS_METRIC_PROXY_TOP1] = {"proxy_top1", "%",
                              "short-schedule proxy of ImageNet top-1, predicted; not a final "
                              "accuracy",
                              true, CS_QUANTITY_ACCURACY},
    [CS_METRIC_LATENCY_MS] = {"latency_ms", "ms", "one inference, simulated", false,
                              CS_QUANTITY_LATENCY},
    [CS_METRIC_ENERGY_MJ] = {"energy_mj", "mJ", "one inference, simulated", false,
                             CS_QUANTITY_ENERGY},
    [CS_METRIC_AREA_MM2] = {"area_mm2", "mm2", "chip area at the technology's node", false,
                            CS_QUANTITY_AREA},
    [CS_METRIC_AREA_RATIO] = {"area_ratio", "x", "chip area over the baseline's", false,
                              CS_QUANTITY_AREA},
    [CS_METRIC_MACS_M] = {"macs_m", "M", "multiply-accumulates of one inference", false,
                          CS_QUANTITY_MACS},
    [CS_METRIC_PARAMS_M] = {"params_m", "M", "trainable parameters", false, CS_QUANTITY_PARAMETERS},
    [CS_METRIC_UTILIZATION] = {"utilization", "", "MACs over peak MACs in the latency", true,
                               CS_QUANTITY_UTILIZATION},
};

cs_metric_id cs_metric_find(const char *key)
{
    int id = 0;
    while (id < CS_METRIC_COUNT && strcmp(cs_metrics[id].key, key) != 0) {
        id++;
    }
    return (cs_metric_id)id;
}

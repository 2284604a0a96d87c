/* Traces: see trace.h. The format is "Trace Event Format" of the Chromium project. */
#include "client/trace.h"

#include "base/file.h"
#include "sim/simulator/event.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

#define LAYER_TRACK 0u /* resources follow */

typedef struct trace {
    FILE *stream;
    const cs_network *network;
    const cs_schedule *schedule;
    cs_layer_id layer;
    double layer_start_s, layer_end_s;
    int64_t end_ns[1 + CS_RESOURCE_COUNT]; /* of what is on the tracks */
    bool any, failed;
} trace;

/* One event a line, written at once: a tree of them all would take hundreds of megabytes. Takes the
 * reference. */
static void put(trace *t, json_t *event)
{
    if (!event) {
        t->failed = true;
        return;
    }
    fputs(t->any ? ",\n" : "", t->stream);
    t->any = true;
    t->failed |= json_dumpf(event, t->stream, JSON_FLAGS) != 0;
    json_decref(event);
}

static void put_track(trace *t, unsigned track, const char *name)
{
    put(t, json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "name", "thread_name", "ph", "M", "pid", 1,
                     "tid", (int)track, "args", "name", name));
    put(t, json_pack("{s:s, s:s, s:i, s:i, s:{s:i}}", "name", "thread_sort_index", "ph", "M", "pid",
                     1, "tid", (int)track, "args", "sort_index", (int)track));
}

/* A layer's name, or what it does where it has none that is text. */
static json_t *layer_name(const trace *t, cs_layer_id id)
{
    const cs_layer *layer = &t->network->layers[id];
    const char *name = cs_layer_name(t->network, layer);
    json_t *string = *name ? json_string(name) : NULL;
    return string ? string : json_string(cs_op_name(layer->op));
}

/* Readers count in whole nanoseconds and want slices of a track not to overlap by one. */
static void put_slice(trace *t, unsigned track, json_t *name, double start_s, double end_s,
                      json_t *args)
{
    int64_t start = llround(start_s * 1e9), end = llround(end_s * 1e9);
    start = start > t->end_ns[track] ? start : t->end_ns[track];
    end = end > start ? end : start;
    t->end_ns[track] = end;
    put(t, json_pack("{s:o, s:s, s:i, s:i, s:f, s:f, s:o}", "name", name, "ph", "X", "pid", 1,
                     "tid", (int)track, "ts", (double)start / 1e3, "dur",
                     (double)(end - start) / 1e3, "args", args));
}

/* The layer whose instructions have been told lasts from the end of the one before. */
static void end_layer(trace *t)
{
    if (t->layer_end_s > t->layer_start_s) {
        put_slice(t, LAYER_TRACK, layer_name(t, t->layer), t->layer_start_s, t->layer_end_s,
                  json_pack("{s:i}", "layer", (int)t->layer));
        t->layer_start_s = t->layer_end_s;
    }
}

static void take(void *context, const cs_event *event)
{
    trace *t = context;
    if (event->layer != t->layer) {
        end_layer(t);
        t->layer = event->layer;
    }
    t->layer_end_s = event->end_s > t->layer_end_s ? event->end_s : t->layer_end_s;
    json_t *args =
        json_pack("{s:i, s:o}", "layer", (int)event->layer, "name", layer_name(t, event->layer));
    if (t->schedule->steps[event->layer]->strips > 1) {
        (void)json_object_set_new(args, "strip", json_integer(event->strip));
    }
    if (event->fills > 0) {
        (void)json_object_set_new(args, "pass", json_integer(event->pass));
        (void)json_object_set_new(args, "first fill", json_integer((json_int_t)event->fill));
        (void)json_object_set_new(args, "fills", json_integer((json_int_t)event->fills));
    }
    if (event->bytes > 0) {
        (void)json_object_set_new(args, "bytes", json_integer((json_int_t)event->bytes));
    }
    put_slice(t, 1 + event->resource, json_string(event->what), event->start_s, event->end_s, args);
}

cs_status cs_trace_write(const char *path, const cs_network *network,
                         const cs_accelerator *accelerator, const cs_schedule *schedule,
                         cs_error *err)
{
    char *text = NULL;
    size_t size;
    trace t = {.stream = open_memstream(&text, &size), .network = network, .schedule = schedule};
    if (!t.stream) {
        return cs_fail_memory(err);
    }
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", t.stream);
    put_track(&t, LAYER_TRACK, "layers");
    for (unsigned r = 0; r < CS_RESOURCE_COUNT; r++) {
        put_track(&t, 1 + r, cs_resource_name((cs_resource)r));
    }
    cs_event_tell(network, accelerator, schedule, &(cs_event_sink){take, &t});
    end_layer(&t);
    fputs("\n]}\n", t.stream);
    bool whole = !ferror(t.stream) && !t.failed;
    whole &= fclose(t.stream) == 0;
    cs_status status = whole ? cs_file_write(path, text, size, err) : cs_fail_memory(err);
    free(text);
    return status;
}

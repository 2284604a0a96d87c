/* The simulator `event`: the instructions of a schedule, each served by one resource.
 *
 * Every resource serves its instructions in the order of the schedule. An instruction begins when
 * its resource is free and the first part of what it needs is there; it ends no sooner than one
 * part after the last of what it needs. So every time is a maximum of sums of durations: one pass
 * gives all, and no time grows with a faster clock or link.
 *
 * A step's fills are told in parts: one each, or groups of equal size where there are many. Its
 * strips, results and transfers are spread over the parts evenly, to the cycle and byte. */
#include "sim/simulator/event.h"

#include "sim/compiler/step.h"
#include "sim/compiler/timing.h"
#include "sim/simulator/cost.h"

static double max_f64(double a, double b)
{
    return a > b ? a : b;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- even shares ---- */

/* A whole number of units, handed out in `count` shares that differ by one at most: after k of them
 * floor(k * total / count) are gone. */
typedef struct share {
    uint64_t least, rest, count, carry;
    double least_s, more_s;
} share;

static share share_of(uint64_t total, uint64_t count, double units_per_s)
{
    uint64_t least = total / count;
    return (share){
        .least = least,
        .rest = total % count,
        .count = count,
        .least_s = (double)least / units_per_s,
        .more_s = (double)(least + 1) / units_per_s,
    };
}

static double next_share(share *s, uint64_t *units)
{
    s->carry += s->rest;
    bool more = s->carry >= s->count;
    s->carry -= more ? s->count : 0;
    *units = s->least + more;
    return more ? s->more_s : s->least_s;
}

/* ---- the machine in time ---- */

/* When the first part of something is there, and when all of it. */
typedef struct arrival {
    double first_s, all_s;
} arrival;

typedef struct event_run {
    cs_rates rates;
    const cs_event_sink *sink; /* NULL: nobody listens */
    uint64_t most_parts;
    double now_s; /* the step before has ended */
    double free_s[CS_RESOURCE_COUNT];
    double prefetch_free_s; /* the place of weights that come ahead */
} event_run;

static event_run start_run(const cs_accelerator *accelerator, const cs_schedule *schedule,
                           const cs_event_sink *sink)
{
    return (event_run){
        .rates = cs_rates_of(accelerator),
        .sink = sink,
        .most_parts = max_u64(CS_EVENT_PARTS / schedule->step_count, CS_EVENT_MIN_PARTS),
    };
}

/* Where in a step an instruction belongs. */
typedef struct place {
    cs_layer_id layer;
    const cs_step *step;
    uint64_t part, parts, strip, strips; /* strips 0: before or after all of them */
    bool of_fills;                       /* it belongs to the fills of its part */
} place;

/* What ends at end_s and has kept a resource busy for busy_s. While it waits for more of its input
 * a resource does nothing, so it is shown in one piece at the end. */
static void tell(const event_run *run, const place *at, cs_resource resource, const char *what,
                 double end_s, double busy_s, uint64_t bytes)
{
    if (!run->sink || busy_s <= 0) {
        return;
    }
    const cs_step *step = at->step;
    cs_event event = {
        .resource = resource,
        .layer = at->layer,
        .what = what,
        .start_s = end_s - busy_s,
        .end_s = end_s,
        .bytes = bytes,
    };
    if (at->strips > 0) {
        event.strip = (uint32_t)(at->strip * step->strips / at->strips);
    }
    if (at->of_fills && step->fills > 0) {
        uint64_t each = step->fills / at->parts, rest = step->fills % at->parts;
        event.fill = each * at->part + rest * at->part / at->parts;
        event.fills = each * (at->part + 1) + rest * (at->part + 1) / at->parts - event.fill;
        event.pass = (uint32_t)(event.fill / step->core_fills % step->channel_passes);
    }
    run->sink->take(run->sink->context, &event);
}

/* Serve an instruction that needs all of its input at once. */
static double serve(event_run *run, const place *at, cs_resource resource, const char *what,
                    double ready_s, double busy_s, uint64_t bytes)
{
    double end = max_f64(run->free_s[resource], ready_s) + busy_s;
    run->free_s[resource] = end;
    tell(run, at, resource, what, end, busy_s, bytes);
    return end;
}

/* ---- one step ---- */

/* The share of a fill's weights that the ring passes on, or lanes take, at a time: a row. */
static double row_of(cs_kind kind, const cs_step *step)
{
    switch (kind) {
    case CS_KIND_FILLS:
        return 1.0 / (double)max_u64(1, step->knobs.fill_rows);
    case CS_KIND_DENSE:
    case CS_KIND_CELL:
        return (double)step->fills / (double)max_u64(1, step->compute_cycles);
    default:
        return 1;
    }
}

/* Weights of a step that cross the link while it runs; the rest of what is read are tensors. */
static uint64_t streamed_bytes(const cs_step *step)
{
    bool streams = step->weight_bytes > 0 && !step->cached && !step->prefetched;
    return streams ? min_u64(step->off_chip_read_bytes, step->weight_bytes * step->weight_passes)
                   : 0;
}

/* The input of the strip after this one, which comes in pieces beside the weights. */
typedef struct strip_input {
    share pieces;
    uint64_t strip;
    uint64_t left;  /* pieces that are to come */
    double ready_s; /* its place is free */
    double here_s;  /* all of it is there */
} strip_input;

static strip_input expect_input(uint64_t strip, uint64_t bytes, uint64_t pieces, double bytes_per_s,
                                double ready_s)
{
    return (strip_input){
        .pieces = share_of(bytes, pieces, bytes_per_s),
        .strip = strip,
        .left = bytes > 0 ? pieces : 0,
        .ready_s = ready_s,
    };
}

static void bring_piece(event_run *run, const place *at, strip_input *input)
{
    if (input->left > 0) {
        uint64_t bytes;
        double busy = next_share(&input->pieces, &bytes);
        place strip = *at;
        strip.strip = input->strip;
        strip.of_fills = false;
        input->here_s =
            serve(run, &strip, CS_RESOURCE_LINK_IN, "input", input->ready_s, busy, bytes);
        input->left--;
    }
}

/* A step's instructions on their way, part by part. Times named _1 are of the part (strip) before
 * this one, _2 of the one before that. */
typedef struct course {
    event_run *run;
    place at;
    double begin_s;
    double row;      /* see row_of */
    bool rows_enter; /* lanes take rows of weights as they come, as in streamed dense layers */
    uint64_t parts, strips;
    uint64_t first_parts; /* of the first strip */
    uint64_t weight_bytes, in_bytes;
    uint64_t head_bytes, tail_bytes; /* tensors of the first strip, results of the last */
    double load_start_s, load_s;     /* of weights that come ahead */
    double exchanged_s;
    share fills, waits, compute, sums, weights, inputs, results, strip_ends;
    strip_input input, next;
    bool strip_starts;
    double ring_1, ring_2, lanes_1, lanes_2, written_1, written_2;
} course;

static uint64_t first_part(const course *c, uint64_t strip)
{
    return (strip * c->parts + c->strips - 1) / c->strips;
}

static course start_course(event_run *run, const place *at, const cs_layer *layer, double begin)
{
    const cs_step *step = at->step;
    const cs_rates *rates = &run->rates;
    uint64_t parts = min_u64(max_u64(max_u64(step->fills, step->strips), 1), run->most_parts);
    uint64_t strips = min_u64(max_u64(step->strips, 1), parts);
    uint64_t weights = streamed_bytes(step);
    uint64_t inputs = step->off_chip_read_bytes - weights;
    course c = {
        .run = run,
        .at = *at,
        .begin_s = begin,
        .row = row_of(cs_kind_of(layer), step),
        .rows_enter = step->stream_cycles > 0,
        .parts = parts,
        .strips = strips,
        .weight_bytes = weights,
        .in_bytes = inputs,
        .load_start_s = begin,
        .fills = share_of(max_u64(step->fill_cycles, step->stream_cycles), parts, rates->clock_hz),
        .waits = share_of(step->fill_cycles, parts, rates->clock_hz),
        .compute = share_of(step->compute_cycles, parts, rates->clock_hz),
        .sums = share_of(step->sum_cycles, parts, rates->clock_hz),
        .weights = share_of(weights, parts, rates->in_bytes_per_s),
        .head_bytes = strips > 1 ? step->head_bytes : inputs,
        .tail_bytes = strips > 1 ? step->tail_bytes : step->off_chip_write_bytes,
        .strip_ends = share_of(strips, parts, 1),
        .next = {.here_s = begin},
        .strip_starts = true,
        .ring_1 = begin,
        .ring_2 = begin,
        .lanes_1 = begin,
        .lanes_2 = begin,
        .written_1 = begin,
        .written_2 = begin,
    };
    c.at.parts = parts;
    c.at.strips = strips;
    c.first_parts = first_part(&c, 1);
    uint64_t others = max_u64(strips - 1, 1);
    c.inputs = share_of(inputs - c.head_bytes, others, rates->in_bytes_per_s);
    c.results = share_of(step->off_chip_write_bytes - c.tail_bytes, others, rates->out_bytes_per_s);
    return c;
}

/* What comes before the first part: weights ahead, the first strip's input, the exchange. */
static void bring_first(course *c)
{
    event_run *run = c->run;
    const cs_step *step = c->at.step;
    if (step->prefetched) {
        c->load_s = (double)step->weight_bytes / run->rates.in_bytes_per_s;
        c->load_start_s = max_f64(run->free_s[CS_RESOURCE_LINK_IN], run->prefetch_free_s);
        (void)serve(run, &c->at, CS_RESOURCE_LINK_IN, "weights ahead", c->load_start_s, c->load_s,
                    step->weight_bytes);
    }
    c->input = expect_input(0, c->head_bytes, 1, run->rates.in_bytes_per_s, c->begin_s);
    bring_piece(run, &c->at, &c->input);
    c->exchanged_s = serve(run, &c->at, CS_RESOURCE_MESH, "exchange", c->begin_s,
                           (double)step->exchange_cycles / run->rates.clock_hz, 0);
}

/* Its input has been brought while the strip before it was made; that of the next is to come. */
static void start_strip(course *c)
{
    uint64_t strip = c->at.part * c->strips / c->parts;
    c->at.strip = strip;
    if (strip > 0) {
        c->input = c->next;
        c->next = (strip_input){.here_s = c->begin_s};
    }
    if (c->in_bytes > 0 && strip + 1 < c->strips) {
        uint64_t bytes;
        (void)next_share(&c->inputs, &bytes);
        c->next = expect_input(strip + 1, bytes, first_part(c, strip + 1) - c->at.part,
                               c->run->rates.in_bytes_per_s, c->lanes_1);
    }
}

/* The part's weights into one of two places before the ring. */
static arrival bring_weights(course *c)
{
    uint64_t bytes;
    double busy = next_share(&c->weights, &bytes);
    if (c->weight_bytes > 0) {
        double all = serve(c->run, &c->at, CS_RESOURCE_LINK_IN, "weights", c->ring_2, busy, bytes);
        return (arrival){all - busy + busy * c->row, all};
    }
    if (c->at.step->prefetched && c->at.strip == 0) {
        double part = (double)c->at.part, parts = (double)c->first_parts;
        return (arrival){c->load_start_s + c->load_s * ((part + c->row) / parts),
                         c->load_start_s + c->load_s * ((part + 1) / parts)};
    }
    return (arrival){c->begin_s, c->begin_s};
}

/* The ring into the FIFO, then the lanes, with the port of wide memory for their partial sums. */
static void work(course *c, arrival weights)
{
    event_run *run = c->run;
    const cs_step *step = c->at.step;
    uint64_t units;
    double fill_s = next_share(&c->fills, &units);
    double wait_s = next_share(&c->waits, &units);
    double row_s = c->row * fill_s;
    double ring_start =
        max_f64(run->free_s[CS_RESOURCE_RING],
                max_f64(weights.first_s, step->knobs.ahead ? c->lanes_2 : c->lanes_1));
    double ring = max_f64(ring_start + fill_s, weights.all_s + row_s);
    run->free_s[CS_RESOURCE_RING] = ring;
    tell(run, &c->at, CS_RESOURCE_RING, "fill", ring, fill_s, 0);

    double compute_s = next_share(&c->compute, &units);
    double sum_s = next_share(&c->sums, &units);
    double work_s = compute_s + sum_s;
    double start = max_f64(run->free_s[CS_RESOURCE_LANES],
                           c->rows_enter ? ring_start + max_f64(wait_s, row_s) : ring);
    if (c->at.part == 0 && step->exchange_cycles > 0) {
        /* The exchange hides behind the first fill alone, not all fills of a part. */
        double others = step->fills > c->parts ? 1 - (double)c->parts / (double)step->fills : 0;
        start = max_f64(start, c->exchanged_s + fill_s * others);
    }
    if (c->strip_starts) {
        start = max_f64(start, max_f64(c->input.here_s, c->written_2));
    }
    double lanes = max_f64(start + work_s, c->rows_enter ? ring + work_s * c->row : ring);
    run->free_s[CS_RESOURCE_LANES] = lanes;
    tell(run, &c->at, CS_RESOURCE_LANES, "compute", lanes - sum_s, compute_s, 0);
    tell(run, &c->at, CS_RESOURCE_SUMS, "partial sums", lanes, sum_s, 0);
    c->ring_2 = c->ring_1;
    c->ring_1 = ring;
    c->lanes_2 = c->lanes_1;
    c->lanes_1 = lanes;
}

/* Its results leave while the next strip is made. */
static void end_strip(course *c)
{
    c->written_2 = c->written_1;
    const cs_step *step = c->at.step;
    if (step->off_chip_write_bytes > 0) {
        uint64_t bytes = c->tail_bytes;
        double busy = c->at.strip + 1 < c->strips ? next_share(&c->results, &bytes)
                                                  : (double)bytes / c->run->rates.out_bytes_per_s;
        place strip = c->at;
        strip.of_fills = false;
        c->written_1 =
            serve(c->run, &strip, CS_RESOURCE_LINK_OUT, "output", c->lanes_1, busy, bytes);
    }
}

/* What runs of a step once its uploads are there. Returns its end. */
static double run_parts(event_run *run, const place *at, const cs_layer *layer, double begin)
{
    course c = start_course(run, at, layer, begin);
    bring_first(&c);
    c.at.of_fills = true;
    for (uint64_t part = 0; part < c.parts; part++) {
        c.at.part = part;
        if (c.strip_starts) {
            start_strip(&c);
        }
        arrival weights = bring_weights(&c);
        bring_piece(run, &c.at, &c.next);
        work(&c, weights);
        uint64_t strip_ends;
        (void)next_share(&c.strip_ends, &strip_ends);
        c.strip_starts = strip_ends > 0;
        if (c.strip_starts) {
            end_strip(&c);
        }
    }
    return max_f64(max_f64(c.lanes_1, c.written_1), c.load_start_s + c.load_s);
}

/* Advance to the end of a step. */
static void run_step(event_run *run, const cs_network *network, const cs_schedule *schedule,
                     cs_layer_id layer)
{
    const cs_step *step = schedule->steps[layer];
    const cs_rates *rates = &run->rates;
    place at = {.layer = layer, .step = step};
    double begin = run->now_s;
    if (layer == 0) {
        begin = serve(run, &at, CS_RESOURCE_CALL, "call", begin, rates->call_s, 0);
    }
    if (step->upload_bytes > 0) {
        begin = serve(run, &at, CS_RESOURCE_LINK_IN, "upload", begin,
                      (double)step->upload_bytes / rates->in_bytes_per_s, step->upload_bytes);
    }
    if (step->start_s > 0) {
        begin = serve(run, &at, CS_RESOURCE_CALL, "start of stream", begin, step->start_s, 0);
    }
    double end = run_parts(run, &at, &network->layers[layer], begin);
    if (step->prefetched) {
        run->prefetch_free_s = end;
    }
    if (step->collect_bytes > 0) {
        end = serve(run, &at, CS_RESOURCE_LINK_OUT, "collect", end,
                    (double)step->collect_bytes / rates->out_bytes_per_s, step->collect_bytes);
    }
    run->now_s = end;
}

void cs_event_tell(const cs_network *network, const cs_accelerator *accelerator,
                   const cs_schedule *schedule, const cs_event_sink *sink)
{
    event_run run = start_run(accelerator, schedule, sink);
    for (uint32_t i = 0; i < schedule->step_count; i++) {
        run_step(&run, network, schedule, i);
    }
}

static void simulate(const cs_network *network, const cs_accelerator *accelerator,
                     const cs_technology *technology, const cs_schedule *schedule, cs_cost *total,
                     cs_cost *layers)
{
    event_run run = start_run(accelerator, schedule, NULL);
    cs_ledger ledger;
    cs_ledger_open(&ledger, network, accelerator, technology);
    for (uint32_t i = 0; i < schedule->step_count; i++) {
        double before = run.now_s;
        run_step(&run, network, schedule, i);
        cs_ledger_add(&ledger, schedule->steps[i], i == 0, run.now_s - before,
                      layers ? &layers[i] : NULL);
    }
    cs_ledger_close(&ledger, total);
}

const cs_simulator cs_simulator_event = {
    .name = "event",
    .revision = 1,
    .simulate = simulate,
};

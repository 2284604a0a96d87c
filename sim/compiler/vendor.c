/* Policy vendor: see vendor.h for its rules. */
#include "sim/compiler/vendor.h"

#define SMALL_FILL       30u /* up to which all weights in one fill are chosen by positions alone */
#define LONGEST_CHUNK    15u /* of a 1x1 kernel: what a FIFO holds */
#define POOL_WINDOW_ROWS 4u  /* of a position of the transposed window */
#define CHUNK_POSITIONS  64u /* of a PE, in a strip beyond its narrow memory (tinycoral) */

static uint64_t div_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- order of loops ---- */

static uint64_t largest_divisor(uint64_t number, uint64_t limit)
{
    uint64_t divisor = limit;
    while (number % divisor != 0) {
        divisor--;
    }
    return divisor;
}

typedef struct order {
    bool one_fill;
    uint64_t fill_rows;
    uint64_t buffer_rows; /* with partial sums of all positions, however short the strips are */
} order;

/* Of a layer that makes `positions` outputs of a channel in a PE. */
static order order_of(const cs_use *use, const cs_cut *cut, uint64_t ways, uint64_t positions)
{
    uint64_t chunk = cut->taps;
    if (cut->taps == 1) {
        chunk = largest_divisor(cut->words, max_u64(1, min_u64(LONGEST_CHUNK, cut->words / 2)));
    }
    uint64_t chunked_rows = CS_PARTIAL_SUM_ROWS * positions + cs_fifo_rows(chunk, false);
    bool one_fill;
    if (use->layer->in.channels <= ways) {
        one_fill = true;
    } else if (cut->words <= SMALL_FILL) {
        one_fill = cut->words <= positions + cut->taps;
    } else {
        one_fill = CS_FIFO_ROW_ROWS * (cut->words + 1) < chunked_rows;
    }
    return one_fill ? (order){true, cut->words, cs_fifo_rows(cut->words, false)}
                    : (order){false, chunk, chunked_rows};
}

static void set_order(order o, cs_knobs *knobs)
{
    knobs->order = o.one_fill ? CS_ORDER_POSITIONS : CS_ORDER_CHUNKS;
    knobs->fill_rows = (uint32_t)o.fill_rows;
    knobs->ahead = false;
}

void cs_vendor_order(const cs_compiler *c, const cs_use *use, const cs_cut *cut, cs_knobs *knobs)
{
    set_order(order_of(use, cut, c->machine.ways, (uint64_t)cut->rows * cut->cols), knobs);
}

/* ---- strips ---- */

/* Take these strips if they are legal, fit, and are fewer than those that the plan has. */
static void keep_fewer(const cs_compiler *c, const cs_use *use, cs_way *way, cs_residence residence,
                       uint64_t rows, bool *found)
{
    cs_need need;
    cs_knobs knobs = way->knobs;
    knobs.residence = residence;
    knobs.strip_rows = (uint32_t)rows;
    if (cs_need_of(&c->machine, use, &way->cut, &knobs, &need) &&
        need.narrow_bytes <= c->machine.narrow_bytes &&
        (!*found || need.strips < way->need.strips)) {
        way->knobs = knobs;
        way->need = need;
        *found = true;
    }
}

/* The tallest strips of a residence that fit. */
static void keep_tallest(const cs_compiler *c, const cs_use *use, cs_way *way,
                         cs_residence residence, uint64_t tallest, bool *found)
{
    cs_need need;
    cs_knobs knobs = way->knobs;
    knobs.residence = residence;
    for (uint64_t rows = tallest; rows >= 1; rows--) {
        knobs.strip_rows = (uint32_t)rows;
        if (cs_need_of(&c->machine, use, &way->cut, &knobs, &need) &&
            need.narrow_bytes <= c->machine.narrow_bytes) {
            keep_fewer(c, use, way, residence, rows, found);
            return;
        }
    }
}

static bool choose_strips(const cs_compiler *c, const cs_use *use, cs_way *way)
{
    const cs_cut *cut = &way->cut;
    const cs_layer *layer = use->layer;
    uint64_t rows = cut->rows, memory = c->machine.narrow_bytes;
    bool found = false;
    keep_fewer(c, use, way, CS_RESIDENCE_WHOLE, rows, &found);
    if (found || cut->kind == CS_KIND_NOTHING) {
        return true;
    }
    uint64_t cols = max_u64(cut->cols, 1);
    uint64_t chunk = max_u64(1, min_u64(rows, CHUNK_POSITIONS / cols));
    if (use->input_off[0] || use->input_off[1] || use->output_off) {
        keep_tallest(c, use, way, CS_RESIDENCE_WHOLE, rows, &found);
    } else if (cut->inputs > 0) {
        uint64_t input = cut->in_rows[0].most * cut->in_cols[0].most * cut->in_channel_bytes[0];
        uint64_t reach_w = (uint64_t)(layer->kernel_w - 1) * layer->dilation_w + 1;
        uint64_t strip_row = (cols + reach_w - 1) * cut->out_channel_bytes;
        if (rows > 1 && input + strip_row <= memory) {
            uint64_t fit = min_u64((memory - input) / strip_row, div_up(rows, 2));
            keep_fewer(c, use, way, CS_RESIDENCE_INPUT_WHOLE, div_up(rows, div_up(rows, fit)),
                       &found);
        }
        /* In place, the fewer output rows are spare the shorter the strips. Fitted on the ladder of
         * convolutions; strips of 3 for one spare row are observed and not understood. */
        uint64_t row = cols * cut->out_channel_bytes;
        uint64_t lying = max_u64(cut->block_in_bytes[0], rows * row);
        if (lying <= memory) {
            uint64_t spare = (memory - lying) / row;
            uint64_t strip = spare >= 2 ? spare + 1 : spare + 2;
            keep_fewer(c, use, way, CS_RESIDENCE_IN_PLACE, min_u64(chunk, strip), &found);
        }
    }
    keep_tallest(c, use, way, CS_RESIDENCE_WIDE, chunk, &found);
    return found;
}

/* ---- one layer ---- */

/* The window of a pool, transposed. */
static uint64_t pool_reserve_bytes(const cs_compiler *c, const cs_use *use, const cs_cut *cut)
{
    const cs_layer *layer = use->layer;
    uint64_t rows = (uint64_t)(cut->rows - 1) * layer->stride_h + cut->reach;
    uint64_t reach_w = (uint64_t)(layer->kernel_w - 1) * layer->dilation_w + 1;
    uint64_t cols = (uint64_t)(cut->cols - 1) * layer->stride_w + reach_w;
    return POOL_WINDOW_ROWS * rows * div_up(cols, 4) * c->machine.lanes;
}

static bool find_way(const cs_compiler *c, const cs_use *use, cs_way *way)
{
    cs_split split = CS_SPLIT_SPACE;
    if (!cs_cut_make(&c->machine, use, split, split, &way->cut)) {
        split = CS_SPLIT_CHANNELS;
        if (!cs_cut_make(&c->machine, use, split, split, &way->cut)) {
            return false;
        }
    }
    way->knobs = (cs_knobs){.split_y = split, .split_x = split, .strip_rows = way->cut.rows};
    way->need = (cs_need){.strips = 1};
    way->reserve_bytes = 0;
    if (way->cut.kind == CS_KIND_FILLS) {
        uint64_t positions = (uint64_t)way->cut.rows * way->cut.cols;
        order o = order_of(use, &way->cut, c->machine.ways, positions);
        way->reserve_bytes = o.buffer_rows * c->machine.lanes;
        if (!cs_compiler_has(c, CS_MECHANISM_SPACE_SPLIT)) {
            /* The buffers stay those of the block; only the order of fills is chosen anew. */
            o = order_of(use, &way->cut, c->machine.ways, way->cut.places);
        }
        set_order(o, &way->knobs);
    } else if (way->cut.kind == CS_KIND_POOL) {
        way->reserve_bytes = pool_reserve_bytes(c, use, &way->cut);
    }
    if (!choose_strips(c, use, way)) {
        return false;
    }
    way->instruction_bytes = cs_layer_instruction_bytes(use->layer, way->need.strips);
    cs_step_make(&c->machine, use, &way->cut, &way->knobs, &way->need, &way->step);
    /* Tensors cross the link before and after, as inputs and outputs of the network do. */
    way->step.head_bytes = way->step.off_chip_read_bytes;
    way->step.tail_bytes = way->step.off_chip_write_bytes;
    return true;
}

bool cs_vendor_choose(const cs_compiler *c, cs_layer_id id)
{
    cs_layer_plan *plan = &c->plans[id];
    cs_memo_entry *entry = plan->entry;
    cs_way *way = entry ? &entry->vendor : &c->ways[id];
    bool legal = entry && entry->vendor_known ? entry->vendor_legal : find_way(c, &plan->use, way);
    if (entry) {
        entry->vendor_known = true;
        entry->vendor_legal = legal;
    }
    if (!legal) {
        return false;
    }
    plan->way = way;
    plan->reserve_bytes = way->reserve_bytes;
    if (way->cut.kind == CS_KIND_POOL) {
        /* The layer before it still runs. */
        plan->reserve_bytes +=
            c->plans[cs_layer_inputs(c->network, plan->use.layer)[0]].reserve_bytes;
    }
    return true;
}

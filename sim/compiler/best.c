/* Policy best: see best.h. */
#include "sim/compiler/best.h"

#include "sim/compiler/vendor.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Bounds on the memory of a step that are tried below the one that no layer feels, each 5/8 of
 * the last; and how much a branch and bound over the cached set may look at. */
#define BOUNDS         10
#define KNAPSACK_NODES 300
#define NONE           UINT32_MAX

/* Rounds in which tensors move off chip until all steps fit. Each costs time for all layers: of a
 * network that takes more the vendor's schedule stands. */
#define ROUNDS       32u
#define LAYER_ROUNDS 8192u

/* What not using the link is worth where it costs no time, of the time that it is in use. */
#define LITTLE 1e-6

static uint64_t div_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static double max_f64(double a, double b)
{
    return a > b ? a : b;
}

/* ---- ways to run a layer ---- */

typedef struct option_list {
    const cs_compiler *c;
    const cs_use *use;
    uint64_t idle_bytes; /* beside the step */
    cs_option *options;
    uint32_t count;
    bool pinned;     /* only what the pins allow */
    bool all;        /* also what is slower and takes less memory */
    bool crowded;    /* partial sums were too large for a way */
    bool whole_fits; /* the vendor's way where memory is ample */
    struct {
        bool known, legal;
        cs_need need;
    } places[2]; /* of the strips that are tried, for each order */
    struct {
        bool known, legal;
        cs_cut cut;
    } cuts[4]; /* by both splits */
} option_list;

/* Begin a list in an array for CS_BEST_MAX_OPTIONS ways. */
static void open_list(option_list *list, const cs_compiler *c, const cs_use *use,
                      uint64_t idle_bytes, bool all, cs_option *options)
{
    list->c = c;
    list->use = use;
    list->idle_bytes = idle_bytes;
    list->options = options;
    list->count = 0;
    list->pinned = list->crowded = list->whole_fits = false;
    list->all = all;
    for (size_t i = 0; i < sizeof list->cuts / sizeof list->cuts[0]; i++) {
        list->cuts[i].known = false;
    }
}

/* The cut by such splits; NULL where they are not legal. */
static const cs_cut *cut_by(option_list *list, cs_split y, cs_split x)
{
    size_t i = 2 * (y == CS_SPLIT_CHANNELS) + (x == CS_SPLIT_CHANNELS);
    if (!list->cuts[i].known) {
        list->cuts[i].known = true;
        list->cuts[i].legal = cs_cut_make(&list->c->machine, list->use, y, x, &list->cuts[i].cut);
    }
    return list->cuts[i].legal ? &list->cuts[i].cut : NULL;
}

/* Seconds of a step that runs for `cycles`. */
static void time_option(const cs_compiler *c, const cs_use *use, const cs_cut *cut,
                        cs_option *option)
{
    double in = c->rates.in_bytes_per_s, out = c->rates.out_bytes_per_s;
    double run_s = (double)option->run_cycles / c->rates.clock_hz;
    double read_s = 0, write_s = 0, ends_s = 0;
    for (uint32_t k = 0; k < cut->inputs; k++) {
        if (use->input_off[k]) {
            double bytes = (double)cut->link_bytes[k];
            read_s += bytes / in;
            ends_s += bytes / in / option->strips;
        }
    }
    if (use->output_off) {
        write_s = (double)cs_shape_elements(use->layer->out) / out;
        ends_s += write_s / option->strips;
    }
    double passes = cut->kind == CS_KIND_CELL ? (double)cut->places : option->strips;
    double weights = (double)cut->weight_bytes * passes;
    bool dense = cut->kind == CS_KIND_DENSE || cut->kind == CS_KIND_CELL;
    double ring_s =
        dense ? (double)cs_ring_cycles(&c->machine, (uint64_t)weights) / c->rates.clock_hz : 0;
    double sent_s = (double)cs_layer_instruction_bytes(use->layer, option->strips) / in;
    option->cached_s = max_f64(run_s + ends_s, max_f64(read_s, write_s)) + sent_s;
    option->streamed_s =
        max_f64(max_f64(run_s + ends_s, ring_s), max_f64(read_s + weights / in, write_s)) + sent_s;
}

/* Wide memory of a step that runs so. */
static uint64_t wide_of(const cs_machine *machine, uint64_t idle_bytes, const cs_option *option)
{
    uint64_t tensors = option->narrow_bytes + idle_bytes;
    uint64_t beyond = tensors > machine->narrow_bytes ? tensors - machine->narrow_bytes : 0;
    return option->wide_bytes + (machine->shared ? tensors : beyond);
}

static bool beats(const cs_option *a, const cs_option *b)
{
    return a->kept_bytes <= b->kept_bytes && a->cached_s <= b->cached_s &&
           a->streamed_s <= b->streamed_s;
}

/* Of a short list: the fastest when parameters are cached first, when they are streamed second. */
static void keep_fastest(option_list *list, const cs_option *option)
{
    cs_option *o = list->options;
    if (list->count == 0) {
        o[0] = o[1] = *option;
        list->count = 2;
        return;
    }
    if (option->cached_s < o[0].cached_s ||
        (option->cached_s == o[0].cached_s && option->kept_bytes < o[0].kept_bytes)) {
        o[0] = *option;
    }
    if (option->streamed_s < o[1].streamed_s ||
        (option->streamed_s == o[1].streamed_s && option->kept_bytes < o[1].kept_bytes)) {
        o[1] = *option;
    }
}

/* Keep an option unless another is at least as good in everything; drop those that it beats. A list
 * that is full loses its slowest, but never the one that takes least memory. */
static void keep(option_list *list, const cs_option *option)
{
    if (!list->all) {
        keep_fastest(list, option);
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (beats(&list->options[i], option)) {
            return;
        }
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (!beats(option, &list->options[i])) {
            list->options[kept++] = list->options[i];
        }
    }
    list->count = kept;
    if (kept < CS_BEST_MAX_OPTIONS) {
        list->options[list->count++] = *option;
        return;
    }
    const cs_option *smallest = option, *slowest = NULL;
    for (uint32_t i = 0; i < kept; i++) {
        const cs_option *o = &list->options[i];
        smallest = o->kept_bytes < smallest->kept_bytes ? o : smallest;
    }
    for (uint32_t i = 0; i <= kept; i++) {
        const cs_option *o = i < kept ? &list->options[i] : option;
        if (o != smallest &&
            (!slowest || o->cached_s + o->streamed_s > slowest->cached_s + slowest->streamed_s)) {
            slowest = o;
        }
    }
    if (slowest != option) {
        list->options[slowest - list->options] = *option;
    }
}

static bool is_allowed(const option_list *list, const cs_knobs *knobs, const cs_cut *cut)
{
    const cs_pins *pins = &list->c->options.pins;
    bool fills = cut->kind == CS_KIND_FILLS;
    return !list->pinned || (cs_pins_allow(pins, CS_PIN_SPLIT_Y, knobs->split_y) &&
                             cs_pins_allow(pins, CS_PIN_SPLIT_X, knobs->split_x) &&
                             cs_pins_allow(pins, CS_PIN_RESIDENCE, knobs->residence) &&
                             (!fills || (cs_pins_allow(pins, CS_PIN_ORDER, knobs->order) &&
                                         cs_pins_allow(pins, CS_PIN_AHEAD, knobs->ahead))));
}

/* List a way, if the knobs are legal and allowed; whether it fits. */
static bool try_knobs(option_list *list, const cs_cut *cut, const cs_knobs *knobs)
{
    const cs_compiler *c = list->c;
    if (!is_allowed(list, knobs, cut)) {
        return false;
    }
    size_t order = cut->kind == CS_KIND_FILLS && knobs->order == CS_ORDER_CHUNKS;
    if (!list->places[order].known) {
        list->places[order].known = true;
        list->places[order].legal =
            cs_need_place(&c->machine, list->use, cut, knobs, &list->places[order].need);
    }
    cs_need need = list->places[order].need;
    if (!list->places[order].legal || !cs_need_run(&c->machine, list->use, cut, knobs, &need)) {
        return false;
    }
    if (!cs_plan_fits(&c->machine, &need, list->idle_bytes)) {
        uint64_t fifo = cs_fifo_rows(knobs->fill_rows, knobs->ahead) * c->machine.lanes;
        list->crowded |= knobs->order == CS_ORDER_CHUNKS && cut->kind == CS_KIND_FILLS &&
                         fifo <= cs_plan_wide_memory(&c->machine) + c->machine.overhang_bytes;
        return false;
    }
    uint64_t run_cycles = cs_need_run_cycles(&need, knobs->ahead);
    double run_s = (double)run_cycles / c->rates.clock_hz;
    if (!list->all && list->count > 0 && run_s > list->options[0].cached_s &&
        run_s > list->options[1].streamed_s) {
        return true; /* it takes longer than that whatever the link does */
    }
    cs_option option = {
        .knobs = *knobs,
        .strips = need.strips,
        .narrow_bytes = need.narrow_bytes,
        .wide_bytes =
            cs_plan_wide_bytes(&c->machine, &need, 0) - (c->machine.shared ? need.narrow_bytes : 0),
        .run_cycles = run_cycles,
        .fills = need.fills,
    };
    option.kept_bytes = wide_of(&c->machine, list->idle_bytes, &option);
    time_option(c, list->use, cut, &option);
    keep(list, &option);
    return true;
}

/* What the vendor would do with the fills of a layer. */
static void try_vendor_order(option_list *list, const cs_cut *cut, cs_knobs *knobs)
{
    if (cut->kind == CS_KIND_FILLS) {
        cs_vendor_order(list->c, list->use, cut, knobs);
    }
    bool fits = try_knobs(list, cut, knobs);
    bool dense = cut->kind == CS_KIND_DENSE || cut->kind == CS_KIND_CELL;
    list->whole_fits |= fits && knobs->residence == CS_RESIDENCE_WHOLE &&
                        knobs->strip_rows == cut->rows && (dense || cut->channel_pes == 1);
}

/* Fills of a layer: all weights of a pass at once, or in a few equal chunks. More of them overlap
 * better, until partial sums cost more than that. */
static void try_orders(option_list *list, const cs_cut *cut, cs_knobs *knobs)
{
    static const uint32_t chunks[] = {1, 2, 3, 4, 8, 16, 64, UINT32_MAX};
    uint32_t words = (uint32_t)cut->words;
    uint32_t fit = 0; /* with a double FIFO, a bit for each of the chunks */
    list->places[0].known = list->places[1].known = false;
    try_vendor_order(list, cut, knobs);
    for (int ahead = 1; ahead >= 0 && cut->kind == CS_KIND_FILLS; ahead--) {
        knobs->ahead = ahead;
        uint32_t before = 0;
        for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
            knobs->order = i == 0 ? CS_ORDER_POSITIONS : CS_ORDER_CHUNKS;
            knobs->fill_rows = (uint32_t)div_up(words, chunks[i]);
            bool slower = !list->all && fit >> i & 1; /* than the same with a double FIFO */
            if (knobs->fill_rows != before && !slower) {
                fit |= (uint32_t)try_knobs(list, cut, knobs) << i;
            }
            before = knobs->fill_rows;
        }
    }
}

/* Strips of one residence: as many as each of a few counts makes. Also where everything fits at
 * once they may pay: partial sums take less memory, and there are more fills. Of the vendor's order
 * of fills all strips are tried where the vendor might use them: so more memory never takes one
 * away. */
static void try_strips(option_list *list, const cs_cut *cut, cs_residence residence, bool whole_too)
{
    static const uint32_t counts[] = {1, 2, 4, 8, 16, 64, UINT32_MAX};
    const cs_use *use = list->use;
    bool off = use->input_off[0] || use->input_off[1] || use->output_off;
    bool pays = cut->kind == CS_KIND_FILLS || residence != CS_RESIDENCE_WHOLE || off;
    size_t count = pays ? sizeof counts / sizeof counts[0] : 1;
    cs_knobs knobs = {.split_y = cut->split_y, .split_x = cut->split_x, .residence = residence};
    uint32_t before = 0;
    for (size_t i = whole_too ? 0 : 1; i < count; i++) {
        knobs.strip_rows = (uint32_t)div_up(cut->rows, counts[i]);
        if (knobs.strip_rows != before) {
            try_orders(list, cut, &knobs);
        }
        before = knobs.strip_rows;
        if (!list->all && !off && !list->crowded && list->count > 0) {
            break; /* all that strips could save is memory */
        }
    }
    knobs.ahead = false;
    for (uint32_t rows = 1; (list->all || off) && pays && cut->channel_pes == 1 && rows < cut->rows;
         rows++) {
        knobs.strip_rows = rows;
        list->places[0].known = list->places[1].known = false;
        try_vendor_order(list, cut, &knobs);
    }
}

static void try_cut(option_list *list, const cs_cut *cut)
{
    try_strips(list, cut, CS_RESIDENCE_WHOLE, true);
    /* Tensors that take an eighth of the memory at most are no reason to run in strips. */
    uint64_t memory =
        list->c->machine.narrow_bytes + (list->c->machine.shared ? list->c->machine.wide_bytes : 0);
    for (uint32_t i = 0; i < list->count; i++) {
        uint64_t tensors = list->options[i].narrow_bytes + list->idle_bytes;
        if (!list->all || tensors <= memory / 8) {
            return;
        }
    }
    if (cut->channel_pes == 1 && cut->kind != CS_KIND_DENSE && cut->kind != CS_KIND_CELL) {
        try_strips(list, cut, CS_RESIDENCE_INPUT_WHOLE, false);
        try_strips(list, cut, CS_RESIDENCE_IN_PLACE, true);
        try_strips(list, cut, CS_RESIDENCE_WIDE, true);
    }
}

/* Whether no layer that is cut so can be faster than what the list has: its lanes alone take as
 * long. */
static bool is_hopeless(const option_list *list, cs_split y, cs_split x)
{
    const cs_machine *machine = &list->c->machine;
    const cs_layer *layer = list->use->layer;
    if (list->all || list->count == 0 || cs_kind_of(layer) != CS_KIND_FILLS) {
        return false;
    }
    uint64_t pes = (y == CS_SPLIT_CHANNELS ? machine->pes_y : 1) *
                   (uint64_t)(x == CS_SPLIT_CHANNELS ? machine->pes_x : 1);
    uint64_t rows =
        y == CS_SPLIT_CHANNELS ? layer->out.height : div_up(layer->out.height, machine->pes_y);
    uint64_t cols =
        x == CS_SPLIT_CHANNELS ? layer->out.width : div_up(layer->out.width, machine->pes_x);
    uint64_t passes = div_up(layer->out.channels, machine->lanes * pes);
    uint64_t taps = (uint64_t)layer->kernel_h * layer->kernel_w;
    uint64_t words = taps * div_up(cs_layer_fan_channels(layer), machine->ways);
    if (layer->op == CS_OP_CONV_TRANSPOSE) {
        return false;
    }
    double least_s = (double)(rows * cols * passes * words) / list->c->rates.clock_hz;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->options[i].cached_s <= least_s) {
            return true;
        }
    }
    return false;
}

/* List ways to run the layer that fit beside what is idle: all that are worth keeping, or the
 * fastest. */
static void fill_list(option_list *list)
{
    static const struct {
        cs_split y, x;
    } splits[] = {
        {CS_SPLIT_SPACE, CS_SPLIT_SPACE},
        {CS_SPLIT_SPACE, CS_SPLIT_CHANNELS},
        {CS_SPLIT_CHANNELS, CS_SPLIT_SPACE},
        {CS_SPLIT_CHANNELS, CS_SPLIT_CHANNELS},
    };
    const cs_machine *machine = &list->c->machine;
    cs_kind kind = cs_kind_of(list->use->layer);
    bool channels_only = kind == CS_KIND_DENSE || kind == CS_KIND_CELL;
    bool pins = false;
    for (int pin = 0; pin < CS_PIN_COUNT; pin++) {
        pins |= list->c->options.pins.value[pin] != 0;
    }
    for (int again = pins ? 0 : 1; again < 2 && list->count == 0; again++) {
        list->pinned = again == 0;
        for (size_t i = channels_only ? 3 : 0; i < sizeof splits / sizeof splits[0]; i++) {
            cs_split y = splits[i].y, x = splits[i].x;
            bool alone = (y == CS_SPLIT_CHANNELS && machine->pes_y == 1) ||
                         (x == CS_SPLIT_CHANNELS && machine->pes_x == 1);
            if ((alone && !channels_only) || is_hopeless(list, y, x)) {
                continue; /* cut alone it is the same as by space */
            }
            const cs_cut *cut = cut_by(list, y, x);
            if (cut) {
                try_cut(list, cut);
            }
        }
    }
}

static void make_way(option_list *list, const cs_option *option, cs_way *way)
{
    const cs_machine *machine = &list->c->machine;
    const cs_cut *cut = cut_by(list, option->knobs.split_y, option->knobs.split_x);
    bool legal = cs_need_of(machine, list->use, cut, &option->knobs, &way->need);
    assert(legal);
    (void)legal;
    way->cut = *cut;
    way->knobs = option->knobs;
    way->reserve_bytes = 0;
    way->instruction_bytes = cs_layer_instruction_bytes(list->use->layer, way->need.strips);
    cs_step_make(machine, list->use, &way->cut, &way->knobs, &way->need, &way->step);
}

/* The fastest option within a bound on the step's wide memory; ties to less of it. NONE: none. */
static uint32_t fastest(const cs_best_layer *note, uint64_t bound, bool streamed)
{
    uint32_t best = NONE;
    for (uint32_t i = 0; i < note->count; i++) {
        const cs_option *o = &note->options[i];
        if (o->kept_bytes > bound) {
            continue;
        }
        if (best == NONE) {
            best = i;
            continue;
        }
        const cs_option *b = &note->options[best];
        double time = streamed ? o->streamed_s : o->cached_s;
        double time_best = streamed ? b->streamed_s : b->cached_s;
        if (time < time_best || (time == time_best && o->kept_bytes < b->kept_bytes)) {
            best = i;
        }
    }
    return best;
}

/* ---- the cached set ---- */

typedef struct knapsack {
    const cs_best_layer *notes; /* items by gain a byte, the best first */
    uint32_t count;
    uint32_t nodes;
    uint64_t taken, best_taken;
    double best_s;
} knapsack;

/* Items that are searched; those after them are taken greedily. */
#define SEARCHED 64u

static void search_set(knapsack *k, uint32_t at, uint64_t left, double gain_s)
{
    if (gain_s > k->best_s) {
        k->best_s = gain_s;
        k->best_taken = k->taken;
    }
    if (at == k->count || k->nodes == 0) {
        return;
    }
    k->nodes--;
    /* What the rest could bring if items could be cut. */
    double could = gain_s;
    uint64_t room = left;
    for (uint32_t i = at; i < k->count && room > 0; i++) {
        const cs_cache_item *o = &k->notes[i].item;
        bool whole = o->bytes <= room;
        could += whole ? o->gain_s : o->gain_s * ((double)room / (double)o->bytes);
        room -= whole ? o->bytes : room;
    }
    if (could <= k->best_s) {
        return;
    }
    const cs_cache_item *o = &k->notes[at].item;
    if (o->bytes <= left) {
        k->taken |= 1ull << at;
        search_set(k, at + 1, left - o->bytes, gain_s + o->gain_s);
        k->taken &= ~(1ull << at);
    }
    search_set(k, at + 1, left, gain_s);
}

static bool comes_before(const cs_cache_item *a, const cs_cache_item *b)
{
    double x = a->gain_s * (double)b->bytes, y = b->gain_s * (double)a->bytes;
    return x > y || (x == y && a->layer < b->layer);
}

static void sort_items(cs_best_layer *notes, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        cs_cache_item moved = notes[i].item;
        uint32_t at = i;
        for (; at > 0 && comes_before(&moved, &notes[at - 1].item); at--) {
            notes[at].item = notes[at - 1].item;
        }
        notes[at].item = moved;
    }
}

/* Cache what gains most in `capacity` bytes; nothing is prefetched. */
static void cache_best(const cs_compiler *c, uint64_t capacity)
{
    cs_best_layer *notes = c->notes;
    uint32_t count = 0;
    uint64_t all = 0;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        cs_layer_plan *plan = &c->plans[i];
        plan->cached = plan->prefetched = false;
        if (cs_plan_may_cache(c, plan) && plan->way->cut.weight_bytes <= capacity) {
            const cs_best_layer *note = &notes[i];
            double gain = note->options[note->streamed].streamed_s -
                          note->options[note->cached].cached_s +
                          LITTLE * (double)plan->way->cut.weight_bytes / c->rates.in_bytes_per_s;
            notes[count++].item = (cs_cache_item){plan->way->cut.weight_bytes, gain, i};
            all += plan->way->cut.weight_bytes;
        }
    }
    knapsack k = {.notes = notes,
                  .count = count < SEARCHED ? count : SEARCHED,
                  .nodes = KNAPSACK_NODES,
                  .best_s = -1};
    if (all > capacity) {
        sort_items(notes, count);
        search_set(&k, 0, capacity, 0);
    } else {
        k.best_taken = UINT64_MAX;
    }
    uint64_t left = capacity;
    for (uint32_t i = 0; i < count; i++) {
        const cs_cache_item *o = &notes[i].item;
        if (i < SEARCHED ? k.best_taken >> i & 1 : o->bytes <= left) {
            c->plans[o->layer].cached = true;
            left -= o->bytes;
        }
    }
}

/* As the pin on caching has it; true where everything that has parameters is cached. */
static bool decide_caching(const cs_compiler *c, uint64_t capacity)
{
    const cs_pins *pins = &c->options.pins;
    if (pins->value[CS_PIN_CACHING] == 0 ||
        cs_pins_allow(pins, CS_PIN_CACHING, CS_CACHING_CHOSEN)) {
        cache_best(c, capacity);
    } else if (cs_pins_allow(pins, CS_PIN_CACHING, CS_CACHING_GREEDY)) {
        cs_plan_cache_greedily(c, capacity);
    } else {
        cs_plan_cache_greedily(c, 0);
    }
    bool all = true;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        all &= c->plans[i].cached || c->plans[i].way->cut.weight_bytes == 0;
    }
    return all;
}

static uint64_t cached_bytes(const cs_compiler *c)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        bytes += c->plans[i].cached ? c->plans[i].way->cut.weight_bytes : 0;
    }
    return bytes;
}

/* Bring what is streamed ahead of its layer, where it fits into what is left of the capacity. */
static void prefetch_all(const cs_compiler *c, uint64_t capacity)
{
    uint64_t left = capacity - cached_bytes(c);
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        cs_layer_plan *plan = &c->plans[i];
        plan->prefetched = plan->way->cut.weight_bytes > 0 && !plan->cached &&
                           plan->way->cut.weight_bytes <= left &&
                           plan->way->cut.kind != CS_KIND_CELL;
    }
}

/* The largest parameters that are streamed and would fit into the capacity. */
static uint64_t largest_streamed(const cs_compiler *c, uint64_t capacity)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        const cs_layer_plan *plan = &c->plans[i];
        if (!plan->cached && plan->way->cut.weight_bytes > largest &&
            plan->way->cut.weight_bytes <= capacity) {
            largest = plan->way->cut.weight_bytes;
        }
    }
    return largest;
}

/* ---- trials ---- */

static const cs_option *option_of(const cs_compiler *c, cs_layer_id i)
{
    const cs_best_layer *note = &c->notes[i];
    bool streams =
        c->plans[i].way->cut.weight_bytes > 0 && !c->plans[i].cached && !c->plans[i].prefetched;
    return &note->options[streams ? note->streamed : note->cached];
}

/* What cs_walk_step will say of the steps that the notes would make. */
static double estimate(const cs_compiler *c)
{
    cs_walk walk = {0};
    bool streams = false;
    uint64_t sent = 0;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        const cs_layer_plan *plan = &c->plans[i];
        const cs_use *use = &plan->use;
        const cs_cut *cut = &plan->way->cut;
        const cs_option *option = option_of(c, i);
        if (cut->kind == CS_KIND_NOTHING) {
            continue;
        }
        cs_step step = {
            .run_cycles = option->run_cycles,
            .fills = option->fills,
            .strips = option->strips,
        };
        for (uint32_t k = 0; k < cut->inputs; k++) {
            if (use->input_off[k]) {
                uint64_t bytes = cut->link_bytes[k];
                step.off_chip_read_bytes += bytes;
                step.head_bytes += div_up(bytes, option->strips);
            }
        }
        if (use->output_off) {
            step.off_chip_write_bytes = cs_shape_elements(use->layer->out);
            step.tail_bytes = div_up(step.off_chip_write_bytes, option->strips);
        }
        if (cut->weight_bytes > 0 && !plan->cached) {
            uint64_t passes = cut->kind == CS_KIND_CELL ? cut->places : option->strips;
            uint64_t bytes = cut->weight_bytes * (plan->prefetched ? 1 : passes);
            step.weight_bytes = cut->weight_bytes;
            step.prefetched = plan->prefetched;
            step.off_chip_read_bytes += plan->prefetched ? 0 : bytes;
            if (cut->kind == CS_KIND_DENSE || cut->kind == CS_KIND_CELL) {
                step.stream_cycles = cs_ring_cycles(&c->machine, bytes);
            }
            step.start_s = streams ? 0 : c->accelerator->host.stream_start_s;
            streams = true;
        }
        sent += cs_layer_instruction_bytes(use->layer, option->strips);
        (void)cs_walk_step(&walk, &c->rates, &step);
    }
    return walk.now_s + (double)sent / c->rates.in_bytes_per_s;
}

/* One way to share memory out, and what comes of it. */
typedef struct trial {
    uint64_t bound;    /* on the wide memory of a step */
    uint64_t capacity; /* for parameters that are cached */
    uint64_t all;      /* and for those that are prefetched, too */
    double seconds;
} trial;

/* Options within a bound. Returns what is left for parameters; false if a layer has none. */
static bool bound_options(const cs_compiler *c, uint64_t bound, uint64_t *capacity)
{
    uint64_t reserved = 0;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        cs_best_layer *note = &c->notes[i];
        const cs_layer_plan *plan = &c->plans[i];
        note->cached = fastest(note, bound, false);
        note->streamed =
            plan->way->cut.weight_bytes > 0 ? fastest(note, bound, true) : note->cached;
        if (note->cached == NONE) {
            return false;
        }
        uint64_t wide = note->options[note->cached].kept_bytes;
        uint64_t streamed = note->options[note->streamed].kept_bytes;
        wide = wide > streamed ? wide : streamed;
        reserved = reserved > wide ? reserved : wide;
    }
    *capacity = cs_plan_capacity(&c->machine, reserved);
    return true;
}

static void apply(const cs_compiler *c, const trial *t)
{
    uint64_t capacity;
    bool found = bound_options(c, t->bound, &capacity);
    assert(found);
    (void)found;
    (void)decide_caching(c, t->capacity);
    if (t->all > 0) {
        prefetch_all(c, t->all);
    }
}

static void keep_faster(const cs_compiler *c, trial *best, trial tried)
{
    tried.seconds = estimate(c);
    if (tried.seconds < best->seconds) {
        *best = tried;
    }
}

/* All that is tried within a bound. Returns false when there is no use in tighter ones. */
static bool try_bound(const cs_compiler *c, uint64_t bound, trial *best)
{
    uint64_t capacity;
    if (!bound_options(c, bound, &capacity)) {
        return false;
    }
    bool may = cs_pins_allow(&c->options.pins, CS_PIN_PREFETCH, 1);
    bool must = !cs_pins_allow(&c->options.pins, CS_PIN_PREFETCH, 0);
    bool all = decide_caching(c, capacity);
    if (all || !must) {
        keep_faster(c, best, (trial){.bound = bound, .capacity = capacity});
    }
    if (all) {
        return false;
    }
    if (may) {
        uint64_t kept = largest_streamed(c, capacity);
        prefetch_all(c, capacity);
        keep_faster(c, best, (trial){.bound = bound, .capacity = capacity, .all = capacity});
        if (kept > 0) {
            (void)decide_caching(c, capacity - kept);
            prefetch_all(c, capacity);
            keep_faster(c, best,
                        (trial){.bound = bound, .capacity = capacity - kept, .all = capacity});
        }
    }
    return true;
}

static uint64_t next_bound(uint64_t bound)
{
    return bound / 8 * 5; /* of a grid that does not depend on the memory there is */
}

/* Wide memory that the fastest ways of a layer keep free, and the least that any of its ways does.
 */
static uint64_t kept_bytes(const cs_best_layer *note)
{
    return note->options[0].kept_bytes > note->options[1].kept_bytes ? note->options[0].kept_bytes
                                                                     : note->options[1].kept_bytes;
}

static uint64_t least_bytes(const cs_best_layer *note)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < note->count; i++) {
        least = note->options[i].kept_bytes < least ? note->options[i].kept_bytes : least;
    }
    return least;
}

/* All ways of a layer that are worth keeping: those of an equal layer, if it was listed before. */
static void list_all(const cs_compiler *c, cs_layer_id id)
{
    const cs_layer_plan *plan = &c->plans[id];
    cs_best_layer *note = &c->notes[id];
    cs_layer_id twin = id;
    for (uint32_t i = 0; plan->entry && twin == id && i < c->network->layer_count; i++) {
        twin = c->plans[i].entry == plan->entry && c->plans[i].idle_bytes == plan->idle_bytes &&
                       c->notes[i].all
                   ? i
                   : twin;
    }
    if (twin != id) {
        note->count = c->notes[twin].count;
        memcpy(note->options, c->notes[twin].options, note->count * sizeof note->options[0]);
    } else {
        option_list list;
        open_list(&list, c, &plan->use, plan->idle_bytes, true, note->options);
        fill_list(&list);
        note->count = list.count;
    }
    note->all = true;
    note->ways = NULL;
}

/* The fastest way of each layer leaves too little for parameters: try bounds, and the one below
 * which everything is cached. */
static void try_bounds(const cs_compiler *c, trial *best)
{
    uint64_t weights = 0, floor = 0;
    cs_layer_id largest = 0;
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        weights += c->plans[i].way->cut.weight_bytes;
        largest = kept_bytes(&c->notes[i]) > kept_bytes(&c->notes[largest]) ? i : largest;
    }
    /* No bound is below the least that every layer needs, so a layer whose fastest ways keep less
     * needs no others. */
    uint64_t reserved = kept_bytes(&c->notes[largest]);
    for (uint32_t k = 0; k < c->network->layer_count; k++) {
        cs_layer_id i = k == 0 ? largest : k - (k <= largest);
        cs_best_layer *note = &c->notes[i];
        if (kept_bytes(note) > floor) {
            list_all(c, i);
            uint64_t least = least_bytes(note);
            floor = least > floor ? least : floor;
        }
    }
    best->seconds = INFINITY; /* its options were those of the short lists */
    bool more = try_bound(c, UINT64_MAX, best);
    uint64_t memory = cs_plan_wide_memory(&c->machine), share = div_up(weights, c->machine.pes);
    if (more && share <= memory) {
        (void)try_bound(c, memory - share, best);
    }
    uint64_t bound = 1ull << 40;
    for (uint32_t tried = 0; more && tried < BOUNDS && bound > 1024; bound = next_bound(bound)) {
        if (bound < reserved) {
            more = try_bound(c, bound, best);
            tried++;
        }
    }
}

/* The two fastest ways of a layer beside nothing. */
static void recall(const cs_compiler *c, const cs_use *use, cs_memo_entry *entry)
{
    if (!entry->best_known) {
        entry->best_known = true;
        option_list list;
        open_list(&list, c, use, 0, false, entry->options);
        fill_list(&list);
        entry->best_legal = list.count > 0;
        entry->whole_fits = list.whole_fits;
        if (list.count > 0) {
            const cs_knobs *first = &entry->options[0].knobs, *second = &entry->options[1].knobs;
            make_way(&list, &entry->options[0], &entry->best[0]);
            if (memcmp(first, second, sizeof *first) == 0) {
                entry->best[1] = entry->best[0];
            } else {
                make_way(&list, &entry->options[1], &entry->best[1]);
            }
        }
    }
}

static bool fits_beside(const cs_compiler *c, const cs_memo_entry *entry, uint64_t idle_bytes)
{
    return entry->best_legal && cs_plan_fits(&c->machine, &entry->best[0].need, idle_bytes) &&
           cs_plan_fits(&c->machine, &entry->best[1].need, idle_bytes);
}

/* Of one layer of one network. */
static bool is_same_use(const cs_use *a, const cs_use *b)
{
    return a->input_off[0] == b->input_off[0] && a->input_off[1] == b->input_off[1] &&
           a->output_off == b->output_off && a->input_survives[0] == b->input_survives[0] &&
           a->input_survives[1] == b->input_survives[1];
}

static bool choose_fastest(const cs_compiler *c, cs_layer_id id)
{
    cs_best_layer *note = &c->notes[id];
    cs_layer_plan *plan = &c->plans[id];
    if (note->listed && note->idle_bytes == plan->idle_bytes &&
        is_same_use(&note->use, &plan->use)) {
        return note->ways || note->count > 0;
    }
    note->listed = true;
    note->use = plan->use;
    note->idle_bytes = plan->idle_bytes;
    plan->reserve_bytes = 0;
    note->ways = NULL;
    note->all = false;
    if (plan->entry) {
        recall(c, &plan->use, plan->entry);
        if (fits_beside(c, plan->entry, plan->idle_bytes)) {
            note->ways = plan->entry->best;
            note->whole_fits = plan->entry->whole_fits;
            plan->way = &note->ways[0];
            return true;
        }
    }
    option_list list;
    open_list(&list, c, &plan->use, plan->idle_bytes, false, note->options);
    fill_list(&list);
    note->count = list.count;
    note->whole_fits = list.whole_fits;
    if (list.count == 0) {
        return false;
    }
    make_way(&list, &note->options[0], &c->ways[id]);
    plan->way = &c->ways[id];
    return true;
}

/* Inputs that one layer reads come in while that runs, and outputs leave while they are made,
 * instead of before and after. */
static void stream_ends(const cs_compiler *c)
{
    const cs_network *network = c->network;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const cs_layer *layer = &network->layers[i];
        cs_kind kind = cs_kind_of(layer);
        const cs_layer_id *inputs = cs_layer_inputs(network, layer);
        for (uint32_t k = 0; k < layer->input_count; k++) {
            const cs_layer *from = &network->layers[inputs[k]];
            bool once = from->last_use == i && (k == 0 || inputs[k] != inputs[0]);
            c->plans[inputs[k]].off_chip = from->op == CS_OP_INPUT && once &&
                                           c->plans[inputs[k]].readers == 1 &&
                                           kind != CS_KIND_NOTHING && kind != CS_KIND_MOVE;
        }
        if (layer->last_use == i && kind != CS_KIND_NOTHING && kind != CS_KIND_MOVE) {
            c->plans[i].off_chip = true;
        }
    }
}

cs_reason cs_best_layers(const cs_compiler *c, cs_layer_id *culprit, bool *given_up)
{
    stream_ends(c);
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        c->notes[i].listed = false;
    }
    uint32_t rounds = ROUNDS + LAYER_ROUNDS / c->network->layer_count;
    cs_reason reason = cs_plan_layers(c, choose_fastest, &rounds, culprit);
    *given_up = rounds == 0;
    return reason;
}

bool cs_best_cache_all(const cs_compiler *c)
{
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        if (!c->notes[i].whole_fits && c->plans[i].way->cut.kind != CS_KIND_NOTHING) {
            return false;
        }
        c->plans[i].cached = true;
        c->plans[i].prefetched = false;
    }
    return true;
}

void cs_best_share(const cs_compiler *c)
{
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        cs_best_layer *note = &c->notes[i];
        if (note->ways) {
            note->count = 2;
            for (int k = 0; k < 2; k++) {
                note->options[k] = c->plans[i].entry->options[k];
                note->options[k].kept_bytes =
                    wide_of(&c->machine, c->plans[i].idle_bytes, &note->options[k]);
            }
        }
    }
    trial best = {.seconds = INFINITY};
    if (try_bound(c, UINT64_MAX, &best)) {
        try_bounds(c, &best);
    }
    apply(c, &best);
    for (uint32_t i = 0; i < c->network->layer_count; i++) {
        const cs_best_layer *note = &c->notes[i];
        const cs_option *option = option_of(c, i);
        if (note->ways) {
            c->plans[i].way = &note->ways[option - note->options];
        } else {
            option_list list;
            open_list(&list, c, &c->plans[i].use, c->plans[i].idle_bytes, false, NULL);
            make_way(&list, option, &c->ways[i]);
            c->plans[i].way = &c->ways[i];
        }
    }
    (void)cs_plan_memory(c);
}

/* The closed form of time: see timing.h. */
#include "sim/compiler/timing.h"

static double max_f64(double a, double b)
{
    return a > b ? a : b;
}

cs_rates cs_rates_of(const cs_accelerator *accelerator)
{
    double link = (double)accelerator->link_bytes_per_s;
    bool hosted = accelerator->host.in_bytes_per_s > 0;
    cs_rates rates = {
        .clock_hz = (double)accelerator->clock_mhz * 1e6,
        .in_bytes_per_s = hosted ? accelerator->host.in_bytes_per_s : link,
        .out_bytes_per_s = hosted ? accelerator->host.out_bytes_per_s : link,
        .call_s = accelerator->host.call_s,
    };
    rates.cycle_s = 1 / rates.clock_hz;
    rates.in_byte_s = 1 / rates.in_bytes_per_s;
    rates.out_byte_s = 1 / rates.out_bytes_per_s;
    return rates;
}

/* The part of a step's run that comes after the last of its weights: the last fill of the first
 * strip, and the strips after that. */
static double run_after_weights(const cs_step *step)
{
    if (step->fills == 0) {
        return 0;
    }
    uint64_t before = step->fills / step->strips;
    return (double)(step->fills - (before > 0 ? before - 1 : 0)) / (double)step->fills;
}

cs_step_time cs_walk_step(cs_walk *walk, const cs_rates *rates, const cs_step *step)
{
    cs_step_time t = {
        .wait_s = (double)step->upload_bytes * rates->in_byte_s + step->start_s,
        .run_s = (double)step->run_cycles * rates->cycle_s,
        .stream_s = (double)step->stream_cycles * rates->cycle_s,
        .read_s = (double)step->off_chip_read_bytes * rates->in_byte_s,
        .write_s = (double)step->off_chip_write_bytes * rates->out_byte_s,
        .collect_s = (double)step->collect_bytes * rates->out_byte_s,
    };
    double begin = walk->now_s + t.wait_s;
    double head_s = (double)step->head_bytes * rates->in_byte_s;
    double tail_s = (double)step->tail_bytes * rates->out_byte_s;
    double load_s = 0, loaded = begin;
    if (step->prefetched) {
        load_s = (double)step->weight_bytes * rates->in_byte_s;
        loaded = max_f64(walk->link_free_s, walk->prefetch_free_s) + load_s;
    }
    /* The link serves in order: tensors follow weights that are late. */
    double reads = t.read_s > 0 ? max_f64(begin, loaded) : begin;
    double end = max_f64(max_f64(reads + head_s + t.run_s + tail_s, begin + t.stream_s),
                         max_f64(reads + t.read_s, begin + t.write_s));
    double link_free = t.read_s > 0 || step->upload_bytes > 0 ? reads + t.read_s : 0;
    if (step->prefetched) {
        double after = loaded + t.run_s * run_after_weights(step) + tail_s;
        t.late_s = after > end ? after - end : 0;
        t.read_s += load_s;
        end = max_f64(end, after);
        link_free = max_f64(link_free, loaded);
        walk->prefetch_free_s = end;
    }
    walk->link_free_s = max_f64(walk->link_free_s, link_free);
    end += t.collect_s;
    t.latency_s = end - walk->now_s;
    walk->now_s = end;
    return t;
}

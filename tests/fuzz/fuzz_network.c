/* Any text as a network. What is accepted is consistent, and compiles without a broken assertion on
 * an accelerator with and one without room for it. */
#include "fuzz.h"

#include "sim/compiler/schedule.h"
#include "sim/network/network_file.h"

#include <string.h>

static void check_layer(const cs_network *network, cs_layer_id id)
{
    const cs_layer *layer = &network->layers[id];
    FUZZ_EXPECT((layer->op == CS_OP_INPUT) == (layer->input_count == 0));
    FUZZ_EXPECT(layer->out.height >= 1 && layer->out.width >= 1 && layer->out.channels >= 1);
    FUZZ_EXPECT(cs_shape_elements(layer->out) <= CS_NETWORK_MAX_ELEMENTS);
    FUZZ_EXPECT(cs_layer_weights(layer) <= CS_NETWORK_MAX_ELEMENTS);
    FUZZ_EXPECT(cs_layer_macs(layer) <= CS_NETWORK_MAX_OPERATIONS / network->batch);
    FUZZ_EXPECT(cs_layer_operations(layer) <= CS_NETWORK_MAX_OPERATIONS / network->batch);
    FUZZ_EXPECT(layer->last_use < network->layer_count && layer->last_use >= id);
    FUZZ_EXPECT(strlen(cs_layer_name(network, layer)) <= CS_NETWORK_MAX_NAME);
    const cs_layer_id *inputs = cs_layer_inputs(network, layer);
    for (uint32_t k = 0; k < layer->input_count; k++) {
        FUZZ_EXPECT(inputs[k] < id);
        FUZZ_EXPECT(network->layers[inputs[k]].last_use >= id);
    }
    if (layer->input_count > 0) {
        const cs_shape in = network->layers[inputs[0]].out;
        FUZZ_EXPECT(memcmp(&in, &layer->in, sizeof in) == 0);
    }
}

static void check_network(const cs_network *network)
{
    FUZZ_EXPECT(network->layer_count >= 2 && network->layer_count <= CS_NETWORK_MAX_LAYERS);
    FUZZ_EXPECT(network->layers[0].op == CS_OP_INPUT);
    uint64_t largest = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        check_layer(network, i);
        uint64_t bytes = cs_shape_elements(network->layers[i].out) / 2;
        largest = bytes > largest ? bytes : largest;
    }
    FUZZ_EXPECT(cs_network_peak_activation_bytes(network) >= largest);
}

static void compile_network(const cs_network *network, uint64_t pe_memory_bytes)
{
    const cs_accelerator accelerator = {
        .pes_x = 4,
        .pes_y = 3,
        .cores_per_pe = 2,
        .lanes_per_core = 16,
        .simd_ways = 4,
        .clock_mhz = 800,
        .pe_memory_bytes = pe_memory_bytes,
        .core_memory_bytes = 32 << 10,
        .instruction_entries = 1024,
        .parameter_entries = 1024,
        .activation_entries = 1024,
        .link_bytes_per_s = 1000000000,
    };
    cs_schedule schedule = {0};
    FUZZ_EXPECT(cs_compile(network, &accelerator, NULL, &schedule, NULL) == CS_OK);
    for (uint32_t i = 0; schedule.reason == CS_REASON_NONE && i < schedule.step_count; i++) {
        const cs_step *step = schedule.steps[i];
        FUZZ_EXPECT(step->knobs.strip_rows <= step->tile_rows);
        FUZZ_EXPECT(step->strips >= 1);
    }
    cs_schedule_release(&schedule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cs_error err = {0};
    cs_conf *conf = cs_conf_parse((const char *)data, size, "fuzz.conf", NULL, 0, &err);
    if (!conf) {
        return 0;
    }
    cs_network network = {0};
    if (cs_network_read(cs_conf_root(conf), &network, &err) == CS_OK) {
        check_network(&network);
        compile_network(&network, 2 << 20);
        compile_network(&network, 4 << 10);
    } else {
        FUZZ_EXPECT(err.status == CS_EINVAL);
        FUZZ_EXPECT(strncmp(err.text, "fuzz.conf:", 10) == 0);
        FUZZ_EXPECT(network.layers == NULL);
    }
    cs_network_release(&network);
    cs_conf_free(conf);
    return 0;
}

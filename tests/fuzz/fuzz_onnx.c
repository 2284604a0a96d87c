/* Any bytes as an ONNX model. What is accepted is a consistent network that keeps the limits; what
 * is not is refused with the model's name. */
#include "fuzz.h"

#include "sim/onnx/onnx.h"

#include <string.h>

static void check_layer(const cs_network *network, cs_layer_id id)
{
    const cs_layer *layer = &network->layers[id];
    FUZZ_EXPECT((layer->op == CS_OP_INPUT) == (layer->input_count == 0));
    FUZZ_EXPECT(cs_shape_elements(layer->out) >= 1);
    FUZZ_EXPECT(cs_shape_elements(layer->out) <= CS_NETWORK_MAX_ELEMENTS);
    FUZZ_EXPECT(cs_layer_weights(layer) <= CS_NETWORK_MAX_ELEMENTS);
    FUZZ_EXPECT(cs_layer_operations(layer) <= CS_NETWORK_MAX_OPERATIONS / network->batch);
    FUZZ_EXPECT(layer->weight_bits == 4 || layer->weight_bits == 8 || layer->weight_bits == 16);
    FUZZ_EXPECT(strlen(cs_layer_name(network, layer)) <= CS_NETWORK_MAX_NAME);
    const cs_layer_id *inputs = cs_layer_inputs(network, layer);
    for (uint32_t k = 0; k < layer->input_count; k++) {
        FUZZ_EXPECT(inputs[k] < id);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cs_network network = {0};
    cs_error err = {0};
    cs_status status = cs_onnx_read(data, size, "fuzz", &network, &err);
    if (status) {
        FUZZ_EXPECT(status == CS_EINVAL || status == CS_ELIMIT);
        FUZZ_EXPECT(strncmp(err.text, "fuzz: ", 6) == 0);
        FUZZ_EXPECT(network.layer_count == 0 && !network.layers);
        return 0;
    }
    FUZZ_EXPECT(network.layer_count >= 2 && network.layer_count <= CS_NETWORK_MAX_LAYERS);
    FUZZ_EXPECT(network.batch >= 1 && network.batch <= CS_NETWORK_MAX_BATCH);
    for (uint32_t i = 0; i < network.layer_count; i++) {
        check_layer(&network, i);
    }
    cs_network_release(&network);
    return 0;
}

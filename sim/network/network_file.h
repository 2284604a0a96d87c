/* Networks as text: the files of configs/networks/.
 *
 * A file names its inputs and lists its layers, each of which reads the one before it or, with
 * `from`, one or several layers by name. What is written before is all that can be read, so there
 * is no cycle. `defaults` gives values that all layers of an operation take unless they say
 * otherwise. `blocks` are lists of layers with parameters, used like layers and repeated; a block
 * may use the blocks before it. Where a number is wanted, a text in quotes is an expression over
 * the parameters and in_height, in_width, in_channels (of what the layer reads): whole numbers,
 * + - * / (rounded down) and parentheses. Names inside a block are its own; a layer after it reads
 * into it as "block-name.layer-name". docs/networks.md has the format whole.
 *
 * Errors have the form
 *
 *     resnet50.conf:31: layers[4].from: no layer before this one is called "stem" */
#ifndef CS_SIM_NETWORK_FILE_H
#define CS_SIM_NETWORK_FILE_H

#include "base/conf.h"
#include "sim/network/network.h"

/* Layers and uses of blocks that a file may unfold to, those that are left out included. */
#define CS_NETWORK_MAX_ENTRIES 65536u

/* Read a network from a file's root. Its layers carry their names, those of blocks as
 * "block-name.index.layer-name". Every tensor that nothing reads has to be listed under `outputs`,
 * which are the last layer where they are not given. CS_EINVAL with file and line, or CS_ENOMEM;
 * the network is then as it was. */
CS_MUST_CHECK cs_status cs_network_read(cs_conf_node file, cs_network *network, cs_error *err);

#endif

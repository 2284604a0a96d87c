/* Policy vendor: how the vendor's compiler runs layers on the Coral chip, carried over to the
 * template by its grid, lanes, ways and memories.
 *
 * Internal to sim/. The rules are from two projects that decoded the compiler's programs
 * (tinycoral at 3d332b6: codegen_conv2d, codegen_chain; LibrEdgeTPU) and from what measured ladders
 * of convolutions and dense layers show; docs/validation.md says how far they reach, which of them
 * are published and which are inferred.
 *
 * - Rows and columns of the output are split over the PE grid; each PE makes all channels of its
 *   block. Dense layers and cells split channels over all PEs.
 * - A convolution of K words an output has all of them in one fill, or in chunks of kh * kw rows,
 *   for 1x1 kernels of the largest divisor of K up to 15.
 * - Where input and output do not fit narrow memory, a layer runs in the fewest strips of the
 *   residences that remain.
 * - PE memory less the most that any step takes of it (buffers, tensors that wait) caches
 *   parameters: whole layers, in their order, passing over those that do not fit. Nothing is
 *   prefetched, and fills are waited for. */
#ifndef CS_SIM_COMPILER_VENDOR_H
#define CS_SIM_COMPILER_VENDOR_H

#include "sim/compiler/plan.h"

/* Set order and fill of a layer that runs in fills as the vendor does; nothing ahead. */
void cs_vendor_order(const cs_compiler *c, const cs_use *use, const cs_cut *cut, cs_knobs *knobs);

/* Choose the knobs of a layer, and what they need. False: no strip of it fits narrow memory. */
bool cs_vendor_choose(const cs_compiler *c, cs_layer_id layer);

#endif

/* Policy vendor: how the vendor's compiler runs networks on the Coral chip, carried over to the
 * template by its grid, lanes, ways and memories.
 *
 * Internal to sim/. The rules are from two projects that decoded the compiler's programs
 * (tinycoral at 3d332b6: codegen_conv2d, codegen_chain; LibrEdgeTPU) and from what measured ladders
 * of convolutions and dense layers show; docs/validation.md says how far they reach, which of them
 * are published and which are inferred.
 *
 * - Rows and columns of the output are split over the PE grid; each PE makes all channels of its
 *   block, cores x lanes in a pass. Dense layers and cells split channels over all PEs.
 * - A convolution of K words an output is position-outer (one fill of all K, no partial sums) or
 *   K-chunked (fills of kh * kw rows, for 1x1 kernels of the largest divisor of K up to 15; the
 *   partial sums of the PE's block lie in PE memory). PEs wait for a fill: 26 cycles, and for each
 *   row its bytes over the ring at 16 a cycle. A position takes a cycle a word and 2 more a fill.
 * - Tensors lie in narrow memory with the halos that their readers need. Where input and output do
 *   not fit, a convolution runs in strips (cs_residence), and its weights are filled, and crossed
 *   over the link unless cached, once a strip.
 * - PE memory less the largest buffer of any layer caches parameters: whole layers, in their order,
 *   passing over those that do not fit.
 * - A call uploads instructions and inputs first, and collects outputs last; neither overlaps with
 *   computing. The first streamed layer waits once for its stream. */
#ifndef CS_SIM_VENDOR_H
#define CS_SIM_VENDOR_H

#include "sim/compiler/schedule.h"

/* Fill a schedule that has room for the network's steps: the steps of one sample, the sums, or the
 * reason. `without`: 1u << cs_mechanism, those to leave out. */
void cs_vendor_compile(const cs_network *network, const cs_accelerator *accelerator,
                       uint32_t without, cs_schedule *schedule);

#endif

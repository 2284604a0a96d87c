/* The frame of an engine's checkpoint: its length, what it belongs to, the state, and a checksum,
 * so that one that was cut, altered or made by something else is refused before its state is read.
 */
#ifndef CS_SEARCH_ENGINE_CHECKPOINT_H
#define CS_SEARCH_ENGINE_CHECKPOINT_H

#include "search/engine/engine.h"

/* What a checkpoint belongs to: the class, the problem's numbers, the choices of its genes, and the
 * engine's options as numbers. */
cs_key cs_checkpoint_identity(const cs_engine_class *class, const cs_engine_problem *problem,
                              const double *options, size_t option_count);

/* Put the head; the state is put next, and cs_checkpoint_end with the returned place closes it. */
size_t cs_checkpoint_begin(cs_buffer *buffer, cs_key identity);
void cs_checkpoint_end(cs_buffer *buffer, size_t start);

/* Read a frame; `state` then reads the state in it. CS_ECORRUPT if it is damaged or belongs to
 * something else. */
CS_MUST_CHECK cs_status cs_checkpoint_open(cs_reader *reader, cs_key identity, cs_reader *state,
                                           cs_error *err);

#endif

/* The reference executor: runs a schedule on int8 tensors, step by step and strip by strip, in
 * memories of the stated sizes, and counts what it moves.
 *
 * It does what step.h says that PEs do: they gather what they read of others' blocks, take weights
 * fill by fill, keep partial sums in wide memory, write results over inputs that are used up.
 * docs/executor.md says what that shows and what it does not. It knows the machine (step.h) and the
 * schedule, and none of the compiler's notes. */
#ifndef CS_SIM_EXECUTOR_EXECUTOR_H
#define CS_SIM_EXECUTOR_EXECUTOR_H

#include "sim/accelerator/accelerator.h"
#include "sim/compiler/schedule.h"
#include "sim/executor/values.h"
#include "sim/network/network.h"

/* What one step did. */
typedef struct cs_executed {
    cs_traffic traffic;
    uint64_t fills; /* of the PE that takes most */
    uint32_t strips;
    uint64_t narrow_bytes;  /* of a PE, in use by tensors of the step */
    uint64_t wide_bytes;    /* by its buffers and tensors, and those that are parked */
    uint64_t core_bytes;    /* up to the last that held a weight, of all cores */
    uint64_t strayed_bytes; /* weights of dense layers and cells read from another PE's memory,
                               because those of several layers do not fit their own */
} cs_executed;

typedef struct cs_execution {
    cs_executed *steps; /* one a layer; owned */
    int8_t **tensors;   /* results of all layers, as those of cs_reference_run; owned */
    uint32_t count;
} cs_execution;

/* A zeroed cs_execution is empty; release frees what it holds and leaves it empty. */
void cs_execution_release(cs_execution *execution);

/* Run one sample of a feasible schedule. `execution` is empty before. Fails with CS_ECORRUPT, the
 * layer, the PE and the memory where something does not fit or lies outside its region, with
 * CS_EINVAL where the schedule is none for this network and accelerator, or with CS_ENOMEM. */
CS_MUST_CHECK cs_status cs_execute(const cs_network *network, const cs_accelerator *accelerator,
                                   const cs_schedule *schedule, const cs_values *values,
                                   cs_execution *execution, cs_error *err);

#endif

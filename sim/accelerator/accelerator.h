/* The accelerator: a plain value of the Edge TPU template (Seshadri et al., "An Evaluation of Edge
 * TPU Accelerators for Convolutional Neural Networks", arXiv 2102.10423).
 *
 * A 2-D grid of processing elements (PEs); each PE has cores that share its memory; each core has
 * compute lanes and a private memory for the lanes' parameters; each lane is a SIMD MAC over
 * simd_ways input channels. A controller moves data between DRAM (or a host) and the PEs over one
 * link.
 *
 * Two works use this template under different names: what is a core with its lanes here is a
 * compute lane with its SIMD units in NAHAS (arXiv 2102.08619). A file says which naming it uses
 * and may use no other; the struct has the names of the template. What NAHAS keeps fixed has no
 * name of its own there and goes by the template's name under both. */
#ifndef CS_SIM_ACCELERATOR_H
#define CS_SIM_ACCELERATOR_H

#include "base/conf.h"
#include "base/status.h"
#include "sim/accelerator/host.h"
#include "sim/accelerator/provenance.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cs_accelerator {
    uint32_t pes_x, pes_y;        /* PE grid */
    uint32_t cores_per_pe;        /* NAHAS: compute_lanes */
    uint32_t lanes_per_core;      /* NAHAS: SIMD_units */
    uint32_t simd_ways;           /* input channels a lane multiplies in a cycle */
    uint32_t clock_mhz;           /* of PEs and memories */
    uint64_t pe_memory_bytes;     /* of one PE: cached parameters, and activations and partial sums
                                     where they have no memory of their own */
    uint64_t narrow_memory_bytes; /* of one PE, for activations alone; 0: they share PE memory */
    uint64_t core_memory_bytes;   /* of one core: parameters in use */
    uint32_t instruction_entries; /* of one PE, whose cores run in step */
    uint32_t parameter_entries;   /* of one PE */
    uint32_t activation_entries;  /* of one PE */
    uint64_t link_bytes_per_s;    /* off-chip, each direction */
    cs_host host;                 /* what it is attached to; all zero: the link above, both ways */
} cs_accelerator;

/* Bytes of one entry of the small memories. The template gives entries only; these widths are
 * chosen by this project, so that the memories have an area: an instruction, a bias or multiplier
 * of a channel, one word of a 4-way lane. */
#define CS_INSTRUCTION_ENTRY_BYTES 8u
#define CS_PARAMETER_ENTRY_BYTES   4u
#define CS_ACTIVATION_ENTRY_BYTES  4u

/* One field of the template as files and spaces name it. */
typedef struct cs_accelerator_field {
    const char *name;  /* template's naming, e.g. "pe_memory_kib" */
    const char *nahas; /* NAHAS's naming, e.g. "local_memory_MB"; `name` where it has none */
    const char *text;  /* one line for people, with the unit */
    double unit;       /* value in the file * unit = value in the struct (template's naming) */
    double nahas_unit; /* the same for NAHAS's naming */
    uint64_t min, max; /* of the struct's value; where 0 is legal the field may be absent */
    size_t offset;     /* in cs_accelerator */
    size_t size;       /* 4 or 8 bytes */
} cs_accelerator_field;

extern const cs_accelerator_field cs_accelerator_fields[];
extern const uint32_t cs_accelerator_field_count;

typedef enum cs_naming {
    CS_NAMING_EDGETPU, /* pes_x, cores_per_pe, lanes_per_core, pe_memory_kib ... */
    CS_NAMING_NAHAS,   /* PEs_in_x_dimension, SIMD_units, local_memory_MB ... */
} cs_naming;

/* "edgetpu" or "nahas". */
CS_MUST_CHECK cs_status cs_naming_parse(cs_conf_node node, cs_naming *naming, cs_error *err);

/* The field of that name under that naming, or NULL; a name of the other naming is NULL too. */
const cs_accelerator_field *cs_accelerator_find(cs_naming naming, const char *name);

/* The struct's value for a file's value; CS_EINVAL when it is out of range or not a whole number
 * of the struct's unit. */
CS_MUST_CHECK cs_status cs_accelerator_field_value(const cs_accelerator_field *field,
                                                   cs_naming naming, double in_file,
                                                   uint64_t *value, cs_error *err);

/* A field's value, and setting it to one that cs_accelerator_field_value has made. */
uint64_t cs_accelerator_get(const cs_accelerator *accelerator, const cs_accelerator_field *field);
void cs_accelerator_set(cs_accelerator *accelerator, const cs_accelerator_field *field,
                        uint64_t value);

/* Read the group of a file that describes one accelerator:
 *     kind = "accelerator"; naming = "edgetpu"; source = "..."; values = ( { name = ...; value =
 *     ...; provenance = "..." }, ... );
 * every field exactly once, but those that may be 0 at most once; `source` may be absent. *recalled
 * becomes true if any value is recalled (else is left alone). The host is all zero.
 */
CS_MUST_CHECK cs_status cs_accelerator_read(cs_conf_node file, cs_accelerator *accelerator,
                                            bool *recalled, cs_error *err);

/* Memory of a PE that activations may take: its narrow memory, or PE memory where it has none. */
uint64_t cs_activation_memory_bytes(const cs_accelerator *accelerator);

/* MACs a cycle at full use, and the peak in operations a second (2 a MAC):
 * clock * PEx * PEy * cores * lanes * ways * 2. */
uint64_t cs_accelerator_macs_per_cycle(const cs_accelerator *accelerator);
double cs_accelerator_peak_ops(const cs_accelerator *accelerator);

#endif

/* The host: what an accelerator is attached to, and the link between them.
 *
 * A plain value of its own, because one chip is sold on several: a stick, a board, a card. A file
 * of configs/hosts/ names the chip and gives the link as it was measured on that host. */
#ifndef CS_SIM_HOST_H
#define CS_SIM_HOST_H

#include "base/conf.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cs_host {
    double in_bytes_per_s;  /* host to accelerator: tensors, parameters, instructions */
    double out_bytes_per_s; /* accelerator to host */
    double call_s;          /* of every inference, whatever it computes */
    double stream_start_s;  /* once a call that streams parameters */
} cs_host;

#define CS_HOST_MAX_CHIP 64u /* bytes of a chip's name, its end included */

/* One field as files name it; the value is one of a file. */
typedef struct cs_host_field {
    const char *name; /* with its unit: "call_ms" */
    const char *text; /* one line for people */
    double unit;      /* value in the file * unit = value in the struct */
    double min, max;
    bool optional; /* a file may leave it out, which means 0 */
    size_t offset; /* of a double in cs_host */
} cs_host_field;

extern const cs_host_field cs_host_fields[];
extern const uint32_t cs_host_field_count;

/* The field of that name, or NULL. */
const cs_host_field *cs_host_find(const char *name);

/* A field's value as a file has it. */
double cs_host_get(const cs_host *host, const cs_host_field *field);

/* Set a field to a file's value; CS_EINVAL when it is out of range. */
CS_MUST_CHECK cs_status cs_host_set(cs_host *host, const cs_host_field *field, double in_file,
                                    cs_error *err);

/* Read a host file:
 *     kind = "host"; accelerator = "coral"; source = "..."; values = ( { name = "in_mib_s"; value =
 *     ...; provenance = "..." }, ... );
 * with every field exactly once, an optional one at most once; `source` may be absent. `chip` is
 * the accelerator that is attached, by its name in configs/accelerators/. *recalled as in
 * cs_accelerator_read. */
CS_MUST_CHECK cs_status cs_host_read(cs_conf_node file, cs_host *host, char chip[CS_HOST_MAX_CHIP],
                                     bool *recalled, cs_error *err);

#endif

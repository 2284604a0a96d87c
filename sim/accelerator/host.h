/* The host: what an accelerator is attached to, and the link between them.
 *
 * A plain value of its own, because one chip is sold on several: a stick, a board, a card. A file
 * of configs/hosts/ names the chip and gives the link as it was measured on that host. */
#ifndef CS_SIM_HOST_H
#define CS_SIM_HOST_H

#include "base/conf.h"
#include "base/status.h"

#include <stdbool.h>

typedef struct cs_host {
    double in_bytes_per_s;  /* host to accelerator: tensors, parameters, instructions */
    double out_bytes_per_s; /* accelerator to host */
    double call_s;          /* of every inference, whatever it computes */
} cs_host;

#define CS_HOST_MAX_CHIP 64u /* bytes of a chip's name, its end included */

/* Read a host file:
 *     kind = "host"; accelerator = "coral"; source = "..."; values = ( { name = "in_mib_s"; value =
 *     ...; provenance = "..." }, ... );
 * with in_mib_s, out_mib_s (2^20 bytes a second) and call_ms, every one exactly once; `source` may
 * be absent. `chip` is the accelerator that is attached, by its name in configs/accelerators/.
 * *recalled as in cs_accelerator_read. */
CS_MUST_CHECK cs_status cs_host_read(cs_conf_node file, cs_host *host, char chip[CS_HOST_MAX_CHIP],
                                     bool *recalled, cs_error *err);

#endif

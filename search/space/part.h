/* What a space is made of. For the files of search/space/ only; everyone else uses search/space.h.
 *
 * A space has up to two templates: one that makes the layers of a network, one that makes an
 * accelerator. A template reads the choices of its own genes, which stand one after the other. */
#ifndef CS_SEARCH_SPACE_PART_H
#define CS_SEARCH_SPACE_PART_H

#include "search/space.h"
#include "sim/accelerator/provenance.h"

typedef struct cs_network_template cs_network_template;
typedef struct cs_accelerator_template cs_accelerator_template;

struct cs_space {
    cs_gene *genes; /* with their names, values and choices owned; network genes first */
    uint32_t gene_count;
    uint32_t network_gene_count;
    cs_network_template *network;         /* owned; NULL: no network part */
    cs_accelerator_template *accelerator; /* owned; NULL: no accelerator part */
    char *size_text;                      /* owned */
    double size;
};

/* Read what all space files share (kind, name, source, parameters; no key but `keys`) into a new
 * space without templates. *recalled as in cs_space_read_network. NULL on failure. */
cs_space *cs_space_read_frame(cs_conf_node file, const char *kind, const char *const *keys,
                              bool *recalled, cs_error *err);

/* The provenance of a group of a space file, which must be there; raises *recalled. */
CS_MUST_CHECK cs_status cs_space_read_provenance(cs_conf_node group, bool *recalled, cs_error *err);

void cs_network_template_free(cs_network_template *template);
void cs_accelerator_template_free(cs_accelerator_template *template);

/* `genome` is the part of the genome that belongs to the template. */
CS_MUST_CHECK cs_status cs_network_template_decode(const cs_network_template *template,
                                                   const cs_gene *genes, const uint8_t *genome,
                                                   cs_network *network, cs_error *err);
void cs_accelerator_template_decode(const cs_accelerator_template *template, const uint8_t *genome,
                                    cs_accelerator *accelerator);

#endif

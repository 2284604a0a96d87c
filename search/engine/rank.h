/* Ranking of scores: feasibility, dominance and crowding.
 *
 * Deb's rules: a feasible score comes before an infeasible one, and of two infeasible ones that
 * with less violation (Deb, "An efficient constraint handling method for genetic algorithms",
 * CMAME 186, 2000). Feasible ones are ranked by non-dominated sorting. Of equal objective vectors
 * only the first counts as non-dominated and the others stand behind it, front by front: genes that
 * change no objective would otherwise fill a small population with copies of one result (Fortin
 * and Parizeau, "Revisiting the NSGA-II crowding-distance computation", GECCO 2013). */
#ifndef CS_SEARCH_ENGINE_RANK_H
#define CS_SEARCH_ENGINE_RANK_H

#include "search/engine/engine.h"

/* Results of the last cs_ranking_sort, by score, and its scratch memory. */
typedef struct cs_ranking {
    uint32_t objective_count;
    uint32_t *rank;   /* 0: the best */
    double *crowding; /* distance within the rank; INFINITY at its ends; 0 if infeasible */
    uint32_t *order;  /* the scores' indices by rank, then wide crowding, then index */
    struct cs_ranking_key *keys;
    uint32_t *fronts;
    uint32_t *links;
} cs_ranking;

/* For up to `capacity` scores. False for want of memory; release it all the same. */
bool cs_ranking_init(cs_ranking *ranking, uint32_t objective_count, uint32_t capacity);
void cs_ranking_release(cs_ranking *ranking);

void cs_ranking_sort(cs_ranking *ranking, const cs_score *scores, uint32_t count);

#endif

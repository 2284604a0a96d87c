/* What all stores have in common: see store.h. */
#include "daemon/store.h"

#include <stdlib.h>

void cs_job_detail_release(cs_job_detail *detail)
{
    cs_buffer_release(&detail->schema);
    free(detail->space_size);
    free(detail->recalled);
    *detail = (cs_job_detail){0};
}

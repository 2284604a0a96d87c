/* Fields of a design, by the names and in the units of its files: those of the accelerator, and
 * where it is attached to a host, those of the host. */
#ifndef CS_CLIENT_FIELDS_H
#define CS_CLIENT_FIELDS_H

#include "base/status.h"
#include "sim/accelerator/accelerator.h"

/* Whether the accelerator is attached to a host. */
bool cs_fields_hosted(const cs_accelerator *accelerator);

/* Set the field that the files call `name` to the value `text`; `naming` is that of the
 * accelerator's file. CS_EINVAL for a name that is no field, with a list of those, and for a value
 * that it cannot have. */
CS_MUST_CHECK cs_status cs_fields_set(cs_naming naming, const char *name, const char *text,
                                      cs_accelerator *accelerator, cs_error *err);

/* "NAME=V1,V2,...": a quarter, half, twice and four times the value that the field has, rounded
 * down to whole units of the struct, without those that it cannot have. malloc'd; NULL on failure:
 * CS_EINVAL also where no value is left. */
char *cs_fields_around(cs_naming naming, const char *name, const cs_accelerator *accelerator,
                       cs_error *err);

#endif

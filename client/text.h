/* Text as terminals and files take it.
 *
 * Names and messages come from a server or from other users, so none of them is printed as it is:
 * control characters (also those that turn the direction of text) become visible escapes. */
#ifndef CS_CLIENT_TEXT_H
#define CS_CLIENT_TEXT_H

#include <stdint.h>
#include <stdio.h>

/* Print with escapes: \x1b for a byte, \u202e for a character. */
void cs_text_put(FILE *stream, const char *text);

/* The same, as one CSV field (RFC 4180), quoted where it needs to be. */
void cs_text_put_csv(FILE *stream, const char *text);

/* The same as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void cs_text_put_json(FILE *stream, const char *text);

#define CS_TEXT_NUMBER 32

/* The shortest decimal that reads back as the same double; "" for NAN and infinities. */
const char *cs_text_number(double value, char text[CS_TEXT_NUMBER]);

/* A count with thousands separated: 1,234. */
const char *cs_text_count(uint64_t value, char text[CS_TEXT_NUMBER]);

#endif

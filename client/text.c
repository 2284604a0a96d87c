/* Text as terminals and files take it: see text.h. */
#include "client/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The character that `text` starts with; its bytes, or 0 where it is not UTF-8. */
static size_t decode(const char *text, uint32_t *character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = bytes[0] < 0x80             ? 1
                    : (bytes[0] & 0xe0) == 0xc0 ? 2
                    : (bytes[0] & 0xf0) == 0xe0 ? 3
                    : (bytes[0] & 0xf8) == 0xf0 ? 4
                                                : 0;
    uint32_t value = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0; /* also where the text ends */
        }
        value = value << 6 | (bytes[i] & 0x3f);
    }
    bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (length == 0 || value < smallest[length] || value > 0x10ffff || surrogate) {
        return 0;
    }
    *character = value;
    return length;
}

/* C0, DEL and C1 controls, and what changes the direction of text or breaks lines. */
static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x61c ||
           (character >= 0x200e && character <= 0x200f) ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

/* Print one character or broken byte of `text`; its bytes. */
static size_t put_visible(FILE *stream, const char *text)
{
    uint32_t character;
    size_t length = decode(text, &character);
    if (length == 0) {
        fprintf(stream, "\\x%02x", (unsigned char)*text);
        return 1;
    }
    if (!is_control(character)) {
        fwrite(text, 1, length, stream);
    } else if (character < 0x80) {
        fprintf(stream, "\\x%02x", character);
    } else {
        fprintf(stream, "\\u%04x", character);
    }
    return length;
}

void cs_text_put(FILE *stream, const char *text)
{
    while (*text) {
        text += put_visible(stream, text);
    }
}

void cs_text_put_csv(FILE *stream, const char *text)
{
    size_t length = strlen(text);
    bool quoted = strpbrk(text, ",\"") || (length && (*text == ' ' || text[length - 1] == ' '));
    if (!quoted) {
        cs_text_put(stream, text);
        return;
    }
    fputc('"', stream);
    while (*text) {
        if (*text == '"') {
            fputc('"', stream);
        }
        text += put_visible(stream, text);
    }
    fputc('"', stream);
}

void cs_text_put_json(FILE *stream, const char *text)
{
    fputc('"', stream);
    while (*text) {
        uint32_t character;
        size_t length = decode(text, &character);
        if (length == 0) {
            fputs("\\ufffd", stream);
            length = 1;
        } else if (*text == '"' || *text == '\\') {
            fprintf(stream, "\\%c", *text);
        } else if (is_control(character)) {
            fprintf(stream, "\\u%04x", character);
        } else {
            fwrite(text, 1, length, stream);
        }
        text += length;
    }
    fputc('"', stream);
}

const char *cs_text_number(double value, char text[CS_TEXT_NUMBER])
{
    text[0] = '\0';
    for (int digits = 15; isfinite(value) && digits <= 17; digits++) {
        snprintf(text, CS_TEXT_NUMBER, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    return text;
}

const char *cs_text_count(uint64_t value, char text[CS_TEXT_NUMBER])
{
    char plain[CS_TEXT_NUMBER];
    int length = snprintf(plain, sizeof plain, "%" PRIu64, value);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            text[at++] = ',';
        }
        text[at++] = plain[i];
    }
    text[at] = '\0';
    return text;
}

/* Random messages: see messages.h. */
#include "messages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT     24
#define MAX_ELEMENTS 5

static void *allocate(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory) {
        abort();
    }
    return memory;
}

/* Characters of every length in UTF-8, and those at the edges of what is allowed. */
static char *random_text(cs_random *random)
{
    static const char *const characters[] = {
        "a",
        "~",
        "\x01",
        "\xc2\x80",
        "\xc3\xa9",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xe2\x82\xac",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
    };
    char *text = allocate(4 * MAX_TEXT + 1);
    for (uint32_t n = cs_random_below(random, MAX_TEXT); n > 0; n--) {
        strcat(text, characters[cs_random_below(random, sizeof characters / sizeof *characters)]);
    }
    return text;
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static void put_value(const ProtobufCFieldDescriptor *field, cs_random *random, unsigned depth,
                      void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **)at = random_text(random);
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData *data = at;
        data->len = cs_random_below(random, MAX_TEXT);
        data->data = data->len ? allocate(data->len) : NULL;
        for (size_t i = 0; i < data->len; i++) {
            data->data[i] = (uint8_t)cs_random_below(random, 256);
        }
        break;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)at = random_message(field->descriptor, random, depth ? depth - 1 : 0);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = (protobuf_c_boolean)cs_random_below(random, 2);
        break;
    default: {
        /* Any bits, and small numbers as often, so that varints have all lengths. */
        uint64_t bits = cs_random_u64(random) >> cs_random_below(random, 64);
        memcpy(at, &bits, size_of(field->type));
        break;
    }
    }
}

ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *descriptor, cs_random *random,
                                 unsigned depth)
{
    ProtobufCMessage *message = allocate(descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        char *at = (char *)message + field->offset;
        char *quantifier = (char *)message + field->quantifier_offset;
        bool required = field->label == PROTOBUF_C_LABEL_REQUIRED;
        if (!required && (cs_random_below(random, 2) ||
                          (depth <= 1 && field->type == PROTOBUF_C_TYPE_MESSAGE))) {
            continue;
        }
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t size = size_of(field->type);
            size_t count = cs_random_below(random, MAX_ELEMENTS + 1);
            char *elements = count ? allocate(count * size) : NULL;
            for (size_t k = 0; k < count; k++) {
                put_value(field, random, depth, elements + k * size);
            }
            *(size_t *)(void *)quantifier = count;
            *(char **)(void *)at = elements;
        } else if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            if (*(uint32_t *)(void *)quantifier == 0) {
                *(uint32_t *)(void *)quantifier = field->id;
                put_value(field, random, depth, at);
            }
        } else {
            if (!required && field->quantifier_offset) {
                *(protobuf_c_boolean *)(void *)quantifier = 1;
            }
            put_value(field, random, depth, at);
        }
    }
    return message;
}

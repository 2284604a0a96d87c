/* Checked packing and unpacking: see wire.h.
 *
 * The rules are those that protobuf_c_message_unpack (protobuf-c 1.4) unpacks by, so that what
 * passes here unpacks unless memory ends. They are stricter in depth, elements, strings, field
 * numbers and the wire type of booleans, and in that a field that is not repeated occurs once: an
 * encoder has no reason to repeat one, and without repetition protobuf-c never merges messages or
 * replaces a oneof's member. */
#include "proto/wire.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* protobuf-c reads no longer ones: of a tag or a length, and of a value. */
#define MAX_HEAD_BYTES   5u
#define MAX_VARINT_BYTES 10u

#define MAX_FIELD_NUMBER 0x1fffffffu

/* A message that is being read. */
typedef struct wire_level {
    const ProtobufCMessageDescriptor *message;
    const ProtobufCFieldDescriptor *field; /* the one being read; NULL: unknown or none */
    size_t end;                            /* where the message ends in the frame */
    uint64_t seen;                         /* one bit for each field of the descriptor */
} wire_level;

typedef struct wire_walk {
    const uint8_t *frame;
    uint8_t *repair; /* the frame again, if bad strings are to be mended, else NULL */
    size_t at;
    size_t elements;
    unsigned depth; /* levels in use */
    wire_level levels[CS_WIRE_MAX_DEPTH];
} wire_walk;

/* ---- errors ---- */

static cs_status fail_at(const wire_walk *walk, cs_error *err, cs_status status, const char *format,
                         ...) CS_PRINTF(4, 5);

/* "Reply.watch_event.added.index: what is wrong, at byte 117". */
static cs_status fail_at(const wire_walk *walk, cs_error *err, cs_status status, const char *format,
                         ...)
{
    char path[256];
    int used = snprintf(path, sizeof path, "%s", walk->levels[0].message->short_name);
    for (unsigned i = 0; i < walk->depth && walk->levels[i].field; i++) {
        if (used < (int)sizeof path) {
            used += snprintf(path + used, sizeof path - (size_t)used, ".%s",
                             walk->levels[i].field->name);
        }
    }
    char text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cs_fail(err, status, "%s: %s, at byte %zu", path, text, walk->at);
}

/* ---- pieces ---- */

/* Read a varint of at most `most` bytes that ends before `end`. */
static bool read_varint(wire_walk *walk, size_t end, unsigned most, uint64_t *value)
{
    uint64_t got = 0;
    size_t left = end - walk->at;
    for (unsigned i = 0; i < most && i < left; i++) {
        uint8_t byte = walk->frame[walk->at + i];
        got |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            walk->at += i + 1;
            *value = got;
            return true;
        }
    }
    return false;
}

/* How many bytes from the start are whole characters of UTF-8 (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF) other than the zero byte. */
static size_t text_prefix(const uint8_t *text, size_t size)
{
    size_t i = 0;
    while (i < size) {
        uint8_t lead = text[i];
        if (lead >= 0x01 && lead <= 0x7f) {
            i++;
            continue;
        }
        unsigned more = lead >= 0xc2 && lead <= 0xdf   ? 1
                        : lead >= 0xe0 && lead <= 0xef ? 2
                        : lead >= 0xf0 && lead <= 0xf4 ? 3
                                                       : 0;
        if (more == 0 || size - i <= more) {
            return i;
        }
        uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (text[i + 1] < low || text[i + 1] > high) {
            return i;
        }
        for (unsigned k = 2; k <= more; k++) {
            if ((text[i + k] & 0xc0) != 0x80) {
                return i;
            }
        }
        i += more + 1;
    }
    return i;
}

static cs_status check_string(wire_walk *walk, size_t size, cs_error *err)
{
    size_t good = text_prefix(walk->frame + walk->at, size);
    while (good < size) {
        if (!walk->repair) {
            walk->at += good;
            return fail_at(walk, err, CS_EINVAL, "the text is not UTF-8 without zero bytes");
        }
        walk->repair[walk->at + good] = '?';
        good++;
        good += text_prefix(walk->frame + walk->at + good, size - good);
    }
    return CS_OK;
}

static ProtobufCWireType wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

/* Count the elements of a packed field; false if its bytes are not whole elements. */
static bool count_packed(ProtobufCType type, const uint8_t *bytes, size_t size, size_t *count)
{
    ProtobufCWireType wire = wire_type_of(type);
    if (wire != PROTOBUF_C_WIRE_TYPE_VARINT) {
        size_t width = wire == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
        *count = size / width;
        return size % width == 0;
    }
    size_t ends = 0;
    unsigned run = 0;
    for (size_t i = 0; i < size; i++) {
        run++;
        if (!(bytes[i] & 0x80)) {
            ends++;
            run = 0;
        } else if (run == MAX_VARINT_BYTES) {
            return false;
        }
    }
    *count = ends;
    return run == 0;
}

/* ---- the walk ---- */

static cs_status count_elements(wire_walk *walk, size_t more, cs_error *err)
{
    if (more > CS_WIRE_MAX_ELEMENT - walk->elements) {
        return fail_at(walk, err, CS_ELIMIT, "more than %u elements in a frame",
                       CS_WIRE_MAX_ELEMENT);
    }
    walk->elements += more;
    return CS_OK;
}

/* Note that the level's field occurs, which it may do only once unless it is repeated; of the
 * members of a oneof only one may. */
static cs_status note_field(const wire_walk *walk, wire_level *top, cs_error *err)
{
    const ProtobufCFieldDescriptor *field = top->field;
    const ProtobufCFieldDescriptor *fields = top->message->fields;
    uint64_t bit = UINT64_C(1) << (field - fields);
    if (field->label != PROTOBUF_C_LABEL_REPEATED && (top->seen & bit)) {
        return fail_at(walk, err, CS_EINVAL, "the field occurs twice");
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        for (unsigned i = 0; i < top->message->n_fields; i++) {
            if ((top->seen >> i & 1) && (fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
                fields[i].quantifier_offset == field->quantifier_offset) {
                return fail_at(walk, err, CS_EINVAL, "stands beside %s, but only one may be there",
                               fields[i].name);
            }
        }
    }
    top->seen |= bit;
    return CS_OK;
}

/* The content of a length-prefixed field, `size` bytes from walk->at on. */
static cs_status read_content(wire_walk *walk, wire_level *top, size_t size, cs_error *err)
{
    const ProtobufCFieldDescriptor *field = top->field;
    cs_status status = CS_OK;
    if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (walk->depth == CS_WIRE_MAX_DEPTH) {
            return fail_at(walk, err, CS_ELIMIT, "messages nested deeper than %u",
                           CS_WIRE_MAX_DEPTH);
        }
        walk->levels[walk->depth++] = (wire_level){
            .message = field->descriptor,
            .end = walk->at + size,
        };
        return CS_OK;
    }
    if (field && field->type == PROTOBUF_C_TYPE_STRING) {
        status = check_string(walk, size, err);
    } else if (field && field->type != PROTOBUF_C_TYPE_BYTES) {
        size_t count = 0;
        if (!count_packed(field->type, walk->frame + walk->at, size, &count)) {
            return fail_at(walk, err, CS_EINVAL, "packed elements are not whole");
        }
        status = count_elements(walk, count, err);
    }
    walk->at += size;
    return status;
}

static cs_status read_field(wire_walk *walk, wire_level *top, cs_error *err)
{
    top->field = NULL;
    cs_status status = count_elements(walk, 1, err);
    if (status) {
        return status;
    }
    uint64_t tag = 0;
    if (!read_varint(walk, top->end, MAX_HEAD_BYTES, &tag)) {
        return fail_at(walk, err, CS_EINVAL, "a field's tag is cut or too long");
    }
    unsigned wire = tag & 7;
    uint64_t number = tag >> 3;
    if (number == 0 || number > MAX_FIELD_NUMBER) {
        return fail_at(walk, err, CS_EINVAL, "no field has the number %llu",
                       (unsigned long long)number);
    }
    top->field = protobuf_c_message_descriptor_get_field(top->message, (unsigned)number);
    if (top->field) {
        ProtobufCWireType own = wire_type_of(top->field->type);
        bool packed = top->field->label == PROTOBUF_C_LABEL_REPEATED &&
                      wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
        if (wire != (unsigned)own && !packed) {
            return fail_at(walk, err, CS_EINVAL, "has wire type %u, not %u", wire, (unsigned)own);
        }
        status = note_field(walk, top, err);
        if (status) {
            return status;
        }
    }

    uint64_t value = 0;
    size_t left = top->end - walk->at;
    switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        if (!read_varint(walk, top->end, MAX_VARINT_BYTES, &value)) {
            return fail_at(walk, err, CS_EINVAL, "a number is cut or too long");
        }
        return CS_OK;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
    case PROTOBUF_C_WIRE_TYPE_32BIT: {
        size_t width = wire == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
        if (left < width) {
            return fail_at(walk, err, CS_EINVAL, "a number is cut");
        }
        walk->at += width;
        return CS_OK;
    }
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!read_varint(walk, top->end, MAX_HEAD_BYTES, &value)) {
            return fail_at(walk, err, CS_EINVAL, "a length is cut or too long");
        }
        left = top->end - walk->at;
        if (value > left) {
            return fail_at(walk, err, CS_EINVAL, "needs %llu bytes, but %zu are left",
                           (unsigned long long)value, left);
        }
        return read_content(walk, top, (size_t)value, err);
    default:
        return fail_at(walk, err, CS_EINVAL, "wire type %u is not in use (groups are refused)",
                       wire);
    }
}

static cs_status check_required(const wire_walk *walk, const wire_level *top, cs_error *err)
{
    for (unsigned i = 0; i < top->message->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &top->message->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REQUIRED && !(top->seen >> i & 1)) {
            return fail_at(walk, err, CS_EINVAL, "%s is missing", field->name);
        }
    }
    return CS_OK;
}

static cs_status walk_frame(const ProtobufCMessageDescriptor *descriptor, const uint8_t *frame,
                            size_t size, uint8_t *repair, cs_error *err)
{
    wire_walk walk = {.frame = frame, .repair = repair, .depth = 1};
    walk.levels[0] = (wire_level){.message = descriptor, .end = size};
    cs_status status = CS_OK;
    while (status == CS_OK && walk.depth > 0) {
        wire_level *top = &walk.levels[walk.depth - 1];
        assert(top->message->n_fields <= 64);
        if (walk.at < top->end) {
            status = read_field(&walk, top, err);
        } else {
            top->field = NULL;
            status = check_required(&walk, top, err);
            walk.depth--;
        }
    }
    return status;
}

/* ---- memory ---- */

typedef struct wire_budget {
    size_t left;
    bool spent;
} wire_budget;

static void *budget_alloc(void *data, size_t size)
{
    wire_budget *budget = data;
    if (size > budget->left) {
        budget->spent = true;
        return NULL;
    }
    budget->left -= size;
    return malloc(size);
}

static void budget_free(void *data, void *memory)
{
    (void)data;
    free(memory);
}

/* ---- public ---- */

cs_status cs_wire_check(const ProtobufCMessageDescriptor *descriptor, const void *frame,
                        size_t size, cs_error *err)
{
    if (size > CS_WIRE_MAX_FRAME) {
        return cs_fail(err, CS_ELIMIT, "%s: a frame of %zu bytes; at most %u are read",
                       descriptor->short_name, size, CS_WIRE_MAX_FRAME);
    }
    return walk_frame(descriptor, frame, size, NULL, err);
}

ProtobufCMessage *cs_wire_unpack(const ProtobufCMessageDescriptor *descriptor, const void *frame,
                                 size_t size, cs_error *err)
{
    if (cs_wire_check(descriptor, frame, size, err) != CS_OK) {
        return NULL;
    }
    wire_budget budget = {.left = 4 * (size_t)CS_WIRE_MAX_FRAME};
    ProtobufCAllocator allocator = {
        .alloc = budget_alloc,
        .free = budget_free,
        .allocator_data = &budget,
    };
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, size, frame);
    if (!message && budget.spent) {
        cs_fail(err, CS_ELIMIT, "%s: unpacking takes more than %u bytes of memory",
                descriptor->short_name, 4 * CS_WIRE_MAX_FRAME);
    } else if (!message) {
        cs_fail_memory(err);
    }
    return message;
}

void cs_wire_free(ProtobufCMessage *message)
{
    if (message) {
        ProtobufCAllocator allocator = {.alloc = budget_alloc, .free = budget_free};
        protobuf_c_message_free_unpacked(message, &allocator);
    }
}

uint8_t *cs_wire_pack(const ProtobufCMessage *message, size_t *size, cs_error *err)
{
    assert(protobuf_c_message_check(message));
    size_t needed = protobuf_c_message_get_packed_size(message);
    if (needed > CS_WIRE_MAX_FRAME) {
        cs_fail(err, CS_ELIMIT, "%s: %zu bytes do not fit a frame of %u",
                message->descriptor->short_name, needed, CS_WIRE_MAX_FRAME);
        return NULL;
    }
    uint8_t *frame = malloc(needed ? needed : 1);
    if (!frame) {
        cs_fail_memory(err);
        return NULL;
    }
    protobuf_c_message_pack(message, frame);
    if (walk_frame(message->descriptor, frame, needed, frame, err) != CS_OK) {
        free(frame);
        return NULL;
    }
    *size = needed;
    return frame;
}

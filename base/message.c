/* Checked unpacking: see message.h.
 *
 * The rules are those that protobuf_c_message_unpack (protobuf-c 1.4) unpacks by, so that what
 * passes here unpacks unless memory ends. They are stricter in depth, elements, strings, field
 * numbers and the wire type of booleans, and in that a field that is not repeated occurs once: an
 * encoder has no reason to repeat one, and without repetition protobuf-c never merges messages or
 * replaces a oneof's member. */
#include "base/message.h"

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
typedef struct message_level {
    const ProtobufCMessageDescriptor *message;
    const ProtobufCFieldDescriptor *field; /* the one being read; NULL: unknown or none */
    size_t end;                            /* where the message ends in the frame */
    uint64_t seen;                         /* one bit for each field of the descriptor */
    size_t copy_at;                        /* where its length stands in the copy */
} message_level;

typedef struct message_walk {
    const cs_message_limits *limits;
    const uint8_t *frame;
    uint8_t *repair; /* the frame again, if bad strings are to be mended, else NULL */
    cs_buffer *copy; /* what is kept goes there, if not NULL */
    size_t longest;  /* bytes of a field that the copy keeps */
    size_t at;
    size_t elements;
    unsigned depth; /* levels in use */
    message_level levels[CS_MESSAGE_MAX_DEPTH];
} message_walk;

/* ---- errors ---- */

static cs_status fail_at(const message_walk *walk, cs_error *err, cs_status status,
                         const char *format, ...) CS_PRINTF(4, 5);

/* "Reply.watch_event.added.index: what is wrong, at byte 117". */
static cs_status fail_at(const message_walk *walk, cs_error *err, cs_status status,
                         const char *format, ...)
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
static bool read_varint(message_walk *walk, size_t end, unsigned most, uint64_t *value)
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

static cs_status check_string(message_walk *walk, size_t size, cs_error *err)
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

static cs_status count_elements(message_walk *walk, size_t more, cs_error *err)
{
    if (more > walk->limits->max_elements - walk->elements) {
        return fail_at(walk, err, CS_ELIMIT, "more than %zu elements in a frame",
                       walk->limits->max_elements);
    }
    walk->elements += more;
    return CS_OK;
}

/* Note that the level's field occurs, which it may do only once unless it is repeated; of the
 * members of a oneof only one may. */
static cs_status note_field(const message_walk *walk, message_level *top, cs_error *err)
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

/* Append the frame's bytes from `from` to here to the copy, if one is made. */
static cs_status keep(const message_walk *walk, size_t from, cs_error *err)
{
    if (!walk->copy) {
        return CS_OK;
    }
    size_t size = walk->at - from;
    if (size > walk->limits->max_memory || walk->copy->size > walk->limits->max_memory - size) {
        return fail_at(walk, err, CS_ELIMIT, "more than %zu bytes to keep",
                       walk->limits->max_memory);
    }
    cs_buffer_put(walk->copy, walk->frame + from, size);
    return walk->copy->failed ? cs_fail_memory(err) : CS_OK;
}

/* Enter the message of `size` bytes that begins here. */
static cs_status enter_message(message_walk *walk, const message_level *top, size_t size,
                               cs_error *err)
{
    if (walk->depth == walk->limits->max_depth) {
        return fail_at(walk, err, CS_ELIMIT, "messages nested deeper than %u",
                       walk->limits->max_depth);
    }
    message_level *inner = &walk->levels[walk->depth++];
    *inner = (message_level){.message = top->field->descriptor, .end = walk->at + size};
    if (walk->copy) {
        /* Its length in the copy is written when it has been left. */
        inner->copy_at = walk->copy->size;
        cs_buffer_put(walk->copy, (const uint8_t[MAX_HEAD_BYTES]){0}, MAX_HEAD_BYTES);
        return walk->copy->failed ? cs_fail_memory(err) : CS_OK;
    }
    return CS_OK;
}

/* Write the length of a message that has been left, padded to the longest varint of a length. */
static void close_message(const message_walk *walk, const message_level *level)
{
    uint8_t *head = walk->copy->data + level->copy_at;
    size_t size = walk->copy->size - level->copy_at - MAX_HEAD_BYTES;
    for (unsigned i = 0; i < MAX_HEAD_BYTES; i++) {
        head[i] = (uint8_t)((size >> (7 * i) & 0x7f) | (i + 1 < MAX_HEAD_BYTES ? 0x80 : 0));
    }
}

/* Check the content, `size` bytes from walk->at on, of a length-prefixed field that is no message,
 * and go behind it. */
static cs_status read_content(message_walk *walk, const message_level *top, size_t size,
                              cs_error *err)
{
    const ProtobufCFieldDescriptor *field = top->field;
    cs_status status = CS_OK;
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

/* May a field be left out for its length? NULL is an unknown one. */
static bool is_bulk(const ProtobufCFieldDescriptor *field)
{
    return !field ||
           (field->type != PROTOBUF_C_TYPE_STRING && field->label != PROTOBUF_C_LABEL_REQUIRED);
}

/* What follows a tag that ends here. `begin`: where the tag begins. */
static cs_status read_value(message_walk *walk, message_level *top, unsigned wire, size_t begin,
                            cs_error *err)
{
    const ProtobufCFieldDescriptor *field = top->field;
    size_t tag_end = walk->at;
    size_t left = top->end - walk->at;
    uint64_t value = 0;
    cs_status status = CS_OK;
    switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        if (!read_varint(walk, top->end, MAX_VARINT_BYTES, &value)) {
            return fail_at(walk, err, CS_EINVAL, "a number is cut or too long");
        }
        break;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
    case PROTOBUF_C_WIRE_TYPE_32BIT: {
        size_t width = wire == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
        if (left < width) {
            return fail_at(walk, err, CS_EINVAL, "a number is cut");
        }
        walk->at += width;
        break;
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
        if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
            size_t content = walk->at;
            walk->at = tag_end;
            status = keep(walk, begin, err);
            walk->at = content;
            return status ? status : enter_message(walk, top, (size_t)value, err);
        }
        if (walk->copy && value > walk->longest && is_bulk(field)) {
            walk->at += (size_t)value;
            return CS_OK;
        }
        status = read_content(walk, top, (size_t)value, err);
        break;
    default:
        return fail_at(walk, err, CS_EINVAL, "wire type %u is not in use (groups are refused)",
                       wire);
    }
    return status ? status : keep(walk, begin, err);
}

static cs_status read_field(message_walk *walk, message_level *top, cs_error *err)
{
    top->field = NULL;
    cs_status status = count_elements(walk, 1, err);
    if (status) {
        return status;
    }
    size_t begin = walk->at;
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
    return read_value(walk, top, wire, begin, err);
}

static cs_status check_required(const message_walk *walk, const message_level *top, cs_error *err)
{
    for (unsigned i = 0; i < top->message->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &top->message->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REQUIRED && !(top->seen >> i & 1)) {
            return fail_at(walk, err, CS_EINVAL, "%s is missing", field->name);
        }
    }
    return CS_OK;
}

/* Walk the whole frame. What the walk is to do besides is set. */
static cs_status walk_frame(message_walk *walk, const ProtobufCMessageDescriptor *descriptor,
                            size_t size, cs_error *err)
{
    assert(walk->limits->max_depth >= 1 && walk->limits->max_depth <= CS_MESSAGE_MAX_DEPTH);
    walk->depth = 1;
    walk->levels[0] = (message_level){.message = descriptor, .end = size};
    cs_status status = CS_OK;
    while (status == CS_OK && walk->depth > 0) {
        message_level *top = &walk->levels[walk->depth - 1];
        assert(top->message->n_fields <= 64);
        if (walk->at < top->end) {
            status = read_field(walk, top, err);
        } else {
            top->field = NULL;
            status = check_required(walk, top, err);
            walk->depth--;
            if (walk->copy && walk->depth > 0) {
                close_message(walk, top);
            }
        }
    }
    return status;
}

static cs_status check_bytes(const cs_message_limits *limits,
                             const ProtobufCMessageDescriptor *descriptor, size_t size,
                             cs_error *err)
{
    if (size > limits->max_bytes) {
        return cs_fail(err, CS_ELIMIT, "%s: a frame of %zu bytes; at most %zu are read",
                       descriptor->short_name, size, limits->max_bytes);
    }
    return CS_OK;
}

/* ---- memory ---- */

typedef struct message_budget {
    size_t left;
    bool spent;
} message_budget;

static void *budget_alloc(void *data, size_t size)
{
    message_budget *budget = data;
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

cs_status cs_message_check(const cs_message_limits *limits,
                           const ProtobufCMessageDescriptor *descriptor, const void *frame,
                           size_t size, cs_error *err)
{
    message_walk walk = {.limits = limits, .frame = frame};
    cs_status status = check_bytes(limits, descriptor, size, err);
    return status ? status : walk_frame(&walk, descriptor, size, err);
}

cs_status cs_message_mend(const cs_message_limits *limits,
                          const ProtobufCMessageDescriptor *descriptor, uint8_t *frame, size_t size,
                          cs_error *err)
{
    message_walk walk = {.limits = limits, .frame = frame, .repair = frame};
    return walk_frame(&walk, descriptor, size, err);
}

cs_status cs_message_thin(const cs_message_limits *limits,
                          const ProtobufCMessageDescriptor *descriptor, const void *frame,
                          size_t size, size_t longest, cs_buffer *thin, cs_error *err)
{
    message_walk walk = {.limits = limits, .frame = frame, .copy = thin, .longest = longest};
    cs_status status = check_bytes(limits, descriptor, size, err);
    return status ? status : walk_frame(&walk, descriptor, size, err);
}

ProtobufCMessage *cs_message_unpack(const cs_message_limits *limits,
                                    const ProtobufCMessageDescriptor *descriptor, const void *frame,
                                    size_t size, cs_error *err)
{
    if (cs_message_check(limits, descriptor, frame, size, err) != CS_OK) {
        return NULL;
    }
    message_budget budget = {.left = limits->max_memory};
    ProtobufCAllocator allocator = {
        .alloc = budget_alloc,
        .free = budget_free,
        .allocator_data = &budget,
    };
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, size, frame);
    if (!message && budget.spent) {
        cs_fail(err, CS_ELIMIT, "%s: unpacking takes more than %zu bytes of memory",
                descriptor->short_name, limits->max_memory);
    } else if (!message) {
        cs_fail_memory(err);
    }
    return message;
}

void cs_message_free(ProtobufCMessage *message)
{
    if (message) {
        ProtobufCAllocator allocator = {.alloc = budget_alloc, .free = budget_free};
        protobuf_c_message_free_unpacked(message, &allocator);
    }
}

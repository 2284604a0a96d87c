/* Knobs and pins: see knobs.h. */
#include "sim/compiler/knobs.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *values, *about;
} pins_known[] = {
#define X(name, text, values, about) {text, values, about},
    CS_PIN_MAP(X)
#undef X
};

const char *cs_pin_name(cs_pin pin)
{
    assert(pin < CS_PIN_COUNT);
    return pins_known[pin].name;
}

const char *cs_pin_values(cs_pin pin)
{
    assert(pin < CS_PIN_COUNT);
    return pins_known[pin].values;
}

const char *cs_pin_about(cs_pin pin)
{
    assert(pin < CS_PIN_COUNT);
    return pins_known[pin].about;
}

void cs_pin_value_name(cs_pin pin, unsigned value, char text[16])
{
    const char *at = cs_pin_values(pin);
    for (; value > 0 && *at; value--) {
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    snprintf(text, 16, "%.*s", (int)strcspn(at, " "), at);
}

cs_status cs_pins_set(cs_pins *pins, const char *text, cs_error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals) {
        return cs_fail(err, CS_EINVAL, "'%.60s' has no '='", text);
    }
    size_t length = (size_t)(equals - text);
    for (cs_pin pin = 0; pin < CS_PIN_COUNT; pin++) {
        const char *name = pins_known[pin].name;
        if (strlen(name) != length || strncmp(name, text, length) != 0) {
            continue;
        }
        char value[16];
        unsigned number = 0;
        for (cs_pin_value_name(pin, number, value); *value;
             cs_pin_value_name(pin, ++number, value)) {
            if (strcmp(value, equals + 1) == 0) {
                pins->value[pin] = (uint8_t)(number + 1);
                return CS_OK;
            }
        }
        return cs_fail(err, CS_EINVAL, "%s must be one of: %s; not '%.60s'", name,
                       pins_known[pin].values, equals + 1);
    }
    char list[128] = "";
    size_t used = 0;
    for (cs_pin pin = 0; pin < CS_PIN_COUNT; pin++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", pin ? ", " : "",
                                 pins_known[pin].name);
    }
    return cs_fail(err, CS_EINVAL, "there is no knob '%.*s'; there are: %s",
                   (int)(length < 60 ? length : 60), text, list);
}

bool cs_pins_allow(const cs_pins *pins, cs_pin pin, unsigned value)
{
    return pins->value[pin] == 0 || pins->value[pin] == value + 1;
}

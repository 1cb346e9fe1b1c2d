// Dynamic values, the public ones as canon/'s and back.
#pragma once

#include "canon/value.h"
#include "embed/instance.h"

namespace cusp::embed {

// Handles given as `own` are taken from their holders, who are noted. Error: InvalidArgument for handles that cannot stand in this instance.
base::Result<canon::Value> to_canon(const Value& value, const canon::ComponentInstance& component,
                                    std::vector<detail::GuestHandle*>& taken);
Value to_public(canon::Value value, const canon::ComponentInstance& component);

} // namespace cusp::embed

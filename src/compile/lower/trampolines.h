// Code at the border of guest and host, one piece per function type; the conventions are those of abi/vm.h.
#pragma once

#include "compile/lower/group.h"

namespace cusp::compile {

// Host to guest: void entry(ptr vmctx, ptr code, ValRaw* values).
void emit_entry_trampoline(Group& group, wasm::TypeIndex type);

// Guest to host: like a guest function of the type, but its first argument is a HostFunc.
void emit_host_stub(Group& group, wasm::TypeIndex type);

} // namespace cusp::compile

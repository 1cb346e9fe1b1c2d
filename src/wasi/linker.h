// Every interface that this room gives to components, added to a linker: each serves imports of any 0.2.x or of any 0.3.x.
#pragma once

#include "canon/bind.h"

namespace cusp::wasi {

inline constexpr const char* kVersion = "0.2.12";

void add_io(canon::Linker& linker);
void add_clocks(canon::Linker& linker);
void add_random(canon::Linker& linker);
void add_cli(canon::Linker& linker);
void add_filesystem(canon::Linker& linker);
void add_sockets(canon::Linker& linker);
void add_http(canon::Linker& linker);
void add_config(canon::Linker& linker);
void add_keyvalue(canon::Linker& linker);
void add_logging(canon::Linker& linker);

// All of the above. Instances that are linked by it need a Context as their host state.
void add_to_linker(canon::Linker& linker);

} // namespace cusp::wasi

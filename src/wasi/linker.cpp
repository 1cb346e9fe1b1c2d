#include "wasi/linker.h"

namespace cusp::wasi {

void add_to_linker(canon::Linker& linker) {
  add_io(linker);
  add_clocks(linker);
  add_random(linker);
  add_cli(linker);
  add_filesystem(linker);
  add_sockets(linker);
  add_http(linker);
  add_config(linker);
  add_keyvalue(linker);
  add_logging(linker);
}

} // namespace cusp::wasi

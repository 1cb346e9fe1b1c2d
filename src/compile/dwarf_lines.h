// Source lines of a core module's code, from its debug information: the line number programs in the custom section
// .debug_line, DWARF 2 to 5. They stand nearly alone (DWARF 5 keeps file names in .debug_line_str), so that a big
// .debug_info costs nothing. Debug information is foreign and no validator sees it: what is damaged is left out.
#pragma once

#include "artifact/line_table.h"
#include "wasm/module.h"

namespace cusp::compile {

// Empty when the module has no debug information.
artifact::ModuleLines source_lines(const wasm::Module& module);

} // namespace cusp::compile

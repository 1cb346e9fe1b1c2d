#include "compile/groups.h"

namespace cusp::compile {

void append_groups(const wasm::Module& module, std::uint32_t module_index, std::vector<FunctionGroup>& groups) {
  FunctionGroup group{.module = module_index};
  auto close = [&](std::uint32_t end) {
    group.end = end;
    if (group.first != end) groups.push_back(group);
    group.first = end, group.bytes = 0;
  };
  for (std::uint32_t i = 0; i < module.defined_functions(); ++i) {
    std::uint64_t size = module.code[i].bytes.size();
    // A function as large as a group has one of its own: its compile time is its own affair.
    if (group.bytes != 0 && group.bytes + size > kGroupBytes) close(i);
    group.bytes += size;
  }
  close(module.defined_functions());
}

} // namespace cusp::compile

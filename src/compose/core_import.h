// What a core module's import means to the component around it, told by its names: a function of the world, a built-in of the canonical ABI for a
// resource, stream or future of the world, or an export of another module.
// The names are those that language toolchains write: interface and function as they are; `$root` for the world's own functions; `[export]` before
// the interface for what concerns an export; `[resource-drop]r`, `[async-lower]f`, `[stream-new-0]f` and so on for built-ins.
#pragma once

#include <set>
#include <string>

#include "base/result.h"
#include "compose/flatten.h"

namespace cusp::compose {

struct CoreImport {
  enum class Kind : std::uint8_t {
    Function,     // lower `function`
    ResourceDrop, // of `type`, as the next two
    ResourceNew,
    ResourceRep,
    TaskReturn, // of `function`
    Builtin,    // `opcode` with `immediates`, of `type` where it has one
    Module,     // an export of another core module
    Memory,     // the main module's memory
  } kind{};
  std::string module, name; // as written
  bool exported = false;    // concerns an export: types as the export has them
  bool is_async = false;
  bool cancellable = false;
  wit::InterfaceId interface; // none: the world's own
  const wit::Function* function = nullptr;
  wit::TypeId type;
  std::uint8_t opcode = 0;
  std::string_view
      immediates; // t: type, a: async flag, c: cancellable flag, m: memory, o: options, 0 or 1: i32 and a slot, 8 u l: string encoding
  CoreSignature signature; // but for Module and Memory
};

// `modules`: names of the modules that are at hand. Error: Unlinkable, with the names and in WIT's terms.
base::Result<CoreImport> classify_import(const wit::Graph& graph, const wit::World& world,
                                         const std::set<std::string>& modules, std::string_view module,
                                         std::string_view name);

// The item of a world that is called `name` or something compatible.
const wit::WorldItem* find_world_item(const wit::Graph& graph, const std::vector<wit::WorldItem>& items,
                                      std::string_view name);

} // namespace cusp::compose

#include "compose/core_import.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cusp::compose {

using base::ErrorCode;
using base::Result;
using wasm::ValType;

namespace {

// A built-in by the name that modules import it under. `params` and `results`: i is i32, l is i64.
struct BuiltinName {
  std::string_view name;
  std::uint8_t opcode;
  std::string_view immediates, params, results;
};
constexpr BuiltinName kBuiltins[] = {
    {"[backpressure-inc]", 0x24, "", "", ""},
    {"[backpressure-dec]", 0x25, "", "", ""},
    {"[task-cancel]", 0x05, "", "", ""},
    {"[subtask-cancel]", 0x06, "a", "i", "i"},
    {"[subtask-drop]", 0x0d, "", "i", ""},
    {"[waitable-set-new]", 0x1f, "", "", "i"},
    {"[waitable-set-wait]", 0x20, "cm", "ii", "i"},
    {"[waitable-set-wait-i32]", 0x20, "cm", "ii", "i"},
    {"[waitable-set-poll]", 0x21, "cm", "ii", "i"},
    {"[waitable-set-poll-i32]", 0x21, "cm", "ii", "i"},
    {"[waitable-set-drop]", 0x22, "", "i", ""},
    {"[waitable-join]", 0x23, "", "ii", ""},
    {"[context-get-0]", 0x0a, "0", "", "i"},
    {"[context-get-1]", 0x0a, "1", "", "i"},
    {"[context-get-i32-0]", 0x0a, "0", "", "i"},
    {"[context-get-i32-1]", 0x0a, "1", "", "i"},
    {"[context-set-0]", 0x0b, "0", "i", ""},
    {"[context-set-1]", 0x0b, "1", "i", ""},
    {"[context-set-i32-0]", 0x0b, "0", "i", ""},
    {"[context-set-i32-1]", 0x0b, "1", "i", ""},
    {"[error-context-new-utf8]", 0x1c, "8", "ii", "i"},
    {"[error-context-new-utf16]", 0x1c, "u", "ii", "i"},
    {"[error-context-new-latin1+utf16]", 0x1c, "l", "ii", "i"},
    {"[error-context-debug-message-utf8]", 0x1d, "8", "ii", ""},
    {"[error-context-debug-message-utf16]", 0x1d, "u", "ii", ""},
    {"[error-context-debug-message-latin1+utf16]", 0x1d, "l", "ii", ""},
    {"[error-context-drop]", 0x1e, "", "i", ""},
    {"[thread-index]", 0x26, "", "", "i"},
    {"[thread-resume-later]", 0x28, "", "i", ""},
    {"[thread-suspend]", 0x29, "c", "", "i"},
    {"[thread-yield]", 0x0c, "c", "", "i"},
    {"[thread-suspend-then-resume]", 0x2a, "c", "i", "i"},
    {"[thread-yield-then-resume]", 0x2b, "c", "i", "i"},
    {"[thread-suspend-then-promote]", 0x2c, "c", "i", "i"},
    {"[thread-yield-then-promote]", 0x2d, "c", "i", "i"},
};
// These go on with the number of the stream or future in the function's type, `]` and the function's name.
constexpr BuiltinName kPayloadBuiltins[] = {
    {"[stream-new-", 0x0e, "t", "", "l"},
    {"[stream-read-", 0x0f, "to", "iii", "i"},
    {"[stream-write-", 0x10, "to", "iii", "i"},
    {"[stream-cancel-read-", 0x11, "ta", "i", "i"},
    {"[stream-cancel-write-", 0x12, "ta", "i", "i"},
    {"[stream-drop-readable-", 0x13, "t", "i", ""},
    {"[stream-drop-writable-", 0x14, "t", "i", ""},
    {"[future-new-", 0x15, "t", "", "l"},
    {"[future-read-", 0x16, "to", "ii", "i"},
    {"[future-write-", 0x17, "to", "ii", "i"},
    {"[future-cancel-read-", 0x18, "ta", "i", "i"},
    {"[future-cancel-write-", 0x19, "ta", "i", "i"},
    {"[future-drop-readable-", 0x1a, "t", "i", ""},
    {"[future-drop-writable-", 0x1b, "t", "i", ""},
};

std::vector<ValType> types(std::string_view letters) {
  std::vector<ValType> result;
  for (char letter : letters) result.push_back(letter == 'l' ? ValType::i64() : ValType::i32());
  return result;
}

// Streams and futures of a function in the order in which built-ins count them: those inside another before it, parameters before the result.
class PayloadFinder {
public:
  PayloadFinder(const wit::Graph& graph, std::vector<wit::TypeId>& out) : graph_(graph), out_(out) {}
  void look(wit::Type type) {
    const auto* id = std::get_if<wit::TypeId>(&type);
    if (!id || out_.size() > kMaxFound || without_.contains(*id)) return;
    const wit::TypeDef& def = graph_.type(*id);
    std::size_t before = out_.size();
    graph_.for_each_part(def, [&](wit::Type part) { look(part); });
    if (std::holds_alternative<wit::Stream>(def.kind) || std::holds_alternative<wit::Future>(def.kind))
      out_.push_back(*id);
    if (out_.size() == before) without_.insert(*id);
  }

private:
  static constexpr std::size_t kMaxFound = 1000;
  const wit::Graph& graph_;
  std::vector<wit::TypeId>& out_;
  std::set<wit::TypeId> without_; // types that hold none
};

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

class Classifier {
public:
  Classifier(const wit::Graph& graph, const wit::World& world) : graph_(graph), world_(world) {}

  Result<CoreImport> run(std::string_view module, std::string_view name) {
    import_.module = module, import_.name = name;
    if (module.starts_with("cm32p2"))
      return fail("names of the form `cm32p2|…` are not supported; build the module with the names that component "
                  "tools use by default");
    import_.exported = take_prefix(module, "[export]");
    if (module != "$root") {
      const auto& items = import_.exported ? world_.exports : world_.imports;
      const wit::WorldItem* item = find_world_item(graph_, items, module);
      const auto* id = item ? std::get_if<wit::InterfaceId>(&item->what) : nullptr;
      if (!id) return no_interface(module, items);
      import_.interface = *id;
    }
    CUSP_TRY(item(name));
    return std::move(import_);
  }

private:
  std::unexpected<base::Error> fail(std::string message) const {
    return base::fail(ErrorCode::Unlinkable,
                      fmt::format("the module imports `{}` from `{}`: {}", import_.name, import_.module, message));
  }
  std::unexpected<base::Error> no_interface(std::string_view module, const std::vector<wit::WorldItem>& items) const {
    std::vector<std::string> names;
    for (const wit::WorldItem& item : items)
      if (std::holds_alternative<wit::InterfaceId>(item.what)) names.push_back(graph_.extern_name(item));
    if (module == "wasi_snapshot_preview1" || module == "wasi_unstable")
      return fail("this is WASI 0.1, which components reach through an adapter; give one with --adapt");
    return fail(fmt::format("the world {} no such interface{}", import_.exported ? "exports" : "imports",
                            names.empty() ? "" : fmt::format("; it has {}", fmt::join(names, ", "))));
  }

  const wit::Function* find_function(std::string_view name) const {
    if (!import_.interface.is_none()) {
      for (const wit::Function& function : graph_.interface(import_.interface).functions)
        if (graph_.extern_name(function) == name) return &function;
      return nullptr;
    }
    for (const wit::WorldItem& item : import_.exported ? world_.exports : world_.imports)
      if (const auto* function = std::get_if<wit::Function>(&item.what);
          function && graph_.extern_name(*function) == name)
        return function;
    return nullptr;
  }
  std::optional<wit::TypeId> find_resource(std::string_view name) const {
    std::optional<wit::TypeId> found;
    if (!import_.interface.is_none()) found = graph_.find_type(import_.interface, name);
    else
      for (const wit::WorldItem& item : world_.imports)
        if (const auto* id = std::get_if<wit::TypeId>(&item.what); id && item.name == name) found = *id;
    return found && graph_.is_resource(*found) ? found : std::nullopt;
  }

  Result<void> item(std::string_view name) {
    if (!import_.exported)
      if (const wit::Function* function = find_function(name)) return lower(function, CoreSide::Import);
    import_.cancellable = take_prefix(name, "[cancellable]");
    import_.is_async = take_prefix(name, "[async-lower]");
    if (!import_.exported && import_.is_async)
      if (const wit::Function* function = find_function(name)) return lower(function, CoreSide::AsyncImport);
    for (const BuiltinName& row : kBuiltins)
      if (name == row.name) return builtin(row);
    for (const BuiltinName& row : kPayloadBuiltins)
      if (std::string_view rest = name; take_prefix(rest, row.name)) return payload(row, rest);
    std::string_view rest = name;
    if (take_prefix(rest, "[resource-drop]")) return resource(CoreImport::Kind::ResourceDrop, rest, "i", "");
    if (import_.exported && take_prefix(rest, "[resource-new]"))
      return resource(CoreImport::Kind::ResourceNew, rest, "i", "i");
    if (import_.exported && take_prefix(rest, "[resource-rep]"))
      return resource(CoreImport::Kind::ResourceRep, rest, "i", "i");
    if (import_.exported && take_prefix(rest, "[task-return]")) {
      const wit::Function* function = find_function(rest);
      if (!function) return fail(fmt::format("there is no exported function `{}`", rest));
      import_.kind = CoreImport::Kind::TaskReturn;
      import_.function = function;
      import_.signature = task_return_signature(graph_, *function);
      return {};
    }
    return fail(fmt::format("there is no such function{}", functions_text()));
  }

  std::string functions_text() const {
    if (import_.interface.is_none()) return "";
    std::vector<std::string> names;
    for (const wit::Function& function : graph_.interface(import_.interface).functions)
      names.push_back(graph_.extern_name(function));
    auto similar = wit::similar_names(import_.name, names);
    return similar.empty() ? "" : fmt::format("; did you mean `{}`?", similar[0]);
  }

  Result<void> lower(const wit::Function* function, CoreSide side) {
    import_.kind = CoreImport::Kind::Function;
    import_.function = function;
    import_.signature = core_signature(graph_, *function, side);
    return {};
  }

  Result<void> builtin(const BuiltinName& row) {
    import_.kind = CoreImport::Kind::Builtin;
    import_.opcode = row.opcode;
    import_.immediates = row.immediates;
    import_.signature.type = {types(row.params), types(row.results)};
    import_.signature.needs_memory = row.immediates.find_first_of("mo8ul") != std::string_view::npos;
    import_.signature.needs_realloc = row.opcode == 0x1d;
    return {};
  }

  Result<void> payload(const BuiltinName& row, std::string_view rest) {
    std::size_t close = rest.find(']');
    std::size_t number = 0;
    auto [end, error] = std::from_chars(rest.data(), rest.data() + std::min(close, rest.size()), number);
    if (close == std::string_view::npos) return fail("the name has no end");
    std::string_view function_name = rest.substr(close + 1);
    CUSP_TRY(builtin(row));
    if (error != std::errc() || end != rest.data() + close) {
      // `unit` in place of a number: a stream or future without a payload type.
      if (rest.substr(0, close) != "unit") return fail(fmt::format("`{}` is not a number", rest.substr(0, close)));
      return {};
    }
    const wit::Function* function = find_function(function_name);
    if (!function) return fail(fmt::format("there is no function `{}`", function_name));
    std::vector<wit::TypeId> found;
    PayloadFinder finder(graph_, found);
    for (const wit::Param& param : function->params) finder.look(param.type);
    if (function->result) finder.look(*function->result);
    if (number >= found.size())
      return fail(fmt::format("`{}` has no stream or future number {}", function_name, number));
    import_.type = found[number];
    const auto* stream_kind = std::get_if<wit::Stream>(&graph_.type(import_.type).kind);
    const auto& element =
        stream_kind ? stream_kind->element : std::get<wit::Future>(graph_.type(import_.type).kind).element;
    bool read = row.opcode == 0x0f || row.opcode == 0x16;
    import_.signature.needs_realloc =
        read && element && has_pointers(graph_, *element); // what arrives gets memory of its own
    bool stream = std::holds_alternative<wit::Stream>(graph_.type(found[number]).kind);
    if (stream != row.name.starts_with("[stream"))
      return fail(fmt::format("number {} of `{}` is not a {}", number, function_name, stream ? "future" : "stream"));
    return {};
  }

  Result<void> resource(CoreImport::Kind kind, std::string_view name, std::string_view params,
                        std::string_view results) {
    auto type = find_resource(name);
    if (!type) return fail(fmt::format("there is no resource `{}`", name));
    import_.kind = kind;
    import_.type = *type;
    import_.signature.type = {types(params), types(results)};
    return {};
  }

  const wit::Graph& graph_;
  const wit::World& world_;
  CoreImport import_;
};

} // namespace

const wit::WorldItem* find_world_item(const wit::Graph& graph, const std::vector<wit::WorldItem>& items,
                                      std::string_view name) {
  const wit::WorldItem* compatible = nullptr;
  for (const wit::WorldItem& item : items) {
    std::string other = graph.extern_name(item);
    if (other == name) return &item;
    if (!compatible && wit::compatible_names(other, name)) compatible = &item;
  }
  return compatible;
}

Result<CoreImport> classify_import(const wit::Graph& graph, const wit::World& world,
                                   const std::set<std::string>& modules, std::string_view module,
                                   std::string_view name) {
  if (!modules.contains(std::string(module))) return Classifier(graph, world).run(module, name);
  CoreImport import;
  import.kind = CoreImport::Kind::Module;
  import.module = module, import.name = name;
  return import;
}

} // namespace cusp::compose

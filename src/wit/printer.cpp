#include "wit/printer.h"

#include <fmt/format.h>

#include "wit/lexer.h"

namespace cusp::wit {

namespace {

std::string id(std::string_view name) { return is_keyword(name) ? "%" + std::string(name) : std::string(name); }

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\{:02x}", static_cast<unsigned char>(c));
    else out += c;
  }
  return out + "\"";
}

class Printer {
public:
  Printer(const Graph& graph, const PrintOptions& options) : graph_(graph), options_(options) {}

  std::string run() {
    if (!graph_.root.is_none()) {
      const Package& root = graph_.package(graph_.root);
      docs(root.docs);
      line(fmt::format("package {};", package_name(root.name)));
      package_items(graph_.root);
    }
    for (std::uint32_t i = 0; options_.dependencies && i < graph_.packages.size(); ++i)
      if (PackageId(i) != graph_.root) nested(PackageId(i));
    return std::move(out_);
  }

  std::string type(Type type) const {
    if (const auto* primitive = std::get_if<Primitive>(&type)) return std::string(primitive_name(*primitive));
    TypeId type_id = std::get<TypeId>(type);
    const TypeDef& def = graph_.type(type_id);
    return def.name.empty() ? anonymous(def) : id(def.name);
  }

  std::string function(const Function& function) const {
    if (function.kind == FunctionKind::Constructor) {
      bool plain = function.result == Type(function.resource);
      return "constructor" + parameters(function) + (plain ? "" : " -> " + type(*function.result));
    }
    return fmt::format("{}: {}{}func{}{}", id(function.name), function.kind == FunctionKind::Static ? "static " : "",
                       function.is_async ? "async " : "", parameters(function),
                       function.result ? " -> " + type(*function.result) : "");
  }

  // A named type's definition; a resource's functions are `of`'s.
  void definition(TypeId type_id, const std::vector<const Function*>& functions) {
    const TypeDef& def = graph_.type(type_id);
    attributes(def.attributes);
    std::string name = id(def.name);
    if (const auto* kind = std::get_if<Alias>(&def.kind))
      return line(fmt::format("type {} = {};", name, type(kind->type)));
    if (const auto* kind = std::get_if<Record>(&def.kind)) return members("record", name, kind->fields, true);
    if (const auto* kind = std::get_if<Variant>(&def.kind)) return members("variant", name, kind->cases, false);
    if (const auto* kind = std::get_if<Enum>(&def.kind)) return members("enum", name, kind->cases, false);
    if (const auto* kind = std::get_if<Flags>(&def.kind)) return members("flags", name, kind->labels, false);
    if (!std::holds_alternative<Resource>(def.kind)) return line(fmt::format("type {} = {};", name, anonymous(def)));
    if (functions.empty()) return line(fmt::format("resource {};", name));
    open(fmt::format("resource {}", name));
    for (const Function* function : functions) {
      attributes(function->attributes);
      line(this->function(*function) + ";");
    }
    close();
  }

  std::string take() { return std::move(out_); }

private:
  // ---- lines ----

  void line(std::string_view text) {
    out_.append(2 * depth_, ' ');
    out_ += text;
    out_ += '\n';
  }
  void open(std::string_view text) {
    line(fmt::format("{} {{", text));
    ++depth_;
  }
  void close() {
    --depth_;
    line("}");
  }
  void docs(const std::string& text) {
    if (!options_.docs || text.empty()) return;
    for (std::size_t at = 0;;) {
      std::size_t end = text.find('\n', at);
      std::string_view part = std::string_view(text).substr(at, end == std::string::npos ? end : end - at);
      line(part.empty() ? "///" : fmt::format("/// {}", part));
      if (end == std::string::npos) return;
      at = end + 1;
    }
  }
  void attributes(const Attributes& item) {
    docs(item.docs);
    if (item.gate.since) line(fmt::format("@since(version = {})", item.gate.since->to_string()));
    if (!item.gate.unstable.empty()) line(fmt::format("@unstable(feature = {})", id(item.gate.unstable)));
    if (item.gate.deprecated) line(fmt::format("@deprecated(version = {})", item.gate.deprecated->to_string()));
    if (!item.external_id.empty()) line(fmt::format("@external-id({})", quoted(item.external_id)));
  }

  // ---- names ----

  static std::string package_name(const PackageName& name) {
    return fmt::format("{}:{}{}", id(name.space), id(name.name), name.version ? "@" + name.version->to_string() : "");
  }
  // Short inside its own package.
  std::string path(InterfaceId interface_id, PackageId from) const {
    const Interface& interface = graph_.interface(interface_id);
    if (interface.package == from) return id(interface.name);
    const PackageName& name = graph_.package(interface.package).name;
    return fmt::format("{}:{}/{}{}", id(name.space), id(name.name), id(interface.name),
                       name.version ? "@" + name.version->to_string() : "");
  }

  // ---- types ----

  std::string maybe(const std::optional<Type>& part, std::string_view absent) const {
    return part ? type(*part) : std::string(absent);
  }

  std::string anonymous(const TypeDef& def) const {
    if (const auto* kind = std::get_if<Tuple>(&def.kind)) {
      std::string list;
      for (Type part : kind->types) list += (list.empty() ? "" : ", ") + type(part);
      return fmt::format("tuple<{}>", list);
    }
    if (const auto* kind = std::get_if<List>(&def.kind))
      return kind->length ? fmt::format("list<{}, {}>", type(kind->element), *kind->length)
                          : fmt::format("list<{}>", type(kind->element));
    if (const auto* kind = std::get_if<Map>(&def.kind))
      return fmt::format("map<{}, {}>", type(kind->key), type(kind->value));
    if (const auto* kind = std::get_if<Option>(&def.kind)) return fmt::format("option<{}>", type(kind->type));
    if (const auto* kind = std::get_if<Borrow>(&def.kind))
      return fmt::format("borrow<{}>", id(graph_.type(kind->resource).name));
    if (const auto* kind = std::get_if<Own>(&def.kind))
      return fmt::format("own<{}>", id(graph_.type(kind->resource).name));
    if (const auto* kind = std::get_if<ResultType>(&def.kind)) {
      if (!kind->ok && !kind->error) return "result";
      return kind->error ? fmt::format("result<{}, {}>", maybe(kind->ok, "_"), type(*kind->error))
                         : fmt::format("result<{}>", type(*kind->ok));
    }
    if (const auto* kind = std::get_if<Stream>(&def.kind))
      return kind->element ? fmt::format("stream<{}>", type(*kind->element)) : "stream";
    if (const auto* kind = std::get_if<Future>(&def.kind))
      return kind->element ? fmt::format("future<{}>", type(*kind->element)) : "future";
    if (const auto* kind = std::get_if<Alias>(&def.kind)) return type(kind->type);
    return "?"; // records, variants, enums, flags and resources have names
  }

  std::string parameters(const Function& function) const {
    std::string list;
    bool self = function.kind == FunctionKind::Method;
    for (const Param& param : function.params) {
      if (!std::exchange(self, false))
        list += fmt::format("{}{}: {}", list.empty() ? "" : ", ", id(param.name), type(param.type));
    }
    return "(" + list + ")";
  }

  void members(std::string_view keyword, const std::string& name, const std::vector<Member>& list, bool fields) {
    open(fmt::format("{} {}", keyword, name));
    for (const Member& member : list) {
      docs(member.docs);
      if (!member.type) line(id(member.name) + ",");
      else
        line(fmt::format(fields ? fmt::runtime("{}: {},") : fmt::runtime("{}({}),"), id(member.name),
                         type(*member.type)));
    }
    close();
  }

  // ---- items ----

  // The `use` lines of consecutive types from one interface with the same attributes are one.
  void uses(const std::vector<TypeId>& types, PackageId package) {
    std::string names;
    for (std::size_t i = 0; i < types.size(); ++i) {
      TypeId target = *graph_.used(types[i]);
      const TypeDef& def = graph_.type(types[i]);
      const std::string& original = graph_.type(target).name;
      names += (names.empty() ? "" : ", ") + id(original) + (def.name == original ? "" : " as " + id(def.name));
      InterfaceId from = std::get<InterfaceId>(graph_.type(target).owner);
      if (i + 1 < types.size()) {
        TypeId next = *graph_.used(types[i + 1]);
        if (graph_.type(next).owner == Owner(from) && graph_.type(types[i + 1]).attributes == def.attributes) continue;
      }
      attributes(def.attributes);
      line(fmt::format("use {}.{{{}}};", path(from, package), std::exchange(names, {})));
    }
  }

  std::vector<const Function*> functions_of(const std::vector<Function>& functions, TypeId resource) const {
    std::vector<const Function*> result;
    for (const Function& function : functions)
      if (function.resource == resource) result.push_back(&function);
    return result;
  }

  void interface_items(const Interface& interface, PackageId package) {
    std::vector<TypeId> used, defined;
    for (TypeId type_id : interface.types) (is_use(type_id) ? used : defined).push_back(type_id);
    uses(used, package);
    bool first = used.empty();
    auto gap = [&] {
      if (!std::exchange(first, false)) out_ += '\n';
    };
    for (TypeId type_id : defined) {
      gap();
      definition(type_id, functions_of(interface.functions, type_id));
    }
    for (const Function& function : interface.functions) {
      if (function.kind != FunctionKind::Free) continue;
      gap();
      attributes(function.attributes);
      line(this->function(function) + ";");
    }
  }
  bool is_use(TypeId type_id) const {
    auto target = graph_.used(type_id);
    return target && std::holds_alternative<InterfaceId>(graph_.type(*target).owner);
  }

  void world_item(const WorldItem& item, std::string_view direction, PackageId package) {
    if (const auto* function = std::get_if<Function>(&item.what)) {
      attributes(item.attributes);
      return line(fmt::format("{} {};", direction, this->function(*function)));
    }
    InterfaceId interface_id = std::get<InterfaceId>(item.what);
    const Interface& interface = graph_.interface(interface_id);
    attributes(item.attributes);
    if (item.name.empty()) return line(fmt::format("{} {};", direction, path(interface_id, package)));
    if (item.implements)
      return line(fmt::format("{} {}: {};", direction, id(item.name), path(*item.implements, package)));
    open(fmt::format("{} {}: interface", direction, id(item.name)));
    interface_items(interface, package);
    close();
  }

  void world(const World& world) {
    attributes(world.attributes);
    open(fmt::format("world {}", id(world.name)));
    std::vector<TypeId> used, defined;
    std::vector<Function> methods;
    for (const WorldItem& item : world.imports) {
      if (const auto* type_id = std::get_if<TypeId>(&item.what))
        (is_use(*type_id) ? used : defined).push_back(*type_id);
      const auto* function = std::get_if<Function>(&item.what);
      if (function && function->kind != FunctionKind::Free) methods.push_back(*function);
    }
    for (const WorldItem& item : world.imports) {
      const auto* function = std::get_if<Function>(&item.what);
      bool method = function && function->kind != FunctionKind::Free;
      if (!method && !std::holds_alternative<TypeId>(item.what)) world_item(item, "import", world.package);
    }
    uses(used, world.package);
    for (TypeId type_id : defined) definition(type_id, functions_of(methods, type_id));
    if (!world.imports.empty() && !world.exports.empty()) out_ += '\n';
    for (const WorldItem& item : world.exports) world_item(item, "export", world.package);
    close();
  }

  void package_items(PackageId package_id) {
    const Package& package = graph_.package(package_id);
    for (InterfaceId interface_id : package.interfaces) {
      const Interface& interface = graph_.interface(interface_id);
      out_ += '\n';
      attributes(interface.attributes);
      open(fmt::format("interface {}", id(interface.name)));
      interface_items(interface, package_id);
      close();
    }
    for (WorldId world_id : package.worlds) {
      out_ += '\n';
      world(graph_.world(world_id));
    }
  }

  void nested(PackageId package_id) {
    const Package& package = graph_.package(package_id);
    out_ += '\n';
    docs(package.docs);
    open(fmt::format("package {}", package_name(package.name)));
    std::string before = std::exchange(out_, {});
    package_items(package_id);
    if (out_.starts_with('\n')) out_.erase(0, 1); // no gap after the brace
    out_ = before + out_;
    close();
  }

  const Graph& graph_;
  const PrintOptions& options_;
  std::string out_;
  unsigned depth_ = 0;
};

constexpr PrintOptions kPlain{.docs = false, .dependencies = false};

} // namespace

std::string print_wit(const Graph& graph, const PrintOptions& options) { return Printer(graph, options).run(); }

std::string print_type(const Graph& graph, Type type) { return Printer(graph, kPlain).type(type); }

std::string print_function(const Graph& graph, const Function& function) {
  return Printer(graph, kPlain).function(function);
}

std::string print_definition(const Graph& graph, TypeId type) {
  Printer printer(graph, kPlain);
  printer.definition(type, {});
  std::string text = printer.take();
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

} // namespace cusp::wit

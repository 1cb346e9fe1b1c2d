#include "compose/to_wit.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "wasm/features.h"

namespace cusp::compose {

using base::ErrorCode;
using base::Result;
using component::TypeKind;

namespace {

class Converter {
public:
  // `compatible`: interfaces of compatible versions are one.
  explicit Converter(bool compatible = false) : compatible_(compatible) {}

  Result<wit::Graph> component(const DecodedType& decoded) {
    begin(decoded);
    graph_.root = graph_.add(wit::Package{{"root", "component", {}}, {}, {}, {}});
    CUSP_TRY(world(decoded.component, "root", graph_.root));
    return std::move(graph_);
  }

  // Adds a world to the one world of the graph.
  Result<void> add_metadata(const DecodedType& decoded) {
    begin(decoded);
    if (graph_.root.is_none()) {
      graph_.root = graph_.add(wit::Package{{"root", "component", {}}, {}, {}, {}});
      merged_ = graph_.add(wit::World{});
      graph_.world(merged_).name = "root", graph_.world(merged_).package = graph_.root;
      graph_.package(graph_.root).worlds.push_back(merged_);
    }
    for (const Extern& entry : decoded.component.exports) {
      const auto* definition = std::get_if<DefinitionItem>(&entry.item);
      const auto* component = definition && definition->component->exports.size() == 1
                                  ? std::get_if<std::shared_ptr<ComponentType>>(&definition->component->exports[0].item)
                                  : nullptr;
      if (!component)
        return base::fail(ErrorCode::Invalid, fmt::format("the metadata's `{}` is not a world", entry.name));
      wit::World world = std::move(graph_.world(merged_));
      for (const Extern& import : (*component)->imports) CUSP_TRY(merge_item(import, world.imports, world));
      for (const Extern& item : (*component)->exports) CUSP_TRY(merge_item(item, world.exports, world));
      graph_.world(merged_) = std::move(world);
    }
    return {};
  }
  wit::Graph take() { return std::move(graph_); }

  // Every export is a component type that exports one interface or world under its full name.
  Result<wit::Graph> package(const DecodedType& decoded) {
    begin(decoded);
    const ComponentType& type = decoded.component;
    for (const Extern& entry : type.exports) {
      const auto* definition = std::get_if<DefinitionItem>(&entry.item);
      if (!definition || definition->component->exports.size() != 1)
        return base::fail(ErrorCode::Invalid,
                          fmt::format("`{}` is not an interface or world of a WIT package", entry.name));
      const Extern& inner = definition->component->exports[0];
      auto name = wit::parse_interface_name(inner.name);
      if (!name)
        return base::fail(ErrorCode::Invalid, fmt::format("`{}` is not the name of an interface or world", inner.name));
      for (const Extern& import : definition->component->imports) CUSP_TRY(world_instance(import));
      wit::PackageId package = this->package(name->package);
      if (graph_.root.is_none()) graph_.root = package;
      if (const auto* instance = std::get_if<std::shared_ptr<InstanceType>>(&inner.item)) {
        CUSP_TRY(interface(**instance, interface_id(*name)));
      } else if (const auto* component = std::get_if<std::shared_ptr<ComponentType>>(&inner.item)) {
        CUSP_TRY(world(**component, name->name, package));
      } else {
        return base::fail(ErrorCode::Invalid, fmt::format("`{}` is neither an interface nor a world", inner.name));
      }
    }
    if (graph_.root.is_none()) return base::fail(ErrorCode::Invalid, "this package holds no interface and no world");
    return std::move(graph_);
  }

private:
  void begin(const DecodedType& decoded) {
    arena_ = &decoded.arena;
    types_.clear();
    anonymous_.clear();
  }
  const Node& node(NodeId id) const { return (*arena_)[id]; }

  // Skips what the world has already; an interface gets what it lacks.
  Result<void> merge_item(const Extern& entry, std::vector<wit::WorldItem>& items, wit::World& world) {
    for (wit::WorldItem& item : items) {
      if (!wit::compatible_names(graph_.extern_name(item), entry.name)) continue;
      const auto* id = std::get_if<wit::InterfaceId>(&item.what);
      const auto* instance = std::get_if<std::shared_ptr<InstanceType>>(&entry.item);
      if (id && instance) {
        if (auto name = wit::parse_interface_name(entry.name)) interface_id(*name); // for its version
        return interface(**instance, *id);
      }
      if (const auto* type = std::get_if<wit::TypeId>(&item.what))
        if (const auto* other = std::get_if<TypeItem>(&entry.item)) remember(other->type, *type);
      return {};
    }
    return world_item(entry, items, world, merged_, graph_.root);
  }

  static wit::Attributes attributes(const Extern& entry) { return {{}, {}, entry.external_id}; }

  std::unexpected<base::Error> unsupported(std::string_view name, std::string_view what) const {
    return base::fail(ErrorCode::Unsupported, fmt::format("`{}` is {}, which WIT cannot say", name, what));
  }

  wit::PackageId package(const wit::PackageName& name) {
    if (auto found = graph_.find_package(name)) return *found;
    return graph_.add(wit::Package{name, {}, {}, {}});
  }

  wit::InterfaceId interface_id(const wit::InterfaceName& name) {
    wit::PackageId package = this->package(name.package);
    if (auto found = graph_.find_interface(package, name.name)) return *found;
    if (compatible_)
      if (auto found = compatible_interface(name, package)) return *found;
    wit::Interface interface;
    interface.name = name.name;
    interface.package = package;
    wit::InterfaceId id = graph_.add(std::move(interface));
    graph_.package(package).interfaces.push_back(id);
    return id;
  }

  // One of a compatible version; it moves to `package` when that is newer.
  std::optional<wit::InterfaceId> compatible_interface(const wit::InterfaceName& name, wit::PackageId package) {
    for (std::uint32_t i = 0; i < graph_.interfaces.size(); ++i) {
      wit::Interface& other = graph_.interfaces[i];
      std::string other_name = graph_.interface_name(wit::InterfaceId(i));
      if (other.name != name.name || !wit::compatible_names(other_name, name.to_string())) continue;
      if (graph_.package(other.package).name.version < name.package.version) {
        std::erase(graph_.package(other.package).interfaces, wit::InterfaceId(i));
        other.package = package;
        graph_.package(package).interfaces.push_back(wit::InterfaceId(i));
      }
      return wit::InterfaceId(i);
    }
    return std::nullopt;
  }

  // ---- worlds ----

  Result<void> world(const ComponentType& type, std::string name, wit::PackageId package) {
    wit::World world;
    world.name = std::move(name);
    world.package = package;
    wit::WorldId id = graph_.add(wit::World{});
    for (const Extern& entry : type.imports) CUSP_TRY(world_item(entry, world.imports, world, id, package));
    for (const Extern& entry : type.exports) CUSP_TRY(world_item(entry, world.exports, world, id, package));
    graph_.world(id) = std::move(world);
    graph_.package(package).worlds.push_back(id);
    return {};
  }

  // `items` is the imports or the exports of `out`.
  Result<void> world_item(const Extern& entry, std::vector<wit::WorldItem>& items, wit::World& out, wit::WorldId world,
                          wit::PackageId package) {
    if (const auto* func = std::get_if<FunctionItem>(&entry.item)) {
      auto find = [&](std::string_view name) -> std::optional<wit::TypeId> {
        for (const wit::WorldItem& item : out.imports)
          if (const auto* id = std::get_if<wit::TypeId>(&item.what); id && item.name == name) return *id;
        return std::nullopt;
      };
      wit::Function function = CUSP_TRY(this->function(entry.name, func->type, find));
      std::string name = function.kind == wit::FunctionKind::Free ? function.name : std::string();
      items.push_back({std::move(name), std::move(function), attributes(entry)});
    } else if (const auto* type = std::get_if<TypeItem>(&entry.item)) {
      wit::TypeId id = CUSP_TRY(named(entry.name, type->type, world));
      out.imports.push_back({entry.name, id, attributes(entry)}); // a world has types on one side only
    } else if (std::holds_alternative<std::shared_ptr<InstanceType>>(entry.item)) {
      if (auto name = wit::parse_interface_name(entry.name)) {
        CUSP_TRY(world_instance(entry));
        items.push_back({{}, interface_id(*name), attributes(entry)});
        return {};
      }
      const auto& instance = std::get<std::shared_ptr<InstanceType>>(entry.item);
      std::optional<wit::InterfaceId> implements;
      if (auto implemented = wit::parse_interface_name(entry.implements)) {
        auto known = types_; // the item's types are its own
        implements = interface_id(*implemented);
        CUSP_TRY(interface(*instance, *implements));
        types_ = std::move(known);
      }
      wit::Interface own;
      own.package = package;
      wit::InterfaceId id = graph_.add(std::move(own));
      CUSP_TRY(interface(*instance, id));
      items.push_back({entry.name, id, attributes(entry), implements});
    } else {
      return unsupported(entry.name, std::holds_alternative<ModuleItem>(entry.item) ? "a core module" : "a component");
    }
    return {};
  }

  // An instance under an interface's name: its content becomes the interface's.
  Result<void> world_instance(const Extern& entry) {
    auto name = wit::parse_interface_name(entry.name);
    const auto* instance = std::get_if<std::shared_ptr<InstanceType>>(&entry.item);
    if (!name || !instance) return unsupported(entry.name, "not an interface");
    return interface(**instance, interface_id(*name));
  }

  // Adds what the interface does not have yet: it may be imported and exported, each time in part.
  Result<void> interface(const InstanceType& type, wit::InterfaceId id) {
    for (const Extern& entry : type.exports) {
      if (const auto* item = std::get_if<TypeItem>(&entry.item)) {
        if (auto present = graph_.find_type(id, entry.name)) {
          remember(item->type, *present);
          continue;
        }
        wit::TypeId added = CUSP_TRY(named(entry.name, item->type, id));
        graph_.type(added).attributes = attributes(entry);
        graph_.interface(id).types.push_back(added);
      } else if (const auto* func = std::get_if<FunctionItem>(&entry.item)) {
        auto find = [&](std::string_view name) { return graph_.find_type(id, name); };
        wit::Function function = CUSP_TRY(this->function(entry.name, func->type, find));
        auto& functions = graph_.interface(id).functions;
        bool present = std::ranges::any_of(
            functions, [&](const wit::Function& other) { return graph_.extern_name(other) == entry.name; });
        function.attributes = attributes(entry);
        if (!present) functions.push_back(std::move(function));
      } else {
        return unsupported(entry.name, "neither a type nor a function of an interface");
      }
    }
    return {};
  }

  // ---- types ----

  // The node and what it names without a name of its own between.
  void remember(NodeId node, wit::TypeId type) {
    types_[node] = type;
    const auto* named = std::get_if<NamedNode>(&this->node(node));
    if (named && !named->target.is_none()) types_.try_emplace(named->target, type);
  }

  Result<wit::TypeId> named(const std::string& name, NodeId node, wit::Owner owner) {
    wit::TypeDef def;
    def.name = name;
    def.owner = owner;
    const auto& alias = std::get<NamedNode>(this->node(node));
    NodeId target = alias.target;
    // A name that only the inside of the component knows is looked through.
    while (!target.is_none() && !types_.contains(target) && std::holds_alternative<NamedNode>(this->node(target)))
      target = std::get<NamedNode>(this->node(target)).target;
    if (target.is_none() || (std::holds_alternative<ResourceNode>(this->node(target)) && !types_.contains(target))) {
      def.kind = wit::Resource{};
    } else if (auto found = types_.find(target); found != types_.end()) {
      def.kind = wit::Alias{found->second};
    } else if (const auto* value = std::get_if<ValueNode>(&this->node(target))) {
      def.kind = CUSP_TRY(kind(*value));
    } else {
      return unsupported(name, "a type that is neither a value's nor a resource");
    }
    wit::TypeId id = graph_.add(std::move(def));
    remember(node, id);
    if (!target.is_none()) types_.try_emplace(target, id);
    return id;
  }

  Result<wit::Type> type(const ValueType& value) {
    if (value.primitive) return wit::Type(primitive(*value.primitive));
    return node_type(value.node);
  }
  Result<wit::Type> node_type(NodeId node) {
    if (auto found = types_.find(node); found != types_.end()) return wit::Type(found->second);
    if (const auto* named = std::get_if<NamedNode>(&this->node(node)); named && !named->target.is_none())
      return node_type(named->target);
    const auto* value = std::get_if<ValueNode>(&this->node(node));
    if (!value) return base::fail(ErrorCode::Unsupported, "a resource without a name cannot be said in WIT");
    if (value->kind == TypeKind::Own) return wit::Type(CUSP_TRY(resource(value->resource)));
    bool plain = value->kind <= TypeKind::String || value->kind == TypeKind::ErrorContext;
    if (plain) return wit::Type(primitive(value->kind));
    bool needs_name = value->kind == TypeKind::Record || value->kind == TypeKind::Variant ||
                      value->kind == TypeKind::Enum || value->kind == TypeKind::Flags;
    if (needs_name)
      return base::fail(ErrorCode::Unsupported,
                        "a record, variant, enum or flags type without a name cannot be said in WIT");
    if (auto found = anonymous_.find(node); found != anonymous_.end()) return wit::Type(found->second);
    wit::TypeDef def;
    def.kind = CUSP_TRY(kind(*value));
    std::uint64_t size = 1; // of its text: types without names are written out wherever they stand
    graph_.for_each_part(def, [&](wit::Type part) {
      const auto* id = std::get_if<wit::TypeId>(&part);
      auto known = id ? sizes_.find(*id) : sizes_.end();
      size += known == sizes_.end() ? 1 : known->second;
    });
    if (size > kMaxAnonymous)
      return base::fail(ErrorCode::LimitExceeded, "a type without a name is too large to be written as WIT");
    wit::TypeId id = graph_.add(std::move(def));
    anonymous_[node] = id;
    sizes_[id] = size;
    return wit::Type(id);
  }
  Result<wit::TypeId> resource(NodeId node) {
    for (NodeId at = node; !at.is_none();) {
      if (auto found = types_.find(at); found != types_.end()) return found->second;
      const auto* named = std::get_if<NamedNode>(&this->node(at));
      at = named ? named->target : NodeId();
    }
    return base::fail(ErrorCode::Unsupported, "a resource without a name cannot be said in WIT");
  }

  static wit::Primitive primitive(TypeKind kind) {
    return kind == TypeKind::ErrorContext ? wit::Primitive::ErrorContext : static_cast<wit::Primitive>(kind);
  }
  static_assert(static_cast<unsigned>(TypeKind::Bool) == static_cast<unsigned>(wit::Primitive::Bool) &&
                static_cast<unsigned>(TypeKind::U64) == static_cast<unsigned>(wit::Primitive::U64) &&
                static_cast<unsigned>(TypeKind::String) == static_cast<unsigned>(wit::Primitive::String));

  Result<std::optional<wit::Type>> maybe(const std::optional<ValueType>& value) {
    if (!value) return std::nullopt;
    return CUSP_TRY(type(*value));
  }
  Result<std::vector<wit::Member>> members(const std::vector<LabelType>& labels) {
    std::vector<wit::Member> result;
    for (const LabelType& label : labels) result.push_back({label.name, CUSP_TRY(maybe(label.type)), {}});
    return result;
  }

  Result<decltype(wit::TypeDef::kind)> kind(const ValueNode& value) {
    switch (value.kind) {
    case TypeKind::Record: return wit::Record{CUSP_TRY(members(value.labels))};
    case TypeKind::Variant: return wit::Variant{CUSP_TRY(members(value.labels))};
    case TypeKind::Enum: return wit::Enum{CUSP_TRY(members(value.labels))};
    case TypeKind::Flags: return wit::Flags{CUSP_TRY(members(value.labels))};
    case TypeKind::Tuple: {
      wit::Tuple tuple;
      for (const LabelType& label : value.labels) tuple.types.push_back(CUSP_TRY(type(*label.type)));
      return tuple;
    }
    case TypeKind::List: return wit::List{CUSP_TRY(type(*value.element)), std::nullopt};
    case TypeKind::FixedList: return wit::List{CUSP_TRY(type(*value.element)), value.length};
    case TypeKind::Map: return wit::Map{CUSP_TRY(type(*value.element)), CUSP_TRY(type(*value.error))};
    case TypeKind::Option: return wit::Option{CUSP_TRY(type(*value.element))};
    case TypeKind::Result: return wit::ResultType{CUSP_TRY(maybe(value.element)), CUSP_TRY(maybe(value.error))};
    case TypeKind::Stream: return wit::Stream{CUSP_TRY(maybe(value.element))};
    case TypeKind::Future: return wit::Future{CUSP_TRY(maybe(value.element))};
    case TypeKind::Own: return wit::Own{CUSP_TRY(resource(value.resource))};
    case TypeKind::Borrow: return wit::Borrow{CUSP_TRY(resource(value.resource))};
    default: return wit::Alias{primitive(value.kind)};
    }
  }

  // ---- functions ----

  template <class Find> Result<wit::Function> function(const std::string& name, NodeId node, const Find& find) {
    const auto* type = std::get_if<FunctionNode>(&this->node(node));
    if (!type) return base::fail(ErrorCode::Invalid, fmt::format("`{}` has the type of no function", name));
    wit::Function result;
    std::string_view rest = name, resource;
    constexpr std::string_view kConstructor = "[constructor]", kMethod = "[method]", kStatic = "[static]";
    if (rest.starts_with(kConstructor)) {
      result.kind = wit::FunctionKind::Constructor;
      resource = rest.substr(kConstructor.size());
      rest = "constructor";
    } else if (rest.starts_with(kMethod) || rest.starts_with(kStatic)) {
      bool method = rest.starts_with(kMethod);
      result.kind = method ? wit::FunctionKind::Method : wit::FunctionKind::Static;
      rest.remove_prefix((method ? kMethod : kStatic).size());
      std::size_t dot = rest.find('.');
      if (dot == std::string_view::npos)
        return base::fail(ErrorCode::Invalid, fmt::format("`{}` names no function", name));
      resource = rest.substr(0, dot), rest = rest.substr(dot + 1);
    }
    if (wit::label_problem(rest))
      return base::fail(ErrorCode::Unsupported, fmt::format("`{}` is not a name of WIT", name));
    result.name = rest;
    if (result.kind != wit::FunctionKind::Free) {
      auto id = find(resource);
      if (!id)
        return base::fail(ErrorCode::Invalid, fmt::format("`{}` is a function of a resource that is not there", name));
      result.resource = *id;
    }
    result.is_async = type->is_async;
    for (const LabelType& param : type->params)
      result.params.push_back({param.name, CUSP_TRY(this->type(*param.type))});
    result.result = CUSP_TRY(maybe(type->result));
    return result;
  }

  bool compatible_;
  const TypeArena* arena_ = nullptr; // of what is being converted
  wit::WorldId merged_;
  wit::Graph graph_;
  static constexpr std::uint64_t kMaxAnonymous = 10'000;
  std::unordered_map<NodeId, wit::TypeId> types_, anonymous_;
  std::unordered_map<wit::TypeId, std::uint64_t> sizes_; // of anonymous ones
};

Result<DecodedType> decode(std::span<const std::uint8_t> bytes) {
  component::Decoded decoded = CUSP_TRY(component::decode_component(bytes, wasm::Features::validated()));
  return component_type(decoded);
}

bool is_package(const ComponentType& type) {
  return type.imports.empty() && !type.exports.empty() && std::ranges::all_of(type.exports, [](const Extern& entry) {
           return std::holds_alternative<DefinitionItem>(entry.item);
         });
}

} // namespace

Result<wit::Graph> component_to_wit(std::span<const std::uint8_t> bytes) {
  DecodedType decoded = CUSP_TRY(decode(bytes));
  return Converter().component(decoded);
}

Result<wit::Graph> package_to_wit(std::span<const std::uint8_t> bytes) {
  DecodedType decoded = CUSP_TRY(decode(bytes));
  return Converter().package(decoded);
}

Result<wit::Graph> binary_to_wit(std::span<const std::uint8_t> bytes) {
  DecodedType decoded = CUSP_TRY(decode(bytes));
  return is_package(decoded.component) ? Converter().package(decoded) : Converter().component(decoded);
}

Result<wit::Graph> merge_metadata(const std::vector<std::span<const std::uint8_t>>& worlds) {
  Converter converter(true);
  for (std::span<const std::uint8_t> bytes : worlds) {
    DecodedType decoded = CUSP_TRY(decode(bytes));
    CUSP_TRY(converter.add_metadata(decoded));
  }
  return converter.take();
}

} // namespace cusp::compose

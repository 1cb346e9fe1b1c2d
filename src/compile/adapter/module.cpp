#include "compile/adapter/module.h"

#include <algorithm>

namespace cusp::compile {

using component::CoreItem;
using component::TrampolineIndex;

namespace {

bool same(const component::CoreArgument& a, const component::CoreArgument& b) {
  if (a.index() != b.index()) return false;
  if (const auto* item = std::get_if<CoreItem>(&a)) {
    const auto& other = std::get<CoreItem>(b);
    return item->instance == other.instance && item->index == other.index;
  }
  return std::get<TrampolineIndex>(a) == std::get<TrampolineIndex>(b);
}

void append_types(std::vector<std::uint8_t>& to, const std::vector<FlatType>& types) {
  append_leb(to, types.size());
  for (FlatType type : types) to.push_back(encoded(type));
}

} // namespace

std::uint32_t AdapterModule::type(const CoreSignature& signature) {
  auto found = std::ranges::find(types_, signature);
  if (found == types_.end()) found = types_.insert(types_.end(), signature);
  return static_cast<std::uint32_t>(found - types_.begin());
}

std::uint32_t AdapterModule::func(const component::CoreFunc& func, const CoreSignature& signature) {
  component::CoreArgument what = std::visit([](const auto& f) -> component::CoreArgument { return f; }, func);
  for (const Imported& known : imported_)
    if (!known.is_memory && same(known.what, what)) return known.index;
  std::vector<std::uint8_t> entry;
  append_name(entry, std::holds_alternative<CoreItem>(what) ? "component" : "host");
  append_name(entry, "f" + std::to_string(imported_functions_));
  entry.push_back(0);
  append_leb(entry, type(signature));
  imports_.push_back(std::move(entry));
  imported_.push_back({what, false, imported_functions_});
  arguments_.push_back(what);
  return imported_functions_++;
}

std::uint32_t AdapterModule::memory(const CoreItem& memory, const wasm::MemoryType& type) {
  for (const Imported& known : imported_)
    if (known.is_memory && same(known.what, memory)) return known.index;
  std::vector<std::uint8_t> entry;
  append_name(entry, "component");
  append_name(entry, "m" + std::to_string(imported_memories_));
  entry.push_back(2);
  const bool custom = type.page_size_log2 != 16;
  entry.push_back(static_cast<std::uint8_t>((type.limits.max ? 1 : 0) | (custom ? 8 : 0)));
  append_leb(entry, type.limits.min);
  if (type.limits.max) append_leb(entry, *type.limits.max);
  if (custom) append_leb(entry, type.page_size_log2);
  imports_.push_back(std::move(entry));
  imported_.push_back({memory, true, imported_memories_});
  arguments_.push_back(memory);
  return imported_memories_++;
}

std::uint32_t AdapterModule::define(const CoreSignature& signature, AdapterCode& code, std::string name) {
  functions_.push_back(type(signature));
  bodies_.push_back(code.take());
  names_.push_back(std::move(name));
  return static_cast<std::uint32_t>(bodies_.size() - 1);
}

std::vector<std::uint8_t> AdapterModule::bytes() const {
  std::vector<std::uint8_t> out{0, 'a', 's', 'm', 1, 0, 0, 0};
  auto section = [&](std::uint8_t id, std::size_t count, const std::vector<std::uint8_t>& entries) {
    std::vector<std::uint8_t> content;
    append_leb(content, count);
    content.insert(content.end(), entries.begin(), entries.end());
    out.push_back(id);
    append_leb(out, content.size());
    out.insert(out.end(), content.begin(), content.end());
  };
  std::vector<std::uint8_t> entries;
  for (const CoreSignature& signature : types_) {
    entries.push_back(0x60);
    append_types(entries, signature.params);
    append_types(entries, signature.results);
  }
  section(1, types_.size(), entries);
  entries.clear();
  for (const auto& import : imports_) entries.insert(entries.end(), import.begin(), import.end());
  section(2, imports_.size(), entries);
  entries.clear();
  for (std::uint32_t function : functions_) append_leb(entries, function);
  section(3, functions_.size(), entries);
  entries.clear();
  for (const auto& body : bodies_) {
    append_leb(entries, body.size());
    entries.insert(entries.end(), body.begin(), body.end());
  }
  section(10, bodies_.size(), entries);

  std::vector<std::uint8_t> names, functions;
  append_leb(functions, names_.size());
  for (std::size_t i = 0; i < names_.size(); ++i) {
    append_leb(functions, imported_functions_ + i);
    append_name(functions, names_[i]);
  }
  append_name(names, "name");
  names.push_back(1);
  append_leb(names, functions.size());
  names.insert(names.end(), functions.begin(), functions.end());
  out.push_back(0);
  append_leb(out, names.size());
  out.insert(out.end(), names.begin(), names.end());
  return out;
}

} // namespace cusp::compile

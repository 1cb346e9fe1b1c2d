#include <charconv>

#include "canon/bind.h"

namespace cusp::canon {

std::string semver_track(std::string_view interface) {
  std::size_t at = interface.rfind('@');
  if (at == std::string_view::npos) return std::string(interface);
  std::string_view version = interface.substr(at + 1);
  std::uint32_t parts[3];
  const char* next = version.data();
  const char* end = next + version.size();
  for (std::uint32_t i = 0; i < 3; ++i) {
    if (i && (next == end || *next++ != '.')) return std::string(interface);
    auto [rest, error] = std::from_chars(next, end, parts[i]);
    if (error != std::errc()) return std::string(interface);
    next = rest;
  }
  if (next != end && *next != '+') return std::string(interface); // a pre-release; build metadata does not count
  std::string track(interface.substr(0, at + 1));
  if (parts[0]) return track + std::to_string(parts[0]);
  track += "0." + std::to_string(parts[1]);
  return parts[1] ? track : track + "." + std::to_string(parts[2]);
}

LinkerInstance& LinkerInstance::dynamic_func(std::string_view name, DynamicFunc function) {
  auto def = std::make_shared<HostFuncDef>();
  def->name = name;
  def->dynamic = std::move(function);
  funcs_[std::string(name)] = std::move(def);
  return *this;
}

void LinkerInstance::define(std::string_view name, HostThunk thunk, std::shared_ptr<const void> callable,
                            const FuncDesc* desc) {
  auto def = std::make_shared<HostFuncDef>();
  def->name = name;
  def->thunk = thunk;
  def->callable = std::move(callable);
  def->desc = desc;
  funcs_[std::string(name)] = std::move(def);
}

void LinkerInstance::define_resource(std::string_view name, std::shared_ptr<const ResourceType> type) {
  resources_[std::string(name)] = std::move(type);
}

const ResourceType* LinkerInstance::dynamic_resource(std::string_view name,
                                                     std::function<void(std::uint64_t rep)> destructor) {
  struct Dynamic {
    ResourceType type;
    std::function<void(std::uint64_t)> destructor;
  };
  auto dynamic = std::make_shared<Dynamic>();
  dynamic->destructor = std::move(destructor);
  dynamic->type.is_host = true;
  dynamic->type.user = dynamic.get();
  dynamic->type.destroy = [](const ResourceType& type, std::uint64_t rep) {
    if (auto& f = static_cast<Dynamic*>(type.user)->destructor) f(rep);
  };
  const ResourceType* type = &dynamic->type;
  define_resource(name, std::shared_ptr<const ResourceType>(dynamic, type));
  return type;
}

LinkerInstance& LinkerInstance::resource_alias(std::string_view name, const ResourceType* type) {
  define_resource(name, std::shared_ptr<const ResourceType>(std::shared_ptr<void>(), type));
  return *this;
}

const HostFuncDef* LinkerInstance::find_func(std::string_view name) const {
  auto found = funcs_.find(name);
  return found == funcs_.end() ? nullptr : found->second.get();
}

const ResourceType* LinkerInstance::find_resource(std::string_view name) const {
  auto found = resources_.find(name);
  return found == resources_.end() ? nullptr : found->second.get();
}

LinkerInstance& Linker::instance(std::string_view name) {
  LinkerInstance& instance = instances_[std::string(name)];
  instance.name_ = name;
  return instance;
}

const LinkerInstance* Linker::find(std::string_view interface) const {
  if (auto exact = instances_.find(interface); exact != instances_.end()) return &exact->second;
  std::string track = semver_track(interface);
  const LinkerInstance* found = nullptr;
  for (const auto& [name, instance] : instances_)
    if (semver_track(name) == track) found = &instance; // the last one in name order
  return found;
}

std::shared_ptr<const HostFuncDef> Linker::find_func(std::string_view interface, std::string_view name) const {
  const LinkerInstance* instance = find(interface);
  if (!instance) return nullptr;
  auto found = instance->funcs_.find(name);
  return found == instance->funcs_.end() ? nullptr : found->second;
}

std::shared_ptr<const ResourceType> Linker::find_resource(std::string_view interface, std::string_view name) const {
  const LinkerInstance* instance = find(interface);
  if (!instance) return nullptr;
  auto found = instance->resources_.find(name);
  return found == instance->resources_.end() ? nullptr : found->second;
}

bool Linker::has_interface(std::string_view interface) const { return find(interface) != nullptr; }

} // namespace cusp::canon

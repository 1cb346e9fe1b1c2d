// What is behind the public handles of what runs: Instance, Func, Resource. They belong to the thread that made the instance.
#pragma once

#include "embed/engine.h"
#include "embed/enter.h"
#include "embed/signature.h"

namespace cusp::detail {

struct InstanceState;

// The host state of an instance: WASI's, and what the embedder gave.
struct HostState : wasi::Context {
  void* data = nullptr;
  InstanceState* instance = nullptr;
  static HostState& of(const canon::ComponentInstance& component) {
    return *static_cast<HostState*>(static_cast<wasi::Context*>(component.host()));
  }
};

struct InstanceState : std::enable_shared_from_this<InstanceState> {
  std::shared_ptr<const LinkedState> linked;
  std::shared_ptr<embed::Thread> thread;
  std::unique_ptr<wasi::Stdio> stdio;
  HostState host; // outlives the component's handles
  std::unique_ptr<canon::ComponentInstance> component;
  std::uint64_t generation = 0; // counts resets: older handles are empty
  std::uint32_t calls = 0;      // from the host, under way

  Error to_error(base::Error error) const;

  template <class F> std::unique_ptr<Error> enter(F body) { return embed::enter(*this, std::move(body)); }

  const Limits& limits() const { return linked->limits; }
  void set_deadline(loop::TimePoint deadline) {
    host.deadline = deadline;
    if (component) component->slot().set_deadline(embed::steady_ns(deadline));
  }
};

struct BoundFunc {
  std::shared_ptr<InstanceState> instance;
  std::uint32_t lift = 0;
  std::shared_ptr<const embed::Signature> signature; // null: dynamic
  canon::ExportFunc dynamic;
};

struct GuestHandle {
  std::weak_ptr<InstanceState> instance;
  std::uint64_t generation = 0;
  const canon::ResourceType* type = nullptr;
  std::uint64_t rep = 0;
  bool held = true;

  ~GuestHandle() { (void)drop(); }
  void release() { held = false; }
  Result<void> drop();
};

struct ResourceAccess {
  static Resource make(const canon::ComponentInstance& component, const canon::ResourceType& type, std::uint64_t rep);
  static GuestHandle* handle(const Resource& resource) { return resource.handle_.get(); }
  static GuestHandle* handle(const ResourceRef& ref) { return ref.resource_ ? ref.resource_->handle_.get() : nullptr; }
  // Why the handle cannot stand for a resource of this type in this instance; null: it can.
  static const char* misfit(const GuestHandle* handle, const canon::ComponentInstance& component,
                            const canon::ResourceType& type);
  static std::shared_ptr<const DynamicResource>& type_of(ResourceType& type) { return type.type_; }
  static const std::shared_ptr<const DynamicResource>& type_of(const ResourceType& type) { return type.type_; }
};

} // namespace cusp::detail

namespace cusp::embed {

base::Result<std::shared_ptr<detail::InstanceState>> make_instance(std::shared_ptr<const detail::LinkedState> linked,
                                                                   const InstanceOptions& options);

} // namespace cusp::embed

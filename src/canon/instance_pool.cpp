#include <algorithm>

#include <fmt/format.h>

#include "canon/component.h"

namespace cusp::canon {

InstancePool::InstancePool(std::shared_ptr<const ComponentCode> code, std::uint32_t max_instances)
    : code_(std::move(code)), max_instances_(max_instances) {}
InstancePool::~InstancePool() = default;

Result<InstancePool::Lease> InstancePool::acquire(void* host) {
  Lease lease;
  if (!idle_.empty()) {
    lease.instance_ = std::move(idle_.back());
    idle_.pop_back();
    least_idle_ = std::min(least_idle_, idle());
    lease.pool_ = this;
    lease->set_host(host);
    CUSP_TRY(lease->start());
    return lease;
  }
  if (alive_ >= max_instances_)
    return base::fail(base::ErrorCode::LimitExceeded,
                      fmt::format("all {} instances of the component are in use", max_instances_));
  lease.instance_ = CUSP_TRY(ComponentInstance::create(code_, host));
  lease.pool_ = this;
  ++alive_;
  idle_.reserve(alive_);
  return lease;
}

void InstancePool::release(std::unique_ptr<ComponentInstance> instance) {
  if (instance->reset()) {
    instance->set_host(nullptr);
    idle_.push_back(std::move(instance));
  } else {
    --alive_; // what cannot be made clean is not used again
  }
}

Result<void> InstancePool::reserve(std::uint32_t instances) {
  while (alive_ < instances) {
    auto made = CUSP_TRY(ComponentInstance::create(code_, nullptr));
    CUSP_TRY(made->reset());
    ++alive_;
    idle_.push_back(std::move(made));
  }
  return {};
}

void InstancePool::trim(std::uint32_t keep) {
  if (idle_.size() <= keep) return;
  auto surplus = static_cast<std::uint32_t>(idle_.size() - keep);
  idle_.erase(idle_.begin(), idle_.begin() + surplus);
  alive_ -= surplus;
}

std::uint32_t InstancePool::take_unneeded() {
  std::uint32_t unneeded = std::min(least_idle_, idle() - std::min(idle(), 1u));
  least_idle_ = idle();
  return unneeded;
}

} // namespace cusp::canon

// Which canonical functions are compiled. The one place that decides: what it refuses stays with canon/ (lower_lifted.cpp, trampolines.cpp),
// and the plan says so, for its trampoline has no adapter.
//
// An adapter makes no task: nothing that runs during its call may ask for one. So neither the caller nor whatever it can reach through
// the callee may have built-ins of tasks, or call functions of async type.
#pragma once

#include <vector>

#include "component/component.h"

namespace cusp::compile {

class Eligibility {
public:
  // Both outlive it.
  Eligibility(const component::LinkPlan& plan, const std::vector<component::CoreModule>& modules);

  // `made`: the core instances that are there before the adapter's.
  bool is_compiled(const component::Trampoline& trampoline, const std::vector<bool>& made) const;
  // Those that are entered when `caller` calls `callee`: the callee and those around it, without those around the caller too.
  std::vector<std::uint32_t> entered(component::ComponentInstanceIndex callee,
                                     component::ComponentInstanceIndex caller) const;

private:
  bool is_around(std::uint32_t outer, component::ComponentInstanceIndex inner) const;
  bool is_call_compiled(component::ComponentInstanceIndex caller, const component::Lower& lower,
                        const std::vector<bool>& made) const;
  bool is_drop_compiled(component::ComponentInstanceIndex caller, const component::Resource& resource,
                        const std::vector<bool>& made) const;
  bool can_pass(component::ValType type, bool in_list) const;
  bool has_plain_type(const component::CoreItem& func) const;
  bool are_usable(const component::CanonicalOptions& options, const std::vector<bool>& made) const;
  bool is_usable(const std::optional<component::CoreFunc>& func, const std::vector<bool>& made) const;

  const component::LinkPlan& plan_;
  const std::vector<component::CoreModule>& modules_;
  std::vector<bool> needs_tasks_; // by ComponentInstanceIndex: it, or what it can call
};

} // namespace cusp::compile

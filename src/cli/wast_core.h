// The core half of `cusp wast`: one store per script, the host modules `spectest` and `wasmtime`, instances by name.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "cli/wast_script.h"
#include "runtime/store.h"

namespace cusp::cli {

// Compiles bytes (a core module or a component) for this run's configuration.
using WastCompile =
    std::function<base::Result<std::shared_ptr<const runtime::Code>>(const std::vector<std::uint8_t>& bytes)>;

class WastCore {
public:
  static base::Result<std::unique_ptr<WastCore>> create(WastCompile compile);
  // For a thread of a script: a store of its own without `spectest`, that may import the shared memories of `shared` under that name.
  base::Result<std::unique_ptr<WastCore>> create_beside(const std::string& shared) const;

  // Error: Unlinkable, Trap and whatever the compiler says.
  base::Result<void> instantiate(const std::vector<std::uint8_t>& bytes, const std::optional<std::string>& name);
  base::Result<void> register_as(const std::optional<std::string>& name, const std::string& as);
  // The results (or the global's value), one ValRaw each. Error: Trap; NotFound.
  base::Result<std::vector<abi::ValRaw>> perform(const WastAction& action);
  runtime::Store& store() { return *store_; } // where references in the results live
  // Of the last action that failed with Trap.
  abi::Trap last_trap() const { return store_->last_trap().trap; }

private:
  WastCore() = default;
  base::Result<runtime::Extern> resolve(const artifact::ImportMeta& import, const artifact::ModuleMeta& meta);
  base::Result<runtime::Instance*> instance_of(const std::optional<std::string>& name);
  base::Result<void> add_spectest();
  void add_wasmtime();

  WastCompile compile_;
  std::unique_ptr<runtime::Store> store_;
  runtime::Instance* current_ = nullptr;
  std::map<std::string, runtime::Instance*> named_;
  std::map<std::string, runtime::Instance*> registry_;
  std::map<std::string, runtime::Extern> spectest_, wasmtime_;
  runtime::Instance* foreign_ = nullptr; // of another thread's store: only its shared memories may be touched
};

} // namespace cusp::cli

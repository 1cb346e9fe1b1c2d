// wasi:config/store: what the operator wrote down for the guest, in the drafts that are in use.
#include "wasi/context.h"
#include "wasi/linker.h"

namespace cusp::wasi {

namespace {

using canon::CallContext;

using ConfigError = std::variant<std::string, std::string>; // upstream, io: neither happens here
template <class T> using ConfigResult = std::expected<T, ConfigError>;
using Variable = std::tuple<std::string, std::string>;

ConfigResult<std::optional<std::string>> get(CallContext& cx, std::string key) {
  for (const auto& [name, value] : cx.host<Context>().config->configuration)
    if (name == key) return value;
  return std::nullopt;
}

ConfigResult<std::vector<Variable>> get_all(CallContext& cx) {
  std::vector<Variable> all;
  for (const auto& [name, value] : cx.host<Context>().config->configuration) all.emplace_back(name, value);
  return all;
}

} // namespace

void add_config(canon::Linker& linker) {
  for (const char* name : {"wasi:config/store@0.2.0-rc.1", "wasi:config/store@0.2.0-draft-2024-09-27",
                           "wasi:config/store@0.2.0-draft", "wasi:config/runtime@0.2.0-draft"})
    linker.instance(name).func("get", &get).func("get-all", &get_all);
}

} // namespace cusp::wasi

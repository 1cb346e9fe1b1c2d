// `cusp inspect`: what a file imports, exports and holds.
#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "artifact/artifact.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "component/component.h"
#include "prepare/prepare.h"
#include "wasm/reader.h"

namespace cusp::cli {

namespace {

std::string_view kind_text(wasm::ExternKind kind) {
  constexpr std::string_view kNames[] = {"func", "table", "memory", "global", "tag"};
  return kNames[static_cast<unsigned>(kind)];
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 10 * 1024) return fmt::format("{} B", bytes);
  if (bytes < 10 * 1024 * 1024) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024 * 1024));
}

std::string external_text(const wasm::Module& module, wasm::ExternKind kind, std::uint32_t index) {
  switch (kind) {
  case wasm::ExternKind::Func: return module.func_type(wasm::FuncIndex(index)).to_string();
  case wasm::ExternKind::Memory: return fmt::format("{} pages", module.memories[index].limits.min);
  case wasm::ExternKind::Table:
    return fmt::format("{} x {}", module.tables[index].type.limits.min, module.tables[index].type.element.to_string());
  case wasm::ExternKind::Global: return module.globals[index].type.type.to_string();
  case wasm::ExternKind::Tag: return module.func_type(module.tags[index].type).to_string();
  }
  return {};
}

void print_module(const wasm::Module& module) {
  std::uint64_t code = 0, data = 0;
  for (const wasm::Code& body : module.code) code += body.bytes.size();
  for (const wasm::DataSegment& segment : module.datas) data += segment.bytes.size();
  fmt::print("  functions {} ({} of code), data {}\n", module.defined_functions(), size_text(code), size_text(data));
  for (const wasm::Import& import : module.imports)
    fmt::print("  import {:6} {} {}  {}\n", kind_text(import.kind), import.module, import.name,
               external_text(module, import.kind, import.index));
  for (const wasm::Export& entry : module.exports)
    fmt::print("  export {:6} {}  {}\n", kind_text(entry.kind), entry.name,
               external_text(module, entry.kind, entry.index));
}

void print_plan(const component::LinkPlan& plan) {
  std::map<std::string, std::set<std::string>> imports, exports;
  for (const component::HostImport& import : plan.host_imports) imports[import.interface].insert(import.name);
  for (const component::Export& entry : plan.exports) exports[entry.interface].insert(entry.name);
  for (const auto& [list, word] : {std::pair(&imports, "import"), std::pair(&exports, "export")})
    for (const auto& [interface, names] : *list) {
      fmt::print("{} {}\n", word, interface.empty() ? "(root)" : interface);
      for (const std::string& name : names) fmt::print("    {}\n", name);
    }
}

// Which features a file uses, bodies included, and whether cusp has them on by itself.
base::Result<wasm::Features> features_used(std::span<const std::uint8_t> bytes) {
  const wasm::Features known = wasm::Features::validated();
  if (!component::is_component(bytes)) return wasm::used_features(CUSP_TRY(wasm::read_module(bytes, known)));
  const component::LinkedComponent linked = CUSP_TRY(component::link_component(bytes, known));
  wasm::Features used = wasm::Features::none();
  for (const component::CoreModule& module : linked.modules) used.merge(CUSP_TRY(wasm::used_features(module.module)));
  return used;
}

int failed(base::Error error, const std::string& file) {
  if (error.file.empty()) error.file = file;
  print_error(error);
  return kExitFailure;
}

int inspect_artifact(const std::string& file) {
  auto artifact = artifact::Artifact::open(file, artifact::Artifact::Verify::Full);
  if (!artifact) return failed(artifact.error(), file);
  const artifact::ArtifactMeta& meta = (*artifact)->meta();
  fmt::print("{}: artifact, {} of code, CPU {}, settings {}\n", file, size_text((*artifact)->text_size()),
             (*artifact)->key().cpu, (*artifact)->key().settings);
  if (meta.plan) print_plan(*meta.plan);
  for (std::size_t i = 0; i < meta.modules.size(); ++i)
    fmt::print("core module {}: {} functions\n", i, meta.modules[i].func_text.size());
  return 0;
}

int inspect_features(const std::string& file, std::span<const std::uint8_t> bytes) {
  if (artifact::looks_like_artifact(bytes))
    return failed({.code = base::ErrorCode::InvalidArgument,
                   .message = "an artifact does not tell which features its input used; name the wasm file",
                   .file = {}},
                  file);
  auto used = features_used(bytes);
  if (!used) return failed(used.error(), file);
#define FEATURE(Name, text, state)                                                                                     \
  if (wasm::Feature::Name != wasm::Feature::Mvp && used->has(wasm::Feature::Name))                                     \
    fmt::print("{}{}\n", text, wasm::Features().has(wasm::Feature::Name) ? "" : " (off; -W " text "=y)");
#include "wasm/features.def"
  return 0;
}

int run_inspect(const std::string& file, bool features) {
  auto bytes = prepare::read_file(file);
  if (!bytes) return failed(bytes.error(), file);
  if (features) return inspect_features(file, *bytes);
  if (artifact::looks_like_artifact(*bytes)) return inspect_artifact(file);
  if (component::is_component(*bytes)) {
    auto linked = component::link_component(*bytes, wasm::Features{});
    if (!linked) return failed(linked.error(), file);
    fmt::print("{}: component, {}\n", file, size_text(bytes->size()));
    print_plan(linked->plan);
    for (std::size_t i = 0; i < linked->modules.size(); ++i) {
      const component::CoreModule& module = linked->modules[i];
      std::string_view name = module.module.names.module;
      fmt::print("core module {}{}{}: {}\n", i, name.empty() ? "" : " ", name, size_text(module.bytes.size()));
    }
    return 0;
  }
  auto module = wasm::read_module(*bytes, wasm::Features{});
  if (!module) return failed(module.error(), file);
  fmt::print("{}: core module, {}\n", file, size_text(bytes->size()));
  print_module(*module);
  return 0;
}

} // namespace

void add_inspect(CLI::App& app, Chosen& chosen) {
  auto file = std::make_shared<std::string>();
  auto features = std::make_shared<bool>(false);
  CLI::App* inspect =
      app.add_subcommand("inspect", "Show imports, exports and sizes of a component, module or artifact");
  inspect->footer("Example: cusp inspect app.wasm\n         cusp inspect --features app.wasm");
  inspect->add_option("FILE", *file, "A WebAssembly component or module, or an artifact")->required();
  inspect->add_flag("--features", *features,
                    "List the WebAssembly features that the code uses, one a line, and nothing else");
  inspect->callback([file, features, &chosen] { chosen = [file, features] { return run_inspect(*file, *features); }; });
}

} // namespace cusp::cli

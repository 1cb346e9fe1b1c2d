// The compile line from end to end. One Compilation holds one input: it plans groups, has threads lower, optimise and
// emit them, links the objects, and describes the result. A group's IR lives only while its thread works on it; what
// remains of it is an object file.
#include "compile/compile.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/thread.h>
#include <llvm/Target/TargetMachine.h>

#include "artifact/artifact.h"
#include "artifact/compiler_build.h"
#include "artifact/compiler_protocol.h"
#include "artifact/sha256.h"
#include "compile/adapter/adapters.h"
#include "compile/dwarf_lines.h"
#include "compile/group_cache.h"
#include "compile/import_targets.h"
#include "compile/linker.h"
#include "compile/lower/lowering.h"
#include "compile/module_meta_builder.h"
#include "compile/pipeline.h"
#include "compile/target.h"
#include "component/component.h"
#include "wasm/reader.h"

namespace cusp::compile {

namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// LLVM recurses over deeply nested code. The memory is only reserved.
constexpr unsigned kThreadStack = 64u << 20;
// A body beyond this size gets the light pipeline: the heavy one has passes whose time grows faster than the body.
constexpr std::uint64_t kHugeBody = 1 << 20;
// Bodies of other modules that a group is offered for inlining: of an adapter, of what is no adapter, and together.
constexpr std::uint64_t kInlinedAdapter = 4 << 10, kInlinedCallee = 256, kInlinedBytes = 64 << 10;

enum class WorkKind : std::uint8_t { TrapStubs, Trampolines, Functions };

struct Work {
  WorkKind kind{};
  FunctionGroup group; // Trampolines: only `module`
  artifact::Sha256 key{};
  bool is_done = false;
};

class Compilation {
public:
  Compilation(std::span<const std::uint8_t> bytes, const CompileOptions& options) : bytes_(bytes), options_(options) {}

  Result<std::vector<std::uint8_t>> run() {
    auto features = wasm::Features::from_bits(options_.features);
    if (!features) return fail(ErrorCode::InvalidArgument, "a feature that is not for input was asked for");
    features_ = *features;
    initialise_llvm();
    target_ = CUSP_TRY(make_target(options_.target_cpu));
    CUSP_TRY(read_input());
    targets_ = component_ ? import_targets(*component_) : std::vector<ImportTargets>(modules_);
    plan_work();
    CUSP_TRY(compile_all());
    LinkedImage image = CUSP_TRY(link());
    return artifact::write_artifact(CUSP_TRY(describe(image)));
  }

private:
  const wasm::Module& module(std::uint32_t index) const {
    return component_ ? component_->modules[index].module : *core_;
  }

  Result<void> read_input() {
    if (component::is_component(bytes_)) {
      component_ = CUSP_TRY(component::link_component(bytes_, features_));
      CUSP_TRY(add_adapters(*component_, adapter_bytes_));
      modules_ = static_cast<std::uint32_t>(component_->modules.size());
    } else {
      core_ = CUSP_TRY(wasm::read_module(bytes_, features_));
      modules_ = 1;
    }
    return {};
  }

  void plan_work() {
    work_.push_back({.kind = WorkKind::TrapStubs, .group = {}});
    for (std::uint32_t i = 0; i < modules_; ++i) {
      std::vector<FunctionGroup> groups;
      append_groups(module(i), i, groups);
      for (const FunctionGroup& group : groups) work_.push_back({.kind = WorkKind::Functions, .group = group});
      work_.push_back({.kind = WorkKind::Trampolines, .group = {.module = i}});
      total_functions_ += module(i).defined_functions();
    }
    groups_.resize(work_.size());
  }

  // Where nothing but the artifact's own code calls what is in it, functions need no convention for tail calls unless it has some; that is
  // known when the bodies have been read, and then all is done again.
  Result<void> compile_all() {
    tail_calls_ = !component_ && options_.linkable;
    CUSP_TRY(compile_each());
    if (!found_tail_calls_) return {};
    tail_calls_ = true;
    next_ = done_functions_ = 0;
    first_error_ = kNoError;
    error_.reset();
    return compile_each();
  }

  // Takes what the cache has. What is there was validated when it was made, in the same surroundings.
  Result<void> look_into_cache() {
    if (options_.cache == nullptr) return {};
    const std::string settings =
        fmt::format("{:x} {:x} {} {} {} {}", artifact::compiler_build(), abi::abi_hash(),
                    artifact::settings_text(options_), target_.cpu, target_.feature_string, tail_calls_);
    std::vector<GroupKeys> modules;
    for (std::uint32_t i = 0; i < modules_; ++i) modules.emplace_back(module(i), targets_[i], settings);
    std::vector<artifact::Sha256> keys;
    for (Work& work : work_) {
      work.is_done = false;
      if (work.kind == WorkKind::TrapStubs) continue;
      const GroupKeys& of = modules[work.group.module];
      work.key = work.kind == WorkKind::Functions ? of.functions(work.group) : of.trampolines();
      keys.push_back(work.key);
    }
    std::vector<std::vector<std::uint8_t>> found = CUSP_TRY(options_.cache->find(keys));
    found.resize(keys.size());
    auto bytes = found.begin();
    for (std::uint32_t i = 0; i < work_.size(); ++i) {
      Work& work = work_[i];
      if (work.kind == WorkKind::TrapStubs) continue;
      std::vector<std::uint8_t> packed = std::move(*bytes++);
      if (packed.empty()) continue;
      auto group = unpack_group(packed, module(work.group.module));
      if (!group) continue;
      groups_[i] = *std::move(group);
      work.is_done = true;
      done_functions_ += work.group.end - work.group.first;
    }
    return {};
  }

  Result<void> compile_each() {
    CUSP_TRY(look_into_cache());
    unsigned threads = options_.threads != 0 ? options_.threads : std::max(1u, std::thread::hardware_concurrency());
    // The largest first, so that no thread is left alone with one at the end.
    order_.clear();
    for (std::uint32_t i = 0; i < work_.size(); ++i)
      if (!work_[i].is_done) order_.push_back(i);
    std::ranges::stable_sort(order_, std::greater{}, [&](std::uint32_t i) { return work_[i].group.bytes; });
    threads = static_cast<unsigned>(std::min<std::size_t>({threads, order_.size(), 256}));
    std::vector<llvm::thread> pool;
    for (unsigned i = 0; i < threads; ++i) pool.emplace_back(std::optional<unsigned>(kThreadStack), [this] { work(); });
    for (llvm::thread& thread : pool) thread.join();
    if (error_ && (tail_calls_ || !found_tail_calls_)) return std::unexpected(*error_);
    return {};
  }

  void work() {
    auto light = make_target_machine(target_, std::min(options_.opt_level, 1u));
    auto machine = make_target_machine(target_, options_.opt_level);
    for (;;) {
      std::size_t turn = next_.fetch_add(1, std::memory_order_relaxed);
      if (turn >= order_.size() || (found_tail_calls_ && !tail_calls_)) return;
      std::uint32_t index = order_[turn];
      if (index > first_error_.load(std::memory_order_relaxed))
        continue; // what counts is the first error of the module
      const Work& work = work_[index];
      const bool huge = work.group.bytes > kHugeBody;
      auto group =
          compile_one(work, huge ? *light : *machine, huge ? std::min(options_.opt_level, 1u) : options_.opt_level);
      std::lock_guard lock(mutex_);
      if (group) {
        groups_[index] = *std::move(group);
        const bool is_whole = tail_calls_ || !found_tail_calls_;
        const bool is_alone = work.kind != WorkKind::TrapStubs && !groups_[index].calls_others;
        if (options_.cache != nullptr && is_alone && is_whole)
          options_.cache->keep(work.key, pack_group(groups_[index]));
        if (work.kind != WorkKind::Functions) continue;
        done_functions_ += work.group.end - work.group.first;
        if (options_.progress) options_.progress(done_functions_, total_functions_);
      } else if (index < first_error_.load(std::memory_order_relaxed)) {
        first_error_ = index;
        error_ = std::move(group).error();
      }
    }
  }

  Result<CompiledGroup> compile_one(const Work& work, llvm::TargetMachine& machine, unsigned opt_level) {
    llvm::LLVMContext context;
    context.setDiscardValueNames(true);
    std::unique_ptr<llvm::Module> ir;
    bool uses_gc = false, calls_others = false;
    if (work.kind == WorkKind::TrapStubs) {
      ir = std::make_unique<llvm::Module>("stubs", context);
      ir->setTargetTriple(machine.getTargetTriple());
      ir->setDataLayout(machine.createDataLayout());
      GroupLowering::emit_trap_stubs(*ir);
    } else {
      const wasm::Module& wasm = module(work.group.module);
      GroupLowering lowering(context, machine, wasm, settings_of(work.group.module, work.group.module, opt_level));
      for (std::uint32_t i = work.group.first; i < work.group.end; ++i)
        CUSP_TRY(lowering.lower(wasm::DefinedFuncIndex(i)));
      if (work.kind == WorkKind::Trampolines) emit_trampolines(wasm, lowering);
      std::vector<CallTarget> called = lowering.take_called_modules();
      calls_others = !called.empty();
      if (opt_level >= 2) CUSP_TRY(lower_callees(lowering, work.group.module, std::move(called), opt_level));
      if (!tail_calls_ && lowering.has_tail_calls()) {
        found_tail_calls_ = true;
        return CompiledGroup{};
      }
      uses_gc = lowering.features_used().has(wasm::Feature::Gc);
      ir = lowering.take();
    }
    CUSP_TRY(verify(*ir, "before"));
    optimise(*ir, machine, work.kind == WorkKind::Functions ? opt_level : std::min(opt_level, 1u));
    finish_after_optimisation(*ir, opt_level);
    CUSP_TRY(verify(*ir, "after"));
    return CompiledGroup{CUSP_TRY(generate_code(*ir, machine)), uses_gc, calls_others};
  }

  LoweringSettings settings_of(std::uint32_t module_index, std::uint32_t group_module, unsigned opt_level) const {
    return {.module_index = module_index,
            .group_module = group_module,
            .bounds = options_.bounds,
            .opt_level = opt_level,
            .deterministic_simd = options_.deterministic_simd,
            .canonical_nans = options_.canonical_nans,
            .fuel = options_.fuel,
            .tail_calls = tail_calls_,
            .import_targets = targets_[module_index]};
  }

  // What the group calls in other modules and LLVM may want to inline: adapters, and what is small behind them.
  Result<void> lower_callees(GroupLowering& lowering, std::uint32_t group_module, std::vector<CallTarget> called,
                             unsigned opt_level) const {
    std::uint64_t budget = kInlinedBytes;
    for (; !called.empty(); called = lowering.take_called_modules())
      for (const CallTarget& target : called) {
        const wasm::Module& wasm = module(target.module);
        const std::uint64_t size = wasm.code[wasm.defined_index(target.func).value].bytes.size();
        const bool is_adapter = wasm.features.has(wasm::Feature::Adapter);
        if (size > (is_adapter ? kInlinedAdapter : kInlinedCallee) || size > budget) continue;
        budget -= size;
        CUSP_TRY(lowering.lower_for_inlining(wasm, settings_of(target.module, group_module, opt_level),
                                             wasm.defined_index(target.func)));
      }
    return {};
  }

  static Result<void> verify([[maybe_unused]] const llvm::Module& ir, [[maybe_unused]] const char* when) {
#ifndef NDEBUG
    std::string problem;
    llvm::raw_string_ostream stream(problem);
    if (llvm::verifyModule(ir, &stream))
      return fail(ErrorCode::Internal, fmt::format("invalid IR {} the optimiser: {}", when, problem));
#endif
    return {};
  }

  // An entry for every type that a function of the module has, a host stub for every type that an imported one has.
  static void emit_trampolines(const wasm::Module& wasm, GroupLowering& lowering) {
    std::vector<bool> entry(wasm.types.size()), stub(wasm.types.size());
    for (std::uint32_t i = 0; i < wasm.functions.size(); ++i) {
      wasm::TypeIndex type = wasm.functions[i].type;
      if (!entry[type.value]) lowering.emit_entry(type);
      entry[type.value] = true;
      if (i >= wasm.imported_functions) continue;
      if (!stub[type.value]) lowering.emit_host_stub(type);
      stub[type.value] = true;
    }
  }

  Result<LinkedImage> link() const {
    std::vector<LinkInput> inputs;
    for (std::size_t i = 0; i < work_.size(); ++i) inputs.push_back({groups_[i].object.bytes(), work_[i].group.module});
    inputs.push_back({guestlib_object(target_)});
    return link_objects(inputs);
  }

  Result<artifact::ArtifactParts> describe(LinkedImage& image) {
    artifact::ArtifactParts parts;
    parts.key = {.module_hash = artifact::sha256(bytes_),
                 .abi_hash = abi::abi_hash(),
                 .compiler_build = artifact::compiler_build(),
                 .settings = artifact::settings_text(options_),
                 .cpu = target_.cpu,
                 .cpu_features = target_.features};
    for (std::uint32_t i = 0; i < modules_; ++i) {
      parts.meta.modules.push_back(build_module_meta(module(i), options_.bounds, parts.image));
      CUSP_TRY(fill_text_offsets(image, i, parts.meta.modules.back()));
      parts.meta.modules.back().uses_gc_heap = module(i).features_used.has(wasm::Feature::Gc);
      parts.function_names.push_back(function_names(module(i)));
    }
    for (std::size_t i = 0; i < work_.size(); ++i)
      if (groups_[i].uses_gc) parts.meta.modules[work_[i].group.module].uses_gc_heap = true;
    if (component_) parts.meta.plan = std::move(component_->plan);
    parts.meta.linkable = options_.linkable;
    auto stubs = image.addresses.find("cusp_trap_stubs");
    if (stubs == image.addresses.end()) return fail(ErrorCode::Internal, "the trap stubs are missing");
    parts.meta.trap_stubs = stubs->second;
    parts.symbols = symbols(image, parts.function_names);
    parts.trap_table = trap_table(image);
    parts.unwind_table = unwind_table(image);
    parts.line_table = line_table();
    parts.text_size = image.text_size;
    parts.rodata_offset = image.rodata_offset;
    parts.eh_frame_offset = image.eh_frame_offset;
    parts.eh_frame_size = image.eh_frame_size;
    parts.code = std::move(image.code);
    return parts;
  }

  Result<void> fill_text_offsets(const LinkedImage& image, std::uint32_t index, artifact::ModuleMeta& meta) const {
    const wasm::Module& wasm = module(index);
    for (std::uint32_t i = 0; i < wasm.defined_functions(); ++i) {
      auto found = image.addresses.find(function_symbol(index, wasm.func_index(wasm::DefinedFuncIndex(i)).value));
      if (found == image.addresses.end())
        return fail(ErrorCode::Internal, fmt::format("function {} was not compiled", i));
      meta.func_text[i] = found->second;
    }
    // Equivalent types share the trampolines of the first of them.
    for (std::uint32_t i = 0; i < wasm.types.size(); ++i) {
      std::uint32_t type = wasm.types[i].canonical.is_none() ? i : wasm.types[i].canonical.value;
      if (auto entry = image.addresses.find(entry_symbol(index, type)); entry != image.addresses.end())
        meta.entries[i] = entry->second;
      if (auto stub = image.addresses.find(host_stub_symbol(index, type)); stub != image.addresses.end())
        meta.host_stubs[i] = stub->second;
    }
    return {};
  }

  std::vector<artifact::Symbol> symbols(const LinkedImage& image,
                                        const std::vector<std::vector<std::string>>& names) const;
  std::vector<std::uint8_t> trap_table(const LinkedImage& image) const;
  std::vector<std::uint8_t> unwind_table(const LinkedImage& image) const;
  std::vector<std::uint8_t> line_table() const;

  std::span<const std::uint8_t> bytes_;
  const CompileOptions& options_;
  wasm::Features features_;
  Target target_;
  std::optional<wasm::Module> core_;
  std::deque<std::vector<std::uint8_t>> adapter_bytes_;
  std::optional<component::LinkedComponent> component_;
  std::uint32_t modules_ = 0, total_functions_ = 0, done_functions_ = 0;
  std::vector<ImportTargets> targets_; // by module
  std::vector<Work> work_;
  std::vector<std::uint32_t> order_;
  std::vector<CompiledGroup> groups_; // by work_
  std::atomic<std::size_t> next_ = 0;
  static constexpr std::uint32_t kNoError = ~std::uint32_t{0};
  std::atomic<std::uint32_t> first_error_ = kNoError;
  bool tail_calls_ = true; // LoweringSettings
  std::atomic<bool> found_tail_calls_ = false;
  std::mutex mutex_; // groups_, cache, done_functions_, error_, progress
  std::optional<base::Error> error_;
};

// No NUL may end a name early, and no control character may play tricks with a terminal.
std::string printable(std::string_view name) {
  std::string text(name);
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

// "f0.12" → "wasm[0]::main"; trampolines and stubs alike. What carries no dot is the freestanding archive's or a trap
// stub.
std::string display_name(std::string_view symbol, const std::vector<std::vector<std::string>>& names) {
  unsigned module = 0, index = 0;
  char kind = 0;
  if (std::sscanf(std::string(symbol).c_str(), "%c%u.%u", &kind, &module, &index) != 3)
    return fmt::format("cusp::{}", symbol);
  switch (kind) {
  case 'e': return fmt::format("wasm[{}]::entry[type {}]", module, index);
  case 'h': return fmt::format("wasm[{}]::host_stub[type {}]", module, index);
  default: break;
  }
  bool known = module < names.size() && index < names[module].size() && !names[module][index].empty();
  return known ? fmt::format("wasm[{}]::{}", module, printable(names[module][index]))
               : fmt::format("wasm[{}]::function[{}]", module, index);
}

std::vector<artifact::Symbol> Compilation::symbols(const LinkedImage& image,
                                                   const std::vector<std::vector<std::string>>& names) const {
  std::vector<artifact::Symbol> out;
  for (const LinkedSymbol& symbol : image.functions)
    out.push_back({display_name(symbol.name, names), symbol.offset, symbol.size});
  return out;
}

std::vector<std::uint8_t> Compilation::trap_table(const LinkedImage& image) const {
  std::vector<artifact::TrapSite> sites;
  for (const LinkedSymbol& symbol : image.functions)
    sites.push_back({symbol.offset, {}}); // ends what comes before; guestlib has no frames
  for (std::size_t w = 0; w < work_.size(); ++w) {
    const Object& object = groups_[w].object;
    const std::uint32_t index = work_[w].group.module;
    std::vector<std::uint32_t> offsets = read_words(object.bytes(), kSitesSection);
    for (const FunctionSites& function : object.sites.functions) {
      auto start = image.addresses.find(place_symbol(function.symbol, index));
      if (start == image.addresses.end()) continue;
      for (std::uint32_t i = function.first; i < function.first + function.count && i < offsets.size(); ++i) {
        const SiteOrigin& origin = object.sites.origins[i];
        artifact::TrapSite site{start->second + offsets[i], {}};
        for (std::uint32_t f = origin.first_frame; f < origin.first_frame + origin.frames; ++f) {
          artifact::GuestFrame frame = object.sites.frames[f];
          frame.module = number_in_group(frame.module, index);
          const wasm::Module& wasm = module(frame.module);
          const std::uint64_t body = wasm.code[frame.func - wasm.imported_functions].offset - wasm.file_offset;
          frame.wasm_offset = static_cast<std::uint32_t>(body + (frame.wasm_offset == 0 ? 0 : frame.wasm_offset - 1));
          site.frames.push_back(frame);
        }
        sites.push_back(std::move(site));
      }
    }
  }
  // The last word on an offset wins: a function's own first site over the marker above, a later location over one that
  // took no code.
  std::ranges::stable_sort(sites, {}, &artifact::TrapSite::text_offset);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (i + 1 < sites.size() && sites[i + 1].text_offset == sites[i].text_offset) continue;
    if (kept != i) sites[kept] = std::move(sites[i]);
    ++kept;
  }
  sites.resize(kept);
  return artifact::write_trap_table(sites);
}

std::vector<std::uint8_t> Compilation::unwind_table(const LinkedImage& image) const {
  std::vector<artifact::FrameSite> frames;
  std::vector<artifact::LandingPad> pads;
  for (const LinkedSymbol& symbol : image.functions)
    frames.push_back({symbol.offset, {}}); // the freestanding archive's; the others follow
  for (std::size_t w = 0; w < work_.size(); ++w) {
    const Object& object = groups_[w].object;
    std::vector<std::uint32_t> words = read_words(object.bytes(), kUnwindSection);
    for (const UnwindFunction& function : object.unwind.functions) {
      auto start = image.addresses.find(place_symbol(function.symbol, work_[w].group.module));
      if (start == image.addresses.end()) continue;
      frames.push_back({start->second, function.layout});
      for (std::uint32_t i = function.first_call; i < function.first_call + function.calls && 2 * i + 1 < words.size();
           ++i)
        pads.push_back({start->second + words[2 * i], start->second + words[2 * i + 1], function.stack});
    }
  }
  std::ranges::stable_sort(frames, {}, &artifact::FrameSite::text_offset);
  std::ranges::sort(pads, {}, &artifact::LandingPad::return_address);
  return artifact::write_unwind_table(frames, pads);
}

std::vector<std::uint8_t> Compilation::line_table() const {
  std::vector<artifact::ModuleLines> lines;
  for (std::uint32_t i = 0; i < modules_; ++i) lines.push_back(source_lines(module(i)));
  return artifact::write_line_table(lines);
}

} // namespace

Result<std::vector<std::uint8_t>> compile_artifact(std::span<const std::uint8_t> bytes, const CompileOptions& options) {
  if (options.opt_level > 2) return fail(ErrorCode::InvalidArgument, "the optimisation level is 0, 1 or 2");
  return Compilation(bytes, options).run();
}

} // namespace cusp::compile

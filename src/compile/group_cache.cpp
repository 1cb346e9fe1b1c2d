#include "compile/group_cache.h"

#include <algorithm>

#include "base/archive.h"
#include "wasm/cursor.h"

namespace cusp::compile {

namespace {

constexpr std::uint8_t kCustomSection = 0, kCodeSection = 10, kDataSection = 11;
constexpr std::size_t kModuleHeader = 8;

class Material {
public:
  void number(std::uint64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<std::uint8_t>(value >> shift));
  }
  void bytes(std::span<const std::uint8_t> bytes) {
    number(bytes.size());
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  artifact::Sha256 hash() const { return artifact::sha256(bytes_); }

private:
  std::vector<std::uint8_t> bytes_;
};

std::span<const std::uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Of data, the lowering knows how many segments there are.
artifact::Sha256 surroundings_of(const wasm::Module& module, const ImportTargets& targets,
                                 const std::string& settings) {
  Material material;
  material.bytes(as_bytes(settings));
  material.number(module.features.bits());
  material.number(module.datas.size());
  material.number(targets.size());
  for (const auto& target : targets) material.number(target.has_value());
  wasm::Cursor at(module.bytes.subspan(std::min(kModuleHeader, module.bytes.size())), kModuleHeader);
  while (at.ok() && !at.at_end()) {
    const std::uint8_t id = at.u8();
    const std::span<const std::uint8_t> contents = at.bytes(at.u32());
    if (id == kCustomSection || id == kCodeSection || id == kDataSection) continue;
    material.number(id);
    material.bytes(contents);
  }
  return material.hash();
}

struct PackedGroup {
  bool uses_gc = false;
  TrapSites sites;
  UnwindSites unwind;
  std::vector<std::uint8_t> elf;
  template <class A> void fields(A& a) { a(uses_gc, sites, unwind, elf); }
};

bool fits(const TrapSites& sites, const wasm::Module& module) {
  auto within = [](std::uint64_t first, std::uint64_t count, std::size_t size) { return first + count <= size; };
  return std::ranges::all_of(sites.functions,
                             [&](const auto& f) { return within(f.first, f.count, sites.origins.size()); }) &&
         std::ranges::all_of(sites.origins,
                             [&](const auto& o) { return within(o.first_frame, o.frames, sites.frames.size()); }) &&
         std::ranges::all_of(sites.frames, [&](const auto& f) {
           return f.module == 0 && f.func >= module.imported_functions && f.func < module.functions.size();
         });
}

} // namespace

GroupKeys::GroupKeys(const wasm::Module& module, const ImportTargets& targets, const std::string& settings)
    : module_(module), hints_(wasm::read_branch_hints(module)),
      surroundings_(surroundings_of(module, targets, settings)) {}

artifact::Sha256 GroupKeys::functions(const FunctionGroup& group) const {
  Material material;
  material.bytes(surroundings_);
  material.number(group.first);
  for (std::uint32_t i = group.first; i < group.end; ++i) {
    material.bytes(module_.code[i].bytes);
    const std::uint32_t func = module_.func_index(wasm::DefinedFuncIndex(i)).value;
    for (const wasm::BranchHint& hint : std::ranges::equal_range(hints_, func, {}, &wasm::BranchHint::func)) {
      material.number(hint.offset);
      material.number(hint.taken);
    }
  }
  return material.hash();
}

artifact::Sha256 GroupKeys::trampolines() const {
  Material material;
  material.bytes(surroundings_);
  return material.hash();
}

std::vector<std::uint8_t> pack_group(const CompiledGroup& group) {
  std::span<const std::uint8_t> elf = group.object.bytes();
  PackedGroup packed{group.uses_gc, group.object.sites, group.object.unwind, {elf.begin(), elf.end()}};
  return base::archive_write(packed);
}

std::optional<CompiledGroup> unpack_group(std::span<const std::uint8_t> bytes, const wasm::Module& module) {
  auto packed = base::archive_read<PackedGroup>(bytes);
  if (!packed || !packed->unwind.problem.empty() || !fits(packed->sites, module)) return {};
  CompiledGroup group;
  group.uses_gc = packed->uses_gc;
  group.object.sites = std::move(packed->sites);
  group.object.unwind = std::move(packed->unwind);
  group.object.elf.assign(packed->elf.begin(), packed->elf.end());
  return group;
}

} // namespace cusp::compile

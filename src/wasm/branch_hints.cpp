#include "wasm/branch_hints.h"

#include <algorithm>

#include <fmt/format.h>

#include "wasm/cursor.h"
#include "wasm/function_validator.h"
#include "wasm/limits.h"

namespace cusp::wasm {

using base::ErrorCode;
using base::Result;

namespace {

const CustomSection* find_section(const Module& module) {
  for (const CustomSection& section : module.custom_sections)
    if (section.name == "metadata.code.branch_hint") return &section;
  return nullptr;
}

// vec(function index, vec(offset, size 1, 0 or 1)). Stops at the first thing that is wrong.
void parse(Cursor& in, const Module& module, std::vector<BranchHint>& hints) {
  std::int64_t last_func = -1;
  for (std::uint32_t n = in.count(kMaxFunctions, "hinted function"); n != 0 && in.ok(); --n) {
    std::uint32_t func = in.u32();
    if (in.ok() && (func < module.imported_functions || func >= module.functions.size() || func <= last_func))
      in.fail(ErrorCode::Malformed, fmt::format("branch hints name function {}, which has none here", func));
    last_func = func;
    std::int64_t last_offset = -1;
    for (std::uint32_t i = in.count(kMaxBodySize, "branch hint"); i != 0 && in.ok(); --i) {
      std::uint32_t offset = in.u32();
      std::uint32_t size = in.u32();
      std::uint8_t value = in.u8();
      if (in.ok() && (size != 1 || value > 1 || offset <= last_offset))
        in.fail(ErrorCode::Malformed, "malformed branch hint");
      last_offset = offset;
      if (in.ok()) hints.push_back({func, offset, value == 1});
    }
  }
}

} // namespace

std::vector<BranchHint> read_branch_hints(const Module& module) {
  std::vector<BranchHint> hints;
  const CustomSection* section = find_section(module);
  if (!section) return hints;
  Cursor in(section->bytes, section->offset);
  parse(in, module, hints);
  return hints;
}

Result<void> check_branch_hints(const Module& module) {
  const CustomSection* section = find_section(module);
  if (!section) return {};
  std::vector<BranchHint> hints;
  Cursor in(section->bytes, section->offset);
  parse(in, module, hints);
  if (in.ok() && !in.at_end()) in.fail(ErrorCode::Malformed, "bytes remain after the branch hints");
  if (!in.ok()) return std::unexpected(in.take_error());
  FunctionValidator validator(module);
  for (std::size_t i = 0; i < hints.size();) {
    const std::uint32_t func = hints[i].func;
    const DefinedFuncIndex body = module.defined_index(FuncIndex(func));
    const std::uint64_t start = module.code[body.value].offset;
    if (!validator.begin(body)) return std::unexpected(validator.take_error());
    while (!validator.done()) {
      if (!validator.step()) return std::unexpected(validator.take_error());
      if (i == hints.size() || hints[i].func != func || validator.op_offset() - start != hints[i].offset) continue;
      if (validator.op() != Op::If && validator.op() != Op::BrIf) break;
      ++i;
    }
    if (i != hints.size() && hints[i].func == func)
      return base::fail_at(ErrorCode::Invalid, start + hints[i].offset, "a branch hint names no if or br_if");
  }
  return {};
}

} // namespace cusp::wasm

// Decodes the immediates of operators and checks the indices in them.
#include <cstring>

#include <fmt/format.h>

#include "wasm/function_validator.h"
#include "wasm/limits.h"

namespace cusp::wasm {

using base::ErrorCode;

bool FunctionValidator::decode_index(std::uint32_t& index, std::size_t count, const char* what) {
  index = cursor_.u32();
  if (!cursor_.ok()) return false;
  return index < count || invalid(fmt::format("unknown {} {}", what, index));
}

bool FunctionValidator::decode(BlockImm& imm) {
  imm.type = types().block_type();
  return cursor_.ok();
}

bool FunctionValidator::decode(CatchImm& imm) { return decode_index(imm.tag.value, module_.tags.size(), "tag"); }
bool FunctionValidator::decode(DelegateImm& imm) {
  imm.depth = cursor_.u32();
  return cursor_.ok();
}
bool FunctionValidator::decode(LabelImm& imm) {
  imm.depth = cursor_.u32();
  return cursor_.ok();
}
bool FunctionValidator::decode(RefLabelImm& imm) {
  imm.depth = cursor_.u32();
  return cursor_.ok();
}
bool FunctionValidator::decode(BrTableImm& imm) {
  labels_.clear();
  for (std::uint32_t n = cursor_.count(kMaxBrTableTargets, "br_table target"); n != 0 && cursor_.ok(); --n)
    labels_.push_back(cursor_.u32());
  imm.depths = labels_;
  imm.default_depth = cursor_.u32();
  return cursor_.ok();
}
bool FunctionValidator::decode(FuncImm& imm) {
  return decode_index(imm.func.value, module_.functions.size(), "function");
}

bool FunctionValidator::decode(CallIndirectImm& imm) {
  imm.type = types().func_type_index();
  return cursor_.ok() && decode_index(imm.table.value, module_.tables.size(), "table");
}
bool FunctionValidator::decode(TypeImm& imm) {
  imm.type = types().type_index();
  return cursor_.ok();
}

bool FunctionValidator::decode(SelectTypeImm& imm) {
  if (cursor_.u32() != 1) return cursor_.ok() && invalid("invalid result arity: select has one result");
  imm.type = types().val_type();
  return cursor_.ok();
}

bool FunctionValidator::decode(LocalImm& imm) {
  if (!decode_index(imm.local.value, locals_.size(), "local")) return false;
  imm.type = locals_[imm.local.value];
  return true;
}
bool FunctionValidator::decode(GlobalImm& imm) {
  if (!decode_index(imm.global.value, module_.globals.size(), "global")) return false;
  imm.type = module_.globals[imm.global.value].type.type;
  return true;
}
bool FunctionValidator::decode(TagImm& imm) { return decode_index(imm.tag.value, module_.tags.size(), "tag"); }

bool FunctionValidator::decode(TryTableImm& imm) {
  BlockImm block;
  if (!decode(block)) return false;
  imm.type = block.type;
  catches_.clear();
  for (std::uint32_t n = cursor_.count(kMaxCatchClauses, "catch clause"); n != 0 && cursor_.ok(); --n) {
    CatchClause clause;
    std::uint8_t kind = cursor_.u8();
    if (kind > 3) return cursor_.fail(ErrorCode::Malformed, "malformed catch clause");
    clause.kind = static_cast<CatchKind>(kind);
    if (kind < 2 && !decode_index(clause.tag.value, module_.tags.size(), "tag")) return false;
    clause.depth = cursor_.u32();
    catches_.push_back(clause);
  }
  imm.catches = catches_;
  return cursor_.ok();
}

bool FunctionValidator::decode(TableImm& imm) { return decode_index(imm.table.value, module_.tables.size(), "table"); }
bool FunctionValidator::decode(TableCopyImm& imm) {
  return decode_index(imm.to.value, module_.tables.size(), "table") &&
         decode_index(imm.from.value, module_.tables.size(), "table");
}
bool FunctionValidator::decode(TableInitImm& imm) {
  return decode_index(imm.elem.value, module_.elems.size(), "elem segment") &&
         decode_index(imm.table.value, module_.tables.size(), "table");
}
bool FunctionValidator::decode(ElemImm& imm) {
  return decode_index(imm.elem.value, module_.elems.size(), "elem segment");
}

bool FunctionValidator::decode(HeapTypeImm& imm) {
  imm.type = ValType::ref(true, types().heap_type());
  return cursor_.ok();
}

bool FunctionValidator::decode(MemoryImm& imm) {
  return decode_index(imm.memory.value, module_.memories.size(), "memory");
}
bool FunctionValidator::decode(MemoryCopyImm& imm) {
  return decode_index(imm.to.value, module_.memories.size(), "memory") &&
         decode_index(imm.from.value, module_.memories.size(), "memory");
}
bool FunctionValidator::decode(MemoryInitImm& imm) {
  DataImm data;
  if (!decode(data)) return false;
  imm.data = data.data;
  return decode_index(imm.memory.value, module_.memories.size(), "memory");
}
bool FunctionValidator::decode(DataImm& imm) {
  if (!module_.data_count) return cursor_.fail_at(ErrorCode::Malformed, op_offset_, "data count section required");
  return decode_index(imm.data.value, *module_.data_count, "data segment");
}
bool FunctionValidator::decode(FenceImm&) {
  return cursor_.u8() == 0 || (cursor_.ok() && cursor_.fail(ErrorCode::Malformed, "zero byte expected"));
}

bool FunctionValidator::decode(I32Imm& imm) {
  imm.bits = static_cast<std::uint32_t>(cursor_.s32());
  return cursor_.ok();
}
bool FunctionValidator::decode(I64Imm& imm) {
  imm.bits = static_cast<std::uint64_t>(cursor_.s64());
  return cursor_.ok();
}
bool FunctionValidator::decode(F32Imm& imm) {
  imm.bits = cursor_.fixed32();
  return cursor_.ok();
}
bool FunctionValidator::decode(F64Imm& imm) {
  imm.bits = cursor_.fixed64();
  return cursor_.ok();
}
bool FunctionValidator::decode(V128Imm& imm) {
  auto bytes = cursor_.bytes(16);
  if (cursor_.ok()) std::memcpy(imm.bytes.data(), bytes.data(), 16);
  return cursor_.ok();
}
bool FunctionValidator::decode(ShuffleImm& imm) {
  auto bytes = cursor_.bytes(16);
  if (!cursor_.ok()) return false;
  std::memcpy(imm.lanes.data(), bytes.data(), 16);
  for (std::uint8_t lane : imm.lanes)
    if (lane >= 32) return invalid("invalid lane index");
  return true;
}

bool FunctionValidator::decode(FieldImm& imm) {
  imm.type = types().type_index();
  imm.field = cursor_.u32();
  return cursor_.ok();
}
bool FunctionValidator::decode(ArrayFixedImm& imm) {
  imm.type = types().type_index();
  imm.count = cursor_.u32();
  return cursor_.ok();
}
bool FunctionValidator::decode(ArrayDataImm& imm) {
  imm.type = types().type_index();
  DataImm data;
  if (!cursor_.ok() || !decode(data)) return false;
  imm.data = data.data;
  return true;
}
bool FunctionValidator::decode(ArrayElemImm& imm) {
  imm.type = types().type_index();
  return cursor_.ok() && decode_index(imm.elem.value, module_.elems.size(), "elem segment");
}
bool FunctionValidator::decode(ArrayCopyImm& imm) {
  imm.to = types().type_index();
  imm.from = types().type_index();
  return cursor_.ok();
}
bool FunctionValidator::decode(CastImm& imm) {
  imm.to = ValType::ref(false, types().heap_type());
  return cursor_.ok();
}
bool FunctionValidator::decode(CastNullImm& imm) {
  imm.to = ValType::ref(true, types().heap_type());
  return cursor_.ok();
}
bool FunctionValidator::decode(BrOnCastImm& imm) {
  const std::uint8_t flags = cursor_.u8();
  if (cursor_.ok() && flags > 3) return cursor_.fail(ErrorCode::Malformed, "malformed br_on_cast flags");
  imm.depth = cursor_.u32();
  imm.from = ValType::ref((flags & 1) != 0, types().heap_type());
  imm.to = ValType::ref((flags & 2) != 0, types().heap_type());
  return cursor_.ok();
}
bool FunctionValidator::decode(TrapImm& imm) {
  imm.trap = cursor_.u32();
  return cursor_.ok();
}
bool FunctionValidator::decode(InstanceImm& imm) {
  imm.instance = cursor_.u32();
  return cursor_.ok();
}
bool FunctionValidator::decode(HandleImm& imm) {
  imm.instance = cursor_.u32();
  imm.resource = cursor_.u32();
  return cursor_.ok();
}

bool FunctionValidator::decode_memarg(MemArg& imm, std::uint32_t bytes) {
  std::uint64_t at = cursor_.offset();
  std::uint32_t flags = cursor_.u32();
  imm.memory = MemoryIndex(0);
  if (flags & 0x40) {
    if (!module_.features.has(Feature::MultiMemory)) return unsupported(Feature::MultiMemory);
    imm.memory = MemoryIndex(cursor_.u32());
    flags &= ~0x40u;
  }
  if (cursor_.ok() && flags >= 64) return cursor_.fail_at(ErrorCode::Malformed, at, "malformed memop flags");
  if (cursor_.ok() && imm.memory.value >= module_.memories.size())
    return invalid(fmt::format("unknown memory {}", imm.memory.value));
  if (!cursor_.ok()) return false;
  imm.offset = module_.memories[imm.memory.value].memory64 ? cursor_.u64() : cursor_.u32();
  if (!cursor_.ok()) return false;
  if (flags >= 32 || (1u << flags) > bytes) return invalid("alignment must not be larger than natural");
  imm.align_log2 = static_cast<std::uint8_t>(flags);
  imm.bytes = static_cast<std::uint8_t>(bytes);
  bool atomic = op_info(op_).feature == Feature::Threads;
  return !atomic || (1u << flags) == bytes || invalid("atomic alignment must be natural");
}

bool FunctionValidator::decode_lane(std::uint8_t& lane, std::uint32_t lanes) {
  lane = cursor_.u8();
  if (!cursor_.ok()) return false;
  return lane < lanes || invalid("invalid lane index");
}

} // namespace cusp::wasm

// What type a reference is of (spec 4.4.2, 4.4.11), i31, and the ways between the hierarchies (4.4.14). A subtype check is
// one load from the display of supertypes and one comparison (abi::TypeRecord), whatever the depth; what static types
// decide is not asked again.
#include <algorithm>

#include "compile/lower/function_lowering.h"

namespace cusp::compile {

namespace {

using wasm::AbstractHeapType;

bool is_one_of(wasm::HeapType type, std::initializer_list<AbstractHeapType> kinds) {
  return !type.is_concrete() && std::ranges::find(kinds, type.abstract()) != kinds.end();
}

} // namespace

llvm::Value* FunctionLowering::type_id(wasm::TypeIndex type) {
  Value* ids = group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, offsetof(abi::VmContext, type_ids)));
  return group_.load_invariant(ir, types.i32, group_.field(ir, ids, 4 * std::uint64_t{type.value}));
}

// `id`: of a type, whichever. REQUIRES: not that of a box.
llvm::Value* FunctionLowering::has_subtype(Value* id, wasm::TypeIndex super) {
  const wasm::SubType& type = group_.wasm.types[super.value];
  Value* expected = type_id(super);
  if (type.is_final) return ir.CreateICmpEQ(id, expected);
  Value* records = group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, offsetof(abi::VmContext, types)));
  // serial * sizeof(TypeRecord) = (id & ~3) * 16
  static_assert(sizeof(abi::TypeRecord) == 64 && abi::kTypeKindMask == 3);
  Value* serial = to_i64(ir.CreateAnd(id, ~abi::kTypeKindMask));
  Value* record = ir.CreatePtrAdd(records, ir.CreateShl(serial, 4));
  std::uint64_t at = offsetof(abi::TypeRecord, supers);
  if (type.depth >= abi::kInlineSupers) {
    record = group_.load_invariant(ir, types.ptr, group_.field(ir, record, offsetof(abi::TypeRecord, all_supers)));
    at = 0;
  }
  Value* actual = group_.load_invariant(ir, types.i32, group_.field(ir, record, at + 4 * std::uint64_t{type.depth}));
  return ir.CreateICmpEQ(actual, expected);
}

// Whether an object with this header matches an abstract or concrete type of the any hierarchy.
llvm::Value* FunctionLowering::object_is(Value* header, wasm::HeapType type) {
  if (type.is_concrete()) {
    // A box's id has no record: its serial is 0, whose row is all zero.
    return has_subtype(header, type.index());
  }
  auto kind_is = [&](llvm::CmpInst::Predicate how, abi::TypeKind kind) {
    Value* actual = ir.CreateAnd(header, abi::kTypeKindMask);
    return ir.CreateICmp(how, actual, ir.getInt32(static_cast<std::uint32_t>(kind)));
  };
  switch (type.abstract()) {
  case AbstractHeapType::Struct: return kind_is(llvm::CmpInst::ICMP_EQ, abi::TypeKind::Struct);
  case AbstractHeapType::Array: return kind_is(llvm::CmpInst::ICMP_EQ, abi::TypeKind::Array);
  case AbstractHeapType::Eq: return kind_is(llvm::CmpInst::ICMP_NE, abi::TypeKind::Extern);
  case AbstractHeapType::Any: return ir.getTrue();
  default: return ir.getFalse();
  }
}

// An i1: `reference`, which has the type `from`, also has the type `to`.
llvm::Value* FunctionLowering::is_instance(Value* reference, wasm::ValType from, wasm::ValType to) {
  const wasm::Module& module = group_.wasm;
  const wasm::HeapType heap = to.heap();
  Value* is_null = ir.CreateIsNull(reference);
  if (module.is_heap_subtype(from.heap(), heap))
    return to.is_nullable() || !from.is_nullable() ? ir.getTrue() : ir.CreateNot(is_null);
  Value* of_null = from.is_nullable() && to.is_nullable() ? is_null : ir.getFalse();
  if (is_one_of(heap, {AbstractHeapType::None, AbstractHeapType::NoFunc, AbstractHeapType::NoExtern,
                       AbstractHeapType::NoExn}))
    return of_null;

  // Three kinds of references, in order: null, i31, object. Each that can be decides and leaves.
  llvm::BasicBlock* done = new_block();
  llvm::PHINode* result = llvm::PHINode::Create(types.i1, 3, "", done);
  auto decide = [&](Value* condition, bool answer) {
    llvm::BasicBlock* next = new_block();
    result->addIncoming(ir.getInt1(answer), ir.GetInsertBlock());
    ir.CreateCondBr(condition, done, next);
    place(next);
  };
  if (from.is_nullable()) decide(is_null, to.is_nullable());
  Value* answer = nullptr;
  if (module.top_of(heap) == AbstractHeapType::Func) {
    answer =
        has_subtype(group_.load_invariant(ir, types.i32, group_.field(ir, reference, offsetof(abi::FuncRef, type_id))),
                    heap.index());
  } else {
    Value* is_i31 = ir.CreateTrunc(reference, types.i1);
    if (is_one_of(heap, {AbstractHeapType::I31})) {
      answer = is_i31;
    } else {
      if (is_one_of(from.heap(), {AbstractHeapType::Any, AbstractHeapType::Eq, AbstractHeapType::I31}))
        decide(is_i31, is_one_of(heap, {AbstractHeapType::Eq}));
      answer = object_is(object_type(reference), heap);
    }
  }
  result->addIncoming(answer, ir.GetInsertBlock());
  ir.CreateBr(done);
  place(done);
  return result;
}

void FunctionLowering::on_RefEq(const wasm::OpContext&, const wasm::NoImm&) {
  Value* b = pop();
  Value* a = pop();
  push(ir.CreateZExt(ir.CreateICmpEQ(a, b), types.i32));
}

void FunctionLowering::on_RefTest(const wasm::OpContext& op, const wasm::CastImm& imm) {
  locate(op);
  push(ir.CreateZExt(is_instance(pop(), imm.from, imm.to), types.i32));
}

void FunctionLowering::on_RefCast(const wasm::OpContext& op, const wasm::CastImm& imm) {
  locate(op);
  trap_if(ir.CreateNot(is_instance(stack_.back(), imm.from, imm.to)), abi::Trap::CastFailure);
}

void FunctionLowering::on_BrOnCast(const wasm::OpContext& op, const wasm::BrOnCastImm& imm) {
  locate(op);
  branch_if(is_instance(stack_.back(), imm.from, imm.to), imm.depth);
}

void FunctionLowering::on_BrOnCastFail(const wasm::OpContext& op, const wasm::BrOnCastImm& imm) {
  locate(op);
  branch_if(ir.CreateNot(is_instance(stack_.back(), imm.from, imm.to)), imm.depth);
}

void FunctionLowering::on_RefI31(const wasm::OpContext&, const wasm::NoImm&) {
  push(ir.CreateOr(ir.CreateShl(pop(), 1), 1));
}

void FunctionLowering::on_I31Get(const wasm::OpContext& op, const wasm::OperandImm& imm) {
  locate(op);
  Value* reference = pop();
  trap_if_null(reference, imm.type.is_nullable());
  push(op.op == wasm::Op::I31GetS ? ir.CreateAShr(reference, 1) : ir.CreateLShr(reference, 1));
}

// Null and what extern.convert_any made are told by their bits; for a host's reference, a box is made.
void FunctionLowering::on_AnyConvertExtern(const wasm::OpContext& op, const wasm::NoImm&) {
  locate(op);
  Value* reference = pop();
  Value* bits = ir.CreatePtrToInt(reference, types.i64);
  Value* direct = ir.CreateTrunc(bits, types.i32);
  Value* is_direct = ir.CreateICmpSLE(bits, ir.getInt64(0));
  llvm::BasicBlock* before = ir.GetInsertBlock();
  llvm::BasicBlock* box = new_block();
  llvm::BasicBlock* done = new_block();
  ir.CreateCondBr(is_direct, done, box);
  place(box);
  Value* boxed = call_builtin(abi::Builtin::gc_box_extern, {reference});
  ir.CreateBr(done);
  place(done);
  llvm::PHINode* result = ir.CreatePHI(types.i32, 2);
  result->addIncoming(direct, before);
  result->addIncoming(boxed, box);
  push(result);
}

void FunctionLowering::on_ExternConvertAny(const wasm::OpContext& op, const wasm::NoImm&) {
  locate(op);
  Value* reference = pop();
  Value* tagged = ir.CreateOr(to_i64(reference), ir.getInt64(abi::kExternIsAny));
  llvm::BasicBlock* done = new_block();
  llvm::PHINode* result = llvm::PHINode::Create(types.i64, 4, "", done);
  auto decide = [&](Value* condition, Value* answer) {
    llvm::BasicBlock* next = new_block();
    result->addIncoming(answer, ir.GetInsertBlock());
    ir.CreateCondBr(condition, done, next);
    place(next);
  };
  decide(ir.CreateIsNull(reference), ir.getInt64(0));
  decide(ir.CreateTrunc(reference, types.i1), tagged);
  Value* id = object_type(reference);
  decide(ir.CreateICmpNE(id, ir.getInt32(abi::kExternBoxId)), tagged);
  Value* value = group_.load_invariant(ir, types.i64, object_field(reference, offsetof(abi::GcExternBox, value)));
  result->addIncoming(value, ir.GetInsertBlock());
  ir.CreateBr(done);
  place(done);
  push(ir.CreateIntToPtr(result, types.ptr));
}

} // namespace cusp::compile

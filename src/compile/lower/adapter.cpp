// The Adapter family: entry and exit of component instances and the ordinary way through handle tables, in line (abi/component.h).
// Each handle operator changes the table or says that canon/ must see to it, having changed nothing. Only resources have a type, so
// that one comparison tells whether an entry is what it should be.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

using abi::HandleEntry;
using abi::HandleTable;
using abi::InstanceRecord;

namespace {
constexpr std::uint64_t kEntryBytes = sizeof(HandleEntry);
constexpr const char* kCopyAscii = "cusp_copy_ascii"; // guestlib/
} // namespace

// A handle table with what its operators share.
struct FunctionLowering::Handles {
  FunctionLowering& in;
  Value* record;
  Value* table;
  Value* type;

  llvm::IRBuilder<>& ir() const { return in.ir; }
  Value* field(Value* base, std::uint64_t offset) const { return in.group_.field(in.ir, base, offset); }
  Value* load(llvm::Type* of, Value* base, std::uint64_t offset, unsigned alignment) const {
    return in.ir.CreateAlignedLoad(of, field(base, offset), llvm::Align(alignment));
  }
  void store(Value* value, Value* base, std::uint64_t offset, unsigned alignment) const {
    in.ir.CreateAlignedStore(value, field(base, offset), llvm::Align(alignment));
  }
  Value* word(Value* base, std::uint64_t offset) const { return load(in.types.i32, base, offset, 4); }
  void set_word(Value* value, Value* base, std::uint64_t offset) const { store(value, base, offset, 4); }
  void add(Value* base, std::uint64_t offset, std::int32_t by) const {
    set_word(in.ir.CreateAdd(word(base, offset), in.ir.getInt32(static_cast<std::uint32_t>(by))), base, offset);
  }
  Value* entry(Value* index) const {
    Value* entries = load(in.types.ptr, table, offsetof(HandleTable, entries), 8);
    return in.ir.CreatePtrAdd(entries,
                              in.ir.CreateMul(in.ir.CreateZExt(index, in.types.i64), in.ir.getInt64(kEntryBytes)));
  }

  // Runs `use` with the entry where `index` is a handle of the resource and `otherwise` where it is not, or where `use` says so;
  // the value of either.
  template <class Use> Value* found(Value* index, Use use) const {
    llvm::BasicBlock *known = in.new_block(), *right = in.new_block(), *failed = in.new_block(), *end = in.new_block();
    Value* length = word(table, offsetof(HandleTable, length));
    ir().CreateCondBr(ir().CreateICmpULT(index, length), known, failed, in.tags.likely());
    in.place(known);
    Value* at = entry(index);
    Value* is_right = ir().CreateICmpEQ(load(in.types.ptr, at, offsetof(HandleEntry, type), 8), type);
    ir().CreateCondBr(is_right, right, failed, in.tags.likely());
    in.place(right);
    Value* value = use(at, failed);
    llvm::BasicBlock* last = ir().GetInsertBlock();
    ir().CreateBr(end);
    in.place(failed);
    ir().CreateBr(end);
    in.place(end);
    llvm::PHINode* result = ir().CreatePHI(in.types.i64, 2);
    result->addIncoming(value, last);
    result->addIncoming(ir().getInt64(~std::uint64_t{0}), failed);
    return result;
  }
  // Goes on only where `condition` holds.
  void require(Value* condition, llvm::BasicBlock* otherwise) const {
    llvm::BasicBlock* good = in.new_block();
    ir().CreateCondBr(condition, good, otherwise, in.tags.likely());
    in.place(good);
  }
  Value* rep(Value* at) const { return load(in.types.i64, at, offsetof(HandleEntry, rep), 8); }
  void remove(Value* at, Value* index) const {
    store(llvm::ConstantInt::get(in.types.i16, 0), at, offsetof(HandleEntry, kind), 8); // free, and not owned
    store(llvm::ConstantPointerNull::get(in.types.ptr), at, offsetof(HandleEntry, type), 8);
    store(llvm::ConstantPointerNull::get(in.types.ptr), at, offsetof(HandleEntry, borrows), 8);
    store(ir().CreateZExt(word(table, offsetof(HandleTable, first_free)), in.types.i64), at, offsetof(HandleEntry, rep),
          8);
    set_word(index, table, offsetof(HandleTable, first_free));
    add(table, offsetof(HandleTable, alive), -1);
  }

  Value* take(Value* index) const {
    return found(index, [&](Value* at, llvm::BasicBlock* failed) {
      require(ir().CreateICmpEQ(head(at), ir().getInt64(kFreeToGo)), failed);
      Value* value = rep(at);
      remove(at, index);
      return value;
    });
  }
  Value* lend(Value* index) const {
    return found(index, [&](Value* at, llvm::BasicBlock*) {
      add(at, offsetof(HandleEntry, lends), 1);
      return rep(at);
    });
  }
  // Into a free entry; 0: there is none.
  Value* insert(Value* value, bool own) const {
    llvm::BasicBlock *room = in.new_block(), *end = in.new_block();
    Value* index = word(table, offsetof(HandleTable, first_free));
    ir().CreateCondBr(ir().CreateIsNotNull(index), room, end, in.tags.likely());
    in.place(room);
    Value* at = entry(index);
    set_word(word(at, offsetof(HandleEntry, next_free)), table, offsetof(HandleTable, first_free));
    store(ir().getInt64(own ? kFreeToGo : kBorrowed), at, 0, 8);
    store(type, at, offsetof(HandleEntry, type), 8);
    store(value, at, offsetof(HandleEntry, rep), 8);
    if (!own) {
      store(field(record, offsetof(InstanceRecord, borrows)), at, offsetof(HandleEntry, borrows), 8);
      add(record, offsetof(InstanceRecord, borrows), 1);
    }
    add(table, offsetof(HandleTable, alive), 1);
    ir().CreateBr(end);
    in.place(end);
    return index;
  }

  // The first eight bytes of an entry in one: its kind, whether it owns, and its lends.
  static constexpr std::uint64_t kBorrowed = static_cast<std::uint64_t>(abi::HandleKind::Resource);
  static constexpr std::uint64_t kFreeToGo = kBorrowed | 1u << 8;
  static_assert(offsetof(HandleEntry, kind) == 0 && offsetof(HandleEntry, own) == 1 &&
                offsetof(HandleEntry, lends) == 4);
  Value* head(Value* at) const { return load(in.types.i64, at, 0, 8); }
};

llvm::Value* FunctionLowering::instance_record(std::uint32_t instance) {
  Value* records = group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, offsetof(abi::VmContext, instances)));
  return group_.load_invariant(ir, types.ptr, group_.field(ir, records, std::uint64_t{8} * instance));
}

void FunctionLowering::on_Adapter(const wasm::OpContext& op, const wasm::InstanceImm& imm) {
  locate(op);
  Value* record = instance_record(imm.instance);
  Value* may_enter = group_.field(ir, record, offsetof(InstanceRecord, may_enter));
  Value* may_leave = group_.field(ir, record, offsetof(InstanceRecord, may_leave));
  auto check = [&](Value* flag, abi::Trap kind) { trap_if(ir.CreateIsNull(ir.CreateLoad(types.i8, flag)), kind); };
  switch (op.op) {
  case wasm::Op::AdapterEnter:
    check(may_enter, abi::Trap::CannotEnter);
    ir.CreateStore(ir.getInt8(0), may_enter);
    return;
  case wasm::Op::AdapterLeave: ir.CreateStore(ir.getInt8(1), may_enter); return;
  case wasm::Op::AdapterCheckLeave: return check(may_leave, abi::Trap::CannotLeave);
  case wasm::Op::AdapterForbidLeave: ir.CreateStore(ir.getInt8(0), may_leave); return;
  case wasm::Op::AdapterAllowLeave: ir.CreateStore(ir.getInt8(1), may_leave); return;
  case wasm::Op::AdapterBorrows:
    return push(ir.CreateLoad(types.i32, group_.field(ir, record, offsetof(InstanceRecord, borrows))));
  default: unsupported(op);
  }
}

void FunctionLowering::on_Adapter(const wasm::OpContext& op, const wasm::HandleImm& imm) {
  Value* record = instance_record(imm.instance);
  Value* table = group_.load_invariant(ir, types.ptr, group_.field(ir, record, offsetof(InstanceRecord, table)));
  Value* identities =
      group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, offsetof(abi::VmContext, resources)));
  Value* type = group_.load_invariant(ir, types.ptr, group_.field(ir, identities, std::uint64_t{8} * imm.resource));
  const Handles handles{*this, record, table, type};
  Value* operand = pop();
  switch (op.op) {
  case wasm::Op::AdapterRep:
    return push(handles.found(operand, [&](Value* at, llvm::BasicBlock*) { return handles.rep(at); }));
  case wasm::Op::AdapterTake: return push(handles.take(operand));
  case wasm::Op::AdapterLend: return push(handles.lend(operand));
  case wasm::Op::AdapterGiveBack: return handles.add(handles.entry(operand), offsetof(HandleEntry, lends), -1);
  case wasm::Op::AdapterOwn: return push(handles.insert(operand, true));
  case wasm::Op::AdapterBorrow: return push(handles.insert(operand, false));
  default: unsupported(op);
  }
}

void FunctionLowering::on_AdapterUtf8Copy(const wasm::OpContext& op, const wasm::MemoryCopyImm& imm) {
  locate(op);
  Value *n = pop(), *s = pop(), *d = pop();
  Value* length = to_i64(n);
  Value* source = checked_range(imm.from, to_i64(s), length);
  Value* target = checked_range(imm.to, to_i64(d), length);
  llvm::FunctionCallee copy_ascii = group_.module->getOrInsertFunction(
      kCopyAscii, llvm::FunctionType::get(types.i64, {types.ptr, types.ptr, types.i64}, false));
  llvm::CallInst* copied = ir.CreateCall(copy_ascii, {target, source, length});
  copied->setDoesNotThrow();
  llvm::BasicBlock *before = ir.GetInsertBlock(), *rest = new_block(), *end = new_block();
  ir.CreateCondBr(ir.CreateICmpEQ(copied, length), end, rest, tags.likely());
  place(rest); // from the first character that is not ASCII
  Value* done = ir.CreateTrunc(copied, types.i32);
  Value* found =
      call_builtin(abi::Builtin::utf8_copy, {ir.getInt32(imm.to.value), ir.getInt32(imm.from.value),
                                             ir.CreateAdd(d, done), ir.CreateAdd(s, done), ir.CreateSub(n, done)});
  ir.CreateBr(end);
  place(end);
  llvm::PHINode* result = ir.CreatePHI(types.i32, 2);
  result->addIncoming(ir.getInt32(0), before);
  result->addIncoming(found, rest);
  push(result);
}

} // namespace cusp::compile

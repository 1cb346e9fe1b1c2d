// Structures and arrays (spec 4.4.12, 4.4.13; abi/gc.h). Fields and elements are loads and stores at the heap's base plus
// the zero-extended reference; null is an explicit comparison where the operand's type leaves it open, which LLVM drops
// when another one stands before it. A structure takes the next cell of its size's run, and a built-in makes it where the
// run is at its end, as it makes all arrays; the stores that fill an object follow with nothing in between that could
// collect.
// An array's length says the same for as long as its reference lives, and only built-ins write it: its loads are
// invariant.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

namespace {

abi::GcStorage storage_of_element(const wasm::Module& module, wasm::TypeIndex array) {
  return storage_of(module, std::get<wasm::ArrayType>(module.types[array.value].composite).element);
}

std::span<const wasm::FieldType> fields_of(const wasm::Module& module, wasm::TypeIndex type) {
  return std::get<wasm::StructType>(module.types[type.value].composite).fields;
}

struct FieldPlace {
  std::uint32_t offset = 0;
  abi::GcStorage storage{};
};

FieldPlace place_of(const wasm::Module& module, wasm::TypeIndex type, std::uint32_t field) {
  abi::GcStructLayout layout;
  FieldPlace place;
  for (std::uint32_t i = 0; i <= field; ++i) {
    place.storage = storage_of(module, fields_of(module, type)[i]);
    place.offset = layout.add(place.storage);
  }
  return place;
}

llvm::MDNode* field_tag(AccessTags& tags, const wasm::Module& module, wasm::TypeIndex type, std::uint32_t field) {
  for (;;) {
    const std::optional<wasm::TypeIndex>& super = module.types[type.value].supertype;
    if (!super || fields_of(module, *super).size() <= field) return tags.field(type.value, field);
    type = *super;
  }
}

llvm::Type* stored_type(const IrTypes& types, abi::GcStorage storage) {
  switch (storage) {
  case abi::GcStorage::I8: return types.i8;
  case abi::GcStorage::I16: return types.i16;
  case abi::GcStorage::I32:
  case abi::GcStorage::Any: return types.i32;
  case abi::GcStorage::I64: return types.i64;
  case abi::GcStorage::F32: return types.f32;
  case abi::GcStorage::F64: return types.f64;
  case abi::GcStorage::V128: return types.v128;
  case abi::GcStorage::Extern:
  case abi::GcStorage::Func:
  case abi::GcStorage::Exn: return types.ptr;
  }
  llvm_unreachable("every storage has a type");
}

llvm::Align alignment_of(abi::GcStorage storage) { return llvm::Align(std::min(abi::storage_size(storage), 8u)); }

bool is_zero(const llvm::Value* value) {
  const auto* constant = llvm::dyn_cast<llvm::Constant>(value);
  return constant && constant->isNullValue();
}

} // namespace

void FunctionLowering::trap_if_null(Value* reference, bool nullable) {
  if (nullable) trap_if(ir.CreateIsNull(reference), abi::Trap::NullReference);
}

llvm::Value* FunctionLowering::gc_heap() {
  if (gc_heap_) return gc_heap_;
  llvm::IRBuilder<> entry = at_entry();
  gc_heap_ = group_.load_invariant(entry, types.ptr, group_.field(entry, vmctx_, offsetof(abi::VmContext, gc_heap)));
  return gc_heap_;
}

// REQUIRES: the reference leads to an object. (Zero-extended: a sign-extended one would leave the heap.)
llvm::Value* FunctionLowering::object_field(Value* reference, std::uint64_t offset) {
  const auto no_wrap = llvm::GEPNoWrapFlags::noUnsignedWrap();
  Value* object = ir.CreatePtrAdd(gc_heap(), to_i64(reference), "", no_wrap);
  return offset == 0 ? object : ir.CreatePtrAdd(object, ir.getInt64(offset), "", no_wrap);
}

llvm::Value* FunctionLowering::object_type(Value* reference) {
  Value* at = object_field(reference, offsetof(abi::GcHeader, type_id));
  llvm::LoadInst* load = ir.CreateAlignedLoad(types.i32, at, llvm::Align(4));
  load->setMetadata(llvm::LLVMContext::MD_tbaa, tags.header());
  return load;
}

llvm::Value* FunctionLowering::load_storage(Value* address, abi::GcStorage storage, bool is_signed, llvm::MDNode* tag) {
  llvm::LoadInst* load = ir.CreateAlignedLoad(stored_type(types, storage), address, alignment_of(storage));
  load->setMetadata(llvm::LLVMContext::MD_tbaa, tag);
  if (storage != abi::GcStorage::I8 && storage != abi::GcStorage::I16) return load;
  return ir.CreateIntCast(load, types.i32, is_signed);
}

void FunctionLowering::store_storage(Value* value, Value* address, abi::GcStorage storage, llvm::MDNode* tag) {
  llvm::Type* type = stored_type(types, storage);
  const bool narrow = storage == abi::GcStorage::I8 || storage == abi::GcStorage::I16;
  value = narrow ? ir.CreateTrunc(value, type) : cast(value, type);
  ir.CreateAlignedStore(value, address, alignment_of(storage))->setMetadata(llvm::LLVMContext::MD_tbaa, tag);
}

// ---- structures ----

llvm::Value* FunctionLowering::new_struct(wasm::TypeIndex type) {
  abi::GcStructLayout layout;
  for (const wasm::FieldType& field : fields_of(group_.wasm, type)) layout.add(storage_of(group_.wasm, field));
  Value* id = type_id(type);
  auto by_builtin = [&] { return call_builtin(abi::Builtin::gc_struct_new, {id, ir.getInt32(layout.size())}); };
  if (layout.size() > abi::kGcMaxSmall) return by_builtin();

  const std::uint32_t which = abi::gc_class_of(layout.size());
  auto part = [&](std::uint64_t offset) { return group_.field(ir, gc_heap(), which * sizeof(abi::GcRun) + offset); };
  auto word = [&](std::uint64_t offset) {
    llvm::LoadInst* load = ir.CreateAlignedLoad(types.i32, part(offset), llvm::Align(4));
    load->setMetadata(llvm::LLVMContext::MD_tbaa, tags.gc_run());
    return load;
  };
  Value* cursor = word(offsetof(abi::GcRun, cursor));
  Value* is_at_end = ir.CreateICmpEQ(cursor, word(offsetof(abi::GcRun, end)));
  llvm::BasicBlock *slow = new_block(), *fast = new_block(), *done = new_block();
  ir.CreateCondBr(is_at_end, slow, fast, tags.unlikely());
  place(slow);
  Value* made = by_builtin();
  ir.CreateBr(done);
  place(fast);
  Value* next = ir.CreateAdd(cursor, ir.getInt32(abi::kGcCellBytes[which]));
  ir.CreateAlignedStore(next, part(offsetof(abi::GcRun, cursor)), llvm::Align(4))
      ->setMetadata(llvm::LLVMContext::MD_tbaa, tags.gc_run());
  ir.CreateAlignedStore(id, object_field(cursor, offsetof(abi::GcHeader, type_id)), llvm::Align(4))
      ->setMetadata(llvm::LLVMContext::MD_tbaa, tags.header());
  ir.CreateBr(done);
  place(done);
  llvm::PHINode* object = ir.CreatePHI(types.i32, 2);
  object->addIncoming(made, slow);
  object->addIncoming(cursor, fast);
  return object;
}

// A fault or the timer may end guest code between any two instructions, and the store lives on: an object must be whole
// before the code that makes it visible. The fence is no instruction; it keeps the optimiser from moving stores over it.
void FunctionLowering::push_whole(Value* object) {
  ir.CreateFence(llvm::AtomicOrdering::Release, llvm::SyncScope::SingleThread);
  push(object);
}

void FunctionLowering::on_StructNewDefault(const wasm::OpContext& op, const wasm::TypeImm& imm) {
  locate(op);
  push_whole(new_struct(imm.type));
}

void FunctionLowering::on_StructNew(const wasm::OpContext& op, const wasm::TypeImm& imm) {
  locate(op);
  Value* object = new_struct(imm.type);
  std::span<const wasm::FieldType> fields = fields_of(group_.wasm, imm.type);
  const std::size_t first = stack_.size() - fields.size();
  abi::GcStructLayout layout;
  for (std::uint32_t i = 0; i < fields.size(); ++i) {
    const abi::GcStorage storage = storage_of(group_.wasm, fields[i]);
    const std::uint32_t offset = layout.add(storage);
    if (is_zero(stack_[first + i])) continue; // it is zero as it comes
    store_storage(stack_[first + i], object_field(object, offset), storage, field_tag(tags, group_.wasm, imm.type, i));
  }
  stack_.truncate(first);
  push_whole(object);
}

void FunctionLowering::on_StructGet(const wasm::OpContext& op, const wasm::FieldImm& imm) {
  locate(op);
  Value* object = pop();
  trap_if_null(object, imm.nullable);
  const FieldPlace place = place_of(group_.wasm, imm.type, imm.field);
  push(load_storage(object_field(object, place.offset), place.storage, op.op == wasm::Op::StructGetS,
                    field_tag(tags, group_.wasm, imm.type, imm.field)));
}

void FunctionLowering::on_StructSet(const wasm::OpContext& op, const wasm::FieldImm& imm) {
  locate(op);
  Value* value = pop();
  Value* object = pop();
  trap_if_null(object, imm.nullable);
  const FieldPlace place = place_of(group_.wasm, imm.type, imm.field);
  store_storage(value, object_field(object, place.offset), place.storage,
                field_tag(tags, group_.wasm, imm.type, imm.field));
}

// ---- arrays ----

// REQUIRES: not null
llvm::Value* FunctionLowering::array_length(Value* array) {
  return group_.load_invariant(ir, types.i32, object_field(array, offsetof(abi::GcHeader, length)));
}

llvm::Value* FunctionLowering::new_array(wasm::TypeIndex type, Value* length) {
  const std::uint32_t size = abi::storage_size(storage_of_element(group_.wasm, type));
  return call_builtin(abi::Builtin::gc_array_new, {type_id(type), length, ir.getInt32(size)});
}

llvm::Value* FunctionLowering::element_address(Value* array, Value* index, abi::GcStorage storage) {
  const std::uint32_t size = abi::storage_size(storage);
  Value* offset = ir.CreateNUWMul(to_i64(index), ir.getInt64(size));
  return ir.CreatePtrAdd(object_field(array, abi::array_data_offset(size)), offset, "",
                         llvm::GEPNoWrapFlags::noUnsignedWrap());
}

// Traps unless from + count <= length.
void FunctionLowering::check_range(Value* array, Value* from, Value* count) {
  Value* end = ir.CreateNUWAdd(to_i64(from), to_i64(count));
  trap_if(ir.CreateICmpUGT(end, to_i64(array_length(array))), abi::Trap::ArrayOutOfBounds);
}

// A loop, which LLVM may make a block operation or vectors of.
void FunctionLowering::fill_elements(Value* array, Value* from, Value* count, Value* value, abi::GcStorage storage) {
  llvm::BasicBlock* before = ir.GetInsertBlock();
  llvm::BasicBlock* body = new_block();
  llvm::BasicBlock* next = new_block();
  Value* start = element_address(array, from, storage);
  ir.CreateCondBr(ir.CreateIsNull(count), next, body);
  place(body);
  llvm::PHINode* index = ir.CreatePHI(types.i32, 2);
  index->addIncoming(ir.getInt32(0), before);
  Value* offset = ir.CreateNUWMul(to_i64(index), ir.getInt64(abi::storage_size(storage)));
  store_storage(value, ir.CreatePtrAdd(start, offset), storage, tags.elements(storage));
  Value* after = ir.CreateNUWAdd(index, ir.getInt32(1));
  index->addIncoming(after, ir.GetInsertBlock());
  ir.CreateCondBr(ir.CreateICmpULT(after, count), body, next);
  place(next);
}

void FunctionLowering::on_ArrayNew(const wasm::OpContext& op, const wasm::TypeImm& imm) {
  locate(op);
  Value* length = pop();
  Value* value = pop();
  Value* array = new_array(imm.type, length);
  if (!is_zero(value)) fill_elements(array, ir.getInt32(0), length, value, storage_of_element(group_.wasm, imm.type));
  push_whole(array);
}

void FunctionLowering::on_ArrayNewDefault(const wasm::OpContext& op, const wasm::TypeImm& imm) {
  locate(op);
  push(new_array(imm.type, pop()));
}

void FunctionLowering::on_ArrayNewFixed(const wasm::OpContext& op, const wasm::ArrayFixedImm& imm) {
  locate(op);
  const abi::GcStorage storage = storage_of_element(group_.wasm, imm.type);
  Value* array = new_array(imm.type, ir.getInt32(imm.count));
  const std::size_t first = stack_.size() - imm.count;
  for (std::uint32_t i = 0; i < imm.count; ++i)
    if (!is_zero(stack_[first + i]))
      store_storage(stack_[first + i], element_address(array, ir.getInt32(i), storage), storage,
                    tags.elements(storage));
  stack_.truncate(first);
  push_whole(array);
}

void FunctionLowering::on_ArrayNewData(const wasm::OpContext& op, const wasm::ArrayDataImm& imm) {
  locate(op);
  const std::uint32_t size = abi::storage_size(storage_of_element(group_.wasm, imm.type));
  Value* count = pop();
  Value* from = pop();
  push(call_builtin(abi::Builtin::gc_array_new_data,
                    {type_id(imm.type), ir.getInt32(imm.data.value), from, count, ir.getInt32(size)}));
}

void FunctionLowering::on_ArrayNewElem(const wasm::OpContext& op, const wasm::ArrayElemImm& imm) {
  locate(op);
  const std::uint32_t size = abi::storage_size(storage_of_element(group_.wasm, imm.type));
  Value* count = pop();
  Value* from = pop();
  push(call_builtin(abi::Builtin::gc_array_new_elem,
                    {type_id(imm.type), ir.getInt32(imm.elem.value), from, count, ir.getInt32(size)}));
}

void FunctionLowering::on_ArrayGet(const wasm::OpContext& op, const wasm::TypeImm& imm) {
  locate(op);
  Value* index = pop();
  Value* array = pop();
  trap_if_null(array, imm.nullable);
  trap_if(ir.CreateICmpUGE(index, array_length(array)), abi::Trap::ArrayOutOfBounds);
  const abi::GcStorage storage = storage_of_element(group_.wasm, imm.type);
  push(load_storage(element_address(array, index, storage), storage, op.op == wasm::Op::ArrayGetS,
                    tags.elements(storage)));
}

void FunctionLowering::on_ArraySet(const wasm::OpContext& op, const wasm::TypeImm& imm) {
  locate(op);
  Value* value = pop();
  Value* index = pop();
  Value* array = pop();
  trap_if_null(array, imm.nullable);
  trap_if(ir.CreateICmpUGE(index, array_length(array)), abi::Trap::ArrayOutOfBounds);
  const abi::GcStorage storage = storage_of_element(group_.wasm, imm.type);
  store_storage(value, element_address(array, index, storage), storage, tags.elements(storage));
}

void FunctionLowering::on_ArrayLen(const wasm::OpContext& op, const wasm::OperandImm& imm) {
  locate(op);
  Value* array = pop();
  trap_if_null(array, imm.type.is_nullable());
  push(array_length(array));
}

void FunctionLowering::on_ArrayFill(const wasm::OpContext& op, const wasm::TypeImm& imm) {
  locate(op);
  Value* count = pop();
  Value* value = pop();
  Value* from = pop();
  Value* array = pop();
  trap_if_null(array, imm.nullable);
  check_range(array, from, count);
  fill_elements(array, from, count, value, storage_of_element(group_.wasm, imm.type));
}

void FunctionLowering::on_ArrayCopy(const wasm::OpContext& op, const wasm::ArrayCopyImm& imm) {
  locate(op);
  Value* count = pop();
  Value* s = pop();
  Value* from = pop();
  Value* d = pop();
  Value* to = pop();
  const std::uint32_t size = abi::storage_size(storage_of_element(group_.wasm, imm.to));
  call_builtin(abi::Builtin::gc_array_copy, {to, d, from, s, count, ir.getInt32(size)});
}

void FunctionLowering::on_ArrayInitData(const wasm::OpContext& op, const wasm::ArrayDataImm& imm) {
  locate(op);
  Value* count = pop();
  Value* s = pop();
  Value* d = pop();
  Value* to = pop();
  const std::uint32_t size = abi::storage_size(storage_of_element(group_.wasm, imm.type));
  call_builtin(abi::Builtin::gc_array_init_data, {to, ir.getInt32(imm.data.value), d, s, count, ir.getInt32(size)});
}

void FunctionLowering::on_ArrayInitElem(const wasm::OpContext& op, const wasm::ArrayElemImm& imm) {
  locate(op);
  Value* count = pop();
  Value* s = pop();
  Value* d = pop();
  Value* to = pop();
  const std::uint32_t size = abi::storage_size(storage_of_element(group_.wasm, imm.type));
  call_builtin(abi::Builtin::gc_array_init_elem, {to, ir.getInt32(imm.elem.value), d, s, count, ir.getInt32(size)});
}

} // namespace cusp::compile

// Lowers one body: the visitor that wasm::read_body calls with each validated operator. A value stack of LLVM values, a
// control stack of blocks with their phis, and an IRBuilder; locals are allocas until the body is complete and are then
// promoted. Within a block a local's value is known without a load; at level 0 that must do, and nothing is promoted.
//
// Operators without immediates (arithmetic and most of SIMD) are lowered by one specialisation of lower_op<> each,
// found through a table generated from operators.def: one that is missing fails to link. Families with immediates have
// an on_<lowering> of their own, families that the compiler does not know yet answer Unsupported. Nothing is decided by
// a default case.
//
// One object serves all functions of a group, so that its vectors keep their memory. Never: looks at bytes, trusts an
// unreachable operator.
#pragma once

#include <llvm/IR/ValueHandle.h>

#include "compile/lower/group.h"
#include "wasm/function_validator.h"

namespace llvm {
class DominatorTree;
}

namespace cusp::compile {

class FunctionLowering {
public:
  static constexpr bool kWantsUnreachable = false;

  explicit FunctionLowering(Group& group);
  // Error: what the validator or the lowering found; the group's module is then of no use.
  base::Result<void> lower(wasm::DefinedFuncIndex func);
  wasm::Features features_used() const { return validator_.features_used(); }

  void on_start(const wasm::FunctionValidator& validator);
  void before(const wasm::OpContext& op) {
    if (group_.settings.fuel) count(op);
  }
  bool failed() const { return failed_; }
  base::Error take_error() { return std::move(error_); }

#define PLAIN(lowering)                                                                                                \
  void on_##lowering(const wasm::OpContext& op, const wasm::NoImm&) { lower_plain(op); }
  PLAIN(Test)
  PLAIN(Compare)
  PLAIN(Unary)
  PLAIN(Binary)
  PLAIN(Convert)
  PLAIN(Wide)
  PLAIN(SimdUnary)
  PLAIN(SimdBinary)
  PLAIN(SimdTernary)
  PLAIN(SimdCompare)
  PLAIN(SimdTest)
  PLAIN(SimdShift)
  PLAIN(SimdSplat)
#undef PLAIN

#define FAMILY(lowering, Imm) void on_##lowering(const wasm::OpContext& op, const wasm::Imm& imm);
  // control.cpp
  FAMILY(Unreachable, NoImm)
  FAMILY(Nop, NoImm)
  FAMILY(Block, BlockImm)
  FAMILY(Loop, BlockImm)
  FAMILY(If, BlockImm)
  FAMILY(Else, FrameImm)
  FAMILY(End, FrameImm)
  FAMILY(Br, LabelImm)
  FAMILY(BrIf, LabelImm)
  FAMILY(BrTable, BrTableImm)
  FAMILY(BrOnNull, RefLabelImm)
  FAMILY(BrOnNonNull, RefLabelImm)
  FAMILY(Return, NoImm)
  // adapter.cpp; the trap in control.cpp
  FAMILY(Adapter, InstanceImm)
  FAMILY(Adapter, HandleImm)
  FAMILY(AdapterUtf8Copy, MemoryCopyImm)
  FAMILY(AdapterTrap, TrapImm)
  // call.cpp
  FAMILY(Call, FuncImm)
  FAMILY(CallIndirect, CallIndirectImm)
  FAMILY(CallRef, TypeImm)
  FAMILY(ReturnCall, FuncImm)
  FAMILY(ReturnCallIndirect, CallIndirectImm)
  FAMILY(ReturnCallRef, TypeImm)
  // exception.cpp
  FAMILY(Throw, TagImm)
  FAMILY(ThrowRef, NoImm)
  FAMILY(TryTable, TryTableImm)
  FAMILY(Try, BlockImm)
  FAMILY(Catch, CatchImm)
  FAMILY(CatchAll, FrameImm)
  FAMILY(Rethrow, LabelImm)
  FAMILY(Delegate, DelegateImm)
  // variable.cpp
  FAMILY(Drop, OperandImm)
  FAMILY(Select, OperandImm)
  FAMILY(LocalGet, LocalImm)
  FAMILY(LocalSet, LocalImm)
  FAMILY(LocalTee, LocalImm)
  FAMILY(GlobalGet, GlobalImm)
  FAMILY(GlobalSet, GlobalImm)
  FAMILY(Const, I32Imm)
  FAMILY(Const, I64Imm)
  FAMILY(Const, F32Imm)
  FAMILY(Const, F64Imm)
  FAMILY(SimdConst, V128Imm)
  // table.cpp
  FAMILY(TableGet, TableImm)
  FAMILY(TableSet, TableImm)
  FAMILY(TableInit, TableInitImm)
  FAMILY(TableCopy, TableCopyImm)
  FAMILY(TableGrow, TableImm)
  FAMILY(TableSize, TableImm)
  FAMILY(TableFill, TableImm)
  FAMILY(ElemDrop, ElemImm)
  FAMILY(RefNull, HeapTypeImm)
  FAMILY(RefIsNull, OperandImm)
  FAMILY(RefAsNonNull, OperandImm)
  FAMILY(RefFunc, FuncImm)
  // gc.cpp
  FAMILY(StructNew, TypeImm)
  FAMILY(StructNewDefault, TypeImm)
  FAMILY(StructGet, FieldImm)
  FAMILY(StructSet, FieldImm)
  FAMILY(ArrayNew, TypeImm)
  FAMILY(ArrayNewDefault, TypeImm)
  FAMILY(ArrayNewFixed, ArrayFixedImm)
  FAMILY(ArrayNewData, ArrayDataImm)
  FAMILY(ArrayNewElem, ArrayElemImm)
  FAMILY(ArrayGet, TypeImm)
  FAMILY(ArraySet, TypeImm)
  FAMILY(ArrayLen, OperandImm)
  FAMILY(ArrayFill, TypeImm)
  FAMILY(ArrayCopy, ArrayCopyImm)
  FAMILY(ArrayInitData, ArrayDataImm)
  FAMILY(ArrayInitElem, ArrayElemImm)
  // cast.cpp
  FAMILY(RefEq, NoImm)
  FAMILY(RefTest, CastImm)
  FAMILY(RefCast, CastImm)
  FAMILY(BrOnCast, BrOnCastImm)
  FAMILY(BrOnCastFail, BrOnCastImm)
  FAMILY(AnyConvertExtern, NoImm)
  FAMILY(ExternConvertAny, NoImm)
  FAMILY(RefI31, NoImm)
  FAMILY(I31Get, OperandImm)
  // memory.cpp
  FAMILY(Load, MemArg)
  FAMILY(Store, MemArg)
  FAMILY(MemorySize, MemoryImm)
  FAMILY(MemoryGrow, MemoryImm)
  // bulk_memory.cpp
  FAMILY(MemoryInit, MemoryInitImm)
  FAMILY(MemoryCopy, MemoryCopyImm)
  FAMILY(MemoryFill, MemoryImm)
  FAMILY(DataDrop, DataImm)
  // atomics.cpp
  FAMILY(AtomicLoad, MemArg)
  FAMILY(AtomicStore, MemArg)
  FAMILY(AtomicRmw, MemArg)
  FAMILY(AtomicCmpxchg, MemArg)
  FAMILY(AtomicFence, FenceImm)
  FAMILY(AtomicWait, MemArg)
  FAMILY(AtomicNotify, MemArg)
  // simd_lanes.cpp
  FAMILY(SimdLoad, MemArg)
  FAMILY(SimdLoadLane, MemLaneArg)
  FAMILY(SimdStoreLane, MemLaneArg)
  FAMILY(SimdShuffle, ShuffleImm)
  FAMILY(SimdExtractLane, LaneArg)
  FAMILY(SimdReplaceLane, LaneArg)
#undef FAMILY

private:
  using Value = llvm::Value;
  using Vector = llvm::FixedVectorType;

  struct Control {
    llvm::BasicBlock* target = nullptr;    // of branches: a loop's header, the end of anything else
    llvm::BasicBlock* otherwise = nullptr; // of an `if` before its `else`; of a `catch`: where its tag is not the one
    std::uint32_t height = 0;              // of the value stack below the parameters
    std::uint32_t first_phi = 0, phi_count = 0;
    std::uint32_t first_param = 0;  // in saved_params_, of an `if`
    std::uint32_t handler = 0;      // what takes exceptions thrown here: 1 + index in handlers_, 0: the caller
    std::uint32_t first_clause = 0; // in clauses_, of a `try_table`
    Value* exception = nullptr;     // that a `catch` or `catch_all` holds
  };
  // Of a try whose body is being lowered.
  struct Handler {
    llvm::BasicBlock* pad = nullptr; // the landing pad, once a call needs it
    llvm::BasicBlock* search;        // tries the clauses
    llvm::PHINode* exception;        // in `search`
  };
  struct Memory {
    Value* base = nullptr;   // null: not used in this function yet
    Value* record = nullptr; // where the current size is
    llvm::MDNode* tag = nullptr;
    bool is_explicit = false, is_shared = false;
  };
  struct Local {
    llvm::AllocaInst* place;
    Value* value = nullptr; // what it holds, as far as `block` has been written
    llvm::BasicBlock* block = nullptr;
  };
  // A check of index + extent against a memory's size, for drop_implied_checks().
  struct BoundsCheck {
    llvm::BranchInst* branch; // first successor: the trap
    llvm::WeakTrackingVH index;
    wasm::MemoryIndex memory;
    std::uint64_t extent;
  };
  struct Callee {
    Value* code;
    Value* vmctx;
  };
  struct Handles;

  template <wasm::Op op> void lower_op();
  void lower_plain(const wasm::OpContext& op);
  [[gnu::cold]] void unsupported(const wasm::OpContext& op);

  // The value stack.
  Value* pop() { return stack_.pop_back_val(); }
  Value* pop(llvm::Type* type);
  void push(Value* value) { stack_.push_back(value); }
  Value* cast(Value* value, llvm::Type* type);
  // An i1 from an i32 that the guest means as a truth value.
  Value* condition(Value* value);

  // Blocks.
  llvm::BasicBlock* new_block();
  void place(llvm::BasicBlock* block);
  Control& label(std::uint32_t depth) { return controls_[controls_.size() - 1 - depth]; }
  void begin_control(llvm::BasicBlock* target, std::size_t param_count, std::span<const wasm::ValType> label_types);
  void pass_operands(const Control& control);
  void branch(const Control& control);
  void join(const Control& control);
  // For !prof of a conditional branch: what a hint says about the operator, or null.
  llvm::MDNode* hint(const wasm::OpContext& op) const;
  void end_function(bool reachable);
  void make_locals(const wasm::FunctionValidator& validator);
  Value* set_local(Local& local, Value* value);
  void drop_implied_checks(const llvm::DominatorTree& dominators);

  // Traps. The debug location must have been set by locate().
  void locate(const wasm::OpContext& op);
  void trap_if(Value* condition, abi::Trap trap);
  void trap(abi::Trap trap); // ends the block

  // Fuel.
  void count(const wasm::OpContext& op);
  void take_fuel();
  void check_fuel();
  Value* fuel_place();

  // Memory.
  Memory& memory(wasm::MemoryIndex index);
  Value* address(const wasm::OpContext& op, const wasm::MemArg& arg, Value* index);
  Value* memory_size(wasm::MemoryIndex index);
  void check_bounds(wasm::MemoryIndex memory, std::uint64_t extent, Value* index);
  Value* checked_range(wasm::MemoryIndex index, Value* start, Value* length);
  template <class Short, class Long> void by_length(Value* length, Short inlined, Long long_way);
  Value* atomic_address(const wasm::OpContext& op, const wasm::MemArg& arg, Value* index);
  Value* narrowed(Value* value, const wasm::MemArg& arg);
  llvm::Type* result_type(const wasm::OpContext& op) const;
  Value* load(llvm::Type* type, Value* pointer, const wasm::MemArg& arg);
  void store(Value* value, Value* pointer, const wasm::MemArg& arg);
  // A memory's or table's number as its address type, in 64 bits and back.
  Value* to_i64(Value* value) { return ir.CreateZExt(value, types.i64); }
  Value* from_i64(Value* value, bool is_64) { return is_64 ? value : ir.CreateTrunc(value, types.i32); }

  Value* instance_record(std::uint32_t instance); // abi::InstanceRecord

  // Tables and calls.
  llvm::IRBuilder<> at_entry();
  Value* table_record(wasm::TableIndex index);
  Value* table_element(wasm::TableIndex index, Value* position); // traps when out of bounds
  Value* global_address(wasm::GlobalIndex index, llvm::MDNode*& tag);
  Value* function_reference(wasm::FuncIndex func);
  llvm::CallInst* call_builtin(abi::Builtin builtin, llvm::ArrayRef<Value*> arguments);
  Callee checked_callee(const wasm::CallIndirectImm& imm, Value* position);
  Callee callee_of(Value* reference);
  Callee callee_of(wasm::FuncIndex func);
  void call(const Signature& signature, Callee callee, bool is_tail);
  llvm::Type* table_type(wasm::TableIndex index); // of an element: an i32 lies in the low half of its place
  Value* table_value(Value* reference);           // as built-ins take it

  // Objects (gc.cpp) and what type they are of (cast.cpp).
  void trap_if_null(Value* reference, bool nullable);
  Value* gc_heap();
  Value* object_field(Value* reference, std::uint64_t offset);
  Value* object_type(Value* reference);
  Value* new_struct(wasm::TypeIndex type);
  void push_whole(Value* object);
  Value* type_id(wasm::TypeIndex type);
  Value* new_array(wasm::TypeIndex type, Value* length);
  Value* array_length(Value* array);
  void check_range(Value* array, Value* from, Value* count);
  Value* element_address(Value* array, Value* index, abi::GcStorage storage);
  void fill_elements(Value* array, Value* from, Value* count, Value* value, abi::GcStorage storage);
  Value* load_storage(Value* address, abi::GcStorage storage, bool is_signed, llvm::MDNode* tag);
  void store_storage(Value* value, Value* address, abi::GcStorage storage, llvm::MDNode* tag);
  Value* has_subtype(Value* id, wasm::TypeIndex super);
  Value* is_instance(Value* reference, wasm::ValType from, wasm::ValType to);
  Value* object_is(Value* header, wasm::HeapType type);
  // With the operands on the stack; goes on where it is false.
  void branch_if(Value* condition, std::uint32_t depth, llvm::MDNode* weights = nullptr);

  // Exceptions.
  llvm::BasicBlock* landing_pad(); // of calls here; null outside any try
  void begin_handler();
  Value* end_handler(); // goes on in the search for a clause; null: nothing throws here
  void raise(Value* exception, std::uint32_t handler);
  Value* tag_record(wasm::TagIndex index);
  llvm::BasicBlock* match_tag(Value* exception, wasm::TagIndex tag);
  void push_payload(Value* exception, wasm::TagIndex tag);
  void search_clauses(llvm::ArrayRef<wasm::CatchClause> clauses, Value* exception);
  void next_catch(const wasm::OpContext& op, const wasm::FrameImm& imm);
  void end_try(const wasm::OpContext& op, wasm::FrameKind kind);

  // Shared by operators of several families.
  void divide(const wasm::OpContext& op, bool is_signed);
  void remainder(const wasm::OpContext& op, bool is_signed);
  Value* float_min(Value* a, Value* b);
  Value* float_max(Value* a, Value* b);
  Value* nan_or(Value* a, Value* b, Value* result_bits);
  Value* bits(Value* value);
  void truncate(const wasm::OpContext& op, llvm::IntegerType* to, bool is_signed);
  void truncate_saturating(llvm::Type* to, bool is_signed);
  void wide_arithmetic(llvm::Instruction::BinaryOps operation);
  void wide_product(bool is_signed);
  void all_true(Vector* shape);
  void bitmask(Vector* shape);
  Value* lane_count(Vector* shape);
  Value* extended_half(Value* value, Vector* to, bool high, bool is_signed);
  void extend_half(Vector* from, Vector* to, bool high, bool is_signed);
  void multiply_halves(Vector* from, Vector* to, bool high, bool is_signed);
  Value* rounding_average(Value* a, Value* b);
  void add_pairs_unsigned(Vector* to);
  Value* low_pair(Value* lanes);
  Value* zero_upper(Value* pair);
  void splat(Vector* shape);
  void lane_select(Vector* shape);
  void multiply_add(Vector* shape, bool negate);
  Value* dot_i8(Value* a, Value* b);

  Group& group_;
  const IrTypes& types;
  AccessTags& tags;
  llvm::IRBuilder<> ir;
  wasm::FunctionValidator validator_;

  llvm::Function* function_ = nullptr;
  const Signature* signature_ = nullptr;
  llvm::DISubprogram* subprogram_ = nullptr;
  Value* vmctx_ = nullptr;
  llvm::BasicBlock* entry_ = nullptr;   // allocas and invariant loads; ends with a branch to the body
  const wasm::OpContext* op_ = nullptr; // of a plain operator while it is lowered
  llvm::SmallVector<Value*, 64> stack_;
  llvm::SmallVector<Control, 32> controls_;
  llvm::SmallVector<llvm::PHINode*, 32> phis_;
  llvm::SmallVector<Value*, 8> saved_params_;
  llvm::SmallVector<Handler, 4> handlers_;
  llvm::SmallVector<wasm::CatchClause, 8> clauses_;
  llvm::SmallVector<Local, 32> locals_;
  llvm::SmallVector<Memory, 2> memories_;
  Value* gc_heap_ = nullptr;    // null: not used in this function yet
  std::uint32_t uncounted_ = 0; // fuel that the code since the last take_fuel() costs
  std::vector<BoundsCheck> checks_;
  std::span<const wasm::BranchHint> hints_; // of this function
  std::uint64_t body_offset_ = 0;           // of its first byte, in the file
  bool has_dead_blocks_ = false;
  bool failed_ = false;
  base::Error error_;
};

#define OP(encoding, Name, text, Imm, signature, feature, lowering)                                                    \
  template <> void FunctionLowering::lower_op<wasm::Op::Name>();
#include "wasm/operators.def"

// How the family files are written: LOWER(I32Clz) { ... }, or one expression of the operands a and b.
#define LOWER(Name) template <> void FunctionLowering::lower_op<wasm::Op::Name>()
#define UNARY(Name, expression)                                                                                        \
  LOWER(Name) {                                                                                                        \
    Value* a = pop();                                                                                                  \
    push(expression);                                                                                                  \
  }
#define BINARY(Name, expression)                                                                                       \
  LOWER(Name) {                                                                                                        \
    Value* b = pop();                                                                                                  \
    Value* a = pop();                                                                                                  \
    push(expression);                                                                                                  \
  }
#define COMPARE(Name, expression) BINARY(Name, ir.CreateZExt(expression, types.i32))
#define VECTOR_UNARY(Name, shape, expression)                                                                          \
  LOWER(Name) {                                                                                                        \
    Value* a = pop(types.shape);                                                                                       \
    push(expression);                                                                                                  \
  }
#define VECTOR_BINARY(Name, shape, expression)                                                                         \
  LOWER(Name) {                                                                                                        \
    Value* b = pop(types.shape);                                                                                       \
    Value* a = pop(types.shape);                                                                                       \
    push(expression);                                                                                                  \
  }

} // namespace cusp::compile

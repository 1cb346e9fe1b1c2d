// Reads one body operator by operator, validates it, and hands each operator to a visitor in the same pass. This is the
// seam between this room and compile/: lowering is a visitor. The decoding and validating is compiled once, in this
// room; read_body, the template, is one switch that calls visitor.on_<lowering>(const OpContext&, const <immediate>&),
// so that a visitor that lacks one does not compile. Owned by whoever reads a body; a Module may be read by any number
// of validators at once. No allocation per operator. Spec: appendix "Validation Algorithm".
//
// A visitor has
//   static constexpr bool kWantsUnreachable;   false: of code that cannot be reached it gets only the `else`, `catch*`,
//   `delegate` and
//                                              `end` of frames that it saw begin, i.e. whose start was reachable
//   void on_start(const FunctionValidator&);   the local declarations have been read
//   void before(const OpContext&);             if it likes: ahead of every on_<lowering>
//   void on_<lowering>(const OpContext&, const <immediate>&) for every row of operators.def
//   bool failed() const; base::Error take_error();   asked after every operator
// An on_* member is called after the operator was validated: operand types before it are in the immediates where they
// matter; frames that it pops are in FrameImm. Label `depth` of a branch is valid for frame_at(depth). The outermost
// frame is the function itself: a branch to it returns, and its `end` is the last operator. In reachable code
// operand_count() is the height of a visitor's own value stack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "wasm/cursor.h"
#include "wasm/immediates.h"
#include "wasm/module.h"
#include "wasm/type_reader.h"

namespace cusp::wasm {

class FunctionValidator;

struct OpContext {
  Op op;
  bool reachable;       // before the operator
  std::uint64_t offset; // of the operator in the file
  const FunctionValidator& validator;
};

class FunctionValidator {
public:
  explicit FunctionValidator(const Module& module);
  FunctionValidator(const FunctionValidator&) = delete;
  FunctionValidator& operator=(const FunctionValidator&) = delete;
  ~FunctionValidator();

  // Starts (again) at a body: reads its local declarations. A validator may read any number of bodies, one after the
  // other.
  [[nodiscard]] bool begin(DefinedFuncIndex func);
  // Reads and validates one operator. False: error. REQUIRES: !done().
  [[nodiscard]] bool step();
  // After the function's `end`, which must be the last byte.
  bool done() const { return control_.empty(); }
  base::Error take_error() { return cursor_.take_error(); }

  // The operator that step() just read.
  Op op() const { return op_; }
  std::uint64_t op_offset() const { return op_offset_; }
  bool op_reachable() const { return op_reachable_; }
  // Its visitor may be spared it (kWantsUnreachable).
  bool op_matters() const { return op_matters_; }
  // Its immediates. REQUIRES: Imm is the struct of its row.
  template <class Imm> const Imm& immediate() const {
    return *std::launder(reinterpret_cast<const Imm*>(immediate_.data()));
  }

  const Module& module() const { return module_; }
  DefinedFuncIndex function() const { return func_; }
  const FuncType& function_type() const { return *type_; }
  std::span<const ValType> local_types() const { return locals_; } // parameters first
  std::uint32_t frame_count() const { return static_cast<std::uint32_t>(control_.size()); }
  // 0: the innermost. REQUIRES: depth < frame_count().
  const Frame& frame_at(std::uint32_t depth) const { return control_[control_.size() - 1 - depth]; }
  std::uint32_t operand_count() const { return static_cast<std::uint32_t>(operands_.size()); }
  // 0: the top. REQUIRES: depth < operand_count().
  ValType operand_at(std::uint32_t depth) const { return operands_[operands_.size() - 1 - depth]; }
  // Used by the bodies read so far.
  Features features_used() const { return features_used_; }

private:
  friend class ConstExprReader;
  friend struct StepTable;
  using Step = bool (FunctionValidator::*)();

  void start();
  // A constant expression where the cursor stands, with the results of `type`. For ConstExprReader.
  void begin_constant(const Cursor& cursor, const FuncType& type);
  bool read_locals();
  bool prefixed_step(std::uint8_t prefix);
  // A row of the operator table: decodes the immediates, then checks by signature or by check_<lowering>.
  template <class Imm, Signature kSignature> bool step_by_signature();
  template <class Imm, bool (FunctionValidator::*kCheck)(Imm&)> bool step_by_check();
  template <class Imm> Imm& emplace();

  // Decoding (immediates.cpp).
  bool decode(NoImm&) { return true; }
  bool decode(FrameImm&) { return true; }
  bool decode(OperandImm&) { return true; }
  bool decode(BlockImm&);
  bool decode(CatchImm&);
  bool decode(DelegateImm&);
  bool decode(LabelImm&);
  bool decode(RefLabelImm&);
  bool decode(BrTableImm&);
  bool decode(FuncImm&);
  bool decode(CallIndirectImm&);
  bool decode(TypeImm&);
  bool decode(SelectTypeImm&);
  bool decode(LocalImm&);
  bool decode(GlobalImm&);
  bool decode(TagImm&);
  bool decode(TryTableImm&);
  bool decode(TableImm&);
  bool decode(TableCopyImm&);
  bool decode(TableInitImm&);
  bool decode(ElemImm&);
  bool decode(HeapTypeImm&);
  bool decode(MemoryImm&);
  bool decode(MemoryCopyImm&);
  bool decode(MemoryInitImm&);
  bool decode(DataImm&);
  bool decode(FenceImm&);
  bool decode(I32Imm&);
  bool decode(I64Imm&);
  bool decode(F32Imm&);
  bool decode(F64Imm&);
  bool decode(V128Imm&);
  bool decode(ShuffleImm&);
  bool decode(FieldImm&);
  bool decode(ArrayFixedImm&);
  bool decode(ArrayDataImm&);
  bool decode(ArrayElemImm&);
  bool decode(ArrayCopyImm&);
  bool decode(CastImm&);
  bool decode(CastNullImm&);
  bool decode(BrOnCastImm&);
  bool decode(TrapImm&);
  bool decode(InstanceImm&);
  bool decode(HandleImm&);
  template <unsigned N> bool decode(MemN<N>& imm) { return decode_memarg(imm, N); }
  template <unsigned N> bool decode(MemNLane<N>& imm) { return decode_memarg(imm, N) && decode_lane(imm.lane, 16 / N); }
  template <unsigned N> bool decode(LaneN<N>& imm) { return decode_lane(imm.lane, N); }
  bool decode_memarg(MemArg& imm, std::uint32_t bytes);
  bool decode_lane(std::uint8_t& lane, std::uint32_t lanes);
  bool decode_index(std::uint32_t& index, std::size_t count, const char* what);
  TypeReader types() { return {cursor_, module_, features_used_}; }
  // The type of `m` in a signature. MemN and the like derive from MemArg.
  template <class Imm> ValType address_of([[maybe_unused]] const Imm& imm) const {
    if constexpr (std::is_base_of_v<MemArg, Imm> || std::is_same_v<MemoryImm, Imm>)
      return module_.memories[imm.memory.value].address_type();
    else return ValType::i32();
  }

  // Checking: one member for each lowering whose signature is poly. validate_<family>.cpp.
  bool check_Unreachable(NoImm&);
  bool check_Block(BlockImm&);
  bool check_Loop(BlockImm&);
  bool check_If(BlockImm&);
  bool check_Else(FrameImm&);
  bool check_End(FrameImm&);
  bool check_Br(LabelImm&);
  bool check_BrIf(LabelImm&);
  bool check_BrTable(BrTableImm&);
  bool check_Return(NoImm&);
  bool check_Call(FuncImm&);
  bool check_CallIndirect(CallIndirectImm&);
  bool check_CallRef(TypeImm&);
  bool check_ReturnCall(FuncImm&);
  bool check_ReturnCallIndirect(CallIndirectImm&);
  bool check_ReturnCallRef(TypeImm&);
  bool check_BrOnNull(RefLabelImm&);
  bool check_BrOnNonNull(RefLabelImm&);
  bool check_Drop(OperandImm&);
  bool check_Select(OperandImm&);
  bool check_Select(SelectTypeImm&);
  bool check_LocalGet(LocalImm&);
  bool check_LocalSet(LocalImm&);
  bool check_LocalTee(LocalImm&);
  bool check_GlobalGet(GlobalImm&);
  bool check_GlobalSet(GlobalImm&);
  bool check_Throw(TagImm&);
  bool check_ThrowRef(NoImm&);
  bool check_TryTable(TryTableImm&);
  bool check_Try(BlockImm&);
  bool check_Catch(CatchImm&);
  bool check_CatchAll(FrameImm&);
  bool check_Rethrow(LabelImm&);
  bool check_Delegate(DelegateImm&);
  bool check_TableGet(TableImm&);
  bool check_TableSet(TableImm&);
  bool check_TableInit(TableInitImm&);
  bool check_ElemDrop(ElemImm&);
  bool check_TableCopy(TableCopyImm&);
  bool check_TableGrow(TableImm&);
  bool check_TableSize(TableImm&);
  bool check_TableFill(TableImm&);
  bool check_RefNull(HeapTypeImm&);
  bool check_RefIsNull(OperandImm&);
  bool check_RefFunc(FuncImm&);
  bool check_RefEq(NoImm&);
  bool check_RefAsNonNull(OperandImm&);
  bool check_MemoryInit(MemoryInitImm&);
  bool check_DataDrop(DataImm&);
  bool check_MemoryCopy(MemoryCopyImm&);
  bool check_StructNew(TypeImm&);
  bool check_StructNewDefault(TypeImm&);
  bool check_StructGet(FieldImm&);
  bool check_StructSet(FieldImm&);
  bool check_ArrayNew(TypeImm&);
  bool check_ArrayNewDefault(TypeImm&);
  bool check_ArrayNewFixed(ArrayFixedImm&);
  bool check_ArrayNewData(ArrayDataImm&);
  bool check_ArrayNewElem(ArrayElemImm&);
  bool check_ArrayGet(TypeImm&);
  bool check_ArraySet(TypeImm&);
  bool check_ArrayLen(OperandImm&);
  bool check_ArrayFill(TypeImm&);
  bool check_ArrayCopy(ArrayCopyImm&);
  bool check_ArrayInitData(ArrayDataImm&);
  bool check_ArrayInitElem(ArrayElemImm&);
  bool check_RefTest(CastImm&);
  bool check_RefTest(CastNullImm&);
  bool check_RefCast(CastImm&);
  bool check_RefCast(CastNullImm&);
  bool check_BrOnCast(BrOnCastImm&);
  bool check_BrOnCastFail(BrOnCastImm&);
  bool check_AnyConvertExtern(NoImm&);
  bool check_ExternConvertAny(NoImm&);
  bool check_RefI31(NoImm&);
  bool check_I31Get(OperandImm&);
  bool check_AdapterTrap(TrapImm&);
  // Errors: the type is of another kind, the element immutable, not a number or not a reference.
  const StructType* struct_type(TypeIndex type);
  const ArrayType* array_type(TypeIndex type);
  const ArrayType* mutable_array(TypeIndex type);
  bool pop_object(TypeIndex type, bool& nullable);
  bool check_data_elements(const ArrayType& array);
  bool check_elem_elements(const ArrayType& array, ElemIndex elem);
  bool check_br_on_cast(const BrOnCastImm& imm, ValType taken, ValType kept);

  // The two stacks. Spec: appendix A.1.
  void push(ValType type) { operands_.push_back(type); }
  void push(std::span<const ValType> types) { operands_.insert(operands_.end(), types.begin(), types.end()); }
  bool pop(ValType expected) {
    if (operands_.size() > control_.back().height && operands_.back() == expected) [[likely]] {
      operands_.pop_back();
      return true;
    }
    ValType actual;
    return pop_slow(expected, actual);
  }
  bool pop(std::span<const ValType> expected);
  bool pop_any(ValType& actual);                          // Bottom from an empty stack in unreachable code
  bool pop_ref(ValType& actual);                          // a reference or Bottom
  bool pop_ref_of(AbstractHeapType top, ValType& actual); // one of that hierarchy, nullable or not, or Bottom
  bool pop_slow(ValType expected, ValType& actual);
  bool check_top(std::span<const ValType> expected); // pops them and pushes them back, as br_if does
  void push_frame(FrameKind kind, const BlockType& type);
  bool pop_frame(FrameImm& imm); // checks the results; takes them off the stack
  bool next_arm(FrameImm& imm, FrameKind kind);
  bool next_catch(FrameImm& imm, FrameKind kind);
  void set_unreachable();
  bool check_depth(std::uint32_t depth);
  bool check_clause(const CatchClause& clause);
  bool check_call(const FuncType& type);
  bool check_tail_call(const FuncType& type);
  void mark_initialised(std::uint32_t local);

  bool need(Feature feature); // of a type or an immediate; an operator's own feature is the step table's matter
  [[gnu::cold, gnu::noinline]] bool invalid(std::string message);
  [[gnu::cold, gnu::noinline]] bool unsupported(Feature feature);
  [[gnu::cold, gnu::noinline]] bool unknown_operator(std::uint32_t encoding);
  [[gnu::cold, gnu::noinline]] bool type_mismatch(ValType expected, ValType actual);

  const Module& module_;
  Cursor cursor_;
  const FuncType* type_ = nullptr;
  DefinedFuncIndex func_;
  Op op_{};
  bool op_reachable_ = true, op_matters_ = true;
  bool constant_ = false; // reading a constant expression, not a body
  std::uint64_t op_offset_ = 0;
  alignas(16) std::array<std::byte, 128> immediate_;
  std::vector<ValType> locals_;
  std::vector<ValType> operands_;
  std::vector<Frame> control_;
  std::vector<bool> initialised_; // by local; empty when all are defaultable
  std::vector<std::uint32_t> init_order_;
  std::vector<std::uint32_t> labels_; // of the br_table at hand
  std::vector<CatchClause> catches_;  // of the try_table at hand
  Features features_used_ = Features::none();
};

template <class Visitor>
base::Result<void> read_body(FunctionValidator& validator, DefinedFuncIndex func, Visitor& visitor) {
  if (!validator.begin(func)) return std::unexpected(validator.take_error());
  visitor.on_start(validator);
  while (!validator.done()) {
    if (!validator.step()) return std::unexpected(validator.take_error());
    if (!Visitor::kWantsUnreachable && !validator.op_matters()) continue;
    const OpContext context{validator.op(), validator.op_reachable(), validator.op_offset(), validator};
    if constexpr (requires { visitor.before(context); }) visitor.before(context);
    switch (validator.op()) {
#define OP(encoding, Name, text, Imm, signature, feature, lowering)                                                    \
  case Op::Name: visitor.on_##lowering(context, validator.immediate<Imm>()); break;
#include "wasm/operators.def"
    }
    if (visitor.failed()) [[unlikely]]
      return std::unexpected(visitor.take_error());
  }
  return {};
}

template <class Visitor> base::Result<void> read_body(const Module& module, DefinedFuncIndex func, Visitor& visitor) {
  FunctionValidator validator(module);
  return read_body(validator, func, visitor);
}

} // namespace cusp::wasm

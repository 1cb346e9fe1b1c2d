// Fuel, where the code is compiled with it: every operator costs one unit but those that only give structure, as in Wasmtime. What a stretch
// without branches costs is taken at its end, in one piece; whether any is left is asked where a function begins and where a loop comes round, so that
// the count at a trap does not depend on what the optimiser did.
#include "compile/lower/function_lowering.h"

namespace cusp::compile {

namespace {

bool is_free(wasm::Op op) {
  switch (op) {
  case wasm::Op::Nop:
  case wasm::Op::Drop:
  case wasm::Op::Block:
  case wasm::Op::Loop:
  case wasm::Op::Unreachable:
  case wasm::Op::Return:
  case wasm::Op::Else:
  case wasm::Op::End: return true;
  default: return false;
  }
}

// Where control comes from elsewhere or may go elsewhere, and where others may look at the count.
constexpr bool ends_stretch(std::string_view lowering) {
  for (std::string_view family :
       {"Unreachable",   "Loop",    "If",           "Else",        "End",        "Br",
        "BrIf",          "BrTable", "BrOnNull",     "BrOnNonNull", "BrOnCast",   "BrOnCastFail",
        "Return",        "Call",    "CallIndirect", "CallRef",     "ReturnCall", "ReturnCallIndirect",
        "ReturnCallRef", "Throw",   "ThrowRef",     "TryTable",    "Try",        "Catch",
        "CatchAll",      "Rethrow", "Delegate"})
    if (lowering == family) return true;
  return false;
}

constexpr bool kEndsStretch[] = {
#define OP(encoding, Name, text, Imm, signature, feature, lowering) ends_stretch(#lowering),
#include "wasm/operators.def"
};

} // namespace

void FunctionLowering::count(const wasm::OpContext& op) {
  if (!is_free(op.op)) ++uncounted_;
  if (kEndsStretch[static_cast<unsigned>(op.op)]) take_fuel();
}

llvm::Value* FunctionLowering::fuel_place() {
  return group_.load_invariant(ir, types.ptr, group_.field(ir, vmctx_, offsetof(abi::VmContext, fuel)));
}

void FunctionLowering::take_fuel() {
  const std::uint32_t cost = std::exchange(uncounted_, 0);
  if (cost == 0 || ir.GetInsertBlock()->getTerminator()) return; // what follows a branch is never reached
  Value* place = fuel_place();
  llvm::LoadInst* left = ir.CreateAlignedLoad(types.i64, place, llvm::Align(8));
  left->setMetadata(llvm::LLVMContext::MD_tbaa, tags.fuel());
  Value* rest = ir.CreateSub(left, llvm::ConstantInt::get(types.i64, cost));
  ir.CreateAlignedStore(rest, place, llvm::Align(8))->setMetadata(llvm::LLVMContext::MD_tbaa, tags.fuel());
}

void FunctionLowering::check_fuel() {
  llvm::LoadInst* left = ir.CreateAlignedLoad(types.i64, fuel_place(), llvm::Align(8));
  left->setMetadata(llvm::LLVMContext::MD_tbaa, tags.fuel());
  trap_if(ir.CreateICmpSLT(left, llvm::ConstantInt::get(types.i64, 0)), abi::Trap::OutOfFuel);
}

} // namespace cusp::compile

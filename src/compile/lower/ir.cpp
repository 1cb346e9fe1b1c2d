#include "compile/lower/ir.h"

namespace cusp::compile {

IrTypes::IrTypes(llvm::LLVMContext& context)
    : void_(llvm::Type::getVoidTy(context)), i1(llvm::Type::getInt1Ty(context)), i8(llvm::Type::getInt8Ty(context)),
      i16(llvm::Type::getInt16Ty(context)), i32(llvm::Type::getInt32Ty(context)), i64(llvm::Type::getInt64Ty(context)),
      i128(llvm::Type::getInt128Ty(context)), f32(llvm::Type::getFloatTy(context)),
      f64(llvm::Type::getDoubleTy(context)), ptr(llvm::PointerType::getUnqual(context)),
      i8x16(llvm::FixedVectorType::get(i8, 16)), i16x8(llvm::FixedVectorType::get(i16, 8)),
      i32x4(llvm::FixedVectorType::get(i32, 4)), i64x2(llvm::FixedVectorType::get(i64, 2)),
      f32x4(llvm::FixedVectorType::get(f32, 4)), f64x2(llvm::FixedVectorType::get(f64, 2)), v128(i64x2) {}

AccessTags::AccessTags(llvm::LLVMContext& context) : builder_(context) {
  root_ = builder_.createAnonymousTBAARoot();
  global_ = leaf("global");
  imported_global_ = leaf("imported global");
  table_ = leaf("table");
  record_ = leaf("record");
  results_ = leaf("results");
  fuel_ = leaf("fuel");
  exception_ = leaf("exception");
  imported_memory_ = leaf("imported memory");
  header_ = leaf("header");
  gc_run_ = leaf("run");
  invariant_ = llvm::MDNode::get(context, {});
  unlikely_ = builder_.createUnlikelyBranchWeights();
  likely_ = builder_.createLikelyBranchWeights();
}

llvm::MDNode* AccessTags::leaf(llvm::StringRef name) {
  llvm::MDNode* type = builder_.createTBAAScalarTypeNode(name, root_);
  return builder_.createTBAAStructTagNode(type, type, 0);
}

llvm::MDNode* AccessTags::field(std::uint32_t owner, std::uint32_t index) {
  llvm::MDNode*& tag = fields_[{owner, index}];
  if (!tag) tag = leaf("field " + std::to_string(owner) + "." + std::to_string(index));
  return tag;
}

llvm::MDNode* AccessTags::elements(abi::GcStorage storage) {
  llvm::MDNode*& tag = elements_[static_cast<unsigned>(storage)];
  if (!tag) tag = leaf("elements " + std::to_string(static_cast<unsigned>(storage)));
  return tag;
}

llvm::MDNode* AccessTags::memory(std::uint32_t defined) {
  while (memories_.size() <= defined) memories_.push_back(leaf("memory " + std::to_string(memories_.size())));
  return memories_[defined];
}

} // namespace cusp::compile

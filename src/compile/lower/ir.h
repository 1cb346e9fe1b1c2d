// What every file of the lowering shares about LLVM: the few headers that are needed, the types of the target, and the
// tags that tell LLVM which memories cannot overlap. LLVM headers are dear to include, so that no other set of them is
// named in a header of this room.
//
// Alias facts (DESIGN, decision 5) travel as TBAA tags: leaves of one root never alias, and an access carries exactly
// one tag. A module's own memories are distinct from each other and from imported ones; two imports may be the same
// object, so that all imported memories share a tag, and so do imported globals and all table elements. An object has
// one type for as long as a reference to it lives, so that fields of unrelated structure types are distinct, and so are
// elements of arrays that are kept in different ways. All of this holds inside a module: each has a root of its own, and what
// is inlined from another may alias anything.
#pragma once

#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>

#include "abi/vm.h"

namespace cusp::compile {

struct IrTypes {
  explicit IrTypes(llvm::LLVMContext& context);

  llvm::Type* void_;
  llvm::IntegerType *i1, *i8, *i16, *i32, *i64, *i128;
  llvm::Type *f32, *f64;
  llvm::PointerType* ptr;
  llvm::FixedVectorType *i8x16, *i16x8, *i32x4, *i64x2, *f32x4, *f64x2;
  // The form in which a v128 crosses calls, merges and locals; operators cast to what they need.
  llvm::FixedVectorType* v128;
};

class AccessTags {
public:
  explicit AccessTags(llvm::LLVMContext& context);

  llvm::MDNode* global() const { return global_; }
  llvm::MDNode* imported_global() const { return imported_global_; }
  llvm::MDNode* table() const { return table_; }
  llvm::MDNode* record() const { return record_; }   // current sizes of memories and tables
  llvm::MDNode* results() const { return results_; } // the area for results beyond registers
  llvm::MDNode* fuel() const { return fuel_; }
  llvm::MDNode* exception() const { return exception_; } // tags and payloads of exceptions
  llvm::MDNode* imported_memory() const { return imported_memory_; }
  llvm::MDNode* memory(std::uint32_t defined);
  llvm::MDNode* header() const { return header_; } // of objects
  llvm::MDNode* gc_run() const { return gc_run_; } // abi::GcRun
  // A field of a structure type: `owner` is the outermost supertype that has it.
  llvm::MDNode* field(std::uint32_t owner, std::uint32_t index);
  llvm::MDNode* elements(abi::GcStorage storage);        // of arrays
  llvm::MDNode* invariant() const { return invariant_; } // for !invariant.load
  llvm::MDNode* unlikely() const { return unlikely_; }   // for !prof: the first successor is hardly ever taken
  llvm::MDNode* likely() const { return likely_; }       // for !prof: the second is hardly ever taken
  // For !range: from `low` to below `high`.
  llvm::MDNode* range(std::uint64_t low, std::uint64_t high) {
    return builder_.createRange(llvm::APInt(64, low), llvm::APInt(64, high));
  }

private:
  llvm::MDNode* leaf(llvm::StringRef name);

  llvm::MDBuilder builder_;
  llvm::MDNode* root_;
  llvm::MDNode *global_, *imported_global_, *table_, *record_, *results_, *fuel_, *exception_, *imported_memory_,
      *header_, *gc_run_, *invariant_, *unlikely_, *likely_;
  llvm::SmallVector<llvm::MDNode*, 4> memories_;
  llvm::DenseMap<std::pair<std::uint32_t, std::uint32_t>, llvm::MDNode*> fields_;
  llvm::MDNode* elements_[static_cast<unsigned>(abi::GcStorage::Exn) + 1] = {};
};

} // namespace cusp::compile

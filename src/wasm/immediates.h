// The immediate operands of operators, one struct for each name in the immediate column of operators.def, and what the
// validator adds to them: types that the bytes do not say but whoever lowers the operator needs. Spans point into the
// validator and live until the next operator. Indices have been checked.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "wasm/types.h"

namespace cusp::wasm {

// Nothing, one result, or a function type of the module. The spans point into this object or into the module.
class BlockType {
public:
  BlockType() = default;
  explicit BlockType(ValType result) : result_(result) {}
  explicit BlockType(const FuncType* type) : type_(type) {}
  std::span<const ValType> params() const {
    return type_ ? std::span<const ValType>(type_->params) : std::span<const ValType>();
  }
  std::span<const ValType> results() const {
    return type_ ? std::span<const ValType>(type_->results)
                 : std::span<const ValType>(&result_, result_.is_none() ? 0 : 1);
  }

private:
  ValType result_;
  const FuncType* type_ = nullptr;
};

// The four after Loop belong to exception handling; Catch and CatchAll are arms of a legacy Try.
enum class FrameKind : std::uint8_t { Function, Block, Loop, If, Else, TryTable, Try, Catch, CatchAll };

// One entry of the control stack. Spec: validation algorithm (appendix A.1).
struct Frame {
  FrameKind kind = FrameKind::Block;
  bool entered_reachable = true; // the code around its start was reachable
  bool unreachable = false;      // the code at this point, inside it, is not
  bool polymorphic = false;      // after an unconditional branch inside it: its operands are of any type
  std::uint32_t height = 0;      // operands below its parameters
  std::uint32_t init_height = 0; // initialised non-defaultable locals on entry
  BlockType type;
  // What a branch to it carries: a loop's parameters, anything else's results.
  std::span<const ValType> label_types() const { return kind == FrameKind::Loop ? type.params() : type.results(); }
};

struct NoImm {};
struct BlockImm {
  BlockType type;
};
// else, end, catch_all: the frame that ends here, as it was (end of `if` without else: kind If). `reachable`: so is its
// last position, its results are then on the operand stack above frame.height.
struct FrameImm {
  Frame frame;
  bool reachable = false;
};
struct CatchImm : FrameImm {
  TagIndex tag;
};
struct DelegateImm : FrameImm {
  std::uint32_t depth = 0;
};
struct LabelImm {
  std::uint32_t depth = 0;
};
// `type`: the reference operand before the operator.
struct RefLabelImm {
  std::uint32_t depth = 0;
  ValType type;
};
struct BrTableImm {
  std::span<const std::uint32_t> depths;
  std::uint32_t default_depth = 0;
};
struct FuncImm {
  FuncIndex func;
};
struct CallIndirectImm {
  TypeIndex type;
  TableIndex table;
};
// `nullable`: of the reference operand, where the operator has one: it may be null.
struct TypeImm {
  TypeIndex type;
  bool nullable = true;
};
// `type`: of the operand: drop's, select's (both), ref.is_null's, ref.as_non_null's, array.len's, i31.get's. Bottom only
// in unreachable code.
struct OperandImm {
  ValType type;
};
struct SelectTypeImm : OperandImm {};
struct LocalImm {
  LocalIndex local;
  ValType type;
};
struct GlobalImm {
  GlobalIndex global;
  ValType type;
};
struct TagImm {
  TagIndex tag;
};

enum class CatchKind : std::uint8_t { Catch, CatchRef, CatchAll, CatchAllRef };
struct CatchClause {
  CatchKind kind{};
  TagIndex tag;
  std::uint32_t depth = 0;
}; // depth as seen from outside the try_table
struct TryTableImm {
  BlockType type;
  std::span<const CatchClause> catches;
};

struct TableImm {
  TableIndex table;
};
struct TableCopyImm {
  TableIndex to, from;
};
struct TableInitImm {
  ElemIndex elem;
  TableIndex table;
};
struct ElemImm {
  ElemIndex elem;
};
struct HeapTypeImm {
  ValType type;
}; // nullable: the type of ref.null

struct MemArg {
  std::uint64_t offset = 0;
  MemoryIndex memory;
  std::uint8_t align_log2 = 0;
  std::uint8_t bytes = 0; // accessed
};
template <unsigned N> struct MemN : MemArg {
  static constexpr unsigned kBytes = N;
};
using Mem1 = MemN<1>;
using Mem2 = MemN<2>;
using Mem4 = MemN<4>;
using Mem8 = MemN<8>;
using Mem16 = MemN<16>;
struct MemLaneArg : MemArg {
  std::uint8_t lane = 0;
};
template <unsigned N> struct MemNLane : MemLaneArg {
  static constexpr unsigned kBytes = N;
};
using Mem1Lane = MemNLane<1>;
using Mem2Lane = MemNLane<2>;
using Mem4Lane = MemNLane<4>;
using Mem8Lane = MemNLane<8>;
struct MemoryImm {
  MemoryIndex memory;
};
struct MemoryCopyImm {
  MemoryIndex to, from;
};
struct MemoryInitImm {
  DataIndex data;
  MemoryIndex memory;
};
struct DataImm {
  DataIndex data;
};
struct FenceImm {};

struct I32Imm {
  std::uint32_t bits = 0;
};
struct I64Imm {
  std::uint64_t bits = 0;
};
struct F32Imm {
  std::uint32_t bits = 0;
};
struct F64Imm {
  std::uint64_t bits = 0;
};
struct V128Imm {
  std::array<std::uint8_t, 16> bytes{};
};
struct ShuffleImm {
  std::array<std::uint8_t, 16> lanes{};
};
struct LaneArg {
  std::uint8_t lane = 0;
};
template <unsigned N> struct LaneN : LaneArg {
  static constexpr unsigned kLanes = N;
};
using Lane2 = LaneN<2>;
using Lane4 = LaneN<4>;
using Lane8 = LaneN<8>;
using Lane16 = LaneN<16>;

struct FieldImm {
  TypeIndex type;
  std::uint32_t field = 0;
  bool nullable = true; // the operand may be null
};
struct ArrayFixedImm {
  TypeIndex type;
  std::uint32_t count = 0;
};
struct ArrayDataImm {
  TypeIndex type;
  DataIndex data;
};
struct ArrayElemImm {
  TypeIndex type;
  ElemIndex elem;
};
struct ArrayCopyImm {
  TypeIndex to, from;
};
struct CastImm {
  ValType to, from;
}; // `from`: the operand before the operator
struct CastNullImm : CastImm {};
struct BrOnCastImm {
  std::uint32_t depth = 0;
  ValType from, to;
};
struct TrapImm {
  std::uint32_t trap = 0;
}; // abi::Trap
// Of the Adapter family: indices of the link plan, which compile/ made itself.
struct InstanceImm {
  std::uint32_t instance = 0;
};
struct HandleImm : InstanceImm {
  std::uint32_t resource = 0;
};

} // namespace cusp::wasm

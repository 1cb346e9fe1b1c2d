#include "wasm/function_validator.h"

#include <fmt/format.h>

#include "wasm/limits.h"
#include "wasm/reader.h"

namespace cusp::wasm {

using base::ErrorCode;

// ---- the step table: one entry per row of operators.def ----

template <class Imm> Imm& FunctionValidator::emplace() {
  static_assert(sizeof(Imm) <= sizeof(immediate_) && std::is_trivially_destructible_v<Imm>);
  return *new (immediate_.data()) Imm();
}

template <class Imm, Signature kSignature> bool FunctionValidator::step_by_signature() {
  Imm& imm = emplace<Imm>();
  if (!decode(imm)) return false;
  auto type_of = [&](std::uint8_t raw) {
    ValType type = ValType::from_raw(raw);
    return type.is_bottom() ? address_of(imm) : type;
  };
  for (unsigned i = kSignature.param_count; i-- != 0;)
    if (!pop(type_of(kSignature.params[i]))) return false;
  for (unsigned i = 0; i < kSignature.result_count; ++i) push(type_of(kSignature.results[i]));
  return true;
}

template <class Imm, bool (FunctionValidator::*kCheck)(Imm&)> bool FunctionValidator::step_by_check() {
  Imm& imm = emplace<Imm>();
  return decode(imm) && (this->*kCheck)(imm);
}

#define CUSP_SECOND_(a, b, ...) b
#define CUSP_SECOND(...) CUSP_SECOND_(__VA_ARGS__)
#define CUSP_PROBE_poly ~, 1
#define CUSP_IS_POLY(signature) CUSP_SECOND(CUSP_PROBE_##signature, 0, 0)
#define CUSP_CAT_(a, b) a##b
#define CUSP_CAT(a, b) CUSP_CAT_(a, b)
#define CUSP_STEP_1(Imm, signature, lowering)                                                                          \
  &FunctionValidator::step_by_check<Imm, &FunctionValidator::check_##lowering>
#define CUSP_STEP_0(Imm, signature, lowering) &FunctionValidator::step_by_signature<Imm, parse_signature(#signature)>

struct StepTable {
  struct Entry {
    FunctionValidator::Step step = nullptr;
    Op op{};
    Feature feature = Feature::Mvp;
  };
  std::array<Entry, 256> plain{}, gc{}, misc{}, atomics{}, adapter{};
  std::array<Entry, 512> simd{};

  constexpr void add(std::uint32_t encoding, Entry entry) {
    std::uint32_t number = encoding & 0xffff;
    switch (encoding >> 16) {
    case 0: plain[number] = entry; break;
    case 0xfb: gc[number] = entry; break;
    case 0xfc: misc[number] = entry; break;
    case 0xfd: simd[number] = entry; break;
    case 0xfe: atomics[number] = entry; break;
    case 0xff: adapter[number] = entry; break;
    default: break;
    }
  }
  constexpr StepTable() {
#define OP(encoding, Name, text, Imm, signature, feature, lowering)                                                    \
  add(encoding, {CUSP_CAT(CUSP_STEP_, CUSP_IS_POLY(signature))(Imm, signature, lowering), Op::Name, Feature::feature});
#include "wasm/operators.def"
  }
  std::span<const Entry> prefixed(std::uint8_t prefix) const {
    switch (prefix) {
    case 0xfb: return gc;
    case 0xfc: return misc;
    case 0xfd: return simd;
    case 0xfe: return atomics;
    case 0xff: return adapter;
    default: return {};
    }
  }
};

namespace {
constinit const StepTable kSteps;
}

bool FunctionValidator::step() {
  op_offset_ = cursor_.offset();
  std::uint8_t byte = cursor_.u8();
  if (byte >= 0xfb && byte <= 0xfe) return prefixed_step(byte);
  // Input never has the feature: the byte is no operator then.
  if (byte == 0xff && module_.features.has(Feature::Adapter)) return prefixed_step(byte);
  const StepTable::Entry& entry = kSteps.plain[byte];
  if (!entry.step || !cursor_.ok()) return cursor_.ok() && unknown_operator(byte);
  const Frame& frame = control_.back();
  op_ = entry.op;
  op_reachable_ = !frame.unreachable;
  op_matters_ = op_reachable_;
  if (entry.feature != Feature::Mvp) {
    if (!module_.features.has(entry.feature)) return unsupported(entry.feature);
    features_used_.add(entry.feature);
  }
  return (this->*entry.step)();
}

bool FunctionValidator::prefixed_step(std::uint8_t prefix) {
  std::uint32_t number = cursor_.u32();
  auto table = kSteps.prefixed(prefix);
  if (!cursor_.ok()) return false;
  if (number >= table.size() || !table[number].step)
    return unknown_operator(static_cast<std::uint32_t>(prefix) << 16 | (number & 0xffff));
  const StepTable::Entry& entry = table[number];
  op_ = entry.op;
  op_reachable_ = op_matters_ = !control_.back().unreachable;
  if (!module_.features.has(entry.feature)) return unsupported(entry.feature);
  features_used_.add(entry.feature);
  return (this->*entry.step)();
}

// ---- beginning and errors ----

FunctionValidator::FunctionValidator(const Module& module) : module_(module) {}
FunctionValidator::~FunctionValidator() = default;

bool FunctionValidator::begin(DefinedFuncIndex func) {
  func_ = func;
  const Code& code = module_.code[func.value];
  type_ = &module_.func_type(module_.func_index(func));
  cursor_ = Cursor(code.bytes, code.offset);
  constant_ = false;
  start();
  return read_locals();
}

void FunctionValidator::begin_constant(const Cursor& cursor, const FuncType& type) {
  cursor_ = cursor;
  type_ = &type;
  constant_ = true;
  start();
}

void FunctionValidator::start() {
  op_offset_ = cursor_.offset();
  operands_.clear();
  control_.clear();
  initialised_.clear();
  init_order_.clear();
  locals_.assign(type_->params.begin(), type_->params.end());
  push_frame(FrameKind::Function, BlockType(type_));
  operands_.clear(); // a function's parameters are locals
  control_.back().height = 0;
}

bool FunctionValidator::read_locals() {
  std::uint32_t groups = cursor_.count(kMaxLocals, "local declaration");
  for (; groups != 0 && cursor_.ok(); --groups) {
    op_offset_ = cursor_.offset();
    std::uint32_t n = cursor_.u32();
    if (!cursor_.ok()) return false;
    if (n > kMaxLocals || locals_.size() + n > kMaxLocals + type_->params.size())
      return cursor_.fail_at(ErrorCode::LimitExceeded, op_offset_, "too many locals");
    const ValType type = types().val_type();
    if (!cursor_.ok()) return false;
    if (!type.is_defaultable() && n != 0) {
      initialised_.resize(locals_.size(), true);
      initialised_.resize(locals_.size() + n, false);
    }
    locals_.insert(locals_.end(), n, type);
  }
  if (!initialised_.empty()) initialised_.resize(locals_.size(), true);
  return cursor_.ok();
}

bool FunctionValidator::invalid(std::string message) {
  return cursor_.fail_at(ErrorCode::Invalid, op_offset_, std::move(message));
}

bool FunctionValidator::need(Feature feature) {
  features_used_.add(feature);
  return module_.features.has(feature) || unsupported(feature);
}

bool FunctionValidator::unsupported(Feature feature) {
  return cursor_.fail_at(ErrorCode::Unsupported, op_offset_,
                         fmt::format("the {} feature is needed and not enabled", feature_name(feature)));
}

bool FunctionValidator::unknown_operator(std::uint32_t encoding) {
  return cursor_.fail_at(ErrorCode::Malformed, op_offset_, fmt::format("illegal opcode {:#x}", encoding));
}

bool FunctionValidator::type_mismatch(ValType expected, ValType actual) {
  std::string_view operation = control_.empty() ? std::string_view("function") : op_text(op_);
  if (actual.is_none())
    return invalid(
        fmt::format("type mismatch: {} expects {}, but nothing is on the stack", operation, expected.to_string()));
  return invalid(
      fmt::format("type mismatch: {} expects {}, found {}", operation, expected.to_string(), actual.to_string()));
}

// ---- the two stacks ----

bool FunctionValidator::pop_slow(ValType expected, ValType& actual) {
  const Frame& frame = control_.back();
  if (operands_.size() == frame.height) {
    if (!frame.polymorphic) return type_mismatch(expected, ValType());
    actual = ValType::bottom();
    return true;
  }
  actual = operands_.back();
  if (!module_.is_subtype(actual, expected)) return type_mismatch(expected, actual);
  operands_.pop_back();
  return true;
}

bool FunctionValidator::pop(std::span<const ValType> expected) {
  for (std::size_t i = expected.size(); i-- != 0;)
    if (!pop(expected[i])) return false;
  return true;
}

bool FunctionValidator::pop_any(ValType& actual) {
  const Frame& frame = control_.back();
  if (operands_.size() == frame.height) {
    if (!frame.polymorphic)
      return invalid(fmt::format("type mismatch: {} expects an operand, but nothing is on the stack", op_text(op_)));
    actual = ValType::bottom();
    return true;
  }
  actual = operands_.back();
  operands_.pop_back();
  return true;
}

bool FunctionValidator::pop_ref(ValType& actual) {
  if (!pop_any(actual)) return false;
  if (actual.is_ref() || actual.is_bottom()) return true;
  return invalid(fmt::format("type mismatch: {} expects a reference, found {}", op_text(op_), actual.to_string()));
}

bool FunctionValidator::pop_ref_of(AbstractHeapType top, ValType& actual) {
  if (!pop_ref(actual)) return false;
  if (actual.is_bottom() || module_.top_of(actual.heap()) == top) return true;
  return type_mismatch(ValType::ref(true, top), actual);
}

bool FunctionValidator::check_top(std::span<const ValType> expected) {
  if (!pop(expected)) return false;
  push(expected);
  return true;
}

void FunctionValidator::push_frame(FrameKind kind, const BlockType& type) {
  Frame frame;
  frame.kind = kind;
  frame.entered_reachable = control_.empty() || !control_.back().unreachable;
  frame.unreachable = !frame.entered_reachable;
  frame.height = static_cast<std::uint32_t>(operands_.size());
  frame.init_height = static_cast<std::uint32_t>(init_order_.size());
  frame.type = type;
  control_.push_back(frame);
  push(frame.type.params());
}

bool FunctionValidator::pop_frame(FrameImm& imm) {
  Frame& frame = control_.back();
  imm.frame = frame;
  imm.reachable = !frame.unreachable;
  op_matters_ = frame.entered_reachable;
  std::span<const ValType> results = imm.frame.type.results();
  if (!pop(results)) return false;
  if (operands_.size() != frame.height)
    return invalid("type mismatch: values remain on the stack at the end of a block");
  while (init_order_.size() > frame.init_height) {
    initialised_[init_order_.back()] = false;
    init_order_.pop_back();
  }
  control_.pop_back();
  return true;
}

bool FunctionValidator::next_arm(FrameImm& imm, FrameKind kind) {
  if (!pop_frame(imm)) return false;
  push_frame(kind, imm.frame.type);
  return true;
}

void FunctionValidator::set_unreachable() {
  Frame& frame = control_.back();
  operands_.resize(frame.height);
  frame.unreachable = frame.polymorphic = true;
}

bool FunctionValidator::check_depth(std::uint32_t depth) {
  return depth < control_.size() || invalid(fmt::format("unknown label {}", depth));
}

void FunctionValidator::mark_initialised(std::uint32_t local) {
  if (initialised_.empty() || initialised_[local]) return;
  initialised_[local] = true;
  init_order_.push_back(local);
}

// ---- whole modules ----

base::Result<Features> used_features(const Module& module) {
  FunctionValidator validator(module);
  for (std::uint32_t i = 0; i < module.defined_functions(); ++i) {
    if (!validator.begin(DefinedFuncIndex(i))) return std::unexpected(validator.take_error());
    while (!validator.done())
      if (!validator.step()) return std::unexpected(validator.take_error());
  }
  Features used = module.features_used;
  used.merge(validator.features_used());
  return used;
}

base::Result<void> validate_bodies(const Module& module) {
  CUSP_TRY(used_features(module));
  return {};
}

} // namespace cusp::wasm

// Random programs of calls, throws and tries of both forms, nested any way, with values alive over all of them, against a
// model that computes what each must give.
#include <array>
#include <expected>
#include <random>

#include "engine/engine.h"
#include "lower/code_bytes.h"

namespace cusp::test {
namespace {

using namespace code;

constexpr std::uint32_t kTags = 3, kFunctions = 6, kManyParams = 10;

struct Thrown {
  std::uint32_t tag;
  std::uint64_t value;
};
using Outcome = std::expected<std::uint64_t, Thrown>;

enum class Kind : std::uint8_t {
  Constant,
  Param,
  Call,
  TailCall,
  Add,
  Multiply,
  ThrowIf,  // throws the first part where it is odd, else gives the second
  Catch,    // the payload, times three, plus the second part
  Legacy,   // the same
  CatchAll, // the second part
  CatchRef, // thrown again where the second part is odd, else that
  Rethrow,
  Delegate,
};
constexpr std::uint32_t kKinds = 13;

// An expression that gives an i64.
struct Node {
  Kind kind{};
  std::uint32_t number = 0; // constant, parameter, function or tag
  std::vector<Node> parts;
};

struct Function {
  std::uint32_t params = 2;
  Node body;
};

class Generator {
public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::vector<Function> program() {
    for (std::uint32_t i = 0; i < kFunctions; ++i) {
      calls_left_ = i == 0 ? 0 : 3;
      params_ = pick(3) == 0 ? kManyParams : 2;
      Node body = node(5, true);
      functions_.push_back({params_, std::move(body)});
    }
    return std::move(functions_);
  }

private:
  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

  // `is_last`: nothing comes after it in its function, so that it may be a tail call.
  Node node(std::uint32_t depth, bool is_last) {
    if (depth == 0) return pick(2) ? Node{Kind::Constant, pick(1000), {}} : Node{Kind::Param, pick(params_), {}};
    auto kind = static_cast<Kind>(2 + pick(kKinds - 2));
    if (kind == Kind::TailCall && !is_last) kind = Kind::Call;
    if (kind <= Kind::TailCall && calls_left_ == 0) kind = Kind::ThrowIf;
    Node out{kind, pick(kTags), {}};
    if (kind <= Kind::TailCall) {
      --calls_left_;
      out.number = pick(static_cast<std::uint32_t>(functions_.size()));
      for (std::uint32_t i = 0; i < functions_[out.number].params; ++i)
        out.parts.push_back(node(i == 0 ? depth - 1 : 0, false));
      return out;
    }
    out.parts.push_back(node(depth - 1, false));
    if (kind < Kind::Rethrow) out.parts.push_back(node(depth - 1, is_last && kind == Kind::ThrowIf));
    return out;
  }

  std::mt19937 random_;
  std::vector<Function> functions_;
  std::uint32_t params_ = 2, calls_left_ = 0;
};

class Model {
public:
  explicit Model(const std::vector<Function>& functions) : functions_(functions) {}

  Outcome run(std::uint32_t func, const std::vector<std::uint64_t>& params) const {
    return value(functions_[func].body, params);
  }

private:
  Outcome value(const Node& node, const std::vector<std::uint64_t>& params) const {
    if (node.kind == Kind::Constant) return node.number;
    if (node.kind == Kind::Param) return params[node.number];
    if (node.kind <= Kind::TailCall) {
      std::vector<std::uint64_t> arguments;
      for (const Node& part : node.parts) {
        Outcome argument = value(part, params);
        if (!argument) return argument;
        arguments.push_back(*argument);
      }
      return run(node.number, arguments);
    }
    const Outcome first = value(node.parts[0], params);
    auto second = [&] { return value(node.parts[1], params); };
    switch (node.kind) {
    case Kind::Add:
    case Kind::Multiply: {
      if (!first) return first;
      const Outcome other = second();
      if (!other) return other;
      return node.kind == Kind::Add ? *first + *other : *first * *other;
    }
    case Kind::ThrowIf:
      if (first && *first % 2 != 0) return std::unexpected(Thrown{node.number, *first});
      return first ? second() : first;
    case Kind::Catch:
    case Kind::Legacy: {
      if (first || first.error().tag != node.number) return first;
      const Outcome other = second();
      return other ? Outcome(first.error().value * 3 + *other) : other;
    }
    case Kind::CatchAll: return first ? first : second();
    case Kind::CatchRef: {
      if (first) return first;
      const Outcome other = second();
      return other && *other % 2 != 0 ? first : other;
    }
    default: return first;
    }
  }

  const std::vector<Function>& functions_;
};

// One function's code; `locals` grows as values need a place.
class Emitter {
public:
  explicit Emitter(const Function& function) : next_local_(function.params) { body = emit(function.body); }
  Bytes body, locals;

private:
  std::uint32_t local(std::uint8_t type) {
    locals.push_back(type);
    return next_local_++;
  }
  static Bytes if_odd(std::uint32_t local, const Bytes& then) {
    return local_get(local) + op(0xa7) + i32_const(1) + op(0x71) + if_() + then + end();
  }

  Bytes emit(const Node& node) {
    if (node.kind == Kind::Constant) return i64_const(node.number);
    if (node.kind == Kind::Param) return local_get(node.number);
    std::vector<Bytes> parts;
    for (const Node& part : node.parts) parts.push_back(emit(part));
    auto try_with = [&](const Bytes& label, const Bytes& clause, const Bytes& handler) {
      return block(kI64) + label + try_table(kI64, {clause}) + parts[0] + end() + br(1) + end() + handler + end();
    };
    switch (node.kind) {
    case Kind::Call:
    case Kind::TailCall: {
      Bytes out;
      for (const Bytes& part : parts) out += part;
      return out + (node.kind == Kind::Call ? call(node.number) : return_call(node.number));
    }
    case Kind::Add: return parts[0] + parts[1] + i64_add();
    case Kind::Multiply: return parts[0] + parts[1] + i64_mul();
    case Kind::ThrowIf: {
      const std::uint32_t value = local(kI64);
      return parts[0] + local_set(value) + if_odd(value, local_get(value) + throw_(node.number)) + parts[1];
    }
    case Kind::Catch:
      return try_with(block(kI64), catch_clause(node.number, 0), i64_const(3) + i64_mul() + parts[1] + i64_add());
    case Kind::Legacy:
      return try_(kI64) + parts[0] + catch_(node.number) + i64_const(3) + i64_mul() + parts[1] + i64_add() + end();
    case Kind::CatchAll: return try_with(block(), catch_all_clause(0), parts[1]);
    case Kind::CatchRef: {
      const std::uint32_t exception = local(kExnref), value = local(kI64);
      return try_with(block(kExnref), catch_all_ref_clause(0),
                      local_set(exception) + parts[1] + local_set(value) +
                          if_odd(value, local_get(exception) + throw_ref()) + local_get(value));
    }
    case Kind::Rethrow: return try_(kI64) + parts[0] + catch_all() + rethrow(0) + end();
    default: return block(kI64) + try_(kI64) + parts[0] + delegate(0) + end();
    }
  }

  std::uint32_t next_local_;
};

class RandomExceptions : public EngineTest {};
INSTANTIATE_TEST_SUITE_P(All, RandomExceptions, kEverySetting, setting_name);

TEST_P(RandomExceptions, DoWhatTheModelSays) {
  unsigned returned = 0, thrown = 0;
  for (std::uint32_t seed = 0; seed < 10; ++seed) {
    const std::vector<Function> functions = Generator(seed).program();
    ModuleBytes m;
    const auto payload = m.type({kI64}, {});
    for (std::uint32_t i = 0; i < kTags; ++i) m.tag(payload);
    const auto two = m.type(Bytes(2, kI64), {kI64}), many = m.type(Bytes(kManyParams, kI64), {kI64});
    for (const Function& function : functions) {
      const Emitter emitter(function);
      m.func(function.params == 2 ? two : many, emitter.body, emitter.locals);
    }
    auto* instance = instantiate(m);
    ASSERT_NE(instance, nullptr) << "seed " << seed;
    const Model model(functions);
    for (std::uint32_t func = 0; func < kFunctions; ++func)
      for (std::uint64_t first : {0, 1, 7}) {
        std::vector<std::uint64_t> params(functions[func].params);
        for (std::size_t i = 0; i < params.size(); ++i) params[i] = first + i * i;
        const Outcome expected = model.run(func, params);
        const auto actual = run(instance, func, params);
        ASSERT_EQ(actual.has_value(), expected.has_value()) << "seed " << seed << ", function " << func;
        if (expected) ASSERT_EQ(*actual, *expected) << "seed " << seed << ", function " << func;
        else ASSERT_EQ(store_->last_trap().trap, abi::Trap::UncaughtException);
        ++(expected ? returned : thrown);
      }
  }
  EXPECT_GT(returned, 20u);
  EXPECT_GT(thrown, 20u) << "both sorts of end are tried";
}

} // namespace
} // namespace cusp::test

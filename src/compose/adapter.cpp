#include "compose/adapter.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "compose/core_writer.h"
#include "wasm/cursor.h"
#include "wasm/function_validator.h"

namespace cusp::compose {

using base::ErrorCode;
using base::Result;
using wasm::FuncIndex;
using wasm::Op;

namespace {

constexpr std::uint32_t kPage = 65536;

// A function index inside a body: where the operator is, and how long it is up to the next one.
struct FuncUse {
  std::size_t begin = 0, end = 0; // in the body's bytes
  Op op{};
  FuncIndex func;
};
struct Body {
  std::size_t code_begin = 0; // after the local declarations
  std::vector<FuncUse> uses;
};

Result<Body> scan(wasm::FunctionValidator& validator, const wasm::Module& module, wasm::DefinedFuncIndex index) {
  Body body;
  const wasm::Code& code = module.code[index.value];
  if (!validator.begin(index)) return std::unexpected(validator.take_error());
  bool first = true;
  while (!validator.done()) {
    if (!validator.step()) return std::unexpected(validator.take_error());
    std::size_t at = static_cast<std::size_t>(validator.op_offset() - code.offset);
    if (std::exchange(first, false)) body.code_begin = at;
    if (!body.uses.empty() && body.uses.back().end == 0) body.uses.back().end = at;
    Op op = validator.op();
    if (op == Op::Call || op == Op::ReturnCall || op == Op::RefFunc)
      body.uses.push_back({at, 0, op, validator.immediate<wasm::FuncImm>().func});
    if (op == Op::CallIndirect || op == Op::ReturnCallIndirect)
      return base::fail_at(ErrorCode::Unsupported, validator.op_offset(), "an adapter cannot call through a table");
  }
  return body;
}

// The content of a section as it stands.
std::span<const std::uint8_t> raw_section(std::span<const std::uint8_t> bytes, std::uint8_t wanted) {
  wasm::Cursor in(bytes.subspan(8), 8);
  while (in.ok() && !in.at_end()) {
    std::uint8_t id = in.u8();
    std::uint32_t size = in.u32();
    auto body = in.bytes(size);
    if (id == wanted) return body;
  }
  return {};
}

void write_memory_type(Bytes& out, const wasm::MemoryType& type) {
  out.u8(static_cast<std::uint8_t>((type.limits.max ? 1 : 0) | (type.shared ? 2 : 0) | (type.memory64 ? 4 : 0)));
  out.u32(type.limits.min);
  if (type.limits.max) out.u32(*type.limits.max);
}

class Trimmer {
public:
  Trimmer(const wasm::Module& module, const std::set<std::string>& exports, const std::optional<std::string>& realloc)
      : module_(module), exports_(exports), realloc_(realloc) {}

  Result<std::vector<std::uint8_t>> run() {
    CUSP_TRY(check_shape());
    CUSP_TRY(find_live());
    copy_types_and_globals();
    CUSP_TRY(write_imports());
    place_functions();
    write_functions();
    write_exports();
    write_names();
    return out_.finish();
  }

private:
  Result<void> check_shape() {
    bool own_memory = module_.memories.size() > module_.imported_memories;
    if (own_memory || module_.memories.size() > 1 || !module_.elems.empty() || !module_.datas.empty() ||
        module_.start || !module_.tags.empty())
      return base::fail(ErrorCode::Unsupported,
                        "an adapter has one memory, which it imports, and no data, elements or start function");
    for (const wasm::Global& global : module_.globals)
      for (const wasm::ConstOp& op : global.init)
        if (op.op == Op::RefFunc)
          return base::fail(ErrorCode::Unsupported, "an adapter's globals cannot hold functions");
    stack_pointer_ = global("__stack_pointer"), allocation_state_ = global("allocation_state");
    return {};
  }
  std::optional<std::uint32_t> global(std::string_view name) const {
    for (const auto& [index, other] : module_.names.globals.entries)
      if (other == name && index < module_.globals.size() && module_.globals[index].type.type == wasm::ValType::i32())
        return index;
    return std::nullopt;
  }

  Result<void> find_live() {
    std::vector<std::uint32_t> work;
    auto live = [&](FuncIndex func) {
      if (live_.emplace(func.value, Body{}).second) work.push_back(func.value);
    };
    for (const wasm::Export& entry : module_.exports)
      if (entry.kind == wasm::ExternKind::Func && exports_.contains(std::string(entry.name)))
        live(FuncIndex(entry.index));
    wasm::FunctionValidator validator(module_);
    while (!work.empty()) {
      FuncIndex func(work.back());
      work.pop_back();
      if (module_.is_imported(func)) continue;
      Body body = CUSP_TRY(scan(validator, module_, module_.defined_index(func)));
      for (const FuncUse& use : body.uses) live(use.func);
      live_[func.value] = std::move(body);
    }
    return {};
  }

  void copy_types_and_globals() {
    auto types = raw_section(module_.bytes, 1);
    if (!types.empty()) {
      wasm::Cursor in(types, 0);
      in.u32();
      out_.take_types(static_cast<std::uint32_t>(module_.types.size()), types.subspan(types.size() - in.left()));
    }
    out_.take_globals(raw_section(module_.bytes, 6));
  }

  static bool is_realloc(const wasm::Import& import) {
    return import.module == kMainModule && (import.name == "cabi_realloc" || import.name == "canonical_abi_realloc");
  }

  Result<void> write_imports() {
    for (const wasm::Import& import : module_.imports) {
      if (import.kind == wasm::ExternKind::Memory) {
        Bytes type{2};
        write_memory_type(type, module_.memories[import.index]);
        out_.import_other(import.module, import.name, type);
        continue;
      }
      if (import.kind != wasm::ExternKind::Func)
        return base::fail(ErrorCode::Unsupported,
                          fmt::format("an adapter cannot import `{}` from `{}`: only functions and a memory",
                                      import.name, import.module));
      if (!live_.contains(import.index)) continue;
      if (is_realloc(import) && !realloc_) {
        replaced_realloc_ = import.index; // by a function that grows the memory
        continue;
      }
      new_index_[import.index] = out_.imported_funcs();
      if (is_realloc(import)) realloc_index_ = out_.imported_funcs();
      out_.import_func(import.module, is_realloc(import) ? *realloc_ : std::string(import.name),
                       module_.functions[import.index].type.value);
    }
    if (realloc_ && stack_pointer_ && !realloc_index_) { // for the stack alone
      realloc_index_ = out_.imported_funcs();
      out_.import_func(kMainModule, *realloc_, out_.type(realloc_type()));
    }
    return {};
  }

  static wasm::FuncType realloc_type() {
    return {std::vector<wasm::ValType>(4, wasm::ValType::i32()), {wasm::ValType::i32()}};
  }

  void place_functions() {
    std::uint32_t next = out_.imported_funcs();
    for (const auto& [func, _] : live_)
      if (!module_.is_imported(FuncIndex(func))) new_index_[func] = next++;
    bool grows = replaced_realloc_ || (stack_pointer_ && (!realloc_index_ || !allocation_state_));
    lazy_ = stack_pointer_ && allocation_state_ && realloc_;
    if (grows) {
      grow_index_ = next++;
      if (replaced_realloc_) new_index_[*replaced_realloc_] = grow_index_;
      if (!lazy_) realloc_index_ = grow_index_;
    }
    if (stack_pointer_ && (lazy_ || !module_.memories.empty())) allocate_index_ = next++;
  }

  void write_functions() {
    for (const auto& [func, body] : live_)
      if (!module_.is_imported(FuncIndex(func))) out_.func(module_.functions[func].type.value, rewritten(func, body));
    if (grow_index_ != 0) out_.func(out_.type(realloc_type()), realloc_by_growing());
    if (allocate_index_ == 0) return;
    out_.func(out_.type({}), allocate_stack());
    if (!lazy_) out_.start(allocate_index_);
  }

  Bytes rewritten(std::uint32_t func, const Body& body) const {
    std::span<const std::uint8_t> bytes = module_.code[module_.defined_index(FuncIndex(func)).value].bytes;
    Bytes out;
    out.append(bytes.first(body.code_begin));
    if (lazy_ && is_exported(func)) out.u8(0x10).u32(allocate_index_);
    std::size_t at = body.code_begin;
    for (const FuncUse& use : body.uses) {
      out.append(bytes.subspan(at, use.begin - at));
      out.u8(static_cast<std::uint8_t>(bytes[use.begin])).u32(new_index_.at(use.func.value));
      at = use.end;
    }
    return out.append(bytes.subspan(at));
  }
  bool is_exported(std::uint32_t func) const {
    return std::ranges::any_of(module_.exports, [&](const wasm::Export& entry) {
      return entry.kind == wasm::ExternKind::Func && entry.index == func && exports_.contains(std::string(entry.name));
    });
  }

  // (func (param i32 i32 i32 i32) (result i32)): a page of its own, whatever was asked for; traps when more than a page is wanted, or a block is
  // to be resized.
  static Bytes realloc_by_growing() {
    Bytes out{1, 1, 0x7f};
    out.u8(0x20).u32(0).u8(0x20).u32(1).u8(0x72).u8(0x04).u8(0x40).u8(0x00).u8(
        0x0b); // old pointer | old size: unreachable
    out.u8(0x20).u32(3).u8(0x41).s64(kPage).u8(0x4b).u8(0x04).u8(0x40).u8(0x00).u8(0x0b); // new size >u a page
    out.u8(0x41).s64(1).u8(0x40).u8(0).u8(0x22).u32(4);
    out.u8(0x41).s64(-1).u8(0x46).u8(0x04).u8(0x40).u8(0x00).u8(0x0b);
    return out.u8(0x20).u32(4).u8(0x41).s64(16).u8(0x74).u8(0x0b);
  }

  // States of `allocation_state`: 0 none, 1 allocating (so that a realloc that comes back into the adapter does not begin again), 2 done.
  Bytes allocate_stack() const {
    Bytes out{0};
    if (lazy_) {
      out.u8(0x23).u32(*allocation_state_).u8(0x45).u8(0x04).u8(0x40);
      out.u8(0x41).s64(1).u8(0x24).u32(*allocation_state_);
    }
    out.u8(0x41).s64(0).u8(0x41).s64(0).u8(0x41).s64(8).u8(0x41).s64(kPage).u8(0x10).u32(*realloc_index_);
    out.u8(0x41).s64(kPage).u8(0x6a).u8(0x24).u32(*stack_pointer_);
    if (allocation_state_) out.u8(0x41).s64(2).u8(0x24).u32(*allocation_state_);
    if (lazy_) out.u8(0x0b);
    return out.u8(0x0b);
  }

  void write_exports() {
    for (const wasm::Export& entry : module_.exports)
      if (entry.kind == wasm::ExternKind::Func && exports_.contains(std::string(entry.name)))
        out_.export_item(entry.name, 0, new_index_.at(entry.index));
  }

  // Function names, for backtraces.
  void write_names() {
    std::map<std::uint32_t, std::string_view> names;
    for (const auto& [func, index] : new_index_)
      if (std::string_view name = module_.names.functions.find(func); !name.empty()) names[index] = name;
    if (names.empty()) return;
    Bytes map, section;
    map.u32(names.size());
    for (const auto& [index, name] : names) map.u32(index).name(name);
    section.u8(1).sized(map.view());
    out_.custom("name", section.view());
  }

  const wasm::Module& module_;
  const std::set<std::string>& exports_;
  const std::optional<std::string>& realloc_;
  CoreModuleWriter out_;
  std::map<std::uint32_t, Body> live_;
  std::map<std::uint32_t, std::uint32_t> new_index_;
  std::optional<std::uint32_t> stack_pointer_, allocation_state_, realloc_index_, replaced_realloc_;
  std::uint32_t grow_index_ = 0, allocate_index_ = 0;
  bool lazy_ = false;
};

} // namespace

Result<std::vector<std::uint8_t>> trim_adapter(const wasm::Module& adapter, const std::set<std::string>& exports,
                                               const std::optional<std::string>& realloc) {
  return Trimmer(adapter, exports, realloc).run();
}

} // namespace cusp::compose

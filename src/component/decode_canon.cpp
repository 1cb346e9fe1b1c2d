#include <fmt/format.h>

#include "component/limits.h"
#include "component/section_decoder.h"

namespace cusp::component {

using base::ErrorCode;

namespace {

struct BuiltinRow {
  std::uint8_t opcode;
  BuiltinKind kind;
};
constexpr BuiltinRow kBuiltins[] = {
#define BUILTIN(opcode, Name, text, immediates, params, results) {opcode, BuiltinKind::Name},
#include "component/canon_builtins.def"
};

} // namespace

ast::Canon SectionDecoder::canon() {
  using Kind = ast::Canon::Kind;
  ast::Canon canon;
  std::uint64_t offset = in_.offset();
  std::uint8_t opcode = in_.u8();
  if (opcode <= 1) {
    if (in_.u8() != 0)
      in_.fail(ErrorCode::Malformed, "invalid leading byte: canon lift or lower of something other than a function");
    canon.kind = opcode == 0 ? Kind::Lift : Kind::Lower;
    canon.func = in_.u32();
    canon.options = options();
    if (opcode == 0) canon.type = in_.u32();
    return canon;
  }
  if (opcode <= 4) {
    canon.kind = opcode == 2 ? Kind::ResourceNew : opcode == 3 ? Kind::ResourceDrop : Kind::ResourceRep;
    canon.type = in_.u32();
    return canon;
  }
  canon.kind = Kind::Builtin;
  for (const BuiltinRow& row : kBuiltins) {
    if (row.opcode != opcode) continue;
    canon.builtin = row.kind;
    for (char immediate : builtin_immediates(row.kind)) builtin_immediate(immediate, canon);
    return canon;
  }
  in_.fail_at(ErrorCode::Malformed, offset,
              fmt::format("invalid leading byte: there is no canonical function {:#x}", opcode));
  return canon;
}

// By the letters of canon_builtins.def.
void SectionDecoder::builtin_immediate(char letter, ast::Canon& canon) {
  switch (letter) {
  case 'S':
  case 'F':
  case 'Y': canon.type = in_.u32(); break;
  case 'R': canon.result = result_list(); break;
  case 'O': canon.options = options(); break;
  case 'M': canon.options.list.push_back({ast::Option::Kind::Memory, in_.u32()}); break;
  case 'a': canon.is_async = flag("`async`"); break;
  case 'c': canon.is_cancellable = flag("`cancellable`"); break;
  case 's': canon.is_shared = flag("`shared`"); break;
  case 'V': canon.value = address_type("a slot of the context"); break;
  case 'N': canon.slot = in_.u32(); break;
  case 'T': canon.table = in_.u32(); break;
  }
}

AddressType SectionDecoder::address_type(std::string_view what) {
  std::uint64_t offset = in_.offset();
  std::uint8_t byte = in_.u8();
  if (byte != 0x7f && byte != 0x7e)
    in_.fail_at(ErrorCode::Invalid, offset, fmt::format("{} can only be `i32` or `i64`", what));
  return byte == 0x7e ? AddressType::I64 : AddressType::I32;
}

ast::Options SectionDecoder::options() {
  using Kind = ast::Option::Kind;
  ast::Options options;
  for (std::uint32_t n = in_.count(kMaxOptions, "canonical option"); n != 0 && in_.ok(); --n) {
    std::uint64_t offset = in_.offset();
    std::uint8_t form = in_.u8();
    if (form > static_cast<std::uint8_t>(Kind::Gc)) {
      in_.fail_at(ErrorCode::Malformed, offset,
                  fmt::format("invalid leading byte: there is no canonical option {:#x}", form));
      return options;
    }
    ast::Option option{static_cast<Kind>(form)};
    bool has_index = option.kind == Kind::Callback || option.kind == Kind::CoreType ||
                     (option.kind >= Kind::Memory && option.kind <= Kind::PostReturn);
    if (has_index) option.index = in_.u32();
    options.list.push_back(option);
  }
  return options;
}

} // namespace cusp::component

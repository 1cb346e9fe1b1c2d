#include "abi/vm.h"

namespace cusp::abi {

std::string_view trap_text(Trap trap) {
  static constexpr std::string_view kTexts[] = {
#define TRAP(Name, text) text,
#include "abi/traps.def"
#undef TRAP
  };
  return kTexts[static_cast<unsigned>(trap)];
}

namespace {
// Bumped by hand only for a change of meaning that no table below shows.
constexpr std::string_view kContract = "1:"
#define TRAP(Name, text) #Name ","
#include "abi/traps.def"
#undef TRAP
#define BUILTIN(name, ...) #name "(" #__VA_ARGS__ "),"
#include "abi/builtins.def"
#undef BUILTIN
#define VMCTX_FIELD(name, type) #name ":" #type ","
#include "abi/vm_layout.def"
#undef VMCTX_FIELD
    ;
constexpr std::uint64_t fnv(std::uint64_t hash, std::uint64_t word) { return (hash ^ word) * 0x100000001b3; }
} // namespace

std::uint64_t abi_hash() {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : kContract) hash = fnv(hash, static_cast<unsigned char>(c));
  VmLayout layout({1, 1, 1, 1, 1, 1, 1, 1, 1});
  for (std::uint64_t word :
       {std::uint64_t{layout.size()}, kMemory32Reservation, kMemoryGuardSize, kMaxUncheckedOffset,
        std::uint64_t{kHostStackReserve}, std::uint64_t{kTrapStubSize}, std::uint64_t{sizeof(FuncRef)},
        std::uint64_t{sizeof(TypeRecord)}, std::uint64_t{kGcAlign}, std::uint64_t{GcStructLayout().size()},
        std::uint64_t{sizeof(Exception)}, std::uint64_t{sizeof(TagRecord)}, std::uint64_t{offsetof(HandleEntry, type)},
        std::uint64_t{offsetof(HandleEntry, rep)}, std::uint64_t{offsetof(HandleEntry, borrows)},
        std::uint64_t{offsetof(HandleTable, first_free)}, std::uint64_t{offsetof(InstanceRecord, borrows)},
        std::uint64_t{offsetof(InstanceRecord, table)}})
    hash = fnv(hash, word);
  for (std::uint32_t bytes : kGcCellBytes) hash = fnv(hash, bytes);
  for (unsigned i = 0; i <= static_cast<unsigned>(GcStorage::Exn); ++i)
    hash = fnv(hash, storage_size(static_cast<GcStorage>(i)));
  return hash;
}

} // namespace cusp::abi

// The file between compile time and run time: one ELF shared object (ET_DYN, EM_X86_64) that cusp maps and runs without
// relocating anything. objdump and perf read it as they read any ELF file.
//
//   .text        guest functions, trampolines, stubs, the freestanding archive; symbols in .symtab name the guest's functions
//   .rodata      constants of compiled code, page-aligned behind .text, reached PC-relatively; .eh_frame likewise
//   .cusp.key    ArtifactKey; checked first
//   .cusp.meta   ArtifactMeta (base/archive.h)
//   .cusp.traps  trap table (trap_table.h)
//   .cusp.unwind unwind table (unwind_table.h)
//   .cusp.names  function names for backtraces, by module and function index
//   .cusp.lines  source lines for backtraces (line_table.h); empty when no module has debug information
//   .cusp.image  memory images and data segments; page-aligned in the file so that it can be mapped copy-on-write
//   .cusp.sum    one checksum over the file's sections; verified on entry into the store and for foreign files
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "artifact/module_meta.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "component/link_plan.h"

namespace cusp::artifact {

using base::Result;

// Everything that decides whether an artifact may stand for some input on some machine (DESIGN decision 12).
struct ArtifactKey {
  std::array<std::uint8_t, 32> module_hash{}; // SHA-256 of the input bytes
  std::uint64_t abi_hash = 0;                 // abi::abi_hash()
  std::uint64_t compiler_build = 0;           // changes with every build of cusp-compile that could generate other code
  std::string settings;                       // canonical text of opt level, bounds mode, features: "O2,guard,..."
  std::string cpu;                            // target CPU name
  std::vector<std::string> cpu_features;      // host features that the code needs: "avx2", sorted
  template <class A> void fields(A& a) { a(module_hash, abi_hash, compiler_build, settings, cpu, cpu_features); }
};

struct ArtifactMeta {
  std::vector<ModuleMeta> modules;
  std::optional<component::LinkPlan> plan; // absent for a core module: then modules.size() == 1
  std::uint32_t trap_stubs = 0;            // text offset of the first trap stub
  bool linkable = false;                   // CompileRequest
  template <class A> void fields(A& a) { a(modules, plan, trap_stubs, linkable); }
};

struct Symbol {
  std::string name;         // "wasm[0]::main" style, prefixed so that no guest name is a C symbol
  std::uint32_t offset = 0; // in code
  std::uint32_t size = 0;
};

// What the compiler hands to the writer.
struct ArtifactParts {
  ArtifactKey key;
  ArtifactMeta meta;
  std::vector<std::uint8_t> code; // text, then rodata at rodata_offset (page-aligned); fully linked
  std::uint32_t text_size = 0;
  std::uint32_t rodata_offset = 0;
  std::uint32_t eh_frame_offset = 0, eh_frame_size = 0; // inside code
  std::vector<Symbol> symbols;
  std::vector<std::uint8_t> trap_table;                 // trap_table.h
  std::vector<std::uint8_t> unwind_table;               // unwind_table.h
  std::vector<std::vector<std::string>> function_names; // [module][FuncIndex], empty where unknown
  std::vector<std::uint8_t> line_table;                 // line_table.h
  std::vector<std::uint8_t> image;                      // memory images and data bytes
};

Result<std::vector<std::uint8_t>> write_artifact(ArtifactParts parts);

// An artifact file opened and mapped. Immutable; may be shared by threads. Error: Corrupt for a damaged, foreign or
// out-of-date file, with a sentence that says which.
class Artifact {
public:
  enum class Verify : std::uint8_t {
    Header,
    Full
  }; // Full also checks .cusp.sum: for files that did not come from the store
  static Result<std::shared_ptr<const Artifact>> open(const std::string& path, Verify verify);
  static Result<std::shared_ptr<const Artifact>> from_fd(base::UniqueFd fd, Verify verify, std::string name);
  // Bytes that no file holds (the compiler's own output, tests): copied into sealed memory, Verify::Full.
  static Result<std::shared_ptr<const Artifact>> from_bytes(std::span<const std::uint8_t> bytes, std::string name);
  ~Artifact();

  const ArtifactKey& key() const { return key_; }
  const ArtifactMeta& meta() const { return meta_; }
  const std::uint8_t* code() const { return code_; } // mapped read + execute
  std::uint32_t code_size() const { return code_size_; }
  std::uint32_t text_size() const { return text_size_; }
  std::span<const std::uint8_t> image() const { return image_; } // mapped read-only, shared
  int fd() const { return fd_.get(); }
  std::span<const std::uint8_t> mapping() const { return file_; } // the whole file; it may shrink under us
  std::uint64_t image_file_offset() const { return image_file_offset_; }
  std::span<const std::uint8_t> trap_table() const { return trap_table_; }
  std::span<const std::uint8_t> unwind_table() const { return unwind_table_; }
  std::span<const std::uint8_t> line_table() const { return line_table_; }
  // Empty when the name is not known.
  std::string_view function_name(std::uint32_t module, std::uint32_t func) const;
  const std::string& name() const { return name_; }

private:
  Artifact() = default;
  friend class ArtifactLoader;
  ArtifactKey key_;
  ArtifactMeta meta_;
  base::UniqueFd fd_;
  std::string name_;
  std::span<const std::uint8_t> file_;
  std::uint8_t* code_ = nullptr;
  std::uint32_t code_size_ = 0, text_size_ = 0;
  std::span<const std::uint8_t> image_, trap_table_, unwind_table_, line_table_, names_;
  std::uint64_t image_file_offset_ = 0;
};

// True when the first bytes are those of an artifact (an ELF file with .cusp.key), not of wasm.
bool looks_like_artifact(std::span<const std::uint8_t> head);

} // namespace cusp::artifact

// The engine: what all guests of a process share. It knows where the compiler is, where compiled code is kept, and how code is made.
// Thread-safety: an Engine is a handle of something immutable. Copy it, use it from any thread at any time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cusp/error.hpp"
#if __has_include("cusp/installed.hpp")
#include "cusp/installed.hpp" // written by the installation: where it put cusp-compile
#endif

namespace cusp {

namespace detail {
struct EngineState; // the library's
} // namespace detail

#ifdef CUSP_INSTALLED_COMPILER
inline constexpr const char* kInstalledCompiler = CUSP_INSTALLED_COMPILER;
#else
inline constexpr const char* kInstalledCompiler = "";
#endif

struct EngineSettings {
  /// The program cusp-compile. Empty, or no such program: $CUSP_COMPILE, then beside the running program, then the PATH.
  std::string compiler = kInstalledCompiler;
  /// The folder for compiled code, made when needed. Empty: $XDG_CACHE_HOME/cusp, or ~/.cache/cusp. What lies there is
  /// native code: give it to nobody to write who may not run code in this process.
  std::string store;
  /// false: nothing is looked up there, or kept.
  bool use_store = true;
  unsigned opt_level = 2;                                         ///< 0, 1 or 2
  unsigned compile_threads = 0;                                   ///< 0: as many as the machine has
  std::chrono::milliseconds compile_time = std::chrono::hours(1); ///< of one compilation
  std::string target_cpu = "native";                              ///< or an LLVM name such as "x86-64-v3"
  /// Memory accesses are compared with the bounds, instead of relying on address space (4 GiB for each memory).
  bool explicit_bounds = false;
  /// The same bits of every result on every machine: NaNs, relaxed SIMD.
  bool deterministic = false;
};

class Engine {
public:
  /// Readies the process: installs handlers for the signals by which guests trap (SIGSEGV, SIGBUS, SIGILL, SIGFPE) and are interrupted.
  /// Signals that are not a guest's go to whoever handled them before. Error: Unsupported.
  static Result<Engine> create(const EngineSettings& settings = {});

  const EngineSettings& settings() const;

private:
  friend struct detail::EngineState;
  explicit Engine(std::shared_ptr<detail::EngineState> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::EngineState> state_;
};

/// What a component or module imports or exports.
struct ExternInfo {
  std::string interface; ///< "" in the root world
  std::string name;
  std::string type; ///< as WIT writes it; "resource"
};

/// What one instance may use. A guest that asks for more memory or table is told no; one that runs too deep or too long traps.
struct Limits {
  std::uint64_t memory_bytes = ~std::uint64_t{0}; ///< linear memories, tables and objects together
  std::uint64_t table_elements = 10'000'000;
  std::uint32_t stack_bytes = 1024 * 1024; ///< of the guest's own stack
  std::uint32_t handles = 1'000'000;       ///< in each handle table
  /// How long a call from the host may take, waiting included; nothing: as long as it likes. A call that takes longer
  /// traps with TrapCode::Timeout.
  std::optional<std::chrono::nanoseconds> call_time{};
};

} // namespace cusp

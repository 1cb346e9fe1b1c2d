// How cusp talks to cusp-compile --batch: frames over a pair of pipes. The client sends Options and Module, the
// compiler answers with Progress any number of times and then Artifact or Failed; then the next request, or end of
// file. Both sides treat the other's bytes as foreign: sizes and contents are checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "artifact/module_meta.h"
#include "base/result.h"
#include "wasm/features.h"

namespace cusp::artifact {

// Wanted: keys of compiled groups, 32 bytes each; the client answers with Found, a CachedGroups. Made: a key and the bytes that may be
// found again. Neither comes unless the request says cache_groups.
enum class FrameKind : std::uint32_t { Options = 1, Module, Progress, Artifact, Failed, Wanted, Found, Made };

// What decides, beside the input, which artifact comes out; and how many threads make it (0: as many as the machine has).
struct CompileRequest {
  std::uint32_t opt_level = 2; // 0, 1 or 2
  BoundsMode bounds = BoundsMode::Guard;
  std::string target_cpu = "native"; // or an LLVM CPU name such as "x86-64-v3"
  std::uint32_t threads = 0;
  std::uint64_t features = wasm::Features().bits(); // what the input may use
  // Relaxed SIMD as in the specification's deterministic profile, alike on every machine; otherwise what the target does fastest.
  bool deterministic_simd = false;
  // NaNs that arithmetic makes are positive, quiet and without payload (the deterministic profile, too).
  bool canonical_nans = false;
  // Code counts the operators that it executes, and traps when there is no fuel left (runtime::StoreLimits::fuel).
  bool fuel = false;
  // A core module whose functions other modules' code calls, and the other way round: they then have a convention that allows tail calls,
  // which costs two instructions for each call. Otherwise an instance is alone in its store.
  bool linkable = false;
  bool cache_groups = false; // the client keeps compiled groups

  template <class A> void fields(A& a) {
    a(opt_level, bounds, target_cpu, threads, features, deterministic_simd, canonical_nans, fuel, linkable,
      cache_groups);
  }
};

struct CachedGroups {
  std::vector<std::vector<std::uint8_t>> groups; // one for each key; empty: not there
  template <class A> void fields(A& a) { a(groups); }
};

struct CompileProgress {
  std::uint32_t done = 0, total = 0; // functions
  template <class A> void fields(A& a) { a(done, total); }
};

struct Frame {
  FrameKind kind{};
  std::vector<std::uint8_t> payload;
};

inline constexpr std::uint64_t kMaxFrame = std::uint64_t{1} << 32;

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

// Error: Io; NotFound at the end of the input before a first byte; Timeout at the deadline; Corrupt for what is not a
// frame.
base::Result<Frame> read_frame(int fd, Deadline deadline = {});
// Error: Io (EPIPE when the reader is gone: SIGPIPE must be ignored or blocked); Timeout at the deadline, which holds where `fd` does
// not block.
base::Result<void> write_frame(int fd, FrameKind kind, std::span<const std::uint8_t> payload, Deadline deadline = {});

std::vector<std::uint8_t> write_error(const base::Error& error);
base::Error read_error(std::span<const std::uint8_t> payload);

// ArtifactKey::settings.
std::string settings_text(const CompileRequest& request);
// Whether code made with these settings counts its fuel.
bool counts_fuel(std::string_view settings);

} // namespace cusp::artifact

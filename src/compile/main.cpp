// cusp-compile: wasm on the standard input, an artifact on the standard output, or many of both with --batch. Opens no
// file, knows no cache; once LLVM is initialised it may only compute. Whatever ends it ends with a message: never a
// hang.
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Target/TargetMachine.h>

#include "compile/batch.h"
#include "compile/compile.h"
#include "compile/sandbox.h"
#include "compile/target.h"

namespace {

using namespace cusp;

constexpr std::string_view kHelp = R"(usage: cusp-compile [options] < MODULE.wasm > ARTIFACT
Compiles a core module or a component to native code. `cusp compile` and `cusp serve` start it by themselves.

  --opt-level N      0, 1 or 2 (default 2)
  --bounds MODE      guard (default) or explicit: how memory accesses are checked
  --target-cpu CPU   native (default), x86-64-v2, x86-64-v3, znver4, ...
  --threads N        threads for code generation (default: all processors)
  --progress         progress on the standard error
  --batch            serve framed requests on the standard input and output
  --memory-limit GB  address space, in GiB (default 16)
  --cpu-limit S      CPU time, in seconds (default 3600)
  --no-sandbox       keep all rights, for debugging
  --help
)";

struct Arguments {
  compile::CompileOptions options;
  compile::SandboxLimits limits;
  bool batch = false, progress = false, sandbox = true, help = false;
};

[[gnu::cold]] int complain(std::string_view message, int status) {
  fmt::print(stderr, "cusp-compile: {}\n", message);
  return status;
}

// A sentence when something is wrong.
std::string parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i], value;
    if (name == "--batch") out.batch = true;
    else if (name == "--progress") out.progress = true;
    else if (name == "--no-sandbox") out.sandbox = false;
    else if (name == "--help" || name == "-h") out.help = true;
    else {
      if (auto equals = name.find('='); equals != name.npos)
        value = name.substr(equals + 1), name = name.substr(0, equals);
      else if (i + 1 < argc) value = argv[++i];
      else return fmt::format("{} is unknown or lacks its value; see --help", name);
      std::uint64_t number = 0;
      bool numeric =
          std::from_chars(value.data(), value.data() + value.size(), number).ptr == value.data() + value.size() &&
          !value.empty();
      if (name == "--target-cpu") out.options.target_cpu = value;
      else if (name == "--bounds" && (value == "guard" || value == "explicit"))
        out.options.bounds = value == "guard" ? artifact::BoundsMode::Guard : artifact::BoundsMode::Explicit;
      else if (name == "--opt-level" && numeric && number <= 2) out.options.opt_level = static_cast<unsigned>(number);
      else if (name == "--threads" && numeric && number <= 1024) out.options.threads = static_cast<unsigned>(number);
      else if (name == "--memory-limit" && numeric && number <= 1 << 20) out.limits.address_space = number << 30;
      else if (name == "--cpu-limit" && numeric) out.limits.cpu_seconds = number;
      else return fmt::format("{} {} is not understood; see --help", name, value);
    }
  }
  return {};
}

std::vector<std::uint8_t> read_everything(int fd) {
  std::vector<std::uint8_t> bytes;
  for (std::uint8_t buffer[65536];;) {
    ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return bytes;
    bytes.insert(bytes.end(), buffer, buffer + got);
  }
}

int compile_one(Arguments& arguments) {
  if (arguments.progress)
    arguments.options.progress = [](std::uint32_t done, std::uint32_t total) {
      fmt::print(stderr, "\r{} of {} functions ", done, total);
    };
  auto artifact = compile::compile_artifact(read_everything(STDIN_FILENO), arguments.options);
  if (arguments.progress) fmt::print(stderr, "\n");
  if (!artifact) return complain(artifact.error().to_string(), 1);
  for (std::size_t at = 0; at < artifact->size();) {
    ssize_t put = ::write(STDOUT_FILENO, artifact->data() + at, artifact->size() - at);
    if (put < 0 && errno != EINTR)
      return complain(fmt::format("cannot write the artifact: {}", std::strerror(errno)), 1);
    if (put > 0) at += static_cast<std::size_t>(put);
  }
  return 0;
}

void on_llvm_error(void*, const char* reason, bool) {
  std::string message = fmt::format("LLVM gave up: {}", reason);
  compile::report_death(base::ErrorCode::Compile, message);
  complain(message, 0);
  _exit(70);
}

void on_no_memory() {
  constexpr const char* kMessage = "the module needs more memory to compile than is allowed; try a lower --opt-level";
  std::set_new_handler(nullptr);
  compile::report_death(base::ErrorCode::LimitExceeded, kMessage);
  complain(kMessage, 0);
  _exit(71);
}

} // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (std::string problem = parse(argc, argv, arguments); !problem.empty()) return complain(problem, 2);
  if (arguments.help) return fmt::print("{}", kHelp), 0;
  if (!arguments.batch && isatty(STDIN_FILENO)) return complain("expects wasm on its standard input; see --help", 2);
  if (arguments.batch) compile::end_with_client();
  signal(SIGPIPE, SIG_IGN);
  llvm::install_fatal_error_handler(on_llvm_error);
  std::set_new_handler(on_no_memory);
  compile::initialise_llvm();
  if (auto target = compile::make_target(arguments.options.target_cpu))
    compile::make_target_machine(*target, 0); // static data of LLVM
  if (arguments.sandbox)
    if (auto locked = compile::enter_sandbox(arguments.limits); !locked) return complain(locked.error().to_string(), 1);
  if (!arguments.batch) return compile_one(arguments);
  if (auto served = compile::serve_batch(STDIN_FILENO, STDOUT_FILENO); !served)
    return complain(served.error().to_string(), 1);
  return 0;
}
